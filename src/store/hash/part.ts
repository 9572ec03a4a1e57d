// Parts of large hashes: slots of the arena that no entry refers to, with words that lead back to their owner.
//
//   word 0   hash of the owner's key
//   word 1   number of the segment; of a leaf of the directory, −1 less its number
//   word 2   of a segment: the part that goes on with it, 0 for none
//   then the segment, or the leaf's references
// The caller holds the shard's lock for changes, but where it says otherwise.
import { allocateSlot, countFreeSlots, reuseSlot, slotUnits } from "../arena.ts";
import * as L from "../layout.ts";
import { recordUnits, valueBytesOf, valueStartOf } from "../record.ts";
import type { Shard } from "../shard.ts";

const OWNER = 0;
const NUMBER = 1;
const NEXT = 2;
const PART_HEAD_WORDS = 3;
/** Words of a segment that lies in a part, at most. */
export const PART_WORDS_MAX = L.INLINE_VALUE_BYTES_MAX / 4 - PART_HEAD_WORDS;

/** The longest slot of a part. */
const PART_UNITS_MAX = (L.RECORD_HEADER_BYTES + L.INLINE_VALUE_BYTES_MAX) >>> 3;

/**
 * Makes a part with about `words` words for the caller, who fills them; where no page is to be had for them, with at
 * least `leastWords`, in a slot that is free, however long: what is left of it is for the next fields. 0 if there is no
 * memory.
 */
export function makePart(
  shard: Shard,
  ownerHash: number,
  number: number,
  words: number,
  leastWords: number,
): number {
  const units = unitsFor(words);
  let ref = allocateSlot(shard, units);
  if (ref === 0) ref = reuseSlot(shard, units, unitsFor(leastWords), PART_UNITS_MAX);
  if (ref === 0) return 0;
  const i32 = shard.i32;
  i32[ref * 2] = L.TYPE_PART;
  const start = valueStartOf(shard, ref), slotEnd = (ref + slotUnits(shard, ref)) * 8;
  i32[ref * 2 + 1] = Math.min(slotEnd - start, L.INLINE_VALUE_BYTES_MAX);
  const at = start >>> 2;
  i32[at + OWNER] = ownerHash;
  i32[at + NUMBER] = number;
  i32[at + NEXT] = 0;
  return ref;
}

function unitsFor(words: number): number {
  return recordUnits(0, (PART_HEAD_WORDS + words) * 4, false);
}

/** Whether as many parts of at least so many words find a slot that is free already. */
export function hasFreeParts(shard: Shard, words: number, count: number): boolean {
  return countFreeSlots(shard, unitsFor(words), PART_UNITS_MAX, count) >= count;
}

/** First word of what a part holds; without lock too. */
export function partBase(shard: Shard, ref: number): number {
  return (valueStartOf(shard, ref) >>> 2) + PART_HEAD_WORDS;
}

/** How many words that are; without lock too, where it is cut to what a part may have. */
export function partWords(shard: Shard, ref: number): number {
  const words = (valueBytesOf(shard, ref) >>> 2) - PART_HEAD_WORDS;
  return words > PART_WORDS_MAX || words < 0 ? PART_WORDS_MAX : words;
}

/** The part that goes on with this segment, 0 for none; without lock too. */
export function nextPart(shard: Shard, ref: number): number {
  return shard.i32[(valueStartOf(shard, ref) >>> 2) + NEXT] & shard.unitMask;
}

export function setNextPart(shard: Shard, ref: number, next: number): void {
  shard.i32[(valueStartOf(shard, ref) >>> 2) + NEXT] = next;
}

export function ownerHashOf(shard: Shard, ref: number): number {
  return shard.i32[(valueStartOf(shard, ref) >>> 2) + OWNER];
}

export function partNumber(shard: Shard, ref: number): number {
  return shard.i32[(valueStartOf(shard, ref) >>> 2) + NUMBER];
}

export function setPartNumber(shard: Shard, ref: number, number: number): void {
  shard.i32[(valueStartOf(shard, ref) >>> 2) + NUMBER] = number;
}
