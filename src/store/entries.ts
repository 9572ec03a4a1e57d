// Changes of entries: index, record, block and counts together, so that they always agree.
//
// The caller holds the shard's lock for changes in every function here. Key bytes are given as a view with
// offsets (readable to 3 bytes past the end); nothing of them is kept.
// Longer than most files, because each way to change an entry ends in the same few steps, which stay private to it.
import { noteAccess } from "./access.ts";
import {
  allocateSlot,
  CLASS_UNITS,
  classOfUnits,
  dropBlock,
  evacuate,
  freeSlot,
  reuseSlot,
  slotUnits,
} from "./arena.ts";
import { appendToBlock, linkBlock, type StagedBlock } from "./block.ts";
import {
  bucketNumber,
  chargeIndex,
  insertEntry,
  removeEntry,
  slotOfRef,
  visitChain,
} from "./bucket_index.ts";
import { savedUnits } from "./compressed.ts";
import { lowerBound } from "./expiry_index.ts";
import { dropParts, isDirectory, relinkPart } from "./hash/directory.ts";
import { hashKeyWords } from "./key_hash.ts";
import * as L from "./layout.ts";
import {
  blockPageOf,
  databaseOf,
  expiresAtMsOf,
  findHinted,
  hasExpiry,
  hintedRecord,
  isBlock,
  isElsewhere,
  keyBytesOf,
  keyStartOf,
  recordUnits,
  typeOf,
  valueBytesOf,
  valueStartOf,
} from "./record.ts";
import type { Shard } from "./shard.ts";
import { noteChange } from "./watch_table.ts";

/** Below this, copying word by word is faster than a call of set() (measured: 3 times at 64 bytes). */
const WORD_COPY_BYTES_MAX = 320;
/** A change that is no access. */
const NO_STAMP = -1;

/** A key as it lies in a request, with its hash. */
export interface KeyRange {
  hash: number;
  database: number;
  view: DataView;
  start: number;
  end: number;
  /** Where look-ahead saw an entry with this hash, 0 or absent if nowhere; it may have moved since. */
  slotHint?: number;
}

/** Makes a value's bytes a record's; `bytes` and `view` see the same buffer, with 3 bytes of slack. */
export interface ValueRange {
  bytes: Uint8Array;
  view: DataView;
  start: number;
  end: number;
}

/**
 * Stores a string of at most INLINE_VALUE_BYTES_MAX under the key, in place if the size class stays.
 * False, and nothing changed, if there is no memory.
 */
export function putString(
  shard: Shard,
  key: KeyRange,
  value: ValueRange,
  expiresAtMs: number,
  stamp: number,
): boolean {
  const ref = findKey(shard, key);
  const valueBytes = value.end - value.start;
  if (ref !== 0 && (shard.i32[ref * 2] & L.FLAGS_ELSEWHERE) === 0) {
    if (isInPlace(shard, ref, expiresAtMs, valueBytes)) {
      shard.i32[ref * 2] = (shard.i32[ref * 2] & ~L.TYPE_MASK) | L.TYPE_STRING;
      shard.i32[ref * 2 + 1] = valueBytes;
      setExpiry(shard, ref, expiresAtMs);
      copyIn(shard, valueStartOf(shard, ref), value);
      noteAccess(shard, shard.slot, stamp);
      if (shard.words[L.WATCHES] !== 0) noteChange(shard, key.hash);
      return true;
    }
  }
  const made = prepareString(shard, key, value, expiresAtMs);
  if (made === 0) return false;
  link(shard, key, ref, made, stamp);
  return true;
}

/**
 * `putString()` over the string that look-ahead saw at `slotHint`, where the size class stays: most of all writes of
 * a cache that is warm. The value is `valueView[valueStart..valueEnd)`, readable to 3 bytes past its end. False, and
 * nothing changed, if it is not so.
 */
