// The index of expiry against a model, a Map of moments: random entries, changes of TTL, deletions and leaps in
// time. After each leap everything that has expired is gone, and nothing else is. It looks at no bound by itself.
import assert from "node:assert/strict";
import fc from "fast-check";
import * as L from "../../src/store/layout.ts";
import { openStore, type StoreAccess } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";

const START_MS = 1_700_000_000_000;

/** Sweeps in steps of `entriesMax` until nothing is due; gives the number removed and the worst lateness. */
function sweepAll(access: StoreAccess, nowMs: number, entriesMax = 64) {
  let removed = 0, lateMs = 0;
  for (const shard of access.store.shards) {
    for (let steps = 0; access.store.isDue(shard, nowMs); steps++) {
      assert.ok(steps < 1_000_000, "the sweep comes to an end");
      removed += access.store.sweep(shard, entriesMax, nowMs);
      lateMs = Math.max(lateMs, shard.lateMs);
    }
  }
  return { removed, lateMs };
}

function entryCount(access: StoreAccess): number {
  return access.store.entryCounts(0).entries;
}

type Step =
  | { kind: "put"; key: number; ttlMs: number }
  | { kind: "expire"; key: number; ttlMs: number }
  | { kind: "persist"; key: number }
  | { kind: "remove"; key: number }
  | { kind: "leap"; ms: number; entriesMax: number }
  | { kind: "flush" };

const KEYS = 900;
const key = fc.integer({ min: 0, max: KEYS - 1 });
const ttlMs = fc.oneof(
  fc.integer({ min: 1, max: 50 }),
  fc.integer({ min: 1, max: 100_000 }),
  fc.integer({ min: 1, max: 2 ** 45 }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 60, arbitrary: fc.record({ kind: fc.constant("put" as const), key, ttlMs }) },
  { weight: 20, arbitrary: fc.record({ kind: fc.constant("expire" as const), key, ttlMs }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("persist" as const), key }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("remove" as const), key }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("leap" as const),
      ms: fc.oneof(
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 0, max: 90_000 }),
        fc.integer({ min: 0, max: 2 ** 44 }),
      ),
      entriesMax: fc.integer({ min: 1, max: 200 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "flush" as const }) },
);

