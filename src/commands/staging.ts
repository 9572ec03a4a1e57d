// Large values on their way into the store: blocks that are filled without lock, and linked under it.
import { APPEND_LOCKED_BYTES_MAX, RECLAIM_PAUSE_MS, STAGE_TRIES_MAX } from "../limits.ts";
import { fillPieces, piecesOf } from "../piecewise_bytes.ts";
import type { RequestBatch } from "../protocol/request_batch.ts";
import type { CommandRow } from "./command_row.ts";
import {
  type Block,
  type Evictor,
  INLINE_VALUE_BYTES_MAX,
  type KeyRange,
  type PinnedBlock,
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
  /** Keeps the old block from being changed in place until the new one is linked. */
  readonly old?: PinnedBlock | null;
  /** The same for a block that is made of several. */
  readonly pins?: readonly PinnedBlock[];
}

export class Staging {
  readonly #store: Store;
  readonly #staged: Staged[] = [];
  #reclaimAfterMs = 0;
  /** Makes room by the policy; absent where nothing is let go. */
  evictor: Evictor | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  get isEmpty(): boolean {
    return this.#staged.length === 0;
  }

  /** Hands over what is staged, for a command that runs later. */
  take(): Staged[] {
    return this.#staged.splice(0);
  }

  /** Takes back what `take()` gave; nothing is staged. */
  give(staged: readonly Staged[]): void {
    this.#staged.push(...staged);
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

  /** Stages the large values among the arguments of a command, as its row names them; false if there is no memory. */
  stageArguments(
    batch: RequestBatch,
    row: CommandRow,
    first: number,
    argCount: number,
    nowMs: number,
  ): boolean {
    // Pairs of key and value, or one value of the first key.
    const isPairs = row.valueArgument < 0, step = isPairs ? 2 : argCount;
    for (let i = isPairs ? 2 : row.valueArgument; i < argCount; i += step) {
      const at = first + i;
      if (!this.isLarge(batch, at)) continue;
      const shard = this.#store.shardOf(batch.argHash[isPairs ? at - 1 : first + row.firstKey]);
      if (!this.stageArgument(batch, i, at, shard, nowMs)) return false;
    }
    return true;
  }

  /** Copies what is staged for keys of other shards into blocks of those; false: there is no memory for one. */
  bringHome(batch: RequestBatch, row: CommandRow, nowMs: number): boolean {
    for (let i = 0; i < this.#staged.length; i++) {
      const { argument, block } = this.#staged[i];
      const key = row.valueArgument < 0 ? argument - 1 : row.firstKey;
      const shard = this.#store.shardOf(batch.argHash[key]);
      if (block.shard === shard) continue;
      const copied = this.#copied(block, shard, nowMs);
      if (copied === null) return false;
      this.#staged[i] = { ...this.#staged[i], block: copied };
    }
    return true;
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
      if (block !== null) fillPieces(block, 0, bytes);
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
    const { oldBytes, old } = this.#pinned(shard, key, nowMs);
    const block = this.stage(shard, oldBytes + added.length, nowMs);
    if (block !== null) {
      if (old !== null) copy(old, block);
      fillPieces(block, oldBytes, added);
      this.#staged.push({ argument, block, oldBytes, oldPage: old === null ? -1 : old.firstPage });
    }
    old?.release();
    return block !== null;
  }

  /**
   * Copies the key's value as it is now into a block of at least `bytesMin`, zeros behind it; as for
   * `stageAppend()`. False if there is no memory.
   */
  stageOpen(
    shard: Shard,
    key: KeyRange,
    argument: number,
    bytesMin: number,
    nowMs: number,
  ): boolean {
    const { oldBytes, old } = this.#pinned(shard, key, nowMs);
    const block = this.stage(shard, Math.max(oldBytes, bytesMin), nowMs);
    if (block === null) {
      old?.release();
      return false;
    }
    if (old !== null) copy(old, block);
    clear(block, oldBytes);
    const oldPage = old === null ? -1 : old.firstPage;
    this.#staged.push({ argument, block, oldBytes, oldPage, old });
    return true;
  }

  /** Copies the large value of the key `from` of shard `of` into a block of `shard`; false if it cannot be. */
  stageCopy(of: Shard, from: KeyRange, shard: Shard, argument: number, nowMs: number): boolean {
    const { old } = this.#pinned(of, from, nowMs);
    if (old === null) return true; // it is no large value any more: the command finds out
    const block = this.stage(shard, old.lengthBytes, nowMs);
    if (block === null) {
      old.release();
      return false;
    }
    copy(old, block);
    const oldBytes = old.lengthBytes;
    this.#staged.push({ argument, block, oldBytes, oldPage: old.firstPage, old });
    return true;
  }

  /** Under the locks: whether the staged block is a copy of this value as it is now. */
  isCopy(staged: Staged, shard: Shard, ref: number): boolean {
    return staged.old?.shard === shard && staged.oldBytes === record.valueBytesOf(shard, ref) &&
      staged.oldPage === record.blockPageOf(shard, ref);
  }

  /** A block to be filled from pinned ones, which stay pinned as long as it is staged; null if there is no memory. */
  stageMade(
    shard: Shard,
    argument: number,
    lengthBytes: number,
    pins: readonly PinnedBlock[],
    nowMs: number,
  ): StagedBlock | null {
    const block = this.stage(shard, lengthBytes, nowMs);
    if (block === null) { for (const pin of pins) pin.release(); }
    else this.#staged.push({ argument, block, oldBytes: 0, oldPage: -1, pins });
    return block;
  }

  /** Stages a block of that length for a whole new value; false if there is no memory. */
  stageFresh(shard: Shard, argument: number, lengthBytes: number, nowMs: number): boolean {
    const block = this.stage(shard, lengthBytes, nowMs);
    if (block === null) return false;
    this.#staged.push({ argument, block, oldBytes: 0, oldPage: -1 });
    return true;
  }

  /** Under the lock: whether the staged result is that of the value as it is now; completes it if so. */
  finishAppend(staged: Staged, shard: Shard, ref: number): boolean {
    const page = record.isBlock(shard, ref) ? record.blockPageOf(shard, ref) : -1;
    if (staged.oldBytes !== record.valueBytesOf(shard, ref) || staged.oldPage !== page) {
      return false;
    }
    if (page < 0) {
      const start = record.valueStartOf(shard, ref);
      fillPieces(staged.block, 0, shard.u8.subarray(start, start + staged.oldBytes));
    }
    return true;
  }

  /** Whether an append to the value found is made in place. */
  isAppendSmall(shard: Shard, ref: number, addedBytes: number): boolean {
    if (record.isBlock(shard, ref)) return addedBytes <= APPEND_LOCKED_BYTES_MAX;
    return record.valueBytesOf(shard, ref) + addedBytes <= INLINE_VALUE_BYTES_MAX;
  }

  /** Pages for a value, after making room if there are none; null if there is no memory. */
  stage(shard: Shard, lengthBytes: number, nowMs: number): StagedBlock | null {
    let block = this.#store.stage(shard, lengthBytes);
    // Others may take what was made room for.
    for (let tries = 0; block === null && tries < STAGE_TRIES_MAX; tries++) {
      if (!this.reclaim(nowMs, lengthBytes)) break;
      block = this.#store.stage(shard, lengthBytes);
    }
    return block;
  }

  /** Frees what no record refers to. */
  discard(): void {
    if (this.#staged.length === 0) return;
    for (const { block, old, pins } of this.#staged) {
      block.discard();
      old?.release();
      if (pins !== undefined) { for (const pin of pins) pin.release(); }
    }
    this.#staged.length = 0;
  }

  /**
   * Makes room for about so many bytes; false if there was none to make, and then for a while without looking (where
   * entries are let go, that is cheap to find out).
   */
  reclaim(nowMs: number, bytes: number): boolean {
    // Within EXEC: whoever makes room takes the locks of all shards in turn, and would wait for itself.
    if (this.#store.isHolding) return false;
    if (this.evictor !== null && this.evictor.isOn) return this.evictor.reclaim(bytes);
    if (nowMs < this.#reclaimAfterMs) return false;
    if (this.#store.reclaim(nowMs)) return true;
    this.#reclaimAfterMs = nowMs + RECLAIM_PAUSE_MS;
    return false;
  }

  /** Length of the key's value, 0 if there is none; and its block, if it lies in one. */
  #pinned(
    shard: Shard,
    key: KeyRange,
    nowMs: number,
  ): { oldBytes: number; old: PinnedBlock | null } {
    this.#store.lockReading(shard);
    const ref = this.#store.find(shard, key, nowMs, 0);
    const oldBytes = ref === 0 ? 0 : record.valueBytesOf(shard, ref);
    const old = ref !== 0 && record.isBlock(shard, ref) ? this.#store.pin(shard, ref) : null;
    this.#store.unlockReading(shard);
    return { oldBytes, old };
  }

  #copied(from: StagedBlock, shard: Shard, nowMs: number): StagedBlock | null {
    const block = this.stage(shard, from.lengthBytes, nowMs);
    if (block !== null) copy(from, block);
    from.discard();
    return block;
  }
}

/** Pages come with what was in them before. */
function clear(block: Block, from: number): void {
  for (const piece of piecesOf(block, from, block.lengthBytes)) piece.fill(0);
}

function copy(from: Block, to: Block): void {
  let done = 0;
  for (const piece of piecesOf(from, 0, from.lengthBytes)) {
    fillPieces(to, done, piece);
    done += piece.length;
  }
}
