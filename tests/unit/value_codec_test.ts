// The codec of values: what it takes and refuses, and that damaged bytes come out as such, never as something else.
import assert from "node:assert/strict";
import { COMPRESS_BYTES_MAX, COMPRESS_BYTES_MIN } from "../../src/limits.ts";
import { compressValue, expandValue } from "../../src/value_codec.ts";
import {
  compressByFunction,
  decompressByFunction,
  zstdCompressInto,
  zstdDecompressInto,
} from "../../src/zstd_contexts.ts";
import { randomFrom } from "../support/store_access.ts";
import { sentence } from "../support/text_value.ts";

const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);
const STORED_MAX = 16_384;

function text(bytes: number, seed = SEED): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(sentence(randomFrom(seed), bytes));
}

Deno.test("expandValue() gives what compressValue() took, at every length in its bounds", () => {
  for (const bytes of [COMPRESS_BYTES_MIN, 513, 1000, 4096, 16_384, 16_385, 30_000]) {
    const plain = text(bytes), stored = compressValue(plain, STORED_MAX);
    assert.ok(stored !== null && stored.length <= bytes * 7 / 8, `${bytes} bytes`);
    assert.deepEqual(new Uint8Array(expandValue(stored)!), plain, `${bytes} bytes`);
  }
  const zeros = new Uint8Array(COMPRESS_BYTES_MAX);
  assert.deepEqual(new Uint8Array(expandValue(compressValue(zeros, STORED_MAX)!)!), zeros);
});

Deno.test("compressValue() refuses what is too short, too long, noise, or not small enough after it", () => {
  assert.equal(compressValue(text(COMPRESS_BYTES_MIN - 1), STORED_MAX), null);
  assert.equal(compressValue(new Uint8Array(COMPRESS_BYTES_MAX + 1), STORED_MAX), null);
  assert.equal(compressValue(randomFrom(SEED).bytes(10_000), STORED_MAX), null);
  const numbers = Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i) / 30);
  assert.equal(compressValue(new Uint8Array(numbers.buffer), STORED_MAX), null);
  const long = text(65_000), stored = compressValue(long, COMPRESS_BYTES_MAX);
  assert.ok(stored !== null && stored.length > STORED_MAX, "the text is too easy for this test");
  assert.equal(compressValue(long, STORED_MAX), null);
});

Deno.test("expandValue() gives null for damaged bytes, and never more than was declared", () => {
  const plain = text(3000), stored = compressValue(plain, STORED_MAX)!;
  const view = new DataView(stored.buffer);
  for (const declared of [0, 511, 2999, 3001, COMPRESS_BYTES_MAX + 1, 2 ** 32 - 1]) {
    view.setUint32(0, declared, true);
    assert.equal(expandValue(stored), null, `declared as ${declared}`);
  }
  view.setUint32(0, 3000, true);
  for (let length = 0; length < stored.length; length++) {
    assert.equal(expandValue(stored.slice(0, length)), null, `cut to ${length}`);
  }
  const random = randomFrom(SEED);
  for (let i = 0; i < 300; i++) {
    const damaged = stored.slice();
    damaged[random.below(damaged.length)] ^= 1 << random.below(8);
    const found = expandValue(damaged);
    assert.ok(found === null || found.length === 3000, `MAYFLY_SIM_SEED=${SEED}`);
  }
});

Deno.test("zstdCompressInto() and zstdDecompressInto() give in their contexts what the functions give", () => {
  for (const bytes of [600, 5000, 70_000]) {
    const plain = text(bytes), frame = new Uint8Array(bytes), other = new Uint8Array(bytes);
    const count = zstdCompressInto(plain, frame);
    assert.ok(count > 0 && count < bytes);
    assert.equal(zstdCompressInto(plain, other.subarray(0, count)), -1, "as many as find room");
    assert.equal(zstdCompressInto(plain, other.subarray(0, count + 1)), count);
    assert.deepEqual(other.subarray(0, count), frame.subarray(0, count));
    const into = new Uint8Array(bytes + 1);
    for (const decompress of [zstdDecompressInto, decompressByFunction]) {
      into.fill(0);
      assert.equal(decompress(frame.subarray(0, count), into), bytes);
      assert.deepEqual(into.subarray(0, bytes), plain);
      assert.equal(decompress(frame.subarray(0, count), into.subarray(0, bytes)), -1);
      assert.ok(decompress(frame.subarray(0, count - 1), into) < bytes);
      assert.equal(decompress(plain, into), -1);
      assert.equal(decompress(frame.subarray(0, count), into), bytes, "after what is no frame");
    }
    const byFunction = compressByFunction(plain, other);
    assert.ok(byFunction > 0);
    assert.equal(zstdDecompressInto(other.subarray(0, byFunction), into), bytes);
    assert.equal(compressByFunction(plain, other.subarray(0, 20)), -1);
  }
});
