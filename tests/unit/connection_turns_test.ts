// A connection whose socket has everything at once, from which nothing else would be served: where it gives others their turn.
import assert from "node:assert/strict";
import { ReplyBuffer } from "../../src/protocol/reply_buffer.ts";
import { RequestBatch } from "../../src/protocol/request_batch.ts";
import { RespWriter } from "../../src/protocol/resp_writer.ts";
import { TextWriter } from "../../src/protocol/text_writer.ts";
import { ReplyChunkPool } from "../../src/server/chunk_pool.ts";
import { Connection } from "../../src/server/connection.ts";
import type { ConnectionHost } from "../../src/server/connection_host.ts";
import { LargeBuffers } from "../../src/server/read_buffer.ts";
import { CountedTurns } from "../support/counted_turns.ts";
import { EnginePath } from "../support/engine_path.ts";
import { LIMITS } from "../support/parsing_connection.ts";
import { encodeCommand } from "../support/resp_client.ts";

/** Has a client send `input` and then end; gives its replies, the number of reads, and of turns that others had. */
async function serve(input: Uint8Array) {
  const { engine } = new EnginePath(), turns = new CountedTurns();
  const pool = new ReplyChunkPool(), out = new ReplyBuffer(pool);
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
    close() {},
  };
  const host: ConnectionHost = {
    engine,
    batch: new RequestBatch(),
    out,
    resp: new RespWriter(out),
    text: new TextWriter(out),
    pool,
    largeBuffers: new LargeBuffers(),
    counters: engine.metrics.counters,
    gate: null,
    chore: { isWaiting: false, runBetween() {} },
    turns,
    limits: { ...LIMITS, outOfLineBytesMin: 65_536 },
    bufferBytesMax: () => 2 ** 30,
    clientOutputBytesMax: () => 2 ** 28,
    valueBytesMax: () => 2 ** 26,
    onClosed() {},
    log: (text) => assert.fail(text),
  };
  const start = { id: 1, address: "", localAddress: "", createdAtMs: 0, isAuthenticated: true };
  await new Connection(host, socket, start).serve();
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