export function overwriteString(
  shard: Shard,
  hash: number,
  database: number,
  view: DataView,
  keyStart: number,
  keyEnd: number,
  slotHint: number,
  valueView: DataView,
  valueStart: number,
  valueEnd: number,
  expiresAtMs: number,
  stamp: number,
): boolean {
  if (valueEnd - valueStart > WORD_COPY_BYTES_MAX) return false;
  const ref = hintedRecord(shard, hash, database, view, keyStart, keyEnd, slotHint, L.TYPE_STRING);
  if (ref === 0) return false;
  shard.slot = slotHint;
  return overwriteFound(shard, ref, hash, valueView, valueStart, valueEnd, expiresAtMs, stamp);
}

/** The same over the record `ref` that the last look-up of the key with this hash found; for short values. */
export function overwriteFound(
  shard: Shard,
  ref: number,
  hash: number,
  valueView: DataView,
  valueStart: number,
  valueEnd: number,
  expiresAtMs: number,
  stamp: number,
): boolean {
  const kind = shard.i32[ref * 2] & (L.TYPE_MASK | L.FLAGS_ELSEWHERE);
  if (kind !== L.TYPE_STRING) return false;
  const i32 = shard.i32, oldBytes = i32[ref * 2 + 1], valueBytes = valueEnd - valueStart;
  if (oldBytes !== valueBytes) {
    if (!isInPlace(shard, ref, expiresAtMs, valueBytes)) return false;
    i32[ref * 2 + 1] = valueBytes;
  }
  if (hasExpiry(shard, ref)) setMoment(shard, ref, expiresAtMs);
  else if (expiresAtMs !== 0) return false;
  let word = valueStartOf(shard, ref) >>> 2;
  for (let at = valueStart; at < valueEnd; at += 4) i32[word++] = valueView.getInt32(at, true);
  noteAccess(shard, shard.slot, stamp);
  if (shard.words[L.WATCHES] !== 0) noteChange(shard, hash);
  return true;
}

/** Writes the record of `putString()` without making it visible; 0 if there is no memory. */
export function prepareString(
  shard: Shard,
  key: KeyRange,
  value: ValueRange,
  expiresAtMs: number,
): number {
  const valueBytes = value.end - value.start;
  const ref = allocateSlot(shard, recordUnits(key.end - key.start, valueBytes, expiresAtMs !== 0));
  if (ref === 0) return 0;
  writeHeader(shard, ref, key, 0, valueBytes, expiresAtMs);
  copyIn(shard, valueStartOf(shard, ref), value);
  return ref;
}

/** The same for a value that lies in a staged block; 0 if there is no memory. */
export function prepareBlock(
  shard: Shard,
  key: KeyRange,
  block: StagedBlock,
  expiresAtMs: number,
): number {
  demandOwnBlock(shard, block);
  const ref = allocateSlot(shard, recordUnits(key.end - key.start, 4, expiresAtMs !== 0));
  if (ref === 0) return 0;
  writeHeader(shard, ref, key, L.FLAG_BLOCK, block.lengthBytes, expiresAtMs);
  shard.i32[valueStartOf(shard, ref) >>> 2] = block.firstPage + 1;
  return ref;
}

/** A record says nothing of its block's shard: with the pages of another one it would free what is not its. */
function demandOwnBlock(shard: Shard, block: StagedBlock): void {
  if (block.shard === shard) return;
  throw new Error(`a block of shard ${block.shard.number} for a record of shard ${shard.number}`);
}

/**
 * Makes a record of another type, whose value takes the whole of its slot and at least `valueBytes`: that is the caller's
 * to fill, and to link. `kind`: type and flags. 0 if there is no memory.
 */
export function prepareRecord(
  shard: Shard,
  key: KeyRange,
  kind: number,
  valueBytes: number,
  expiresAtMs: number,
): number {
  const units = recordUnits(key.end - key.start, valueBytes, expiresAtMs !== 0);
  const ref = allocateRoomy(shard, units);
  if (ref === 0) return 0;
  writeHeader(shard, ref, key, kind & ~L.TYPE_MASK, valueBytes, expiresAtMs);
  shard.i32[ref * 2] = (shard.i32[ref * 2] & ~L.TYPE_MASK) | (kind & L.TYPE_MASK);
  takeWholeSlot(shard, ref);
  return ref;
}

