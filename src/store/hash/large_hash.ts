// Large hashes: room for a field in its segment, and segments split and merged as fields come and go.
//
// The caller holds the shard's lock for changes; the record is in the index, or will be when all of it has been made.
import { hashKeyWords } from "../key_hash.ts";
import type { Shard } from "../shard.ts";
import { ChainBuilder } from "./chain_builder.ts";
import { closeUp } from "./close_up.ts";
import * as D from "./directory.ts";
import { makePart, nextPart, PART_WORDS_MAX, partBase, partWords, setPartNumber } from "./part.ts";
import * as S from "./segment.ts";

/** Segments hold about so many fields and words, on average: then they are split, and below a third of it merged. */
export const FIELDS_PER_SEGMENT = 32;
export const WORDS_PER_SEGMENT = 1024;
const MERGE_PART = 3;
/** Parts of one segment: without memory to split it, it takes no more fields; readers follow twice as many. */
const CHAIN_PARTS_MAX = 512;

const place = new S.FieldPlace();
const kept = new ChainBuilder();
const moved = new ChainBuilder();

/** Segments that a directory begins with. */
export function segmentsFor(fields: number, words: number): number {
  return Math.max(1, Math.ceil(fields / FIELDS_PER_SEGMENT), Math.ceil(words / WORDS_PER_SEGMENT));
}

export function isCrowded(shard: Shard, top: number): boolean {
  const i32 = shard.i32, segments = i32[top + D.SEGMENTS];
  return segments < D.SEGMENTS_MAX && (i32[top + D.FIELDS] > segments * FIELDS_PER_SEGMENT ||
    i32[top + D.WORDS] > segments * WORDS_PER_SEGMENT);
}

export function isSparse(shard: Shard, top: number): boolean {
  const i32 = shard.i32, segments = i32[top + D.SEGMENTS] * (1 / MERGE_PART);
  return i32[top + D.SEGMENTS] > 1 && i32[top + D.FIELDS] < segments * FIELDS_PER_SEGMENT &&
    i32[top + D.WORDS] < segments * WORDS_PER_SEGMENT;
}

/**
 * A part of segment `number` with `words` free words for an entry and its slot, and with words for a moment if
 * `expires`; it is made if need be. 0 if there is no memory.
 */
export function partWithRoom(
  shard: Shard,
  top: number,
  ownerHash: number,
  number: number,
  words: number,
  expires: boolean,
): number {
  const i32 = shard.i32, first = D.firstPart(shard, top, number);
  let parts = 0;
  for (let part = first; part !== 0; part = nextPart(shard, part), parts++) {
    const base = partBase(shard, part), capacity = partWords(shard, part);
    const need = words + S.missingWords(i32, base, expires);
    const free = S.freeWords(i32, base, capacity);
    if (free < need) {
      if (free + S.deadWords(i32, base) < need) continue;
      closeUp(i32, base, capacity, base, capacity, -1);
    }
    if (expires) S.giveExpiryWords(i32, base);
    return part;
  }
  if (first !== 0) {
    const grown = growPart(shard, top, ownerHash, number, first, words, -1, expires);
    if (grown !== 0) return grown;
    if (parts >= CHAIN_PARTS_MAX) return 0;
  }
  return partBeside(shard, top, ownerHash, number, words, expires);
}

/** A part of its own for an entry of `words` with its slot, before the others of the segment; 0 if there is no memory. */
export function partBeside(
  shard: Shard,
  top: number,
  ownerHash: number,
  number: number,
  words: number,
  expires: boolean,
): number {
  const least = words + S.HEAD_WORDS + S.EXPIRY_WORDS;
  const made = makePart(shard, ownerHash, number, least, least);
  if (made === 0) return 0;
  const base = partBase(shard, made);
  S.clearSegment(shard.i32, base);
  if (expires) S.giveExpiryWords(shard.i32, base);
  D.addPart(shard, top, number, made);
  return made;
}

/**
 * Puts a longer part in the place of `part`, with `words` free words and without the entry of slot `without` (−1: with
 * all). 0 if no part is as long as that, or there is no memory.
 */
export function growPart(
  shard: Shard,
  top: number,
  ownerHash: number,
  number: number,
  part: number,
  words: number,
  without: number,
  expires: boolean,
): number {
  const i32 = shard.i32, base = partBase(shard, part), capacity = partWords(shard, part);
  let goneWords = 0;
  if (without >= 0) {
    S.readEntry(i32, base, capacity, without, place);
    goneWords = place.entryWords;
  }
  const used = S.slotsAt(i32, base) - base + S.countOf(i32, base) + S.liveWords(i32, base);
  const least = used - goneWords + words + S.missingWords(i32, base, expires);
  if (least > PART_WORDS_MAX) return 0;
  const wanted = Math.min(PART_WORDS_MAX, Math.max(least, used + (used >>> 2)));
  const made = makePart(shard, ownerHash, number, wanted, least);
  if (made === 0) return 0;
  const to = partBase(shard, made);
  closeUp(i32, base, capacity, to, partWords(shard, made), without);
  if (expires) S.giveExpiryWords(i32, to);
  D.replacePart(shard, top, number, part, made);
  return made;
}

