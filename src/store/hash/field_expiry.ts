// Removes fields that have expired; the caller holds the shard's lock for changes, and removes a hash that is left empty.
import type { Shard } from "../shard.ts";
import { valueBytesOf, valueStartOf } from "../record.ts";
import * as D from "./directory.ts";
import { isSparse, merge } from "./large_hash.ts";
import { nextPart, partBase, partWords } from "./part.ts";
import * as S from "./segment.ts";

/** Segments of a large hash that the sweep looks at in one go: about 100 µs if all fields in them have expired. */
const SEGMENTS_PER_SWEEP = 64;

const place = new S.FieldPlace();
/** What the last `reapSegment()` removed, in words of entries and slots. */
let reapedWords = 0;

/** Removes what has expired from a segment; gives how many fields. Its moment is then that of the next one. */
export function reapSegment(
  i32: Int32Array,
  base: number,
  capacity: number,
  nowMs: number,
): number {
  let removed = 0, earliestMs = 0;
  reapedWords = 0;
  for (let index = 0; index < S.countOf(i32, base);) {
    S.readEntry(i32, base, capacity, index, place);
    const { expiresAtMs } = place;
    if (expiresAtMs !== 0 && expiresAtMs <= nowMs) {
      reapedWords += place.entryWords + 1;
      S.removeField(i32, base, capacity, index, place);
      removed++;
      continue;
    }
    if (expiresAtMs !== 0 && (earliestMs === 0 || expiresAtMs < earliestMs)) {
      earliestMs = expiresAtMs;
    }
    index++;
  }
  S.setEarliest(i32, base, earliestMs);
  return removed;
}

/**
 * The same for a large hash, of at most `segmentsMax` segments, from where the last call ended; gives how many fields.
 * When a round over all segments is complete, the hash's moment is that of the next field; until then it stays.
 */
export function reapLarge(shard: Shard, top: number, nowMs: number, segmentsMax: number): number {
  const i32 = shard.i32, segments = i32[top + D.SEGMENTS];
  // Who removes all begins anew.
  let number = segmentsMax >= segments ? 0 : i32[top + D.REAP_AT], removed = 0;
  if (number === 0) S.setMoment(i32, top + D.REAP_EARLIEST, 0);
  for (let seen = 0; seen < segmentsMax && number < segments; seen++, number++) {
    for (let part = D.firstPart(shard, top, number); part !== 0;) {
      const base = partBase(shard, part), next = nextPart(shard, part);
      let earliestMs = S.earliestOf(i32, base);
      if (earliestMs !== 0 && earliestMs <= nowMs) {
        const count = reapSegment(i32, base, partWords(shard, part), nowMs);
        i32[top + D.FIELDS] -= count;
        i32[top + D.WORDS] -= reapedWords;
        removed += count;
        earliestMs = S.earliestOf(i32, base);
        if (S.countOf(i32, base) === 0) D.replacePart(shard, top, number, part, 0);
      }
      if (earliestMs !== 0) D.lowerReaped(shard, top, earliestMs);
      part = next;
    }
  }
  if (number >= segments) {
    S.setMoment(i32, top + D.EARLIEST, S.momentAt(i32, top + D.REAP_EARLIEST));
    number = 0;
  }
  i32[top + D.REAP_AT] = number;
  return removed;
}

/** No field of the record's hash expires before this moment; 0: none does. Without lock too. */
export function earliestFieldMs(shard: Shard, ref: number): number {
  const top = valueStartOf(shard, ref) >>> 2;
  return D.isDirectory(shard, ref)
    ? S.momentAt(shard.i32, top + D.EARLIEST)
    : S.earliestOf(shard.i32, top);
}

/**
 * What the sweep does with a hash whose moment has passed: removes a bounded number of expired fields. Gives how many;
 * see `hasFields()`, and for the rest `earliestFieldMs()`, which has passed still while there are more.
 */
export function sweepFields(shard: Shard, ref: number, ownerHash: number, nowMs: number): number {
  const top = valueStartOf(shard, ref) >>> 2;
  if (!D.isDirectory(shard, ref)) {
    return reapSegment(shard.i32, top, valueBytesOf(shard, ref) >>> 2, nowMs);
  }
  const removed = reapLarge(shard, top, nowMs, SEGMENTS_PER_SWEEP);
  for (let steps = 0; steps < SEGMENTS_PER_SWEEP && isSparse(shard, top); steps++) {
    merge(shard, top, ownerHash);
  }
  return removed;
}

export function hasFields(shard: Shard, ref: number): boolean {
  const top = valueStartOf(shard, ref) >>> 2, i32 = shard.i32;
  return (D.isDirectory(shard, ref) ? i32[top + D.FIELDS] : S.countOf(i32, top)) > 0;
}
