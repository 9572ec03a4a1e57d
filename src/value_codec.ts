// How values are compressed: by zstd, where it pays; knows neither entries nor commands.
//
// What is stored is one word, the plain length in bytes, and then a frame of zstd. Nothing outside memory holds it:
// log, snapshots and DUMP have plain values, so another codec needs no version of any format.
import { COMPRESS_BYTES_MAX, COMPRESS_BYTES_MIN, COMPRESS_GAIN_MIN } from "./limits.ts";
import { zstdCompressInto, zstdDecompressInto } from "./zstd_contexts.ts";

const HEAD_BYTES = 4;
/** Bytes looked at before a value is compressed; and as many different ones as text or JSON never has among them. */
const SAMPLE_BYTES = 512;
const NOISE_KINDS_MIN = 160;
/** Of a longer value the beginning is compressed first: in vain it would take 0.3 ms. The whole comes out shorter yet. */
const TRIED_FIRST_FROM_BYTES = 32_768;
const TRIED_FIRST_BYTES = 4096;
const WHOLE_TO_FIRST = 0.85;

const isMet = new Uint8Array(256);
let scratch = new Uint8Array(0);

/**
 * What the bytes are stored as, at most `bytesMax` long; null if that wins too little, or they are too short or too long.
 * Takes 8 µs and more: not under a lock.
 */
export function compressValue(
  plain: Uint8Array,
  bytesMax: number,
): Uint8Array<ArrayBuffer> | null {
  const plainBytes = plain.length;
  if (plainBytes < COMPRESS_BYTES_MIN || plainBytes > COMPRESS_BYTES_MAX) return null;
  if (isNoise(plain)) return null;
  const storedMax = Math.min(bytesMax, Math.floor(plainBytes * (1 - COMPRESS_GAIN_MIN)));
  if (scratch.length < storedMax) scratch = new Uint8Array(storedMax);
  if (plainBytes > TRIED_FIRST_FROM_BYTES) {
    const part = zstdCompressInto(plain.subarray(0, TRIED_FIRST_BYTES), scratch);
    if (part < 0 || part / TRIED_FIRST_BYTES * WHOLE_TO_FIRST * plainBytes > storedMax) return null;
  }
  const frameBytes = zstdCompressInto(plain, scratch.subarray(0, storedMax - HEAD_BYTES));
  if (frameBytes < 0) return null;
  const stored = new Uint8Array(HEAD_BYTES + frameBytes);
  new DataView(stored.buffer).setUint32(0, plainBytes, true);
  stored.set(scratch.subarray(0, frameBytes), HEAD_BYTES);
  return stored;
}

/**
 * What `compressValue()` was given, in `into` if it has room for it and one byte more; null if it is damaged. Never longer
 * than the longest that is compressed.
 */
export function expandValue(
  stored: Uint8Array,
  into?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | null {
  if (stored.length <= HEAD_BYTES) return null;
  const plainBytes = new DataView(stored.buffer, stored.byteOffset).getUint32(0, true);
  if (plainBytes < COMPRESS_BYTES_MIN || plainBytes > COMPRESS_BYTES_MAX) return null;
  // One more, which tells that it is no longer than it says.
  const plain = into !== undefined && into.length > plainBytes
    ? into.subarray(0, plainBytes + 1)
    : new Uint8Array(plainBytes + 1);
  if (zstdDecompressInto(stored.subarray(HEAD_BYTES), plain) !== plainBytes) return null;
  return plain.subarray(0, plainBytes);
}

/** Whether the bytes look like numbers of a model, or compressed already: from a sample, in 0.5 µs. */
function isNoise(bytes: Uint8Array): boolean {
  isMet.fill(0);
  // An odd number of bytes apart, or of floats the same byte would be met each time.
  const step = Math.max(1, Math.floor(bytes.length / SAMPLE_BYTES)) | 1;
  let kinds = 0;
  for (let at = 0, seen = 0; seen < SAMPLE_BYTES && at < bytes.length; at += step, seen++) {
    const byte = bytes[at];
    if (isMet[byte] === 0) {
      isMet[byte] = 1;
      kinds++;
    }
  }
  return kinds >= NOISE_KINDS_MIN;
}