/**
 * The same as a copy of a record but for its value, which is the caller's to fill; flags are those of `flags`. 0 if there
 * is no memory.
 */
export function remakeRecord(shard: Shard, ref: number, flags: number, valueBytes: number): number {
  const i32 = shard.i32, headBytes = valueStartOf(shard, ref) - ref * 8;
  const units = (headBytes + valueBytes + 7) >>> 3, made = allocateRoomy(shard, units);
  if (made === 0) return 0;
  i32.copyWithin(made * 2, ref * 2, valueStartOf(shard, ref) >>> 2);
  i32[made * 2] = (i32[made * 2] & ~L.FLAGS_ELSEWHERE) | flags;
  takeWholeSlot(shard, made);
  return made;
}

/** A slot of at least so many units; where no page is to be had for it, one that is free and not twice as long. */
function allocateRoomy(shard: Shard, units: number): number {
  const ref = allocateSlot(shard, units);
  if (ref !== 0) return ref;
  return reuseSlot(shard, units, units, Math.min(units * 2, L.INLINE_VALUE_BYTES_MAX >>> 3));
}

function takeWholeSlot(shard: Shard, ref: number): void {
  const slotEnd = (ref + slotUnits(shard, ref)) * 8;
  const valueBytes = Math.min(slotEnd - valueStartOf(shard, ref), L.INLINE_VALUE_BYTES_MAX);
  shard.i32[ref * 2 + 1] = valueBytes;
}

/** Puts a record that `remakeRecord()` made in the place of `old`, to which `slot` refers (0: none); its parts go along. */
export function replaceRecord(shard: Shard, slot: number, old: number, made: number): void {
  if (slot !== 0) shard.buckets[slot + L.BUCKET_REFS] = made;
  freeSlot(shard, old);
}

/** `findHinted()` for a key in one piece. */
export function findKey(shard: Shard, key: KeyRange): number {
  const { hash, database, view, start, end } = key;
  return findHinted(shard, hash, database, view, start, end, key.slotHint ?? 0);
}

/** Makes a prepared record the key's, replacing what was there; `block` is the one it refers to, if any. */
export function linkPrepared(
  shard: Shard,
  key: KeyRange,
  made: number,
  block: StagedBlock | null,
  stamp: number,
): void {
  const ref = findKey(shard, key);
  if (block !== null) linkBlock(block);
  link(shard, key, ref, made, stamp);
}

/** Frees a prepared record that was not linked; its block, if any, stays with its owner. */
export function discardPrepared(shard: Shard, made: number): void {
  if (isDirectory(shard, made)) dropParts(shard, made);
  freeSlot(shard, made);
}

/**
 * Appends bytes to the value of `ref`, which the last `findRecord()` found. Where the result does not fit a
 * slot, `block` holds the whole of it. False, and nothing changed, if there is no memory.
 */
