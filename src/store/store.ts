// The one door to the shared memory of all entries: what a worker makes of it, and every operation on it.
//
// Invariant: whoever changes a shard holds its lock for changes; whoever reads without it confirms the
// sequence before anything of what was read is believed. Nothing here waits for anything but a lock.
// The file is long because it is the door: each operation is a few lines over the files beside it.
import { createClockMemory } from "../clock.ts";
import {
  accessStamp,
  countAt,
  NOT_NOTED,
  noteAccess,
  setCounting,
  stampWithCount,
} from "./access.ts";
import { AccessClock, createAccessClockMemory } from "./access_clock.ts";
import { Account } from "./account.ts";
import { beginEvacuation, clearArena, isFragmented } from "./arena.ts";
import { Block, isBlockPinned, pinBlock, PinnedBlock, stageBlock, StagedBlock } from "./block.ts";
import {
  chargeIndex,
  clearIndex,
  clockOf,
  nextCursor,
  visitChain,
  visitCursor,
} from "./bucket_index.ts";
import * as compressed from "./compressed.ts";
import * as entries from "./entries.ts";
import type { KeyRange, ValueRange } from "./entries.ts";
import { duePart, earliestExpiryMs, nextBucketUntil } from "./expiry_index.ts";
import { sweepExpired } from "./expiry_sweep.ts";
import { sketchBytes } from "./frequency_sketch.ts";
import { isDirectory, partBytes } from "./hash/directory.ts";
import { earliestFieldMs } from "./hash/field_expiry.ts";
import { Hash, KEEP_EXPIRY } from "./hash/hash.ts";
import * as hashes from "./hash/hinted_field.ts";
import { hashKey, hashKeyWords } from "./key_hash.ts";
import { KeyLoader } from "./key_loader.ts";
import * as L from "./layout.ts";
import * as record from "./record.ts";
import { createShardMemory, Shard, type ShardMemory } from "./shard.ts";
import * as lock from "./shard_lock.ts";
import { createEvictionMemory, EvictionState } from "./policy/eviction_state.ts";
import { Evictor, NO_HASH, type VictimSink } from "./policy/evictor.ts";
import { addWatch, hasChanged, noteChange, removeWatch, type WatchMark } from "./watch_table.ts";

export type { Block, KeyLoader, KeyRange, PinnedBlock, Shard, StagedBlock, ValueRange, VictimSink };
export { accessStamp, countAt, Evictor, NO_HASH, NOT_NOTED, setCounting, stampWithCount };
/** Hashes: `store.createHash()` gives a thread its own to open them with. */
export { earliestFieldMs, Hash, KEEP_EXPIRY };
export { whileWaiting } from "./shard_lock.ts";
/** What a record, and a hash that is not opened, say, and changes of entries: for use within a section. */
export { compressed, entries, hashes, record };
export const DATABASES = L.DATABASES;
export const INLINE_VALUE_BYTES_MAX = L.INLINE_VALUE_BYTES_MAX;
export const TYPE_STRING = L.TYPE_STRING;
export const TYPE_HASH = L.TYPE_HASH;

/** What is posted to each thread that serves the store. */
export interface StoreMemory {
  readonly shards: readonly ShardMemory[];
  readonly account: SharedArrayBuffer;
  /** The latest moment that any thread has gone by. */
  readonly clock: SharedArrayBuffer;
  readonly accessClock: SharedArrayBuffer;
  readonly eviction: SharedArrayBuffer;
  /** The hash key: two int32, drawn at random. */
  readonly hashKey: readonly [number, number];
}

export interface StoreOptions {
  readonly maxmemoryBytes: number;
  readonly maxValueBytes: number;
  /** For tests: the key of the hash, the number of shards (a power of two), where lock words start. */
  readonly hashKey?: readonly [number, number];
  readonly shardCount?: number;
  readonly lockStart?: number;
  /** The tick at which the clock of accesses begins. */
  readonly tickStart?: number;
}

