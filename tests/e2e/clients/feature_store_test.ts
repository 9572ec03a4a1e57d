// Two patterns of inference services through node-redis: a feature store's hashes, and the cache of an LLM proxy.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createClient, RESP_TYPES } from "redis";
import { startServer } from "../../support/server.ts";

const ENTITIES = 300;
const FEATURES = 94;

async function connected(port: number, RESP: 2 | 3) {
  const client = createClient({ RESP, socket: { port } });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Names of features as a store packs them: a hash of the view and of the feature, no text. */
const feature = (i: number) => Buffer.from([0x02, 0, 0xff, i, 13, 10, i ^ 0xff, 0]);
const entity = (i: number) => Buffer.from([0x02, 0, 0, 0, i & 0xff, i >> 8, 0x80]);
const value = (i: number, field: number) => Buffer.from([i & 0xff, field, 0, 255, 13, 10]);

for (const version of [2, 3] as const) {
  Deno.test(`a feature store writes rows and reads many at once in RESP${version}`, async () => {
    await using server = await startServer({ workers: 2 });
    const client = await connected(server.port, version);
    try {
      const names = Array.from({ length: FEATURES }, (_, i) => feature(i));
      const writing = client.multi();
      for (let i = 0; i < ENTITIES; i++) {
        writing.hSet(entity(i), names.map((name, at) => [name, value(i, at)] as [Buffer, Buffer]));
        writing.expire(entity(i), 3600);
      }
      const written = await writing.execAsPipeline() as unknown as number[];
      assert.deepEqual(written.filter((_, i) => i % 2 === 0), Array(ENTITIES).fill(FEATURES));
      assert.ok(written.every((reply, i) => i % 2 === 0 || reply === 1));
      const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
      const asked = [...names].reverse(), reading = binary.multi();
      for (let i = 0; i <= ENTITIES; i++) reading.hmGet(entity(i), [...asked, feature(FEATURES)]);
      const rows = await reading.execAsPipeline() as unknown as (Buffer | null)[][];
      for (let i = 0; i < ENTITIES; i++) {
        const expected = names.map((_, at) => value(i, at)).reverse();
        assert.deepEqual(rows[i], [...expected, null], `entity ${i}`);
      }
      assert.deepEqual(rows[ENTITIES], Array(FEATURES + 1).fill(null));
      // A part of the row is written anew, and the rest stays, its end of life too.
      await client.hSet(entity(7), [[feature(3), "new"]]);
      assert.equal(await client.hGet(entity(7), feature(3)), "new");
      assert.equal(await client.hLen(entity(7)), FEATURES);
      assert.ok(await client.ttl(entity(7)) > 3500);
    } finally {
      client.destroy();
    }
  });

  Deno.test(`an LLM proxy locks, caches, counts and walks in RESP${version}`, async () => {
    await using server = await startServer({ workers: 2 });
    const client = await connected(server.port, version);
    try {
      const lock = { condition: "NX", expiration: { type: "EX", value: 10 } } as const;
      assert.equal(await client.set("lock", "me", lock), "OK");
      assert.equal(await client.set("lock", "you", lock), null);
      const answers = Array.from({ length: 100 }, (_, i) => `answer:${i}`),
        writing = client.multi();
      for (const key of answers) {
        writing.set(key, `{"${key}":"é"}`, { expiration: { type: "EX", value: 600 } });
      }
      assert.deepEqual(await writing.execAsPipeline(), Array(100).fill("OK"));
      assert.deepEqual(await client.mGet([...answers, "nobody"]), [
        ...answers.map((key) => `{"${key}":"é"}`),
        null,
      ]);
      const counted = await client.multi().incrByFloat("spend", 0.25).expire("spend", 60).exec();
      assert.deepEqual(counted, ["0.25", 1]);
      assert.equal(await client.incrByFloat("spend", 0.5), "0.75");
      assert.ok(await client.ttl("spend") > 50);
      const found = new Set<string>();
      for await (const keys of client.scanIterator({ MATCH: "answer:*", COUNT: 30 })) {
        for (const key of keys) found.add(key);
      }
      assert.deepEqual([...found].sort(), [...answers].sort());
    } finally {
      client.destroy();
    }
  });
}
