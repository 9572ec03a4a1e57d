// Strings that lie compressed in their records, as bytes: what is stored, and how long it is when plain.
//
// The value of such a record is one word, the plain length in bytes, and then what a codec made; nothing here knows
// which one. Only the form in memory is another: the log, and all who ask, have the plain value. It may run without
// the lock: what it reads may be torn, lengths are cut to what lies in the view, and the caller checks the sequence.
import type { PinnedBlock } from "./block.ts";
import * as L from "./layout.ts";
import { valueBytesOf, valueStartOf } from "./record.ts";
import type { Shard } from "./shard.ts";

/** Length of the value in bytes when plain; never negative. */
export function plainBytesOf(shard: Shard, ref: number): number {
  return shard.i32[valueStartOf(shard, ref) >>> 2] & 0x7fffffff;
}

/** A copy of what the record holds: the plain length and what the bytes were compressed to. */
export function storedCopy(shard: Shard, ref: number): Uint8Array<ArrayBuffer> {
  const count = Math.min(valueBytesOf(shard, ref), L.INLINE_VALUE_BYTES_MAX);
  const words = new Int32Array((count + 3) >>> 2);
  copyWords(shard, valueStartOf(shard, ref), words, 0, words.length);
  return new Uint8Array(words.buffer, 0, count);
}

/** A copy of the bytes of a block that is pinned. */
export function blockCopy(block: PinnedBlock): Uint8Array<ArrayBuffer> {
  const { shard, lengthBytes } = block, words = new Int32Array((lengthBytes + 3) >>> 2);
  for (let at = 0; at < lengthBytes;) {
    const piece = block.piece(at, lengthBytes - at);
    copyWords(shard, piece.byteOffset, words, at >>> 2, (piece.length + 3) >>> 2);
    at += piece.length;
  }
  return new Uint8Array(words.buffer, 0, lengthBytes);
}

/** Of shared memory slice() and set() copy bytes one by one: this takes a third of their time. */
function copyWords(shard: Shard, start: number, into: Int32Array, at: number, count: number): void {
  const i32 = shard.i32;
  for (let from = start >>> 2, end = at + count; at < end; at++) into[at] = i32[from++];
}

/** Whether the value in the record, compressed or not, is these bytes; `bytes` has an offset that is a multiple of 4. */
export function holdsBytes(shard: Shard, ref: number, bytes: Uint8Array): boolean {
  const count = bytes.length;
  if (valueBytesOf(shard, ref) !== count) return false;
  const start = valueStartOf(shard, ref), words = count >>> 2;
  const given = new Int32Array(bytes.buffer, bytes.byteOffset, words), i32 = shard.i32;
  for (let i = 0, at = start >>> 2; i < words; i++, at++) if (given[i] !== i32[at]) return false;
  for (let i = words * 4; i < count; i++) if (bytes[i] !== shard.u8[start + i]) return false;
  return true;
}

/** By how much the record is shorter than the plain value, in 8-byte units. */
export function savedUnits(shard: Shard, ref: number): number {
  return (plainBytesOf(shard, ref) - valueBytesOf(shard, ref)) >> 3;
}
