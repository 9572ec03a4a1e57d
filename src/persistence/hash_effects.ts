// Writes what a hash in memory holds as effects: the whole of it, or a step of a walk over its fields.
import { EFFECT_OVERHEAD_BYTES, FIELD_OVERHEAD_BYTES } from "../log/record.ts";
import type { EffectWriter } from "../log/effect_writer.ts";
import { type Hash, record, type Shard } from "../store/store.ts";

/** The caller holds the shard's lock in each function here. */
export class HashEffects {
  readonly #hash: Hash;
  #writer!: EffectWriter;
  #fields = 0;
  readonly #add = (hash: Hash): void => this.#addField(hash);

  /** `hash`: to open hashes with, for nobody else. */
  constructor(hash: Hash) {
    this.#hash = hash;
  }

  /** Whether the record's hash is so large that it lies in several pieces. */
  isLarge(shard: Shard, ref: number): boolean {
    this.#hash.open(shard, ref, 0);
    return this.#hash.isLarge;
  }

  /** A put of the hash, with the fields that have not expired by `nowMs`; false, and nothing written, if there is none. */
  put(writer: EffectWriter, shard: Shard, ref: number, nowMs: number): boolean {
    const before = this.#begin(writer, shard, ref, nowMs), hash = this.#hash;
    const place = writer.putHash(
      record.databaseOf(shard, ref),
      shard.i32,
      record.keyStartOf(shard, ref) >>> 2,
      record.keyBytesOf(shard, ref),
      record.expiresAtMsOf(shard, ref),
    );
    for (hash.rewind(); hash.next();) this.#addField(hash);
    writer.endHash(place);
    return this.#end(before);
  }

  /**
   * A merge of the fields of a step of `Hash.scan()` from `cursor` on, of at least `countMin` fields if there are so
   * many. Gives the next cursor, 0 at the end.
   */
  merge(
    writer: EffectWriter,
    shard: Shard,
    ref: number,
    nowMs: number,
    cursor: number,
    countMin: number,
  ): number {
    const before = this.#begin(writer, shard, ref, nowMs);
    const place = writer.mergeFields(
      record.databaseOf(shard, ref),
      shard.i32,
      record.keyStartOf(shard, ref) >>> 2,
      record.keyBytesOf(shard, ref),
      record.expiresAtMsOf(shard, ref),
    );
    const next = this.#hash.scan(cursor, countMin, this.#add);
    writer.endMerge(place, this.#fields);
    this.#end(before);
    return next;
  }

  #begin(writer: EffectWriter, shard: Shard, ref: number, nowMs: number): number {
    this.#writer = writer;
    this.#fields = 0;
    this.#hash.open(shard, ref, nowMs);
    writer.reserve(EFFECT_OVERHEAD_BYTES + record.keyBytesOf(shard, ref));
    return writer.length;
  }

  #addField({ shard: { i32 }, place }: Hash): void {
    const writer = this.#writer, { nameWord, nameBytes, valueWord, valueBytes } = place;
    writer.reserve(FIELD_OVERHEAD_BYTES + nameBytes + valueBytes);
    writer.fieldWords(i32, nameWord, nameBytes, place.expiresAtMs, i32, valueWord, valueBytes);
    this.#fields++;
  }

  #end(before: number): boolean {
    if (this.#fields === 0) this.#writer.length = before;
    return this.#fields > 0;
  }
}
