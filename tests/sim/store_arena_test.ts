// The arena: memory moves between size classes, nothing is stranded, the limit is the limit.
// It measures pages in use, not what the system has given: touched memory is never returned.
import assert from "node:assert/strict";
import * as L from "../../src/store/layout.ts";
import { openStore, randomFrom, type StoreAccess } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";

const MIB = 2 ** 20;

function fill(access: StoreAccess, count: number, bytes: number, prefix: string): void {
  const value = new Uint8Array(bytes).fill(0x61);
  for (let i = 0; i < count; i++) assert.ok(access.put(prefix + i, value), `${prefix}${i}`);
}

/** Puts until refused; gives how many. */
function fillToLimit(access: StoreAccess, bytes: number, prefix: string): number {
  const value = new Uint8Array(bytes).fill(0x62);
  for (let i = 0; i < 1_000_000; i++) if (!access.put(prefix + i, value)) return i;
  throw new Error("no limit met");
}

function removeAll(access: StoreAccess, count: number, prefix: string): void {
  for (let i = 0; i < count; i++) assert.ok(access.remove(prefix + i));
}

/** Fills with one size, removes a random half, refills with another: pages used, against a fresh fill. */
function refillRatio(count: number, before: number, after: number): number {
  const options = { shardCount: 1, maxmemoryBytes: 128 * MIB };
  const changed = openStore(options), fresh = openStore(options), random = randomFrom(before);
  fill(changed, count, before, "key-");
  const kept: number[] = [];
  for (let i = 0; i < count; i++) {
    if (random.below(2) === 0) assert.ok(changed.remove(`key-${i}`));
    else kept.push(i);
  }
  fill(changed, count - kept.length, after, "new-");
  for (const i of kept) assert.ok(fresh.put(`key-${i}`, new Uint8Array(before)));
  fill(fresh, count - kept.length, after, "new-");
  checkInvariants(changed.store);
  assert.ok(changed.store.totals().recordsMoved > 0, "no record was moved");
  return changed.store.totals().pageBytes / fresh.store.totals().pageBytes;
}

Deno.test("pages move between classes when half of 200,000 values of 64 bytes become 100 bytes", () => {
  const ratio = refillRatio(200_000, 64, 100);
  assert.ok(ratio <= 1.25, `${ratio.toFixed(3)} times what fresh filling takes`);
});

Deno.test("pages move between classes for other pairs of sizes", () => {
  for (
    const [count, before, after] of [[60_000, 100, 64], [80_000, 8, 40], [3_000, 4_000, 3_000]]
  ) {
    const ratio = refillRatio(count, before, after);
    assert.ok(ratio <= 1.25, `${before} to ${after} bytes: ${ratio.toFixed(3)} times a fresh fill`);
  }
});

Deno.test("the account strands nothing when all values change their size", () => {
  const options = { shardCount: 2, maxmemoryBytes: 8 * MIB };
  const sizes = [64, 1_000, 16_384, 100, 40_000, 300];
  const access = openStore(options);
  for (const bytes of sizes) {
    const stored = fillToLimit(access, bytes, "key-");
    const fresh = fillToLimit(openStore(options), bytes, "key-");
    assert.ok(stored >= fresh * 0.9, `${bytes} bytes: ${stored} entries, ${fresh} when fresh`);
    checkInvariants(access.store);
    removeAll(access, stored, "key-");
    const census = checkInvariants(access.store);
    assert.equal(census.slabPages, 0, "a page without records is free");
    assert.equal(access.store.totals().usedBytes, census.indexBytes);
  }
});

Deno.test("a put that is refused changes nothing, and removing one makes room for one", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 4 * MIB });
  const stored = fillToLimit(access, 1_000, "key-"), used = access.store.account.usedBytes;
  assert.ok(used <= 4 * MIB, `${used} bytes used`);
  for (const bytes of [1_000, 9_000, 20_000, 500_000]) {
    assert.equal(access.put("key-3", new Uint8Array(bytes)), bytes === 1_000, `${bytes} bytes`);
    assert.equal(access.put("other", new Uint8Array(bytes)), false);
    assert.equal(access.append("key-4", new Uint8Array(bytes + 500)), false);
    assert.equal(access.get("key-4")?.length, 1_000);
    assert.equal(access.get("other"), null);
    assert.equal(access.store.account.usedBytes, used);
  }
  checkInvariants(access.store);
  assert.equal(access.store.entryCounts(0).entries, stored);
  assert.ok(access.remove("key-5"));
  assert.ok(access.put("other", new Uint8Array(1_000)));
  checkInvariants(access.store);
});

