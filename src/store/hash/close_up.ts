// Wins back the dead words of a segment's heap, or moves a segment; the caller holds the lock for changes.
import * as S from "./segment.ts";

const scratch = new Int32Array(S.SEGMENT_WORDS_MAX);
const scratchPlace = new S.FieldPlace();

/**
 * Closes the heap up in the order of the slots, into the segment of `toCapacity` words at `to`, which may be the same;
 * the entry of slot `without` (−1: none) is left out, and its slot waits for `writeEntry()`.
 */
export function closeUp(
  i32: Int32Array,
  base: number,
  capacity: number,
  to: number,
  toCapacity: number,
  without: number,
): void {
  const count = S.countOf(i32, base),
    slots = S.slotsAt(i32, base),
    slotWords = slots - base + count;
  let heap = 0;
  if (to !== base) i32.copyWithin(to, base, base + slotWords);
  const toSlots = to + slots - base;
  for (let index = 0; index < count; index++) {
    if (index === without) continue;
    const slot = i32[slots + index];
    S.readEntry(i32, base, capacity, index, scratchPlace);
    const { entryWord, entryWords } = scratchPlace;
    heap += entryWords;
    for (let i = 0, at = S.SEGMENT_WORDS_MAX - heap; i < entryWords; i++, at++) {
      scratch[at] = i32[entryWord + i];
    }
    // In place, later slots are read where they still refer to the old heap.
    i32[toSlots + index] = (slot & ~S.PLACE_MASK) | heap;
  }
  const from = S.SEGMENT_WORDS_MAX - heap, target = to + toCapacity - heap;
  for (let i = 0; i < heap; i++) i32[target + i] = scratch[from + i];
  i32[to] = count | (heap << S.HEAP_SHIFT);
  i32[to + 1] &= ~S.COUNT_MASK;
}
