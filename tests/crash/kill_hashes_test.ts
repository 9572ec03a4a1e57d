// Hashes over a kill: what was acknowledged of their fields, nothing of an older life, and large ones that were moved.
import assert from "node:assert/strict";
import { DataDirectory } from "../support/data_directory.ts";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/server_numbers.ts";

const LARGE_FIELDS = 100_000;
const FIELDS_PER_COMMAND = 5000;

Deno.test("a hash that expired or lost its fields and was made again has exactly its new field after a kill", async () => {
  using data = new DataDirectory();
  const flags = data.flags("always");
  const server = await startServer({ workers: 2, flags });
  const lives = ["key", "fields", "removed", "large"];
  try {
    using client = await connect(server.port);
    for (const key of lives) await client.command("HSET", key, "old", "1", "older", "2");
    await client.command("HSET", "large", ...pairs(0, 500));
    // One life in a snapshot, and the next in the log.
    assert.equal(plain(await client.command("SAVE")), "+OK");
    await client.command("HSET", "key", "late", "3");
    await client.command("PEXPIRE", "key", "60");
    await client.command("PEXPIRE", "large", "60");
    await client.command("HPEXPIRE", "fields", "60", "FIELDS", "2", "old", "older");
    await client.command("HDEL", "removed", "old", "older");
    for (const key of lives) {
      await until(
        `${key} is gone`,
        async () => plain(await client.command("HLEN", key)),
        (length) => length === 0,
      );
    }
    for (const key of lives) {
      assert.equal(plain(await client.command("HSET", key, "new", "3")), 1);
    }
    await server.kill();
    await using again = await startServer({ workers: 1, flags });
    using reader = await connect(again.port);
    for (const key of lives) {
      assert.deepEqual(plain(await reader.command("HGETALL", key)), ["new", "3"], key);
      assert.equal(plain(await reader.command("PTTL", key)), -1, key);
    }
  } finally {
    await server.kill();
  }
});

Deno.test("a hash that was evicted and gets one new field has exactly that field after a kill", async () => {
  using data = new DataDirectory();
  const limits = ["--maxmemory", "16mb", "--maxmemory-policy", "allkeys-lru"];
  const flags = [...data.flags("always"), ...limits];
  const server = await startServer({ workers: 1, flags });
  try {
    using client = await connect(server.port);
    const names = Array.from({ length: 50 }, (_, i) => `hash:${i}`), filler = "x".repeat(10_000);
    await client.pipeline(names.map((name) => ["HSET", name, "old", "1", "older", "2"]));
    for (let i = 0; i < 4000; i += 100) {
      await client.pipeline(
        Array.from({ length: 100 }, (_, j) => ["SET", `filler:${i + j}`, filler]),
      );
    }
    const gone: string[] = [];
    for (const name of names) {
      if (plain(await client.command("EXISTS", name)) === 0) gone.push(name);
    }
    assert.ok(gone.length > 0, "nothing was evicted");
    for (const name of gone) {
      assert.equal(plain(await client.command("HSET", name, "new", "3")), 1);
    }
    await server.kill();
    await using again = await startServer({ workers: 1, flags });
    using reader = await connect(again.port);
    let left = 0;
    for (const name of gone) {
      const fields = plain(await reader.command("HGETALL", name)) as string[];
      // It may have been evicted again; nothing of its older life shows.
      if (fields.length === 0) continue;
      assert.deepEqual(fields, ["new", "3"], name);
      left++;
    }
    assert.ok(left > 0, "all were evicted again");
  } finally {
    await server.kill();
  }
});

