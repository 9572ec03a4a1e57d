// A hash as a thread reads it: opened at a record, positioned at a field by name, in order or at random.
//
// May run without lock: it then sees torn words, which are cut to what lies in the view, and the caller confirms the
// shard's sequence. What walks a large hash needs the lock. Positions hold until the next call that finds or changes.
import { HASH_FIELD_BYTES_MAX } from "../../limits.ts";
import { cursorAfter } from "../bucket_index.ts";
import { hashKey } from "../key_hash.ts";
import { valueBytesOf, valueStartOf } from "../record.ts";
import type { Shard } from "../shard.ts";
import * as D from "./directory.ts";
import { nextPart, partBase, partWords } from "./part.ts";
import { FieldName } from "./field_name.ts";
import * as plain from "./plain_slots.ts";
import * as S from "./segment.ts";

/** Slots of a segment from which a random field is drawn, so that each is as likely as the next. */
const RANDOM_SLOTS = 128;
const RANDOM_TRIES_MAX = 10_000;

export class HashReader {
  /** The record. */
  ref = 0;
  shard!: Shard;
  /** The field that was found last. */
  readonly place = new S.FieldPlace();
  readonly name = new FieldName();

  protected nowMs = 0;
  protected isInParts = false;
  /** Word of the directory; of a small hash, of its segment. */
  protected top = 0;
  /** The segment that was looked into last: its part (0: the record itself), first word, length, and number. */
  protected part = 0;
  protected base = 0;
  protected capacity = 0;
  protected number = 0;
  protected index = 0;
  /** Number of the slot where the next field is looked for first. */
  protected predicted = 0;
  /** The same for the first field of the next hash: hashes of one kind have theirs in one order. */
  #predictedFirst = 0;
  #isFirst = true;

  /** The two words of the key of the store's hash, for names. */
  constructor(protected readonly k0: number, protected readonly k1: number) {}

  /** Opens the hash of a record. */
  open(shard: Shard, ref: number, nowMs: number): void {
    this.shard = shard;
    this.ref = ref;
    this.nowMs = nowMs;
    this.openRecord();
  }

  protected openRecord(): void {
    const { shard, ref } = this;
    this.isInParts = D.isDirectory(shard, ref);
    this.base = this.top = valueStartOf(shard, ref) >>> 2;
    this.capacity = Math.min(valueBytesOf(shard, ref) >>> 2, S.SEGMENT_WORDS_MAX);
    this.part = 0;
    this.number = 0;
    this.index = -1;
    this.predicted = this.#predictedFirst;
    this.#isFirst = true;
  }

  // ---- reading --------------------------------------------------------------------------------------

  get isLarge(): boolean {
    return this.isInParts;
  }

  /** Fields, those too that have expired and are not removed yet. */
  get fieldCount(): number {
    const i32 = this.shard.i32;
    return this.isInParts ? i32[this.top + D.FIELDS] : S.countOf(i32, this.top);
  }

  /** Nothing expires before this moment; 0: no field does. */
  get earliestMs(): number {
    const i32 = this.shard.i32, top = this.top;
    return this.isInParts ? S.momentAt(i32, top + D.EARLIEST) : S.earliestOf(i32, top);
  }

  /** Whether a field may have expired that is not removed yet. */
  get isDue(): boolean {
    const earliestMs = this.earliestMs;
    return earliestMs !== 0 && earliestMs <= this.nowMs;
  }

  /** Fields that have not expired; counts them one by one where some may have. */
  liveCount(): number {
    if (!this.isDue) return this.fieldCount;
    let count = 0;
    for (this.rewind(); this.next();) count++;
    return count;
  }

  /** What names, values and moments of all fields take at most, with `overhead` for each field. */
  bytesBound(overhead: number): number {
    const i32 = this.shard.i32, count = this.fieldCount;
    const words = this.isInParts ? i32[this.top + D.WORDS] : S.liveWords(i32, this.top);
    return words * 4 + count * overhead;
  }

  /** Positions at the field of that name; false if it is absent or has expired. */
  find(view: DataView, start: number, end: number): boolean {
    if (end - start > HASH_FIELD_BYTES_MAX) return false;
    this.name.set(view, start, end);
    if (!this.locate()) return false;
    const { expiresAtMs } = this.place;
    return expiresAtMs === 0 || expiresAtMs > this.nowMs;
  }

  /**
   * Whether the next field in order has that name, and nothing is unusual; if so `place` says where its value is, and no
   * more. What this takes is a third of what `find()` takes, which has to be called if not.
   */
  seeNext(view: DataView, start: number, end: number): boolean {
    if (this.isInParts) return false;
    const { i32 } = this.shard, base = this.base, index = this.predicted;
    const word = plain.plainValueWord(i32, base, this.capacity, index, view, start, end);
    if (word === 0) return false;
    this.predicted = index + 1;
    this.#isFirst = false;
    this.place.valueWord = word;
    this.place.valueBytes = plain.shortValueBytes(i32[base + S.HEAD_WORDS + index]);
    return true;
  }

  /** `seeNext()` begins anew, with the field that was the first one asked for in the hash before. */
  seeFirst(): void {
    this.predicted = this.#predictedFirst;
  }

  /** Fields of a small hash in which no entry has room for a moment; 0 of any other. */
  get plainCount(): number {
    return this.isInParts ? 0 : plain.plainCount(this.shard.i32, this.base, this.capacity);
  }

