// A string as DUMP gives it and RESTORE takes it: Redis's RDB encoding with its version and checksum behind.
//
// type (0) | length and bytes, or an integer, or LZF-compressed bytes | RDB version, 2 bytes | CRC-64, 8 bytes
import { crc64 } from "./crc64.ts";
import { parseInteger } from "./number_format.ts";

/** Of Redis 7.0; newer payloads are refused, as there. */
const RDB_VERSION = 10;
const FOOTER_BYTES = 10;
const TYPE_STRING = 0;
/** The two highest bits of a length's first byte say what follows. */
const LENGTH_6_BITS = 0;
const LENGTH_14_BITS = 1;
const LENGTH_32_BITS = 0x80;
const LENGTH_64_BITS = 0x81;
const ENCODED_INT8 = 0xc0;
const ENCODED_INT16 = 0xc1;
const ENCODED_INT32 = 0xc2;
const ENCODED_LZF = 0xc3;
/** Longer texts are no integers that Redis would store as such. */
const INTEGER_BYTES_MAX = 11;

/** What `readPayload()` gives for a payload of another version, or one that was changed. */
export const WRONG_PAYLOAD = "wrong payload";
/** And for one that is whole and means no string. */
export const WRONG_FORMAT = "wrong format";

/** The payload that DUMP replies with. */
export function writePayload(value: Uint8Array): Uint8Array {
  const body = encoded(value);
  const payload = new Uint8Array(1 + body.head.length + body.rest.length + FOOTER_BYTES);
  payload[0] = TYPE_STRING;
  payload.set(body.head, 1);
  payload.set(body.rest, 1 + body.head.length);
  const view = new DataView(payload.buffer), end = payload.length - FOOTER_BYTES;
  view.setUint16(end, RDB_VERSION, true);
  view.setBigUint64(end + 2, crc64(payload, 0, end + 2), true);
  return payload;
}

/** The value of a payload, or what is wrong with it. */
export function readPayload(
  payload: Uint8Array,
): Uint8Array | typeof WRONG_PAYLOAD | typeof WRONG_FORMAT {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const end = payload.length - FOOTER_BYTES;
  if (end < 0 || view.getUint16(end, true) > RDB_VERSION) return WRONG_PAYLOAD;
  const sum = view.getBigUint64(end + 2, true);
  if (sum !== crc64(payload, 0, end + 2)) return WRONG_PAYLOAD;
  if (end < 2 || payload[0] !== TYPE_STRING) return WRONG_FORMAT;
  const reader = new Reader(view, 1, end);
  const value = reader.string();
  return value === null || reader.at !== end ? WRONG_FORMAT : value;
}

function encoded(value: Uint8Array): { head: Uint8Array; rest: Uint8Array } {
  const number = value.length <= INTEGER_BYTES_MAX ? parseInteger(value, 0, value.length) : NaN;
  const head = new DataView(new ArrayBuffer(9));
  const done = (count: number, rest: Uint8Array) => ({
    head: new Uint8Array(head.buffer, 0, count),
    rest,
  });
  if (number >= -(2 ** 31) && number < 2 ** 31) {
    if (number >= -128 && number < 128) {
      head.setUint8(0, ENCODED_INT8);
      head.setInt8(1, number);
      return done(2, NOTHING);
    }
    if (number >= -32_768 && number < 32_768) {
      head.setUint8(0, ENCODED_INT16);
      head.setInt16(1, number, true);
      return done(3, NOTHING);
    }
    head.setUint8(0, ENCODED_INT32);
    head.setInt32(1, number, true);
    return done(5, NOTHING);
  }
  if (value.length < 64) {
    head.setUint8(0, value.length);
    return done(1, value);
  }
  if (value.length < 16_384) {
    head.setUint16(0, (LENGTH_14_BITS << 14) | value.length);
    return done(2, value);
  }
  head.setUint8(0, LENGTH_32_BITS);
  head.setUint32(1, value.length);
  return done(5, value);
}

const NOTHING = new Uint8Array(0);

/** Reads within [at, end); everything gives null where that ends too early. */
class Reader {
  constructor(readonly view: DataView, public at: number, readonly end: number) {}

  string(): Uint8Array | null {
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
        const packedBytes = this.#length(), bytes = packedBytes === null ? null : this.#length();
        const packed = bytes === null ? null : this.#bytes(packedBytes!);
        return packed === null ? null : decompress(packed, bytes!);
      }
    }
    const length = this.#length();
    return length === null ? null : this.#bytes(length);
  }

  #integer(bytes: number, read: (at: number) => number): Uint8Array | null {
    if (this.at + 1 + bytes > this.end) return null;
    const value = read(this.at + 1);
    this.at += 1 + bytes;
    return new TextEncoder().encode(String(value));
  }

  #length(): number | null {
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

  #bytes(count: number): Uint8Array | null {
    if (count > this.end - this.at) return null;
    const start = this.view.byteOffset + this.at;
    this.at += count;
    return new Uint8Array(this.view.buffer, start, count).slice();
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
