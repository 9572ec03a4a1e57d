// The directory of a large hash: which part holds which fields, by linear hashing; it knows no field.
//
// It lies in the owner's record, `top` is its first word:
//   word 0     fields
//   word 1     segments: those addressed by the hash of a name
//   word 2     units of 8 bytes that all parts take
//   word 3     words of all entries and their slots
//   words 4,5  no field expires before this moment; 0: none does
//   word 6     where the removal of expired fields goes on; words 7,8 the earliest moment that it has met in this round
//   word 9...  references to leaves, parts with 64 references to segments each; 0 for a segment without fields
// Linear hashing (Litwin, 1980) as in the index: one segment is split or merged at a time, and the cursor of HSCAN holds.
import { freeSlot, slotUnits } from "../arena.ts";
import { bucketWord, nextBucketWord } from "../bucket_index.ts";
import * as L from "../layout.ts";
import { typeOf, valueStartOf } from "../record.ts";
import type { Shard } from "../shard.ts";
import { makePart, nextPart, ownerHashOf, partBase, partNumber, setNextPart } from "./part.ts";
import { momentAt, setMoment } from "./segment.ts";

export const FIELDS = 0;
export const SEGMENTS = 1;
const UNITS = 2;
export const WORDS = 3;
export const EARLIEST = 4;
export const REAP_AT = 6;
export const REAP_EARLIEST = 7;
const LEAVES = 9;
const LEAF_SHIFT = 6;
export const LEAF_REFS = 1 << LEAF_SHIFT;
/** As many as find room in a record: 8 million fields at 32 per segment. Beyond, segments grow longer. */
const LEAVES_MAX = 4000;
export const SEGMENTS_MAX = LEAVES_MAX * LEAF_REFS;
/** A reader without lock gives up on a chain after this many parts; it may be torn, and a ring. */
const CHAIN_READ_MAX = 1024;

/** Whether the record is a hash whose fields lie in parts. */
export function isDirectory(shard: Shard, ref: number): boolean {
  return (shard.i32[ref * 2] & L.FLAG_DIRECTORY) !== 0;
}

/** First word of a record's directory. */
export function topOf(shard: Shard, ref: number): number {
  return valueStartOf(shard, ref) >>> 2;
}

/** Bytes of a directory with so many segments. */
export function topBytes(segments: number): number {
  return (LEAVES + Math.ceil(segments / LEAF_REFS)) * 4;
}

/** Makes an empty directory of a record, with leaves for so many segments; false if there is no memory for them. */
export function beginTop(shard: Shard, ref: number, ownerHash: number, segments: number): boolean {
  const top = topOf(shard, ref), i32 = shard.i32;
  i32.fill(0, top, top + (topBytes(segments) >>> 2));
  for (let number = 0; number < segments; number += LEAF_REFS) {
    if (!addLeaf(shard, top, ownerHash, number)) return false;
    i32[top + SEGMENTS] = Math.min(segments, number + LEAF_REFS);
  }
  return true;
}

/** The segment that holds names with this hash, among so many; without lock too. */
export function segmentNumber(hash: number, segments: number): number {
  const high = (2 << (31 - Math.clz32(segments))) - 1, number = hash & high;
  return number < segments ? number : number & (high >>> 1);
}

/** Word that refers to the first part of a segment; without lock too, where it may be any word of the arena. */
export function segmentWord(shard: Shard, top: number, number: number): number {
  const leaf = shard.i32[top + LEAVES + ((number >>> LEAF_SHIFT) & 4095)] & shard.unitMask;
  return partBase(shard, leaf) + (number & (LEAF_REFS - 1));
}

/** The first part of a segment, 0 if it has no fields; without lock too. */
export function firstPart(shard: Shard, top: number, number: number): number {
  return shard.i32[segmentWord(shard, top, number)] & shard.unitMask;
}

/** Whether a chain may still go on after so many parts: a torn one might have no end. */
export function mayGoOn(parts: number): boolean {
  return parts < CHAIN_READ_MAX;
}

/** Makes the leaf that segment `number` is the first of; false if there is no memory. The top has room for it. */
export function addLeaf(shard: Shard, top: number, ownerHash: number, number: number): boolean {
  const leaf = number >>> LEAF_SHIFT,
    ref = makePart(shard, ownerHash, -1 - leaf, LEAF_REFS, LEAF_REFS);
  if (ref === 0) return false;
  const base = partBase(shard, ref);
  shard.i32.fill(0, base, base + LEAF_REFS);
  shard.i32[top + LEAVES + leaf] = ref;
  shard.i32[top + UNITS] += slotUnits(shard, ref);
  return true;
}

/** Whether segment `number` needs a leaf of its own. */
export function needsLeaf(number: number): boolean {
  return (number & (LEAF_REFS - 1)) === 0;
}

/** Frees the leaf that segment `number`, which is gone, was the first of. */
export function dropLeaf(shard: Shard, top: number, number: number): void {
  const word = top + LEAVES + (number >>> LEAF_SHIFT), ref = shard.i32[word];
  shard.i32[top + UNITS] -= slotUnits(shard, ref);
  shard.i32[word] = 0;
  freeSlot(shard, ref);
}

/** Puts a part of a segment before those that it has. */
export function addPart(shard: Shard, top: number, number: number, ref: number): void {
  const word = segmentWord(shard, top, number);
  setNextPart(shard, ref, shard.i32[word]);
  shard.i32[word] = ref;
  shard.i32[top + UNITS] += slotUnits(shard, ref);
}

