// What a running command sees: its arguments, its reply, its session, and the entries of its keys.
//
// The engine has taken the locks or will check what was read; a handler takes none, reads no clock, knows no
// protocol. One context per worker, refilled for each command. Long, because every way to find, read and change a
// string shares one key and one value that are filled anew; what handlers do with hashes is `c.hash`.
import { INTEGER_BYTES_MAX, parseInteger, writeInteger } from "../number_format.ts";
import { NOT_AN_INTEGER, OUT_OF_MEMORY, VALUE_DAMAGED, WRONG_TYPE } from "../errors.ts";
import type { EffectSink } from "../log/effects.ts";
import { APPEND_LOCKED_BYTES_MAX, COMPRESS_BYTES_MIN } from "../limits.ts";
import { joinPieces } from "../piecewise_bytes.ts";
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import type { Session } from "../session.ts";
import {
  type Block,
  compressed,
  entries,
  INLINE_VALUE_BYTES_MAX,
  type KeyRange,
  type PinnedBlock,
  record,
  type Shard,
  type Store,
  TYPE_HASH,
  TYPE_STRING,
  type ValueRange,
} from "../store/store.ts";
import { TtlPolicy } from "../ttl_policy.ts";
import { CommandArguments } from "./command_arguments.ts";
import { Compressor } from "./compressor.ts";
import { HashAccess } from "./hash_access.ts";
import { PinnedRange } from "./pinned_range.ts";
import { PlainValues } from "./plain_values.ts";
import type { Services } from "./services.ts";
import { type Staged, Staging } from "./staging.ts";
import type { TransactionRunner } from "./transaction_runner.ts";

/** Ends a parked command: writes its reply. */
export type Finish = (reply: ReplyWriter) => void;

/** A change of a part of a value that is shorter is told as the whole value. */
const RANGE_VALUE_BYTES_MIN = 512;
const EMPTY_VIEW = new DataView(new ArrayBuffer(8));

export class CommandContext extends CommandArguments {
  session!: Session;
  reply!: ReplyWriter;
  /** Where replies go that a silent client gets all the same. */
  loudReply!: ReplyWriter;
  /** The command's moment; and the stamp that it leaves on entries. */
  nowMs = 0;
  accessClock = 0;
  /** The same for reads; −1 if they are to leave no trace. */
  readClock = 0;

  /** The record that the last find gave, and its shard. */
  ref = 0;
  shard!: Shard;
  /** For the kinds `*_EACH`: a sum over keys, kept right when a group is read again. */
  count = 0;
  hits = 0;
  misses = 0;

  /** True while the shards of the command's keys are locked. */
  isLocked = false;
  /** Set when a reader met a value that may only be sent under the lock; the engine runs it again so. */
  needsLock = false;
  /** Set when a change found no memory; the handler returns at once, without a reply. */
  isOutOfMemory = false;
  /** Set, with `isOutOfMemory`, when the change can only be made with this argument staged in a block. */
  needsBlock = 0;
  /** Length that the value is to have at least in that block; −1: it is what `append()` makes. */
  needsBytes = -1;
  /** With `needsBytes`: the old value is of no use; or the value of this argument's key is to be copied. */
  needsFresh = false;
  needsCopyOf = 0;
  /** Set, with `isOutOfMemory`, to what is done without lock before a change of several keys runs again; false: in vain. */
  prepare: (() => boolean) | null = null;
  /** Set, with `isOutOfMemory`, when the change's effects need so much room in the log, to be asked for without lock. */
  needsLogBytes = 0;
  /** With `isOutOfMemory`: about how much memory is needed at once; 0: little. */
  wantedBytes = 0;
  /** Set by a reader that runs under the lock: what it does, with what it pinned, once the lock is released. */
  afterUnlock: (() => void) | null = null;
  /** Large values of this command, in blocks already. */
  readonly staging: Staging;
  /** Compressed values that it reads, and those that it has stored and that may be compressed afterwards. */
  readonly plainValues = new PlainValues();
  readonly compressor: Compressor;
  /** What commands do with hashes. */
  readonly hash: HashAccess;
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
  /** What MULTI and its like do; set by the engine. */
  transactions!: TransactionRunner;
  /** Set by `park()`. */
  parked: Promise<Finish> | null = null;

