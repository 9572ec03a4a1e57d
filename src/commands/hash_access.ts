// What commands do with hashes: one object per context, `c.hash`, which speaks of arguments and of replies.
//
// It positions itself at a field, by name, by order or at random, and then says or changes what is there. All changes
// of one command are told to the log together by `commit()`. It takes no lock and reads no clock.
import { hashPairTooLong, OUT_OF_MEMORY, WRONG_TYPE } from "../errors.ts";
import { HASH_FIELD_BYTES_MAX } from "../limits.ts";
import { INTEGER_BYTES_MAX, parseInteger } from "../number_format.ts";
import {
  entries,
  type Hash,
  INLINE_VALUE_BYTES_MAX,
  KEEP_EXPIRY,
  TYPE_HASH,
} from "../store/store.ts";
import type { CommandContext } from "./context.ts";

export { KEEP_EXPIRY };

/** A field of a hash that is made as a whole, and when it expires, in ms since 1970; 0 for never. */
export interface WholeField {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
  readonly expiresAtMs: number;
}

/** What `replyAll()` replies with. */
export const NAMES = 1;
export const VALUES = 2;

/** What was done with a field, and is told: it has a value, it is gone, it expires at another moment. */
const SET = 0;
const GONE = 1;
const EXPIRES = 2;
/** In the place of the argument that is a field's value: a handler made it. */
const MADE = -1;
const VALUE_SLACK_BYTES = 8;
/** Parts of a large hash are of many sizes while they grow, and each size takes pages of its own. */
const PART_CLASSES_BYTES = 1_048_576;
/** A field in the log is no longer than what it takes in memory and this. */
const LOG_BYTES_PER_FIELD = 8;
/** Of the key that a hash is moved from: that it is gone. */
const LOG_BYTES_BESIDE = 64;

export class HashAccess {
  /** What `scan()` met: fields to be opened by `openScanned()`. */
  scannedCount = 0;

  readonly #hash: Hash;
  /** Whether the key that was found last holds a hash; for changes, whether it did before the command. */
  #isThere = false;
  /** The hash that the first `set()` made, and that `commit()` gives to the key. */
  #isNew = false;
  /** What this command did, in order: the argument that names a field * 4 + what, the argument that is its value; */
  #done = new Int32Array(64);
  /** and when the field then expires. */
  #doneExpiry = new Float64Array(32);
  #doneCount = 0;
  /** Places of what `scan()` met: name, its bytes, value, its bytes. */
  #scanned = new Int32Array(64);
  readonly #scannedExpiry: number[] = [];
  /** A name and a value that a handler made. */
  readonly #name = new PaddedBytes();
  readonly #value = new PaddedBytes();
  readonly #note = (hash: Hash): void => this.#noteScanned(hash);

  constructor(readonly c: CommandContext) {
    this.#hash = c.store.createHash();
  }

  // ---- reading: without lock, or under it -----------------------------------------------------------

  /**
   * Looks the key at argument `keyIndex` up, and counts a hit or a miss: 0 if it is absent, −1 if it holds no hash, and
   * then the error is the reply. A hash whose fields have all expired is absent.
   */
  find(keyIndex: number): number {
    const c = this.c, ref = c.find(keyIndex);
    this.#isThere = false;
    this.#isNew = false;
    if (ref === 0) return 0;
    if (c.type !== TYPE_HASH) {
      c.reply.error(WRONG_TYPE);
      return -1;
    }
    const hash = this.#hash;
    hash.open(c.shard, ref, c.nowMs);
    if (hash.isDue && !hash.isLarge && hash.liveCount() === 0) {
      c.hits--;
      c.misses++;
      return 0;
    }
    this.#isThere = true;
    return ref;
  }

  /** Opens the hash that `c.peek()` has found, for reading. */
  openPeeked(): void {
    const c = this.c;
    this.#isThere = true;
    this.#isNew = false;
    this.#hash.open(c.shard, c.ref, c.nowMs);
  }

