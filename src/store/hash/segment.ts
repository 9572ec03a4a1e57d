// A segment: up to 16 KiB of memory with the fields of a hash, or with a part of them; it knows no record.
//
// A slotted page, as databases have them, in words of 32 bits from `base` on:
//   word 0   fields (16) | words of the heap, dead ones too (16)
//   word 1   dead words of the heap (16) | flags
//   with FLAG_EXPIRES two words more: the earliest moment at which a field expires may be no sooner than this, 0 for none;
//   every segment has them in which an entry has room for a moment, be it one that no longer expires
//   then a slot for each field, in the order of insertion:
//            distance of its entry from the segment's end (12) | tag (8) | name bytes (5) | value bytes (7)
//   the heap grows downwards from the end. An entry is the name and then the value, each padded to whole words; where
//   the slot says LONG for the name's bytes, a word before them says name bytes (14) | value bytes (14) | expires (1),
//   and after it, if it expires, two words say when.
// With names and values of 8 bytes a field takes 20 bytes; Redis's listpack takes the same, plus what it grows by.
// Readers without lock see torn words: counts, lengths and places are cut to what lies in the view.
// Longer than most files, because the format is known to this one alone.

import type { FieldName } from "./field_name.ts";

export const SEGMENT_WORDS_MAX = 4096;
export const HEAD_WORDS = 2;
export const EXPIRY_WORDS = 2;
export const COUNT_MASK = 0xffff;
export const HEAP_SHIFT = 16;
export const FLAG_EXPIRES = 1 << 16;

export const PLACE_MASK = 0xfff;
export const TAG_SHIFT = 12;
export const NAME_SHIFT = 20;
export const NAME_MASK = 31;
export const VALUE_SHIFT = 25;
export const SHORT_VALUE_MAX = 127;
export const LONG = 31;
/** What of a slot is compared with a name: its tag and length. */
export const PATTERN_MASK = 0x01fff000;

export const LENGTH_MASK = 0x3fff;
export const LONG_VALUE_SHIFT = 14;
const LONG_EXPIRES = 1 << 28;
const HIGH = 2 ** 32;

/** Where a field's entry is and what it says; filled by `readEntry()`. */
export class FieldPlace {
  /** Words in the arena. */
  nameWord = 0;
  nameBytes = 0;
  valueWord = 0;
  valueBytes = 0;
  /** In ms since 1970; 0 for never. */
  expiresAtMs = 0;
  /** The entry: its first word, how many it takes. */
  entryWord = 0;
  entryWords = 0;
  isLong = false;
  /** Whether the entry has room for a moment at which it expires. */
  hasExpiry = false;
}

export function countOf(i32: Int32Array, base: number): number {
  return i32[base] & COUNT_MASK;
}

/** Word of the first slot. */
export function slotsAt(i32: Int32Array, base: number): number {
  return base + HEAD_WORDS + ((i32[base + 1] & FLAG_EXPIRES) === 0 ? 0 : EXPIRY_WORDS);
}

/** Words of the heap, and of those that are not dead. */
export function heapWords(i32: Int32Array, base: number): number {
  return i32[base] >>> HEAP_SHIFT;
}

export function liveWords(i32: Int32Array, base: number): number {
  return heapWords(i32, base) - deadWords(i32, base);
}

export function deadWords(i32: Int32Array, base: number): number {
  return i32[base + 1] & COUNT_MASK;
}

/** Words between slots and heap. */
export function freeWords(i32: Int32Array, base: number, capacity: number): number {
  const head = i32[base];
  return capacity - (slotsAt(i32, base) - base) - (head & COUNT_MASK) - (head >>> HEAP_SHIFT);
}

export function hasExpiryWords(i32: Int32Array, base: number): boolean {
  return (i32[base + 1] & FLAG_EXPIRES) !== 0;
}