  /** Name and value of field number `index`, below `plainCount`: `place` says where they are, and no more. */
  seeSlot(index: number): void {
    const { shard: { i32 }, place, base, capacity } = this;
    const slot = i32[base + S.HEAD_WORDS + index];
    let word = plain.entryWord(i32, base, capacity, index);
    if (plain.isLong(slot)) {
      const head = i32[word++];
      place.nameBytes = plain.longNameBytes(head);
      place.valueBytes = plain.longValueBytes(head);
    } else {
      place.nameBytes = plain.shortNameBytes(slot);
      place.valueBytes = plain.shortValueBytes(slot);
    }
    place.nameWord = word;
    place.valueWord = word + ((place.nameBytes + 3) >>> 2);
  }

  protected locate(): boolean {
    const { shard, name } = this, i32 = shard.i32;
    let index = -1;
    if (!this.isInParts) {
      index = S.findSlot(i32, this.base, this.capacity, name, this.predicted);
      if (index < 0) return false;
      this.predicted = index + 1;
      if (this.#isFirst) {
        this.#isFirst = false;
        this.#predictedFirst = index;
      }
    } else {
      const hash = hashKey(name.view, name.start, name.bytes, this.k0, this.k1, 0);
      const number = D.segmentNumber(hash, i32[this.top + D.SEGMENTS]);
      this.number = number;
      let part = D.firstPart(shard, this.top, number), base = 0, capacity = 0;
      for (let parts = 0; part !== 0 && D.mayGoOn(parts); parts++) {
        base = partBase(shard, part);
        capacity = partWords(shard, part);
        index = S.findSlot(i32, base, capacity, name, 0);
        if (index >= 0) break;
        part = nextPart(shard, part);
      }
      if (index < 0) return false;
      this.part = part;
      this.base = base;
      this.capacity = capacity;
    }
    this.index = index;
    S.readEntry(i32, this.base, this.capacity, index, this.place);
    return true;
  }

  /** Before the first field, for `next()`; a large hash under the lock only. */
  rewind(): void {
    this.openRecord();
    if (this.isInParts) this.enter(0, D.firstPart(this.shard, this.top, 0));
  }

  /** Positions at the next field that has not expired, in the order of insertion if the hash is small; false: none is left. */
  next(): boolean {
    const { shard, place } = this, i32 = shard.i32;
    for (;;) {
      const count = this.part === 0 && this.isInParts
        ? 0
        : Math.min(S.countOf(i32, this.base), this.capacity);
      while (++this.index < count) {
        S.readEntry(i32, this.base, this.capacity, this.index, place);
        if (place.expiresAtMs === 0 || place.expiresAtMs > this.nowMs) return true;
      }
      if (!this.isInParts || !this.#nextPart()) return false;
    }
  }

  protected enter(number: number, part: number): void {
    this.number = number;
    this.part = part;
    this.index = -1;
    if (part === 0) return;
    this.base = partBase(this.shard, part);
    this.capacity = partWords(this.shard, part);
  }

  #nextPart(): boolean {
    const { shard } = this;
    let part = this.part === 0 ? 0 : nextPart(shard, this.part), number = this.number;
    const segments = shard.i32[this.top + D.SEGMENTS];
    while (part === 0) {
      if (++number >= segments) return false;
      part = D.firstPart(shard, this.top, number);
    }
    this.enter(number, part);
    return true;
  }

  /**
   * A step of a scan: `visit()` is called with the hash positioned at each field of the segments from `cursor` on, until
   * `countMin` were met. Gives the next cursor, 0 at the end. A field that is there from start to end is met at least
   * once, whatever grows or shrinks meanwhile; a small hash is met as a whole. A large one under the lock only.
   */
  scan(cursor: number, countMin: number, visit: (hash: this) => void): number {
    const { shard } = this;
    this.rewind();
    if (!this.isInParts) {
      while (this.next()) visit(this);
      return 0;
    }
    const segments = shard.i32[this.top + D.SEGMENTS];
    const low = (1 << (31 - Math.clz32(segments))) - 1;
    let met = 0, at = cursor | 0;
    // Empty segments count too.
    do {
      met += 1 + this.#visitSegment(at & low, visit);
      const upper = (at & low) + low + 1;
      if (upper < segments) met += this.#visitSegment(upper, visit);
      at = cursorAfter(at, low);
    } while (at !== 0 && met < countMin);
    return at >>> 0;
  }

  #visitSegment(number: number, visit: (hash: this) => void): number {
    const { shard, place } = this, i32 = shard.i32;
    let met = 0;
    for (let part = D.firstPart(shard, this.top, number); part !== 0;) {
      this.enter(number, part);
      const count = S.countOf(i32, this.base);
      for (let index = 0; index < count; index++, met++) {
        this.index = index;
        S.readEntry(i32, this.base, this.capacity, index, place);
        if (place.expiresAtMs === 0 || place.expiresAtMs > this.nowMs) visit(this);
      }
      part = nextPart(shard, part);
    }
    return met;
  }

  /** Positions at a field, each as likely as the next; false if there is none. A large hash under the lock only. */
  random(): boolean {
    const { shard, place } = this, i32 = shard.i32, count = this.fieldCount;
    this.openRecord();
    for (let tries = 0; count > 0 && tries < RANDOM_TRIES_MAX; tries++) {
      let index = Math.floor(Math.random() * (this.isInParts ? RANDOM_SLOTS : count));
      if (this.isInParts) {
        const number = Math.floor(Math.random() * i32[this.top + D.SEGMENTS]);
        let part = D.firstPart(shard, this.top, number);
        while (part !== 0 && index >= S.countOf(i32, partBase(shard, part))) {
          index -= S.countOf(i32, partBase(shard, part));
          part = nextPart(shard, part);
        }
        if (part === 0) continue;
        this.enter(number, part);
      }
      this.index = index;
      S.readEntry(i32, this.base, this.capacity, index, place);
      if (place.expiresAtMs === 0 || place.expiresAtMs > this.nowMs) return true;
    }
    // Next to all have expired, or it is torn.
    this.rewind();
    return this.next();
  }
}
