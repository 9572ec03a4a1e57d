// Bytes for tests that can be told from each other wherever they are looked at: made from a seed,
// compared without printing megabytes. It must not know what they are sent to.

import assert from "node:assert/strict";

/** `count` bytes that depend on `seed`; every value of a byte occurs, no two offsets in a row repeat. */
export function payload(count: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  const words = new Uint32Array(bytes.buffer, 0, count >> 2);
  let state = (seed * 0x9e3779b9 + 0x7f4a7c15) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) { // xorshift32 (Marsaglia)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  for (let i = words.length * 4; i < count; i++) bytes[i] = (seed + i) & 255;
  return bytes;
}

/** Equal length and bytes; on failure tells the first offset that differs instead of all of them. */
export function assertSameBytes(actual: unknown, expected: Uint8Array, what = "value"): void {
  if (!(actual instanceof Uint8Array)) assert.fail(`${what} is no bulk string: ${String(actual)}`);
  assert.equal(actual.length, expected.length, `${what}'s length`);
  let at = 0;
  while (at < expected.length && actual[at] === expected[at]) at++;
  if (at < expected.length) {
    assert.fail(`${what} differs at byte ${at}: ${actual[at]} instead of ${expected[at]}`);
  }
}
