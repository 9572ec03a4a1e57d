// Large values on their way into the store: blocks that are filled without lock, and linked under it.
import { APPEND_LOCKED_BYTES_MAX, RECLAIM_PAUSE_MS } from "../limits.ts";
import type { RequestBatch } from "../protocol/request_batch.ts";
import {
  type Block,
  INLINE_VALUE_BYTES_MAX,
  type KeyRange,
  record,
  type Shard,
  type StagedBlock,
  type Store,
} from "../store/store.ts";

/** A value in a block, made for argument `argument` of the running command. */
export interface Staged {
  readonly argument: number;
  readonly block: StagedBlock;
  /** An appended value follows `oldBytes` of the old one, which were in the block at `oldPage` (−1: in a slot). */
  readonly oldBytes: number;
  readonly oldPage: number;
}

export class Staging {
  readonly #store: Store;
  readonly #staged: Staged[] = [];
  #reclaimAfterMs = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  get isEmpty(): boolean {
    return this.#staged.length === 0;
  }

  /** What was staged for an argument, null if nothing. */
  of(argument: number): Staged | null {
    if (this.#staged.length === 0) return null;
    return this.#staged.find((each) => each.argument === argument) ?? null;
  }

  /** Whether argument `at` of the batch has to be staged before it can be stored. */
  isLarge(batch: RequestBatch, at: number): boolean {
    return batch.argEnd[at] - batch.argStart[at] > INLINE_VALUE_BYTES_MAX || batch.stagedArg === at;
  }

  /** Stages argument `argument`, at `at` in the batch, for a key of `shard`; false if there is no memory. */
  stageArgument(
    batch: RequestBatch,
    argument: number,
    at: number,
    shard: Shard,
    nowMs: number,
  ): boolean {
    let block: StagedBlock | null;
    if (batch.stagedArg === at) {
      block = batch.stagedValue as StagedBlock;
      // SELECT may have come between, and changed the key's shard.
      if (block.shard !== shard) block = this.#copied(block, shard, nowMs);
    } else {
      const bytes = batch.bytes.subarray(batch.argStart[at], batch.argEnd[at]);
      block = this.stage(shard, bytes.length, nowMs);
      if (block !== null) fill(block, 0, bytes);
    }
    if (block === null) return false;
    this.#staged.push({ argument, block, oldBytes: 0, oldPage: -1 });
    return true;
  }

  /**
   * Builds the result of appending `added` to the key's value as it is now; what lies in a slot is left for
   * `finishAppend()`, under the lock. False if there is no memory.
   */
  stageAppend(
    shard: Shard,
    key: KeyRange,
    argument: number,
    added: Uint8Array,
    nowMs: number,
  ): boolean {
    this.#store.lockReading(shard);
    const ref = this.#store.find(shard, key, nowMs, 0);
    const oldBytes = ref === 0 ? 0 : record.valueBytesOf(shard, ref);
    const old = ref !== 0 && record.isBlock(shard, ref) ? this.#store.pin(shard, ref) : null;
    this.#store.unlockReading(shard);
    const block = this.stage(shard, oldBytes + added.length, nowMs);
    if (block !== null) {
      if (old !== null) copy(old, block);
      fill(block, oldBytes, added);
      this.#staged.push({ argument, block, oldBytes, oldPage: old === null ? -1 : old.firstPage });
    }
    old?.release();
    return block !== null;
  }

  /** Under the lock: whether the staged result is that of the value as it is now; completes it if so. */
  finishAppend(staged: Staged, shard: Shard, ref: number): boolean {
    const page = record.isBlock(shard, ref) ? record.blockPageOf(shard, ref) : -1;
    if (staged.oldBytes !== record.valueBytesOf(shard, ref) || staged.oldPage !== page) {
      return false;
    }
    if (page < 0) {
      const start = record.valueStartOf(shard, ref);
      fill(staged.block, 0, shard.u8.subarray(start, start + staged.oldBytes));
    }
    return true;
  }

  /** Whether an append to the value found is made in place. */
  isAppendSmall(shard: Shard, ref: number, addedBytes: number): boolean {
    if (record.isBlock(shard, ref)) return addedBytes <= APPEND_LOCKED_BYTES_MAX;
    return record.valueBytesOf(shard, ref) + addedBytes <= INLINE_VALUE_BYTES_MAX;
  }

  /** Pages for a value, after making room once if there are none; null if there is no memory. */
  stage(shard: Shard, lengthBytes: number, nowMs: number): StagedBlock | null {
    const block = this.#store.stage(shard, lengthBytes);
    return block !== null || !this.reclaim(nowMs) ? block : this.#store.stage(shard, lengthBytes);
  }

  /** Frees what no record refers to. */
  discard(): void {
    if (this.#staged.length === 0) return;
    for (const { block } of this.#staged) block.discard();
    this.#staged.length = 0;
  }

  /** Makes room; false if there was none to make, and then for a while without looking. */
  reclaim(nowMs: number): boolean {
    if (nowMs < this.#reclaimAfterMs) return false;
    if (this.#store.reclaim(nowMs)) return true;
    this.#reclaimAfterMs = nowMs + RECLAIM_PAUSE_MS;
    return false;
  }

  #copied(from: StagedBlock, shard: Shard, nowMs: number): StagedBlock | null {
    const block = this.stage(shard, from.lengthBytes, nowMs);
    if (block !== null) copy(from, block);
    from.discard();
    return block;
  }
}

function fill(block: Block, from: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    const piece = block.piece(from + done, bytes.length - done);
    piece.set(bytes.subarray(done, done + piece.length));
    done += piece.length;
  }
}

function copy(from: Block, to: Block): void {
  for (let done = 0; done < from.lengthBytes;) {
    const piece = from.piece(done, from.lengthBytes - done);
    fill(to, done, piece);
    done += piece.length;
  }
}
