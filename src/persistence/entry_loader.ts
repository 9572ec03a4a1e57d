// Applies logged effects to the store, in their order: asks neither clock nor policy, and drops nothing meanwhile.
//
// Effects are absolute, so applying one twice, or onto a newer state, ends in the same state. A partial effect on
// an absent key is ignored and counted: a later one explains it. Puts are gathered in small groups, so that the
// loads of their index lines and records overlap.
import { BY_RECENCY } from "../eviction_policies.ts";
import { LOAD_GROUP } from "../limits.ts";
import { EffectReader } from "../log/effect_reader.ts";
import type { GroupTarget } from "../log/frame_groups.ts";
import {
  DATABASES,
  EXPIRE,
  FLUSH,
  MERGE_FIELDS,
  PUT,
  RANGE,
  REMOVE,
  VALUE_HASH,
  VALUE_STRING,
} from "../log/record.ts";
import { fillPieces } from "../piecewise_bytes.ts";
import {
  accessStamp,
  compressed,
  entries,
  INLINE_VALUE_BYTES_MAX,
  type KeyLoader,
  type KeyRange,
  record,
  type Store,
  TYPE_STRING,
  type ValueRange,
} from "../store/store.ts";
import { compressValue, expandValue } from "../value_codec.ts";
import { HashLoader } from "./hash_loader.ts";

/** Redis's longest: nothing that a command makes is longer. */
const VALUE_BYTES_MAX = 512 * 1024 * 1024;
/** Whole words are read past a value's end. */
const VALUE_SLACK_BYTES = 8;

const IN_ORDER = Int32Array.from({ length: LOAD_GROUP }, (_, i) => i);

export class EntryLoader implements GroupTarget {
  /** Effects applied, partial ones that met no entry, and the last table of databases (null: none). */
  effects = 0;
  ignored = 0;
  table: Uint8Array | null = null;

  readonly #store: Store;
  readonly #hashes: HashLoader;
  readonly #loader: KeyLoader;
  readonly #keyBytesMax: number;
  readonly #clockKind: number;
  readonly #compressMinBytes: number;
  /** The clock goes on as entries are added, so what was written later counts as used later. */
  #stamp = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #reader = new EffectReader(this.#bytes);
  readonly #key: KeyRange = { hash: 0, database: 0, view: this.#view, start: 0, end: 0 };
  readonly #value: ValueRange = { bytes: this.#bytes, view: this.#view, start: 0, end: 0 };
  /** Puts that are gathered: hash, database, key, value, and the moment each expires. */
  #count = 0;
  readonly #hash = new Int32Array(LOAD_GROUP);
  /** Hints that nobody takes: each put looks for itself. */
  readonly #slot = new Int32Array(LOAD_GROUP);
  readonly #database = new Uint8Array(LOAD_GROUP);
  readonly #place = new Float64Array(LOAD_GROUP * 4);
  readonly #expiresAtMs = new Float64Array(LOAD_GROUP);

  /**
   * `clockKind`: what the entries' clocks tell under the policy that will hold. Values from `compressMinBytes` on are
   * compressed, 0: none.
   */
  constructor(
    store: Store,
    keyBytesMax: number,
    clockKind: number = BY_RECENCY,
    compressMinBytes = 0,
  ) {
    this.#compressMinBytes = compressMinBytes;
    this.#store = store;
    this.#hashes = new HashLoader(store);
    this.#loader = store.createLoader(LOAD_GROUP);
    this.#keyBytesMax = keyBytesMax;
    this.#clockKind = clockKind;
  }

  /** Applies the effects in `bytes[start..end)`, which is readable to 8 bytes past `end`; gives why it cannot. */
  take(bytes: Uint8Array, view: DataView, start: number, end: number): string | null {
    if (this.#bytes !== bytes) {
      const problem = this.#storeGathered();
      if (problem !== null) return problem;
      this.#bytes = bytes;
      this.#view = view;
      this.#reader = new EffectReader(bytes);
      this.#hashes.begin(bytes, view);
    }
    const reader = this.#reader;
    for (let at = start; at < end;) {
      at = reader.next(at, end);
      if (at < 0) return reader.error;
      const problem = this.#apply(reader);
      if (problem !== null) return problem;
      this.effects++;
    }
    return null;
  }

