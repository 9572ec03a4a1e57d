// Values that tell by themselves whether they are whole: each carries its key, a counter and a checksum.
// Pure; it knows no store.

/** Shorter values have no room for a header: all of their bytes follow from key and length. */
export const HEADER_BYTES = 16;
/** A record of a value that is appended to: key, writer, number, checksum. */
export const CHUNK_BYTES = 16;

const COUNTER_NONE = -1;

/** Writes `length` bytes of the value that key and counter name to the start of `target`. */
export function writeValue(target: Uint8Array, key: number, counter: number, length: number): void {
  if (length < HEADER_BYTES) {
    target.fill(shortByte(key, length), 0, length);
    return;
  }
  const words = new Int32Array(target.buffer, target.byteOffset, length >> 2);
  words[0] = key;
  words[1] = counter;
  words[2] = length;
  let state = Math.imul(key + 1, 0x9e3779b1) ^ Math.imul(counter + 1, 0x85ebca6b);
  for (let word = 4; word < words.length; word++) {
    state ^= state << 13, state ^= state >>> 17, state ^= state << 5;
    words[word] = state;
  }
  for (let at = words.length * 4; at < length; at++) target[at] = key + counter;
  words[3] = checksum(target, words, length);
}

/** The counter of a whole value, −1 of a short one; or what is wrong with it. */
export function readValue(value: Uint8Array, key: number, length: number): number | string {
  if (length < HEADER_BYTES) {
    for (let at = 0; at < length; at++) {
      if (value[at] !== shortByte(key, length)) return `byte ${at} of ${length} is ${value[at]}`;
    }
    return COUNTER_NONE;
  }
  const words = new Int32Array(value.buffer, value.byteOffset, length >> 2);
  if (words[0] !== key) return `key ${words[0]} in the value of ${key}`;
  if (words[2] !== length) return `${length} bytes, ${words[2]} written`;
  if (words[3] !== checksum(value, words, length)) return `checksum of ${length} bytes`;
  return words[1];
}

/** Writes one record of an appended value at `at`. */
export function writeChunk(
  target: DataView,
  at: number,
  key: number,
  writer: number,
  number: number,
) {
  target.setInt32(at, key, true);
  target.setInt32(at + 4, writer, true);
  target.setInt32(at + 8, number, true);
  target.setInt32(at + 12, chunkCheck(key, writer, number), true);
}

/** Whether all records are whole and each writer's follow each other; else what is wrong. */
export function checkChunks(value: Uint8Array, length: number, key: number): string | null {
  if (length % CHUNK_BYTES !== 0) return `${length} bytes are no whole records`;
  const view = new DataView(value.buffer, value.byteOffset);
  const last = new Map<number, number>();
  for (let at = 0; at < length; at += CHUNK_BYTES) {
    const writer = view.getInt32(at + 4, true), number = view.getInt32(at + 8, true);
    if (view.getInt32(at, true) !== key) return `record at ${at} of another key`;
    if (view.getInt32(at + 12, true) !== chunkCheck(key, writer, number)) {
      return `record at ${at} torn`;
    }
    const before = last.get(writer);
    if (before !== undefined && number !== before + 1) {
      return `record at ${at}: ${number} after ${before} of writer ${writer}`;
    }
    last.set(writer, number);
  }
  return null;
}

function chunkCheck(key: number, writer: number, number: number): number {
  return Math.imul(key ^ 0x5bd1e995, 0x9e3779b1) ^ Math.imul(writer + 7, 0x85ebca6b) ^
    Math.imul(number + 1, 0xc2b2ae35);
}

function shortByte(key: number, length: number): number {
  return (key * 31 + length * 7 + 1) & 255;
}

function checksum(bytes: Uint8Array, words: Int32Array, length: number): number {
  let sum = length;
  for (let word = 0; word < words.length; word++) {
    if (word !== 3) sum = Math.imul(sum ^ words[word], 0x01000193) + word | 0;
  }
  for (let at = words.length * 4; at < length; at++) sum = Math.imul(sum ^ bytes[at], 0x01000193);
  return sum;
}
