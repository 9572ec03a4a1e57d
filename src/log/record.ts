// One effect as MessagePack, and groups of effects as they lie in ring, log and snapshot; knows no file.
//
//   effect   [1, database, key, type, expiresAtMs, value]   the whole entry; never expires: 0
//            [2, database, key]                             removed
//            [3, database, key, expiresAtMs]                expires then; 0: never
//            [4, database]                                  emptied; −1: all databases
//            [5, table]                                     16 bytes: which database each number means
//            [6, database, key, offset, bytes]              written into the value there, zeros before if it was shorter
//            [16, database, key, [name, expiresAtMs, value, ...]]   fields set in a hash that was there
//            [17, database, key, [name, ...]]               fields removed, not all of them
//            [18, database, key, [name, expiresAtMs, ...]]  fields expire then
//   group    d6 47 l0 l1  l2 l3 c0 c0   effects   c0 ... to the next 8 bytes
//
// Keys, values and the table are `bin`. A group's head is MessagePack too, a fixext of 4 bytes with the length of
// its effects (little endian) and two nils, so that any library reads a log; it is 8 bytes long and never zero in
// its first word, so that the ring publishes a group by storing it. Kinds 16 to 63 are reserved for collections.
// A moment is a uint64 that a float64 holds exactly, as the store does: it may lie beyond 2^53.

export const PUT = 1;
export const REMOVE = 2;
export const EXPIRE = 3;
export const FLUSH = 4;
export const DATABASES = 5;
export const RANGE = 6;
export const SET_FIELDS = 16;
export const REMOVE_FIELDS = 17;
export const EXPIRE_FIELDS = 18;

export const GROUP_HEAD_BYTES = 8;
/** First word of a group's head, less the low half of its length. */
const GROUP_WORD = 0x47d6;
/** The same for a group with parts elsewhere, which is met in the ring only. */
const PARTS_WORD = 0x52d6;
const NILS = 0xc0c0;
export const NIL = 0xc0;
/** What an effect takes at most beside its key and value. */
export const EFFECT_OVERHEAD_BYTES = 32;
/** What a field of a hash takes at most beside its name and value. */
export const FIELD_OVERHEAD_BYTES = 19;

const ARRAY_0 = 0x90,
  ARRAY_2 = 0x92,
  ARRAY_3 = 0x93,
  ARRAY_4 = 0x94,
  ARRAY_5 = 0x95,
  ARRAY_6 = 0x96;
const ARRAY_16 = 0xdc, ARRAY_32 = 0xdd;
const BIN_8 = 0xc4, BIN_16 = 0xc5, BIN_32 = 0xc6;
const UINT_32 = 0xce, UINT_64 = 0xcf;
const MINUS_ONE = 0xff;
const HIGH = 2 ** 32;

export function groupFirstWord(lengthBytes: number, hasParts: boolean): number {
  return (hasParts ? PARTS_WORD : GROUP_WORD) | (lengthBytes << 16);
}

export function groupSecondWord(lengthBytes: number): number {
  return (lengthBytes >>> 16) | (NILS << 16);
}

/** Length of a group's effects from its two words, −1 if they are no group's. */
export function groupBytes(first: number, second: number): number {
  const kind = first & 0xffff;
  if (kind !== GROUP_WORD && kind !== PARTS_WORD || second >>> 16 !== NILS) return -1;
  return (first >>> 16) + (second & 0xffff) * 65_536;
}

export function hasParts(first: number): boolean {
  return (first & 0xffff) === PARTS_WORD;
}

/** Writes effects one behind the other into a buffer that grows; `length` is what is written. */
export class EffectWriter {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  length = 0;

