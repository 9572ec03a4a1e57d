// Copies a whole hash under another key, perhaps into another shard; both shards' locks for changes are held.
import { freeSlot } from "../arena.ts";
import { type KeyRange, prepareRecord } from "../entries.ts";
import * as L from "../layout.ts";
import { valueBytesOf, valueStartOf } from "../record.ts";
import type { Shard } from "../shard.ts";
import * as D from "./directory.ts";
import { makePart, nextPart, PART_WORDS_MAX, partBase, partWords, setNextPart } from "./part.ts";
import * as S from "./segment.ts";

/** Makes a copy that nothing refers to; gives its record, 0 if there is no memory. */
export function prepareCopy(
  shard: Shard,
  ref: number,
  target: Shard,
  key: KeyRange,
  expiresAtMs: number,
): number {
  return D.isDirectory(shard, ref)
    ? copyLarge(shard, ref, target, key, expiresAtMs)
    : copySmall(shard, ref, target, key, expiresAtMs);
}

function copySmall(
  shard: Shard,
  ref: number,
  target: Shard,
  key: KeyRange,
  expiresAtMs: number,
): number {
  const base = valueStartOf(shard, ref) >>> 2, capacity = valueBytesOf(shard, ref) >>> 2;
  const bytes = usedWords(shard.i32, base) * 4;
  const made = prepareRecord(target, key, L.TYPE_HASH, bytes, expiresAtMs);
  if (made === 0) return 0;
  const to = valueStartOf(target, made) >>> 2;
  copySegment(shard.i32, base, capacity, target.i32, to, valueBytesOf(target, made) >>> 2);
  return made;
}

function copyLarge(
  shard: Shard,
  ref: number,
  target: Shard,
  key: KeyRange,
  expiresAtMs: number,
): number {
  const from = D.topOf(shard, ref), segments = shard.i32[from + D.SEGMENTS];
  const kind = L.TYPE_HASH | L.FLAG_DIRECTORY, bytes = D.topBytes(segments);
  const made = prepareRecord(target, key, kind, bytes, expiresAtMs);
  if (made === 0) return 0;
  const top = D.topOf(target, made);
  let isMade = D.beginTop(target, made, key.hash, segments);
  for (let number = 0; number < segments && isMade; number++) {
    isMade = copyChain(shard, from, target, top, key.hash, number);
  }
  if (!isMade) {
    D.dropParts(target, made);
    freeSlot(target, made);
    return 0;
  }
  target.i32[top + D.FIELDS] = shard.i32[from + D.FIELDS];
  target.i32[top + D.WORDS] = shard.i32[from + D.WORDS];
  S.setMoment(target.i32, top + D.EARLIEST, S.momentAt(shard.i32, from + D.EARLIEST));
  return made;
}

function copyChain(
  shard: Shard,
  from: number,
  target: Shard,
  top: number,
  ownerHash: number,
  number: number,
): boolean {
  let head = 0;
  for (let part = D.firstPart(shard, from, number); part !== 0; part = nextPart(shard, part)) {
    const base = partBase(shard, part), words = usedWords(shard.i32, base);
    // With room for the next few fields.
    const wanted = Math.min(PART_WORDS_MAX, words + (words >>> 3));
    const made = makePart(target, ownerHash, number, wanted, words);
    if (made === 0) {
      D.linkChain(target, top, number, head);
      return false;
    }
    const to = partBase(target, made);
    copySegment(shard.i32, base, partWords(shard, part), target.i32, to, partWords(target, made));
    setNextPart(target, made, head);
    head = made;
  }
  D.linkChain(target, top, number, head);
  return true;
}

/** Words from the segment's first to its last slot, and of its heap. */
function usedWords(i32: Int32Array, base: number): number {
  return S.slotsAt(i32, base) - base + S.countOf(i32, base) + S.heapWords(i32, base);
}

/** Places are counted from the end, so slots are copied to the front, and the heap to the end. */
function copySegment(
  i32: Int32Array,
  base: number,
  capacity: number,
  to: Int32Array,
  toBase: number,
  toCapacity: number,
): void {
  const front = S.slotsAt(i32, base) - base + S.countOf(i32, base), heap = S.heapWords(i32, base);
  const end = base + capacity;
  to.set(i32.subarray(base, base + front), toBase);
  to.set(i32.subarray(end - heap, end), toBase + toCapacity - heap);
}
