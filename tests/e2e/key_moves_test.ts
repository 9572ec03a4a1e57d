// Keys that change name or database while others use them: large values, other workers, whole databases.

import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { readInfo } from "../support/server_numbers.ts";

const LARGE = new Uint8Array(32 * 1024 * 1024).map((_, i) => (i * 2654435761) >>> 24);

Deno.test("RENAME and COPY of a large value keep every byte while others read it", async () => {
  await using server = await startServer({ workers: 2, flags: ["--maxmemory", "512mb"] });
  using client = await connect(server.port);
  using reader = await connect(server.port);
  await client.command("SET", "a", LARGE, "PX", "100000000");
  const reading = reader.pipeline([["GET", "a"], ["PING"]]);
  const replies = await client.pipeline([
    ["COPY", "a", "b"],
    ["RENAME", "a", "c"],
    ["COPY", "c", "c", "DB", "3"],
    ["MOVE", "b", "4"],
    ["EXISTS", "a", "b"],
    ["PTTL", "c"],
  ]);
  const ttl = plain(replies.pop()!) as number;
  assert.deepEqual(replies.map(plain), [1, "+OK", 1, 1, 0]);
  assert.ok(ttl > 90_000_000, `${ttl}`);
  const [during] = await reading;
  // Before the RENAME or after it; never a part.
  if (during !== null) assert.deepEqual(during, LARGE);
  for (const [database, key] of [["0", "c"], ["3", "c"], ["4", "b"]]) {
    const [, value] = await client.pipeline([["SELECT", database], ["GET", key]]);
    assert.deepEqual(value, LARGE, `${database} ${key}`);
  }
  await client.command("FLUSHALL");
  assert.equal((await readInfo(client)).number("pinned_blocks"), 0);
});

Deno.test("SETRANGE and SETBIT on a large value that is being sent change a copy", async () => {
  await using server = await startServer({ flags: ["--maxmemory", "512mb"] });
  using client = await connect(server.port);
  using slow = await connect(server.port);
  await client.command("SET", "a", LARGE);
  // Its replies wait in the server: nothing of them is read yet.
  await slow.send("*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
  await slow.send("*1\r\n$4\r\nPING\r\n");
  for (let tries = 0; (await readInfo(client)).number("pinned_blocks") === 0; tries++) {
    assert.ok(tries < 500, "the value is not being sent");
  }
  assert.equal(plain(await client.command("SETRANGE", "a", "20000000", "changed")), LARGE.length);
  assert.equal(
    plain(await client.command("SETBIT", "a", "8", LARGE[1] < 128 ? "1" : "0")),
    LARGE[1] >> 7,
  );
  assert.deepEqual(await slow.reply(), LARGE);
  assert.equal(plain(await client.command("GETRANGE", "a", "20000000", "20000006")), "changed");
  assert.equal(plain(await client.command("STRLEN", "a")), LARGE.length);
});

Deno.test("RENAME to and fro on two workers loses no key and makes none", async () => {
  await using server = await startServer({ workers: 2 });
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect(server.port)));
  await clients[0].command("SET", "a", "the one");
  let moves = 0;
  await Promise.all(clients.map(async (client, i) => {
    for (let round = 0; round < 200; round++) {
      const names = (round + i) % 2 === 0 ? ["a", "b"] : ["b", "a"];
      const [reply] = await client.pipeline([["RENAME", ...names]]);
      if (plain(reply) === "+OK") moves++;
    }
  }));
  assert.ok(moves > 0);
  const values = (await clients[0].pipeline([["GET", "a"], ["GET", "b"], ["DBSIZE"]])).map(plain);
  assert.deepEqual(values.filter((value) => value === "the one").length, 1, String(values));
  assert.equal(values[2], 1);
  for (const client of clients) client.close();
});

Deno.test("SWAPDB changes both databases at one moment for clients of all workers", async () => {
  await using server = await startServer({ workers: 2 });
  const readers = await Promise.all(Array.from({ length: 8 }, () => connect(server.port)));
  using swapper = await connect(server.port);
  await swapper.pipeline([["MSET", "name", "zero", "other", "zero"], ["SELECT", "1"], [
    "MSET",
    "name",
    "one",
    "other",
    "one",
  ]]);
  let isOver = false;
  const seen = new Set<unknown>();
  const reading = readers.map(async (reader, i) => {
    await reader.command("SELECT", String(i % 2));
    while (!isOver) {
      const [name, other] = plain(await reader.command("MGET", "name", "other")) as string[];
      assert.equal(name, other);
      seen.add(name);
    }
  });
  for (let i = 0; i < 301; i++) await swapper.command("SWAPDB", "0", "1");
  isOver = true;
  await Promise.all(reading);
  assert.deepEqual([...seen].sort(), ["one", "zero"]);
  // An odd number of swaps: each client sees the other's database now.
  assert.equal(plain(await readers[0].command("GET", "name")), "one");
  assert.equal(plain(await readers[1].command("GET", "name")), "zero");
  for (const reader of readers) reader.close();
});