  readonly #key: KeyRange = {
    hash: 0,
    database: 0,
    view: EMPTY_VIEW,
    start: 0,
    end: 0,
    slotHint: 0,
  };
  readonly #value: ValueRange = { bytes: new Uint8Array(0), view: EMPTY_VIEW, start: 0, end: 0 };
  /** Whether what `openString()` opened was not there before. */
  #isNew = false;
  readonly #ttl: TtlPolicy;
  readonly #digits = new Uint8Array(INTEGER_BYTES_MAX + 12);
  readonly #digitsView = new DataView(this.#digits.buffer);

  constructor(
    readonly store: Store,
    readonly services: Services,
    readonly effects: EffectSink | null,
  ) {
    super();
    this.staging = new Staging(store);
    this.compressor = new Compressor(store, services.settings);
    this.hash = new HashAccess(this);
    this.#ttl = new TtlPolicy(services.config.ttlRules, services.settings);
  }

  // ---- reading --------------------------------------------------------------------------------------

  /** Looks the key at argument `index` up; 0 if it is absent or has expired. Counts a hit or a miss. */
  find(index: number): number {
    // Without a KeyRange: this is the hottest path, and filling one costs as much as the rest.
    const batch = this.batch, at = this.first + index, hash = batch.argHash[at];
    const shard = this.store.shardOf(hash);
    const found = this.#findHinted(shard, at);
    const ref = this.store.accessed(shard, found, this.nowMs, this.readClock);
    this.shard = shard;
    this.ref = ref;
    if (ref === 0) this.misses++;
    else this.hits++;
    return ref;
  }

  /** The record of the key at `at` in the batch, 0 if there is none, expired or not; sets `shard.slot`. */
  #findHinted(shard: Shard, at: number): number {
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
    const key = this.#setKey(index);
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

  /**
   * What the entry of the key at argument `index` takes in the log at most, told as a whole, beside what any command
   * has room for: above 0 for large hashes. Takes the shard's lock for a moment.
   */
  copiedBytes(index: number, database: number): number {
    this.setTarget(index, index, database);
    const shard = this.store.shardOf(this.targetHash);
    this.store.lockReading(shard);
    const bytes = this.peek(index) !== 0 && this.type === TYPE_HASH ? this.hash.logBytes() : 0;
    this.store.unlockReading(shard);
    this.targetIndex = 0;
    return bytes;
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
    if (!this.#isBlockLocked()) {
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
    if (this.#isBlockLocked()) {
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

  /** Changes a byte of the value that `openString()` opened. */
  setByte(offset: number, byte: number): void {
    const shard = this.shard;
    if (record.isBlock(shard, this.ref)) this.piece(offset, 1)[0] = byte;
    else shard.u8[record.valueStartOf(shard, this.ref) + offset] = byte;
  }

  /** The value found, pinned, if it is a block and the lock is held; else null. */
  pinFound(): PinnedBlock | null {
    return this.#isBlockLocked() ? this.store.pin(this.shard, this.ref) : null;
  }

  /** For `prepare`: finds the key at argument `index` with its shard held for reading. */
  lockReading(index: number): Shard {
    const shard = this.store.shardOf(this.#setKey(index).hash);
    this.store.lockReading(shard);
    this.isLocked = true;
    this.peek(index);
    return shard;
  }

  unlockReading(shard: Shard): void {
    this.isLocked = this.isInTransaction;
    this.store.unlockReading(shard);
  }

  /** For `prepare`: a block for the key at argument `index`, made of those pinned, which are let go with it. */
  stageBlock(index: number, lengthBytes: number, pins: readonly PinnedBlock[]): Block | null {
    const shard = this.store.shardOf(this.#setKey(index).hash);
    return this.staging.stageMade(shard, index, lengthBytes, pins, this.nowMs);
  }

  /** Without the lock nothing is taken for a block: a record that was none before and says so now is torn. */
  #isBlockLocked(): boolean {
    return this.isLocked && record.isBlock(this.shard, this.ref);
  }

  /** Replies with the bytes `[from, to)` of the value found, which `openRead()` has let through. */
  replyRange(from: number, to: number): void {
    const shard = this.shard;
    if (this.#isBlockLocked()) {
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

  // ---- changing; under the lock ---------------------------------------------------------------------

  /** As `find()`, and removes what has expired. Counts nothing. */
  findForChange(index: number): number {
    if (this.targetIndex === 0) {
      const at = this.first + index, shard = this.store.shardOf(this.batch.argHash[at]);
      const ref = this.#findHinted(shard, at);
      if (ref === 0 || !record.hasExpiry(shard, ref)) {
        this.shard = shard;
        return this.ref = ref;
      }
    }
    const key = this.#setKey(index);
    this.shard = this.store.shardOf(key.hash);
    this.ref = this.store.findForChange(this.shard, key, this.nowMs);
    return this.ref;
  }

  /**
   * When the key at argument `keyIndex` expires if it is stored now by a command that leaves that open, 0 for never:
   * what `--default-ttl` and `--ttl-rule` say.
   */
  openExpiry(keyIndex: number): number {
    if (!this.#ttl.givesTimes) return 0;
    const at = this.first + keyIndex, { bytes, argStart, argEnd } = this.batch;
    return this.#ttl.expiresAtMs(bytes, argStart[at], argEnd[at], this.nowMs);
  }

  /** The moment that a time to live comes to which a command named: with the jitter of `--ttl-jitter`. */
  spreadExpiry(expiresAtMs: number): number {
    return this.#ttl.spread(expiresAtMs, this.nowMs);
  }

  /** Stores argument `valueIndex` as a string; false: no memory, return without reply. */
  put(keyIndex: number, valueIndex: number, expiresAtMs: number): boolean {
    const { argStart, argEnd, argHash, argSlot, view } = this.batch;
    const keyAt = this.first + keyIndex, valueAt = this.first + valueIndex;
    const isOverwritten = this.batch.stagedArg !== valueAt && entries.overwriteString(
      this.store.shardOf(argHash[keyAt]),
      argHash[keyAt],
      this.session.database,
      view,
      argStart[keyAt],
      argEnd[keyAt],
      argSlot[keyAt],
      view,
      argStart[valueAt],
      argEnd[valueAt],
      expiresAtMs,
      this.accessClock,
    );
    if (!isOverwritten) return this.#putElsewhere(keyIndex, valueIndex, expiresAtMs);
    if (this.effects !== null) {
      this.#tellString(keyIndex, expiresAtMs, view, argStart[valueAt], argEnd[valueAt]);
    }
    return true;
  }

  /** The key has this string now. */
  #tellString(
    keyIndex: number,
    expiresAtMs: number,
    valueView: DataView,
    valueStart: number,
    valueEnd: number,
  ): void {
    const { argStart, argEnd, argHash, view } = this.batch, keyAt = this.first + keyIndex;
    if (this.isInTransaction) {
      const { number } = this.store.shardOf(argHash[keyAt]);
      this.effects!.put(number, this.#setKey(keyIndex));
      return;
    }
    this.effects!.putString(
      this.session.database,
      view,
      argStart[keyAt],
      argEnd[keyAt],
      expiresAtMs,
      valueView,
      valueStart,
      valueEnd,
    );
  }

  #putElsewhere(keyIndex: number, valueIndex: number, expiresAtMs: number): boolean {
    const key = this.#setKey(keyIndex);
    const shard = this.store.shardOf(key.hash);
    if (this.staging.isLarge(this.batch, this.first + valueIndex)) {
      return this.#putLarge(shard, key, valueIndex, expiresAtMs);
    }
    const value = this.#value, batch = this.batch, at = this.first + valueIndex;
    value.bytes = batch.bytes;
    value.view = batch.view;
    value.start = batch.argStart[at];
    value.end = batch.argEnd[at];
    if (!entries.putString(shard, key, value, expiresAtMs, this.accessClock)) {
      this.isOutOfMemory = true;
      return false;
    }
    if (this.effects !== null) {
      this.#tellString(keyIndex, expiresAtMs, value.view, value.start, value.end);
    }
    if (value.end - value.start >= COMPRESS_BYTES_MIN) this.#noteStored(keyIndex, valueIndex);
    return true;
  }

  /** A string was stored, the argument `valueIndex`: it may be compressed once the locks are released. */
  #noteStored(keyIndex: number, valueIndex: number): void {
    this.compressor.note(this.#setKey(keyIndex), this.argLength(valueIndex));
  }

  /** The value that `findForChange()` found for the key at `keyIndex` is compressed: false, after asking for it to be plain. */
  #isPlain(keyIndex: number): boolean {
    const isDamaged = this.compressor.isDamaged;
    this.compressor.isDamaged = false;
    if (this.ref === 0 || !record.isCompressed(this.shard, this.ref)) return true;
    if (isDamaged) {
      this.reply.error(VALUE_DAMAGED);
      return false;
    }
    this.isOutOfMemory = true;
    this.prepare = () => this.compressor.expand(this.#setKey(keyIndex), this.staging, this.nowMs);
    return false;
  }

  /** Stores a number in decimal; false: no memory, return without reply. */
  putInteger(keyIndex: number, number: number, expiresAtMs: number): boolean {
    return this.#putDigits(keyIndex, writeInteger(this.#digits, 0, number), expiresAtMs);
  }

  /** Stores a few bytes, at most 20: the digits of a large number. */
  putShort(keyIndex: number, bytes: Uint8Array, expiresAtMs: number): boolean {
    this.#digits.set(bytes);
    return this.#putDigits(keyIndex, bytes.length, expiresAtMs);
  }

  /** Appends argument `valueIndex` to what `findForChange()` found; false: no memory. */
  append(keyIndex: number, valueIndex: number): boolean {
    if (!this.#isPlain(keyIndex)) return false;
    const key = this.#setKey(keyIndex), value = this.#value, at = this.first + valueIndex;
    value.bytes = this.batch.bytes;
    value.view = this.batch.view;
    value.start = this.batch.argStart[at];
    value.end = this.batch.argEnd[at];
    const staged = this.staging.of(valueIndex);
    if (staged === null) {
      if (!this.staging.isAppendSmall(this.shard, this.ref, value.end - value.start)) {
        return this.#needBlock(valueIndex);
      }
    } else if (!this.staging.finishAppend(staged, this.shard, this.ref)) {
      return this.#needBlock(valueIndex);
    }
    const block = staged?.block ?? null, from = this.valueBytes;
    if (!entries.appendString(this.shard, key, this.ref, value, block)) {
      this.isOutOfMemory = true;
      return false;
    }
    if (this.effects !== null) {
      const to = from + value.end - value.start;
      this.#toldOfRange(keyIndex, to, from, to);
    }
    return true;
  }

  /** Stages, without lock, what `append()` or `openString()` asked for, of the key at `keyIndex`. */
  stageResult(keyIndex: number): boolean {
    const bytesMin = this.needsBytes;
    this.needsBytes = -1;
    if (bytesMin >= 0) {
      const key = this.#setKey(this.needsBlock), shard = this.store.shardOf(key.hash);
      const copyOf = this.needsCopyOf;
      this.needsCopyOf = 0;
      if (copyOf !== 0) {
        const from = this.#setKey(copyOf);
        const at = this.store.shardOf(from.hash);
        return this.staging.stageCopy(at, from, shard, this.needsBlock, this.nowMs);
      }
      const isFresh = this.needsFresh;
      this.needsFresh = false;
      if (isFresh) return this.staging.stageFresh(shard, this.needsBlock, bytesMin, this.nowMs);
      return this.staging.stageOpen(shard, key, this.needsBlock, bytesMin, this.nowMs);
    }
    const key = this.#setKey(keyIndex), shard = this.store.shardOf(key.hash);
    const added = this.argBytes(this.needsBlock);
    return this.staging.stageAppend(shard, key, this.needsBlock, added, this.nowMs);
  }

  /**
   * Makes the string at argument `keyIndex`, which `findForChange()` found, or nothing, at least `bytesMin` (above 0)
   * long, with zeros behind what it has, in memory that may be changed in place (`piece()`) until the command
   * ends. Call `changed()` afterwards. False: no memory, return without reply.
   */
  openString(keyIndex: number, bytesMin: number): boolean {
    if (!this.#isPlain(keyIndex)) return false;
    this.#isNew = this.ref === 0;
    const shard = this.shard, oldBytes = this.ref === 0 ? 0 : this.valueBytes;
    const growth = Math.max(0, bytesMin - oldBytes);
    // Most of all: a bit or a field of a short value that is long enough.
    if (growth === 0 && !record.isBlock(shard, this.ref)) return true;
    const key = this.#setKey(keyIndex), staged = this.staging.of(keyIndex);
    let isOpen = true;
    if (staged !== null) {
      if (!this.#linkOpened(shard, key, staged, keyIndex)) {
        return this.#needOpened(keyIndex, bytesMin);
      }
    } else if (this.ref !== 0 && record.isBlock(shard, this.ref)) {
      if (this.store.isPinned(shard, this.ref) || growth > APPEND_LOCKED_BYTES_MAX) {
        return this.#needOpened(keyIndex, bytesMin);
      }
      if (growth > 0) isOpen = this.#grow(shard, key, growth);
    } else if (Math.max(oldBytes, bytesMin) > INLINE_VALUE_BYTES_MAX) {
      return this.#needOpened(keyIndex, bytesMin);
    } else if (this.ref === 0) {
      const expiresAtMs = this.openExpiry(keyIndex);
      isOpen = entries.putString(shard, key, this.#zeros(bytesMin), expiresAtMs, this.accessClock);
    } else if (growth > 0) isOpen = this.#grow(shard, key, growth);
    if (!isOpen) this.isOutOfMemory = true;
    else this.findForChange(keyIndex);
    return isOpen;
  }

  /**
   * A block of `lengthBytes` for the whole value of the key at argument `keyIndex`, to be filled and then stored by
   * `putFresh()`; null: it has to be made outside the lock first, return without reply.
   */
  freshBlock(keyIndex: number, lengthBytes: number): Block | null {
    const staged = this.staging.of(keyIndex);
    if (staged !== null && staged.block.lengthBytes === lengthBytes) return staged.block;
    this.needsFresh = true;
    this.#needOpened(keyIndex, lengthBytes);
    return null;
  }

  /**
   * Stores at argument `toIndex` what `findForChange()` found for argument `fromIndex`; its expiry is given. A large
   * value is copied outside the lock first. False: no memory, or to be run again; return without reply.
   */
  putCopy(fromIndex: number, toIndex: number, expiresAtMs: number): boolean {
    if (this.type === TYPE_HASH) return this.hash.putCopy(toIndex, expiresAtMs);
    if (!this.#isPlain(fromIndex)) return false;
    if (!record.isBlock(this.shard, this.ref)) {
      return this.putBytes(toIndex, this.valueCopy(), expiresAtMs);
    }
    const staged = this.staging.of(toIndex);
    if (staged !== null && this.staging.isCopy(staged, this.shard, this.ref)) {
      return this.putFresh(toIndex, expiresAtMs);
    }
    this.needsCopyOf = fromIndex;
    return this.#needOpened(toIndex, 0);
  }

  /** Stores what `freshBlock()` gave; false: no memory, return without reply. */
  putFresh(keyIndex: number, expiresAtMs: number): boolean {
    const key = this.#setKey(keyIndex), shard = this.store.shardOf(key.hash);
    const { block } = this.staging.of(keyIndex)!;
    const made = entries.prepareBlock(shard, key, block, expiresAtMs);
    if (made === 0) {
      this.isOutOfMemory = true;
      return false;
    }
    entries.linkPrepared(shard, key, made, block, this.accessClock);
    if (this.effects !== null) this.effects.put(shard.number, key);
    this.compressor.note(key, block.lengthBytes);
    return true;
  }

  /** Tells that bytes `[from, to)` of the value which `openString()` opened are as they shall be, the last one new. */
  changed(keyIndex: number, from: number, to: number): void {
    this.store.noteChange(this.shard, this.#setKey(keyIndex).hash);
    if (this.effects === null) return;
    this.#toldOfRange(keyIndex, this.#isNew ? 0 : this.valueBytes, from, to);
  }

  /** A part of a value of `valueBytes` was written; 0 if all of it is new. */
  #toldOfRange(keyIndex: number, valueBytes: number, from: number, to: number): void {
    const effects = this.effects!, key = this.#setKey(keyIndex);
    // Of a short value, or most of one, the whole costs no more.
    if (valueBytes >= RANGE_VALUE_BYTES_MIN && (to - from) * 2 < valueBytes) {
      effects.range(this.shard.number, key, from, to);
    } else effects.put(this.shard.number, key);
  }

  /** Stores bytes that a handler made, at most INLINE_VALUE_BYTES_MAX; false: no memory, return without reply. */
  putBytes(keyIndex: number, bytes: Uint8Array, expiresAtMs: number): boolean {
    const key = this.#setKey(keyIndex), value = this.#value, shard = this.store.shardOf(key.hash);
    // With the slack that copies of whole words need.
    value.bytes = new Uint8Array(bytes.length + 8);
    value.bytes.set(bytes);
    value.view = new DataView(value.bytes.buffer);
    value.start = 0;
    value.end = bytes.length;
    if (!entries.putString(shard, key, value, expiresAtMs, this.accessClock)) {
      this.isOutOfMemory = true;
      return false;
    }
    if (this.effects !== null) this.effects.put(shard.number, key);
    if (bytes.length >= COMPRESS_BYTES_MIN) this.compressor.note(key, bytes.length);
    return true;
  }

  /** Removes what `findForChange()` found. */
  remove(keyIndex: number): void {
    entries.removeFound(this.shard, this.ref);
    if (this.effects !== null) this.effects.remove(this.shard.number, this.#setKey(keyIndex));
  }

  /** Sets when the record found expires, 0 for never; false: no memory, return without reply. */
  setExpiry(keyIndex: number, expiresAtMs: number): boolean {
    const ref = entries.setExpiry(this.shard, this.ref, expiresAtMs);
    if (ref === 0) {
      this.isOutOfMemory = true;
      return false;
    }
    this.ref = ref;
    const key = this.#setKey(keyIndex);
    this.store.noteChange(this.shard, key.hash);
    if (this.effects !== null) this.effects.expire(this.shard.number, key, expiresAtMs);
    return true;
  }

  /**
   * Stores every pair from argument `from` on, all or none; false: no memory. Records are made first and
   * linked when all are there.
   */
  putPairs(from: number): boolean {
    const made: number[] = [];
    for (let index = from; index < this.argCount; index += 2) {
      const ref = this.#prepare(index);
      if (ref === 0) {
        made.forEach((each, i) => {
          entries.discardPrepared(this.store.shardOf(this.#setKey(from + i * 2).hash), each);
        });
        this.isOutOfMemory = true;
        return false;
      }
      made.push(ref);
    }
    for (let i = 0; i < made.length; i++) {
      const index = from + i * 2, key = this.#setKey(index);
      const shard = this.store.shardOf(key.hash), staged = this.staging.of(index + 1);
      entries.linkPrepared(shard, key, made[i], staged?.block ?? null, this.accessClock);
      if (this.effects !== null) this.effects.put(shard.number, key);
      if (this.argLength(index + 1) >= COMPRESS_BYTES_MIN) this.#noteStored(index, index + 1);
    }
    return true;
  }

  // ---- waiting --------------------------------------------------------------------------------------

  /** The reply comes later: the connection keeps its place, and goes on with its next command after it. */
  park(task: Promise<Finish>): void {
    this.parked = task;
  }

  /** `ERR value is not an integer or out of range`. */
  failNotInteger(): void {
    this.reply.error(NOT_AN_INTEGER);
  }

  /** The key at argument `index`; valid until the next one is asked for. */
  key(index: number): KeyRange {
    return this.#setKey(index);
  }

  #setKey(index: number): KeyRange {
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

  #putDigits(keyIndex: number, count: number, expiresAtMs: number): boolean {
    const batch = this.batch, at = this.first + keyIndex;
    if (this.targetIndex === 0) {
      const isOverwritten = entries.overwriteString(
        this.store.shardOf(batch.argHash[at]),
        batch.argHash[at],
        this.session.database,
        batch.view,
        batch.argStart[at],
        batch.argEnd[at],
        batch.argSlot[at],
        this.#digitsView,
        0,
        count,
        expiresAtMs,
        this.accessClock,
      );
      if (isOverwritten) {
        if (this.effects !== null) {
          this.#tellString(keyIndex, expiresAtMs, this.#digitsView, 0, count);
        }
        return true;
      }
    }
    const key = this.#setKey(keyIndex), value = this.#value;
    value.bytes = this.#digits;
    value.view = this.#digitsView;
    value.start = 0;
    value.end = count;
    const shard = this.store.shardOf(key.hash);
    if (!entries.putString(shard, key, value, expiresAtMs, this.accessClock)) {
      this.isOutOfMemory = true;
      return false;
    }
    if (this.effects !== null) this.effects.put(shard.number, key);
    return true;
  }

  #putLarge(shard: Shard, key: KeyRange, valueIndex: number, expiresAtMs: number): boolean {
    const staged = this.staging.of(valueIndex);
    if (staged === null || staged.oldBytes !== 0) return this.#needBlock(valueIndex);
    const made = entries.prepareBlock(shard, key, staged.block, expiresAtMs);
    if (made === 0) {
      this.isOutOfMemory = true;
      return false;
    }
    entries.linkPrepared(shard, key, made, staged.block, this.accessClock);
    if (this.effects !== null) this.effects.put(shard.number, key);
    this.compressor.note(key, staged.block.lengthBytes);
    return true;
  }

  #needBlock(argument: number): false {
    this.isOutOfMemory = true;
    this.needsBlock = argument;
    return false;
  }

  #needOpened(keyIndex: number, bytesMin: number): false {
    this.needsBytes = bytesMin;
    return this.#needBlock(keyIndex);
  }

  /** Makes a staged copy the key's value, if it is that of the value as it is now. */
  #linkOpened(shard: Shard, key: KeyRange, staged: Staged, keyIndex: number): boolean {
    if (this.ref === 0) {
      if (staged.oldBytes !== 0) return false;
      const made = entries.prepareBlock(shard, key, staged.block, this.openExpiry(keyIndex));
      if (made === 0) return false;
      entries.linkPrepared(shard, key, made, staged.block, this.accessClock);
      return true;
    }
    return this.staging.finishAppend(staged, shard, this.ref) &&
      entries.appendString(shard, key, this.ref, this.#zeros(0), staged.block);
  }

  #grow(shard: Shard, key: KeyRange, bytes: number): boolean {
    return entries.appendString(shard, key, this.ref, this.#zeros(bytes), null);
  }

  #zeros(count: number): ValueRange {
    const value = this.#value;
    if (zeros.length < count + 8) zeros = new Uint8Array(count + 8);
    value.bytes = zeros;
    value.view = new DataView(zeros.buffer);
    value.start = 0;
    value.end = count;
    return value;
  }

  #prepare(index: number): number {
    const key = this.#setKey(index), shard = this.store.shardOf(key.hash);
    const staged = this.staging.of(index + 1), value = this.#value, at = this.first + index + 1;
    const expiresAtMs = this.openExpiry(index);
    if (staged !== null) return entries.prepareBlock(shard, key, staged.block, expiresAtMs);
    value.bytes = this.batch.bytes;
    value.view = this.batch.view;
    value.start = this.batch.argStart[at];
    value.end = this.batch.argEnd[at];
    return entries.prepareString(shard, key, value, expiresAtMs);
  }
}

const EMPTY = new Uint8Array(0);
let zeros = new Uint8Array(INLINE_VALUE_BYTES_MAX + 8);
