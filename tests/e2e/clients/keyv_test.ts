// Caches that are built on keyv: @keyv/redis by itself, and cache-manager over it.
import assert from "node:assert/strict";
import KeyvRedis from "@keyv/redis";
import { createCache } from "cache-manager";
import { Keyv } from "keyv";
import { connect, plain } from "../../support/resp_client.ts";
import { type RunningServer, startServer } from "../../support/server.ts";

const WAIT_MS = 10_000;

function keyvOf(server: RunningServer, RESP: 2 | 3): Keyv {
  const store = new KeyvRedis({ RESP, url: `redis://127.0.0.1:${server.port}` });
  return new Keyv({ store, namespace: "cache" });
}

for (const version of [2, 3] as const) {
  Deno.test(`@keyv/redis keeps, reads, expires and clears in RESP${version}`, async () => {
    await using server = await startServer({ workers: 2 });
    const keyv = keyvOf(server, version);
    try {
      const value = { score: 0.95, label: "é", tags: ["a", "b"] };
      assert.equal(await keyv.set("k", value, 60_000), true);
      assert.deepEqual(await keyv.get("k"), value);
      assert.equal(await keyv.get("nobody"), undefined);
      await keyv.setMany([{ key: "m1", value: 1 }, { key: "m2", value: 2, ttl: 60_000 }]);
      assert.deepEqual(await keyv.get(["m1", "nobody", "m2"]), [1, undefined, 2]);
      assert.equal(await keyv.has("m1"), true);
      assert.equal(await keyv.delete("m1"), true);
      assert.equal(await keyv.has("m1"), false);
      using client = await connect(server.port);
      const keys = plain(await client.command("KEYS", "*")) as string[];
      // The name that keyv and its store make of it is theirs.
      const name = keys.find((key) => key.startsWith("cache") && key.endsWith(":k"));
      assert.ok(name !== undefined, keys.join(" "));
      assert.ok(plain(await client.command("PTTL", name)) as number > 50_000);
      await client.command("SET", "other", "stays");
      await keyv.set("soon", 1, 50);
      await until(async () => await keyv.get("soon") === undefined);
      await keyv.clear();
      assert.equal(await keyv.get("k"), undefined);
      assert.equal(plain(await client.command("GET", "other")), "stays");
    } finally {
      await keyv.disconnect();
    }
  });

  Deno.test(`cache-manager wraps, reads and clears over keyv in RESP${version}`, async () => {
    await using server = await startServer({ workers: 2 });
    const cache = createCache({ stores: [keyvOf(server, version)], ttl: 60_000 });
    try {
      let made = 0;
      const make = () => Promise.resolve({ made: ++made });
      assert.deepEqual(await cache.wrap("w", make), { made: 1 });
      assert.deepEqual(await cache.wrap("w", make), { made: 1 });
      await cache.mset<number | string>([{ key: "a", value: 1 }, { key: "b", value: "zwei" }]);
      assert.deepEqual(await cache.mget(["a", "b", "nobody"]), [1, "zwei", undefined]);
      assert.ok((await cache.ttl("a"))! > Date.now());
      await cache.del("a");
      assert.equal(await cache.get("a"), undefined);
      await cache.clear();
      assert.equal(await cache.get("b"), undefined);
      assert.deepEqual(await cache.wrap("w", make), { made: 2 });
    } finally {
      await cache.disconnect();
    }
  });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS;
  while (!await holds()) assert.ok(performance.now() < deadlineMs, "it never came to hold");
}
