// Reads as the engine does them: without lock, confirmed, repeated, under the lock after many tries; blocks
// are pinned and read in pieces. It knows nothing of what the values mean.
import {
  INLINE_VALUE_BYTES_MAX,
  type KeyRange,
  record,
  type Shard,
  type Store,
} from "../../src/store/store.ts";
import type { Random } from "../support/store_access.ts";

/** A check that the reader leaves out, to show that its absence is found. */
export type ReaderFault = "" | "confirm";

export interface Placed {
  readonly key: KeyRange;
  readonly shard: Shard;
}

const READ_TRIES_MAX = 20;
/** Length of a value that has to be pinned. */
const BLOCK = -2;

export class OptimisticReader {
  constructor(
    readonly store: Store,
    readonly random: Random,
    readonly fault: ReaderFault,
    readonly count: (what: string) => void,
  ) {}

  /** Copies a value to `target`; gives its length, −1 if there is none. */
  read(key: KeyRange, target: Uint8Array): number {
    const { store } = this, shard = store.shardOf(key.hash);
    for (let tries = 0; tries < READ_TRIES_MAX; tries++) {
      const begun = store.beginRead(shard);
      const length = this.#copy(key, shard, target);
      if (!this.#confirm(shard, begun)) continue;
      if (length !== BLOCK) return length;
      break;
    }
    store.lockReading(shard);
    const ref = store.find(shard, key, Date.now(), this.random.below(65_536));
    if (ref === 0 || !record.isBlock(shard, ref)) {
      const length = this.#copy(key, shard, target);
      store.unlockReading(shard);
      this.count("lockedReads");
      return length;
    }
    const block = store.pin(shard, ref);
    store.unlockReading(shard);
    for (let done = 0; done < block.lengthBytes;) {
      const piece = block.piece(done, 1 + this.random.below(50_000));
      target.set(piece, done);
      done += piece.length;
    }
    block.release();
    this.count("blockReads");
    return block.lengthBytes;
  }

  /** Both values as of one moment; their lengths, −1 for what is not there. */
  readPair(pair: readonly [Placed, Placed], first: Uint8Array, second: Uint8Array): number[] {
    const { store } = this, [left, right] = pair;
    for (let tries = 0; tries < READ_TRIES_MAX; tries++) {
      const begunLeft = store.beginRead(left.shard), begunRight = store.beginRead(right.shard);
      const lengths = [
        this.#copy(left.key, left.shard, first),
        this.#copy(right.key, right.shard, second),
      ];
      if (this.#confirm(left.shard, begunLeft) && this.#confirm(right.shard, begunRight)) {
        return lengths;
      }
    }
    store.lockReading(left.shard);
    store.lockReading(right.shard);
    const lengths = [
      this.#copy(left.key, left.shard, first),
      this.#copy(right.key, right.shard, second),
    ];
    store.unlockReading(left.shard);
    store.unlockReading(right.shard);
    this.count("lockedPairReads");
    return lengths;
  }

  /** May meet anything when no lock is held: what it gives is worth nothing before it is confirmed. */
  #copy(key: KeyRange, shard: Shard, target: Uint8Array): number {
    const ref = this.store.find(shard, key, Date.now(), this.random.below(65_536));
    if (ref === 0) return -1;
    if (record.isBlock(shard, ref)) return BLOCK;
    const length = Math.min(record.valueBytesOf(shard, ref), INLINE_VALUE_BYTES_MAX);
    const start = record.valueStartOf(shard, ref);
    target.set(shard.u8.subarray(start, start + length));
    return length;
  }

  #confirm(shard: Shard, begun: number): boolean {
    return this.fault === "confirm" || this.store.confirmRead(shard, begun);
  }
}
