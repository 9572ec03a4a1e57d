// Applies logged effects on hashes to the store; as for all entries, it asks no clock and drops nothing meanwhile.
//
// A hash that loses its last field here stays, with that field as one that has expired long ago: where the log is
// replayed onto a newer state, what it tells next may be a field of the same hash. After the last effect it goes with
// all else that has expired. (What takes a hash's last field in memory tells that the key is removed.)
import { HASH_FIELD_BYTES_MAX } from "../limits.ts";
import type { EffectReader } from "../log/effect_reader.ts";
import { FieldReader } from "../log/field_reader.ts";
import { EXPIRE_FIELDS, MERGE_FIELDS, PUT, REMOVE_FIELDS } from "../log/record.ts";
import {
  entries,
  type Hash,
  type KeyRange,
  record,
  type Store,
  TYPE_HASH,
} from "../store/store.ts";

/** Nothing expires before the last effect. */
const NO_MOMENT = 0;
/** Of a field that is removed, the last one of its hash: it has expired. */
const LONG_AGO_MS = 1;

export class HashLoader {
  /** Of the last effect: whether there was a hash, or it made one. */
  isMet = false;

  readonly #store: Store;
  readonly #hash: Hash;
  #bytes: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #fields = new FieldReader(this.#bytes);

  constructor(store: Store) {
    this.#store = store;
    this.#hash = store.createHash();
  }

  /** The buffer of the effects that follow, readable to 8 bytes past each. */
  begin(bytes: Uint8Array, view: DataView): void {
    this.#bytes = bytes;
    this.#view = view;
    this.#fields = new FieldReader(bytes);
  }

  /** Applies the effect that was read, of the key; gives why it cannot. */
  apply(reader: EffectReader, key: KeyRange, stamp: number): string | null {
    const store = this.#store,
      shard = store.shardOf(key.hash),
      hash = this.#hash,
      { kind } = reader;
    const isMaking = kind === PUT || kind === MERGE_FIELDS;
    const words = isMaking ? this.#wordsOf(reader) : 0;
    store.lockChange(shard);
    let ref = entries.findKey(shard, key), isMade = false, problem: string | null = null;
    const isHash = ref !== 0 && record.typeOf(shard, ref) === TYPE_HASH;
    this.isMet = isMaking || isHash;
    if (kind === PUT || (isMaking && !isHash)) {
      isMade = hash.prepare(shard, key, words, reader.expiresAtMs, NO_MOMENT);
      if (!isMade) problem = NO_MEMORY;
    } else if (isHash) {
      if (isMaking) ref = entries.setExpiry(shard, ref, reader.expiresAtMs);
      if (ref === 0) problem = NO_MEMORY;
      else hash.openForChange(shard, ref, shard.slot, key.hash, NO_MOMENT);
    }
    if (this.isMet && problem === null) {
      problem = this.#change(reader);
      if (!isMade) store.noteAccess(shard, hash.slot, stamp);
      else if (problem === null) hash.link(key, stamp);
      else hash.discard();
    }
    store.unlockChange(shard);
    return problem;
  }

  /** Changes the open hash field by field. */
  #change(reader: EffectReader): string | null {
    const { kind } = reader, hash = this.#hash, fields = this.#begin(reader), view = this.#view;
    for (let i = 0; i < reader.fieldCount; i++) {
      fields.next();
      const { nameStart, nameEnd, valueStart, valueEnd, expiresAtMs } = fields;
      let isRoom = true;
      if (kind === REMOVE_FIELDS) isRoom = this.#remove(nameStart, nameEnd);
      else if (kind === EXPIRE_FIELDS) {
        isRoom = hash.setExpiry(view, nameStart, nameEnd, expiresAtMs) >= 0;
      } else {
        const lengthBytes = nameEnd - nameStart + valueEnd - valueStart;
        if (lengthBytes > HASH_FIELD_BYTES_MAX) {
          return `a field of ${lengthBytes} bytes in a hash, at most ${HASH_FIELD_BYTES_MAX}`;
        }
        isRoom = hash.set(
          view,
          nameStart,
          nameEnd,
          this.#bytes,
          view,
          valueStart,
          valueEnd,
          expiresAtMs,
        ) >= 0;
      }
      if (!isRoom) return NO_MEMORY;
    }
    return null;
  }

  #remove(nameStart: number, nameEnd: number): boolean {
    const hash = this.#hash, view = this.#view;
    if (hash.fieldCount > 1) hash.remove(view, nameStart, nameEnd);
    else return hash.setExpiry(view, nameStart, nameEnd, LONG_AGO_MS) >= 0;
    return true;
  }

  #begin(reader: EffectReader): FieldReader {
    const fields = this.#fields;
    fields.begin(reader.kind, reader.valueStart, reader.valueEnd);
    return fields;
  }

  /** What all fields together take in memory. */
  #wordsOf(reader: EffectReader): number {
    const fields = this.#begin(reader);
    let words = 0;
    for (let i = 0; i < reader.fieldCount; i++) {
      fields.next();
      const { nameStart, nameEnd, valueStart, valueEnd, expiresAtMs } = fields;
      words += this.#hash.wordsFor(nameEnd - nameStart, valueEnd - valueStart, expiresAtMs !== 0);
    }
    return words;
  }
}

const NO_MEMORY = "no memory for a hash: raise --maxmemory";
