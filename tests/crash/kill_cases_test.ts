// What a kill must not split, bring back or put in another order: large groups, older lives of keys, one key's writers.
//
// MAYFLY_CRASH_SEED is the seed of the moments at which servers are killed (random, printed).

import assert from "node:assert/strict";
import { DataDirectory } from "../support/data_directory.ts";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/server_numbers.ts";
import { randomFrom } from "../support/store_access.ts";

const SEED = Number(Deno.env.get("MAYFLY_CRASH_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const GROUP_KEYS = 1000;
/** Of a value: groups that fit a frame, that are longer than one, and that are too long for the ring. */
const FILLER_CHARS = [20, 1500, 4000];
const WRITERS = 8;

Deno.test("MSET of 1,000 keys is there whole or not at all wherever the kill falls", async () => {
  console.log(`seed ${SEED}`);
  using data = new DataDirectory();
  const random = randomFrom(SEED), flags = data.flags("always");
  const keys = Array.from({ length: GROUP_KEYS }, (_, i) => `key:${i}`);
  let acknowledged = 0, sent = 0;
  for (let round = 0; round < 8; round++) {
    const server = await startServer({ workers: 1 + round % 2, flags });
    try {
      using client = await connect(server.port);
      if (sent > 0) {
        const values = plain(await client.command("MGET", ...keys)) as string[];
        const found = Number(values[0]?.split("|")[0] ?? 0);
        assert.ok(found >= acknowledged && found <= sent, `${acknowledged}, ${found}, ${sent}`);
        const filler = "f".repeat(FILLER_CHARS[found % FILLER_CHARS.length]);
        if (found > 0) assert.deepEqual(values, keys.map((key) => `${found}|${key}|${filler}`));
        acknowledged = sent = found;
      }
      const writing = (async () => {
        for (;;) {
          const number = ++sent, filler = "f".repeat(FILLER_CHARS[number % FILLER_CHARS.length]);
          const pairs = keys.flatMap((key) => [key, `${number}|${key}|${filler}`]);
          assert.equal(plain(await client.command("MSET", ...pairs)), "+OK");
          acknowledged = number;
        }
      })().catch((error) => {
        if (error instanceof assert.AssertionError || /Nothing came/.test(String(error))) {
          return error;
        }
        return null;
      });
      await new Promise((resolve) => setTimeout(resolve, 30 + random.below(200)));
      await server.kill();
      assert.equal(await writing, null);
    } finally {
      await server.kill();
    }
  }
  assert.ok(acknowledged > 0, "no group was ever written");
});

Deno.test("MSET, EXEC and DEL of the longest keys, more than the ring takes as one group, are logged whole", async () => {
  using data = new DataDirectory();
  const flags = data.flags("always"), server = await startServer({ workers: 1, flags });
  const keys = Array.from({ length: 150 }, (_, i) => `${i}:`.padEnd(32_768, "k"));
  const [set, queued, gone] = [keys.slice(0, 100), keys.slice(50), keys.slice(0, 70)];
  try {
    using client = await connect(server.port);
    const pairs = (names: readonly string[]) => names.flatMap((name) => [name, "v"]);
    assert.equal(plain(await client.command("MSET", ...pairs(set))), "+OK");
    await client.command("MULTI");
    await client.command("MSET", ...pairs(queued));
    assert.deepEqual(plain(await client.command("EXEC")), ["+OK"]);
    assert.equal(plain(await client.command("DEL", ...gone)), gone.length);
    await server.kill();
    await using again = await startServer({ workers: 1, flags });
    using reader = await connect(again.port);
    const left = plain(await reader.command("MGET", ...keys));
    assert.deepEqual(left, keys.map((_, i) => i < gone.length ? null : "v"));
  } finally {
    await server.kill();
  }
});

Deno.test("a key that expired or was removed and was made again shows nothing of its older life", async () => {
  using data = new DataDirectory();
  const flags = data.flags("always"), old = "old".repeat(10), large = "old".repeat(10_000);
  const names = Array.from({ length: 100 }, (_, i) => `key:${i}`);
  const server = await startServer({ workers: 2, flags });
  try {
    using client = await connect(server.port);
    for (const [i, name] of names.entries()) {
      const value = i % 10 === 0 ? large : old;
      // Half of them run out, the others are removed; all in a snapshot or in the log before it is made.
      await client.command("SET", name, value, ...i % 2 === 0 ? ["PX", "150"] : []);
      if (i === 50) assert.equal(plain(await client.command("SAVE")), "+OK");
    }
    await client.command("DEL", ...names.filter((_, i) => i % 2 === 1));
    await until(
      "all have run out",
      async () => plain(await client.command("EXISTS", ...names)),
      (count) => count === 0,
    );
    for (const [i, name] of names.entries()) await makeAgain(client, name, i);
    await assertMadeAgain(client, names);
    await server.kill();
    await using again = await startServer({ workers: 1, flags });
    using reader = await connect(again.port);
    await assertMadeAgain(reader, names);
  } finally {
    await server.kill();
  }
});

const MADE_AGAIN = ["new", "1", "\0\0\0new", "\x80"];

async function makeAgain(client: RespClient, name: string, i: number): Promise<void> {
  const commands = [
    ["APPEND", name, "new"],
    ["INCR", name],
    ["SETRANGE", name, "3", "new"],
    ["SETBIT", name, "0", "1"],
  ];
  await client.command(...commands[i % commands.length]);
}

async function assertMadeAgain(client: RespClient, names: readonly string[]): Promise<void> {
  for (const [i, name] of names.entries()) {
    const bytes = await client.command("GET", name) as Uint8Array;
    const expected = MADE_AGAIN[i % MADE_AGAIN.length];
    assert.deepEqual([...bytes], [...expected].map((char) => char.charCodeAt(0)), name);
    assert.equal(plain(await client.command("PTTL", name)), -1, name);
  }
}

Deno.test("the log's order is memory's for writers of one key on two workers", async () => {
  console.log(`seed ${SEED}`);
  using data = new DataDirectory();
  const flags = data.flags("always"), random = randomFrom(SEED);
  const keys = ["counter", "log", "value", "expiring"];
  for (let round = 0; round < 4; round++) {
    const server = await startServer({ workers: 2, flags });
    try {
      let isOver = false;
      const writers = Array.from({ length: WRITERS }, async (_, writer) => {
        using client = await connect(server.port);
        for (let i = 0; !isOver; i++) {
          const replies = await client.pipeline([
            ["INCR", "counter"],
            ["APPEND", "log", `${writer}:${i},`],
            ["SET", "value", `${writer}:${i}`],
            ["SET", "expiring", `${writer}:${i}`, "PXAT", String(Date.now() + 3_600_000 + i)],
            ...i % 50 === 49 ? [["DEL", "log"]] : [],
          ]);
          for (const reply of replies) assert.doesNotMatch(String(plain(reply)), /^-/);
        }
      });
      await new Promise((resolve) => setTimeout(resolve, 150 + random.below(200)));
      isOver = true;
      await Promise.all(writers);
      const before = await read(server.port, keys);
      await server.kill();
      await using again = await startServer({ workers: 1, flags });
      assert.deepEqual(await read(again.port, keys), before);
    } finally {
      await server.kill();
    }
  }
});

async function read(port: number, keys: readonly string[]): Promise<unknown> {
  using client = await connect(port);
  const commands = keys.flatMap((key) => [["GET", key], ["PEXPIRETIME", key]]);
  return (await client.pipeline(commands)).map(plain);
}
