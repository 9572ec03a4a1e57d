// Records as they lie in the arena: finding one by its key, and reading what its header says.
//
// Everything here may run without the lock. What it reads may then be torn, so each length and reference is
// copied once and masked into the view before it is used; the caller checks the sequence afterwards.
import { bucketWord, CHAIN_READ_MAX, nextBucketWord } from "./bucket_index.ts";
import * as L from "./layout.ts";
import type { Shard } from "./shard.ts";

/**
 * The reference of the record with this key, 0 if there is none, expired or not. Sets `shard.slot` (and, when
 * nothing was found, `shard.lastBucket`). `view` is readable to 3 bytes past `end`.
 */
export function findRecord(
  shard: Shard,
  hash: number,
  database: number,
  view: DataView,
  start: number,
  end: number,
): number {
  const buckets = shard.buckets;
  const name = ((end - start) << L.KEY_SHIFT) | (database << L.DATABASE_SHIFT);
  let base = bucketWord(shard, hash >>> shard.addressShift);
  for (let length = 0; length < CHAIN_READ_MAX; length++) {
    for (let slot = base; slot < base + L.BUCKET_SLOTS; slot++) {
      const ref = buckets[slot + L.BUCKET_REFS];
      if (ref === 0) {
        shard.slot = slot;
        shard.lastBucket = base;
        return 0;
      }
      if (buckets[slot] === hash && isNamed(shard, ref, name, view, start, end)) {
        shard.slot = slot;
        return ref & shard.unitMask;
      }
    }
    const next = nextBucketWord(shard, base);
    if (next === 0) break;
    base = next;
  }
  shard.slot = 0;
  shard.lastBucket = base;
  return 0;
}

/**
 * `findRecord()` that first looks where look-ahead saw an entry with this hash (0: nowhere); it may have moved
 * since. Slots that entries have left are zero, so an entry with the key's name found there is the key's.
 */
export function findHinted(
  shard: Shard,
  hash: number,
  database: number,
  view: DataView,
  start: number,
  end: number,
  slotHint: number,
): number {
  if (slotHint !== 0 && shard.buckets[slotHint] === hash) {
    const ref = shard.buckets[slotHint + L.BUCKET_REFS] & shard.unitMask;
    const name = ((end - start) << L.KEY_SHIFT) | (database << L.DATABASE_SHIFT);
    if (ref !== 0 && isNamed(shard, ref, name, view, start, end)) {
      shard.slot = slotHint;
      return ref;
    }
  }
  return findRecord(shard, hash, database, view, start, end);
}

/**
 * The reference of the record with this key if look-ahead saw it at `slotHint` and it holds a value of that type which
 * lies in it, expired or not: nearly always. Sets `shard.valueStart` to the value's first byte. 0 if it has to be
 * searched. One loop and no call, because GET and SET are hardly more than this (80 and 60 of 400 ns).
 */
export function hintedRecord(
  shard: Shard,
  hash: number,
  database: number,
  view: DataView,
  start: number,
  end: number,
  slotHint: number,
  type: number,
): number {
  const buckets = shard.buckets;
  if (slotHint === 0 || buckets[slotHint] !== hash) return 0;
  const i32 = shard.i32, ref = buckets[slotHint + L.BUCKET_REFS] & shard.unitMask;
  let word = ref * 2;
  // With another name, another type or a flag it is another head.
  const head = ((end - start) << L.KEY_SHIFT) | (database << L.DATABASE_SHIFT) | type;
  const found = i32[word];
  if (found !== head) {
    if (found !== (head | L.FLAG_EXPIRY)) return 0;
    word += L.EXPIRY_BYTES / 4;
  }
  word += L.RECORD_HEADER_WORDS;
  const whole = end - 3;
  for (; start < whole; start += 4, word++) {
    if (i32[word] !== view.getInt32(start, true)) return 0;
  }
  if (start !== end) {
    if (i32[word] !== (view.getInt32(start, true) & ((1 << ((end - start) << 3)) - 1))) return 0;
    word++;
  }
  shard.valueStart = word * 4;
  return ref;
}

