// The checker of invariants itself: each kind of damage, done by hand, must turn it red.
import assert from "node:assert/strict";
import * as L from "../../src/store/layout.ts";
import type { Shard } from "../../src/store/store.ts";
import { openStore, type StoreAccess } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";

function filled(): StoreAccess {
  const access = openStore({ shardCount: 1 });
  for (let i = 0; i < 3_000; i++) {
    access.put(`key-${i}`, new Uint8Array(20 + i % 50), { database: i % 3, expiresAtMs: i % 2 });
  }
  for (let i = 0; i < 500; i++) access.remove(`key-${i * 3}`, 0, 0);
  access.put("block", new Uint8Array(200_000));
  access.put("gone", new Uint8Array(200_000));
  access.remove("gone");
  return access;
}

/** Word of the first entry in the index. */
function firstSlot(shard: Shard): number {
  let slot = L.BUCKET_BASE;
  while (shard.buckets[slot + L.BUCKET_REFS] === 0) slot += L.BUCKET_WORDS;
  return slot;
}

const DAMAGE: readonly [string, (shard: Shard) => void, RegExp][] = [
  ["a held lock", (shard) => shard.words[L.LOCK] |= 1, /lock/],
  ["a counter of entries", (shard) => shard.words[L.ENTRIES]++, /entries: /],
  ["a database's count", (shard) => shard.words[L.DB_ENTRIES + 2]--, /database 2/],
  ["a database's expiring", (shard) => shard.words[L.DB_EXPIRING]++, /expiring of database 0/],
  ["slab pages", (shard) => shard.words[L.SLAB_PAGES]++, /slab pages/],
  ["free slot units", (shard) => shard.words[L.FREE_SLOT_UNITS]--, /free slot units/],
  ["pages used", (shard) => shard.words[L.PAGES_USED]++, /pages used/],
  ["the account", (shard) => shard.account.force(1), /the account says/],
  ["index units", (shard) => shard.words[L.INDEX_UNITS]++, /index units/],
  ["a lost page", (shard) => {
    shard.words[L.PAGE_FREE] =
      shard.pages[(shard.words[L.PAGE_FREE] - 1) * L.PAGE_WORDS + L.PAGE_NEXT];
    shard.words[L.PAGES_USED]++;
  }, /is lost/],
  ["a page that is free and used", (shard) => shard.words[L.PAGE_FREE] = 1, /kind of free page 0/],
  ["a class's list", (shard) => {
    const at = L.CLASS_HEADS +
      [...shard.words.subarray(L.CLASS_HEADS)].findIndex((head) => head !== 0);
    shard.words[at] = 0;
  }, /times in its class's list/],
  ["live slots", (shard) => shard.pages[L.PAGE_LIVE]++, /live slots/],
  ["a hash", (shard) => shard.buckets[firstSlot(shard)] ^= 0x10000, /hash/],
  ["two entries for a record", (shard) => {
    const slot = firstSlot(shard);
    shard.buckets[slot + L.BUCKET_REFS + 1] = shard.buckets[slot + L.BUCKET_REFS];
  }, /two entries|not live|no index entry/],
  ["an entry that was lost", (shard) => {
    const slot = firstSlot(shard);
    shard.buckets[slot + L.BUCKET_REFS] = 0;
    shard.buckets.fill(0, slot + L.BUCKET_REFS, slot + L.BUCKET_REFS + L.BUCKET_SLOTS);
    shard.buckets[slot + L.BUCKET_OVERFLOW] = 0;
  }, /entries of database|overflow/],
  ["a bound that is later than an entry's expiry", (shard) => {
    const bucket = shard.bounds.findIndex((bound) => bound !== 0);
    shard.bounds[bucket] = shard.bounds[bucket] * 2;
  }, /with bound/],
  ["a bound that is later than what lies below it", (shard) => {
    shard.bounds[shard.boundsSecond] = 2;
  }, /over/],
  ["a hole in a chain", (shard) => {
    let slot = L.BUCKET_BASE;
    while (shard.buckets[slot + L.BUCKET_REFS + 1] === 0) slot += L.BUCKET_WORDS;
    shard.buckets[slot + L.BUCKET_REFS] = 0;
  }, /hole/],
  ["a free slot that is not marked", (shard) => {
    let page = 0;
    while (shard.pages[page * L.PAGE_WORDS] <= 0 || !shard.pages[page * L.PAGE_WORDS + 2]) page++;
    shard.i32[shard.pages[page * L.PAGE_WORDS + L.PAGE_SLOTS] * 2] = 1;
  }, /first word of free slot/],
  ["a value's length", (shard) => {
    const ref = shard.buckets[firstSlot(shard) + L.BUCKET_REFS];
    shard.i32[ref * 2 + 1] += 8_000;
  }, /class for/],
  ["a pin", (shard) => shard.words[L.PINNED]++, /pinned/],
  ["the round of a block", (shard) => {
    let page = 0;
    while (shard.pages[page * L.PAGE_WORDS] !== L.KIND_BLOCK) page++;
    shard.pages[page * L.PAGE_WORDS + L.PAGE_LIVE]++;
  }, /block of page \d+: pages/],
  ["a block that no record refers to", (shard) => {
    let page = 0;
    while (shard.pages[page * L.PAGE_WORDS] !== L.KIND_BLOCK) page++;
    shard.pages[page * L.PAGE_WORDS + L.PAGE_SLOTS] = L.BLOCK_STAGED;
  }, /no linked block/],
  ["a page used before its time", (shard) => {
    shard.pages[shard.words[L.PAGE_BUMP] * L.PAGE_WORDS] = 1;
  }, /never used/],
];

Deno.test("checkInvariants() accepts a store that was filled and thinned out", () => {
  const census = checkInvariants(filled().store);
  assert.equal(census.entries, 2_501);
  assert.ok(census.freeSlotBytes > 0 && census.freePageBytes > 0 && census.blockBytes > 0);
});

for (const [what, damage, expected] of DAMAGE) {
  Deno.test(`checkInvariants() throws over ${what}`, () => {
    const { store } = filled();
    checkInvariants(store);
    damage(store.shards[0]);
    assert.throws(() => checkInvariants(store), expected);
  });
}