export function appendString(
  shard: Shard,
  key: KeyRange,
  ref: number,
  value: ValueRange,
  block: StagedBlock | null,
): boolean {
  const oldBytes = valueBytesOf(shard, ref), addedBytes = value.end - value.start;
  if (block !== null) {
    const made = prepareBlock(shard, key, block, expiresAtMsOf(shard, ref));
    if (made === 0) return false;
    linkBlock(block);
    link(shard, key, ref, made, NO_STAMP);
    return true;
  }
  if (isBlock(shard, ref)) {
    const added = value.bytes.subarray(value.start, value.end);
    if (!appendToBlock(shard, blockPageOf(shard, ref), oldBytes, added)) return false;
    shard.i32[ref * 2 + 1] = oldBytes + addedBytes;
    if (shard.words[L.WATCHES] !== 0) noteChange(shard, key.hash);
    return true;
  }
  const expiresAtMs = expiresAtMsOf(shard, ref);
  if (isInPlace(shard, ref, expiresAtMs, oldBytes + addedBytes)) {
    shard.i32[ref * 2 + 1] = oldBytes + addedBytes;
    shard.u8.set(value.bytes.subarray(value.start, value.end), valueStartOf(shard, ref) + oldBytes);
    if (shard.words[L.WATCHES] !== 0) noteChange(shard, key.hash);
    return true;
  }
  const newBytes = oldBytes + addedBytes;
  const made = allocateSlot(
    shard,
    recordUnits(key.end - key.start, newBytes, expiresAtMs !== 0),
  );
  if (made === 0) return false;
  writeHeader(shard, made, key, 0, newBytes, expiresAtMs);
  const from = valueStartOf(shard, ref), to = valueStartOf(shard, made);
  shard.u8.copyWithin(to, from, from + oldBytes);
  shard.u8.set(value.bytes.subarray(value.start, value.end), to + oldBytes);
  link(shard, key, ref, made, NO_STAMP);
  return true;
}

/** Removes the entry that the last `findRecord()` found. */
export function removeFound(shard: Shard, ref: number): void {
  removeAt(shard, shard.slot, ref);
}

/**
 * Sets when the record that the last look-up found expires, in ms since 1970, 0 for never. Gives the record, which
 * may lie elsewhere then; 0, and nothing changed, if the shard's region has no room for the moment.
 */
export function setExpiry(shard: Shard, ref: number, expiresAtMs: number): number {
  if (!hasExpiry(shard, ref)) {
    if (expiresAtMs === 0) return ref;
    ref = makeExpiring(shard, ref);
    if (ref === 0) return 0;
  }
  setMoment(shard, ref, expiresAtMs);
  return ref;
}

/** Gives the record that the last look-up found room for a moment at which it expires; 0 if the region is full. */
function makeExpiring(shard: Shard, ref: number): number {
  const head = shard.i32[ref * 2], keyBytes = keyBytesOf(shard, ref);
  const inlineBytes = isBlock(shard, ref) ? 4 : valueBytesOf(shard, ref);
  const units = recordUnits(keyBytes, inlineBytes, true);
  const isSameClass =
    classOfUnits(units) === classOfUnits(recordUnits(keyBytes, inlineBytes, false));
  // Whatever is full: with a moment to expire at, the entry gives more back than it takes now.
  const made = isSameClass ? ref : allocateSlot(shard, units, true);
  if (made === 0) return 0;
  const from = keyStartOf(shard, ref), contentBytes = valueStartOf(shard, ref) - from + inlineBytes;
  shard.i32[made * 2 + 1] = shard.i32[ref * 2 + 1];
  shard.u8.copyWithin(
    made * 8 + L.RECORD_HEADER_BYTES + L.EXPIRY_BYTES,
    from,
    from + contentBytes,
  );
  shard.i32[made * 2] = head | L.FLAG_EXPIRY;
  shard.f64[made + 1] = 0;
  if (made !== ref) {
    shard.buckets[shard.slot + L.BUCKET_REFS] = made;
    freeSlot(shard, ref);
  }
  return made;
}

/** Sets the moment of a record that has room for it. */
function setMoment(shard: Shard, ref: number, expiresAtMs: number): void {
  const before = shard.f64[ref + 1];
  if ((before !== 0) !== (expiresAtMs !== 0)) {
    shard.words[L.DB_EXPIRING + databaseOf(shard, ref)] += expiresAtMs !== 0 ? 1 : -1;
  }
  shard.f64[ref + 1] = expiresAtMs;
  if (expiresAtMs !== 0) noteExpiry(shard, shard.buckets[shard.slot], expiresAtMs);
}

/**
 * Something in the entry with this hash expires then: its bucket's bound is to be no later. Most of all it is early
 * enough already: then this is one load.
 */
export function noteExpiry(shard: Shard, hash: number, expiresAtMs: number): void {
  const bucket = bucketNumber(shard, hash >>> shard.addressShift), bound = shard.bounds[bucket];
  if (bound === 0 || bound > expiresAtMs) lowerBoundAndCharge(shard, bucket, expiresAtMs);
}