const SHARDS_MIN = 16;
const ARENA_BYTES_MAX = 2 ** 30;
const ARENA_BYTES_MIN = 2 ** 22;
/** Records moved at the end of a change while a page is being emptied: keeps a change short. */
const MOVES_PER_CHANGE = 8;
/** Buckets that are tried for a random key before a walk finds one. */
const RANDOM_TRIES_MAX = 100;
/** Entries that are looked at under one hold of a lock where everything waits for room anyway. */
const SWEEP_ENTRIES = 4096;
const MOVES_PER_RECLAIM = 4096;
/** The same in the background, where others wait for the lock; and what looking at a slot costs beside a move. */
const MOVES_AHEAD = 64;
const SLOTS_SEEN_PER_MOVE = 8;
/** Who finds something that expired so long ago has come into a storm of expiry. */
const SWEEP_WAIT_MS = 200;

/**
 * Reserves the memory of a store. Reservation is not the limit: untouched memory costs nothing, and maxmemory
 * may be raised later up to the sum of the arenas. Throws RangeError if address space runs out.
 */
export function createStoreMemory(options: StoreOptions): StoreMemory {
  const gibibytes = options.maxmemoryBytes / 2 ** 30;
  const shardCount = options.shardCount ?? Math.max(SHARDS_MIN, powerOfTwo(gibibytes * 2 + 1));
  const wanted = powerOfTwo(options.maxmemoryBytes + options.maxValueBytes);
  const arenaBytes = Math.min(ARENA_BYTES_MAX, Math.max(ARENA_BYTES_MIN, wanted));
  const random = crypto.getRandomValues(new Int32Array(2));
  const memory: StoreMemory = {
    shards: Array.from({ length: shardCount }, () => createShardMemory(arenaBytes)),
    account: new SharedArrayBuffer(64),
    clock: createClockMemory(),
    accessClock: createAccessClockMemory(options.tickStart),
    eviction: createEvictionMemory(shardCount),
    hashKey: options.hashKey ?? [random[0], random[1]],
  };
  new Account(memory.account).limitBytes = options.maxmemoryBytes;
  for (const shard of memory.shards) {
    new Int32Array(shard.buckets)[L.LOCK] = options.lockStart ?? 0;
  }
  for (const shard of new Store(memory).shards) chargeIndex(shard);
  return memory;
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}

export class Store {
  readonly shards: readonly Shard[];
  readonly shardMask: number;
  readonly account: Account;
  readonly accessClock: AccessClock;
  /** What eviction remembers, by shard. */
  readonly eviction: readonly EvictionState[];
  readonly #k0: number;
  readonly #k1: number;

