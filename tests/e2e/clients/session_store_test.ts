// connect-redis, the store of web sessions, over node-redis.
import assert from "node:assert/strict";
import { RedisStore } from "connect-redis";
import type { SessionData } from "express-session";
import { createClient } from "redis";
import { startServer } from "../../support/server.ts";

for (const RESP of [2, 3] as const) {
  Deno.test(`connect-redis keeps web sessions in RESP${RESP}`, async () => {
    await using server = await startServer({ workers: 2 });
    const client = createClient({ RESP, socket: { port: server.port } });
    client.on("error", () => {});
    await client.connect();
    try {
      const store = new RedisStore({ client, prefix: "session:", ttl: 100 });
      const session = { cookie: { originalMaxAge: null }, user: "é" } as unknown as SessionData;
      const ids = Array.from({ length: 150 }, (_, i) => `id-${i}`);
      for (const id of ids) await store.set(id, session);
      assert.deepEqual(await store.get("id-7"), JSON.parse(JSON.stringify(session)));
      assert.equal(await store.get("nobody"), null);
      assert.ok(await client.ttl("session:id-7") > 90);
      await client.expire("session:id-7", 5);
      await store.touch("id-7", session);
      assert.ok(await client.ttl("session:id-7") > 90);
      assert.equal(await store.length(), ids.length);
      assert.deepEqual((await store.ids()).sort(), [...ids].sort());
      assert.equal((await store.all()).length, ids.length);
      await store.destroy("id-7");
      assert.equal(await store.get("id-7"), null);
      await client.set("other", "stays");
      await store.clear();
      assert.equal(await store.length(), 0);
      assert.equal(await client.get("other"), "stays");
    } finally {
      client.destroy();
    }
  });
}
