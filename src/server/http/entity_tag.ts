// Entity tags of values: a checksum of the bytes, the same in every worker and after a restart.
import { setImmediate } from "node:timers";
import { crc32 } from "node:zlib";
import { COMPARE_BYTES_MAX } from "../../limits.ts";
import { asciiText } from "./byte_text.ts";
import type { ValueSource } from "../../protocol/reply_buffer.ts";

/** Up to here a value is tagged in one go, byte by byte; and compared under the lock where a tag is a condition. */
export const TAGGED_AT_ONCE_BYTES_MAX = COMPARE_BYTES_MAX;

const QUOTE = 34;
/** Three words of eight digits within quotation marks. */
const TAG_BYTES = 26;
const DIGITS = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
/** Where a tag is put together: as one text it takes half of what joining its twelve pairs of digits does. */
const tagBytes = new Uint8Array(TAG_BYTES).fill(QUOTE);

/** Set by `entityTag()`: whether the bytes are ASCII. */
export let taggedAscii = false;

/**
 * The tag of `bytes[start..end)`, quoted as in the header. After cyrb53 (bryc): two multiplicative hashes of 32 bits
 * that are mixed at the end, beside the length. It tells versions of a value apart, it is no signature.
 */
export function entityTag(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let h1 = 0xdeadbeef, h2 = 0x41c6ce57, all = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    all |= byte;
    h1 = Math.imul(h1 ^ byte, 0x9e3779b1);
    h2 = Math.imul(h2 ^ byte, 0x5f356495);
  }
  taggedAscii = all < 128;
  h1 = Math.imul(h1 ^ (h1 >>> 16), 0x85ebca6b) ^ Math.imul(h2 ^ (h2 >>> 13), 0xc2b2ae35);
  h2 = Math.imul(h2 ^ (h2 >>> 16), 0x85ebca6b) ^ Math.imul(h1 ^ (h1 >>> 13), 0xc2b2ae35);
  putHex(1, h1);
  putHex(9, h2);
  putHex(17, end - start);
  return asciiText(tagBytes, 0, TAG_BYTES);
}

function putHex(at: number, word: number): void {
  for (let shift = 28; shift >= 0; shift -= 4) tagBytes[at++] = DIGITS[(word >>> shift) & 15];
}

/** Whether a tag is among those of `If-Match` or `If-None-Match`; `*` is any. Weak tags are `isWeakEnough` or never. */
export function tagListHas(header: string, tag: string, isWeakEnough: boolean): boolean {
  if (header.trim() === "*") return true;
  for (const each of header.split(",")) {
    const given = each.trim();
    if (given === tag || (isWeakEnough && given === `W/${tag}`)) return true;
  }
  return false;
}

/** Bytes of a long value whose checksum is one word of what its tag is made of. */
const PIECE_BYTES = 65_536;
/** Bytes that are looked at before the worker's loop has its turn. */
const TURN_BYTES = 1_048_576;

/**
 * The tag of a value above TAGGED_AT_ONCE_BYTES_MAX, piece by piece as it comes: the same mixture, of the CRC-32 of each
 * 64 KiB, which the runtime makes at memory's speed. It depends on the bytes alone, not on how they are cut.
 */
export class LongTag {
  #crcs: number[] = [];
  #crc = 0;
  #lengthBytes = 0;

  /** The next bytes; not of shared memory. */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const room = PIECE_BYTES - this.#lengthBytes % PIECE_BYTES;
      const part = bytes.subarray(at, at + room);
      this.#crc = crc32(part, this.#crc);
      at += part.length;
      this.#lengthBytes += part.length;
      if (this.#lengthBytes % PIECE_BYTES === 0) this.#endPiece();
    }
  }

  /** The tag; nothing may be added any more. */
  end(): string {
    if (this.#lengthBytes % PIECE_BYTES !== 0) this.#endPiece();
    const words = new Uint8Array(Uint32Array.from(this.#crcs).buffer);
    entityTag(words);
    putHex(17, this.#lengthBytes);
    return asciiText(tagBytes, 0, TAG_BYTES);
  }

  #endPiece(): void {
    this.#crcs.push(this.#crc);
    this.#crc = 0;
  }
}

/** The tag of a value, however long. */
export function tagOf(bytes: Uint8Array): string {
  if (bytes.length <= TAGGED_AT_ONCE_BYTES_MAX) return entityTag(bytes);
  const tag = new LongTag();
  tag.add(bytes);
  return tag.end();
}

/** The same of a long value that lies in blocks; others have their turn meanwhile. */
export async function longTagOf(source: ValueSource): Promise<string> {
  const tag = new LongTag();
  for (let at = 0, turnAt = TURN_BYTES; at < source.lengthBytes;) {
    const piece = source.piece(at, PIECE_BYTES).slice();
    tag.add(piece);
    at += piece.length;
    if (at < turnAt) continue;
    turnAt += TURN_BYTES;
    // A timer of 0 ms would take one and more.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return tag.end();
}
