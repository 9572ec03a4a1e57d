// The index: growth and shrinking by single buckets, its memory per key, and the guarantee of SCAN while
// it grows and shrinks between the steps, seen from several stores on the same memory.
import assert from "node:assert/strict";
import * as L from "../../src/store/layout.ts";
import { Store } from "../../src/store/store.ts";
import { openStore, randomFrom, type StoreAccess } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";

const MIB = 2 ** 20;

function sum(access: StoreAccess, word: number): number {
  return access.store.shards.reduce((total, shard) => total + shard.words[word], 0);
}

/** Bytes of buckets in use per entry, the access clocks in them included. */
function bucketBytesPerEntry(access: StoreAccess): number {
  return (sum(access, L.BUCKETS) + sum(access, L.OVERFLOW_USED)) * 64 / sum(access, L.ENTRIES);
}

Deno.test("the index grows to 300,000 entries and shrinks back, 8 to 18 bytes of buckets per key", () => {
  const access = openStore({ shardCount: 2, maxmemoryBytes: 64 * MIB });
  const value = new Uint8Array(1), counts: number[] = [];
  const start = sum(access, L.BUCKETS);
  for (let i = 1; i <= 300_000; i++) {
    assert.ok(access.put(`${i}`, value));
    if (i >= 10_000 && (i % 7_000 === 0 || i === 300_000)) {
      const bytes = bucketBytesPerEntry(access);
      assert.ok(bytes >= 8 && bytes <= 18, `${bytes.toFixed(1)} bytes per key at ${i}`);
      const charged = access.store.totals().indexBytes / i;
      assert.ok(charged >= bytes - 0.01, "the account has all of them");
      assert.ok(charged <= bytes + 400_000 / i, `${charged.toFixed(1)} charged at ${i}`);
      counts.push(i);
    }
  }
  assert.ok(counts.length > 40);
  const census = checkInvariants(access.store);
  assert.ok(census.chainBucketsMax <= 4, `a chain of ${census.chainBucketsMax} buckets`);
  for (let i = 1; i <= 300_000; i++) {
    assert.ok(access.remove(`${i}`));
    if (i % 75_000 === 0) checkInvariants(access.store);
  }
  assert.equal(sum(access, L.BUCKETS), start);
  assert.equal(sum(access, L.OVERFLOW_USED), 0);
  assert.ok(access.put("again", value));
  assert.equal(access.store.totals().longChains, 0);
});

Deno.test("split and merge keep every entry under random puts and removes around each level", () => {
  const seed = 515, random = randomFrom(seed);
  const access = openStore({ shardCount: 1, maxmemoryBytes: 8 * MIB });
  const live = new Set<number>(), value = new Uint8Array(2);
  let top = 0;
  for (const target of [90, 60, 200, 20, 700, 300, 2_600, 100, 5_300, 0, 1_000, 0]) {
    for (let steps = 0; live.size !== target && steps < 100_000; steps++) {
      const isPut = random.below(10) < (live.size < target ? 9 : 2);
      const key = isPut ? random.below(12_000) : [...live.values().take(1)][0] ?? 0;
      if (isPut) assert.ok(access.put(`key ${key}`, value)), live.add(key);
      else assert.equal(access.remove(`key ${key}`), live.delete(key), `seed ${seed}, key ${key}`);
      top = Math.max(top, live.size);
    }
    assert.equal(checkInvariants(access.store).entries, target, `seed ${seed}`);
    for (let key = 0; key < 12_000; key++) {
      assert.equal(access.get(`key ${key}`) !== null, live.has(key), `seed ${seed}, key ${key}`);
    }
  }
  assert.equal(top >= 5_300, true);
});

Deno.test("clearIndex() on flush leaves a table that grows again", () => {
  const access = openStore({ shardCount: 2 });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20_000; i++) assert.ok(access.put(`${round}-${i}`, new Uint8Array(3)));
    access.store.flush(round === 1 ? 0 : -1);
    assert.equal(checkInvariants(access.store).entries, 0);
    assert.equal(access.get(`${round}-7`), null);
  }
});