Deno.test("a lower limit refuses and a higher one lets go on", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 4 * MIB });
  const stored = fillToLimit(access, 500, "a-");
  access.store.account.limitBytes = 2 * MIB;
  removeAll(access, 100, "a-");
  assert.equal(access.put("b", new Uint8Array(30_000)), false);
  access.store.account.limitBytes = 5 * MIB;
  assert.ok(fillToLimit(access, 30_000, "b-") > 5);
  assert.equal(access.store.entryCounts(0).entries > stored - 100, true);
  checkInvariants(access.store);
});

Deno.test("every slot of the arena's last page can be found again", () => {
  // Slots of 24 and 32 bytes reach to the page's end, where references leave the mask's power of two.
  for (const valueBytes of [0, 8]) {
    const access = openStore({ shardCount: 1, maxmemoryBytes: 4 * MIB, maxValueBytes: 0 });
    access.store.account.limitBytes = 8 * MIB;
    const [shard] = access.store.shards;
    const name = valueBytes === 0 ? "b" : "block"; // its record lies in a slot of the same class
    assert.ok(access.put(name, new Uint8Array((shard.pageCount - 1) * L.PAGE_BYTES)));
    const stored = fillToLimit(access, valueBytes, "");
    assert.equal(shard.words[L.PAGE_BUMP], shard.pageCount, "the arena itself is full");
    assert.ok(stored >= 2_000, `${stored} stored`);
    for (let i = 0; i < stored; i++) {
      assert.ok(access.get(`${i}`) !== null, `key ${i} of ${stored}`);
    }
    checkInvariants(access.store);
  }
});

Deno.test("a page is emptied to the end although most of its slots are looked at in vain", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 32 * MIB });
  const count = 60_000;
  fill(access, count, 4, "");
  // One in ten stays: pages of 24-byte slots with long runs of free ones.
  for (let i = 0; i < count; i++) if (i % 10 !== 0) access.remove(`${i}`);
  const sparse = checkInvariants(access.store).slabPages;
  fill(access, 20_000, 100, "new-");
  for (let i = 0; i < 20_000; i++) access.remove(`new-${i}`);
  for (let rounds = 0; rounds < 4_000; rounds++) access.put("one", new Uint8Array(50 + rounds % 2));
  const census = checkInvariants(access.store);
  assert.ok(census.slabPages <= sparse * 0.4, `${census.slabPages} of ${sparse} pages are left`);
  for (let i = 0; i < count; i += 10) assert.equal(access.get(`${i}`)?.length, 4);
});

Deno.test("evacuation ends well when the other pages of the class fill up meanwhile", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 8 * MIB });
  const random = randomFrom(31), live: string[] = [];
  let made = 0;
  const add = (count: number, bytes: number) => {
    for (let i = 0; i < count; i++) {
      if (access.put(`${++made}`, new Uint8Array(bytes))) live.push(`${made}`);
    }
  };
  add(9_000, 200);
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 3_000 && live.length > 0; i++) {
      const at = random.below(live.length);
      assert.ok(access.remove(live[at]));
      live[at] = live[live.length - 1];
      live.pop();
    }
    // New pages of another class begin evacuations, then every hole of the first one is filled.
    add(60, 700 + round * 20);
    checkInvariants(access.store);
    add(2_900, 200);
    checkInvariants(access.store);
  }
  assert.ok(access.store.totals().recordsMoved > 100, `${access.store.totals().recordsMoved}`);
  assert.equal(access.store.entryCounts(0).entries, live.length);
  for (const name of live) assert.ok(access.get(name) !== null, name);
});

Deno.test("reclaim() closes holes until values of another size fit as in a fresh store", () => {
  const options = { shardCount: 2, maxmemoryBytes: 8 * MIB };
  for (const [before, after] of [[64, 100], [4_000, 700], [200, 3_000], [100, 30_000]]) {
    const access = openStore(options), fresh = openStore(options), random = randomFrom(after);
    const stored = fillToLimit(access, before, "key-");
    let kept = 0;
    for (let i = 0; i < stored; i++) {
      if (random.below(2) === 0) assert.ok(access.remove(`key-${i}`));
      else kept++, assert.ok(fresh.put(`key-${i}`, new Uint8Array(before)));
    }
    let count = 0, rounds = 0;
    do count += fillToLimit(access, after, `new-${rounds}-`); while (
      access.store.reclaim(0) && ++rounds < 10_000
    );
    const expected = fillToLimit(fresh, after, "new-0-");
    checkInvariants(access.store);
    assert.equal(access.store.entryCounts(0).entries, kept + count);
    assert.ok(count >= expected * 0.75, `${before} to ${after}: ${count} of ${expected} fit`);
  }
});
