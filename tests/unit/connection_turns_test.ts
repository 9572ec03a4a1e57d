// A connection whose socket has everything at once, from which nothing else would be served: where it gives others their turn.
import assert from "node:assert/strict";
import { connect, createConnectionHost } from "../support/connection_host.ts";
import { CountedTurns } from "../support/counted_turns.ts";
import { encodeCommand } from "../support/resp_client.ts";

/** Has a client send `input` and then end; gives its replies, the number of reads, and of turns that others had. */
async function serve(input: Uint8Array) {
  const turns = new CountedTurns();
  let at = 0, reads = 0, replies = "";
  const socket = {
    read(into: Uint8Array): Promise<number> {
      const count = Math.min(into.length, input.length - at);
      into.set(input.subarray(at, at += count));
      reads++;
      return Promise.resolve(count);
    },
    write(bytes: Uint8Array): Promise<number> {
      replies += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
    closeWrite: () => Promise.resolve(),
    close() {},
  };
  await connect(createConnectionHost(turns), socket).serve();
  return { replies, reads, turns: turns.count };
}

Deno.test("a client that always has more to send lets others have their turn after each full buffer", async () => {
  const count = 20_000, one = encodeCommand(["SET", "key", "x".repeat(100)]);
  const input = new Uint8Array(count * one.length);
  for (let i = 0; i < count; i++) input.set(one, i * one.length);
  const { replies, reads, turns } = await serve(input);
  assert.equal(replies, "+OK\r\n".repeat(count));
  // All but the last of the requests, and the end, fill it.
  assert.ok(turns >= reads - 3, `${turns} turns, ${reads} reads`);
});

Deno.test("a client with a large value lets others have their turn after each piece of it", async () => {
  const { replies, reads, turns } = await serve(
    encodeCommand(["SET", "key", new Uint8Array(2 ** 24)]),
  );
  assert.equal(replies, "+OK\r\n");
  assert.ok(reads > 64 && turns >= reads - 8, `${turns} turns, ${reads} reads`);
});

Deno.test("a client that sends one request at a time gives no turns away", async () => {
  assert.deepEqual(await serve(encodeCommand(["PING"])), {
    replies: "+PONG\r\n",
    reads: 2,
    turns: 0,
  });
});
