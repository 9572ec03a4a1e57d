// What a running command sees: its arguments, its reply, its session, and the entries of its keys, which it may change.
//
// The engine has taken the locks or will check what was read; a handler takes none, reads no clock, knows no
// protocol. One context per worker, refilled for each command. Long, because every way to change a string shares one
// value that is filled anew, and one way to ask for what it lacks; what handlers do with hashes is `c.hash`.
import { INTEGER_BYTES_MAX, writeInteger } from "../number_format.ts";
import { NOT_AN_INTEGER, VALUE_DAMAGED } from "../errors.ts";
import type { EffectSink } from "../log/effects.ts";
import { APPEND_LOCKED_BYTES_MAX, COMPRESS_BYTES_MIN } from "../limits.ts";
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import {
  type Block,
  entries,
  INLINE_VALUE_BYTES_MAX,
  type KeyRange,
  type PinnedBlock,
  record,
  type Shard,
  type Store,
  TYPE_HASH,
  type ValueRange,
} from "../store/store.ts";
import { TtlPolicy } from "../ttl_policy.ts";
import { Compressor } from "./compressor.ts";
import { HashAccess } from "./hash_access.ts";
import type { Services } from "./services.ts";
import { type Staged, Staging } from "./staging.ts";
import { EMPTY_VIEW, StringReading } from "./string_reading.ts";
import type { TransactionRunner } from "./transaction_runner.ts";

/** Ends a parked command: writes its reply. */
export type Finish = (reply: ReplyWriter) => void;

/** A change of a part of a value that is shorter is told as the whole value. */
const RANGE_VALUE_BYTES_MIN = 512;

export class CommandContext extends StringReading {
  /** Where replies go that a silent client gets all the same. */
  loudReply!: ReplyWriter;
  /** The stamp that changes leave on entries. */
  accessClock = 0;
  /** For the kinds `*_EACH`: a sum over keys, kept right when a group is read again. */
  count = 0;

  /** Set, with `isOutOfMemory`, when the change can only be made with this argument staged in a block. */
  needsBlock = 0;
  /** Length that the value is to have at least in that block; −1: it is what `append()` makes. */
  needsBytes = -1;
  /** With `needsBytes`: the old value is of no use; or the value of this argument's key is to be copied. */
  needsFresh = false;
  needsCopyOf = 0;
  /** Set, with `isOutOfMemory`, when the change's effects need so much room in the log, to be asked for without lock. */
  needsLogBytes = 0;
  /** With `isOutOfMemory`: about how much memory is needed at once; 0: little. */
  wantedBytes = 0;
  /** Set by a reader that runs under the lock: what it does, with what it pinned, once the lock is released. */
  afterUnlock: (() => void) | null = null;
  /** Large values of this command, in blocks already. */
  readonly staging: Staging;
  /** Values that the command has stored and that may be compressed afterwards. */
  readonly compressor: Compressor;
  /** What commands do with hashes. */
  readonly hash: HashAccess;
  /** What MULTI and its like do; set by the engine. */
  transactions!: TransactionRunner;
  /** Set by `park()`. */
  parked: Promise<Finish> | null = null;

  readonly #value: ValueRange = { bytes: new Uint8Array(0), view: EMPTY_VIEW, start: 0, end: 0 };
  /** Whether what `openString()` opened was not there before. */
  #isNew = false;
  readonly #ttl: TtlPolicy;
  readonly #digits = new Uint8Array(INTEGER_BYTES_MAX + 12);
  readonly #digitsView = new DataView(this.#digits.buffer);

  constructor(
    store: Store,
    readonly services: Services,
    readonly effects: EffectSink | null,
  ) {
    super(store);
    this.staging = new Staging(store);
    this.compressor = new Compressor(store, services.settings);
    this.hash = new HashAccess(this);
    this.#ttl = new TtlPolicy(services.config.ttlRules, services.settings);
  }

  // ---- reading --------------------------------------------------------------------------------------

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

  /** Changes a byte of the value that `openString()` opened. */
  setByte(offset: number, byte: number): void {
    const shard = this.shard;
    if (record.isBlock(shard, this.ref)) this.piece(offset, 1)[0] = byte;
    else shard.u8[record.valueStartOf(shard, this.ref) + offset] = byte;
  }

  /** For `prepare`: a block for the key at argument `index`, made of those pinned, which are let go with it. */
  stageBlock(index: number, lengthBytes: number, pins: readonly PinnedBlock[]): Block | null {
    const shard = this.store.shardOf(this.key(index).hash);
    return this.staging.stageMade(shard, index, lengthBytes, pins, this.nowMs);
  }

  // ---- changing; under the lock ---------------------------------------------------------------------

