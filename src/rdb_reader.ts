// Reads what Redis's files and DUMP's payloads are made of: lengths, strings, moments; knows no type of value.
import {
  ENCODED_INT16,
  ENCODED_INT32,
  ENCODED_INT8,
  ENCODED_LZF,
  LENGTH_14_BITS,
  LENGTH_32_BITS,
  LENGTH_64_BITS,
  LENGTH_6_BITS,
} from "./rdb_encoding.ts";

/**
 * Reads within [at, end); everything gives null where that ends too early. Strings that are not packed are given where
 * they lie, not as copies.
 */
export class RdbReader {
  constructor(readonly view: DataView, public at: number, readonly end: number) {}

  /** A string, as text, as an integer or compressed. */
  string(): Uint8Array | null {
    if (this.at >= this.end) return null;
    const first = this.view.getUint8(this.at);
    switch (first) {
      case ENCODED_INT8:
        return this.#integer(1, (at) => this.view.getInt8(at));
      case ENCODED_INT16:
        return this.#integer(2, (at) => this.view.getInt16(at, true));
      case ENCODED_INT32:
        return this.#integer(4, (at) => this.view.getInt32(at, true));
      case ENCODED_LZF: {
        this.at++;
        const packedBytes = this.length(), bytes = packedBytes === null ? null : this.length();
        const packed = bytes === null ? null : this.#bytes(packedBytes!);
        return packed === null ? null : decompress(packed, bytes!);
      }
    }
    const length = this.length();
    return length === null ? null : this.#bytes(length);
  }

  #integer(bytes: number, read: (at: number) => number): Uint8Array | null {
    if (this.at + 1 + bytes > this.end) return null;
    const value = read(this.at + 1);
    this.at += 1 + bytes;
    return encoder.encode(String(value));
  }

  /** A length, or a number that is written like one; above 2^53 it is not exact. */
  length(): number | null {
    if (this.at >= this.end) return null;
    const first = this.view.getUint8(this.at), kind = first >> 6;
    const size = kind === LENGTH_6_BITS
      ? 1
      : kind === LENGTH_14_BITS
      ? 2
      : first === LENGTH_32_BITS
      ? 5
      : first === LENGTH_64_BITS
      ? 9
      : 0;
    if (size === 0 || this.at + size > this.end) return null;
    const at = this.at;
    this.at += size;
    if (size === 1) return first & 0x3f;
    if (size === 2) return this.view.getUint16(at) & 0x3fff;
    return size === 5 ? this.view.getUint32(at + 1) : Number(this.view.getBigUint64(at + 1));
  }

  /** A moment, in ms since 1970, of 8 bytes. */
  moment(): number | null {
    if (this.at + 8 > this.end) return null;
    const moment = Number(this.view.getBigInt64(this.at, true));
    this.at += 8;
    return moment;
  }

  #bytes(count: number): Uint8Array | null {
    if (count > this.end - this.at) return null;
    const start = this.view.byteOffset + this.at;
    this.at += count;
    return new Uint8Array(this.view.buffer, start, count);
  }
}

/** LZF (Lehmann): runs of plain bytes, and references of 3 to 264 bytes to at most 8 KiB before. */
function decompress(packed: Uint8Array, bytes: number): Uint8Array | null {
  // A reference of 3 bytes gives 264 at most: more was announced than can come.
  if (bytes > packed.length * 264) return null;
  const value = new Uint8Array(bytes);
  let at = 0;
  for (let i = 0; i < packed.length;) {
    const control = packed[i++];
    if (control < 32) {
      const count = control + 1;
      if (i + count > packed.length || at + count > bytes) return null;
      value.set(packed.subarray(i, i + count), at);
      i += count;
      at += count;
      continue;
    }
    let count = control >> 5;
    if (count === 7) {
      if (i >= packed.length) return null;
      count += packed[i++];
    }
    count += 2;
    if (i >= packed.length) return null;
    let from = at - ((control & 0x1f) << 8) - packed[i++] - 1;
    if (from < 0 || at + count > bytes) return null;
    while (count-- > 0) value[at++] = value[from++];
  }
  return at === bytes ? value : null;
}

const encoder = new TextEncoder();