function lowerBoundAndCharge(shard: Shard, bucket: number, expiresAtMs: number): void {
  const isFirst = shard.words[L.BOUNDS_USED] === 0;
  lowerBound(shard, bucket, expiresAtMs);
  if (isFirst) chargeIndex(shard);
}

/** Removes all entries of a database, which shares the shard with others. */
export function removeDatabase(shard: Shard, database: number): void {
  const found: number[] = [];
  for (let bucket = 0; bucket < shard.words[L.BUCKETS]; bucket++) {
    visitChain(shard, bucket, (slot) => {
      const ref = shard.buckets[slot + L.BUCKET_REFS];
      if (databaseOf(shard, ref) === database) found.push(shard.buckets[slot], ref);
    });
  }
  for (let i = 0; i < found.length; i += 2) {
    removeAt(shard, slotOfRef(shard, found[i] >>> shard.addressShift, found[i + 1]), found[i + 1]);
  }
}

/** Moves a few records out of a sparse page, if one is being emptied. */
export function moveRecords(shard: Shard, k0: number, k1: number, movesMax: number): number {
  return evacuate(shard, movesMax, (of, from, to) => {
    if (typeOf(of, to) === L.TYPE_PART) return relinkPart(of, from, to);
    const database = databaseOf(of, to);
    const hash = hashKeyWords(
      of.i32,
      keyStartOf(of, to) >>> 2,
      keyBytesOf(of, to),
      k0,
      k1,
      database,
    );
    const slot = slotOfRef(of, hash >>> of.addressShift, from);
    if (slot === 0) throw new Error(`shard ${of.number}: no entry refers to record ${from}`);
    of.buckets[slot + L.BUCKET_REFS] = to;
  });
}

/** Removes the entry at `slot`, which refers to `ref`. */
export function removeAt(shard: Shard, slot: number, ref: number): void {
  const words = shard.words, database = databaseOf(shard, ref);
  words[L.DB_ENTRIES + database]--;
  if (expiresAtMsOf(shard, ref) !== 0) words[L.DB_EXPIRING + database]--;
  removeEntry(shard, slot);
  freeRecord(shard, ref);
}

/** Puts `made` in the place of `old` (0: none), which the last `findRecord()` found. */
function link(shard: Shard, key: KeyRange, old: number, made: number, stamp: number): void {
  const words = shard.words, expiresAtMs = expiresAtMsOf(shard, made);
  if (words[L.WATCHES] !== 0) noteChange(shard, key.hash);
  if (expiresAtMs !== 0) words[L.DB_EXPIRING + key.database]++;
  if (old === 0) {
    words[L.DB_ENTRIES + key.database]++;
    insertEntry(shard, key.hash, made, stamp);
    if (expiresAtMs !== 0) noteExpiry(shard, key.hash, expiresAtMs);
    return;
  }
  if (expiresAtMsOf(shard, old) !== 0) words[L.DB_EXPIRING + key.database]--;
  shard.buckets[shard.slot + L.BUCKET_REFS] = made;
  noteAccess(shard, shard.slot, stamp);
  if (expiresAtMs !== 0) noteExpiry(shard, key.hash, expiresAtMs);
  freeRecord(shard, old);
}

function freeRecord(shard: Shard, ref: number): void {
  if (isElsewhere(shard, ref)) {
    if (isBlock(shard, ref)) dropBlock(shard, blockPageOf(shard, ref));
    else if (isDirectory(shard, ref)) dropParts(shard, ref);
    else countCompressed(shard, ref, -1);
  }
  freeSlot(shard, ref);
}

/**
 * Gives the string that the last look-up found its value in another form, all else as it is, and nobody is told: in
 * `block` if that is not null; else `bytes`, which lie in the record, compressed or not. False, and nothing changed, if
 * there is no memory.
 */
