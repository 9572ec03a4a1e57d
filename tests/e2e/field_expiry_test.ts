// Fields that end before their hash does, as clients see them go: by reads, by writes, in the background, and moved.
import assert from "node:assert/strict";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { until } from "../support/server_numbers.ts";
import { startServer } from "../support/server.ts";

const SOON_MS = 60;
const FAR_MS = 33_177_117_420_123;

const ask = async (client: RespClient, ...words: string[]) => plain(await client.command(...words));
const hasGone = (client: RespClient, key: string, field: string) =>
  until(`${field} has expired`, () => ask(client, "HEXISTS", key, field), (found) => found === 0);

/** A field that expires soon, told apart from the rest by nothing else. */
async function endSoon(client: RespClient, key: string, ...fields: string[]): Promise<void> {
  const count = String(fields.length);
  const set = await ask(client, "HPEXPIRE", key, String(SOON_MS), "FIELDS", count, ...fields);
  assert.deepEqual(set, fields.map(() => 1));
}

for (const count of [3, 500]) {
  Deno.test(`a field that has expired is absent to every command, in a hash of ${count} fields`, async () => {
    const flags = ["--enable-debug-command", "local"];
    await using server = await startServer({ workers: 2, flags });
    using client = await connect(server.port);
    // Nothing is removed before somebody looks.
    assert.equal(await ask(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0"), "+OK");
    const names = Array.from({ length: count }, (_, i) => `f${i}`);
    await client.command("HSET", "h", ...names.flatMap((name) => [name, "1"]));
    await endSoon(client, "h", "f0", "f1");
    await hasGone(client, "h", "f0");
    await hasGone(client, "h", "f1");
    const left = names.slice(2).sort();
    assert.equal(await ask(client, "HLEN", "h"), count - 2);
    assert.equal(await ask(client, "HGET", "h", "f0"), null);
    assert.deepEqual(await ask(client, "HMGET", "h", "f0", "f1", "f2"), [null, null, "1"]);
    assert.equal(await ask(client, "HSTRLEN", "h", "f1"), 0);
    assert.deepEqual((await ask(client, "HKEYS", "h") as string[]).sort(), left);
    assert.equal((await ask(client, "HVALS", "h") as string[]).length, count - 2);
    assert.equal((await ask(client, "HGETALL", "h") as string[]).length, (count - 2) * 2);
    assert.deepEqual(await ask(client, "HTTL", "h", "FIELDS", "2", "f0", "f2"), [-2, -1]);
    assert.deepEqual(await ask(client, "HPERSIST", "h", "FIELDS", "1", "f0"), [-2]);
    const drawn = await ask(client, "HRANDFIELD", "h", String(count)) as string[];
    assert.deepEqual(drawn.sort(), left);
    const walked: string[] = [];
    for (let cursor = "0", steps = 0; steps === 0 || cursor !== "0"; steps++) {
      assert.ok(steps < 10_000);
      const reply = await ask(client, "HSCAN", "h", cursor, "NOVALUES") as [string, string[]];
      cursor = reply[0];
      walked.push(...reply[1]);
    }
    assert.deepEqual([...new Set(walked)].sort(), left);
    assert.equal(await ask(client, "HDEL", "h", "f0"), 0);
    assert.equal(await ask(client, "HSETNX", "h", "f1", "new"), 1);
    assert.equal(await ask(client, "HINCRBY", "h", "f0", "5"), 5);
    assert.deepEqual(await ask(client, "HTTL", "h", "FIELDS", "2", "f0", "f1"), [-1, -1]);
    assert.equal(await ask(client, "HLEN", "h"), count);
  });
}

Deno.test("EXISTS and TYPE tell no hash whose fields have all expired, before anything removes it", async () => {
  const flags = ["--enable-debug-command", "local"];
  await using server = await startServer({ workers: 1, flags });
  using client = await connect(server.port);
  assert.equal(await ask(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0"), "+OK");
  await client.command("HSET", "all", "a", "1", "b", "2");
  await client.command("HSET", "some", "a", "1", "b", "2");
  await endSoon(client, "all", "a", "b");
  await endSoon(client, "some", "a");
  await hasGone(client, "some", "a");
  assert.equal(await ask(client, "DBSIZE"), 2);
  assert.equal(await ask(client, "EXISTS", "all", "some", "all"), 1);
  assert.equal(await ask(client, "TOUCH", "all"), 0);
  assert.deepEqual([await ask(client, "TYPE", "all"), await ask(client, "TYPE", "some")], [
    "+none",
    "+hash",
  ]);
  assert.equal(await ask(client, "HSETNX", "all", "a", "new"), 1);
  assert.equal(await ask(client, "EXISTS", "all"), 1);
});

Deno.test("a hash is gone with its last field, for reads at once and in the background", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  await client.command("HSET", "read", "a", "1", "b", "2");
  await client.command("HSET", "unread", "a", "1");
  await client.command("HSET", "stays", "a", "1", "b", "2");
  await endSoon(client, "read", "a", "b");
  await endSoon(client, "unread", "a");
  await endSoon(client, "stays", "a");
  await hasGone(client, "read", "a");
  await until("its key is gone", () => ask(client, "EXISTS", "read"), (count) => count === 0);
  assert.equal(await ask(client, "TYPE", "read"), "+none");
  assert.deepEqual(await ask(client, "HGETALL", "read"), []);
  await until("the keys are removed", () => ask(client, "DBSIZE"), (count) => count === 1);
  assert.deepEqual(await ask(client, "HGETALL", "stays"), ["b", "2"]);
  assert.equal(await ask(client, "HSET", "unread", "c", "3"), 1);
  assert.deepEqual(await ask(client, "HGETALL", "unread"), ["c", "3"]);
  assert.deepEqual(await ask(client, "TTL", "unread"), -1);
});

Deno.test("what a change of a field does to its time to live", async () => {
  await using server = await startServer({ workers: 1 });
  using client = await connect(server.port);
  const moments = (...fields: string[]) =>
    ask(client, "HPEXPIRETIME", "h", "FIELDS", String(fields.length), ...fields);
  const far = String(FAR_MS);
  await client.command("HSETEX", "h", "PXAT", far, "FIELDS", "5", ..."a1b1c1d1e1");
  await client.command("HSET", "h", "a", "2");
  await client.command("HINCRBY", "h", "b", "1");
  await client.command("HINCRBYFLOAT", "h", "c", "0.5");
  await client.command("HSETNX", "h", "d", "other");
  await client.command("HDEL", "h", "e");
  await client.command("HSET", "h", "e", "again");
  assert.deepEqual(await moments(..."abcde"), [-1, FAR_MS, FAR_MS, FAR_MS, -1]);
  await client.command("EXPIRE", "h", "100");
  assert.deepEqual(await moments("b"), [FAR_MS]);
  assert.equal(await ask(client, "TTL", "h"), 100);
});

Deno.test("fields keep their time to live where a hash is renamed, copied, moved and restored", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  const far = String(FAR_MS);
  const check = async (key: string) => {
    const moments = await ask(client, "HPEXPIRETIME", key, "FIELDS", "2", "a", "b");
    assert.deepEqual(moments, [FAR_MS, -1], key);
    assert.deepEqual(await ask(client, "HGETALL", key), ["a", "1", "b", "2"], key);
  };
  await client.command("HSET", "h", "a", "1", "b", "2");
  await client.command("HPEXPIREAT", "h", far, "FIELDS", "1", "a");
  await client.command("COPY", "h", "copied");
  await check("copied");
  await client.command("RENAME", "h", "renamed");
  await check("renamed");
  // A hash is dumped for itself, whatever was asked for before.
  await client.command("HSET", "other", "x", "y");
  const payload = await client.command("DUMP", "renamed") as Uint8Array<ArrayBuffer>;
  assert.equal(await ask(client, "EXISTS", "h"), 0);
  assert.equal(plain(await client.command("RESTORE", "restored", "0", payload)), "+OK");
  await check("restored");
  await client.command("MOVE", "renamed", "3");
  await client.command("SELECT", "3");
  await check("renamed");
});

Deno.test("a transaction that watches a hash is let go when a field changes, not when one is read", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  using other = await connect(server.port);
  await client.command("HSET", "h", "a", "1", "b", "2");
  const attempt = async (...words: string[]) => {
    await client.command("WATCH", "h");
    await other.command(...words);
    await client.command("MULTI");
    await client.command("HLEN", "h");
    return await ask(client, "EXEC") !== null;
  };
  for (
    const words of ["HGET h a", "HGETALL h", "HDEL h nosuch", "HSETNX h a 2", "HTTL h FIELDS 1 a"]
  ) {
    assert.equal(await attempt(...words.split(" ")), true, words);
  }
  for (
    const words of ["HSET h a 2", "HINCRBY h a 1", "HDEL h a", "HEXPIRE h 100 FIELDS 1 b"]
  ) assert.equal(await attempt(...words.split(" ")), false, words);
});

Deno.test("a hash that is made gets the time that a rule gives its key, and keeps it", async () => {
  const flags = ["--ttl-rule", "row:*=500", "--default-ttl", "900"];
  await using server = await startServer({ workers: 1, flags });
  using client = await connect(server.port);
  await client.command("HSET", "row:1", "a", "1");
  await client.command("HINCRBY", "row:2", "a", "1");
  await client.command("HSETEX", "other", "EX", "50", "FIELDS", "1", "a", "1");
  for (const [key, ttl] of [["row:1", 500], ["row:2", 500], ["other", 900]] as const) {
    assert.equal(await ask(client, "TTL", key), ttl, key);
  }
  await client.command("EXPIRE", "row:1", "100");
  await client.command("HSET", "row:1", "b", "2");
  assert.equal(await ask(client, "TTL", "row:1"), 100);
  await client.command("PERSIST", "row:1");
  await client.command("HDEL", "row:1", "b");
  assert.equal(await ask(client, "TTL", "row:1"), -1);
});

Deno.test("HRANDFIELD with more than a client may leave unread ends the client, not the server", async () => {
  const flags = ["--client-output-bytes-max", "16mb"];
  await using server = await startServer({ workers: 1, flags });
  using client = await connect(server.port);
  using other = await connect(server.port);
  await client.command("HSET", "h", "a", "x".repeat(10_000));
  const refused = await ask(client, "HRANDFIELD", "h", "-1000001");
  assert.equal(refused, "-ERR value is out of range");
  // As bytes: a million replies one by one take the client ten times as long as the server.
  await client.send("HRANDFIELD h -1000000\r\n");
  const drawn = `*1000000\r\n${"$1\r\na\r\n".repeat(1_000_000)}`;
  assert.equal(new TextDecoder().decode(await client.readRaw(drawn.length)) === drawn, true);
  await assert.rejects(client.command("HRANDFIELD", "h", "-1000000", "WITHVALUES"));
  assert.equal(await ask(other, "HLEN", "h"), 1);
});
