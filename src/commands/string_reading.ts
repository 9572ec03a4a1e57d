// How a running command reads: it finds the strings of its keys, and replies with them; changes nothing.
//
// What it sees may be read without a lock, and torn: the engine then takes the reply back and runs the handler again.
import { OUT_OF_MEMORY, VALUE_DAMAGED, WRONG_TYPE } from "../errors.ts";
import { INTEGER_BYTES_MAX, parseInteger } from "../number_format.ts";
import { joinPieces } from "../piecewise_bytes.ts";
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import type { Session } from "../session.ts";
import {
  compressed,
  entries,
  INLINE_VALUE_BYTES_MAX,
  type KeyRange,
  type PinnedBlock,
  record,
  type Shard,
  type Store,
  TYPE_STRING,
} from "../store/store.ts";
import { CommandArguments } from "./command_arguments.ts";
import { PinnedRange } from "./pinned_range.ts";
import { PlainValues } from "./plain_values.ts";

const EMPTY = new Uint8Array(0);
export const EMPTY_VIEW = new DataView(new ArrayBuffer(8));

export class StringReading extends CommandArguments {
  session!: Session;
  reply!: ReplyWriter;
  /** The command's moment; and the stamp that reads leave on entries, −1 if they are to leave no trace. */
  nowMs = 0;
  readClock = 0;

  /** The record that the last find gave, and its shard. */
  ref = 0;
  shard!: Shard;
  hits = 0;
  misses = 0;

  /** True while the shards of the command's keys are locked. */
  isLocked = false;
  /** Set when a reader met a value that may only be sent under the lock; the engine runs it again so. */
  needsLock = false;
  /** Set when a change found no memory; the handler returns at once, without a reply. */
  isOutOfMemory = false;
  /** Set, with `isOutOfMemory`, to what is done without lock before a change of several keys runs again; false: in vain. */
  prepare: (() => boolean) | null = null;
  /** Compressed values that the command reads. */
  readonly plainValues = new PlainValues();
  /**
   * A key that is named in another database, set by the row's `prepare()`: where functions ask for argument
   * `targetIndex` (0: none), the bytes are those of `targetFrom`, with this database and hash.
   */
  targetIndex = 0;
  targetFrom = 0;
  targetDatabase = 0;
  targetHash = 0;
  /** True within EXEC: all shards of its commands are held, and its effects are one group. */
  isInTransaction = false;