export function reformString(
  shard: Shard,
  ref: number,
  bytes: Uint8Array,
  isCompressed: boolean,
  block: StagedBlock | null,
): boolean {
  const i32 = shard.i32, headWords = (valueStartOf(shard, ref) >>> 2) - ref * 2;
  const inlineBytes = block === null ? bytes.length : 4;
  const made = allocateSlot(shard, (headWords * 4 + inlineBytes + 7) >>> 3);
  if (made === 0) return false;
  i32.copyWithin(made * 2, ref * 2, ref * 2 + headWords);
  i32[made * 2] &= ~L.FLAGS_ELSEWHERE;
  if (block !== null) {
    demandOwnBlock(shard, block);
    i32[made * 2] |= L.FLAG_BLOCK;
    i32[made * 2 + 1] = block.lengthBytes;
    i32[made * 2 + headWords] = block.firstPage + 1;
    linkBlock(block);
  } else {
    i32[made * 2 + 1] = bytes.length;
    shard.u8.set(bytes, (made * 2 + headWords) * 4);
    if (isCompressed) {
      i32[made * 2] |= L.FLAG_COMPRESSED;
      countCompressed(shard, made, 1);
    }
  }
  shard.buckets[shard.slot + L.BUCKET_REFS] = made;
  freeRecord(shard, ref);
  return true;
}

function countCompressed(shard: Shard, ref: number, count: number): void {
  shard.words[L.COMPRESSED] += count;
  shard.words[L.COMPRESSED_UNITS] += count * savedUnits(shard, ref);
}

function writeHeader(
  shard: Shard,
  ref: number,
  key: KeyRange,
  flags: number,
  valueBytes: number,
  expiresAtMs: number,
): void {
  const i32 = shard.i32, view = key.view;
  const keyBytes = key.end - key.start;
  let word = ref * 2;
  i32[word] = (keyBytes << L.KEY_SHIFT) | flags | (key.database << L.DATABASE_SHIFT) |
    L.TYPE_STRING;
  i32[word + 1] = valueBytes;
  word += L.RECORD_HEADER_WORDS;
  if (expiresAtMs !== 0) {
    i32[ref * 2] |= L.FLAG_EXPIRY;
    shard.f64[ref + 1] = expiresAtMs;
    word += L.EXPIRY_BYTES / 4;
  }
  let at = key.start;
  const whole = key.end - 3;
  for (; at < whole; at += 4) i32[word++] = view.getInt32(at, true);
  if (at < key.end) i32[word] = view.getInt32(at, true) & ((1 << ((key.end - at) << 3)) - 1);
}

/** Whether a value of that length, with that expiry, takes the slot that the record has, in the way it has it. */
function isInPlace(shard: Shard, ref: number, expiresAtMs: number, valueBytes: number): boolean {
  const expires = hasExpiry(shard, ref), oldBytes = valueBytesOf(shard, ref);
  if (!expires && expiresAtMs !== 0) return false;
  const keyBytes = keyBytesOf(shard, ref);
  return valueBytes === oldBytes ||
    classOfUnits(recordUnits(keyBytes, valueBytes, expires)) ===
      classOfUnits(recordUnits(keyBytes, oldBytes, expires));
}

/** Copies a value to `to`, a multiple of 4; the last word is copied whole, into the slot's own padding. */
function copyIn(shard: Shard, to: number, value: ValueRange): void {
  const count = value.end - value.start;
  if (count > WORD_COPY_BYTES_MAX) {
    shard.u8.set(value.bytes.subarray(value.start, value.end), to);
    return;
  }
  const i32 = shard.i32, view = value.view, end = value.end;
  let word = to >>> 2;
  for (let at = value.start; at < end; at += 4) i32[word++] = view.getInt32(at, true);
}

/** Slot size in bytes that a record of these lengths takes: for MEMORY USAGE and tests. */
export function slotBytesFor(keyBytes: number, valueBytes: number, expires: boolean): number {
  return CLASS_UNITS[classOfUnits(recordUnits(keyBytes, valueBytes, expires))] * 8;
}
