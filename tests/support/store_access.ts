// A store as tests use it: whole keys and values in, whole values out, each call one section of its own.
//
// It takes locks, stages blocks and copies as the engine does, without its speed; it knows no protocol.
import { expandValue } from "../../src/value_codec.ts";
import {
  compressed,
  createStoreMemory,
  entries,
  INLINE_VALUE_BYTES_MAX,
  type KeyRange,
  record,
  type Shard,
  type StagedBlock,
  Store,
  type StoreMemory,
  type StoreOptions,
  type ValueRange,
} from "../../src/store/store.ts";

export type Name = string | Uint8Array;

/** What an entry is stored with. */
export interface PutOptions {
  readonly database?: number;
  readonly expiresAtMs?: number;
  readonly clock?: number;
}

/** Tries of `append()` before it gives up on a value that others keep changing. */
const APPEND_TRIES_MAX = 100;

export class StoreAccess {
  readonly store: Store;

  constructor(readonly memory: StoreMemory) {
    this.store = new Store(memory);
  }

  key(name: Name, database = 0): KeyRange {
    const bytes = typeof name === "string" ? new TextEncoder().encode(name) : name;
    const view = new DataView(new ArrayBuffer(bytes.length + 8));
    new Uint8Array(view.buffer).set(bytes, 2);
    // What lies behind a key in a request is not zero.
    for (let at = bytes.length + 2; at < bytes.length + 8; at++) view.setUint8(at, 0xa5);
    const hash = this.store.hash(view, 2, bytes.length + 2, database);
    return { hash, database, view, start: 2, end: bytes.length + 2 };
  }

  shardOf(key: KeyRange): Shard {
    return this.store.shardOf(key.hash);
  }

  /** False, and nothing changed, if there is no memory. */
  put(name: Name, value: Uint8Array, options: PutOptions = {}): boolean {
    return this.putKey(this.key(name, options.database), value, options);
  }

  putKey(key: KeyRange, value: Uint8Array, options: PutOptions = {}): boolean {
    const { store } = this, shard = this.shardOf(key);
    const expiresAtMs = options.expiresAtMs ?? 0, clock = options.clock ?? 0;
    if (value.length <= INLINE_VALUE_BYTES_MAX) {
      store.lockChange(shard);
      const isStored = entries.putString(shard, key, valueRange(value), expiresAtMs, clock);
      store.unlockChange(shard);
      return isStored;
    }
    const block = store.stage(shard, value.length);
    if (block === null) return false;
    fill(block, 0, value);
    store.lockChange(shard);
    const made = entries.prepareBlock(shard, key, block, expiresAtMs);
    if (made !== 0) entries.linkPrepared(shard, key, made, block, clock);
    store.unlockChange(shard);
    if (made === 0) block.discard();
    return made !== 0;
  }

  /** A copy of the value, null if there is none; under the lock, blocks pinned and read outside it. */
  get(name: Name, nowMs = 0, database = 0): Uint8Array | null {
    return this.getKey(this.key(name, database), nowMs);
  }

  getKey(key: KeyRange, nowMs = 0, clock = 1): Uint8Array | null {
    const { store } = this, shard = this.shardOf(key);
    store.lockReading(shard);
    const ref = store.find(shard, key, nowMs, clock);
    if (ref === 0) {
      store.unlockReading(shard);
      return null;
    }
    if (record.isCompressed(shard, ref)) {
      const stored = compressed.storedCopy(shard, ref);
      store.unlockReading(shard);
      return expandValue(stored);
    }
    if (!record.isBlock(shard, ref)) {
      const start = record.valueStartOf(shard, ref);
      const value = shard.u8.slice(start, start + record.valueBytesOf(shard, ref));
      store.unlockReading(shard);
      return value;
    }
    const block = store.pin(shard, ref);
    store.unlockReading(shard);
    const value = new Uint8Array(block.lengthBytes);
    for (let done = 0; done < value.length;) {
      const piece = block.piece(done, 100_000);
      value.set(piece, done);
      done += piece.length;
    }
    block.release();
    return value;
  }

  /** Appends to the value, or makes it; false, and nothing changed, if there is no memory. */
  append(name: Name, added: Uint8Array, nowMs = 0, database = 0): boolean {
    return this.appendKey(this.key(name, database), added, nowMs);
  }