  readonly #key: KeyRange = {
    hash: 0,
    database: 0,
    view: EMPTY_VIEW,
    start: 0,
    end: 0,
    slotHint: 0,
  };

  constructor(readonly store: Store) {
    super();
  }

  /** Looks the key at argument `index` up; 0 if it is absent or has expired. Counts a hit or a miss. */
  find(index: number): number {
    // Without a KeyRange: this is the hottest path, and filling one costs as much as the rest.
    const batch = this.batch, at = this.first + index, hash = batch.argHash[at];
    const shard = this.store.shardOf(hash);
    const found = this.findHinted(shard, at);
    const ref = this.store.accessed(shard, found, this.nowMs, this.readClock);
    this.shard = shard;
    this.ref = ref;
    if (ref === 0) this.misses++;
    else this.hits++;
    return ref;
  }

  /** The record of the key at `at` in the batch, 0 if there is none, expired or not; sets `shard.slot`. */
  protected findHinted(shard: Shard, at: number): number {
    const { argHash, argStart, argEnd, argSlot, view } = this.batch;
    const hash = argHash[at], start = argStart[at], end = argEnd[at], slot = argSlot[at];
    const database = this.session.database;
    const ref = record.hintedRecord(shard, hash, database, view, start, end, slot, TYPE_STRING);
    if (ref === 0) return record.findHinted(shard, hash, database, view, start, end, slot);
    shard.slot = slot;
    return ref;
  }

  /** As `find()`, without a trace: neither the access nor a hit is noted. */
  peek(index: number): number {
    const key = this.key(index);
    this.shard = this.store.shardOf(key.hash);
    const ref = entries.findKey(this.shard, key);
    this.ref = ref !== 0 && record.isExpired(this.shard, ref, this.nowMs) ? 0 : ref;
    return this.ref;
  }

  /** For commands without keys: `peek()` at argument `index`, with its shard held for reading meanwhile. */
  peekLocked(index: number, whileLocked: () => void): void {
    this.setTarget(index, index, this.session.database);
    const shard = this.store.shardOf(this.targetHash);
    this.store.lockReading(shard);
    this.peek(index);
    whileLocked();
    this.store.unlockReading(shard);
    this.targetIndex = 0;
  }

  /** Names the key at argument `from` in another database as argument `index`, for the rest of the command. */
  setTarget(index: number, from: number, database: number): void {
    const batch = this.batch, at = this.first + from;
    this.targetIndex = index;
    this.targetFrom = from;
    this.targetDatabase = database;
    this.targetHash = this.store.hash(batch.view, batch.argStart[at], batch.argEnd[at], database);
  }

  /** Whether what was found is a string; if not, the error is the reply. */
  requireString(): boolean {
    if (record.typeOf(this.shard, this.ref) === TYPE_STRING) return true;
    this.reply.error(WRONG_TYPE);
    return false;
  }

  get type(): number {
    return record.typeOf(this.shard, this.ref);
  }

  /** Length of the value found. */
  get valueBytes(): number {
    if (record.isCompressed(this.shard, this.ref)) {
      return compressed.plainBytesOf(this.shard, this.ref);
    }
    return record.valueBytesOf(this.shard, this.ref);
  }

  /**
   * The bytes of the compressed value found. Null: return without reply; the handler runs again when they are there, or
   * the error is the reply.
   */
  #plain(): Uint8Array | null {
    const values = this.plainValues;
    if (this.isInTransaction) values.isAtOnce = true;
    else if (values.isAtOnce && !this.isLocked) {
      // What was read without a lock may be torn.
      this.needsLock = true;
      return null;
    }
    const found = values.of(this.shard, this.ref);
    if (typeof found === "string") {
      this.reply.error(found === "damaged" ? VALUE_DAMAGED : OUT_OF_MEMORY);
      return null;
    }
    if (found !== null) return found;
    if (!this.isLocked) this.needsLock = true;
    // For changes.
    this.isOutOfMemory = true;
    this.prepare = () => {
      values.expand();
      return true;
    };
    return null;
  }

  /** The moment at which what was found expires, 0 for never. */
  get expiresAtMs(): number {
    return record.expiresAtMsOf(this.shard, this.ref);
  }

  /**
   * Replies with the string of the key at argument `index` if it lies where look-ahead saw it, and counts the hit;
   * else false, and the key has to be looked up.
   */
  replyHinted(index: number): boolean {
    const batch = this.batch, at = this.first + index, hash = batch.argHash[at];
    const shard = this.store.shardOf(hash);
    const start = batch.argStart[at], end = batch.argEnd[at], slot = batch.argSlot[at];
    const ref = record.hintedRecord(
      shard,
      hash,
      this.session.database,
      batch.view,
      start,
      end,
      slot,
      TYPE_STRING,
    );
    if (ref === 0 || record.isExpired(shard, ref, this.nowMs)) return false;
    this.store.noteAccess(shard, slot, this.readClock);
    this.hits++;
    const bytes = Math.min(record.valueBytesOf(shard, ref), INLINE_VALUE_BYTES_MAX);
    this.reply.bulkWords(shard.i32, shard.u8, shard.valueStart, bytes);
    return true;
  }

  /** Replies with the value found. */
  replyValue(): void {
    const shard = this.shard;
    if (record.isCompressed(shard, this.ref)) {
      const plain = this.#plain();
      if (plain !== null) this.reply.bulk(plain, 0, plain.length);
      return;
    }
    if (record.isBlock(shard, this.ref)) {
      if (this.isLocked) this.reply.bulkSource(this.store.pin(shard, this.ref));
      else this.needsLock = true;
      return;
    }
    // Torn lengths are cut to what lies in the view; if so, the reply is taken back.
    const bytes = Math.min(record.valueBytesOf(shard, this.ref), INLINE_VALUE_BYTES_MAX);
    this.reply.bulkWords(shard.i32, shard.u8, record.valueStartOf(shard, this.ref), bytes);
  }

  /** A copy of the value found, blocks included; under the lock only if it may be a block. */
  valueCopy(): Uint8Array<ArrayBuffer> {
    const shard = this.shard, count = this.valueBytes;
    if (record.isCompressed(shard, this.ref)) return new Uint8Array(this.#plain() ?? EMPTY);
    if (!this.isBlockLocked()) {
      const start = record.valueStartOf(shard, this.ref);
      return shard.u8.slice(start, start + Math.min(count, INLINE_VALUE_BYTES_MAX)) as Uint8Array<
        ArrayBuffer
      >;
    }
    return joinPieces(this.store.blockOf(shard, this.ref), 0, count);
  }

  /**
   * Length of the string found, to be read with `piece()`; −1 if that has to be under the lock, where the handler
   * runs again, or the value is compressed: return without reply. Torn lengths are cut to what lies in the view.
   */
  openRead(): number {
    if (record.isCompressed(this.shard, this.ref)) return this.#plain()?.length ?? -1;
    if (!record.isBlock(this.shard, this.ref)) {
      return Math.min(this.valueBytes, INLINE_VALUE_BYTES_MAX);
    }
    if (this.isLocked) return this.valueBytes;
    this.needsLock = true;
    return -1;
  }

  /** The longest contiguous piece of the value found, at `offset` below its length, at most `bytesMax` bytes. */
  piece(offset: number, bytesMax: number): Uint8Array {
    const shard = this.shard;
    if (this.isBlockLocked()) {
      return this.store.blockOf(shard, this.ref).piece(offset, bytesMax);
    }
    if (record.isCompressed(shard, this.ref)) {
      return (this.#plain() ?? EMPTY).subarray(offset, offset + bytesMax);
    }
    const start = record.valueStartOf(shard, this.ref);
    const count = Math.min(bytesMax, this.valueBytes - offset, INLINE_VALUE_BYTES_MAX - offset);
    return shard.u8.subarray(start + offset, start + offset + count);
  }

  /** A byte of the value found, at `offset` below its length. */
  byteAt(offset: number): number {
    const shard = this.shard;
    if (record.isElsewhere(shard, this.ref)) return this.piece(offset, 1)[0];
    return shard.u8[record.valueStartOf(shard, this.ref) + offset];
  }

  /** Whether the value found is argument `index`, byte for byte; under the lock. */
  valueEquals(index: number): boolean {
    const bytes = this.batch.bytes, start = this.argStart(index), count = this.argLength(index);
    if (this.valueBytes !== count) return false;
    for (let at = 0; at < count;) {
      const piece = this.piece(at, count - at);
      for (let i = 0; i < piece.length; i++) if (piece[i] !== bytes[start + at + i]) return false;
      at += piece.length;
    }
    return true;
  }

  /** The value found, pinned, if it is a block and the lock is held; else null. */
  pinFound(): PinnedBlock | null {
    return this.isBlockLocked() ? this.store.pin(this.shard, this.ref) : null;
  }

  /** For `prepare`: finds the key at argument `index` with its shard held for reading. */
  lockReading(index: number): Shard {
    const shard = this.store.shardOf(this.key(index).hash);
    this.store.lockReading(shard);
    this.isLocked = true;
    this.peek(index);
    return shard;
  }

  unlockReading(shard: Shard): void {
    this.isLocked = this.isInTransaction;
    this.store.unlockReading(shard);
  }

  /** Without the lock nothing is taken for a block: a record that was none before and says so now is torn. */
  protected isBlockLocked(): boolean {
    return this.isLocked && record.isBlock(this.shard, this.ref);
  }

  /** Replies with the bytes `[from, to)` of the value found, which `openRead()` has let through. */
  replyRange(from: number, to: number): void {
    const shard = this.shard;
    if (this.isBlockLocked()) {
      this.reply.bulkSource(new PinnedRange(this.store.pin(shard, this.ref), from, to));
      return;
    }
    if (record.isCompressed(shard, this.ref)) {
      const plain = this.#plain();
      if (plain !== null) this.reply.bulk(plain, from, to);
      return;
    }
    const start = record.valueStartOf(shard, this.ref);
    this.reply.bulk(shard.u8, start + from, start + to);
  }

  /** The value found as a whole number within 2^53, NaN if it is none. */
  valueInteger(): number {
    const count = this.valueBytes;
    if (count === 0 || count > INTEGER_BYTES_MAX) return NaN;
    const start = record.valueStartOf(this.shard, this.ref);
    return parseInteger(this.shard.u8, start, start + count);
  }

  /** The key at argument `index`; valid until the next one is asked for. */
  key(index: number): KeyRange {
    const key = this.#key, batch = this.batch;
    let at = this.first + index;
    if (this.targetIndex !== 0 && index === this.targetIndex) {
      at = this.first + this.targetFrom;
      key.hash = this.targetHash;
      key.database = this.targetDatabase;
      key.view = batch.view;
      key.start = batch.argStart[at];
      key.end = batch.argEnd[at];
      key.slotHint = 0;
      return key;
    }
    key.hash = batch.argHash[at];
    key.database = this.session.database;
    key.view = batch.view;
    key.start = batch.argStart[at];
    key.end = batch.argEnd[at];
    key.slotHint = batch.argSlot[at];
    return key;
  }
}
