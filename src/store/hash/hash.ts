// A hash as its thread changes it, field by field: what tells neither log nor watches, and knows no command.
//
// One object for all hashes of a thread, one after the other. All that changes needs the shard's lock for changes, and
// either is done as a whole or, for want of memory, not at all.
// Longer than most files, because what a field finds no room in, its segment or its form, is decided in one place.
import { endGrant, grantPages } from "../arena.ts";
import { slotOfRef } from "../bucket_index.ts";
import * as entries from "../entries.ts";
import type { KeyRange } from "../entries.ts";
import { HASH_FIELD_BYTES_MAX } from "../../limits.ts";
import { hashKey } from "../key_hash.ts";
import * as L from "../layout.ts";
import { valueBytesOf, valueStartOf } from "../record.ts";
import type { Shard } from "../shard.ts";
import { closeUp } from "./close_up.ts";
import * as D from "./directory.ts";
import { reapLarge, reapSegment } from "./field_expiry.ts";
import { prepareCopy } from "./hash_copy.ts";
import { makeLarge, makeSmall } from "./hash_forms.ts";
import { HashReader } from "./hash_reader.ts";
import * as large from "./large_hash.ts";
import { hasFreeParts } from "./part.ts";
import * as S from "./segment.ts";

/** A hash lies in one piece up to here, as in Redis up to its `hash-max-listpack-entries`. */
export const SMALL_FIELDS_MAX = 128;
const SMALL_WORDS_MAX = 2048;
/** Below this a large hash becomes a small one again. */
const SMALL_AGAIN_FIELDS = 48;
const SMALL_AGAIN_WORDS = 768;
/** Segments split or merged by one change: values of the largest size need three. */
const STEPS_PER_CHANGE = 4;
/** A segment that is this much longer than what it holds is made shorter. */
const SHRINK_SHIFT = 2;
const SHRINK_WORDS_MIN = 64;
/** Pages for this many times what is stored, and slots for the segments that are split meanwhile. */
const ROOM_FACTOR = 3;
/** Parts are of many sizes while they grow, and each size takes pages of its own: so many more, if there are as many. */
const ROOM_PAGES_BESIDE = 16;
const SLOTS_BESIDE = 8;
/** Below that many words, copying one by one is faster than a call of set(). */
const WORD_COPY_BYTES_MAX = 320;
/** In the place of a moment of expiry: what the field has now stays. */
export const KEEP_EXPIRY = -1;

export class Hash extends HashReader {
  /** The entry of the index that refers to the record, 0 while none does. */
  slot = 0;
  /** Hash of the key; only while it may be changed. */
  #ownerHash = 0;

  // ---- opening --------------------------------------------------------------------------------------

  /** Opens it for changes: `slot` refers to it, and its key has that hash. */
  openForChange(shard: Shard, ref: number, slot: number, ownerHash: number, nowMs: number): void {
    this.slot = slot;
    this.#ownerHash = ownerHash;
    this.open(shard, ref, nowMs);
  }

  /**
   * Makes a hash without fields for a key, with room for entries of so many words, and opens it for changes. Nothing
   * refers to it before `link()`. False if there is no memory.
   */
  prepare(shard: Shard, key: KeyRange, words: number, expiresAtMs: number, nowMs: number): boolean {
    const bytes = (Math.min(words, SMALL_WORDS_MAX) + S.HEAD_WORDS) * 4;
    const made = entries.prepareRecord(shard, key, L.TYPE_HASH, bytes, expiresAtMs);
    if (made === 0) return false;
    S.clearSegment(shard.i32, valueStartOf(shard, made) >>> 2);
    this.openForChange(shard, made, 0, key.hash, nowMs);
    return true;
  }

  /** `prepare()` for a copy of the hash that `ref` is in another shard or the same. */
  prepareCopy(
    from: Shard,
    ref: number,
    shard: Shard,
    key: KeyRange,
    expiresAtMs: number,
    nowMs: number,
  ): boolean {
    const made = prepareCopy(from, ref, shard, key, expiresAtMs);
    if (made !== 0) this.openForChange(shard, made, 0, key.hash, nowMs);
    return made !== 0;
  }

