// Writes of one shard that come together run under one lock, and nobody can tell but by the count.

import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { readStats } from "../support/server_numbers.ts";
import { startServer } from "../support/server.ts";

Deno.test("server runs a burst of writes to one key in groups and replies in order", async () => {
  await using server = await startServer({ workers: 1 });
  using client = await connect(server.port);
  const sizes: number[] = [];
  // The batch after one that took long runs command by command, so that each is timed: then the next one counts.
  for (let round = 0; round < 20 && !sizes.some((size) => size > 8); round++) {
    await client.command("CONFIG", "RESETSTAT");
    const replies = await client.pipeline(Array.from({ length: 320 }, () => ["INCR", "n"]));
    const first = round * 320 + 1;
    assert.deepEqual(replies.map(plain), Array.from({ length: 320 }, (_, i) => first + i));
    sizes.push(Number((await readStats(client)).batch_avg_size));
  }
  assert.ok(sizes.some((size) => size > 8 && size <= 32), `groups of ${sizes} on average`);
});

Deno.test("a group of writes gives what the same writes give one by one", async () => {
  await using server = await startServer({ workers: 1, flags: ["--max-key-bytes", "64"] });
  using client = await connect(server.port);
  const large = "v".repeat(20_000), huge = "w".repeat(200_000), longKey = "k".repeat(65);
  const script = (key: string): string[][] => [
    ["SET", key, "1"],
    ["INCR", key],
    ["APPEND", key, "x"],
    ["INCR", key],
    ["SETEX", key, "10"],
    ["SETEX", key, "0", "y"],
    ["SET", key, large],
    ["APPEND", key, large],
    ["GETSET", key, "2"],
    ["INCRBY", key, "40"],
    ["SET", longKey, "z"],
    ["SET", key, huge, "NX"],
    ["GETDEL", key],
    ["SET", key, huge, "NX", "GET"],
    ["SETNX", key, "never"],
    ["NOSUCH", key],
    ["EXPIRE", key, "100"],
    ["PERSIST", key],
    ["SET", key, "last", "GET"],
    ["GET", key],
  ];
  const oneByOne: unknown[] = [];
  for (const command of script("a")) oneByOne.push(plain(await client.command(...command)));
  const together = (await client.pipeline(script("b"))).map(plain);
  assert.deepEqual(
    together,
    oneByOne.map((reply) => typeof reply === "string" ? reply.replace("'a'", "'b'") : reply),
  );
  assert.equal(oneByOne.at(-1), "last");
});

Deno.test("a large value of one write is never taken for that of the next in its group", async () => {
  await using server = await startServer({ workers: 1 });
  using client = await connect(server.port);
  const large = "v".repeat(20_000);
  const refused = [["SET", "a", ""], ["SET", "a", large, "NX"], ["APPEND", "a", "x"], ["GET", "a"]];
  assert.deepEqual((await client.pipeline(refused)).map(plain), ["+OK", null, 1, "x"]);
  const replaced = [["SET", "b", large], ["SET", "b", ""], ["APPEND", "b", "x"], ["GET", "b"]];
  assert.deepEqual((await client.pipeline(replaced)).map(plain), ["+OK", "+OK", 1, "x"]);
});
