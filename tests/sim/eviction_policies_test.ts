// Eviction against caches written plainly, by the same traces; and what a shard is like after it.
import assert from "node:assert/strict";
import { EVICTION_POLICIES, type EvictionPolicy } from "../../src/eviction_policies.ts";
import { Evictor } from "../../src/store/store.ts";
import { hitRatio, plainLfu, plainLru, plainSieve } from "../support/plain_caches.ts";
import { openStore, randomFrom } from "../support/store_access.ts";
import { storeCache } from "../support/store_cache.ts";
import { checkInvariants } from "../support/store_invariants.ts";
import { pagesTrace, scanTrace, shiftingTrace, zipfTrace } from "../support/traces.ts";

const OPTIONS = { keys: 30_000, length: 150_000, seed: 20_261_121 };
const TRACES = {
  "Zipf 0.8": zipfTrace(0.8, OPTIONS),
  "Zipf 1.0": zipfTrace(1, OPTIONS),
  "Zipf 1.0 with scans": scanTrace(1, OPTIONS),
  "Zipf 0.8 that shifts": shiftingTrace(0.8, OPTIONS),
};
const CAPACITY = 3000;

/** Hit ratios in points, of the store and of the plain cache, by trace. */
function compare(policy: EvictionPolicy, plain: typeof plainLru): [string, number, number][] {
  return Object.entries(TRACES).map(([name, trace]) => {
    const { use, access } = storeCache(policy, CAPACITY);
    const ratio = hitRatio(use, trace) * 100;
    checkInvariants(access.store);
    return [name, ratio, hitRatio(plain(CAPACITY), trace) * 100];
  });
}

Deno.test("Evictor comes within 1 point of an exact LRU under allkeys-lru and volatile-lru", () => {
  for (const policy of ["allkeys-lru", "volatile-lru"] as const) {
    for (const [name, ratio, exact] of compare(policy, plainLru)) {
      assert.ok(Math.abs(ratio - exact) <= 1, `${policy}, ${name}: ${ratio}, exact ${exact}`);
    }
  }
});

Deno.test("Evictor under allkeys-lru has the hit ratios that O'Neil and others print of LRU for their 80-20 trace", () => {
  const trace = pagesTrace({ keys: 1000, length: 60_000, seed: 1 });
  // "The LRU-K Page Replacement Algorithm", SIGMOD 1993, section 4.2: buffers and hit ratio of LRU-1.
  for (const [buffers, printed] of [[40, 0.53], [100, 0.63], [200, 0.72]] as const) {
    const exact = hitRatio(plainLru(buffers), trace);
    assert.ok(Math.abs(exact - printed) < 0.015, `plain LRU of ${buffers}: ${exact}`);
    const ratio = hitRatio(storeCache("allkeys-lru", buffers).use, trace);
    assert.ok(Math.abs(ratio - printed) < 0.025, `${buffers}: ${ratio}, printed ${printed}`);
  }
});

Deno.test("Evictor comes within 1 point of a plain SIEVE under allkeys-sieve, or is better", () => {
  for (const [name, ratio, exact] of compare("allkeys-sieve", plainSieve)) {
    assert.ok(ratio >= exact - 1, `${name}: ${ratio}, exact ${exact}`);
  }
});

Deno.test("Evictor comes within 2.5 points of exact counts under allkeys-lfu, or is better", () => {
  for (const [name, ratio, exact] of compare("allkeys-lfu", plainLfu)) {
    assert.ok(ratio >= exact - 2.5, `${name}: ${ratio}, exact ${exact}`);
  }
});

Deno.test("Evictor lets the entry go that expires next under volatile-ttl", () => {
  const access = openStore({ shardCount: 1 }), random = randomFrom(7), nowMs = 1_700_000_000_000;
  const { store } = access, shard = store.shards[0], evictor = new Evictor(store, null);
  const left = new Map<string, number>();
  for (let i = 0; i < 5000; i++) {
    const expiresAtMs = i % 3 === 0 ? 0 : nowMs + 1 + random.below(1_000_000);
    access.put(`k${i}`, new Uint8Array(10), { expiresAtMs });
    if (expiresAtMs !== 0) left.set(`k${i}`, expiresAtMs);
    // Bounds that are too early: the index of expiry is not told of later moments.
    if (expiresAtMs !== 0 && i % 5 === 0) {
      access.expire(`k${i}`, expiresAtMs + 500_000, nowMs);
      left.set(`k${i}`, expiresAtMs + 500_000);
    }
  }
  evictor.begin(EVICTION_POLICIES.indexOf("volatile-ttl"), nowMs, false);
  const order = [...left].sort((a, b) => a[1] - b[1]);
  let late = 0;
  for (let gone = 0; gone < 2000; gone += 100) {
    store.lockChange(shard);
    assert.equal(evictor.evict(shard, 100), 100);
    store.unlockChange(shard);
    for (const [name] of order.slice(gone, gone + 100)) {
      if (access.get(name, nowMs) !== null) late++;
    }
  }
  assert.ok(late <= 20, `${late} of 2000 were passed over`);
  checkInvariants(store);
  store.lockChange(shard);
  assert.equal(evictor.evict(shard, 5000), order.length - 2000);
  store.unlockChange(shard);
  assert.equal(store.entryCounts(0).entries, 5000 - order.length);
});

