// What eviction remembers of each shard, in shared memory: where its hand stands and what it let go.
//
// Words are changed under the shard's lock. Layout of a shard's part, in 4-byte words:
//   0, 1     float64: entries let go so far
//   2        the bucket at which the hand stands
//   3        what the access clocks mean, see `cellMeaning()`; 0 before the first
//   4 on     SIEVE's hand, see there; it leaves 10 to 31 free
//   10, 11   float64: of the entries let go, those that were not admitted
//   12, 13   float64: entries that were admitted in the place of another
//   14, 15   the bucket up to which clocks were looked at lest they wrap, and the tick at which that was
import { SIEVE_WORDS } from "./sieve_hand.ts";

export const HAND = 2;
export const CLOCK_MEANING = 3;
export const WALK_BUCKET = 14;
export const WALK_TICK = 15;
const SHARD_WORDS = SIEVE_WORDS;
const EVICTED = 0;
const REJECTED = 5;
const ADMITTED = 6;

export function createEvictionMemory(shardCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(shardCount * SHARD_WORDS * 4);
}

export class EvictionState {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #counts: Float64Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer, shardNumber: number) {
    const at = shardNumber * SHARD_WORDS * 4;
    this.words = new Int32Array(memory, at, SHARD_WORDS);
    this.#counts = new Float64Array(memory, at, ADMITTED + 1);
  }

  get evicted(): number {
    return this.#counts[EVICTED];
  }

  noteEvicted(): void {
    this.#counts[EVICTED]++;
  }

  get rejected(): number {
    return this.#counts[REJECTED];
  }

  noteRejected(): void {
    this.#counts[REJECTED]++;
  }

  get admitted(): number {
    return this.#counts[ADMITTED];
  }

  noteAdmitted(): void {
    this.#counts[ADMITTED]++;
  }
}
