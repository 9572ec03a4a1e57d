// The two forms of a hash, in one piece and in parts, each made from the other; the caller holds the lock for changes.
//
// What is made is complete before anything refers to it: want of memory leaves all as it was.
import { freeSlot } from "../arena.ts";
import { remakeRecord } from "../entries.ts";
import { hashKeyWords } from "../key_hash.ts";
import * as L from "../layout.ts";
import { valueBytesOf, valueStartOf } from "../record.ts";
import type { Shard } from "../shard.ts";
import * as D from "./directory.ts";
import { partWithRoom, segmentsFor } from "./large_hash.ts";
import { nextPart, partBase, partWords } from "./part.ts";
import * as S from "./segment.ts";

const place = new S.FieldPlace();

/** Makes a record in parts with the fields of a small hash; 0 if there is no memory. */
export function makeLarge(
  shard: Shard,
  ref: number,
  ownerHash: number,
  k0: number,
  k1: number,
): number {
  const i32 = shard.i32, base = valueStartOf(shard, ref) >>> 2;
  const capacity = valueBytesOf(shard, ref) >>> 2, count = S.countOf(i32, base);
  const words = S.liveWords(i32, base) + count, segments = segmentsFor(count, words);
  const made = remakeRecord(shard, ref, L.FLAG_DIRECTORY, D.topBytes(segments));
  if (made === 0) return 0;
  const top = D.topOf(shard, made);
  let isMade = D.beginTop(shard, made, ownerHash, segments);
  for (let index = 0; index < count && isMade; index++) {
    S.readEntry(i32, base, capacity, index, place);
    const hash = hashKeyWords(i32, place.nameWord, place.nameBytes, k0, k1, 0);
    const number = D.segmentNumber(hash, segments), needed = place.entryWords + 1;
    const part = partWithRoom(shard, top, ownerHash, number, needed, place.hasExpiry);
    isMade = part !== 0;
    if (isMade) {
      const bits = S.slotBits(i32, base, index);
      addCopy(i32, partBase(shard, part), partWords(shard, part), bits);
    }
  }
  if (!isMade) {
    D.dropParts(shard, made);
    freeSlot(shard, made);
    return 0;
  }
  i32[top + D.FIELDS] = count;
  i32[top + D.WORDS] = words;
  const earliestMs = S.earliestOf(i32, base);
  if (earliestMs !== 0) D.lowerTop(shard, top, earliestMs);
  return made;
}

/** Makes a record in one piece with the fields of a large hash, which are few; 0 if there is no memory. */
export function makeSmall(shard: Shard, ref: number): number {
  const i32 = shard.i32, top = D.topOf(shard, ref), segments = i32[top + D.SEGMENTS];
  const wanted = i32[top + D.WORDS] + S.HEAD_WORDS + S.EXPIRY_WORDS;
  const made = remakeRecord(shard, ref, 0, wanted * 4);
  if (made === 0) return 0;
  const to = valueStartOf(shard, made) >>> 2, toCapacity = valueBytesOf(shard, made) >>> 2;
  S.clearSegment(i32, to);
  for (let number = 0; number < segments; number++) {
    for (let part = D.firstPart(shard, top, number); part !== 0; part = nextPart(shard, part)) {
      const base = partBase(shard, part), capacity = partWords(shard, part);
      const count = S.countOf(i32, base);
      for (let index = 0; index < count; index++) {
        S.readEntry(i32, base, capacity, index, place);
        addCopy(i32, to, toCapacity, S.slotBits(i32, base, index));
      }
    }
  }
  return made;
}

/** Adds a copy of the entry that `place` describes to a segment that has room for it. */
function addCopy(i32: Int32Array, to: number, capacity: number, bits: number): void {
  if (place.hasExpiry) S.giveExpiryWords(i32, to);
  if (place.expiresAtMs !== 0) S.lowerEarliest(i32, to, place.expiresAtMs);
  S.addCopy(i32, to, capacity, bits, i32, place.entryWord, place.entryWords);
}
