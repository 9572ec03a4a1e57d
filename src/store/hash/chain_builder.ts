// Makes the parts of one segment anew from entries that lie elsewhere, before anything refers to them.
//
// Who splits or closes up a segment builds first and then puts the new chain in the place of the old one, so that want
// of memory leaves all as it was.
import { freeSlot } from "../arena.ts";
import type { Shard } from "../shard.ts";
import { makePart, nextPart, PART_WORDS_MAX, partBase, partWords, setNextPart } from "./part.ts";
import * as S from "./segment.ts";

/** Room that a new part has beyond what it holds at first, as a part of that: it grows by one field in 30 soon. */
const SLACK_SHIFT = 3;

export class ChainBuilder {
  /** First part of what was built, 0 if nothing was. */
  head = 0;
  /** Fields, and words of their entries and slots. */
  fields = 0;
  words = 0;
  /** The earliest moment at which one expires, 0 for none. */
  earliestMs = 0;
  #number = 0;
  #wordsLeft = 0;
  #base = 0;
  #capacity = 0;

  /** `wordsWanted`: of all entries and slots that will come. */
  begin(number: number, wordsWanted: number): void {
    this.head = 0;
    this.fields = 0;
    this.words = 0;
    this.earliestMs = 0;
    this.#number = number;
    this.#wordsLeft = wordsWanted;
  }

  /** Adds a copy of the entry that `place` describes, with its slot's `bits`; false if there is no memory. */
  add(shard: Shard, ownerHash: number, bits: number, place: S.FieldPlace): boolean {
    const i32 = shard.i32, words = place.entryWords;
    if (this.head === 0 || S.freeWords(i32, this.#base, this.#capacity) < this.#need(i32, place)) {
      const wanted = this.#wordsLeft + (this.#wordsLeft >>> SLACK_SHIFT) + S.HEAD_WORDS +
        S.EXPIRY_WORDS;
      const least = words + 1 + S.HEAD_WORDS + S.EXPIRY_WORDS;
      const made = makePart(
        shard,
        ownerHash,
        this.#number,
        Math.max(least, Math.min(wanted, PART_WORDS_MAX)),
        least,
      );
      if (made === 0) return false;
      setNextPart(shard, made, this.head);
      this.head = made;
      this.#base = partBase(shard, made);
      this.#capacity = partWords(shard, made);
      S.clearSegment(i32, this.#base);
    }
    const { expiresAtMs } = place;
    if (place.hasExpiry) S.giveExpiryWords(i32, this.#base);
    if (expiresAtMs !== 0) {
      S.lowerEarliest(i32, this.#base, expiresAtMs);
      if (this.earliestMs === 0 || expiresAtMs < this.earliestMs) this.earliestMs = expiresAtMs;
    }
    S.addCopy(i32, this.#base, this.#capacity, bits, i32, place.entryWord, words);
    this.fields++;
    this.words += words + 1;
    this.#wordsLeft -= words + 1;
    return true;
  }

  /** Frees what was built: it will not be used. */
  discard(shard: Shard): void {
    while (this.head !== 0) {
      const next = nextPart(shard, this.head);
      freeSlot(shard, this.head);
      this.head = next;
    }
  }

  #need(i32: Int32Array, place: S.FieldPlace): number {
    return place.entryWords + 1 + S.missingWords(i32, this.#base, place.hasExpiry);
  }
}
