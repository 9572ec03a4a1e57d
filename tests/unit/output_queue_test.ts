// Replies of a connection that wait for the log: nothing goes out early, nothing is forgotten, whatever comes behind them.
import assert from "node:assert/strict";
import { ReplyBuffer } from "../../src/protocol/reply_buffer.ts";
import { ReplyChunkPool } from "../../src/server/chunk_pool.ts";
import { OutputQueue } from "../../src/server/output_queue.ts";

/** A socket that takes everything, a log whose end the test tells, and what waits for it. */
function start() {
  const pool = new ReplyChunkPool(), out = new ReplyBuffer(pool), waiting = new Set<OutputQueue>();
  let sent = "", syncedTo = 0;
  const sink = {
    write(bytes: Uint8Array): Promise<number> {
      sent += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  };
  const hold = {
    isReached: (cursor: number) => cursor <= syncedTo,
    wait: (queue: OutputQueue) => void waiting.add(queue),
  };
  const listener = {
    onDrained: () => {},
    onWriteFailed: (error: unknown) => assert.fail(`${error}`),
  };
  const queue = new OutputQueue(sink, listener, { pool, gate: hold, turns: null, round: null });
  return {
    reply(text: string, heldTo: number | null): void {
      const bytes = new TextEncoder().encode(text);
      out.write(bytes, 0, bytes.length);
      queue.take(out, heldTo);
    },
    /** As the gate does when the log went on. */
    async sync(to: number): Promise<void> {
      syncedTo = to;
      for (const each of waiting) if (!each.resume()) waiting.delete(each);
      for (let turns = 0; turns < 20; turns++) await Promise.resolve();
    },
    sent: () => sent,
    waits: () => waiting.size > 0,
  };
}

Deno.test("OutputQueue waits for the log as long as any reply does, also with others behind that do not", async () => {
  const { reply, sync, sent, waits } = start();
  reply("a", 10);
  reply("b", 20);
  // The policy was changed meanwhile: this one waits for nothing but its turn.
  reply("c", null);
  await sync(5);
  assert.equal(sent(), "");
  assert.ok(waits(), "what is held is forgotten");
  await sync(10);
  assert.equal(sent(), "a");
  assert.ok(waits(), "what is held is forgotten");
  await sync(20);
  assert.equal(sent(), "abc");
  assert.ok(!waits());
  reply("d", null);
  await sync(20);
  assert.equal(sent(), "abcd");
});
