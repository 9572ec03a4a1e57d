// Hashes of a store as tests use them: whole fields in, whole hashes out, each call one section of its own.
import {
  entries,
  type Hash,
  type KeyRange,
  record,
  type Shard,
  TYPE_HASH,
} from "../../src/store/store.ts";
import { type StoreAccess, valueRange } from "./store_access.ts";

/** A field as tests tell it; its name is text. */
export interface HashField {
  readonly name: string;
  readonly value: Uint8Array;
  readonly expiresAtMs: number;
}

/** By name, in the order in which the hash gives them. */
export type HashFields = Map<string, { readonly value: Uint8Array; readonly expiresAtMs: number }>;

export class StoreHashes {
  readonly #hash: Hash;

  constructor(readonly access: StoreAccess) {
    this.#hash = access.store.createHash();
  }

  /** Gives the key a hash of these fields in the place of whatever it had; false: no memory. */
  put(key: KeyRange, fields: readonly HashField[], expiresAtMs = 0): boolean {
    return this.#changing(key, (shard) => {
      const hash = this.#hash;
      if (!hash.prepare(shard, key, 0, expiresAtMs, 0)) return false;
      for (const field of fields) {
        if (this.#set(field)) continue;
        hash.discard();
        return false;
      }
      hash.link(key, 0);
      return true;
    });
  }

  /** Sets fields of a hash that is there; false: no memory for one of them. */
  set(key: KeyRange, fields: readonly HashField[]): boolean {
    return this.#changing(key, (shard) => {
      this.#openForChange(shard, key);
      return fields.every((field) => this.#set(field));
    });
  }

  /** Removes fields of a hash that is there; the entry as well if none is left. Gives how many are left. */
  remove(key: KeyRange, names: readonly string[]): number {
    return this.#changing(key, (shard) => {
      const hash = this.#hash;
      this.#openForChange(shard, key);
      for (const name of names) {
        const { view, start, end } = nameRange(name);
        hash.remove(view, start, end);
      }
      const left = hash.fieldCount;
      if (left === 0) entries.removeAt(shard, hash.slot, hash.ref);
      return left;
    });
  }

  /** Sets when a field of a hash that is there expires, 0 for never; whether there is such a field. */
  expire(key: KeyRange, name: string, expiresAtMs: number): boolean {
    return this.#changing(key, (shard) => {
      this.#openForChange(shard, key);
      const { view, start, end } = nameRange(name);
      return this.#hash.setExpiry(view, start, end, expiresAtMs) > 0;
    });
  }

  /** All fields, with those that have expired by `nowMs` left out (0: with them); null if the key has no hash. */
  get(key: KeyRange, nowMs = 0): HashFields | null {
    const { access: { store } } = this, shard = store.shardOf(key.hash), hash = this.#hash;
    store.lockReading(shard);
    const ref = entries.findKey(shard, key);
    const found: HashFields = new Map();
    const isHash = ref !== 0 && record.typeOf(shard, ref) === TYPE_HASH;
    if (isHash) {
      hash.open(shard, ref, nowMs);
      for (hash.rewind(); hash.next();) {
        const { nameWord, nameBytes, valueWord, valueBytes, expiresAtMs } = hash.place;
        const name = shard.u8.slice(nameWord * 4, nameWord * 4 + nameBytes);
        const value = shard.u8.slice(valueWord * 4, valueWord * 4 + valueBytes);
        found.set(new TextDecoder().decode(name), { value, expiresAtMs });
      }
    }
    store.unlockReading(shard);
    return isHash ? found : null;
  }

  #set({ name, value, expiresAtMs }: HashField): boolean {
    const from = nameRange(name), to = valueRange(value);
    return this.#hash.set(
      from.view,
      from.start,
      from.end,
      to.bytes,
      to.view,
      to.start,
      to.end,
      expiresAtMs,
    ) >= 0;
  }

  #openForChange(shard: Shard, key: KeyRange): void {
    const ref = entries.findKey(shard, key);
    if (ref === 0 || record.typeOf(shard, ref) !== TYPE_HASH) throw new Error("no hash is there");
    this.#hash.openForChange(shard, ref, shard.slot, key.hash, 0);
  }

  #changing<T>(key: KeyRange, change: (shard: Shard) => T): T {
    const { store } = this.access, shard = store.shardOf(key.hash);
    store.lockChange(shard);
    try {
      return change(shard);
    } finally {
      store.unlockChange(shard);
    }
  }
}

/** A field's name as it lies in a request. */
export function nameRange(name: string): { view: DataView; start: number; end: number } {
  return valueRange(new TextEncoder().encode(name));
}
