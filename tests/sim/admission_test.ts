// Admission by TinyLFU: the store against an exact W-TinyLFU on the same traces, and what it does when it is switched.
import assert from "node:assert/strict";
import { EVICTION_POLICIES, type EvictionPolicy } from "../../src/eviction_policies.ts";
import { accessStamp, Evictor } from "../../src/store/store.ts";
import { hitRatio, plainTinyLfu } from "../support/plain_caches.ts";
import { openStore } from "../support/store_access.ts";
import { storeCache } from "../support/store_cache.ts";
import { checkInvariants } from "../support/store_invariants.ts";
import { scanTrace, shiftingTrace, zipfTrace } from "../support/traces.ts";

const OPTIONS = { keys: 30_000, length: 150_000, seed: 20_261_121 };
const TRACES = {
  "Zipf 0.8": zipfTrace(0.8, OPTIONS),
  "Zipf 1.0": zipfTrace(1, OPTIONS),
  "Zipf 1.0 with scans": scanTrace(1, OPTIONS),
  "Zipf 0.8 that shifts": shiftingTrace(0.8, OPTIONS),
};

Deno.test("Evictor with admission comes within 1 point of an exact W-TinyLFU under allkeys-lru and volatile-lru, or is better", () => {
  for (const [policy, capacity] of [["allkeys-lru", 3000], ["volatile-lru", 300]] as const) {
    for (const [name, trace] of Object.entries(TRACES)) {
      const { use, access } = storeCache(policy, capacity, true);
      const ratio = hitRatio(use, trace) * 100;
      const exact = hitRatio(plainTinyLfu(capacity), trace) * 100;
      checkInvariants(access.store);
      assert.ok(ratio >= exact - 1, `${policy}, ${capacity}, ${name}: ${ratio}, exact ${exact}`);
    }
  }
});

Deno.test("Evictor with admission keeps more than without it where many keys are used once, under every policy by use", () => {
  const trace = TRACES["Zipf 1.0 with scans"].subarray(0, 60_000);
  for (const policy of ["allkeys-lru", "allkeys-lfu", "allkeys-sieve", "allkeys-random"] as const) {
    const { use, access } = storeCache(policy, 1000, true);
    const ratio = hitRatio(use, trace), without = hitRatio(storeCache(policy, 1000).use, trace);
    assert.ok(ratio > without, `${policy}: ${ratio}, without ${without}`);
    const { evicted, rejected, admitted, admissionBytes } = access.store.totals();
    assert.ok(rejected > 0 && admitted > 0 && rejected + admitted <= evicted);
    assert.ok(admissionBytes > 0);
  }
});

/** A full store of one shard, and what stores a key in it and lets entries go for that. */
function fullStore(policy: EvictionPolicy, expiresAtMs: (key: number) => number) {
  const access = openStore({ shardCount: 1 }), { store } = access, shard = store.shards[0];
  const evictor = new Evictor(store, null), number = EVICTION_POLICIES.indexOf(policy);
  const put = (key: number, isAdmitting: boolean) => {
    evictor.begin(number, 1000, isAdmitting);
    store.lockChange(shard);
    const removed = shard.words[4] >= 2000 ? evictor.evict(shard, 1) : 0;
    store.unlockChange(shard);
    const clock = accessStamp(isAdmitting ? 3 : 0, store.accessClock.tick, isAdmitting);
    assert.ok(access.put(`k${key}`, new Uint8Array(10), { expiresAtMs: expiresAtMs(key), clock }));
    return removed;
  };
  const use = (key: number) => {
    const clock = accessStamp(3, store.accessClock.tick, true);
    return access.getKey(access.key(`k${key}`), 1000, clock) !== null;
  };
  return { access, store, shard, put, use };
}

Deno.test("contest() lets keys that expire go alone under volatile policies, and what has expired first", () => {
  const { access, store, put } = fullStore("volatile-lru", (key) => key % 2 === 0 ? 0 : 1e6);
  for (let key = 0; key < 6000; key++) put(key, true);
  for (let key = 0; key < 6000; key += 2) {
    assert.notEqual(access.get(`k${key}`, 1000), null, `key ${key} has no end`);
  }
  checkInvariants(store);
});

Deno.test("setAdmitting() begins and ends the counting of uses while the store is full, and nothing else changes", () => {
  const { access, store, put, use } = fullStore("allkeys-lru", () => 0);
  for (let key = 0; key < 3000; key++) put(key, false);
  assert.equal(store.totals().rejected, 0);
  assert.equal(store.totals().admissionBytes, 0);
  const kept = Array.from({ length: 3000 }, (_, key) => key).filter((key) =>
    access.get(`k${key}`, 1000) !== null
  );
  for (let round = 0; round < 4; round++) {
    for (const key of kept) use(key);
    // Time goes on with what is added: uses within one tick count once.
    for (let key = 0; key < 40; key++) put(100_000 + round * 40 + key, true);
  }
  for (let key = 10_000; key < 20_000; key++) put(key, true);
  const { rejected, evicted } = store.totals();
  assert.ok(rejected > 9000, `${rejected} of 10,000 that were used once were refused`);
  const left = kept.filter((key) => access.get(`k${key}`, 1000) !== null).length;
  assert.ok(left > kept.length * 0.75, `${left} of ${kept.length} that were used are left`);
  for (let key = 20_000; key < 24_000; key++) put(key, false);
  assert.equal(store.totals().rejected, rejected);
  assert.equal(store.totals().evicted, evicted + 4000);
  const stayed = kept.filter((key) => access.get(`k${key}`, 1000) !== null).length;
  assert.ok(stayed < kept.length * 0.1, `${stayed} are left after a turnover without admission`);
  checkInvariants(store);
  // FLUSHALL leaves hashes of entries in the window that are gone.
  for (let key = 0; key < 3000; key++) put(key, true);
  store.flush(-1);
  for (let key = 0; key < 5000; key++) put(key, true);
  assert.equal(store.entryCounts(0).entries, 2000);
  checkInvariants(store);
});
