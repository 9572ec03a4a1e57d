// Starts loading what many keys lead to, so that the cache misses overlap: index lines, records, entries of fields.
//
// What is to be loaded is worked out in one loop and loaded in another, of a few instructions: a processor has only some
// hundred under way, and a load that misses holds up all that come behind it. With both in one loop GET and SET in
// pipelines of 16 took a fifth more, HGET and HSET a third. Runs without lock; what it leaves are hints.
import { bucketWord, nextBucketWord, placeInBucket } from "./bucket_index.ts";
import { seenField } from "./hash/hinted_field.ts";
import * as L from "./layout.ts";
import type { Shard } from "./shard.ts";

/** A cache line, in words. */
const LINE_WORDS = 16;
/** Of hashes that are read as a whole so many lines: what lies behind, the processor fetches by itself. */
const HASH_LINES_MAX = 18;
/** A name and a value of 8 bytes, which may lie in two lines. */
const ENTRY_WORDS = 4;

export class KeyLoader {
  /** What the last loads came to: kept, so that they are. */
  loaded = 0;

  readonly #shards: readonly Shard[];
  readonly #shardMask: number;
  readonly #indexes: readonly Int32Array[];
  readonly #arenas: readonly Int32Array[];
  /** Words of the arenas that are to be loaded. */
  readonly #words: Int32Array;

  /** Of at most `keysMax` keys at once. */
  constructor(shards: readonly Shard[], keysMax: number) {
    this.#shards = shards;
    this.#shardMask = shards.length - 1;
    this.#indexes = shards.map(({ buckets }) => buckets);
    this.#arenas = shards.map(({ i32 }) => i32);
    this.#words = new Int32Array(keysMax);
  }

  /**
   * Loads the index lines and the first two lines of the records of `keys` keys, whose hashes are `hashes[at[i]]`. Leaves
   * at the same places of `slots` the slot of the index that has the hash, as a hint for `KeyRange`; 0 for none.
   */
  loadRecords(hashes: Int32Array, slots: Int32Array, at: Int32Array, keys: number): void {
    const mask = this.#shardMask, shards = this.#shards, words = this.#words;
    for (let i = 0; i < keys; i++) {
      const hash = hashes[at[i]], shard = shards[hash & mask];
      slots[at[i]] = bucketWord(shard, hash >>> shard.addressShift);
    }
    const indexes = this.#indexes, arenas = this.#arenas;
    let loaded = 0;
    for (let i = 0; i < keys; i++) loaded ^= indexes[hashes[at[i]] & mask][slots[at[i]]];
    for (let i = 0; i < keys; i++) {
      const hash = hashes[at[i]], shard = shards[hash & mask];
      const slot = slots[at[i]] = slotOf(shard, hash, slots[at[i]]);
      words[i] = slot === 0 ? 0 : (shard.buckets[slot + L.BUCKET_REFS] & shard.unitMask) * 2;
    }
    for (let i = 0; i < keys; i++) {
      const arena = arenas[hashes[at[i]] & mask], word = words[i];
      loaded ^= arena[word] ^ arena[word + LINE_WORDS];
    }
    this.loaded = loaded;
  }

  /**
   * Loads the entry of one field of each of the hashes that `loadRecords()` has loaded: of the one that the argument behind
   * the key's names, which `view` has from `starts` to `ends`. Leaves hints for `hintedField()` in `slots`, 0 for none.
   */
  loadFields(
    hashes: Int32Array,
    slots: Int32Array,
    at: Int32Array,
    keys: number,
    view: DataView,
    starts: Int32Array,
    ends: Int32Array,
  ): void {
    const mask = this.#shardMask, shards = this.#shards, words = this.#words;
    for (let i = 0; i < keys; i++) {
      const key = at[i], field = key + 1, slot = slots[key], shard = shards[hashes[key] & mask];
      slots[field] = slot === 0 ? 0 : seenField(shard, slot, view, starts[field], ends[field]);
      words[i] = slots[field] === 0 ? 0 : shard.entryWord;
    }
    const arenas = this.#arenas;
    let loaded = 0;
    for (let i = 0; i < keys; i++) {
      const arena = arenas[hashes[at[i]] & mask], word = words[i];
      loaded ^= arena[word] ^ arena[word + ENTRY_WORDS - 1];
    }
    this.loaded = loaded;
  }

  /** Loads what `loadRecords()` has not loaded of a hash that lies in one piece and is read as a whole. */
  loadHash(hash: number, slot: number): void {
    if (slot === 0) return;
    const shard = this.#shards[hash & this.#shardMask], i32 = shard.i32;
    const word = (shard.buckets[slot + L.BUCKET_REFS] & shard.unitMask) * 2;
    if ((i32[word] & (L.TYPE_MASK | L.FLAG_DIRECTORY)) !== L.TYPE_HASH) return;
    const lines = ((i32[word + 1] & 0x7fffffff) >>> 6) + 2;
    const end = word + Math.min(lines, HASH_LINES_MAX) * LINE_WORDS;
    let loaded = 0;
    for (let at = word + 2 * LINE_WORDS; at < end; at += LINE_WORDS) loaded ^= i32[at];
    this.loaded = loaded;
  }
}

/**
 * Where one of the first two buckets from `base` on has this hash; 0 if they do not. Slots are not compared one by one:
 * which of them it is, is not to be predicted.
 */
function slotOf(shard: Shard, hash: number, base: number): number {
  let place = placeInBucket(shard.buckets, base, hash);
  if (place === 0) {
    base = nextBucketWord(shard, base);
    if (base === 0) return 0;
    place = placeInBucket(shard.buckets, base, hash);
    if (place === 0) return 0;
  }
  return base + place - 1;
}
