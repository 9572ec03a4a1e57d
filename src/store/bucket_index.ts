// The index of a shard: linear hashing over buckets of one cache line; knows hashes and references only.
//
// Linear hashing (Litwin, 1980): one bucket is split for every few entries added and merged for every few
// removed, so there is no second table and no pause. Entries of a chain are packed: the first empty slot
// ends it. Primary buckets grow from the front of the region, overflow buckets from its end.
import { ADDED_AT_ONCE } from "./access_clock.ts";
import { enterWindow } from "./admission_window.ts";
import { clearBounds, mergeBound, splitBound } from "./expiry_index.ts";
import * as L from "./layout.ts";
import type { Shard } from "./shard.ts";

/** Entries per bucket (times 8) above which the table grows and below which it shrinks. */
const GROW_EIGHTHS = 36;
const SHRINK_EIGHTHS = 16;
/** A reader without lock gives up on a chain after this many buckets; it may be torn, and a ring. */
export const CHAIN_READ_MAX = 256;
/** Longer chains are counted: with a keyed hash they do not come about by chance. */
const CHAIN_LONG = 64;
const UNITS_PER_STEP = 4;
const BUCKETS_PER_STEP = 256;
/** Of the index of expiry: 8 bytes per bucket, and 1/63 of that for the levels above. */
const BOUND_UNITS_PER_STEP = 0.508;

/** Word of the first bucket of a hash's chain, of which `address` is the part that chooses buckets. */
export function bucketWord(shard: Shard, address: number): number {
  const words = shard.words;
  const mask = words[L.HIGH_MASK];
  let bucket = address & mask;
  if (bucket >= words[L.BUCKETS]) bucket &= mask >>> 1;
  return L.BUCKET_BASE + (bucket & shard.bucketMask) * L.BUCKET_WORDS;
}

/** The number of that bucket; the caller holds the lock. */
export function bucketNumber(shard: Shard, address: number): number {
  const words = shard.words, mask = words[L.HIGH_MASK], bucket = address & mask;
  return bucket < words[L.BUCKETS] ? bucket : bucket & (mask >>> 1);
}

/** Word of the bucket that continues this one's chain, 0 at its end. */
export function nextBucketWord(shard: Shard, base: number): number {
  const next = shard.buckets[base + L.BUCKET_OVERFLOW];
  return next === 0 ? 0 : L.BUCKET_BASE + (next & shard.bucketMask) * L.BUCKET_WORDS;
}

/**
 * Place of a hash among the slots of a bucket, counted from 1; 0 if it is not there. A guess where two of them are equal.
 * Six comparisons without a branch: which of them holds is not to be predicted.
 */
export function placeInBucket(buckets: Int32Array, base: number, hash: number): number {
  const a = buckets[base] ^ hash, b = buckets[base + 1] ^ hash, c = buckets[base + 2] ^ hash;
  const d = buckets[base + 3] ^ hash, e = buckets[base + 4] ^ hash, f = buckets[base + 5] ^ hash;
  return (1 & (((a - 1) & ~a) >> 31)) | (2 & (((b - 1) & ~b) >> 31)) |
    (3 & (((c - 1) & ~c) >> 31)) | (4 & (((d - 1) & ~d) >> 31)) |
    (5 & (((e - 1) & ~e) >> 31)) | (6 & (((f - 1) & ~f) >> 31));
}

/** Index into the clock array of the entry at `slot`. */
export function clockOf(slot: number): number {
  const place = (slot - L.BUCKET_BASE) & (L.BUCKET_WORDS - 1);
  return slot * 2 - place + L.BUCKET_CLOCKS;
}

/** Adds an entry where the last `find()` ended; the caller holds the lock. Grows the table afterwards. */
export function insertEntry(
  shard: Shard,
  hash: number,
  ref: number,
  stamp: number,
): void {
  const slot = shard.slot !== 0 ? shard.slot : addOverflow(shard, shard.lastBucket);
  place(shard, slot, hash, ref, stamp);
  const words = shard.words;
  words[L.ENTRIES]++;
  if ((++words[L.ADDED] & words[L.ADDED_MASK]) === 0) noteAdded(shard, hash);
  if (words[L.ENTRIES] * 8 > words[L.BUCKETS] * GROW_EIGHTHS) split(shard);
}