  /** Gives the key the hash that was prepared, in the place of whatever it had. */
  link(key: KeyRange, stamp: number): void {
    const { shard, ref } = this, earliestMs = this.earliestMs;
    entries.linkPrepared(shard, key, ref, null, stamp);
    this.slot = slotOfRef(shard, key.hash >>> shard.addressShift, ref);
    if (earliestMs !== 0) entries.noteExpiry(shard, key.hash, earliestMs);
  }

  /** Frees the hash that was prepared. */
  discard(): void {
    entries.discardPrepared(this.shard, this.ref);
  }

  /** Whether an entry of the index refers to it. */
  get isLinked(): boolean {
    return this.slot !== 0;
  }

  // ---- changing; under the lock for changes ---------------------------------------------------------

  /**
   * Stores a value in the field of that name, which expires then (0: never; KEEP_EXPIRY: as now). 1: the field is new,
   * 0: it was there, −1: no memory, and nothing changed. Name and value together have at most HASH_FIELD_BYTES_MAX; views are
   * readable to 3 bytes past an end, `bytes` and `valueView` see the same buffer.
   */
  set(
    view: DataView,
    start: number,
    end: number,
    bytes: Uint8Array,
    valueView: DataView,
    valueStart: number,
    valueEnd: number,
    expiresAtMs: number,
  ): number {
    const { shard, place } = this, i32 = shard.i32, valueBytes = valueEnd - valueStart;
    this.name.set(view, start, end);
    const isThere = this.locate();
    if (expiresAtMs === KEEP_EXPIRY) expiresAtMs = isThere ? place.expiresAtMs : 0;
    if (isThere) {
      const before = place.entryWords;
      if (!S.rewriteInPlace(i32, this.base, this.index, valueBytes, expiresAtMs, place)) {
        if (!this.#replace(valueBytes, expiresAtMs)) return -1;
      }
      if (this.isInParts) i32[this.top + D.WORDS] += place.entryWords - before;
    } else {
      if (!this.#add(valueBytes, expiresAtMs)) return -1;
      if (this.isInParts) {
        i32[this.top + D.FIELDS]++;
        i32[this.top + D.WORDS] += place.entryWords + 1;
      }
    }
    let word = place.valueWord;
    if (valueBytes > WORD_COPY_BYTES_MAX) {
      shard.u8.set(bytes.subarray(valueStart, valueEnd), word * 4);
    } else {
      for (let at = valueStart; at < valueEnd; at += 4) i32[word++] = valueView.getInt32(at, true);
    }
    if (expiresAtMs !== 0) this.#noteExpiry(expiresAtMs);
    if (this.isInParts) this.#grow();
    return isThere ? 0 : 1;
  }

  /** Whether a value of so many bytes may lie where that of the field is which `seeNext()` saw. */
  fitsSeen(valueBytes: number): boolean {
    return (valueBytes + 3) >>> 2 === (this.place.valueBytes + 3) >>> 2 &&
      valueBytes <= S.SHORT_VALUE_MAX;
  }

  /** Gives that field the value `view[start..end)`, which fits; `view` is readable to 3 bytes past its end. */
  overwriteSeen(view: DataView, start: number, end: number): void {
    const i32 = this.shard.i32, at = this.base + S.HEAD_WORDS + this.predicted - 1;
    i32[at] = S.withValueBytes(i32[at], end - start);
    let word = this.place.valueWord;
    for (let from = start; from < end; from += 4) i32[word++] = view.getInt32(from, true);
  }

  /** Sets when the field of that name expires, 0 for never: 1; 0 if it is absent; −1: no memory, and nothing changed. */
  setExpiry(view: DataView, start: number, end: number, expiresAtMs: number): number {
    if (!this.find(view, start, end)) return 0;
    const { shard, place } = this, { valueWord, valueBytes } = place;
    if (expiresAtMs === 0 && place.expiresAtMs === 0) return 1;
    if (place.hasExpiry) {
      S.rewriteInPlace(shard.i32, this.base, this.index, valueBytes, expiresAtMs, place);
      if (expiresAtMs !== 0) this.#noteExpiry(expiresAtMs);
      return 1;
    }
    // The entry is made anew, and longer.
    keptValue.set(shard.u8.subarray(valueWord * 4, valueWord * 4 + valueBytes));
    const result = this.set(view, start, end, keptValue, keptView, 0, valueBytes, expiresAtMs);
    return result < 0 ? -1 : 1;
  }

  /** Removes the field of that name; false if there is none. The last one leaves a hash without fields. */
  remove(view: DataView, start: number, end: number): boolean {
    if (!this.find(view, start, end)) return false;
    const { shard, place } = this, i32 = shard.i32;
    S.removeField(i32, this.base, this.capacity, this.index, place);
    if (this.isInParts) {
      i32[this.top + D.FIELDS]--;
      i32[this.top + D.WORDS] -= place.entryWords + 1;
      if (S.countOf(i32, this.base) === 0) {
        D.replacePart(shard, this.top, this.number, this.part, 0);
      }
    }
    this.predicted = this.index;
    this.shrink();
    return true;
  }

  /** Removes fields that have expired, all of them; gives how many. */
  reap(): number {
    if (!this.isDue) return 0;
    const { shard } = this;
    const removed = this.isInParts
      ? reapLarge(shard, this.top, this.nowMs, Infinity)
      : reapSegment(shard.i32, this.base, this.capacity, this.nowMs);
    if (removed > 0) this.shrink();
    this.openRecord();
    return removed;
  }

  /** Words of an entry with its slot: what a field of these lengths takes, at most. */
  wordsFor(nameBytes: number, valueBytes: number, expires: boolean): number {
    return S.entryWordsFor(nameBytes, valueBytes, expires) + 1;
  }

  /** Words that setting the field of that name to a value of so many bytes would take beyond what there is. */
  wordsToSet(
    view: DataView,
    start: number,
    end: number,
    valueBytes: number,
    expires: boolean,
  ): number {
    const words = this.wordsFor(end - start, valueBytes, expires);
    if (!this.find(view, start, end)) return words;
    const { place } = this;
    if (!expires || place.hasExpiry) {
      if (
        (valueBytes + 3) >>> 2 <= (place.valueBytes + 3) >>> 2 && (place.isLong || valueBytes < 128)
      ) {
        return 0;
      }
    }
    return words - 1;
  }

  /** Whether a small hash has room for entries of `words` more, as it is. */
  hasRoom(words: number): boolean {
    return !this.isInParts &&
      S.freeWords(this.shard.i32, this.base, this.capacity) >= words + 2;
  }

  /**
   * Makes room for entries of `words` more, each of at most `wordsEach`, in `fields` more, so that setting them does not
   * stop midway; false: there is no memory for them. For a large hash it takes pages ahead of need, or looks whether the
   * shard has as many free slots as there may be fields that need one; `endRoom()` gives back what was not needed.
   */
  makeRoom(words: number, wordsEach: number, fields: number): boolean {
    const { shard } = this, i32 = shard.i32;
    if (!this.isInParts) {
      const need = words + S.EXPIRY_WORDS, free = S.freeWords(i32, this.base, this.capacity);
      if (free + S.deadWords(i32, this.base) >= need) return true;
      const wanted = this.#usedWords() + need;
      if (this.fieldCount + fields <= SMALL_FIELDS_MAX && wanted <= SMALL_WORDS_MAX) {
        return this.#resize(wanted, -1);
      }
    }
    const pages = Math.ceil(words * 4 * ROOM_FACTOR / L.PAGE_BYTES) + 1;
    if (grantPages(shard, pages + ROOM_PAGES_BESIDE) || grantPages(shard, pages)) return true;
    const slots = fields + (fields >>> 2) + SLOTS_BESIDE;
    return hasFreeParts(shard, wordsEach + S.HEAD_WORDS + S.EXPIRY_WORDS, slots);
  }

  /** What `makeRoom()` made room for is done, or will not be. */
  endRoom(): void {
    endGrant(this.shard);
  }

  /** After removals: gives memory back that is no longer needed, if that can be done. */
  shrink(): void {
    const { shard } = this, i32 = shard.i32;
    if (!this.isInParts) {
      const used = this.#usedWords();
      if (this.capacity > SHRINK_WORDS_MIN && used < this.capacity >>> SHRINK_SHIFT) {
        this.#resize(used + (used >>> 2), -1);
      }
      return;
    }
    const top = this.top;
    for (let steps = 0; steps < STEPS_PER_CHANGE && large.isSparse(shard, top); steps++) {
      large.merge(shard, top, this.#ownerHash);
    }
    if (i32[top + D.FIELDS] < SMALL_AGAIN_FIELDS && i32[top + D.WORDS] < SMALL_AGAIN_WORDS) {
      this.#becomeSmall();
    }
  }

  /** Makes an entry for a new field. */
  #add(valueBytes: number, expiresAtMs: number): boolean {
    const { shard, name, place } = this, i32 = shard.i32, expires = expiresAtMs !== 0;
    const words = S.entryWordsFor(name.bytes, valueBytes, expires) + 1;
    if (!this.isInParts) {
      const need = words + S.missingWords(i32, this.base, expires);
      if (S.countOf(i32, this.base) >= SMALL_FIELDS_MAX) {
        if (!this.#becomeLarge()) return false;
      } else if (!this.#makeSmallRoom(need, -1)) return false;
    }
    if (this.isInParts) {
      const hash = hashKey(name.view, name.start, name.bytes, this.k0, this.k1, 0);
      const number = D.segmentNumber(hash, i32[this.top + D.SEGMENTS]);
      const part = large.partWithRoom(shard, this.top, this.#ownerHash, number, words, expires);
      if (part === 0) return false;
      this.enter(number, part);
    } else if (expires) S.giveExpiryWords(i32, this.base);
    S.addField(i32, this.base, this.capacity, name, valueBytes, expiresAtMs, place);
    this.index = S.countOf(i32, this.base) - 1;
    this.predicted = this.index + 1;
    return true;
  }

  /** Makes a new entry for the field that was found. */
  #replace(valueBytes: number, expiresAtMs: number): boolean {
    const { shard, name, place } = this, i32 = shard.i32, expires = expiresAtMs !== 0;
    const words = S.entryWordsFor(name.bytes, valueBytes, expires);
    const need = words + S.missingWords(i32, this.base, expires);
    if (S.freeWords(i32, this.base, this.capacity) >= need) {
      S.dropEntry(i32, this.base, place);
    } else if (!this.isInParts) {
      if (!this.#makeSmallRoom(need, this.index)) return false;
      // It has become large, and the field is elsewhere.
      if (this.isInParts) return this.locate() && this.#replace(valueBytes, expiresAtMs);
    } else if (!this.#makePartRoom(words, need, expires)) {
      return this.#moveOut(valueBytes, expiresAtMs);
    }
    if (expires) S.giveExpiryWords(i32, this.base);
    S.writeEntry(
      i32,
      this.base,
      this.capacity,
      this.index,
      name,
      valueBytes,
      expiresAtMs,
      place,
    );
    return true;
  }

  /** Makes room in the part of the field found, whose entry goes; false if it cannot be had there. */
  #makePartRoom(words: number, need: number, expires: boolean): boolean {
    const { shard, place } = this, i32 = shard.i32;
    const free = S.freeWords(i32, this.base, this.capacity);
    if (free + S.deadWords(i32, this.base) + place.entryWords >= need) {
      closeUp(i32, this.base, this.capacity, this.base, this.capacity, this.index);
      return true;
    }
    const made = large.growPart(
      shard,
      this.top,
      this.#ownerHash,
      this.number,
      this.part,
      words,
      this.index,
      expires,
    );
    if (made === 0) return false;
    const index = this.index;
    this.enter(this.number, made);
    this.index = index;
    return true;
  }

  /** The field found finds no room in its part: another part of its segment takes it. */
  #moveOut(valueBytes: number, expiresAtMs: number): boolean {
    const { shard, name, place } = this, i32 = shard.i32;
    const part = this.part, index = this.index, expires = expiresAtMs !== 0;
    const words = S.entryWordsFor(name.bytes, valueBytes, expires) + 1;
    const made = large.partBeside(shard, this.top, this.#ownerHash, this.number, words, expires);
    if (made === 0) return false;
    const base = this.base, capacity = this.capacity;
    S.removeField(i32, base, capacity, index, place);
    if (S.countOf(i32, base) === 0) D.replacePart(shard, this.top, this.number, part, 0);
    this.enter(this.number, made);
    S.addField(i32, this.base, this.capacity, name, valueBytes, expiresAtMs, place);
    this.index = S.countOf(i32, this.base) - 1;
    return true;
  }

  /**
   * Makes room for `need` words in a small hash, without the entry of slot `without` (−1: with all); it may become a
   * large one. False, and nothing changed, if there is no memory.
   */
  #makeSmallRoom(need: number, without: number): boolean {
    const { shard, place } = this, i32 = shard.i32;
    const free = S.freeWords(i32, this.base, this.capacity);
    if (free >= need) return true;
    const gone = without < 0 ? 0 : place.entryWords;
    if (free + S.deadWords(i32, this.base) + gone >= need) {
      closeUp(i32, this.base, this.capacity, this.base, this.capacity, without);
      return true;
    }
    const wanted = this.#usedWords() - gone + need;
    const isAlone = S.countOf(i32, this.base) === (without < 0 ? 0 : 1);
    if (wanted > SMALL_WORDS_MAX && !isAlone) return this.#becomeLarge();
    return this.#resize(wanted, without);
  }

  /** Words of a small hash that are in use. */
  #usedWords(): number {
    const i32 = this.shard.i32, base = this.base;
    return S.slotsAt(i32, base) - base + S.countOf(i32, base) + S.liveWords(i32, base);
  }

  #resize(words: number, without: number): boolean {
    const { shard, ref } = this, i32 = shard.i32;
    const made = entries.remakeRecord(shard, ref, 0, words * 4);
    if (made === 0) return false;
    const to = valueStartOf(shard, made) >>> 2, capacity = valueBytesOf(shard, made) >>> 2;
    closeUp(i32, this.base, this.capacity, to, capacity, without);
    entries.replaceRecord(shard, this.slot, ref, made);
    this.ref = made;
    this.base = this.top = to;
    this.capacity = capacity;
    return true;
  }

  #becomeLarge(): boolean {
    return this.#changeTo(makeLarge(this.shard, this.ref, this.#ownerHash, this.k0, this.k1));
  }