/** Whether the record has this name (length and database as in its first word) and these key bytes. */
export function isNamed(
  shard: Shard,
  ref: number,
  name: number,
  view: DataView,
  start: number,
  end: number,
): boolean {
  const i32 = shard.i32;
  let word = (ref & shard.unitMask) * 2;
  const head = i32[word];
  if ((head & L.KEY_NAME_MASK) !== name) return false;
  word += L.RECORD_HEADER_WORDS + expiryWords(head);
  const whole = end - 3;
  for (; start < whole; start += 4, word++) {
    if (i32[word] !== view.getInt32(start, true)) return false;
  }
  if (start === end) return true;
  return i32[word] === (view.getInt32(start, true) & ((1 << ((end - start) << 3)) - 1));
}

/** Type of the record (0: it is a free slot, so what led here was torn). */
export function typeOf(shard: Shard, ref: number): number {
  return shard.i32[ref * 2] & L.TYPE_MASK;
}

export function isBlock(shard: Shard, ref: number): boolean {
  return (shard.i32[ref * 2] & L.FLAG_BLOCK) !== 0;
}

/** Whether its value lies compressed in it (see `compressed.ts`). */
export function isCompressed(shard: Shard, ref: number): boolean {
  return (shard.i32[ref * 2] & L.FLAG_COMPRESSED) !== 0;
}

/** Whether the value is anything but bytes that lie in the record. */
export function isElsewhere(shard: Shard, ref: number): boolean {
  return (shard.i32[ref * 2] & L.FLAGS_ELSEWHERE) !== 0;
}

/** The moment it expires, in ms since 1970; 0 for never. */
export function expiresAtMsOf(shard: Shard, ref: number): number {
  return hasExpiry(shard, ref) ? shard.f64[ref + 1] : 0;
}

/** Whether it has room for a moment at which it expires; that may be 0. */
export function hasExpiry(shard: Shard, ref: number): boolean {
  return (shard.i32[ref * 2] & L.FLAG_EXPIRY) !== 0;
}

export function isExpired(shard: Shard, ref: number, nowMs: number): boolean {
  if (!hasExpiry(shard, ref)) return false;
  const expiresAtMs = shard.f64[ref + 1];
  return expiresAtMs <= nowMs && expiresAtMs !== 0;
}

/** Words by which a key lies further back, by the record's first word. */
function expiryWords(head: number): number {
  return (head & L.FLAG_EXPIRY) >> L.EXPIRY_TO_WORDS;
}

/** Bytes before the key. */
export function headerBytesOf(shard: Shard, ref: number): number {
  return L.RECORD_HEADER_BYTES + ((shard.i32[ref * 2] & L.FLAG_EXPIRY) >> L.EXPIRY_TO_BYTES);
}

/** Length of the value in bytes, blocks included; never negative. */
export function valueBytesOf(shard: Shard, ref: number): number {
  return shard.i32[ref * 2 + 1] & 0x7fffffff;
}

/** First byte of the value that lies in the record: a multiple of 4. */
export function valueStartOf(shard: Shard, ref: number): number {
  const head = shard.i32[ref * 2], keyBytes = head >>> L.KEY_SHIFT;
  return ref * 8 + L.RECORD_HEADER_BYTES + ((head & L.FLAG_EXPIRY) >> L.EXPIRY_TO_BYTES) +
    ((keyBytes + 3) & ~3);
}

/** First byte and length of the key. */
export function keyStartOf(shard: Shard, ref: number): number {
  return ref * 8 + headerBytesOf(shard, ref);
}

export function keyBytesOf(shard: Shard, ref: number): number {
  return shard.i32[ref * 2] >>> L.KEY_SHIFT;
}

export function databaseOf(shard: Shard, ref: number): number {
  return (shard.i32[ref * 2] >>> L.DATABASE_SHIFT) & 15;
}

/** First page of a block's chain; under the lock only. */
export function blockPageOf(shard: Shard, ref: number): number {
  return shard.i32[valueStartOf(shard, ref) >>> 2] - 1;
}

/** Units that a record takes whose value of `valueBytes` lies in it, with room for its expiry or without. */
export function recordUnits(keyBytes: number, valueBytes: number, expires: boolean): number {
  const headerBytes = expires ? L.RECORD_HEADER_BYTES + L.EXPIRY_BYTES : L.RECORD_HEADER_BYTES;
  return (headerBytes + ((keyBytes + 3) & ~3) + valueBytes + 7) >>> 3;
}