  /** What is gathered refers to the buffer, which is filled anew for the next frame. */
  endFrame(): string | null {
    return this.#storeGathered();
  }

  #storeGathered(): string | null {
    const store = this.#store, count = this.#count, hash = this.#hash, place = this.#place;
    if (count === 0) return null;
    this.#count = 0;
    this.#stamp = accessStamp(this.#clockKind, store.accessClock.tick, false);
    if (count > 1) this.#loader.loadRecords(hash, this.#slot, IN_ORDER, count);
    const key = this.#key, value = this.#value;
    key.view = value.view = this.#view;
    value.bytes = this.#bytes;
    for (let i = 0; i < count; i++) {
      key.hash = hash[i];
      key.database = this.#database[i];
      key.start = place[i * 4];
      key.end = place[i * 4 + 1];
      value.start = place[i * 4 + 2];
      value.end = place[i * 4 + 3];
      if (!this.#put(key, value, this.#expiresAtMs[i])) {
        return noMemory(value.end - value.start);
      }
    }
    return null;
  }

  #apply(reader: EffectReader): string | null {
    const { kind } = reader;
    if (kind === PUT || kind === MERGE_FIELDS) {
      const keyBytes = reader.keyEnd - reader.keyStart;
      if (keyBytes > this.#keyBytesMax) {
        return `a key of ${keyBytes} bytes, --max-key-bytes is ${this.#keyBytesMax}`;
      }
    }
    if (kind === PUT && reader.type !== VALUE_HASH) {
      if (reader.type !== VALUE_STRING) return `value of unknown type ${reader.type}`;
      const i = this.#count++;
      this.#hash[i] = this.#store.hash(
        this.#view,
        reader.keyStart,
        reader.keyEnd,
        reader.database,
      );
      this.#database[i] = reader.database;
      this.#place[i * 4] = reader.keyStart;
      this.#place[i * 4 + 1] = reader.keyEnd;
      this.#place[i * 4 + 2] = reader.valueStart;
      this.#place[i * 4 + 3] = reader.valueEnd;
      this.#expiresAtMs[i] = reader.expiresAtMs;
      return this.#count === LOAD_GROUP ? this.#storeGathered() : null;
    }
    const problem = this.#storeGathered();
    if (problem !== null) return problem;
    if (kind === FLUSH) this.#store.flush(reader.database);
    else if (kind === DATABASES) {
      this.table = this.#bytes.slice(reader.valueStart, reader.valueEnd);
    } else if (kind === RANGE) return this.#writeRange(reader);
    else if (kind === REMOVE || kind === EXPIRE) return this.#changeFound(reader);
    else return this.#applyToHash(reader);
    return null;
  }

  #applyToHash(reader: EffectReader): string | null {
    const hashes = this.#hashes, key = this.#keyOf(reader);
    this.#stamp = accessStamp(this.#clockKind, this.#store.accessClock.tick, false);
    const problem = hashes.apply(reader, key, this.#stamp);
    if (!hashes.isMet) this.ignored++;
    return problem;
  }

  #writeRange(reader: EffectReader): string | null {
    const store = this.#store, { offset } = reader;
    const bytes = this.#bytes.subarray(reader.valueStart, reader.valueEnd);
    const end = offset + bytes.length;
    if (end > VALUE_BYTES_MAX) return `a value of ${end} bytes`;
    const key = this.#keyOf(reader), shard = store.shardOf(key.hash);
    store.lockChange(shard);
    let ref = entries.findKey(shard, key);
    if (ref === 0 || record.typeOf(shard, ref) !== TYPE_STRING) {
      this.ignored++;
      store.unlockChange(shard);
      return null;
    }
    const isCompressed = record.isCompressed(shard, ref);
    const old = isCompressed ? expandValue(compressed.storedCopy(shard, ref)) : null;
    if (isCompressed && old === null) {
      store.unlockChange(shard);
      return "a compressed value is damaged";
    }
    const oldBytes = old?.length ?? record.valueBytesOf(shard, ref);
    const growth = Math.max(0, end - oldBytes);
    if (!record.isBlock(shard, ref)) {
      const whole = new Uint8Array(oldBytes + growth + VALUE_SLACK_BYTES);
      const start = record.valueStartOf(shard, ref);
      const expiresAtMs = record.expiresAtMsOf(shard, ref);
      whole.set(old ?? shard.u8.subarray(start, start + oldBytes));
      whole.set(bytes, offset);
      store.unlockChange(shard);
      // It stays plain, as where it was changed first: there may be many changes.
      return this.#putPlain(key, valueOf(whole), expiresAtMs) ? null : noMemory(oldBytes + growth);
    }
    const zeros = valueOf(new Uint8Array(growth + VALUE_SLACK_BYTES));
    const isGrown = growth === 0 || entries.appendString(shard, key, ref, zeros, null);
    if (isGrown) {
      ref = entries.findKey(shard, key);
      const block = store.blockOf(shard, ref);
      fillPieces(block, offset, bytes);
    }
    store.unlockChange(shard);
    return isGrown ? null : noMemory(oldBytes + growth);
  }

  #keyOf(reader: EffectReader): KeyRange {
    const key = this.#key;
    key.view = this.#view;
    key.database = reader.database;
    key.start = reader.keyStart;
    key.end = reader.keyEnd;
    key.hash = this.#store.hash(this.#view, key.start, key.end, key.database);
    return key;
  }

  #changeFound(reader: EffectReader): string | null {
    const store = this.#store, key = this.#keyOf(reader), shard = store.shardOf(key.hash);
    let problem: string | null = null;
    store.lockChange(shard);
    const ref = entries.findKey(shard, key);
    if (ref === 0) this.ignored++;
    else if (reader.kind === REMOVE) entries.removeFound(shard, ref);
    else if (entries.setExpiry(shard, ref, reader.expiresAtMs) === 0) problem = noMemory(0);
    store.unlockChange(shard);
    return problem;
  }

  #put(key: KeyRange, value: ValueRange, expiresAtMs: number): boolean {
    if (!this.#putPlain(key, value, expiresAtMs)) return false;
    const valueBytes = value.end - value.start, bytesMin = this.#compressMinBytes;
    if (bytesMin === 0 || valueBytes < bytesMin) return true;
    const plain = value.bytes.subarray(value.start, value.end);
    const stored = compressValue(plain, INLINE_VALUE_BYTES_MAX);
    if (stored === null) return true;
    const store = this.#store, shard = store.shardOf(key.hash);
    store.lockChange(shard);
    const ref = entries.findKey(shard, key);
    // Another thread may have met the key of a later moment, as something else. Without memory for the shorter one it
    // stays as it is.
    if (ref !== 0 && record.typeOf(shard, ref) === TYPE_STRING) {
      entries.reformString(shard, ref, stored, true, null);
    }
    store.unlockChange(shard);
    return true;
  }

  #putPlain(key: KeyRange, value: ValueRange, expiresAtMs: number): boolean {
    const store = this.#store, shard = store.shardOf(key.hash);
    if (value.end - value.start > INLINE_VALUE_BYTES_MAX) {
      return this.#putLarge(key, value, expiresAtMs);
    }
    store.lockChange(shard);
    const isStored = entries.putString(shard, key, value, expiresAtMs, this.#stamp);
    store.unlockChange(shard);
    return isStored;
  }

  #putLarge(key: KeyRange, value: ValueRange, expiresAtMs: number): boolean {
    const store = this.#store, shard = store.shardOf(key.hash);
    const lengthBytes = value.end - value.start, block = store.stage(shard, lengthBytes);
    if (block === null) return false;
    fillPieces(block, 0, value.bytes.subarray(value.start, value.end));
    store.lockChange(shard);
    const made = entries.prepareBlock(shard, key, block, expiresAtMs);
    if (made !== 0) entries.linkPrepared(shard, key, made, block, this.#stamp);
    store.unlockChange(shard);
    if (made === 0) block.discard();
    return made !== 0;
  }
}

/** All but the slack. */
function valueOf(bytes: Uint8Array): ValueRange {
  const view = new DataView(bytes.buffer);
  return { bytes, view, start: 0, end: bytes.length - VALUE_SLACK_BYTES };
}

function noMemory(valueBytes: number): string {
  return `no memory for its value of ${valueBytes} bytes: raise --maxmemory`;
}
