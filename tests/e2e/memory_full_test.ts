// A store that is full under noeviction: writes are refused with Redis's words, reads and deletions go on, and what is
// freed or expires can be used again, whatever the sizes were.

import assert from "node:assert/strict";
import { assertSameBytes, payload } from "../support/payload.ts";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { infoNumber, readInfo, until, untilInfo } from "../support/server_numbers.ts";

const MIB = 1 << 20;
const MAXMEMORY = 16 * MIB;
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.";

let server: RunningServer;
let client: RespClient;

Deno.test.beforeAll(async () => {
  server = await startServer({
    workers: 1,
    flags: ["--maxmemory", String(MAXMEMORY), "--maxmemory-policy", "noeviction"],
  });
  client = await connect(server.port, { timeoutMs: 30_000 });
});

Deno.test.afterAll(async () => {
  client.close();
  assert.equal(await server.stop(), 0, server.output().stderr);
});

/** Sets keys `prefix:0` and on until one is refused; gives how many were stored. */
async function fill(prefix: string, value: Uint8Array, ...options: string[]): Promise<number> {
  const group = 500, countMax = 1_000_000;
  for (let from = 0; from < countMax; from += group) {
    const replies = await client.pipeline(
      Array.from({ length: group }, (_, i) => ["SET", `${prefix}:${from + i}`, value, ...options]),
    );
    const refused = replies.map(plain).findIndex((reply) => reply !== "+OK");
    if (refused < 0) continue;
    assert.equal(plain(replies[refused]!), OOM);
    // A later one may still fit into another shard's rest; all that were told OK must be there.
    return from + replies.filter((reply) => plain(reply) === "+OK").length;
  }
  assert.fail(`${countMax} values of ${value.length} bytes fit into ${MAXMEMORY} bytes`);
}

async function assertWithinLimit(): Promise<void> {
  const info = await readInfo(client);
  // The index grows with the entries that still fit into free slots, also past the limit.
  assert.ok(
    info.number("used_memory") <= MAXMEMORY * 1.01,
    `used_memory ${info.text("used_memory")}`,
  );
}

async function empty(): Promise<void> {
  assert.equal(plain(await client.command("FLUSHALL")), "+OK");
  await untilInfo(client, "pinned_blocks", 0);
}

Deno.test("server refuses a value larger than maxmemory, keeps reading, and takes its pages back", async () => {
  assert.equal(plain(await client.command("SET", "k", "v")), "+OK");
  const pages = await infoNumber(client, "used_memory_pages");
  const large = payload(20 * MIB, 1);
  for (let round = 0; round < 3; round++) {
    assert.equal(plain(await client.command("SET", "large", large)), OOM);
    assert.equal(plain(await client.command("SET", "k", large)), OOM);
    assert.equal(plain(await client.command("APPEND", "k", large)), OOM);
    assert.equal(plain(await client.command("GETSET", "k", large)), OOM);
    assert.equal(plain(await client.command("GET", "k")), "v");
    assert.equal(await infoNumber(client, "used_memory_pages"), pages);
  }
  assert.equal(
    plain(
      await client.command(
        "MSET",
        "k",
        "new",
        "l1",
        payload(9 * MIB, 2),
        "l2",
        payload(9 * MIB, 3),
      ),
    ),
    OOM,
  );
  assert.deepEqual(plain(await client.command("MGET", "k", "l1", "l2")), ["v", null, null]);
  assert.equal(await infoNumber(client, "used_memory_pages"), pages);
  const half = payload(8 * MIB, 4);
  assert.equal(plain(await client.command("SET", "half", half)), "+OK");
  assert.equal(plain(await client.command("APPEND", "half", half)), OOM);
  assertSameBytes(await client.command("GET", "half"), half);
  await assertWithinLimit();
  assert.ok(await infoNumber(client, "out_of_memory_replies") >= 14);
  await empty();
});

Deno.test("server full of small keys reads, deletes and stores again", async () => {
  const value = payload(64, 5), stored = await fill("s", value);
  assert.ok(stored > 100_000, `${stored} keys of 64 bytes in 16 MiB`);
  assert.equal(plain(await client.command("DBSIZE")), stored);
  await assertWithinLimit();
  assertSameBytes(await client.command("GET", "s:0"), value);
  assert.equal(plain(await client.command("STRLEN", "s:1")), 64);
  assert.equal(plain(await client.command("EXPIRE", "s:1", "100")), 1);
  assert.equal(plain(await client.command("SET", "large", payload(MIB, 6))), OOM);
  assert.equal(plain(await client.command("MSET", "a", "1", "b", payload(MIB, 7))), OOM);
  assert.equal(plain(await client.command("EXISTS", "a", "b", "large")), 0);
  // A key that is there can be written over by a value of the same size.
  assert.equal(plain(await client.command("SET", "s:0", payload(64, 8))), "+OK");
  for (let from = 0; from < 50_000; from += 1000) {
    const keys = Array.from({ length: 1000 }, (_, i) => `s:${from + i}`);
    assert.equal(plain(await client.command("DEL", ...keys)), 1000);
  }
  // Of another size class, and so in pages of their own: up to one page of 64 KiB in each of 16 shards is not full.
  for (let i = 0; i < 30_000; i += 1000) {
    const again = Array.from({ length: 1000 }, (_, n) => ["SET", `again:${i + n}`, value]);
    const replies = await client.pipeline(again);
    assert.ok(replies.every((reply) => plain(reply) === "+OK"), `after ${i} keys again`);
  }
  await assertWithinLimit();
});