/** Scans to the end, `change` between the steps; gives how often each key was seen. */
function scanAll(
  stores: readonly Store[],
  countMin: number,
  database: number,
  change: (step: number) => void,
): Map<string, number> {
  const seen = new Map<string, number>();
  let cursor = 0, step = 0;
  do {
    assert.ok(step < 1_000_000, "the scan does not end");
    // Each step is served by another worker's view.
    const store = stores[step % stores.length];
    cursor = store.scan(cursor, countMin, database, 50, (key) => {
      const name = new TextDecoder().decode(key);
      seen.set(name, (seen.get(name) ?? 0) + 1);
    });
    assert.ok(Number.isSafeInteger(cursor) && cursor >= 0, `cursor ${cursor}`);
    change(step++);
  } while (cursor !== 0);
  return seen;
}

Deno.test("scan() gives every key exactly once when nothing changes", () => {
  for (const shardCount of [1, 4, 16]) {
    const access = openStore({ shardCount });
    assert.equal(scanAll([access.store], 10, 0, () => {}).size, 0, "empty");
    for (let i = 0; i < 7_000; i++) {
      assert.ok(
        access.put(`${i}`, new Uint8Array(4), { database: i % 3, expiresAtMs: i % 2 * 50 }),
      );
    }
    for (const countMin of [1, 10, 1_000]) {
      const seen = scanAll([access.store], countMin, 0, () => {});
      const expected = Array.from({ length: 7_000 }, (_, i) => i).filter((i) =>
        i % 3 === 0 && i % 2 === 0
      );
      assert.deepEqual([...seen.keys()].map(Number).sort((a, b) => a - b), expected);
      assert.ok([...seen.values()].every((times) => times === 1));
    }
  }
});

Deno.test("scan() misses no key that stays while the table grows and shrinks, from several stores", () => {
  for (let seed = 1; seed <= 4; seed++) {
    const random = randomFrom(seed),
      access = openStore({ shardCount: 4, maxmemoryBytes: 32 * MIB });
    const stores = [access.store, new Store(access.memory), new Store(access.memory)];
    const value = new Uint8Array(2), kept = 300 + random.below(1_000);
    for (let i = 0; i < kept; i++) assert.ok(access.put(`keep-${i}`, value));
    let others = random.below(2) * 10_000, direction = others > 0 ? -1 : 1, levels = 0;
    for (let i = 0; i < others; i++) assert.ok(access.put(`other-${i}`, value));
    const seen = scanAll(stores, 60, 0, (step) => {
      if (step % 8 === 7) direction = -direction;
      const before = access.store.shards[0].words[L.HIGH_MASK], changes = random.below(2_000);
      for (let i = 0; i < changes; i++) {
        if (direction > 0 && others < 25_000) assert.ok(access.put(`other-${others++}`, value));
        else if (direction < 0 && others > 0) assert.ok(access.remove(`other-${--others}`));
      }
      if (access.store.shards[0].words[L.HIGH_MASK] !== before) levels++;
    });
    for (let i = 0; i < kept; i++) {
      assert.ok(seen.has(`keep-${i}`), `seed ${seed}: keep-${i} missed`);
    }
    assert.ok(levels > 0, `seed ${seed}: the table never changed its level`);
    checkInvariants(access.store);
  }
});

Deno.test("scan() takes any cursor a client may send", () => {
  const access = openStore({ shardCount: 4 });
  for (let i = 0; i < 500; i++) access.put(`${i}`, new Uint8Array(1));
  for (const cursor of [1, 3, 4_097, 2 ** 31, 2 ** 32 + 7, 2 ** 34 - 1, 2 ** 52 + 3, 2 ** 53 - 1]) {
    const next = access.store.scan(cursor, 10, 0, 0, () => {});
    assert.ok(Number.isSafeInteger(next) && next >= 0, `cursor ${cursor} gives ${next}`);
  }
});

Deno.test("hash() parts shards and buckets by different bits", () => {
  const access = openStore({ shardCount: 16 });
  for (let i = 0; i < 40_000; i++) assert.ok(access.put(`user:${i}`, new Uint8Array(1)));
  const perShard = access.store.shards.map((shard) => shard.words[L.ENTRIES]);
  for (const count of perShard) assert.ok(Math.abs(count - 2_500) < 300, `${perShard}`);
  // Were the shard's bits used again, 15 of 16 buckets would be empty and chains long.
  assert.ok(checkInvariants(access.store).chainBucketsMax <= 4);
});