  constructor(memory: StoreMemory) {
    this.account = new Account(memory.account);
    this.accessClock = new AccessClock(memory.accessClock);
    this.eviction = memory.shards.map((_, i) => new EvictionState(memory.eviction, i));
    this.shardMask = memory.shards.length - 1;
    const bits = Math.log2(memory.shards.length);
    this.shards = memory.shards.map((each, i) =>
      new Shard(i, bits, this.account, this.accessClock, each)
    );
    [this.#k0, this.#k1] = memory.hashKey;
  }

  // ---- keys -----------------------------------------------------------------------------------------

  /** The hash of a key; `view` is readable to 3 bytes past `end`. */
  hash(view: DataView, start: number, end: number, database: number): number {
    return hashKey(view, start, end - start, this.#k0, this.#k1, database);
  }

  shardOf(hash: number): Shard {
    return this.shards[hash & this.shardMask];
  }

  /** What starts loading what keys lead to, up to `keysMax` of them at once. */
  createLoader(keysMax: number): KeyLoader {
    return new KeyLoader(this.shards, keysMax);
  }

  // ---- sections -------------------------------------------------------------------------------------

  beginRead(shard: Shard): number {
    return lock.beginRead(shard.words);
  }

  confirmRead(shard: Shard, begun: number): boolean {
    return lock.confirmRead(shard.words, begun);
  }

  /** `confirmRead()` for `count` reads at once: of the shards with these numbers, begun at these sequences. */
  confirmReads(shardNumbers: Int32Array, begun: Int32Array, count: number): boolean {
    const shards = this.shards;
    let isWhole = lock.confirmRead(shards[shardNumbers[0]].words, begun[0]);
    for (let i = 1; i < count; i++) {
      if (!lock.confirmReadAfter(shards[shardNumbers[i]].words, begun[i])) isWhole = false;
    }
    return isWhole;
  }

  lockChange(shard: Shard): void {
    lock.lockChange(shard.words);
  }

  /** Ends a change; moves a few records first if a page is being emptied. */
  unlockChange(shard: Shard): void {
    if (shard.words[L.EVACUATING] !== 0) {
      entries.moveRecords(shard, this.#k0, this.#k1, MOVES_PER_CHANGE);
    }
    lock.unlockChange(shard.words);
  }

  /** `lockChange()`, also while this thread holds the shard for a transaction. */
  enterChange(shard: Shard): void {
    lock.enterChange(shard.words);
  }

  leaveChange(shard: Shard): void {
    lock.leaveChange(shard.words);
  }

  /** With the shard's lock held: a number that every change of it changes. */
  changesOf(shard: Shard): number {
    return lock.changesOf(shard.words);
  }

  lockReading(shard: Shard): void {
    lock.lockReading(shard.words);
  }

  unlockReading(shard: Shard): void {
    lock.unlockReading(shard.words);
  }

  /** `lockChange()` for a transaction: until `release()` this thread's functions below may be called as well. */
  hold(shard: Shard): void {
    lock.hold(shard.words);
  }

  /** Ends what `hold()` began, as `unlockChange()` does. */
  release(shard: Shard): void {
    lock.release(shard.words);
    this.unlockChange(shard);
  }

  /** For what is called with the shard locked for changes, and would take that lock itself: it goes through. */
  withinChange(shard: Shard, use: () => void): void {
    lock.keep(shard.words);
    use();
    lock.release(shard.words);
  }

  /** Whether this thread holds shards for a transaction: nothing may be done then that takes others' locks. */
  get isHolding(): boolean {
    return lock.isHolding();
  }

  /** Counts that a reader without lock has to repeat what it read of the shard. */
  noteRetry(shard: Shard): void {
    Atomics.add(shard.words, L.READ_RETRIES, 1);
  }

  // ---- within a section -----------------------------------------------------------------------------

  /** The record of a key that has not expired, 0 if there is none; notes the access. */
  find(shard: Shard, key: KeyRange, nowMs: number, stamp: number): number {
    return this.accessed(shard, entries.findKey(shard, key), nowMs, stamp);
  }

  /** What `find()` makes of the record that was found last: 0 if it has expired; notes the access. */
  accessed(shard: Shard, ref: number, nowMs: number, stamp: number): number {
    if (ref === 0) return 0;
    if (record.isExpired(shard, ref, nowMs)) return 0;
    noteAccess(shard, shard.slot, stamp);
    return ref;
  }

  /** Notes that the entry at `slot` was read, by an `accessStamp()`; one below 0 notes nothing. */
  noteAccess(shard: Shard, slot: number, stamp: number): void {
    noteAccess(shard, slot, stamp);
  }

  /** The access clock of the entry that the last look-up of this shard found. */
  accessClockOf(shard: Shard): number {
    return shard.clocks[clockOf(shard.slot)];
  }

  /** The same under the lock for changes: what has expired is removed on the way. */
  findForChange(shard: Shard, key: KeyRange, nowMs: number): number {
    const ref = entries.findKey(shard, key);
    if (ref === 0) return 0;
    if (!record.isExpired(shard, ref, nowMs)) return ref;
    entries.removeFound(shard, ref);
    shard.words[L.EXPIRED_COUNT]++;
    return 0;
  }

  /** What a thread opens hashes with, one after the other. */
  createHash(): Hash {
    return new Hash(this.#k0, this.#k1);
  }

  /** The block that `ref` refers to, for use while the lock is held. */
  blockOf(shard: Shard, ref: number): Block {
    return new Block(shard, record.blockPageOf(shard, ref), record.valueBytesOf(shard, ref));
  }

  /** Whether somebody sends the block that `ref` refers to, so that it must stay as it is; under the lock. */
  isPinned(shard: Shard, ref: number): boolean {
    return isBlockPinned(shard, record.blockPageOf(shard, ref));
  }

  /** Pins the block that `ref` refers to; under a lock. */
  pin(shard: Shard, ref: number): PinnedBlock {
    return pinBlock(shard, record.blockPageOf(shard, ref), record.valueBytesOf(shard, ref));
  }

  /** The pinned block at a page: for who knows its place and length from the ring. */
  blockAt(shard: Shard, firstPage: number, lengthBytes: number): Block {
    return new Block(shard, firstPage, lengthBytes);
  }

  /** Lets a block go that another thread pinned. Takes the shard's lock. */
  unpin(shard: Shard, firstPage: number): void {
    new PinnedBlock(shard, firstPage, 0).release();
  }

  /** Frees a staged block that another thread made. Takes the shard's lock. */
  freeStaged(shard: Shard, firstPage: number): void {
    new StagedBlock(shard, firstPage, 0).discard();
  }

  /** Begins to watch a key for changes by anybody; with whether it is there. Takes the shard's lock for a moment. */
  watch(shard: Shard, key: KeyRange, nowMs: number): KeyWatch {
    lock.lockReading(shard.words);
    const isThere = this.isThere(shard, key, nowMs);
    const mark = addWatch(shard, key.hash);
    lock.unlockReading(shard.words);
    return { shard, mark, isThere };
  }

  /** With the shard held: whether a watched key was changed, or has come, gone or expired since. */
  isWatchBroken({ shard, mark, isThere }: KeyWatch, key: KeyRange, nowMs: number): boolean {
    return hasChanged(shard, mark) || this.isThere(shard, key, nowMs) !== isThere;
  }

  /** Takes the shard's lock for a moment. */
  unwatch({ shard, mark }: KeyWatch): void {
    lock.lockReading(shard.words);
    removeWatch(shard, mark);
    lock.unlockReading(shard.words);
  }

  /** Tells those who watch the key that it was changed; under the lock for changes. */
  noteChange(shard: Shard, hash: number): void {
    if (shard.words[L.WATCHES] !== 0) noteChange(shard, hash);
  }

  /** Watches of all shards and workers. */
  watchCount(): number {
    return this.shards.reduce((sum, { words }) => sum + Atomics.load(words, L.WATCHES), 0);
  }

  /** Whether the key has an entry that has not expired; under the lock. */
  isThere(shard: Shard, key: KeyRange, nowMs: number): boolean {
    const ref = entries.findKey(shard, key);
    return ref !== 0 && !record.isExpired(shard, ref, nowMs);
  }

  /** Moves records out of the page that is being emptied; the caller holds the lock for changes. */
  moveRecords(shard: Shard, movesMax: number): void {
    entries.moveRecords(shard, this.#k0, this.#k1, movesMax);
  }

  /** The hash of a record's key; under the lock. */
  hashOfRecord(shard: Shard, ref: number): number {
    const start = record.keyStartOf(shard, ref) >>> 2, bytes = record.keyBytesOf(shard, ref);
    const database = record.databaseOf(shard, ref);
    return hashKeyWords(shard.i32, start, bytes, this.#k0, this.#k1, database);
  }

  // ---- takes locks itself ---------------------------------------------------------------------------

  /** Pages for a large value of that shard, to be filled and then linked, or discarded; null if no room. */
  stage(shard: Shard, lengthBytes: number): StagedBlock | null {
    return stageBlock(shard, lengthBytes);
  }

  /**
   * Makes room when memory ran out: removes what has expired, closes holes. Bounded; holds one lock at a
   * time, and so does nothing while this thread holds any. Gives whether there is more room than before.
   */
  reclaim(nowMs: number): boolean {
    if (lock.isHolding()) return false;
    const before = this.account.usedBytes;
    let removed = 0;
    for (const shard of this.shards) {
      lock.lockChange(shard.words);
      removed += sweepExpired(shard, SWEEP_ENTRIES, nowMs);
      this.#compact(shard, MOVES_PER_RECLAIM);
      lock.unlockChange(shard.words);
    }
    return removed > 0 || this.account.usedBytes < before;
  }

  /**
   * A piece of the work ahead of need on one shard: moves records together where holes are many. Takes its lock for
   * about 50 µs if so. Changes close holes on their way when they need pages; nobody does once they need none. Not while
   * much has expired and waits to be removed: what would be moved may go next, and most holes come to be whole pages.
   */
  compactAhead(shard: Shard, nowMs: number): void {
    if (!isFragmented(shard) || this.isDue(shard, nowMs - SWEEP_WAIT_MS)) return;
    lock.lockChange(shard.words);
    this.#compact(shard, MOVES_AHEAD);
    lock.unlockChange(shard.words);
  }

  /** Empties one sparse page after the other, for about so many moves; the caller holds the lock. */
  #compact(shard: Shard, movesMax: number): void {
    for (let left = movesMax; left > 0;) {
      if (shard.words[L.EVACUATING] === 0 && !beginEvacuation(shard)) return;
      left -= 1 + entries.moveRecords(shard, this.#k0, this.#k1, left) / SLOTS_SEEN_PER_MOVE;
    }
  }

  /**
   * Removes what has expired from one shard, under one hold of its lock, until `entriesMax` entries were looked at.
   * Gives the number removed; `shard.lateMs` is then how long ago the first of them had expired.
   */
  sweep(shard: Shard, entriesMax: number, nowMs: number): number {
    shard.lateMs = 0;
    if (!this.isDue(shard, nowMs)) return 0;
    lock.lockChange(shard.words);
    const removed = sweepExpired(shard, entriesMax, nowMs);
    // Not `unlockChange()`: records of a page that is being emptied are not moved meanwhile, see `compactAhead()`.
    lock.unlockChange(shard.words);
    return removed;
  }

  /** Removes all that has expired from a shard, in bounded holds of its lock; gives the number removed. */
  sweepAll(shard: Shard, nowMs: number): number {
    let removed = 0;
    while (this.isDue(shard, nowMs)) removed += this.sweep(shard, SWEEP_ENTRIES, nowMs);
    return removed;
  }

  /** Whether something in the shard may have expired; if not, nothing has. */
  isDue(shard: Shard, nowMs: number): boolean {
    const earliestMs = earliestExpiryMs(shard);
    return earliestMs !== 0 && earliestMs <= nowMs;
  }

  /** Nothing in the shard expires before this moment; 0: nothing does at all. */
  earliestExpiryMs(shard: Shard): number {
    return earliestExpiryMs(shard);
  }

  /** Which part of all buckets holds something that has expired, from 0 to 1; told from a sample. */
  duePart(nowMs: number): number {
    return this.shards.reduce((sum, shard) => sum + duePart(shard, nowMs), 0) / this.shards.length;
  }

  /** Removes all entries of one database, or of all (−1), with every shard locked, `whileLocked()` as well. */
  flush(database: number, whileLocked: () => void = () => {}): void {
    for (const shard of this.shards) lock.enterChange(shard.words);
    for (const shard of this.shards) this.#flushShard(shard, database);
    whileLocked();
    for (const shard of this.shards) lock.leaveChange(shard.words);
  }

  /**
   * A step of a scan: calls `visit` with a copy of each key of `database` (−1: of any) that has not expired, until
   * `countMin` entries were looked at. Gives the next cursor, 0 at the end. An entry that is there from
   * start to end is visited at least once, whatever grows or shrinks meanwhile. Cursors lie below 2^53.
   */
  scan(
    cursor: number,
    countMin: number,
    database: number,
    nowMs: number,
    visit: (key: Uint8Array<ArrayBuffer>, shard: Shard, ref: number) => void,
  ): number {
    const shardCount = this.shards.length;
    let shardNumber = cursor % shardCount, bucket = Math.floor(cursor / shardCount) | 0, seen = 0;
    // Empty buckets count too, so that a sparse table cannot hold the step up for long.
    for (let buckets = 0; seen < countMin && buckets < countMin * 10; buckets++) {
      if (shardNumber >= shardCount) return 0;
      const shard = this.shards[shardNumber];
      lock.lockReading(shard.words);
      visitCursor(shard, bucket, (slot) => {
        const ref = shard.buckets[slot + L.BUCKET_REFS];
        seen++;
        if (database >= 0 && record.databaseOf(shard, ref) !== database) return;
        const expiresAtMs = record.expiresAtMsOf(shard, ref);
        if (expiresAtMs !== 0 && expiresAtMs <= nowMs) return;
        const start = record.keyStartOf(shard, ref);
        visit(shard.u8.slice(start, start + record.keyBytesOf(shard, ref)), shard, ref);
      });
      bucket = nextCursor(shard, bucket);
      lock.unlockReading(shard.words);
      if (bucket === 0 && ++shardNumber >= shardCount) return 0;
    }
    return (bucket >>> 0) * shardCount + shardNumber;
  }

  /**
   * A step of a walk over a whole shard, `chains` buckets under one hold of its lock for reading. Gives the next
   * cursor, 0 at the end. What is there from start to end is visited, perhaps more than once.
   */
  walk(
    shard: Shard,
    cursor: number,
    chains: number,
    visit: (shard: Shard, ref: number) => void,
  ): number {
    const buckets = shard.buckets;
    lock.lockReading(shard.words);
    for (let i = 0; i < chains; i++) {
      visitCursor(shard, cursor, (slot) => visit(shard, buckets[slot + L.BUCKET_REFS]));
      cursor = nextCursor(shard, cursor);
      if (cursor === 0) break;
    }
    lock.unlockReading(shard.words);
    return cursor;
  }

  /**
   * Calls `visit` with entries of the buckets `[from, end)` of the shard that expire by `untilMs`, until `entriesMax`
   * were looked at: under one hold of the lock for reading. Gives the bucket to go on with, `end` when all are done.
   * Growth between two steps may hide an entry or show it twice.
   */
  walkExpiring(
    shard: Shard,
    from: number,
    end: number,
    untilMs: number,
    entriesMax: number,
    visit: (shard: Shard, ref: number, expiresAtMs: number) => void,
  ): number {
    let seen = 0, bucket = from;
    lock.lockReading(shard.words);
    while (seen < entriesMax) {
      bucket = nextBucketUntil(shard, bucket, end, untilMs);
      if (bucket === end) break;
      visitChain(shard, bucket++, (slot) => {
        const ref = shard.buckets[slot + L.BUCKET_REFS];
        const expiresAtMs = record.expiresAtMsOf(shard, ref);
        seen++;
        if (expiresAtMs !== 0 && expiresAtMs <= untilMs) visit(shard, ref, expiresAtMs);
      });
    }
    lock.unlockReading(shard.words);
    return bucket;
  }

  /** The buckets of a shard: what `walkExpiring()` counts in. */
  bucketCount(shard: Shard): number {
    return Atomics.load(shard.words, L.BUCKETS);
  }

  /** A key of `database` that has not expired, each about as likely as the next; null if there is none. */
  randomKey(database: number, nowMs: number): Uint8Array<ArrayBuffer> | null {
    const { entries: count } = this.entryCounts(database);
    if (count === 0) return null;
    for (let tries = 0; tries < RANDOM_TRIES_MAX; tries++) {
      // A shard by its share of the entries, then any bucket of it, then any entry of its chain.
      let left = Math.random() * count, number = 0;
      for (; number < this.shardMask; number++) {
        left -= Atomics.load(this.shards[number].words, L.DB_ENTRIES + database);
        if (left < 0) break;
      }
      const shard = this.shards[number], found: Uint8Array<ArrayBuffer>[] = [];
      lock.lockReading(shard.words);
      visitChain(shard, Math.floor(Math.random() * shard.words[L.BUCKETS]), (slot) => {
        const ref = shard.buckets[slot + L.BUCKET_REFS];
        if (record.databaseOf(shard, ref) !== database) return;
        if (record.isExpired(shard, ref, nowMs)) return;
        const start = record.keyStartOf(shard, ref);
        found.push(shard.u8.slice(start, start + record.keyBytesOf(shard, ref)));
      });
      lock.unlockReading(shard.words);
      if (found.length > 0) return found[Math.floor(Math.random() * found.length)];
    }
    // A few keys among many of other databases: the first that a walk meets.
    const start = Math.floor(Math.random() * this.shards.length);
    for (const from of [start, 0]) {
      for (let cursor = from, first = true; first || cursor !== 0; first = false) {
        const found: Uint8Array<ArrayBuffer>[] = [];
        cursor = this.scan(cursor, 1000, database, nowMs, (key) => found.push(key));
        if (found.length > 0) return found[Math.floor(Math.random() * found.length)];
      }
    }
    return null;
  }

  /** Calls `whileLocked` with every shard locked for changes. */
  withAllLocked(whileLocked: () => void): void {
    for (const shard of this.shards) lock.enterChange(shard.words);
    whileLocked();
    for (const shard of this.shards) lock.leaveChange(shard.words);
  }

  /** Bytes that an entry takes: its slot, its pages or parts if it is large, its share of the index. */
  bytesOf(shard: Shard, ref: number): number {
    const keyBytes = record.keyBytesOf(shard, ref), valueBytes = record.valueBytesOf(shard, ref);
    const index = shard.words[L.INDEX_UNITS] * L.ACCOUNT_UNIT_BYTES /
      Math.max(1, shard.words[L.ENTRIES]);
    const isBlock = record.isBlock(shard, ref);
    const elsewhere = isBlock
      ? Math.ceil(valueBytes / L.PAGE_BYTES) * L.PAGE_BYTES
      : isDirectory(shard, ref)
      ? partBytes(shard, ref)
      : 0;
    const inline = isBlock ? 4 : Math.min(valueBytes, L.INLINE_VALUE_BYTES_MAX);
    return entries.slotBytesFor(keyBytes, inline, record.hasExpiry(shard, ref)) + elsewhere +
      Math.round(Math.min(index, L.BUCKET_WORDS * 4));
  }

  // ---- numbers --------------------------------------------------------------------------------------

  /** Entries of a database, and how many of them have a moment at which they expire. */
  entryCounts(database: number): { entries: number; expiring: number } {
    let count = 0, expiring = 0;
    for (const shard of this.shards) {
      count += Atomics.load(shard.words, L.DB_ENTRIES + database);
      expiring += Atomics.load(shard.words, L.DB_EXPIRING + database);
    }
    return { entries: count, expiring };
  }

  /** Each shard's entries, memory and contention; counts of the latter wrap at 2^32. */
  shardNumbers(): ShardNumbers[] {
    return this.shards.map(({ words }) => ({
      entries: Atomics.load(words, L.ENTRIES),
      pageBytes: Atomics.load(words, L.PAGES_USED) * L.PAGE_BYTES,
      lockWaits: Atomics.load(words, L.LOCK_WAITS) >>> 0,
      readRetries: Atomics.load(words, L.READ_RETRIES) >>> 0,
    }));
  }

  /** Sums over the shards. Units: bytes, counts. */
  totals(): StoreTotals {
    const sum = (word: number) =>
      this.shards.reduce((total, s) => total + Atomics.load(s.words, word), 0);
    return {
      usedBytes: this.account.usedBytes,
      limitBytes: this.account.limitBytes,
      indexBytes: sum(L.INDEX_UNITS) * L.ACCOUNT_UNIT_BYTES,
      pageBytes: sum(L.PAGES_USED) * L.PAGE_BYTES,
      freePageBytes: (sum(L.PAGE_BUMP) - sum(L.PAGES_USED)) * L.PAGE_BYTES,
      freeSlotBytes: sum(L.FREE_SLOT_UNITS) * 8,
      pinnedBlocks: sum(L.PINNED),
      expired: sum(L.EXPIRED_COUNT),
      evicted: this.eviction.reduce((total, { evicted }) => total + evicted, 0),
      rejected: this.eviction.reduce((total, { rejected }) => total + rejected, 0),
      admitted: this.eviction.reduce((total, { admitted }) => total + admitted, 0),
      admissionBytes: this.shards.reduce((total, { sketch }) => total + sketchBytes(sketch), 0),
      recordsMoved: sum(L.RECORDS_MOVED),
      longChains: sum(L.LONG_CHAINS),
      compressedValues: sum(L.COMPRESSED),
      compressedSavedBytes: sum(L.COMPRESSED_UNITS) * 8,
    };
  }

  #flushShard(shard: Shard, database: number): void {
    const words = shard.words;
    let others = 0;
    for (let each = 0; each < L.DATABASES; each++) {
      if (each !== database && database >= 0) others += words[L.DB_ENTRIES + each];
    }
    if (others > 0) {
      entries.removeDatabase(shard, database);
      return;
    }
    clearIndex(shard);
    clearArena(shard);
    words.fill(0, L.DB_ENTRIES, L.DB_EXPIRING + L.DATABASES);
    words.fill(0, L.COMPRESSED, L.COMPRESSED_UNITS + 1);
  }
}

/** A watch of one key; what it was like when the watch began. */
export interface KeyWatch {
  readonly shard: Shard;
  readonly mark: WatchMark;
  readonly isThere: boolean;
}

export interface ShardNumbers {
  entries: number;
  pageBytes: number;
  lockWaits: number;
  readRetries: number;
}

export interface StoreTotals {
  usedBytes: number;
  limitBytes: number;
  indexBytes: number;
  pageBytes: number;
  freePageBytes: number;
  freeSlotBytes: number;
  pinnedBlocks: number;
  expired: number;
  evicted: number;
  /** Of the evicted, those that were not admitted; and entries that were, in the place of another. */
  rejected: number;
  admitted: number;
  /** What the counts of uses take, beside `usedBytes`. */
  admissionBytes: number;
  recordsMoved: number;
  longChains: number;
  /** Values that lie compressed, and the bytes by which they are shorter so. */
  compressedValues: number;
  compressedSavedBytes: number;
}
