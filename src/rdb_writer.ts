// Writes what DUMP's payloads are made of: lengths, strings, moments; knows no type of value.
import { parseInteger } from "./number_format.ts";
import {
  ENCODED_INT16,
  ENCODED_INT32,
  ENCODED_INT8,
  LENGTH_14_BITS,
  LENGTH_32_BITS,
  LENGTH_64_BITS,
} from "./rdb_encoding.ts";

/** Longer texts are no integers that Redis would store as such. */
const INTEGER_BYTES_MAX = 11;
const LENGTH_BYTES_MAX = 9;
const BYTES_START = 256;

/** Grows as needed: what it holds is one value, which has its own bound. */
export class RdbWriter {
  #bytes = new Uint8Array(BYTES_START);
  #view = new DataView(this.#bytes.buffer);
  #filled = 0;

  /** What was written, with `more` bytes behind it, for the caller to fill. */
  finish(more: number): Uint8Array {
    this.#reserve(more);
    return this.#bytes.subarray(0, this.#filled + more);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#filled++] = value;
  }

  /** A length, or a number that is written like one. */
  length(value: number): void {
    this.#reserve(LENGTH_BYTES_MAX);
    const view = this.#view, at = this.#filled;
    if (value < 64) {
      view.setUint8(at, value);
      this.#filled += 1;
    } else if (value < 16_384) {
      view.setUint16(at, (LENGTH_14_BITS << 14) | value);
      this.#filled += 2;
    } else if (value < 2 ** 32) {
      view.setUint8(at, LENGTH_32_BITS);
      view.setUint32(at + 1, value);
      this.#filled += 5;
    } else {
      view.setUint8(at, LENGTH_64_BITS);
      view.setBigUint64(at + 1, BigInt(value));
      this.#filled += 9;
    }
  }

  /** A string: as an integer where its text is one of 32 bits, else as it is. */
  string(value: Uint8Array): void {
    const number = value.length <= INTEGER_BYTES_MAX ? parseInteger(value, 0, value.length) : NaN;
    if (number >= -(2 ** 31) && number < 2 ** 31) return this.#integer(number);
    this.length(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#filled);
    this.#filled += value.length;
  }

  /** A moment in ms since 1970, in 8 bytes. */
  moment(ms: number): void {
    this.#reserve(8);
    this.#view.setBigInt64(this.#filled, BigInt(ms), true);
    this.#filled += 8;
  }

  #integer(number: number): void {
    this.#reserve(LENGTH_BYTES_MAX);
    const view = this.#view, at = this.#filled;
    if (number >= -128 && number < 128) {
      view.setUint8(at, ENCODED_INT8);
      view.setInt8(at + 1, number);
      this.#filled += 2;
    } else if (number >= -32_768 && number < 32_768) {
      view.setUint8(at, ENCODED_INT16);
      view.setInt16(at + 1, number, true);
      this.#filled += 3;
    } else {
      view.setUint8(at, ENCODED_INT32);
      view.setInt32(at + 1, number, true);
      this.#filled += 5;
    }
  }

  #reserve(count: number): void {
    const needed = this.#filled + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(needed * 2);
    grown.set(this.#bytes.subarray(0, this.#filled));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