/** Splits one segment; the top has room for the leaf that the new one may need. False: no memory, all is as it was. */
export function split(
  shard: Shard,
  top: number,
  ownerHash: number,
  k0: number,
  k1: number,
): boolean {
  const i32 = shard.i32, added = i32[top + D.SEGMENTS];
  const from = added - (1 << (31 - Math.clz32(added)));
  const first = D.firstPart(shard, top, from);
  choose(shard, first, added, k0, k1);
  kept.begin(from, keptWords);
  moved.begin(added, movedWords);
  let isMade = true, at = 0;
  for (let part = first; part !== 0 && isMade; part = nextPart(shard, part)) {
    const base = partBase(shard, part), capacity = partWords(shard, part);
    const count = S.countOf(i32, base);
    for (let index = 0; index < count && isMade; index++) {
      S.readEntry(i32, base, capacity, index, place);
      const chain = goes[at++] !== 0 ? moved : kept;
      isMade = chain.add(shard, ownerHash, S.slotBits(i32, base, index), place);
    }
  }
  if (isMade && D.needsLeaf(added)) isMade = D.addLeaf(shard, top, ownerHash, added);
  if (!isMade) {
    kept.discard(shard);
    moved.discard(shard);
    return false;
  }
  D.dropChain(shard, top, from);
  i32[top + D.SEGMENTS] = added + 1;
  D.linkChain(shard, top, from, kept.head);
  D.linkChain(shard, top, added, moved.head);
  return true;
}

// Which fields of a chain go, and the words on both sides: counted first, so that each side is made in one piece.
let goes = new Uint8Array(256);
let keptWords = 0;
let movedWords = 0;

function choose(shard: Shard, first: number, added: number, k0: number, k1: number): void {
  const i32 = shard.i32;
  let at = 0;
  keptWords = movedWords = 0;
  for (let part = first; part !== 0; part = nextPart(shard, part)) {
    const base = partBase(shard, part), capacity = partWords(shard, part);
    const count = S.countOf(i32, base);
    if (at + count > goes.length) {
      const longer = new Uint8Array((at + count) * 2);
      longer.set(goes);
      goes = longer;
    }
    for (let index = 0; index < count; index++) {
      S.readEntry(i32, base, capacity, index, place);
      const hash = hashKeyWords(i32, place.nameWord, place.nameBytes, k0, k1, 0);
      const isMoved = D.segmentNumber(hash, added + 1) === added;
      goes[at++] = isMoved ? 1 : 0;
      if (isMoved) movedWords += place.entryWords + 1;
      else keptWords += place.entryWords + 1;
    }
  }
}

/** Merges the last segment into the one that it was split from. */
export function merge(shard: Shard, top: number, ownerHash: number): void {
  const i32 = shard.i32, removed = i32[top + D.SEGMENTS] - 1;
  const into = removed - (1 << (31 - Math.clz32(removed)));
  let last = 0;
  const head = D.firstPart(shard, top, removed);
  for (let part = head; part !== 0; part = nextPart(shard, part)) {
    setPartNumber(shard, part, into);
    last = part;
    // The round that removes expired fields may be past the other segment already.
    const earliestMs = S.earliestOf(i32, partBase(shard, part));
    if (earliestMs !== 0) D.lowerTop(shard, top, earliestMs);
  }
  D.moveChain(shard, top, removed, into, last);
  if (D.needsLeaf(removed)) D.dropLeaf(shard, top, removed);
  i32[top + D.SEGMENTS] = removed;
  tidy(shard, top, ownerHash, into);
}

/** Puts the parts of a segment together in one, if they find room in it and there is memory. */
function tidy(shard: Shard, top: number, ownerHash: number, number: number): void {
  const i32 = shard.i32, first = D.firstPart(shard, top, number);
  if (first === 0 || nextPart(shard, first) === 0) return;
  const words = chainWords(shard, first);
  if (words > PART_WORDS_MAX - S.HEAD_WORDS - 2) return;
  kept.begin(number, words);
  for (let part = first; part !== 0; part = nextPart(shard, part)) {
    const base = partBase(shard, part), capacity = partWords(shard, part);
    const count = S.countOf(i32, base);
    for (let index = 0; index < count; index++) {
      S.readEntry(i32, base, capacity, index, place);
      if (!kept.add(shard, ownerHash, S.slotBits(i32, base, index), place)) {
        return kept.discard(shard);
      }
    }
  }
  D.dropChain(shard, top, number);
  D.linkChain(shard, top, number, kept.head);
}

/** Words of the entries and slots of a chain. */
function chainWords(shard: Shard, first: number): number {
  let words = 0;
  for (let part = first; part !== 0; part = nextPart(shard, part)) {
    const base = partBase(shard, part);
    words += S.countOf(shard.i32, base) + S.liveWords(shard.i32, base);
  }
  return words;
}