Deno.test("fields keep their moments of expiry over kills, from the log and from a snapshot", async () => {
  using data = new DataDirectory();
  const flags = data.flags("always"), atMs = Date.now() + 3_600_000, soonMs = Date.now() + 400;
  let server = await startServer({ workers: 2, flags });
  try {
    using client = await connect(server.port);
    for (const key of ["small", "large"]) {
      await client.command("HSET", key, "never", "1", "late", "2", "soon", "3", "moved", "4");
      if (key === "large") await client.command("HSET", key, ...pairs(0, 1000));
      await client.command("HPEXPIREAT", key, `${atMs}`, "FIELDS", "2", "late", "moved");
      await client.command("HPEXPIREAT", key, `${soonMs}`, "FIELDS", "1", "soon");
      await client.command("HINCRBY", key, "late", "5");
      await client.command("HPERSIST", key, "FIELDS", "1", "moved");
    }
    for (const round of ["log", "snapshot", "both"]) {
      if (round === "snapshot") {
        using writer = await connect(server.port);
        assert.equal(plain(await writer.command("SAVE")), "+OK");
        await writer.command("HPEXPIREAT", "large", `${atMs + 1}`, "FIELDS", "1", "field:7");
      }
      await server.kill();
      server = await startServer({ workers: 1, flags });
      using reader = await connect(server.port);
      for (const key of ["small", "large"]) {
        await until(
          "the field has run out",
          async () => plain(await reader.command("HEXISTS", key, "soon")),
          (found) => found === 0,
        );
        const names = ["never", "late", "soon", "moved", "nobody"];
        assert.deepEqual(
          plain(await reader.command("HPEXPIRETIME", key, "FIELDS", "5", ...names)),
          [-1, atMs, -2, -1, -2],
          `${key} from the ${round}`,
        );
        assert.equal(plain(await reader.command("HGET", key, "late")), "7");
      }
      if (round === "both") {
        const moment = await reader.command("HPEXPIRETIME", "large", "FIELDS", "1", "field:7");
        assert.deepEqual(plain(moment), [atMs + 1]);
      }
    }
  } finally {
    await server.kill();
  }
});

Deno.test("RENAME and COPY of a hash of 100,000 fields are whole after a kill, under --fsync always", async () => {
  using data = new DataDirectory();
  const flags = data.flags("always");
  let server = await startServer({ workers: 2, flags });
  try {
    using client = await connect(server.port);
    for (let from = 0; from < LARGE_FIELDS; from += FIELDS_PER_COMMAND) {
      await client.command("HSET", "large", ...pairs(from, from + FIELDS_PER_COMMAND));
    }
    assert.equal(plain(await client.command("COPY", "large", "copied")), 1);
    assert.equal(plain(await client.command("RENAME", "large", "renamed")), "+OK");
    assert.deepEqual(
      (await client.pipeline([
        ["MULTI"],
        ["HSET", "renamed", "in", "exec"],
        ["COPY", "renamed", "other", "DB", "1"],
        ["HDEL", "renamed", "field:0"],
        ["EXEC"],
      ])).map(plain).at(-1),
      [1, 1, 1],
    );
    await server.kill();
    server = await startServer({ workers: 2, flags });
    for (const round of ["log", "snapshot"]) {
      using reader = await connect(server.port);
      assert.equal(plain(await reader.command("EXISTS", "large")), 0);
      await assertLarge(reader, "copied", 0, []);
      await assertLarge(reader, "renamed", 1, ["in", "exec"]);
      await reader.command("SELECT", "1");
      await assertLarge(reader, "other", 0, ["in", "exec"]);
      if (round === "snapshot") break;
      assert.equal(plain(await reader.command("SAVE")), "+OK");
      await server.kill();
      server = await startServer({ workers: 2, flags });
    }
  } finally {
    await server.kill();
  }
});

/** Throws unless the hash has all fields from number `from` on, and `others`. */
async function assertLarge(
  client: RespClient,
  key: string,
  from: number,
  others: readonly string[],
): Promise<void> {
  const flat = plain(await client.command("HGETALL", key)) as string[];
  const found = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) found.set(flat[i], flat[i + 1]);
  const expected = [...pairs(from, LARGE_FIELDS), ...others];
  assert.equal(found.size, expected.length / 2, key);
  for (let i = 0; i < expected.length; i += 2) {
    if (found.get(expected[i]) !== expected[i + 1]) assert.fail(`${key}: ${expected[i]}`);
  }
}

/** Names and values by turns, of the fields `[from, to)`. */
function pairs(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => [`field:${from + i}`, `value ${from + i}`])
    .flat();
}