  /** As `find()`, and removes what has expired. Counts nothing. */
  findForChange(index: number): number {
    if (this.targetIndex === 0) {
      const at = this.first + index, shard = this.store.shardOf(this.batch.argHash[at]);
      const ref = this.findHinted(shard, at);
      if (ref === 0 || !record.hasExpiry(shard, ref)) {
        this.shard = shard;
        return this.ref = ref;
      }
    }
    const key = this.key(index);
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
      this.effects!.put(number, this.key(keyIndex));
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
    const key = this.key(keyIndex);
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
    this.compressor.note(this.key(keyIndex), this.argLength(valueIndex));
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
    this.prepare = () => this.compressor.expand(this.key(keyIndex), this.staging, this.nowMs);
    return false;
  }

  /** Stores a number in decimal at the key that `findForChange()` was asked for; false: no memory, return without reply. */
  putInteger(keyIndex: number, number: number, expiresAtMs: number): boolean {
    return this.#putDigits(keyIndex, writeInteger(this.#digits, 0, number), expiresAtMs);
  }

  /** The same for the digits of a large number, at most 20. */
  putShort(keyIndex: number, bytes: Uint8Array, expiresAtMs: number): boolean {
    this.#digits.set(bytes);
    return this.#putDigits(keyIndex, bytes.length, expiresAtMs);
  }

  /** Appends argument `valueIndex` to what `findForChange()` found; false: no memory. */
  append(keyIndex: number, valueIndex: number): boolean {
    if (!this.#isPlain(keyIndex)) return false;
    const key = this.key(keyIndex), value = this.#value, at = this.first + valueIndex;
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
      const key = this.key(this.needsBlock), shard = this.store.shardOf(key.hash);
      const copyOf = this.needsCopyOf;
      this.needsCopyOf = 0;
      if (copyOf !== 0) {
        const from = this.key(copyOf);
        const at = this.store.shardOf(from.hash);
        return this.staging.stageCopy(at, from, shard, this.needsBlock, this.nowMs);
      }
      const isFresh = this.needsFresh;
      this.needsFresh = false;
      if (isFresh) return this.staging.stageFresh(shard, this.needsBlock, bytesMin, this.nowMs);
      return this.staging.stageOpen(shard, key, this.needsBlock, bytesMin, this.nowMs);
    }
    const key = this.key(keyIndex), shard = this.store.shardOf(key.hash);
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
    const key = this.key(keyIndex), staged = this.staging.of(keyIndex);
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
    const key = this.key(keyIndex), shard = this.store.shardOf(key.hash);
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
    this.store.noteChange(this.shard, this.key(keyIndex).hash);
    if (this.effects === null) return;
    this.#toldOfRange(keyIndex, this.#isNew ? 0 : this.valueBytes, from, to);
  }

  /** A part of a value of `valueBytes` was written; 0 if all of it is new. */
  #toldOfRange(keyIndex: number, valueBytes: number, from: number, to: number): void {
    const effects = this.effects!, key = this.key(keyIndex);
    // Of a short value, or most of one, the whole costs no more.
    if (valueBytes >= RANGE_VALUE_BYTES_MIN && (to - from) * 2 < valueBytes) {
      effects.range(this.shard.number, key, from, to);
    } else effects.put(this.shard.number, key);
  }

  /** Stores bytes that a handler made, at most INLINE_VALUE_BYTES_MAX; false: no memory, return without reply. */
  putBytes(keyIndex: number, bytes: Uint8Array, expiresAtMs: number): boolean {
    const key = this.key(keyIndex), value = this.#value, shard = this.store.shardOf(key.hash);
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
    if (this.effects !== null) this.effects.remove(this.shard.number, this.key(keyIndex));
  }

  /** Sets when the record found expires, 0 for never; false: no memory, return without reply. */
  setExpiry(keyIndex: number, expiresAtMs: number): boolean {
    const ref = entries.setExpiry(this.shard, this.ref, expiresAtMs);
    if (ref === 0) {
      this.isOutOfMemory = true;
      return false;
    }
    this.ref = ref;
    const key = this.key(keyIndex);
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
          entries.discardPrepared(this.store.shardOf(this.key(from + i * 2).hash), each);
        });
        this.isOutOfMemory = true;
        return false;
      }
      made.push(ref);
    }
    for (let i = 0; i < made.length; i++) {
      const index = from + i * 2, key = this.key(index);
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

  /** Over what `findForChange()` found for that key, or new. */
  #putDigits(keyIndex: number, count: number, expiresAtMs: number): boolean {
    const hash = this.batch.argHash[this.first + keyIndex];
    const isOverwritten = this.ref !== 0 && this.targetIndex === 0 && entries.overwriteFound(
      this.shard,
      this.ref,
      hash,
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
    const key = this.key(keyIndex), value = this.#value;
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
    const key = this.key(index), shard = this.store.shardOf(key.hash);
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

let zeros = new Uint8Array(INLINE_VALUE_BYTES_MAX + 8);