/** No field of the segment expires before this; 0: none does. */
export function earliestOf(i32: Int32Array, base: number): number {
  return hasExpiryWords(i32, base) ? momentAt(i32, base + HEAD_WORDS) : 0;
}

/** A segment without fields. */
export function clearSegment(i32: Int32Array, base: number): void {
  i32[base] = 0;
  i32[base + 1] = 0;
}

/** Words of an entry; `hasExpiry`: with room for a moment. */
export function entryWordsFor(nameBytes: number, valueBytes: number, hasExpiry: boolean): number {
  const words = ((nameBytes + 3) >>> 2) + ((valueBytes + 3) >>> 2);
  if (hasExpiry) return words + 1 + EXPIRY_WORDS;
  return nameBytes >= LONG || valueBytes > SHORT_VALUE_MAX ? words + 1 : words;
}

/**
 * Number of the slot of the field with this name, −1 if there is none. Looks at slot `predicted` first: fields are
 * mostly asked for in the order in which they were written.
 */
export function findSlot(
  i32: Int32Array,
  base: number,
  capacity: number,
  name: FieldName,
  predicted: number,
): number {
  const slots = slotsAt(i32, base), pattern = name.pattern;
  let count = i32[base] & COUNT_MASK;
  if (count > capacity) count = capacity;
  if (predicted < count) {
    const slot = i32[slots + predicted];
    if ((slot & PATTERN_MASK) === pattern && isNamed(i32, base, capacity, slot, name)) {
      return predicted;
    }
  }
  const end = slots + count, longPattern = name.longPattern;
  for (let at = slots; at < end; at++) {
    const slot = i32[at], seen = slot & PATTERN_MASK;
    if (
      (seen === pattern || seen === longPattern) && isNamed(i32, base, capacity, slot, name)
    ) return at - slots;
  }
  return -1;
}

/** The slot of a short entry whose value has another length. */
export function withValueBytes(slot: number, valueBytes: number): number {
  return (slot & ((1 << VALUE_SHIFT) - 1)) | (valueBytes << VALUE_SHIFT);
}

/** Whether the entry of a slot whose tag and length match has this name. */
function isNamed(
  i32: Int32Array,
  base: number,
  capacity: number,
  slot: number,
  name: FieldName,
): boolean {
  let word = base + ((capacity - (slot & PLACE_MASK)) & PLACE_MASK);
  if (((slot >>> NAME_SHIFT) & NAME_MASK) === LONG) {
    const head = i32[word];
    if ((head & LENGTH_MASK) !== name.bytes) return false;
    word += (head & LONG_EXPIRES) === 0 ? 1 : 1 + EXPIRY_WORDS;
  }
  const view = name.view, end = name.end, whole = end - 3;
  let at = name.start;
  for (; at < whole; at += 4, word++) {
    if (i32[word] !== view.getInt32(at, true)) return false;
  }
  return at === end || i32[word] === (view.getInt32(at, true) & ((1 << ((end - at) << 3)) - 1));
}

/** Says what the entry of slot number `index` is. */
export function readEntry(
  i32: Int32Array,
  base: number,
  capacity: number,
  index: number,
  place: FieldPlace,
): void {
  const slot = i32[slotsAt(i32, base) + index];
  let word = base + ((capacity - (slot & PLACE_MASK)) & PLACE_MASK);
  let nameBytes = (slot >>> NAME_SHIFT) & NAME_MASK, valueBytes = slot >>> VALUE_SHIFT;
  place.entryWord = word;
  place.expiresAtMs = 0;
  place.isLong = nameBytes === LONG;
  place.hasExpiry = false;
  if (nameBytes === LONG) {
    const head = i32[word++];
    nameBytes = head & LENGTH_MASK;
    valueBytes = (head >>> LONG_VALUE_SHIFT) & LENGTH_MASK;
    if ((head & LONG_EXPIRES) !== 0) {
      place.hasExpiry = true;
      place.expiresAtMs = momentAt(i32, word);
      word += EXPIRY_WORDS;
    }
  }
  place.nameWord = word;
  place.nameBytes = nameBytes;
  word += (nameBytes + 3) >>> 2;
  place.valueWord = word;
  place.valueBytes = valueBytes;
  place.entryWords = word + ((valueBytes + 3) >>> 2) - place.entryWord;
}