Deno.test("sweep() removes all that has expired and nothing else, whatever was done before", () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 50, maxLength: 1500, size: "max" }),
      fc.constantFrom(1, 4),
      (steps, shardCount) => {
        const access = openStore({ shardCount, maxmemoryBytes: 2 ** 23 });
        const model = new Map<number, number>(), value = new Uint8Array(5);
        let nowMs = START_MS;
        const forget = (name: number) => {
          const atMs = model.get(name);
          if (atMs !== undefined && atMs !== 0 && atMs <= nowMs) model.delete(name);
        };
        for (const each of steps) {
          if (each.kind === "put") {
            const expiresAtMs = each.key % 3 === 0 ? 0 : nowMs + each.ttlMs;
            assert.ok(access.put(`${each.key}`, value, { expiresAtMs }));
            model.set(each.key, expiresAtMs);
          } else if (each.kind === "expire" || each.kind === "persist") {
            forget(each.key);
            const expiresAtMs = each.kind === "persist" ? 0 : nowMs + each.ttlMs;
            const isThere = access.expire(`${each.key}`, expiresAtMs, nowMs);
            assert.equal(isThere, model.has(each.key));
            if (isThere) model.set(each.key, expiresAtMs);
          } else if (each.kind === "remove") {
            forget(each.key);
            assert.equal(access.remove(`${each.key}`, nowMs), model.delete(each.key));
          } else if (each.kind === "flush") {
            access.store.flush(-1);
            model.clear();
          } else {
            nowMs += each.ms;
            const before = entryCount(access);
            let due = 0, earliestMs = nowMs;
            for (const [name, atMs] of model) {
              if (atMs === 0 || atMs > nowMs) continue;
              model.delete(name);
              due++;
              earliestMs = Math.min(earliestMs, atMs);
            }
            const { removed, lateMs } = sweepAll(access, nowMs, each.entriesMax);
            assert.equal(removed, due);
            assert.equal(lateMs, nowMs - earliestMs);
            assert.equal(entryCount(access), before - due);
            assert.equal(entryCount(access), model.size);
          }
        }
        checkInvariants(access.store);
        for (const name of model.keys()) {
          if (model.get(name) === 0 || model.get(name)! > nowMs) {
            assert.ok(access.get(`${name}`, nowMs) !== null, `key ${name} is there`);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("sweep() takes each of 20,000 keys once its moment has come, and not before", () => {
  const access = openStore({ shardCount: 2, maxmemoryBytes: 2 ** 24 }), value = new Uint8Array(3);
  const count = 20_000;
  for (let i = 0; i < count; i++) access.put(`${i}`, value, { expiresAtMs: START_MS + i * 7 + 1 });
  checkInvariants(access.store);
  for (let nowMs = START_MS; nowMs <= START_MS + count * 7 + 701; nowMs += 701) {
    sweepAll(access, nowMs);
    const expected = count - Math.ceil((nowMs - START_MS) / 7);
    assert.equal(entryCount(access), Math.max(0, expected), `after ${nowMs - START_MS} ms`);
  }
  assert.equal(checkInvariants(access.store).entries, 0);
});

Deno.test("sweep() looks at buckets that are due and not at those beside them", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 2 ** 24 }), value = new Uint8Array(3);
  for (let i = 0; i < 50_000; i++) access.put(`${i}`, value, { expiresAtMs: START_MS + 3_600_000 });
  for (let i = 0; i < 50; i++) access.put(`soon ${i}`, value, { expiresAtMs: START_MS + 1000 });
  const shard = access.store.shards[0];
  assert.equal(access.store.sweep(shard, 64, START_MS + 999), 0);
  assert.ok(!access.store.isDue(shard, START_MS + 999));
  // 50 keys lie in at most 50 of 11,000 buckets, with some five entries each.
  assert.equal(access.store.sweep(shard, 500, START_MS + 1000), 50);
  assert.ok(access.store.duePart(START_MS + 1000) === 0);
});

Deno.test("sweep() does not come back for a bound that turned out too early", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 2 ** 24 }), value = new Uint8Array(3);
  for (let i = 0; i < 10_000; i++) access.put(`${i}`, value, { expiresAtMs: START_MS + 10 });
  for (let i = 0; i < 10_000; i++) access.expire(`${i}`, START_MS + 1_000_000, START_MS);
  const shard = access.store.shards[0], nowMs = START_MS + 20;
  assert.ok(access.store.isDue(shard, nowMs));
  assert.deepEqual(sweepAll(access, nowMs), { removed: 0, lateMs: 0 });
  assert.ok(!access.store.isDue(shard, START_MS + 999_999));
  assert.equal(entryCount(access), 10_000);
  checkInvariants(access.store);
});

Deno.test("duePart() tells which part has expired and waits to be removed", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 2 ** 25 }), value = new Uint8Array(3);
  for (let i = 0; i < 60_000; i++) access.put(`${i}`, value, { expiresAtMs: START_MS + 1 });
  assert.equal(access.store.duePart(START_MS), 0);
  assert.ok(access.store.duePart(START_MS + 1) > 0.95);
  sweepAll(access, START_MS + 1);
  assert.equal(access.store.duePart(START_MS + 1), 0);
});

