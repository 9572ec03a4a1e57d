// The turn that a connection gives the others: sockets are really looked at, and what was to be sent waits for it.
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { ReplyBuffer } from "../../src/protocol/reply_buffer.ts";
import { ReplyChunkPool } from "../../src/server/chunk_pool.ts";
import { LoopTurns } from "../../src/server/loop_turns.ts";
import { OutputQueue } from "../../src/server/output_queue.ts";

const ROUNDS = 50;

Deno.test("a turn looks at the other sockets, also while the loop always has something to do", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const [client, server] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port }),
    listener.accept(),
  ]);
  const turns = new LoopTurns();
  let isBusy = true, rounds = 0;
  const keepBusy = () => {
    rounds++;
    if (isBusy) setImmediate(keepBusy);
  };
  keepBusy();
  let missed = 0;
  for (let i = 0; i < ROUNDS; i++) {
    let isThere = false;
    const read = server.read(new Uint8Array(1)).then(() => isThere = true);
    await client.write(new Uint8Array(1));
    await turns.wait();
    // Both sockets are found ready by one look; in which order they are told of is the runtime's business.
    const before = rounds;
    while (!isThere && rounds < before + 3) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (!isThere) missed++;
    await read;
  }
  isBusy = false;
  assert.equal(
    missed,
    0,
    `after ${missed} of ${ROUNDS} turns a byte that was there had not been read`,
  );
  turns.close();
  for (const each of [client, server, listener]) each.close();
});

Deno.test("a turn comes also where no socket can be had for it, or the one there was fails", async () => {
  const listenDatagram = Deno.listenDatagram, turns = new LoopTurns();
  const sockets: Deno.DatagramConn[] = [];
  const replace = (open: () => Deno.DatagramConn) =>
    (Deno as { listenDatagram: unknown }).listenDatagram = open;
  const open = () => {
    const socket = listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    sockets.push(socket);
    return socket;
  };
  try {
    replace(() => {
      throw new Error("refused");
    });
    assert.ok(turns.isDue);
    await turns.wait();
    replace(open);
    await turns.wait();
    sockets[0].close();
    await turns.wait();
    await turns.wait();
    assert.equal(sockets.length, 2, "another one is made");
    // A byte that cannot be sent is not waited for.
    sockets[1].send = () => Promise.reject(new Error("no room"));
    await turns.wait();
    await turns.wait();
    assert.equal(sockets.length, 3);
  } finally {
    Deno.listenDatagram = listenDatagram;
    turns.close();
  }
});

Deno.test("replies that a fast reader takes at once are sent in turns, and are let go when the client leaves in one", async () => {
  const pool = new ReplyChunkPool(), out = new ReplyBuffer(pool);
  let sent = 0, drained = 0;
  let onTurn: (() => void) | null = null;
  const sink = {
    write(bytes: Uint8Array): Promise<number> {
      sent += bytes.length;
      return Promise.resolve(bytes.length);
    },
  };
  const turns = { isDue: true, wait: () => new Promise<void>((resolve) => onTurn = resolve) };
  const listener = {
    onDrained: () => drained++,
    onWriteFailed: (error: unknown) => assert.fail(`${error}`),
  };
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  const replyBytes = 200_000;
  const queue = new OutputQueue(sink, listener, { pool, gate: null, turns, round: null });
  out.write(new Uint8Array(replyBytes), 0, replyBytes);
  queue.take(out);
  let waits = 0;
  for (await settle(); onTurn !== null; await settle(), waits++) {
    const before: number = sent, go: () => void = onTurn;
    onTurn = null;
    assert.ok(before < replyBytes && queue.isWriting && drained === 0);
    go();
    await settle();
    assert.ok(sent > before);
  }
  assert.deepEqual({ sent, drained }, { sent: replyBytes, drained: 1 });
  assert.ok(waits >= 3, `${waits} turns`);

  out.write(new Uint8Array(replyBytes), 0, replyBytes);
  queue.take(out);
  await settle();
  assert.ok(onTurn !== null && queue.isWriting);
  const before = sent;
  queue.close();
  (onTurn as () => void)();
  await settle();
  assert.deepEqual({ sent, isWriting: queue.isWriting }, { sent: before, isWriting: false });
});