  appendKey(key: KeyRange, added: Uint8Array, nowMs = 0): boolean {
    const { store } = this, shard = this.shardOf(key), range = valueRange(added);
    for (let tries = 0; tries < APPEND_TRIES_MAX; tries++) {
      store.lockChange(shard);
      const ref = store.findForChange(shard, key, nowMs);
      const oldBytes = ref === 0 ? 0 : record.valueBytesOf(shard, ref);
      const totalBytes = oldBytes + added.length;
      const isBlock = ref !== 0 && record.isBlock(shard, ref);
      if (isBlock || totalBytes <= INLINE_VALUE_BYTES_MAX) {
        const isStored = ref === 0
          ? entries.putString(shard, key, range, 0, 0)
          : entries.appendString(shard, key, ref, range, null);
        store.unlockChange(shard);
        return isStored;
      }
      store.unlockChange(shard);
      const block = store.stage(shard, totalBytes);
      if (block === null) return false;
      fill(block, oldBytes, added);
      const linked = this.#linkAppended(shard, key, nowMs, oldBytes, range, block);
      if (linked !== null) return linked;
    }
    throw new Error(`a value changed ${APPEND_TRIES_MAX} times under an append`);
  }

  /** Null if the value is not `oldBytes` long in its slot any more: the block has been given back then. */
  #linkAppended(
    shard: Shard,
    key: KeyRange,
    nowMs: number,
    oldBytes: number,
    range: ValueRange,
    block: StagedBlock,
  ): boolean | null {
    const { store } = this;
    store.lockChange(shard);
    const ref = store.findForChange(shard, key, nowMs);
    const nowBytes = ref === 0 ? 0 : record.valueBytesOf(shard, ref);
    let isStored: boolean | null = null;
    if (nowBytes === oldBytes && (ref === 0 || !record.isBlock(shard, ref))) {
      if (ref === 0) {
        const made = entries.prepareBlock(shard, key, block, 0);
        if (made !== 0) entries.linkPrepared(shard, key, made, block, 0);
        isStored = made !== 0;
      } else {
        const start = record.valueStartOf(shard, ref);
        fill(block, 0, shard.u8.subarray(start, start + oldBytes));
        isStored = entries.appendString(shard, key, ref, range, block);
      }
    }
    store.unlockChange(shard);
    if (isStored !== true) block.discard();
    return isStored;
  }

  /** Whether there was something to remove. */
  remove(name: Name, nowMs = 0, database = 0): boolean {
    return this.removeKey(this.key(name, database), nowMs);
  }

  removeKey(key: KeyRange, nowMs = 0): boolean {
    const { store } = this, shard = this.shardOf(key);
    store.lockChange(shard);
    const ref = store.findForChange(shard, key, nowMs);
    if (ref !== 0) entries.removeFound(shard, ref);
    store.unlockChange(shard);
    return ref !== 0;
  }

  expire(name: Name, expiresAtMs: number, nowMs = 0, database = 0): boolean {
    const { store } = this, key = this.key(name, database), shard = this.shardOf(key);
    store.lockChange(shard);
    const ref = store.findForChange(shard, key, nowMs);
    if (ref !== 0) entries.setExpiry(shard, ref, expiresAtMs);
    store.unlockChange(shard);
    return ref !== 0;
  }
}

/** A store of its own with a hash key that is the same in every run. */
export function openStore(options: Partial<StoreOptions> = {}): StoreAccess {
  return new StoreAccess(createStoreMemory({
    maxmemoryBytes: 16 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    hashKey: [0x1234567, 0x89abcde],
    ...options,
  }));
}

export function valueRange(value: Uint8Array): ValueRange {
  const bytes = new Uint8Array(value.length + 4);
  bytes.set(value, 1);
  return { bytes, view: new DataView(bytes.buffer), start: 1, end: value.length + 1 };
}

export interface Random {
  /** An integer from 0 to n − 1. */
  below(n: number): number;
  bytes(n: number): Uint8Array;
}

/** Random numbers that a seed repeats (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    below: (n) => Math.floor(next() / 2 ** 32 * n),
    bytes: (n) => {
      const bytes = new Uint8Array(n);
      for (let i = 0; i < n; i++) bytes[i] = next();
      return bytes;
    },
  };
}

function fill(block: StagedBlock, at: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    const piece = block.piece(at + done, bytes.length - done);
    piece.set(bytes.subarray(done, done + piece.length));
    done += piece.length;
  }
}