  #becomeSmall(): boolean {
    const { shard, ref } = this, made = makeSmall(shard, ref);
    if (made !== 0) D.dropParts(shard, ref);
    return this.#changeTo(made);
  }

  /** Puts a record that holds the same fields in another form in the place of this one; false if there was no memory. */
  #changeTo(made: number): boolean {
    if (made === 0) return false;
    entries.replaceRecord(this.shard, this.slot, this.ref, made);
    this.ref = made;
    this.openRecord();
    return true;
  }

  /** Splits segments where they have become crowded. Without memory for that they stay as they are. */
  #grow(): void {
    const { shard } = this, i32 = shard.i32;
    for (let steps = 0; steps < STEPS_PER_CHANGE && large.isCrowded(shard, this.top); steps++) {
      const segments = i32[this.top + D.SEGMENTS];
      if (
        D.topBytes(segments + 1) > valueBytesOf(shard, this.ref) && !this.#growTop(segments + 1)
      ) {
        return;
      }
      if (!large.split(shard, this.top, this.#ownerHash, this.k0, this.k1)) return;
    }
  }

  #growTop(segments: number): boolean {
    const { shard, ref } = this, bytes = D.topBytes(segments);
    const made = entries.remakeRecord(shard, ref, L.FLAG_DIRECTORY, bytes);
    if (made === 0) return false;
    const from = this.top, to = D.topOf(shard, made);
    shard.i32.copyWithin(to, from, from + (D.topBytes(segments - 1) >>> 2));
    entries.replaceRecord(shard, this.slot, ref, made);
    this.ref = made;
    this.top = to;
    return true;
  }

  /** The field that was just written expires: its segment, the hash and the shard have to know. */
  #noteExpiry(expiresAtMs: number): void {
    const { shard } = this;
    S.lowerEarliest(shard.i32, this.base, expiresAtMs);
    if (this.isInParts) D.lowerTop(shard, this.top, expiresAtMs);
    if (this.isLinked) entries.noteExpiry(shard, this.#ownerHash, expiresAtMs);
  }
}

const keptValue = new Uint8Array(HASH_FIELD_BYTES_MAX + 8);
const keptView = new DataView(keptValue.buffer);
