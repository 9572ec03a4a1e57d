// Clients that are found ready together are served first, and sent their replies then.
import assert from "node:assert/strict";
import { SEND_ROUND_BYTES_MAX } from "../../src/limits.ts";
import { ReplyBuffer } from "../../src/protocol/reply_buffer.ts";
import { ReplyChunkPool } from "../../src/server/chunk_pool.ts";
import { OutputQueue } from "../../src/server/output_queue.ts";
import { socketOf } from "../../src/server/socket.ts";
import { SendRound } from "../../src/server/send_round.ts";
import { connect, createConnectionHost } from "../support/connection_host.ts";
import { encodeCommand } from "../support/resp_client.ts";

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** Sockets of one worker that find a request each with the same look, or several; notes who ran and who was sent what. */
function start(clients: number, command: readonly string[]) {
  const host = createConnectionHost(), events: string[] = [];
  const { run } = host.engine;
  const reads: ((count: number) => void)[] = [], buffers: Uint8Array[] = [];
  const connections = Array.from({ length: clients }, (_, id) => {
    const socket = {
      read: (into: Uint8Array) =>
        new Promise<number>((resolve) => {
          buffers[id] = into;
          reads[id] = resolve;
        }),
      write(bytes: Uint8Array) {
        events.push(`${id}:${new TextDecoder().decode(bytes.subarray(0, 4))}`);
        return Promise.resolve(bytes.length);
      },
      closeWrite: () => Promise.resolve(),
      close: () => void events.push(`${id} closed`),
    };
    return connect(host, socket, id);
  });
  host.engine.run = (session, ...rest) => {
    events.push(`${session.id} runs`);
    return run.call(host.engine, session, ...rest);
  };
  const served = connections.map((connection) => connection.serve());
  return {
    events,
    /** The look at the sockets. */
    arrive() {
      const request = encodeCommand([...command]);
      const woken = reads.map((read, id) => [read, buffers[id]] as const);
      for (const [read, buffer] of woken) {
        buffer.set(request);
        read(request.length);
      }
    },
    async end() {
      for (const read of reads) read(0);
      await Promise.all(served);
    },
  };
}

Deno.test("replies go out when all clients that were ready together have been served", async () => {
  const { events, arrive, end } = start(3, ["PING"]);
  const each = ["0 runs", "1 runs", "2 runs", "0:+PON", "1:+PON", "2:+PON"];
  arrive();
  await settle();
  assert.deepEqual(events, each);
  arrive();
  await settle();
  assert.deepEqual(events, [...each, ...each]);
  await end();
});

Deno.test("the runtime settles what came with one look at the sockets together, so a round ends after all of it", async () => {
  const hostname = "127.0.0.1", clients = 8;
  const listener = Deno.listen({ hostname, port: 0 }), { port } = listener.addr;
  const events: string[] = [], round = new SendRound();
  const ends: Deno.Conn[] = [], served: Promise<void>[] = [];
  for (let id = 0; id < clients; id++) {
    const [far, near] = await Promise.all([Deno.connect({ hostname, port }), listener.accept()]);
    ends.push(far, near);
    const serve = async () => {
      await socketOf(near).read(new Uint8Array(16));
      events.push("served");
      round.add({ send: () => void events.push("sent") }, 1);
    };
    served.push(serve());
  }
  // They wait for their sockets by now; on loopback, what is written is there when the call returns.
  await new Promise((resolve) => setTimeout(resolve, 10));
  for (let id = 0; id < clients; id++) void ends[id * 2].write(new Uint8Array(4));
  await Promise.all(served);
  await settle();
  assert.deepEqual(events, [...Array(clients).fill("served"), ...Array(clients).fill("sent")]);
  for (const end of ends) end.close();
  listener.close();
});

Deno.test("a round ends early once many bytes are there, and those who come after are a round of their own", async () => {
  const round = new SendRound(), sent: number[] = [];
  const add = (id: number, bytes: number) => round.add({ send: () => void sent.push(id) }, bytes);
  add(1, SEND_ROUND_BYTES_MAX - 1);
  assert.deepEqual(sent, []);
  add(2, 1);
  assert.deepEqual(sent, [1, 2]);
  add(3, 1);
  assert.deepEqual(sent, [1, 2]);
  await settle();
  assert.deepEqual(sent, [1, 2, 3]);
  add(4, 1);
  await settle();
  assert.deepEqual(sent, [1, 2, 3, 4]);
});

Deno.test("a client that goes before its round ends is sent nothing, and its buffer is given back", async () => {
  const pool = new ReplyChunkPool(), out = new ReplyBuffer(pool), round = new SendRound();
  let sent = 0, given = 0;
  pool.give = () => void given++;
  const queue = new OutputQueue(
    { write: (bytes) => Promise.resolve(sent += bytes.length) },
    { onDrained() {}, onWriteFailed: (error) => assert.fail(`${error}`) },
    { pool, gate: null, turns: null, round },
  );
  out.write(new Uint8Array(8), 0, 8);
  queue.take(out);
  // What comes in the same round waits behind it.
  out.write(new Uint8Array(4), 0, 4);
  queue.take(out);
  assert.ok(queue.isWriting && !queue.isIdle);
  queue.close();
  await settle();
  assert.deepEqual({ sent, isWriting: queue.isWriting, given }, {
    sent: 0,
    isWriting: false,
    given: 1,
  });
});
