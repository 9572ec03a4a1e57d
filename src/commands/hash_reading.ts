// What commands read of a hash: positioned at a field by name, by order or at random, it says what is there.
//
// It speaks of arguments and of replies, runs without lock or under one, takes none and reads no clock.
import { WRONG_TYPE } from "../errors.ts";
import { INTEGER_BYTES_MAX, parseInteger } from "../number_format.ts";
import { type Hash, TYPE_HASH } from "../store/store.ts";
import type { CommandContext } from "./context.ts";

/** What `replyAll()` replies with. */
export const NAMES = 1;
export const VALUES = 2;

/** A field in the log is no longer than what it takes in memory and this. */
export const LOG_BYTES_PER_FIELD = 8;

export class HashReading {
  /** What `scan()` met: fields to be opened by `openScanned()`. */
  scannedCount = 0;

  protected readonly hash: Hash;
  /** Whether the key that was found last holds a hash; for changes, whether it did before the command. */
  protected isThere = false;
  /** The hash that the first `set()` made, and that `commit()` gives to the key. */
  protected isNew = false;
  /** Places of what `scan()` met: name, its bytes, value, its bytes. */
  #scanned = new Int32Array(64);
  readonly #scannedExpiry: number[] = [];
  readonly #note = (hash: Hash): void => this.#noteScanned(hash);

  constructor(readonly c: CommandContext) {
    this.hash = c.store.createHash();
  }

  /**
   * Looks the key at argument `keyIndex` up, and counts a hit or a miss: 0 if it is absent, −1 if it holds no hash, and
   * then the error is the reply. A hash whose fields have all expired is absent.
   */
  find(keyIndex: number): number {
    const c = this.c, ref = c.find(keyIndex);
    this.isThere = false;
    this.isNew = false;
    if (ref === 0) return 0;
    if (c.type !== TYPE_HASH) {
      c.reply.error(WRONG_TYPE);
      return -1;
    }
    const hash = this.hash;
    hash.open(c.shard, ref, c.nowMs);
    if (hash.isDue && !hash.isLarge && hash.liveCount() === 0) {
      c.hits--;
      c.misses++;
      return 0;
    }
    this.isThere = true;
    return ref;
  }

  /** Opens the hash that `c.peek()` has found, for reading. */
  openPeeked(): void {
    const c = this.c;
    this.isThere = true;
    this.isNew = false;
    this.hash.open(c.shard, c.ref, c.nowMs);
  }

  /** The field that was found last: places in `bytes`, valid until the next call that changes or finds. */
  get nameStart(): number {
    return this.hash.place.nameWord * 4;
  }

  get nameBytes(): number {
    return this.hash.place.nameBytes;
  }

  get valueStart(): number {
    return this.hash.place.valueWord * 4;
  }

  get valueBytes(): number {
    return this.hash.place.valueBytes;
  }

  /** When it expires, in ms since 1970; 0 for never. */
  get fieldExpiresAtMs(): number {
    return this.hash.place.expiresAtMs;
  }

  /** The bytes that `nameStart` and `valueStart` are places in; torn while no lock is held. */
  get bytes(): Uint8Array {
    return this.hash.shard.u8;
  }

  /** Whether there is a hash: it was found, or the command has made it. */
  protected get isOpen(): boolean {
    return this.isThere || this.isNew;
  }

