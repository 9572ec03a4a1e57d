// Pipelines of reads and writes by many clients at once: each gets every reply, in its order, whatever the other
// worker changes meanwhile.
import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";

const CLIENTS = 12;
const ROUNDS = 60;
const KEYS_PER_CLIENT = 400;

/** Numbers from 0 to below 1, the same for the same seed (mulberry32, Ettinger). */
function randomOf(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

Deno.test("each command of a pipeline has its reply while the other worker changes the same shards", async () => {
  await using server = await startServer({ workers: 2 });
  const seed = Date.now() | 0;
  await Promise.all(Array.from({ length: CLIENTS }, async (_, number) => {
    using client = await connect(server.port);
    const random = randomOf(seed + number), model = new Map<string, string>();
    for (let round = 0; round < ROUNDS; round++) {
      const commands: string[][] = [], expected: (string | null)[] = [];
      const pairs = 60 + Math.floor(random() * 50);
      for (let i = 0; i < pairs; i++) {
        const key = `${number}:${Math.floor(random() * KEYS_PER_CLIENT)}`;
        commands.push(["GET", key]);
        expected.push(model.get(key) ?? null);
        if (random() > 0.35) continue;
        const value = `${round}-${i}-`.padEnd(250 + Math.floor(random() * 600), "x");
        commands.push(["SET", key, value]);
        expected.push("+OK");
        model.set(key, value);
      }
      const replies = await client.pipeline(commands);
      assert.deepEqual(replies.map(plain), expected, `seed ${seed}, client ${number}`);
    }
  }));
});
