// Segments none of whose fields has room for a moment, as most are, read by the words of their slots.
//
// Nothing is filled and nothing is found twice: this is what the commands of caches that are warm come to. Without lock
// too: what is torn is cut to what lies in the view, whatever number a slot is asked for by.
import type { FieldName } from "./field_name.ts";
import * as S from "./segment.ts";

/** Fields of a segment none of which has room for a moment, 0 of any other; without lock too. */
export function plainCount(i32: Int32Array, base: number, capacity: number): number {
  const count = i32[base] & S.COUNT_MASK;
  return count > capacity || (i32[base + 1] & S.FLAG_EXPIRES) !== 0 ? 0 : count;
}

/**
 * Number of a slot of a segment without moments that by its tag and length is likely the one of the field with this
 * short name, −1 if there is none; the entry is not looked at. Slot `predicted` is tried first.
 */
export function likelySlot(
  i32: Int32Array,
  base: number,
  capacity: number,
  name: FieldName,
  predicted: number,
): number {
  const count = plainCount(i32, base, capacity), pattern = name.pattern;
  const slots = base + S.HEAD_WORDS;
  if (predicted < count && (i32[slots + predicted] & S.PATTERN_MASK) === pattern) return predicted;
  for (let index = 0; index < count; index++) {
    if ((i32[slots + index] & S.PATTERN_MASK) === pattern) return index;
  }
  return -1;
}

/** First word of the entry of slot number `index` of a segment without moments. */
export function entryWord(
  i32: Int32Array,
  base: number,
  capacity: number,
  index: number,
): number {
  return base + ((capacity - (i32[base + S.HEAD_WORDS + index] & S.PLACE_MASK)) & S.PLACE_MASK);
}

/**
 * First word of the value of the field in slot number `index`, if that is a short entry of this name in a segment without
 * moments; else 0. Without lock too, whatever the number is.
 */
export function plainValueWord(
  i32: Int32Array,
  base: number,
  capacity: number,
  index: number,
  view: DataView,
  start: number,
  end: number,
): number {
  if (index >>> 0 >= plainCount(i32, base, capacity)) return 0;
  const slot = i32[base + S.HEAD_WORDS + index], bytes = end - start;
  if (((slot >>> S.NAME_SHIFT) & S.NAME_MASK) !== bytes || bytes >= S.LONG) return 0;
  let word = base + ((capacity - (slot & S.PLACE_MASK)) & S.PLACE_MASK);
  for (const whole = end - 3; start < whole; start += 4, word++) {
    if (i32[word] !== view.getInt32(start, true)) return 0;
  }
  if (start === end) return word;
  const mask = (1 << ((end - start) << 3)) - 1;
  return i32[word] === (view.getInt32(start, true) & mask) ? word + 1 : 0;
}

/** Whether the entry of a slot is a long one: its lengths stand in its first word. */
export function isLong(slot: number): boolean {
  return ((slot >>> S.NAME_SHIFT) & S.NAME_MASK) === S.LONG;
}

/** Bytes of the name of a short entry, by its slot; and of a long one, by its first word. */
export function shortNameBytes(slot: number): number {
  return (slot >>> S.NAME_SHIFT) & S.NAME_MASK;
}

export function longNameBytes(head: number): number {
  return head & S.LENGTH_MASK;
}

export function longValueBytes(head: number): number {
  return (head >>> S.LONG_VALUE_SHIFT) & S.LENGTH_MASK;
}

/** Bytes of the value of a short entry, by its slot. */
export function shortValueBytes(slot: number): number {
  return slot >>> S.VALUE_SHIFT;
}