/** The slot's words less the place: what a copy of the entry in another segment begins with. */
export function slotBits(i32: Int32Array, base: number, index: number): number {
  return i32[slotsAt(i32, base) + index] & ~PLACE_MASK;
}

/**
 * Makes an entry for a new field at the end of the slots, and writes its name; the value's words are the caller's to
 * fill, `place.valueWord` says where. There has to be room for it, see `freeWords()` and `giveExpiryWords()`.
 */
export function addField(
  i32: Int32Array,
  base: number,
  capacity: number,
  name: FieldName,
  valueBytes: number,
  expiresAtMs: number,
  place: FieldPlace,
): void {
  const index = i32[base] & COUNT_MASK;
  i32[base]++;
  writeEntry(i32, base, capacity, index, name, valueBytes, expiresAtMs, place);
}

/** The same for the field at `index`, whose old entry is dead or gone. */
export function writeEntry(
  i32: Int32Array,
  base: number,
  capacity: number,
  index: number,
  name: FieldName,
  valueBytes: number,
  expiresAtMs: number,
  place: FieldPlace,
): void {
  const words = entryWordsFor(name.bytes, valueBytes, expiresAtMs !== 0);
  const heap = (i32[base] >>> HEAP_SHIFT) + words;
  i32[base] = (i32[base] & COUNT_MASK) | (heap << HEAP_SHIFT);
  const isLong = expiresAtMs !== 0 || name.bytes >= LONG || valueBytes > SHORT_VALUE_MAX;
  let word = base + capacity - heap;
  i32[slotsAt(i32, base) + index] = heap |
    (isLong ? name.longPattern : name.pattern | (valueBytes << VALUE_SHIFT));
  place.entryWord = word;
  place.entryWords = words;
  place.isLong = isLong;
  place.hasExpiry = expiresAtMs !== 0;
  place.expiresAtMs = expiresAtMs;
  if (isLong) {
    i32[word++] = name.bytes | (valueBytes << LONG_VALUE_SHIFT) |
      (expiresAtMs === 0 ? 0 : LONG_EXPIRES);
    if (expiresAtMs !== 0) {
      setMoment(i32, word, expiresAtMs);
      word += EXPIRY_WORDS;
    }
  }
  place.nameWord = word;
  place.nameBytes = name.bytes;
  const view = name.view, end = name.end, whole = end - 3;
  let at = name.start;
  for (; at < whole; at += 4) i32[word++] = view.getInt32(at, true);
  if (at < end) i32[word++] = view.getInt32(at, true) & ((1 << ((end - at) << 3)) - 1);
  place.valueWord = word;
  place.valueBytes = valueBytes;
}

/**
 * Gives the entry of the field at `index`, which `place` describes, another length of its value where it lies; false,
 * and nothing changed, if it has no room for that, or for the moment.
 */
export function rewriteInPlace(
  i32: Int32Array,
  base: number,
  index: number,
  valueBytes: number,
  expiresAtMs: number,
  place: FieldPlace,
): boolean {
  if (expiresAtMs !== 0 && !place.hasExpiry) return false;
  const oldWords = (place.valueBytes + 3) >>> 2, words = (valueBytes + 3) >>> 2;
  if (words > oldWords) return false;
  if (place.isLong) {
    i32[place.entryWord] = place.nameBytes | (valueBytes << LONG_VALUE_SHIFT) |
      (place.hasExpiry ? LONG_EXPIRES : 0);
    if (place.hasExpiry) setMoment(i32, place.entryWord + 1, expiresAtMs);
  } else {
    if (valueBytes > SHORT_VALUE_MAX) return false;
    const at = slotsAt(i32, base) + index;
    i32[at] = withValueBytes(i32[at], valueBytes);
  }
  place.valueBytes = valueBytes;
  place.expiresAtMs = expiresAtMs;
  place.entryWords -= oldWords - words;
  // What is left over at the entry's end is won back when the heap is closed up.
  i32[base + 1] += oldWords - words;
  return true;
}