  /** The field that was found last: places in `bytes`, valid until the next call that changes or finds. */
  get nameStart(): number {
    return this.#hash.place.nameWord * 4;
  }

  get nameBytes(): number {
    return this.#hash.place.nameBytes;
  }

  get valueStart(): number {
    return this.#hash.place.valueWord * 4;
  }

  get valueBytes(): number {
    return this.#hash.place.valueBytes;
  }

  /** When it expires, in ms since 1970; 0 for never. */
  get fieldExpiresAtMs(): number {
    return this.#hash.place.expiresAtMs;
  }

  /** The bytes that `nameStart` and `valueStart` are places in; torn while no lock is held. */
  get bytes(): Uint8Array {
    return this.#hash.shard.u8;
  }

  /** Whether there is a hash: it was found, or the command has made it. */
  get #isOpen(): boolean {
    return this.#isThere || this.#isNew;
  }

  /** Fields that have not expired; 0 if there is no hash. Large hashes with expired fields: needs the lock. */
  count(): number {
    if (!this.#isOpen) return 0;
    const hash = this.#hash;
    if (hash.isDue && !this.#mayWalk()) return 0;
    return hash.liveCount();
  }

  /** Whether it lies in one piece, in the order of insertion: up to 128 fields and 8 KiB. */
  get isSmall(): boolean {
    return !this.#hash.isLarge;
  }

  /** Positions at the field named by argument `argIndex`; false if it is absent or has expired, or there is no hash. */
  findField(argIndex: number): boolean {
    if (!this.#isOpen) return false;
    const { batch, first } = this.c, at = first + argIndex;
    return this.#hash.find(batch.view, batch.argStart[at], batch.argEnd[at]);
  }

  /** Before the first field, for `next()`. A large hash is walked under the lock only: `needsLock` is set then. */
  rewind(): void {
    if (this.#isOpen && this.#mayWalk()) this.#hash.rewind();
  }

  /** Positions at the next field that has not expired; false at the end. `while (c.hash.next()) ...` */
  next(): boolean {
    return this.#isOpen && !this.c.needsLock && this.#hash.next();
  }

  /** Without lock a small hash may be walked: it is short, whatever is read. A large one is left for the second run. */
  #mayWalk(): boolean {
    const c = this.c;
    if (c.isLocked || !this.#hash.isLarge) return true;
    c.needsLock = true;
    return false;
  }

  /**
   * A step of HSCAN from `cursor` (0: the beginning): notes at least `countMin` fields, if there are so many, for
   * `openScanned()`. Gives the next cursor, 0 at the end. What is there from start to end is met at least once.
   */
  scan(cursor: number, countMin: number): number {
    this.scannedCount = 0;
    if (!this.#isOpen || !this.#mayWalk()) return 0;
    return this.#hash.scan(cursor, countMin, this.#note);
  }

  #noteScanned({ place }: Hash): void {
    const at = this.scannedCount * 4;
    if (at + 4 > this.#scanned.length) {
      const longer = new Int32Array(this.#scanned.length * 2);
      longer.set(this.#scanned);
      this.#scanned = longer;
    }
    this.#scanned[at] = place.nameWord;
    this.#scanned[at + 1] = place.nameBytes;
    this.#scanned[at + 2] = place.valueWord;
    this.#scanned[at + 3] = place.valueBytes;
    this.#scannedExpiry[this.scannedCount++] = place.expiresAtMs;
  }

  /** Positions at field `i` of those that `scan()` noted, below `scannedCount`. */
  openScanned(i: number): void {
    const { place } = this.#hash, scanned = this.#scanned;
    place.nameWord = scanned[i * 4];
    place.nameBytes = scanned[i * 4 + 1];
    place.valueWord = scanned[i * 4 + 2];
    place.valueBytes = scanned[i * 4 + 3];
    place.expiresAtMs = this.#scannedExpiry[i];
  }

  /** Positions at a field, each as likely as the next; false if there is none. Large hashes: needs the lock. */
  openRandom(): boolean {
    return this.#isOpen && this.#mayWalk() && this.#hash.random();
  }

  /** Replies with the name, or the value, of the field found. */
  replyName(): void {
    const { shard, place } = this.#hash;
    this.c.reply.bulkWords(shard.i32, shard.u8, place.nameWord * 4, place.nameBytes);
  }

  replyValue(): void {
    const { shard, place } = this.#hash;
    this.c.reply.bulkWords(shard.i32, shard.u8, place.valueWord * 4, place.valueBytes);
  }

  /** Replies with the value of the field named by argument `argIndex`, without positioning there; false if there is none. */
  replyField(argIndex: number): boolean {
    const { batch: { view, argStart, argEnd }, first, reply } = this.c, hash = this.#hash;
    const at = first + argIndex;
    // Fields are mostly asked for in their order.
    if (hash.seeNext(view, argStart[at], argEnd[at])) {
      const { shard, place: { valueWord, valueBytes } } = hash;
      reply.bulkWords(shard.i32, shard.u8, valueWord * 4, valueBytes);
      return true;
    }
    if (!this.findField(argIndex)) return false;
    this.replyValue();
    return true;
  }

  /** Replies with NAMES, VALUES or both of all fields, after `count()`. */
  replyAll(what: number): void {
    this.rewind();
    const hash = this.#hash, plain = hash.plainCount, { place, shard: { i32, u8 } } = hash;
    const { reply } = this.c;
    if (plain === 0) {
      while (this.next()) {
        if ((what & NAMES) !== 0) this.replyName();
        if ((what & VALUES) !== 0) this.replyValue();
      }
    }
    for (let index = 0; index < plain; index++) {
      hash.seeSlot(index);
      if ((what & NAMES) !== 0) reply.bulkWords(i32, u8, place.nameWord * 4, place.nameBytes);
      if ((what & VALUES) !== 0) reply.bulkWords(i32, u8, place.valueWord * 4, place.valueBytes);
    }
  }

  /** The value found as a whole number within 2^53, NaN if it is none. */
  valueInteger(): number {
    const { shard, place: { valueWord, valueBytes } } = this.#hash;
    if (valueBytes === 0 || valueBytes > INTEGER_BYTES_MAX) return NaN;
    return parseInteger(shard.u8, valueWord * 4, valueWord * 4 + valueBytes);
  }

  /** Copies of what was found. */
  valueCopy(): Uint8Array<ArrayBuffer> {
    const { shard, place: { valueWord, valueBytes } } = this.#hash;
    return copyOf(shard.u8, valueWord * 4, valueBytes);
  }

  nameCopy(): Uint8Array<ArrayBuffer> {
    const { shard, place: { nameWord, nameBytes } } = this.#hash;
    return copyOf(shard.u8, nameWord * 4, nameBytes);
  }

  /** The value found as text; bytes that are not UTF-8 become U+FFFD. */
  valueText(): string {
    return decoder.decode(this.valueCopy());
  }

  /** What the names, values and moments of all fields take at most, with `overhead` bytes more for each field. */
  bytesBound(overhead: number): number {
    return this.#isOpen ? this.#hash.bytesBound(overhead) : 0;
  }

  /** What the hash of the record that the context found last takes in the log at most, as a whole; under the lock. */
  logBytes(): number {
    const { shard, ref, nowMs } = this.c;
    this.#hash.open(shard, ref, nowMs);
    return this.#hash.bytesBound(LOG_BYTES_PER_FIELD);
  }

  // ---- changing: under the lock ---------------------------------------------------------------------

  /**
   * As `find()`, for a change: what has expired is removed first, fields too, and nothing is counted. A hash that is
   * absent is made by the first `set()`.
   */
  findForChange(keyIndex: number): number {
    const c = this.c, hash = this.#hash;
    this.#isThere = false;
    this.#isNew = false;
    this.#doneCount = 0;
    const ref = c.findForChange(keyIndex);
    if (ref === 0) return 0;
    if (c.type !== TYPE_HASH) {
      c.reply.error(WRONG_TYPE);
      return -1;
    }
    const { hash: keyHash } = c.key(keyIndex);
    hash.openForChange(c.shard, ref, c.shard.slot, keyHash, c.nowMs);
    if (hash.isDue) {
      hash.reap();
      c.ref = hash.ref;
      if (hash.fieldCount === 0) {
        // It had gone already, as far as anybody could see: that is not logged.
        entries.removeAt(c.shard, hash.slot, hash.ref);
        return c.ref = 0;
      }
    }
    this.#isThere = true;
    return c.ref;
  }

  /**
   * Makes sure that the pairs of field and value from argument `from` on, `count` of them, find room, so that a command
   * is not stopped midway; `expires`: they will have a moment of expiry. False: the error is the reply (a pair is too
   * long), or there is no memory; return without another reply. To be called after `findForChange()`, with the same key.
   * Many pairs for a large hash may be stopped midway all the same, when other threads take the memory meanwhile: what is
   * stored then stays, and is told to the log.
   */
  admitPairs(keyIndex: number, from: number, count: number, expires = false): boolean {
    const c = this.c, { argStart, argEnd, view } = c.batch, hash = this.#hash;
    const first = c.first + from, end = first + count * 2;
    let words = 0, wordsEach = 0;
    for (let at = first; at < end; at += 2) {
      const nameBytes = argEnd[at] - argStart[at], valueBytes = argEnd[at + 1] - argStart[at + 1];
      if (!this.#isShort(nameBytes, c.argLength(at + 1 - c.first))) return false;
      const each = hash.wordsFor(nameBytes, valueBytes, expires);
      words += each;
      if (each > wordsEach) wordsEach = each;
    }
    if (!this.#isThere) return this.#make(keyIndex, words);
    if (hash.hasRoom(words)) return true;
    words = 0;
    for (let at = first; at < end; at += 2) {
      const valueBytes = argEnd[at + 1] - argStart[at + 1];
      words += hash.wordsToSet(view, argStart[at], argEnd[at], valueBytes, expires);
    }
    return this.#admit(words, wordsEach, count);
  }

  /** The same for moments of expiry of the fields named by `count` arguments from `from` on. */
  admitFields(_keyIndex: number, from: number, count: number): boolean {
    if (!this.#isThere) return true;
    const c = this.c, { argStart, argEnd, view } = c.batch, hash = this.#hash;
    let words = 0, wordsEach = 0;
    for (let at = c.first + from; at < c.first + from + count; at++) {
      if (!hash.find(view, argStart[at], argEnd[at])) continue;
      const { valueBytes } = hash.place;
      const each = hash.wordsToSet(view, argStart[at], argEnd[at], valueBytes, true);
      words += each;
      if (each > wordsEach) wordsEach = each;
    }
    return this.#admit(words, wordsEach, count);
  }

  #admit(words: number, wordsEach: number, fields: number): boolean {
    if (words === 0 || this.#hash.makeRoom(words, wordsEach, fields)) return true;
    return this.#wantMemory(words * 4);
  }

  /** Makes the hash of an absent key, for `commit()` to link; false: no memory. */
  #make(keyIndex: number, words: number): boolean {
    const c = this.c, key = c.key(keyIndex), shard = c.store.shardOf(key.hash);
    if (!this.#hash.prepare(shard, key, words, c.openExpiry(keyIndex), c.nowMs)) {
      return this.#wantMemory(words * 4);
    }
    this.#isNew = true;
    return true;
  }

  #isShort(nameBytes: number, valueBytes: number): boolean {
    if (nameBytes + valueBytes <= HASH_FIELD_BYTES_MAX) return true;
    this.c.reply.error(hashPairTooLong(nameBytes + valueBytes, HASH_FIELD_BYTES_MAX));
    return false;
  }

  /**
   * Stores argument `valueIndex` in the field named by argument `fieldIndex`, which expires at `expiresAtMs` (0: never,
   * KEEP_EXPIRY: as now). Gives 1 if the field is new, 0 if it was there; −1: no memory, or the pair is too long and the
   * error is the reply: call `commit()` and return without reply.
   */
  set(keyIndex: number, fieldIndex: number, valueIndex: number, expiresAtMs: number): number {
    const c = this.c, { bytes, view, argStart } = c.batch, at = c.first + valueIndex;
    const valueBytes = c.argLength(valueIndex);
    return this.#set(
      keyIndex,
      fieldIndex,
      valueIndex,
      bytes,
      view,
      argStart[at],
      argStart[at] + valueBytes,
      expiresAtMs,
    );
  }

  /** The same with a value that a handler made. */
  setBytes(
    keyIndex: number,
    fieldIndex: number,
    value: Uint8Array,
    expiresAtMs: number,
  ): number {
    // One that is too long is refused before it is read.
    const { bytes, view } = this.#value.set(value.subarray(0, HASH_FIELD_BYTES_MAX));
    return this.#set(keyIndex, fieldIndex, MADE, bytes, view, 0, value.length, expiresAtMs);
  }

  #set(
    keyIndex: number,
    fieldIndex: number,
    valueIndex: number,
    bytes: Uint8Array,
    view: DataView,
    valueStart: number,
    valueEnd: number,
    expiresAtMs: number,
  ): number {
    const c = this.c, { batch } = c, at = c.first + fieldIndex, hash = this.#hash;
    const start = batch.argStart[at], end = batch.argEnd[at];
    if (!this.#isShort(end - start, valueEnd - valueStart)) return -1;
    if (!this.#isOpen) {
      const words = hash.wordsFor(end - start, valueEnd - valueStart, expiresAtMs > 0);
      if (!this.#make(keyIndex, words)) return -1;
    }
    const result = hash.set(
      batch.view,
      start,
      end,
      bytes,
      view,
      valueStart,
      valueEnd,
      expiresAtMs,
    );
    if (result < 0) {
      c.isOutOfMemory = true;
      this.#discard();
    } else this.#noteDone(SET, fieldIndex, valueIndex, hash.place.expiresAtMs);
    return result;
  }

  /** Removes the field named by argument `fieldIndex`; false if there is none. */
  remove(fieldIndex: number): boolean {
    if (!this.#isOpen) return false;
    const { batch, first } = this.c, at = first + fieldIndex;
    if (!this.#hash.remove(batch.view, batch.argStart[at], batch.argEnd[at])) return false;
    this.#noteDone(GONE, fieldIndex, 0, 0);
    return true;
  }

  /** Sets when the field named by argument `fieldIndex`, which is there, expires, 0: never. False: no memory, as `set()`'s −1. */
  setFieldExpiry(fieldIndex: number, expiresAtMs: number): boolean {
    if (!this.#isOpen) return true;
    const { batch, first } = this.c, at = first + fieldIndex, start = batch.argStart[at];
    const result = this.#hash.setExpiry(batch.view, start, batch.argEnd[at], expiresAtMs);
    if (result < 0) {
      this.c.isOutOfMemory = true;
      this.#discard();
      return false;
    }
    if (result > 0) this.#noteDone(EXPIRES, fieldIndex, 0, expiresAtMs);
    return true;
  }

  /**
   * Gives the key a hash of these fields in the place of whatever it had, which is told as one effect; `expiresAtMs`: of
   * the key. False: the error is the reply, or there is no memory; return without another reply.
   */
  putWhole(keyIndex: number, fields: readonly WholeField[], expiresAtMs: number): boolean {
    const c = this.c, hash = this.#hash;
    let words = 0;
    for (const { name, value, expiresAtMs } of fields) {
      if (!this.#isShort(name.length, value.length)) return false;
      words += hash.wordsFor(name.length, value.length, expiresAtMs !== 0);
    }
    if (!this.#hasLogRoom(words * 4 + fields.length * LOG_BYTES_PER_FIELD)) return false;
    const key = c.key(keyIndex), shard = c.store.shardOf(key.hash);
    this.#isNew = hash.prepare(shard, key, words, expiresAtMs, c.nowMs);
    if (!this.#isNew) return this.#wantMemory(words * 4);
    for (const field of fields) {
      const name = this.#name.set(field.name), value = this.#value.set(field.value);
      const result = hash.set(
        name.view,
        0,
        field.name.length,
        value.bytes,
        value.view,
        0,
        field.value.length,
        field.expiresAtMs,
      );
      if (result < 0) {
        this.#discard();
        return this.#wantMemory(words * 4);
      }
    }
    this.#link(keyIndex);
    return true;
  }

  /**
   * Stores at argument `toIndex` a copy of the hash that `c.findForChange()` found; `expiresAtMs`: of the key. False: no
   * memory, return without reply.
   */
  putCopy(toIndex: number, expiresAtMs: number): boolean {
    const c = this.c, from = c.shard, ref = c.ref, bytes = this.logBytes();
    if (!this.#hasLogRoom(bytes)) return false;
    const key = c.key(toIndex), shard = c.store.shardOf(key.hash);
    this.#isNew = this.#hash.prepareCopy(from, ref, shard, key, expiresAtMs, c.nowMs);
    if (!this.#isNew) return this.#wantMemory(bytes);
    this.#link(toIndex);
    return true;
  }

  /** There is no memory for a change that takes about so many bytes. */
  #wantMemory(bytes: number): false {
    this.c.isOutOfMemory = true;
    this.c.wantedBytes = bytes > INLINE_VALUE_BYTES_MAX ? bytes + PART_CLASSES_BYTES : bytes;
    return false;
  }

  /** Whether the log has room for a whole hash of so many bytes; if not, the command runs again once it has. */
  #hasLogRoom(bytes: number): boolean {
    const c = this.c;
    if (c.effects === null) return true;
    // With it a key, and another that is told to be gone.
    const keyBytes = c.argLength(1) + c.argLength(2) + LOG_BYTES_BESIDE;
    if (c.effects.hasRoomFor(bytes + keyBytes)) return true;
    // Within EXEC nothing can be waited for any more; room was asked for before.
    if (c.isInTransaction) c.reply.error(OUT_OF_MEMORY);
    else {
      c.isOutOfMemory = true;
      c.needsLogBytes = bytes;
    }
    return false;
  }

  /**
   * Ends the changes of a command: a hash without fields goes, and all is told to the log and to those who watch the
   * key. To be called once by each handler that changed anything; without a change it does nothing.
   */
  commit(keyIndex: number): void {
    const c = this.c, hash = this.#hash;
    if (this.#isNew) {
      if (hash.fieldCount === 0) this.#discard();
      else this.#link(keyIndex);
      return;
    }
    if (this.#doneCount === 0) return;
    c.ref = hash.ref;
    const { shard } = hash;
    if (hash.fieldCount === 0) {
      entries.removeAt(shard, hash.slot, hash.ref);
      this.#isThere = false;
      c.ref = 0;
      c.effects?.remove(shard.number, c.key(keyIndex));
    } else {
      const key = c.key(keyIndex);
      shard.slot = hash.slot;
      c.store.noteAccess(shard, hash.slot, c.accessClock);
      c.store.noteChange(shard, key.hash);
      if (c.effects !== null) this.#tell(keyIndex);
    }
    this.#doneCount = 0;
  }

  /** The field is positioned at, unless it is gone. A hash that is new is told as a whole. */
  #noteDone(what: number, fieldIndex: number, valueIndex: number, expiresAtMs: number): void {
    if (this.#isNew) return;
    const i = this.#doneCount++;
    if (i === this.#doneExpiry.length) this.#growDone();
    this.#done[i * 2] = fieldIndex * 4 + what;
    this.#done[i * 2 + 1] = valueIndex;
    this.#doneExpiry[i] = expiresAtMs;
  }

  #growDone(): void {
    const done = new Int32Array(this.#done.length * 2);
    const expiry = new Float64Array(this.#doneExpiry.length * 2);
    done.set(this.#done);
    expiry.set(this.#doneExpiry);
    this.#done = done;
    this.#doneExpiry = expiry;
  }

  /** The key's hash was made: it is its own from now on, and told as a whole. */
  #link(keyIndex: number): void {
    const c = this.c, hash = this.#hash, key = c.key(keyIndex);
    hash.link(key, c.accessClock);
    this.#isNew = false;
    this.#isThere = true;
    this.#doneCount = 0;
    c.ref = hash.ref;
    c.shard = hash.shard;
    hash.shard.slot = hash.slot;
    c.effects?.put(hash.shard.number, c.key(keyIndex));
  }

  /** A hash that was made will not be used: the key is as it was. */
  #discard(): void {
    if (!this.#isNew) return;
    this.#hash.discard();
    this.#isNew = false;
  }

  /**
   * Tells what was done, in its order, as few effects as that allows. Values are told as the arguments have them: of a
   * field that is named twice the last one counts, and no more is told than was asked for.
   */
  #tell(keyIndex: number): void {
    const count = this.#doneCount, done = this.#done;
    for (let from = 0; from < count;) {
      const what = done[from * 2] & 3;
      let to = from + 1;
      while (to < count && (done[to * 2] & 3) === what) to++;
      this.#tellRun(keyIndex, what, from, to);
      from = to;
    }
  }

  #tellRun(keyIndex: number, what: number, from: number, to: number): void {
    const c = this.c, { batch: { view, argStart, argEnd }, first } = c, effects = c.effects!;
    const key = c.key(keyIndex), { number } = this.#hash.shard;
    if (what === SET) effects.fields(number, key, to - from);
    else if (what === GONE) effects.removeFields(number, key, to - from);
    else effects.expireFields(number, key, to - from);
    for (let i = from; i < to; i++) {
      const at = first + (this.#done[i * 2] >> 2), start = argStart[at], end = argEnd[at];
      const value = this.#done[i * 2 + 1], expiresAtMs = this.#doneExpiry[i];
      if (what === GONE) effects.fieldName(view, start, end);
      else if (what === EXPIRES) effects.fieldExpiry(view, start, end, expiresAtMs);
      else if (value === MADE) this.#tellMade(start, end, expiresAtMs);
      else {
        const valueAt = first + value;
        effects.field(view, start, end, expiresAtMs, view, argStart[valueAt], argEnd[valueAt]);
      }
    }
  }

  #tellMade(start: number, end: number, expiresAtMs: number): void {
    const hash = this.#hash, { view } = this.c.batch;
    hash.find(view, start, end);
    const at = hash.place.valueWord * 4, to = at + hash.place.valueBytes;
    this.c.effects!.field(view, start, end, expiresAtMs, hash.shard.view, at, to);
  }
}

const decoder = new TextDecoder();

function copyOf(bytes: Uint8Array, start: number, count: number): Uint8Array<ArrayBuffer> {
  return bytes.slice(start, start + count) as Uint8Array<ArrayBuffer>;
}

/** Bytes of a name or a value where they are readable past their end, as copies of whole words need it. */
class PaddedBytes {
  readonly bytes = new Uint8Array(HASH_FIELD_BYTES_MAX + VALUE_SLACK_BYTES);
  readonly view = new DataView(this.bytes.buffer);

  /** Not longer than a field may be. */
  set(value: Uint8Array): this {
    this.bytes.set(value);
    return this;
  }
}
