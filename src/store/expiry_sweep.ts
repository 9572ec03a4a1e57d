// Removes what has expired, found by the index of expiry; the caller holds the shard's lock for changes.
//
// The log is told of none of it: an entry that comes to life again is logged whole, and what is loaded is dropped if
// it has expired by then.
import { bucketNumber, nextBucketWord, slotOfRef } from "./bucket_index.ts";
import { removeAt } from "./entries.ts";
import { lowerBound, takeDueBucket } from "./expiry_index.ts";
import { earliestFieldMs, hasFields, sweepFields } from "./hash/field_expiry.ts";
import * as L from "./layout.ts";
import { expiresAtMsOf, typeOf } from "./record.ts";
import type { Shard } from "./shard.ts";
import { noteChange } from "./watch_table.ts";

// Entries of buckets that are due; per thread, grown to the longest run seen.
let dueHash = new Int32Array(128);
let dueRef = new Int32Array(128);

/**
 * Removes entries of buckets that are due, until `entriesMax` entries were looked at or no bucket is left. Gives the
 * number removed, fields of hashes that stay too; `shard.lateMs` is then how long ago the first of them had expired.
 */
export function sweepExpired(shard: Shard, entriesMax: number, nowMs: number): number {
  let count = 0;
  while (count < entriesMax) {
    const bucket = takeDueBucket(shard, nowMs);
    if (bucket < 0) break;
    count = gather(shard, bucket, count);
  }
  let due = 0, earliestMs = nowMs, fields = 0;
  // In a loop of its own, so that the loads of many records are under way at once.
  for (let i = 0; i < count; i++) {
    const hash = dueHash[i], ref = dueRef[i], expiresAtMs = expiresAtMsOf(shard, ref);
    const isLate = expiresAtMs !== 0 && expiresAtMs <= nowMs;
    if (!isLate) {
      if (expiresAtMs !== 0) keepBound(shard, hash, expiresAtMs);
      if (typeOf(shard, ref) !== L.TYPE_HASH) continue;
      const fieldMs = earliestFieldMs(shard, ref);
      if (fieldMs === 0) continue;
      if (fieldMs > nowMs) {
        keepBound(shard, hash, fieldMs);
        continue;
      }
      if (fieldMs < earliestMs) earliestMs = fieldMs;
      fields += sweepHash(shard, ref, hash, nowMs);
      if (hasFields(shard, ref)) continue;
    }
    if (isLate && expiresAtMs < earliestMs) earliestMs = expiresAtMs;
    dueHash[due] = hash;
    dueRef[due++] = ref;
  }
  for (let i = 0; i < due; i++) {
    removeAt(shard, slotOfRef(shard, dueHash[i] >>> shard.addressShift, dueRef[i]), dueRef[i]);
  }
  shard.words[L.EXPIRED_COUNT] += due;
  shard.lateMs = nowMs - earliestMs;
  return due + fields;
}

/** Removes fields that have expired, as many as may go at once; the others keep the bound early enough. */
function sweepHash(shard: Shard, ref: number, hash: number, nowMs: number): number {
  const removed = sweepFields(shard, ref, hash, nowMs), earliestMs = earliestFieldMs(shard, ref);
  if (earliestMs !== 0) keepBound(shard, hash, earliestMs);
  if (removed > 0 && shard.words[L.WATCHES] !== 0) noteChange(shard, hash);
  return removed;
}

/** The bound of the entry's bucket was taken: it is to be early enough for what stays. */
function keepBound(shard: Shard, hash: number, expiresAtMs: number): void {
  lowerBound(shard, bucketNumber(shard, hash >>> shard.addressShift), expiresAtMs);
}

/** Notes the entries of a bucket's chain behind the `count` that are noted; gives their number then. */
function gather(shard: Shard, bucket: number, count: number): number {
  const buckets = shard.buckets;
  for (let base = L.BUCKET_BASE + bucket * L.BUCKET_WORDS; base !== 0;) {
    if (count + L.BUCKET_SLOTS > dueHash.length) growDue();
    for (let slot = base; slot < base + L.BUCKET_SLOTS; slot++) {
      const ref = buckets[slot + L.BUCKET_REFS];
      if (ref === 0) return count;
      dueHash[count] = buckets[slot];
      dueRef[count++] = ref;
    }
    base = nextBucketWord(shard, base);
  }
  return count;
}

function growDue(): void {
  const hash = new Int32Array(dueHash.length * 2), ref = new Int32Array(dueHash.length * 2);
  hash.set(dueHash), ref.set(dueRef);
  dueHash = hash, dueRef = ref;
}
