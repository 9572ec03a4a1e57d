// The client library ioredis against the server: calls, pipelines, transactions, bytes, a restart.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import { freePort, startServer } from "../../support/server.ts";

const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const RECONNECT_MS = 20;

/** Sends nothing before the first command; a lost connection is tried again soon and for ever. */
function createClient(port: number, more: Record<string, unknown> = {}): Redis {
  return new Redis({ port, retryStrategy: () => RECONNECT_MS, ...more });
}

for (const protocol of [2, 3]) {
  Deno.test(`ioredis speaks to the server in RESP${protocol}`, async (t) => {
    await using server = await startServer({ workers: 2 });
    const client = createClient(server.port, { protocol });
    try {
      await t.step("ordinary calls", async () => {
        assert.equal(await client.set("a", "1", "EX", 100), "OK");
        assert.equal(await client.set("a", "2", "NX"), null);
        assert.equal(await client.get("a"), "1");
        assert.equal(await client.get("nobody"), null);
        assert.equal(await client.incrby("n", 41), 41);
        assert.equal(await client.incrbyfloat("f", 0.5), "0.5");
        assert.deepEqual(await client.mget("a", "nobody", "n"), ["1", null, "41"]);
        assert.equal(await client.del("a", "nobody"), 1);
        assert.match(await client.info("server"), /redis_version/);
        assert.deepEqual(await client.config("GET", "maxclients"), ["maxclients", "10000"]);
        assert.match(String(await client.client("LIST")), /lib-name=ioredis/);
        await assert.rejects(client.call("NOSUCH", "x"), /unknown command/);
      });
      await t.step("bytes of every kind", async () => {
        await client.set(BYTES, BYTES);
        assert.deepEqual(await client.getBuffer(BYTES), BYTES);
      });
      await t.step("hashes, and the time to live of their fields", async () => {
        assert.equal(await client.hset("h", { a: 1, b: "zwei" }), 2);
        assert.deepEqual(await client.hgetall("h"), { a: "1", b: "zwei" });
        assert.deepEqual(await client.hgetall("nobody"), {});
        assert.deepEqual(await client.hmget("h", "a", "nobody", "b"), ["1", null, "zwei"]);
        assert.equal(await client.hincrby("h", "a", 41), 42);
        assert.equal(await client.hincrbyfloat("h", "f", 0.5), "0.5");
        assert.deepEqual(await client.hkeys("h"), ["a", "b", "f"]);
        assert.deepEqual(await client.hscan("h", 0, "MATCH", "[ab]"), [
          "0",
          ["a", "42", "b", "zwei"],
        ]);
        assert.deepEqual(await client.hexpire("h", 100, "FIELDS", 2, "a", "nobody"), [1, -2]);
        assert.deepEqual(await client.httl("h", "FIELDS", 2, "a", "b"), [100, -1]);
        assert.deepEqual(await client.hpersist("h", "FIELDS", 1, "a"), [1]);
        assert.equal(await client.hdel("h", "a", "b", "f"), 3);
        await client.hset("h", new Map([[BYTES, BYTES]]));
        assert.deepEqual(await client.hgetBuffer("h", BYTES), BYTES);
        await client.hset(
          "many",
          Object.fromEntries(Array.from({ length: 500 }, (_, i) => [i, i])),
        );
        const found = new Set<string>();
        for await (const pairs of client.hscanStream("many", { count: 50 })) {
          (pairs as string[]).forEach((each, i) => i % 2 === 0 && found.add(each));
        }
        assert.equal(found.size, 500);
        await client.set("text", "x");
        await assert.rejects(client.hget("text", "a"), /^ReplyError: WRONGTYPE/);
      });
      await t.step("a pipeline", async () => {
        const pipeline = client.pipeline();
        for (let i = 0; i < 1000; i++) pipeline.set(`p:${i}`, i).get(`p:${i}`);
        const replies = await pipeline.exec();
        assert.equal(replies!.length, 2000);
        replies!.forEach(([error, reply], i) => {
          assert.equal(error, null);
          assert.equal(reply, i % 2 === 0 ? "OK" : String(i >> 1));
        });
      });
      await t.step("transactions", async () => {
        const replies = await client.multi().set("t", "1").incr("t").get("t").exec();
        assert.deepEqual(replies, [[null, "OK"], [null, 2], [null, "2"]]);
        await assert.rejects(client.multi().set("t", "3").call("SET").exec(), /EXECABORT/);
        await client.watch("t");
        const other = createClient(server.port, { protocol });
        await other.set("t", "9");
        other.disconnect();
        assert.equal(await client.multi().set("t", "lost").exec(), null);
        assert.equal(await client.get("t"), "9");
      });
      await t.step("a stream over all keys", async () => {
        const found = new Set<string>();
        for await (const keys of client.scanStream({ match: "p:*", count: 100 })) {
          for (const key of keys as string[]) found.add(key);
        }
        assert.equal(found.size, 1000);
      });
    } finally {
      client.disconnect();
    }
  });
}

Deno.test("ioredis pipelines by itself what is asked at once", async () => {
  await using server = await startServer({ workers: 1 });
  const client = createClient(server.port, { enableAutoPipelining: true });
  try {
    const keys = Array.from({ length: 500 }, (_, i) => `k:${i}`);
    await Promise.all(keys.map((key, i) => client.set(key, i)));
    const values = await Promise.all(keys.map((key) => client.get(key)));
    assert.deepEqual(values, keys.map((_, i) => String(i)));
  } finally {
    client.disconnect();
  }
});

Deno.test("ioredis gives name, password and database when it connects", async () => {
  const flags = ["--requirepass-file", await passwordFile("open sesame")];
  await using server = await startServer({ workers: 1, flags });
  const client = createClient(server.port, {
    password: "open sesame",
    db: 3,
    connectionName: "me",
  });
  try {
    await client.set("k", "v");
    const list = String(await client.client("LIST"));
    assert.match(list, / name=me .* db=3 /);
  } finally {
    client.disconnect();
  }
  const wrong = createClient(server.port, { password: "wrong", retryStrategy: () => null });
  wrong.on("error", () => {});
  await assert.rejects(wrong.get("k"));
  wrong.disconnect();
});

Deno.test("ioredis goes on after the server was started anew", async () => {
  const port = freePort(), directory = await Deno.makeTempDir({ prefix: "mayfly-ioredis-" });
  const flags = ["--persistence", "on", "--fsync", "always", "--data-dir", directory];
  let server = await startServer({ workers: 1, port, flags });
  const client = createClient(port, { maxRetriesPerRequest: null });
  client.on("error", () => {});
  try {
    await client.set("k", "before");
    await server.kill();
    const waiting = client.get("k");
    server = await startServer({ workers: 1, port, flags });
    assert.equal(await waiting, "before");
  } finally {
    client.disconnect();
    await server.stop();
    await Deno.remove(directory, { recursive: true });
  }
});

async function passwordFile(password: string): Promise<string> {
  const path = await Deno.makeTempFile({ prefix: "mayfly-password-" });
  await Deno.writeTextFile(path, password);
  return path;
}