/** Tells the clock now and then; and each time the window, if there is one, which the mask says. */
function noteAdded(shard: Shard, hash: number): void {
  const words = shard.words;
  if (words[L.ADDED_MASK] === 0) enterWindow(shard, hash, words[L.ENTRIES]);
  if ((words[L.ADDED] & (ADDED_AT_ONCE - 1)) === 0) {
    shard.accessClock.noteAdded(words[L.ENTRIES] << shard.addressShift);
  }
}

/** Removes the entry at `slot` of the chain that starts at `first`; the caller holds the lock. */
export function removeEntry(shard: Shard, slot: number): void {
  const buckets = shard.buckets;
  const first = bucketWord(shard, buckets[slot] >>> shard.addressShift);
  let before = 0, last = first;
  for (let next = nextBucketWord(shard, last); next !== 0; next = nextBucketWord(shard, last)) {
    before = last;
    last = next;
  }
  let end = last + L.BUCKET_SLOTS - 1;
  while (end > last && buckets[end + L.BUCKET_REFS] === 0) end--;
  if (end !== slot) {
    place(shard, slot, buckets[end], buckets[end + L.BUCKET_REFS], shard.clocks[clockOf(end)]);
  }
  buckets[end] = 0;
  buckets[end + L.BUCKET_REFS] = 0;
  if (end === last && before !== 0) {
    buckets[before + L.BUCKET_OVERFLOW] = 0;
    freeOverflow(shard, last);
  }
  const words = shard.words;
  words[L.ENTRIES]--;
  if (
    words[L.BUCKETS] > L.BUCKETS_AT_START &&
    words[L.ENTRIES] * 8 < words[L.BUCKETS] * SHRINK_EIGHTHS
  ) merge(shard);
}

/** Slot of the entry that refers to `ref`, 0 if there is none. */
export function slotOfRef(shard: Shard, address: number, ref: number): number {
  for (let base = bucketWord(shard, address); base !== 0; base = nextBucketWord(shard, base)) {
    for (let slot = base; slot < base + L.BUCKET_SLOTS; slot++) {
      if (shard.buckets[slot + L.BUCKET_REFS] === ref) return slot;
    }
  }
  return 0;
}

/** Slot of the first entry with this hash, 0 if there is none; the caller holds the lock. */
export function slotOfHash(shard: Shard, hash: number): number {
  const buckets = shard.buckets;
  let base = bucketWord(shard, hash >>> shard.addressShift);
  for (; base !== 0; base = nextBucketWord(shard, base)) {
    for (let slot = base; slot < base + L.BUCKET_SLOTS; slot++) {
      if (buckets[slot + L.BUCKET_REFS] === 0) return 0;
      if (buckets[slot] === hash) return slot;
    }
  }
  return 0;
}

/** Empties the index: as at start, but for memory that was touched. */
export function clearIndex(shard: Shard): void {
  const words = shard.words, buckets = shard.buckets;
  clearBounds(shard);
  buckets.fill(0, L.BUCKET_BASE, L.BUCKET_BASE + words[L.BUCKETS] * L.BUCKET_WORDS);
  buckets.fill(0, L.BUCKET_BASE + words[L.OVERFLOW_LOW] * L.BUCKET_WORDS);
  words[L.BUCKETS] = L.BUCKETS_AT_START;
  words[L.HIGH_MASK] = L.BUCKETS_AT_START * 2 - 1;
  words[L.OVERFLOW_LOW] = shard.bucketMask + 1;
  words[L.OVERFLOW_FREE] = 0;
  words[L.OVERFLOW_USED] = 0;
  words[L.ENTRIES] = 0;
  chargeIndex(shard);
}