Deno.test("memory of deleted keys is used again for values of another size", async () => {
  await empty();
  const small = await fill("a", payload(64, 9));
  await deleteAll("a", small);
  const middling = await fill("b", payload(2000, 10));
  assert.ok(middling * 2000 > MAXMEMORY * 0.6, `${middling} values of 2,000 bytes after 64`);
  await deleteAll("b", middling);
  const large = await fill("c", payload(100_000, 11));
  assert.ok(large * 100_000 > MAXMEMORY * 0.6, `${large} values of 100,000 bytes after 2,000`);
  await deleteAll("c", large);
  const again = await fill("d", payload(64, 12));
  assert.ok(again > small * 0.8, `${again} small keys at last, ${small} at first`);
  await empty();
});

async function deleteAll(prefix: string, count: number): Promise<void> {
  for (let from = 0; from < count + 500; from += 1000) {
    await client.command("DEL", ...Array.from({ length: 1000 }, (_, i) => `${prefix}:${from + i}`));
  }
  assert.equal(plain(await client.command("DBSIZE")), 0);
}

Deno.test("expired keys make room without being asked for", async () => {
  const stored = await fill("e", payload(1000, 13), "PX", "3000");
  assert.ok(stored > 5000);
  await until(
    "all have expired",
    () => client.command("EXISTS", ...Array.from({ length: stored + 500 }, (_, i) => `e:${i}`)),
    (count) => count === 0,
  );
  const again = await fill("f", payload(1000, 14));
  assert.ok(again > stored * 0.8, `${again} after ${stored} had expired`);
  await empty();
});

Deno.test("CONFIG SET maxmemory makes room at once", async () => {
  const value = payload(1000, 15), stored = await fill("g", value);
  const doubled = plain(await client.command("CONFIG", "SET", "maxmemory", String(2 * MAXMEMORY)));
  assert.equal(doubled, "+OK");
  const replies = await client.pipeline(
    Array.from({ length: 5000 }, (_, i) => ["SET", `h:${i}`, value]),
  );
  assert.ok(replies.every((reply) => plain(reply) === "+OK"));
  assert.equal(plain(await client.command("CONFIG", "SET", "maxmemory", String(MAXMEMORY))), "+OK");
  assert.equal(plain(await client.command("DBSIZE")), stored + 5000);
  // Slots that are free in pages already taken may still be filled; no page is added.
  const pages = await infoNumber(client, "used_memory_pages");
  assert.ok(await fill("i", value) < 1000);
  assert.equal(await infoNumber(client, "used_memory_pages"), pages);
  await empty();
  assert.equal(plain(await client.command("SET", "new", value)), "+OK");
});

Deno.test("a change of a hash that finds no memory changes nothing, and what is freed can be used", async () => {
  await empty();
  const value = payload(200, 20), field = (i: number) => `field:${i}`;
  const pairs = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => [field(from + i), value]).flat();
  assert.equal(plain(await client.command("HSET", "small", ...pairs(0, 10))), 10);
  assert.equal(plain(await client.command("HSET", "large", ...pairs(0, 1000))), 1000);
  const stored = await fill("j", payload(100, 21));
  assert.ok(stored > 10_000, String(stored));
  for (const key of ["small", "large", "new"]) {
    const before = plain(await client.command("HLEN", key));
    // Far more than the rest of any page.
    assert.equal(plain(await client.command("HSET", key, ...pairs(5000, 2000))), OOM);
    assert.equal(plain(await client.command("HLEN", key)), before, key);
    const far = ["PXAT", "33177117420123", "FIELDS", "2000"];
    assert.equal(plain(await client.command("HSETEX", key, ...far, ...pairs(5000, 2000))), OOM);
    assert.equal(plain(await client.command("HLEN", key)), before, key);
    assert.equal(plain(await client.command("HEXISTS", key, field(5000))), 0);
  }
  // Room for moments of expiry is all or nothing too: what NX sets would be refused by a second run.
  const names = Array.from({ length: 1000 }, (_, i) => field(i));
  const expire = ["HEXPIRE", "large", "100", "NX", "FIELDS", "1000", ...names];
  const told = plain(await client.command(...expire));
  if (told === OOM) {
    const ttls = plain(await client.command("HTTL", "large", "FIELDS", "1000", ...names));
    assert.deepEqual(ttls, names.map(() => -1));
  } else assert.deepEqual(told, names.map(() => 1));
  assertSameBytes(await client.command("HGET", "large", field(999)), value);
  // A value of the same length needs no room, and a deletion none either.
  assert.equal(plain(await client.command("HSET", "large", field(1), payload(200, 22))), 0);
  assert.equal(plain(await client.command("HDEL", "large", ...names.slice(500))), 500);
  assert.equal(plain(await client.command("HLEN", "large")), 500);
  await assertWithinLimit();
  await empty();
  assert.equal(plain(await client.command("HSET", "large", ...pairs(0, 20_000))), 20_000);
  await empty();
});
