// A field of a hash by where look-ahead saw it: the hash is not opened, nor is anything of it believed.
//
// Hashes in one piece, without fields that expire, with names of up to 30 bytes: nearly all. Whatever else it meets, or a
// field that has moved since, it leaves to who opens the hash. May run without lock: what is torn is cut to the view.
import * as L from "../layout.ts";
import { hintedRecord } from "../record.ts";
import type { Shard } from "../shard.ts";
import { FieldName } from "./field_name.ts";
import { entryWord, likelySlot, plainValueWord, shortValueBytes } from "./plain_slots.ts";
import * as S from "./segment.ts";

const name = new FieldName();
/** Slot of the field that was seen last: hashes of one kind have theirs in one order. */
let predicted = 0;

/**
 * Looks in the record of the entry at `slotHint`, which look-ahead has loaded, for a field of that name. Gives one more
 * than the number of its slot, which is likely, as a hint, and sets `shard.entryWord` to its entry's first word; 0 for none.
 */
export function seenField(
  shard: Shard,
  slotHint: number,
  view: DataView,
  start: number,
  end: number,
): number {
  shard.entryWord = 0;
  const i32 = shard.i32, ref = shard.buckets[slotHint + L.BUCKET_REFS] & shard.unitMask;
  const head = i32[ref * 2];
  if ((head & (L.TYPE_MASK | L.FLAG_DIRECTORY)) !== L.TYPE_HASH) return 0;
  const base = ref * 2 + L.RECORD_HEADER_WORDS + ((head & L.FLAG_EXPIRY) >> L.EXPIRY_TO_WORDS) +
    (((head >>> L.KEY_SHIFT) + 3) >>> 2);
  const capacity = Math.min((i32[ref * 2 + 1] & 0x7fffffff) >>> 2, S.SEGMENT_WORDS_MAX);
  name.set(view, start, end);
  const index = likelySlot(i32, base, capacity, name, predicted);
  if (index < 0) return 0;
  predicted = index;
  shard.entryWord = entryWord(i32, base, capacity, index);
  return index + 1;
}

/**
 * The record of the hash with that key, expired or not, if look-ahead saw it at `slotHint` and the field at `fieldHint`;
 * 0 if it has to be searched. Sets `shard.fieldSlot` to the word of its slot, and `shard.valueStart` to the value's first byte.
 */
export function hintedField(
  shard: Shard,
  hash: number,
  database: number,
  view: DataView,
  start: number,
  end: number,
  slotHint: number,
  fieldStart: number,
  fieldEnd: number,
  fieldHint: number,
): number {
  const ref = hintedRecord(shard, hash, database, view, start, end, slotHint, L.TYPE_HASH);
  if (ref === 0) return 0;
  const i32 = shard.i32, word = shard.valueStart >>> 2;
  const capacity = Math.min((i32[ref * 2 + 1] & 0x7fffffff) >>> 2, S.SEGMENT_WORDS_MAX);
  const index = fieldHint - 1;
  const value = plainValueWord(i32, word, capacity, index, view, fieldStart, fieldEnd);
  if (value === 0) return 0;
  shard.fieldSlot = word + S.HEAD_WORDS + index;
  shard.valueStart = value * 4;
  return ref;
}

/**
 * Gives the field that `hintedField()` found the value `view[start..end)`, readable to 3 bytes past its end, where its old
 * value lies; false, and nothing done, if it does not take as many words. Under the lock for changes.
 */
export function overwriteHinted(shard: Shard, view: DataView, start: number, end: number): boolean {
  const i32 = shard.i32, slot = i32[shard.fieldSlot], bytes = end - start;
  const oldBytes = shortValueBytes(slot);
  if (bytes !== oldBytes) {
    if ((bytes + 3) >>> 2 !== (oldBytes + 3) >>> 2 || bytes > S.SHORT_VALUE_MAX) return false;
    i32[shard.fieldSlot] = S.withValueBytes(slot, bytes);
  }
  let word = shard.valueStart >>> 2;
  for (let at = start; at < end; at += 4) i32[word++] = view.getInt32(at, true);
  return true;
}

export { shortValueBytes };