Deno.test("Evictor makes room under every policy whatever sizes come, and the store stays whole", () => {
  for (const policy of EVICTION_POLICIES) {
    if (policy === "noeviction") continue;
    const access = openStore({ shardCount: 4, maxmemoryBytes: 16 * 2 ** 20 });
    const { store } = access, random = randomFrom(11), evictor = new Evictor(store, null);
    evictor.begin(EVICTION_POLICIES.indexOf(policy), 1000, false);
    const last = new Map<string, Uint8Array>();
    for (let i = 0; i < 8000; i++) {
      const name = `key:${random.below(15_000)}`;
      const size = [10, 100, 1000, 10_000, 40_000][Math.floor(i / 400) % 5];
      const value = random.bytes(1 + random.below(size)), key = access.key(name);
      const options = { expiresAtMs: 1e6 + i };
      for (let tries = 0; !access.putKey(key, value, options); tries++) {
        assert.ok(tries < 12, `${policy}: no room for ${value.length} bytes`);
        if (tries >= 8) {
          evictor.reclaim(value.length);
          continue;
        }
        const shard = access.shardOf(key);
        store.lockChange(shard);
        evictor.makeRoom(shard, tries);
        store.unlockChange(shard);
      }
      last.set(name, value);
      if (i % 3000 === 0) checkInvariants(store);
    }
    checkInvariants(store);
    let found = 0;
    for (const [name, value] of last) {
      const stored = access.get(name, 1000);
      if (stored === null) continue;
      assert.deepEqual(stored, value, `${policy}: ${name}`);
      found++;
    }
    // The last values are large: 256 of them fill the store, and smaller ones went for their pages.
    assert.ok(found > 100 && found < last.size, `${policy}: ${found} of ${last.size}`);
    assert.ok(store.totals().evicted > 0);
  }
});

Deno.test("Evictor lets no more go than a long value needs, nor ahead of need, however long the others are", () => {
  for (const policy of EVICTION_POLICIES) {
    if (policy === "noeviction") continue;
    for (const valueBytes of [15_000, 100_000, 1_000_000]) {
      const access = openStore({ shardCount: 16, maxmemoryBytes: 32 * 2 ** 20 }),
        { store } = access;
      const value = new Uint8Array(valueBytes), evictor = new Evictor(store, null);
      let stored = 0;
      while (access.put(`k${stored}`, value, { expiresAtMs: 1e6 + stored })) stored++;
      evictor.begin(EVICTION_POLICIES.indexOf(policy), 1000, false);
      let least = stored;
      for (let i = 0; i < 40; i++) {
        for (let tries = 0; !access.put(`n${i}`, value, { expiresAtMs: 2e6 + i }); tries++) {
          assert.ok(tries < 4, `${policy}: no room for ${valueBytes} bytes`);
          assert.ok(evictor.reclaim(valueBytes));
        }
        for (const shard of store.shards) evictor.runAhead(shard);
        least = Math.min(least, store.entryCounts(0).entries);
      }
      // A tenth, for what is made ahead and of whole pages.
      const kept = `${policy}: ${least} of ${stored} entries of ${valueBytes} bytes stay`;
      assert.ok(least >= stored * 0.9 - 2, kept);
    }
  }
});

Deno.test("Evictor lets nothing go under noeviction, or for what can never fit", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 2 ** 20 }), { store } = access;
  const evictor = new Evictor(store, null), shard = store.shards[0];
  let stored = 0;
  while (access.put(`k${stored}`, new Uint8Array(1000))) stored++;
  evictor.begin(EVICTION_POLICIES.indexOf("noeviction"), 0, false);
  store.lockChange(shard);
  assert.equal(evictor.makeRoom(shard, 0), false);
  store.unlockChange(shard);
  assert.equal(evictor.reclaim(1000), false);
  evictor.begin(EVICTION_POLICIES.indexOf("allkeys-lru"), 0, false);
  assert.equal(evictor.reclaim(2 ** 21), false);
  assert.equal(store.entryCounts(0).entries, stored);
  assert.equal(evictor.reclaim(2 ** 16), true);
  assert.ok(store.entryCounts(0).entries < stored);
});
