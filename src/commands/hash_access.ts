// What commands do with hashes: one object per context, `c.hash`, which speaks of arguments and of replies.
//
// It positions itself at a field, by name, by order or at random, and then says or changes what is there. All changes
// of one command are told to the log together by `commit()`. It takes no lock and reads no clock.
import type { CommandContext } from "./context.ts";

/** In the place of a field's expiry: what it has now stays, and a new field has none. */
export const KEEP_EXPIRY = -1;

export class HashAccess {
  /** The field that was found last: places in `bytes`, valid until the next call that changes or finds. */
  nameStart = 0;
  nameBytes = 0;
  valueStart = 0;
  valueBytes = 0;
  /** When the field that was found last expires, in ms since 1970; 0 for never. */
  fieldExpiresAtMs = 0;
  /** What `scan()` met: fields to be opened by `openScanned()`. */
  scannedCount = 0;

  constructor(readonly c: CommandContext) {}

  // ---- reading: without lock, or under it -----------------------------------------------------------

  /**
   * Looks the key at argument `keyIndex` up, and counts a hit or a miss: 0 if it is absent, −1 if it holds no hash, and
   * then the error is the reply. A hash whose fields have all expired is absent.
   */
  find(_keyIndex: number): number {
    throw new Error("hashes are not built yet");
  }

  /** The bytes that `nameStart` and `valueStart` are places in; torn while no lock is held. */
  get bytes(): Uint8Array {
    return this.c.shard.u8;
  }

  /** Fields that have not expired; 0 after a `find()` that found nothing. Large hashes with expired fields: needs the lock. */
  count(): number {
    throw new Error("hashes are not built yet");
  }

  /** The largest number of fields of a hash that lies in one piece, in the order of insertion. */
  get isSmall(): boolean {
    throw new Error("hashes are not built yet");
  }

  /** Positions at the field named by argument `argIndex`; false if it is absent or has expired. */
  findField(_argIndex: number): boolean {
    throw new Error("hashes are not built yet");
  }

  /** Before the first field, for `next()`. A large hash is walked under the lock only: `needsLock` is set then. */
  rewind(): void {
    throw new Error("hashes are not built yet");
  }

  /** Positions at the next field that has not expired; false at the end. `while (c.hash.next()) ...` */
  next(): boolean {
    throw new Error("hashes are not built yet");
  }

  /**
   * A step of HSCAN from `cursor` (0: the beginning): notes at least `countMin` fields, if there are so many, for
   * `openScanned()`. Gives the next cursor, 0 at the end. What is there from start to end is met at least once.
   */
  scan(_cursor: number, _countMin: number): number {
    throw new Error("hashes are not built yet");
  }

  /** Positions at field `i` of those that `scan()` noted, below `scannedCount`. */
  openScanned(_i: number): void {
    throw new Error("hashes are not built yet");
  }

  /** Positions at a field, each as likely as the next; false if there is none. Large hashes: needs the lock. */
  openRandom(): boolean {
    throw new Error("hashes are not built yet");
  }

  /** Replies with the name, or the value, of the field found. */
  replyName(): void {
    throw new Error("hashes are not built yet");
  }

  replyValue(): void {
    throw new Error("hashes are not built yet");
  }

  /** The value found as a whole number within 2^53, NaN if it is none. */
  valueInteger(): number {
    throw new Error("hashes are not built yet");
  }

  /** Copies of what was found. */
  valueCopy(): Uint8Array<ArrayBuffer> {
    throw new Error("hashes are not built yet");
  }

  nameCopy(): Uint8Array<ArrayBuffer> {
    throw new Error("hashes are not built yet");
  }

  /** The value found as text; bytes that are not UTF-8 become U+FFFD. */
  valueText(): string {
    throw new Error("hashes are not built yet");
  }

  // ---- changing: under the lock ---------------------------------------------------------------------

  /**
   * As `find()`, for a change: what has expired is removed first, fields too, and nothing is counted. A hash that is
   * absent is made by the first `set()`.
   */
  findForChange(_keyIndex: number): number {
    throw new Error("hashes are not built yet");
  }

  /**
   * Makes sure that the pairs of field and value from argument `from` on, `count` of them, find room, so that a command
   * is not stopped midway. False: the error is the reply (a pair is too long), or there is no memory; return without
   * another reply. To be called after `findForChange()`, with the same key.
   */
  admitPairs(_keyIndex: number, _from: number, _count: number): boolean {
    throw new Error("hashes are not built yet");
  }

  /**
   * Stores argument `valueIndex` in the field named by argument `fieldIndex`, which expires at `expiresAtMs` (0: never,
   * KEEP_EXPIRY: as now). Gives 1 if the field is new, 0 if it was there; −1: no memory, or the pair is too long and the
   * error is the reply: call `commit()` and return without reply.
   */
  set(_keyIndex: number, _fieldIndex: number, _valueIndex: number, _expiresAtMs: number): number {
    throw new Error("hashes are not built yet");
  }

  /** The same with a value that a handler made. */
  setBytes(
    _keyIndex: number,
    _fieldIndex: number,
    _value: Uint8Array,
    _expiresAtMs: number,
  ): number {
    throw new Error("hashes are not built yet");
  }

  /** Removes the field named by argument `fieldIndex`; false if there is none. */
  remove(_fieldIndex: number): boolean {
    throw new Error("hashes are not built yet");
  }

  /** Sets when the field named by argument `fieldIndex` expires, 0: never. False if there is no memory: as `set()`'s −1. */
  setFieldExpiry(_fieldIndex: number, _expiresAtMs: number): boolean {
    throw new Error("hashes are not built yet");
  }

  /**
   * Ends the changes of a command: a hash without fields goes, and all is told to the log and to those who watch the
   * key. To be called once by each handler that changed anything; without a change it does nothing.
   */
  commit(_keyIndex: number): void {
    throw new Error("hashes are not built yet");
  }
}