  constructor(capacityBytes: number) {
    this.bytes = new Uint8Array(capacityBytes + 8);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` more bytes and the last word's slack. */
  reserve(count: number): void {
    if (this.length + count + 8 <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count + 8));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  /**
   * A put up to its value, whose `valueBytes` follow; the key lies in words from `keyWord` on. Call `reserve()` for
   * all of it before.
   */
  put(
    database: number,
    from: Int32Array,
    keyWord: number,
    keyBytes: number,
    type: number,
    expiresAtMs: number,
    valueBytes: number,
  ): void {
    this.#head(ARRAY_6, PUT, database);
    this.binHead(keyBytes);
    this.words(from, keyWord, keyBytes);
    this.bytes[this.length++] = type;
    this.moment(expiresAtMs);
    this.binHead(valueBytes);
  }

  /** A range up to its bytes, of which `count` follow. Call `reserve()` for all of it before. */
  range(
    database: number,
    keyView: DataView,
    keyStart: number,
    keyEnd: number,
    offset: number,
    count: number,
  ): void {
    this.#head(ARRAY_5, RANGE, database);
    this.bin(keyView, keyStart, keyEnd);
    this.bytes[this.length] = UINT_32;
    this.view.setUint32(this.length + 1, offset);
    this.length += 5;
    this.binHead(count);
  }

  remove(database: number, keyView: DataView, keyStart: number, keyEnd: number): void {
    this.#head(ARRAY_3, REMOVE, database);
    this.bin(keyView, keyStart, keyEnd);
  }

  expire(
    database: number,
    keyView: DataView,
    keyStart: number,
    keyEnd: number,
    expiresAtMs: number,
  ): void {
    this.#head(ARRAY_4, EXPIRE, database);
    this.bin(keyView, keyStart, keyEnd);
    this.moment(expiresAtMs);
  }

  /**
   * An effect on `count` fields of a hash up to them: of each follow its name, and by the kind its moment and its value.
   * Call `reserve()` before.
   */
  fields(
    kind: number,
    database: number,
    keyView: DataView,
    keyStart: number,
    keyEnd: number,
    count: number,
  ): void {
    this.#head(ARRAY_4, kind, database);
    this.bin(keyView, keyStart, keyEnd);
    this.#arrayHead(kind === SET_FIELDS ? count * 3 : kind === EXPIRE_FIELDS ? count * 2 : count);
  }

  /** −1: all databases. */
  flush(database: number): void {
    this.#head(ARRAY_2, FLUSH, database < 0 ? MINUS_ONE : database);
  }

  databases(table: Uint8Array): void {
    this.bytes[this.length++] = ARRAY_2;
    this.bytes[this.length++] = DATABASES;
    this.binHead(table.length);
    this.bytes.set(table, this.length);
    this.length += table.length;
  }

  /** Bytes that follow a head, from words that lie aligned in shared memory. */
  words(from: Int32Array, word: number, count: number): void {
    const view = this.view;
    let at = this.length;
    const end = at + count;
    for (; at < end; at += 4) view.setInt32(at, from[word++], true);
    this.length = end;
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  binHead(count: number): void {
    const { bytes } = this;
    let at = this.length;
    if (count < 256) {
      bytes[at++] = BIN_8;
      bytes[at++] = count;
    } else if (count < 65_536) {
      bytes[at++] = BIN_16;
      bytes[at++] = count >>> 8;
      bytes[at++] = count;
    } else {
      bytes[at++] = BIN_32;
      this.view.setUint32(at, count);
      at += 4;
    }
    this.length = at;
  }

  #arrayHead(count: number): void {
    if (count < 16) {
      this.bytes[this.length++] = ARRAY_0 | count;
    } else if (count < 65_536) {
      this.bytes[this.length] = ARRAY_16;
      this.view.setUint16(this.length + 1, count);
      this.length += 3;
    } else {
      this.bytes[this.length] = ARRAY_32;
      this.view.setUint32(this.length + 1, count);
      this.length += 5;
    }
  }

  #head(array: number, kind: number, database: number): void {
    this.bytes[this.length++] = array;
    this.bytes[this.length++] = kind;
    this.bytes[this.length++] = database;
  }

  /** Bytes from a view that is readable to 3 bytes past `end`. */
  bin(from: DataView, start: number, end: number): void {
    this.binHead(end - start);
    const view = this.view;
    let at = this.length;
    for (let from4 = start; from4 < end; from4 += 4, at += 4) {
      view.setInt32(at, from.getInt32(from4, true), true);
    }
    this.length += end - start;
  }

  /** In ms since 1970; 0: never. */
  moment(expiresAtMs: number): void {
    if (expiresAtMs === 0) {
      this.bytes[this.length++] = 0;
      return;
    }
    this.bytes[this.length++] = UINT_64;
    this.view.setUint32(this.length, Math.floor(expiresAtMs / HIGH));
    this.view.setUint32(this.length + 4, expiresAtMs % HIGH);
    this.length += 8;
  }
}

/** One effect after the other out of a buffer; the fields are those of the effect read last. */
export class EffectReader {
  kind = 0;
  database = 0;
  keyStart = 0;
  keyEnd = 0;
  type = 0;
  expiresAtMs = 0;
  /** Of a range, in the value that it changes. */
  offset = 0;
  /** The value, the bytes of a range, or the table of databases. */
  valueStart = 0;
  valueEnd = 0;
  /** Why `next()` gave −1. */
  error = "";

  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Reads the effect at `start`; gives where the next one begins, −1 if there is none that this version knows. */
  next(start: number, end: number): number {
    this.#at = start;
    this.#end = end;
    const head = this.#byte();
    if ((head & 0xf0) !== 0x90) return this.#fail(`no array at ${start}: byte ${head}`);
    const fields = head & 15, kind = this.kind = this.#byte();
    switch (kind) {
      case PUT:
        if (fields !== 6 || !this.#database() || !this.#key()) return this.#broken();
        this.type = this.#byte();
        return this.#moment() && this.#value() ? this.#at : this.#broken();
      case REMOVE:
        return fields === 3 && this.#database() && this.#key() ? this.#at : this.#broken();
      case EXPIRE:
        if (fields !== 4 || !this.#database() || !this.#key()) return this.#broken();
        return this.#moment() ? this.#at : this.#broken();
      case FLUSH: {
        const database = this.#byte();
        this.database = database === MINUS_ONE ? -1 : database;
        return fields === 2 && this.database < 16 ? this.#at : this.#broken();
      }
      case DATABASES:
        if (fields !== 2 || !this.#value()) return this.#broken();
        return this.valueEnd - this.valueStart === 16 ? this.#at : this.#broken();
      case RANGE:
        if (fields !== 5 || !this.#database() || !this.#key()) return this.#broken();
        return this.#offset() && this.#value() ? this.#at : this.#broken();
      default:
        return this.#fail(`effect of unknown kind ${kind}`);
    }
  }

  #broken(): number {
    return this.#fail(`effect of kind ${this.kind} is not well formed`);
  }

  #fail(error: string): number {
    this.error = error;
    return -1;
  }

  #byte(): number {
    return this.#at < this.#end ? this.#bytes[this.#at++] : 256;
  }

  #database(): boolean {
    this.database = this.#byte();
    return this.database < 16;
  }

  #key(): boolean {
    const count = this.#bin();
    if (count < 0) return false;
    this.keyStart = this.#at;
    this.#at = this.keyEnd = this.#at + count;
    return true;
  }

  #value(): boolean {
    const count = this.#bin();
    if (count < 0) return false;
    this.valueStart = this.#at;
    this.#at = this.valueEnd = this.#at + count;
    return true;
  }

  /** Length of the `bin` whose head is next, −1 if it is none or longer than what is there. */
  #bin(): number {
    const head = this.#byte();
    let count: number;
    if (head === BIN_8 && this.#at + 1 <= this.#end) {
      count = this.#bytes[this.#at++];
    } else if (head === BIN_16 && this.#at + 2 <= this.#end) {
      count = this.#view.getUint16(this.#at);
      this.#at += 2;
    } else if (head === BIN_32 && this.#at + 4 <= this.#end) {
      count = this.#view.getUint32(this.#at);
      this.#at += 4;
    } else return -1;
    return this.#at + count <= this.#end ? count : -1;
  }

  #offset(): boolean {
    if (this.#byte() !== UINT_32 || this.#at + 4 > this.#end) return false;
    this.offset = this.#view.getUint32(this.#at);
    this.#at += 4;
    return true;
  }

  #moment(): boolean {
    const head = this.#byte();
    if (head < 128) {
      this.expiresAtMs = head;
      return head === 0;
    }
    if (head !== UINT_64 || this.#at + 8 > this.#end) return false;
    this.expiresAtMs = this.#view.getUint32(this.#at) * HIGH + this.#view.getUint32(this.#at + 4);
    this.#at += 8;
    return true;
  }
}