/** Makes the account say what the index takes; index memory is never refused, there is always enough. */
export function chargeIndex(shard: Shard): void {
  const words = shard.words;
  const overflow = shard.bucketMask + 1 - words[L.OVERFLOW_LOW];
  const primarySteps = Math.ceil(words[L.BUCKETS] / BUCKETS_PER_STEP);
  const units = (primarySteps + Math.ceil(overflow / BUCKETS_PER_STEP)) * UNITS_PER_STEP +
    (words[L.BOUNDS_USED] === 0 ? 0 : Math.ceil(primarySteps * BOUND_UNITS_PER_STEP));
  if (units !== words[L.INDEX_UNITS]) {
    shard.account.force(units - words[L.INDEX_UNITS]);
    words[L.INDEX_UNITS] = units;
  }
}

// A reverse-binary cursor (Noordhuis, for Redis): it counts from the highest bit of the mask downwards, so a
// bucket that was visited is not visited again as the two that it was split into, and none is missed.

/** The cursor after `cursor`; 0 when the round is complete. The mask is that of whole levels. */
export function nextCursor(shard: Shard, cursor: number): number {
  return cursorAfter(cursor, shard.words[L.HIGH_MASK] >>> 1);
}

/** The same for any table with that mask of whole levels. */
export function cursorAfter(cursor: number, mask: number): number {
  return reverseBits((reverseBits(cursor | ~mask) + 1) | 0);
}

/** Calls `visit` with the slot of each entry that the cursor stands for; the caller holds the lock. */
export function visitCursor(shard: Shard, cursor: number, visit: (slot: number) => void): void {
  const words = shard.words;
  const low = words[L.HIGH_MASK] >>> 1;
  const bucket = cursor & low;
  visitChain(shard, bucket, visit);
  const upper = bucket + low + 1;
  if (upper < words[L.BUCKETS]) visitChain(shard, upper, visit);
}

export function visitChain(shard: Shard, bucket: number, visit: (slot: number) => void): void {
  let base = L.BUCKET_BASE + bucket * L.BUCKET_WORDS;
  while (base !== 0) {
    const next = nextBucketWord(shard, base);
    for (let slot = base; slot < base + L.BUCKET_SLOTS; slot++) {
      if (shard.buckets[slot + L.BUCKET_REFS] === 0) return;
      visit(slot);
    }
    base = next;
  }
}

function reverseBits(value: number): number {
  value = ((value >>> 1) & 0x55555555) | ((value & 0x55555555) << 1);
  value = ((value >>> 2) & 0x33333333) | ((value & 0x33333333) << 2);
  value = ((value >>> 4) & 0x0f0f0f0f) | ((value & 0x0f0f0f0f) << 4);
  value = ((value >>> 8) & 0x00ff00ff) | ((value & 0x00ff00ff) << 8);
  return (value >>> 16) | (value << 16);
}

function place(shard: Shard, slot: number, hash: number, ref: number, clock: number): void {
  shard.buckets[slot] = hash;
  shard.buckets[slot + L.BUCKET_REFS] = ref;
  shard.clocks[clockOf(slot)] = clock;
}

function split(shard: Shard): void {
  const words = shard.words;
  const added = words[L.BUCKETS];
  if (added + 1 >= words[L.OVERFLOW_LOW]) return; // the region is full: chains grow instead
  const from = added & (words[L.HIGH_MASK] >>> 1);
  const count = takeChain(shard, from);
  // Memory that is read before it is written faults twice, and the second time makes all cores flush: an eighth of loading.
  shard.buckets[L.BUCKET_BASE + added * L.BUCKET_WORDS] = 0;
  words[L.BUCKETS] = added + 1;
  if (added === words[L.HIGH_MASK]) words[L.HIGH_MASK] = added * 2 + 1;
  putChains(shard, count);
  splitBound(shard, from, added);
  if (added % BUCKETS_PER_STEP === 0) chargeIndex(shard);
}

function merge(shard: Shard): void {
  const words = shard.words;
  const removed = words[L.BUCKETS] - 1;
  if (removed === words[L.HIGH_MASK] >>> 1) words[L.HIGH_MASK] = removed;
  const count = takeChain(shard, removed);
  words[L.BUCKETS] = removed;
  putChains(shard, count);
  mergeBound(shard, removed, removed & (words[L.HIGH_MASK] >>> 1));
  if (removed % BUCKETS_PER_STEP === 0) chargeIndex(shard);
}