/** Puts `made` (0: nothing) in the place of a part of segment `number`, and frees that. */
export function replacePart(
  shard: Shard,
  top: number,
  number: number,
  old: number,
  made: number,
): void {
  const next = nextPart(shard, old);
  if (made !== 0) {
    setNextPart(shard, made, next);
    shard.i32[top + UNITS] += slotUnits(shard, made);
  }
  referFrom(shard, top, number, old, made !== 0 ? made : next);
  shard.i32[top + UNITS] -= slotUnits(shard, old);
  freeSlot(shard, old);
}

/** Frees the chain of a segment, and leaves it without fields. */
export function dropChain(shard: Shard, top: number, number: number): void {
  const word = segmentWord(shard, top, number);
  let ref = shard.i32[word];
  shard.i32[word] = 0;
  while (ref !== 0) {
    const next = nextPart(shard, ref);
    shard.i32[top + UNITS] -= slotUnits(shard, ref);
    freeSlot(shard, ref);
    ref = next;
  }
}

/** Makes parts that lie in a chain already the whole of a segment that has none. */
export function linkChain(shard: Shard, top: number, number: number, head: number): void {
  shard.i32[segmentWord(shard, top, number)] = head;
  for (let part = head; part !== 0; part = nextPart(shard, part)) {
    shard.i32[top + UNITS] += slotUnits(shard, part);
  }
}

/** Moves the chain of segment `from`, whose last part is `last`, before that of segment `into`. */
export function moveChain(
  shard: Shard,
  top: number,
  from: number,
  into: number,
  last: number,
): void {
  const fromWord = segmentWord(shard, top, from), intoWord = segmentWord(shard, top, into);
  if (last !== 0) {
    setNextPart(shard, last, shard.i32[intoWord]);
    shard.i32[intoWord] = shard.i32[fromWord];
  }
  shard.i32[fromWord] = 0;
}

/** Frees all parts of a hash: its record goes next. */
export function dropParts(shard: Shard, ref: number): void {
  const top = topOf(shard, ref), segments = shard.i32[top + SEGMENTS];
  for (let number = 0; number < segments; number++) dropChain(shard, top, number);
  for (let number = 0; number < segments; number += LEAF_REFS) dropLeaf(shard, top, number);
}

/** Bytes that the parts of a hash take; without lock too. */
export function partBytes(shard: Shard, ref: number): number {
  return shard.i32[topOf(shard, ref) + UNITS] * 8;
}

/** A field expires then: the moment of the hash is to be no later, nor that which the round of removals comes to. */
export function lowerTop(shard: Shard, top: number, expiresAtMs: number): void {
  lower(shard, top + EARLIEST, expiresAtMs);
  lower(shard, top + REAP_EARLIEST, expiresAtMs);
}

/** A segment that the round of removals has passed holds a field that expires then. */
export function lowerReaped(shard: Shard, top: number, expiresAtMs: number): void {
  lower(shard, top + REAP_EARLIEST, expiresAtMs);
}

function lower(shard: Shard, word: number, expiresAtMs: number): void {
  const earliestMs = momentAt(shard.i32, word);
  if (earliestMs === 0 || earliestMs > expiresAtMs) setMoment(shard.i32, word, expiresAtMs);
}

/** A part has moved from one slot to another: makes its owner refer to the new place. */
export function relinkPart(shard: Shard, from: number, to: number): void {
  const number = partNumber(shard, to), slot = ownerSlot(shard, from, to);
  if (slot === 0) throw new Error(`shard ${shard.number}: no hash refers to part ${from}`);
  const top = topOf(shard, shard.buckets[slot + L.BUCKET_REFS]);
  if (number < 0) shard.i32[top + LEAVES - 1 - number] = to;
  else referFrom(shard, top, number, from, to);
}

/**
 * The slot of the index whose hash refers to a part, 0 if none does: it is being made. The part's words are read at
 * `at`, where it may have been moved to.
 */
export function ownerSlot(shard: Shard, ref: number, at: number): number {
  const buckets = shard.buckets, hash = ownerHashOf(shard, at), number = partNumber(shard, at);
  for (
    let base = bucketWord(shard, hash >>> shard.addressShift);
    base !== 0;
    base = nextBucketWord(shard, base)
  ) {
    for (let slot = base; slot < base + L.BUCKET_SLOTS; slot++) {
      if (buckets[slot] !== hash) continue;
      const owner = buckets[slot + L.BUCKET_REFS];
      if (owner === 0 || typeOf(shard, owner) !== L.TYPE_HASH || !isDirectory(shard, owner)) {
        continue;
      }
      if (refersTo(shard, topOf(shard, owner), number, ref)) return slot;
    }
  }
  return 0;
}

function refersTo(shard: Shard, top: number, number: number, ref: number): boolean {
  const segments = shard.i32[top + SEGMENTS];
  if (number < 0) {
    return (-1 - number) * LEAF_REFS < segments && shard.i32[top + LEAVES - 1 - number] === ref;
  }
  if (number >= segments) return false;
  for (let part = firstPart(shard, top, number); part !== 0; part = nextPart(shard, part)) {
    if (part === ref) return true;
  }
  return false;
}

/** Makes what refers to `old` in the chain of a segment refer to `made`. */
function referFrom(shard: Shard, top: number, number: number, old: number, made: number): void {
  const word = segmentWord(shard, top, number);
  if (shard.i32[word] === old) {
    shard.i32[word] = made;
    return;
  }
  let part = shard.i32[word];
  while (nextPart(shard, part) !== old) part = nextPart(shard, part);
  setNextPart(shard, part, made);
}
