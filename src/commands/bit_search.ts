// Counting and finding bits in the bytes of a string; knows no command.
import type { ValueBytes } from "./value_reading.ts";

const PIECE_BYTES = 65_536;

/** The bits that are set from bit `from` up to, not with, bit `to`. Throws where the value ends before. */
export function countOnes(value: ValueBytes, from: number, to: number): number {
  let ones = 0;
  forPieces(value, from, to, (bytes, start, firstMask, lastMask) => {
    const last = bytes.length - 1;
    if (last === 0) ones += onesOf(bytes[0] & firstMask & lastMask);
    else {
      ones += onesOf(bytes[0] & firstMask) + onesOf(bytes[last] & lastMask);
      ones += onesOfBytes(bytes, 1, last);
    }
    return start < to;
  });
  return ones;
}

/** The first bit of that value from bit `from` up to, not with, bit `to`; −1 if there is none. */
export function findBit(value: ValueBytes, wanted: number, from: number, to: number): number {
  // Turned over, the search is always for a bit that is set.
  const turn = wanted === 1 ? 0 : 0xff;
  let found = -1;
  forPieces(value, from, to, (bytes, start, firstMask, lastMask) => {
    const last = bytes.length - 1;
    for (let i = 0; i <= last; i++) {
      let byte = bytes[i] ^ turn;
      if (i === 0) byte &= firstMask;
      if (i === last) byte &= lastMask;
      if (byte === 0) continue;
      found = start + i * 8 + Math.clz32(byte) - 24;
      return false;
    }
    return true;
  });
  return found;
}

/**
 * Calls `use` with the bytes that hold the bits `[from, to)`, piece by piece, the bit at which a piece starts and
 * which bits of its first and last byte count; until it gives false.
 */
function forPieces(
  value: ValueBytes,
  from: number,
  to: number,
  use: (bytes: Uint8Array, start: number, firstMask: number, lastMask: number) => boolean,
): void {
  const end = Math.ceil(to / 8);
  for (let at = Math.floor(from / 8); at < end;) {
    const bytes = value.piece(at, Math.min(PIECE_BYTES, end - at));
    if (bytes.length === 0) {
      throw new RangeError(`bits ${from} to ${to} of ${value.lengthBytes} bytes`);
    }
    const start = at * 8;
    const firstMask = start < from ? 0xff >>> (from - start) : 0xff;
    const over = (at + bytes.length) * 8 - to;
    if (!use(bytes, start, firstMask, over > 0 ? (0xff << over) & 0xff : 0xff)) return;
    at += bytes.length;
  }
}

function onesOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Word by word where the bytes lie so that words can be read. */
function onesOfBytes(bytes: Uint8Array, from: number, to: number): number {
  let ones = 0, at = from;
  while (at < to && ((bytes.byteOffset + at) & 3) !== 0) ones += onesOf(bytes[at++]);
  const count = (to - at) >> 2;
  if (count > 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, count);
    for (let i = 0; i < count; i++) ones += onesOf(words[i]);
    at += count * 4;
  }
  while (at < to) ones += onesOf(bytes[at++]);
  return ones;
}