Deno.test("the index of expiry takes no memory before something has a TTL, then 2 bytes per entry", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 2 ** 26 }), value = new Uint8Array(3);
  const count = 200_000, indexBytes = () => access.store.totals().indexBytes;
  for (let i = 0; i < count; i++) access.put(`${i}`, value);
  const shard = access.store.shards[0], without = indexBytes();
  assert.ok(shard.bounds.every((bound) => bound === 0));
  assert.equal(shard.words[L.BOUNDS_USED], 0);
  for (let i = 0; i < count; i++) access.put(`${i}`, value, { expiresAtMs: START_MS });
  const perEntry = (indexBytes() - without) / count;
  assert.ok(perEntry > 1.5 && perEntry < 2.5, `${perEntry} bytes per entry`);
  access.store.flush(-1);
  assert.equal(shard.words[L.BOUNDS_USED], 0);
  assert.ok(shard.bounds.every((bound) => bound === 0));
});

Deno.test("a first time to live finds its 8 bytes in the slot or in another one, in full memory too", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 2 ** 21 });
  const shard = access.store.shards[0], names: string[] = [];
  const contentOf = (i: number) => new Uint8Array(i % 120).fill(i);
  while (access.put(`key-${names.length}`, contentOf(names.length))) {
    names.push(`key-${names.length}`);
  }
  assert.ok(names.length > 5000);
  const usedBytes = access.store.totals().usedBytes;
  for (let round = 0; round < 2; round++) {
    for (const name of names) assert.ok(access.expire(name, START_MS + 5000 * (1 + round)));
    names.forEach((name, i) => assert.deepEqual(access.get(name), contentOf(i)));
    checkInvariants(access.store);
  }
  assert.equal(access.store.entryCounts(0).expiring, names.length);
  assert.ok(access.store.totals().usedBytes < usedBytes * 1.2);
  // Without one again, the room stays; a moment of 0 is no expiry.
  access.expire(names[0], 0);
  assert.equal(access.store.entryCounts(0).expiring, names.length - 1);
  sweepAll(access, START_MS + 9_999);
  assert.equal(entryCount(access), names.length);
  sweepAll(access, START_MS + 10_000);
  assert.deepEqual(access.get(names[0]), contentOf(0));
  assert.equal(entryCount(access), 1);
  assert.equal(shard.words[L.DB_EXPIRING], 0);
  checkInvariants(access.store);
});

Deno.test("an entry that never expires costs 8 bytes less than one that does", () => {
  const value = new Uint8Array(64),
    bytes = [0, START_MS].map((expiresAtMs) => {
      const access = openStore({ shardCount: 1, maxmemoryBytes: 2 ** 26 });
      for (let i = 0; i < 100_000; i++) access.put(`${i}`.padStart(16), value, { expiresAtMs });
      return access.store.totals().pageBytes / 100_000;
    });
  assert.ok(bytes[1] - bytes[0] > 7.5 && bytes[1] - bytes[0] < 9, `${bytes}`);
  assert.ok(bytes[0] < 90, `${bytes}`);
});

Deno.test("compactAhead() leaves records where they are while much has expired, and moves them afterwards", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 2 ** 24 }), { store } = access;
  const shard = store.shards[0], value = new Uint8Array(64), stormMs = START_MS + 1;
  const count = 12_000;
  for (let i = 0; i < count; i++) {
    // A third of each page stays, a third has been deleted, a third expires.
    assert.ok(access.put(`key ${i}`, value, { expiresAtMs: i % 3 === 2 ? stormMs : 0 }));
  }
  for (let i = 1; i < count; i += 3) access.remove(`key ${i}`);
  const moved = () => store.totals().recordsMoved, before = moved();
  store.compactAhead(shard, stormMs + 1000);
  assert.equal(moved(), before, "a second behind");
  store.compactAhead(shard, stormMs + 1);
  assert.ok(moved() > before, "what expired just now is no storm");
  const between = moved();
  sweepAll(access, stormMs + 1000);
  assert.equal(moved(), between, "nor does the sweep move any");
  store.compactAhead(shard, stormMs + 1000);
  assert.ok(moved() > between);
  assert.equal(entryCount(access), count / 3);
  checkInvariants(store);
});
