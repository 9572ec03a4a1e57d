// Compresses values that a batch has stored, once its locks are released; and makes them plain again for who changes them.
//
// A value is stored plain, as ever, and told to the log so. Afterwards it is read again, compressed with no lock held,
// and put in the place of the plain one if that is still there: a change of the form alone, which nobody is told of.
import {
  COMPRESS_BYTES_MAX,
  COMPRESS_BYTES_MIN,
  COMPRESS_QUEUE_BYTES_MAX,
  COMPRESS_QUEUE_MAX,
} from "../limits.ts";
import { fillPieces } from "../piecewise_bytes.ts";
import type { Settings } from "../settings.ts";
import {
  compressed,
  entries,
  INLINE_VALUE_BYTES_MAX,
  type KeyRange,
  type PinnedBlock,
  record,
  type Shard,
  type Store,
  TYPE_STRING,
} from "../store/store.ts";
import { compressValue, expandValue } from "../value_codec.ts";
import type { Staging } from "./staging.ts";

/** Keys are looked at in whole words, and so a little past their end. */
const KEY_SLACK_BYTES = 8;
const EMPTY = new Uint8Array(0);
/** Once as it is, and again when room was made. */
const EXPAND_TRIES_MAX = 2;

export class Compressor {
  readonly #store: Store;
  readonly #settings: Settings;
  readonly #keys: KeyRange[] = [];
  #keyBytes = 0;
  /** Set by `expand()` where there is nothing to be made of what is stored. */
  isDamaged = false;

  constructor(store: Store, settings: Settings) {
    this.#store = store;
    this.#settings = settings;
  }

  /** The keys that wait for `run()`. */
  get count(): number {
    return this.#keys.length;
  }

  /** A value of `valueBytes` was stored under the key: it is compressed by `run()` if it is long enough. */
  note(key: KeyRange, valueBytes: number): void {
    const bytesMin = this.#settings.compressMinBytes;
    if (bytesMin === 0 || valueBytes < bytesMin || valueBytes > COMPRESS_BYTES_MAX) return;
    const keyBytes = key.end - key.start;
    if (this.#keys.length === COMPRESS_QUEUE_MAX) return;
    if (this.#keyBytes + keyBytes > COMPRESS_QUEUE_BYTES_MAX) return;
    this.#keyBytes += keyBytes;
    const bytes = new Uint8Array(keyBytes + KEY_SLACK_BYTES);
    const from = key.view.byteOffset + key.start;
    bytes.set(new Uint8Array(key.view.buffer, from, keyBytes));
    const view = new DataView(bytes.buffer);
    this.#keys.push({ hash: key.hash, database: key.database, view, start: 0, end: keyBytes });
  }

  /** Compresses what was noted; holds a lock only to read a value, and to put it back. */
  run(): void {
    for (const key of this.#keys) this.#compress(key);
    this.#keys.length = 0;
    this.#keyBytes = 0;
  }

  #compress(key: KeyRange): void {
    const store = this.#store, shard = store.shardOf(key.hash);
    let pin: PinnedBlock | null = null;
    store.lockReading(shard);
    const ref = findPlain(shard, key);
    const changes = store.changesOf(shard);
    let plain: Uint8Array = EMPTY;
    if (ref !== 0) {
      if (record.isBlock(shard, ref)) pin = store.pin(shard, ref);
      else plain = compressed.storedCopy(shard, ref);
    }
    store.unlockReading(shard);
    if (ref === 0) return;
    if (pin !== null) plain = compressed.blockCopy(pin);
    const stored = compressValue(plain, INLINE_VALUE_BYTES_MAX);
    if (stored !== null) {
      store.lockChange(shard);
      const now = findPlain(shard, key);
      // A pinned block is changed by nobody but at its end, so its page and length say that it is the same.
      const isBlock = now !== 0 && record.isBlock(shard, now);
      const isSame = store.changesOf(shard) === changes ||
        now !== 0 && isBlock === (pin !== null) &&
          (pin !== null
            ? record.blockPageOf(shard, now) === pin.firstPage &&
              record.valueBytesOf(shard, now) === pin.lengthBytes
            : compressed.holdsBytes(shard, now, plain));
      if (isSame) entries.reformString(shard, now, stored, true, null);
      store.unlockChange(shard);
    }
    pin?.release();
  }

  /**
   * Makes the value of the key plain, if it is compressed; for `prepare`, with no lock held but a transaction's. False if
   * there is no memory for it.
   */
  expand(key: KeyRange, staging: Staging, nowMs: number): boolean {
    for (let tries = 0; tries < EXPAND_TRIES_MAX; tries++) {
      const store = this.#store, shard = store.shardOf(key.hash);
      store.lockReading(shard);
      const ref = entries.findKey(shard, key);
      const stored = ref !== 0 && record.isCompressed(shard, ref)
        ? compressed.storedCopy(shard, ref)
        : null;
      store.unlockReading(shard);
      if (stored === null) return true;
      const plain = expandValue(stored);
      this.isDamaged = plain === null;
      if (plain === null) return true;
      if (this.#putPlain(shard, key, stored, plain, staging, nowMs)) return true;
      if (!staging.reclaim(nowMs, plain.length)) return false;
    }
    return false;
  }

  #putPlain(
    shard: Shard,
    key: KeyRange,
    stored: Uint8Array,
    plain: Uint8Array,
    staging: Staging,
    nowMs: number,
  ): boolean {
    const store = this.#store, isLarge = plain.length > INLINE_VALUE_BYTES_MAX;
    const block = isLarge ? staging.stage(shard, plain.length, nowMs) : null;
    if (isLarge && block === null) return false;
    if (block !== null) fillPieces(block, 0, plain);
    store.enterChange(shard);
    const ref = entries.findKey(shard, key);
    // Another value by now: the command finds out.
    const isSame = ref !== 0 && record.isCompressed(shard, ref) &&
      compressed.holdsBytes(shard, ref, stored);
    const isPut = !isSame || entries.reformString(shard, ref, plain, false, block);
    store.leaveChange(shard);
    block?.discard();
    return isPut;
  }
}

/** The record of a key that holds a plain string which may be compressed, 0 if it has none; under a lock. */
function findPlain(shard: Shard, key: KeyRange): number {
  const ref = entries.findKey(shard, key);
  if (ref === 0 || record.typeOf(shard, ref) !== TYPE_STRING) return 0;
  if (record.isCompressed(shard, ref)) return 0;
  const valueBytes = record.valueBytesOf(shard, ref);
  return valueBytes < COMPRESS_BYTES_MIN || valueBytes > COMPRESS_BYTES_MAX ? 0 : ref;
}