// Entries on their way from one chain to another; per thread, grown to the longest chain seen.
let movedHash = new Int32Array(64);
let movedRef = new Int32Array(64);
let movedClock = new Uint16Array(64);

/** Takes all entries out of a primary bucket's chain and frees its overflow buckets; gives their number. */
function takeChain(shard: Shard, bucket: number): number {
  const buckets = shard.buckets;
  const first = L.BUCKET_BASE + bucket * L.BUCKET_WORDS;
  let count = 0, length = 0;
  for (let base = first; base !== 0; length++) {
    const next = nextBucketWord(shard, base);
    if (count + L.BUCKET_SLOTS > movedHash.length) growMoved();
    for (let slot = base; slot < base + L.BUCKET_SLOTS; slot++) {
      if (buckets[slot + L.BUCKET_REFS] === 0) break;
      movedHash[count] = buckets[slot];
      movedRef[count] = buckets[slot + L.BUCKET_REFS];
      movedClock[count] = shard.clocks[clockOf(slot)];
      count++;
    }
    buckets.fill(0, base, base + L.BUCKET_WORDS);
    if (base !== first) freeOverflow(shard, base);
    base = next;
  }
  if (length > CHAIN_LONG) shard.words[L.LONG_CHAINS]++;
  return count;
}

function putChains(shard: Shard, count: number): void {
  for (let i = 0; i < count; i++) {
    let base = bucketWord(shard, movedHash[i] >>> shard.addressShift);
    for (let next = nextBucketWord(shard, base); next !== 0; next = nextBucketWord(shard, base)) {
      base = next;
    }
    let slot = base;
    while (slot < base + L.BUCKET_SLOTS && shard.buckets[slot + L.BUCKET_REFS] !== 0) slot++;
    if (slot === base + L.BUCKET_SLOTS) slot = addOverflow(shard, base);
    place(shard, slot, movedHash[i], movedRef[i], movedClock[i]);
  }
}

function growMoved(): void {
  const hash = new Int32Array(movedHash.length * 2), ref = new Int32Array(movedHash.length * 2);
  const clock = new Uint16Array(movedHash.length * 2);
  hash.set(movedHash), ref.set(movedRef), clock.set(movedClock);
  movedHash = hash, movedRef = ref, movedClock = clock;
}

/** Chains a new bucket behind the one at `base`; gives its first slot. */
function addOverflow(shard: Shard, base: number): number {
  const words = shard.words, buckets = shard.buckets;
  let bucket = words[L.OVERFLOW_FREE];
  if (bucket !== 0) {
    words[L.OVERFLOW_FREE] = buckets[L.BUCKET_BASE + bucket * L.BUCKET_WORDS + L.BUCKET_OVERFLOW];
  } else {
    bucket = words[L.OVERFLOW_LOW] - 1;
    if (bucket < words[L.BUCKETS]) {
      throw new Error(`index of shard ${shard.number} is full: ${words[L.ENTRIES]} entries`);
    }
    words[L.OVERFLOW_LOW] = bucket;
    if ((shard.bucketMask + 1 - bucket) % BUCKETS_PER_STEP === 1) chargeIndex(shard);
  }
  words[L.OVERFLOW_USED]++;
  const added = L.BUCKET_BASE + bucket * L.BUCKET_WORDS;
  buckets[added + L.BUCKET_OVERFLOW] = 0;
  buckets[base + L.BUCKET_OVERFLOW] = bucket;
  return added;
}

/** The bucket is empty and in no chain; only its overflow word is used, for the free list. */
function freeOverflow(shard: Shard, base: number): void {
  const words = shard.words;
  shard.buckets[base + L.BUCKET_OVERFLOW] = words[L.OVERFLOW_FREE];
  words[L.OVERFLOW_FREE] = (base - L.BUCKET_BASE) / L.BUCKET_WORDS;
  words[L.OVERFLOW_USED]--;
}
