// The client library redis (node-redis) against the server: calls, pipelines, transactions, bytes, a restart.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createClient, RESP_TYPES, WatchError } from "redis";
import { freePort, startServer } from "../../support/server.ts";

const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const RECONNECT_MS = 20;

async function connected(port: number, RESP: 2 | 3) {
  const socket = { port, reconnectStrategy: () => RECONNECT_MS };
  const client = createClient({ RESP, socket });
  client.on("error", () => {}); // told of each lost connection; calls fail by themselves
  await client.connect();
  return client;
}

for (const version of [2, 3] as const) {
  Deno.test(`node-redis speaks to the server in RESP${version}`, async (t) => {
    await using server = await startServer({ workers: 2 });
    const client = await connected(server.port, version);
    try {
      await t.step("ordinary calls", async () => {
        assert.equal(await client.set("a", "1", { expiration: { type: "EX", value: 100 } }), "OK");
        assert.equal(await client.set("a", "2", { condition: "NX" }), null);
        assert.equal(await client.get("a"), "1");
        assert.equal(await client.get("nobody"), null);
        assert.equal(await client.incrBy("n", 41), 41);
        assert.equal(await client.incrByFloat("f", 0.5), "0.5");
        assert.deepEqual(await client.mGet(["a", "nobody", "n"]), ["1", null, "41"]);
        assert.equal(await client.del(["a", "nobody"]), 1);
        assert.match(await client.info("server"), /redis_version/);
        assert.equal((await client.configGet("maxclients")).maxclients, "10000");
        const own = await client.clientInfo();
        assert.equal(own.resp, version);
        assert.equal(own.libName, "node-redis");
        const stats = await client.memoryStats();
        assert.ok(Number(stats["keys.count"]) > 0);
        await assert.rejects(client.sendCommand(["NOSUCH", "x"]), /unknown command/);
      });
      await t.step("bytes of every kind", async () => {
        await client.set(BYTES, BYTES);
        const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
        assert.deepEqual(await binary.get(BYTES), BYTES);
      });
      await t.step("hashes, and the time to live of their fields", async () => {
        assert.equal(await client.hSet("h", { a: 1, b: "zwei" }), 2);
        assert.deepEqual({ ...await client.hGetAll("h") }, { a: "1", b: "zwei" });
        assert.deepEqual({ ...await client.hGetAll("nobody") }, {});
        assert.deepEqual(await client.hmGet("h", ["a", "nobody", "b"]), ["1", null, "zwei"]);
        assert.equal(await client.hIncrBy("h", "a", 41), 42);
        assert.equal(await client.hIncrByFloat("h", "f", 0.5), "0.5");
        assert.equal(await client.hGet("h", "a"), "42");
        assert.equal(await client.hExists("h", "b"), 1);
        const step = await client.hScan("h", "0", { MATCH: "[ab]" });
        assert.deepEqual(step, {
          cursor: "0",
          entries: [{ field: "a", value: "42" }, { field: "b", value: "zwei" }],
        });
        assert.deepEqual(await client.hScanNoValues("h", "0", { MATCH: "a" }), {
          cursor: "0",
          fields: ["a"],
        });
        const drawn = await client.hRandFieldCountWithValues("h", 3);
        assert.deepEqual(drawn.map(({ field }) => field).sort(), ["a", "b", "f"]);
        assert.deepEqual(await client.hExpire("h", ["a", "nobody"], 100), [1, -2]);
        assert.deepEqual(await client.hTTL("h", ["a", "b"]), [100, -1]);
        assert.deepEqual(
          await client.hGetEx("h", ["b"], { expiration: { type: "EX", value: 60 } }),
          [
            "zwei",
          ],
        );
        assert.deepEqual(await client.hTTL("h", ["b"]), [60]);
        assert.deepEqual(await client.hPersist("h", ["a"]), [1]);
        assert.deepEqual(await client.hGetDel("h", ["a", "nobody"]), ["42", null]);
        const options = { expiration: { type: "EX", value: 30 }, mode: "FNX" } as const;
        assert.equal(await client.hSetEx("h", { c: "1", d: "2" }, options), 1);
        assert.equal(await client.hSetEx("h", { c: "1", d: "2" }, options), 0);
        await client.hSet("h", BYTES, BYTES);
        const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
        assert.deepEqual(await binary.hGet("h", BYTES), BYTES);
        await client.set("text", "x");
        await assert.rejects(client.hGet("text", "a"), /WRONGTYPE/);
      });
      await t.step("calls at once, which it pipelines", async () => {
        const keys = Array.from({ length: 1000 }, (_, i) => `p:${i}`);
        await Promise.all(keys.map((key, i) => client.set(key, String(i))));
        const values = await Promise.all(keys.map((key) => client.get(key)));
        assert.deepEqual(values, keys.map((_, i) => String(i)));
      });
      await t.step("transactions", async () => {
        assert.deepEqual(await client.multi().set("t", "1").incr("t").get("t").exec(), [
          "OK",
          2,
          "2",
        ]);
        await assert.rejects(client.multi().set("t", "x").addCommand(["SET"]).exec());
        assert.equal(await client.get("t"), "2");
        await client.watch("t");
        const other = await connected(server.port, version);
        await other.set("t", "9");
        other.destroy();
        await assert.rejects(client.multi().set("t", "lost").exec(), WatchError);
        assert.equal(await client.get("t"), "9");
      });
      await t.step("a walk over all keys", async () => {
        const found = new Set<string>();
        for await (const keys of client.scanIterator({ MATCH: "p:*", COUNT: 100 })) {
          for (const key of keys) found.add(key);
        }
        assert.equal(found.size, 1000);
      });
    } finally {
      client.destroy();
    }
  });
}

Deno.test("node-redis goes on after the server was started anew", async () => {
  const port = freePort(), directory = await Deno.makeTempDir({ prefix: "mayfly-node-redis-" });
  const flags = ["--persistence", "on", "--fsync", "always", "--data-dir", directory];
  let server = await startServer({ workers: 1, port, flags });
  const client = await connected(port, 3);
  try {
    await client.set("k", "before");
    const lost = new Promise((resolve) => client.once("reconnecting", resolve));
    await server.kill();
    await lost;
    server = await startServer({ workers: 1, port, flags });
    assert.equal(await client.get("k"), "before");
  } finally {
    client.destroy();
    await server.stop();
    await Deno.remove(directory, { recursive: true });
  }
});
