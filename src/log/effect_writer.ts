// Writes effects as MessagePack into memory, without an object for each; knows no ring and no file.
import type { KeyBytes } from "./effects.ts";
import {
  ARRAY_0,
  ARRAY_16,
  ARRAY_32,
  ARRAY_6,
  BIN_16,
  BIN_32,
  BIN_8,
  DATABASES,
  EXPIRE,
  EXPIRE_FIELDS,
  FLUSH,
  HIGH,
  MERGE_FIELDS,
  MINUS_ONE,
  PUT,
  RANGE,
  REMOVE,
  SET_FIELDS,
  UINT_32,
  UINT_64,
  VALUE_HASH,
  VALUE_STRING,
} from "./record.ts";

const ARRAY_2 = 0x92, ARRAY_3 = 0x93, ARRAY_4 = 0x94, ARRAY_5 = 0x95;

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
    this.#headOfWords(ARRAY_6, PUT, database, from, keyWord, keyBytes);
    this.bytes[this.length++] = type;
    this.moment(expiresAtMs);
    this.binHead(valueBytes);
  }

  /** A put of a string. Call `reserve()` for all of it before. */
  putString(
    database: number,
    keyView: DataView,
    keyStart: number,
    keyEnd: number,
    expiresAtMs: number,
    valueView: DataView,
    valueStart: number,
    valueEnd: number,
  ): void {
    this.#head(ARRAY_6, PUT, database);
    this.bin(keyView, keyStart, keyEnd);
    this.bytes[this.length++] = VALUE_STRING;
    this.moment(expiresAtMs);
    this.bin(valueView, valueStart, valueEnd);
  }

  /**
   * A put of a hash up to its fields, which `fieldWords()` or `field()` add, and `endHash()` ends with the place that
   * this gives. Call `reserve()` before each.
   */
  putHash(
    database: number,
    from: Int32Array,
    keyWord: number,
    keyBytes: number,
    expiresAtMs: number,
  ): number {
    this.#headOfWords(ARRAY_6, PUT, database, from, keyWord, keyBytes);
    this.bytes[this.length++] = VALUE_HASH;
    this.moment(expiresAtMs);
    return this.#openLength(BIN_32);
  }

  endHash(place: number): void {
    this.view.setUint32(place, this.length - place - 4);
  }

  /** Some fields of a hash, likewise; `endMerge()` is told how many. */
  mergeFields(
    database: number,
    from: Int32Array,
    keyWord: number,
    keyBytes: number,
    expiresAtMs: number,
  ): number {
    this.#headOfWords(ARRAY_5, MERGE_FIELDS, database, from, keyWord, keyBytes);
    this.moment(expiresAtMs);
    return this.#openLength(ARRAY_32);
  }

  endMerge(place: number, count: number): void {
    this.view.setUint32(place, count * 3);
  }

  /** A field of a hash whose name and value lie in words. */
  fieldWords(
    from: Int32Array,
    nameWord: number,
    nameBytes: number,
    expiresAtMs: number,
    values: Int32Array,
    valueWord: number,
    valueBytes: number,
  ): void {
    this.binWords(from, nameWord, nameBytes);
    this.moment(expiresAtMs);
    this.binWords(values, valueWord, valueBytes);
  }

  /** The same out of views. */
  field(
    nameView: DataView,
    nameStart: number,
    nameEnd: number,
    expiresAtMs: number,
    valueView: DataView,
    valueStart: number,
    valueEnd: number,
  ): void {
    this.bin(nameView, nameStart, nameEnd);
    this.moment(expiresAtMs);
    this.bin(valueView, valueStart, valueEnd);
  }

  /** A range up to its bytes, of which `count` follow. Call `reserve()` for all of it before. */
  range(key: KeyBytes, offset: number, count: number): void {
    this.#headOfKey(ARRAY_5, RANGE, key);
    this.bytes[this.length] = UINT_32;
    this.view.setUint32(this.length + 1, offset);
    this.length += 5;
    this.binHead(count);
  }

  remove(key: KeyBytes): void {
    this.#headOfKey(ARRAY_3, REMOVE, key);
  }

  expire(key: KeyBytes, expiresAtMs: number): void {
    this.#headOfKey(ARRAY_4, EXPIRE, key);
    this.moment(expiresAtMs);
  }

  /**
   * An effect on `count` fields of a hash up to them: of each follow its name, and by the kind its moment and its value.
   * Call `reserve()` before.
   */
  fields(kind: number, key: KeyBytes, count: number): void {
    this.#headOfKey(ARRAY_4, kind, key);
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

  binWords(from: Int32Array, word: number, count: number): void {
    this.binHead(count);
    this.words(from, word, count);
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

  /** A head whose length is known later; gives the place of that. */
  #openLength(head: number): number {
    const place = this.length + 1;
    this.bytes[place - 1] = head;
    this.length = place + 4;
    return place;
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

  #headOfKey(array: number, kind: number, { database, view, start, end }: KeyBytes): void {
    this.#head(array, kind, database);
    this.bin(view, start, end);
  }

  /** The same of a key that lies in words. */
  #headOfWords(
    array: number,
    kind: number,
    database: number,
    from: Int32Array,
    keyWord: number,
    keyBytes: number,
  ): void {
    this.#head(array, kind, database);
    this.binWords(from, keyWord, keyBytes);
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