/** The entry that `place` describes is dead; its slot stays. */
export function dropEntry(i32: Int32Array, base: number, place: FieldPlace): void {
  i32[base + 1] += place.entryWords;
}

/** Removes the field at `index`, which `place` describes; those behind it keep their order. */
export function removeField(
  i32: Int32Array,
  base: number,
  capacity: number,
  index: number,
  place: FieldPlace,
): void {
  const count = (i32[base] & COUNT_MASK) - 1, slots = slotsAt(i32, base);
  if (count === 0) {
    i32[base] = 0;
    i32[base + 1] &= ~COUNT_MASK;
    return;
  }
  if (index < count) i32.copyWithin(slots + index, slots + index + 1, slots + count + 1);
  i32[base]--;
  const heap = i32[base] >>> HEAP_SHIFT;
  // The entry made last goes without a trace.
  if (place.entryWord === base + capacity - heap) {
    i32[base] = (i32[base] & COUNT_MASK) | ((heap - place.entryWords) << HEAP_SHIFT);
  } else i32[base + 1] += place.entryWords;
}

/** Words that a segment needs beside an entry's own, before it may take one that has room for a moment. */
export function missingWords(i32: Int32Array, base: number, hasExpiry: boolean): number {
  return hasExpiry && !hasExpiryWords(i32, base) ? EXPIRY_WORDS : 0;
}

/** Makes room for the moment at which the first field expires; takes 2 of the free words. */
export function giveExpiryWords(i32: Int32Array, base: number): void {
  if (hasExpiryWords(i32, base)) return;
  const slots = slotsAt(i32, base);
  i32.copyWithin(slots + EXPIRY_WORDS, slots, slots + countOf(i32, base));
  i32[base + 1] |= FLAG_EXPIRES;
  setMoment(i32, slots, 0);
}

/** A field expires then: the segment's moment is to be no later. It has words for it. */
export function lowerEarliest(i32: Int32Array, base: number, expiresAtMs: number): void {
  const earliestMs = momentAt(i32, base + HEAD_WORDS);
  if (earliestMs === 0 || earliestMs > expiresAtMs) setMoment(i32, base + HEAD_WORDS, expiresAtMs);
}

export function setEarliest(i32: Int32Array, base: number, expiresAtMs: number): void {
  if (hasExpiryWords(i32, base)) setMoment(i32, base + HEAD_WORDS, expiresAtMs);
}

/** Copies an entry of `words` at `fromWord` and its slot, less the place, behind what is there. There has to be room. */
export function addCopy(
  i32: Int32Array,
  base: number,
  capacity: number,
  bits: number,
  from: Int32Array,
  fromWord: number,
  words: number,
): void {
  const head = i32[base], index = head & COUNT_MASK, heap = (head >>> HEAP_SHIFT) + words;
  i32[slotsAt(i32, base) + index] = bits | heap;
  i32[base] = (index + 1) | (heap << HEAP_SHIFT);
  const to = base + capacity - heap;
  for (let i = 0; i < words; i++) i32[to + i] = from[fromWord + i];
}

/** A moment in two words; whole, and below 2^64. */
export function momentAt(i32: Int32Array, word: number): number {
  return (i32[word + 1] >>> 0) * HIGH + (i32[word] >>> 0);
}

export function setMoment(i32: Int32Array, word: number, moment: number): void {
  i32[word] = moment | 0;
  i32[word + 1] = Math.floor(moment / HIGH) | 0;
}