  /** Fields that have not expired; 0 if there is no hash. Large hashes with expired fields: needs the lock. */
  count(): number {
    if (!this.isOpen) return 0;
    const hash = this.hash;
    if (hash.isDue && !this.#mayWalk()) return 0;
    return hash.liveCount();
  }

  /** Whether it lies in one piece, in the order of insertion: up to 128 fields and 8 KiB. */
  get isSmall(): boolean {
    return !this.hash.isLarge;
  }

  /** Positions at the field named by argument `argIndex`; false if it is absent or has expired, or there is no hash. */
  findField(argIndex: number): boolean {
    if (!this.isOpen) return false;
    const { batch, first } = this.c, at = first + argIndex;
    return this.hash.find(batch.view, batch.argStart[at], batch.argEnd[at]);
  }

  /** Before the first field, for `next()`. A large hash is walked under the lock only: `needsLock` is set then. */
  rewind(): void {
    if (this.isOpen && this.#mayWalk()) this.hash.rewind();
  }

  /** Positions at the next field that has not expired; false at the end. `while (c.hash.next()) ...` */
  next(): boolean {
    return this.isOpen && !this.c.needsLock && this.hash.next();
  }

  /** Without lock a small hash may be walked: it is short, whatever is read. A large one is left for the second run. */
  #mayWalk(): boolean {
    const c = this.c;
    if (c.isLocked || !this.hash.isLarge) return true;
    c.needsLock = true;
    return false;
  }

  /**
   * A step of HSCAN from `cursor` (0: the beginning): notes at least `countMin` fields, if there are so many, for
   * `openScanned()`. Gives the next cursor, 0 at the end. What is there from start to end is met at least once.
   */
  scan(cursor: number, countMin: number): number {
    this.scannedCount = 0;
    if (!this.isOpen || !this.#mayWalk()) return 0;
    return this.hash.scan(cursor, countMin, this.#note);
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
    const { place } = this.hash, scanned = this.#scanned;
    place.nameWord = scanned[i * 4];
    place.nameBytes = scanned[i * 4 + 1];
    place.valueWord = scanned[i * 4 + 2];
    place.valueBytes = scanned[i * 4 + 3];
    place.expiresAtMs = this.#scannedExpiry[i];
  }

  /** Positions at a field, each as likely as the next; false if there is none. Large hashes: needs the lock. */
  openRandom(): boolean {
    return this.isOpen && this.#mayWalk() && this.hash.random();
  }

  /** Replies with the name, or the value, of the field found. */
  replyName(): void {
    const { shard, place } = this.hash;
    this.c.reply.bulkWords(shard.i32, shard.u8, place.nameWord * 4, place.nameBytes);
  }

  replyValue(): void {
    const { shard, place } = this.hash;
    this.c.reply.bulkWords(shard.i32, shard.u8, place.valueWord * 4, place.valueBytes);
  }

  /** Replies with the value of the field named by argument `argIndex`, without positioning there; false if there is none. */
  replyField(argIndex: number): boolean {
    const { batch: { view, argStart, argEnd }, first, reply } = this.c, hash = this.hash;
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
    const hash = this.hash, plain = hash.plainCount, { place, shard: { i32, u8 } } = hash;
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
    const { shard, place: { valueWord, valueBytes } } = this.hash;
    if (valueBytes === 0 || valueBytes > INTEGER_BYTES_MAX) return NaN;
    return parseInteger(shard.u8, valueWord * 4, valueWord * 4 + valueBytes);
  }

  /** Copies of what was found. */
  valueCopy(): Uint8Array<ArrayBuffer> {
    const { shard, place: { valueWord, valueBytes } } = this.hash;
    return copyOf(shard.u8, valueWord * 4, valueBytes);
  }

  nameCopy(): Uint8Array<ArrayBuffer> {
    const { shard, place: { nameWord, nameBytes } } = this.hash;
    return copyOf(shard.u8, nameWord * 4, nameBytes);
  }

  /** The value found as text; bytes that are not UTF-8 become U+FFFD. */
  valueText(): string {
    return decoder.decode(this.valueCopy());
  }

  /** What the names, values and moments of all fields take at most, with `overhead` bytes more for each field. */
  bytesBound(overhead: number): number {
    return this.isOpen ? this.hash.bytesBound(overhead) : 0;
  }

  /** What the hash of the record that the context found last takes in the log at most, as a whole; under the lock. */
  logBytes(): number {
    const { shard, ref, nowMs } = this.c;
    this.hash.open(shard, ref, nowMs);
    return this.hash.bytesBound(LOG_BYTES_PER_FIELD);
  }
}

const decoder = new TextDecoder();

function copyOf(bytes: Uint8Array, start: number, count: number): Uint8Array<ArrayBuffer> {
  return bytes.slice(start, start + count) as Uint8Array<ArrayBuffer>;
}
