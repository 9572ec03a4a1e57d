// HalfSipHash-1-3: known answers, an independent byte-wise computation, and keys that break other hashes.
import assert from "node:assert/strict";
import { hashKey, hashKeyWords } from "../../src/store/key_hash.ts";
import * as L from "../../src/store/layout.ts";
import { openStore, randomFrom } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";

/** Outputs for the inputs 00, 00 01, ... under the key 00 01 ... 07, as published with Linux (hsiphash, 32 bits). */
const KNOWN: ReadonlyMap<number, number> = new Map([
  [0, 0x5814c896],
  [1, 0xe7e864ca],
  [2, 0xbc4b0e30],
  [3, 0x01539939],
  [4, 0x7e059ea6],
  [5, 0x88e3d89b],
  [6, 0xa0080b65],
  [7, 0x9d38d9d6],
  [8, 0x577999b1],
  [15, 0xd0257b04],
  [16, 0x8b31d501],
  [31, 0x08d8791a],
  [63, 0x87178304],
]);

/** From the paper's description, with integers of any size, byte by byte. */
function plainHalfSipHash(bytes: Uint8Array, k0: number, k1: number): number {
  const mask = 0xffffffffn;
  const rotate = (value: bigint, by: bigint) => ((value << by) | (value >> (32n - by))) & mask;
  const key0 = BigInt(k0 >>> 0), key1 = BigInt(k1 >>> 0);
  const v = [key0, key1, 0x6c796765n ^ key0, 0x74656462n ^ key1];
  const round = () => {
    v[0] = (v[0] + v[1]) & mask;
    v[1] = rotate(v[1], 5n) ^ v[0];
    v[0] = rotate(v[0], 16n);
    v[2] = (v[2] + v[3]) & mask;
    v[3] = rotate(v[3], 8n) ^ v[2];
    v[0] = (v[0] + v[3]) & mask;
    v[3] = rotate(v[3], 7n) ^ v[0];
    v[2] = (v[2] + v[1]) & mask;
    v[1] = rotate(v[1], 13n) ^ v[2];
    v[2] = rotate(v[2], 16n);
  };
  const padded = new Uint8Array((Math.floor(bytes.length / 4) + 1) * 4);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length & 255;
  for (let at = 0; at < padded.length; at += 4) {
    let word = 0n;
    for (let i = 3; i >= 0; i--) word = (word << 8n) | BigInt(padded[at + i]);
    v[3] ^= word;
    round();
    v[0] ^= word;
  }
  v[2] ^= 0xffn;
  for (let i = 0; i < 3; i++) round();
  return Number(v[1] ^ v[3]) | 0;
}

/** Both forms of the hash, the first one with garbage around the key. */
function hashes(bytes: Uint8Array, k0: number, k1: number, database = 0): [number, number] {
  const view = new DataView(new ArrayBuffer(bytes.length + 8));
  new Uint8Array(view.buffer).fill(0xc3).set(bytes, 3);
  const words = new Int32Array(2 + ((bytes.length + 3) >> 2));
  new Uint8Array(words.buffer).set(bytes, 4);
  return [
    hashKey(view, 3, bytes.length, k0, k1, database),
    hashKeyWords(words, 1, bytes.length, k0, k1, database),
  ];
}

Deno.test("hashKey() and hashKeyWords() give the known answers of HalfSipHash-1-3", () => {
  for (const [length, expected] of KNOWN) {
    const input = Uint8Array.from({ length }, (_, i) => i);
    const found = hashes(input, 0x03020100, 0x07060504).map((hash) => hash >>> 0);
    assert.deepEqual(found, [expected, expected], `${length} bytes`);
  }
});

Deno.test("hashKey() and hashKeyWords() agree with a plain computation for random keys", () => {
  const random = randomFrom(11);
  for (let i = 0; i < 600; i++) {
    const input = random.bytes(i < 500 ? random.below(70) : random.below(40_000) % 3_000);
    const k0 = random.below(2 ** 32) | 0, k1 = random.below(2 ** 32) | 0;
    const expected = plainHalfSipHash(input, k0, k1);
    assert.deepEqual(hashes(input, k0, k1), [expected, expected], `input ${i}`);
    const database = random.below(16);
    const inDatabase = plainHalfSipHash(input, k0, k1 ^ (database << 13));
    assert.deepEqual(hashes(input, k0, k1, database), [inDatabase, inDatabase]);
  }
});

Deno.test("hashKey() takes lengths of 32,768 bytes and more by their lowest byte, as the paper says", () => {
  for (const length of [255, 256, 257, 32_768, 65_535]) {
    const input = randomFrom(length).bytes(length);
    const expected = plainHalfSipHash(input, 1, 2);
    assert.deepEqual(hashes(input, 1, 2), [expected, expected], `${length} bytes`);
  }
});

// ---- keys that collide under MurmurHash3 whatever its seed --------------------------------------------

const C1 = 0xcc9e2d51, C2 = 0x1b873593;

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** MurmurHash3_x86_32 of whole words, to show that the keys below do collide. */
function murmur3(bytes: Uint8Array, seed: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let h = seed;
  for (let at = 0; at < bytes.length; at += 4) {
    h ^= Math.imul(rotate(Math.imul(view.getInt32(at, true), C1), 15), C2);
    h = (Math.imul(rotate(h, 13), 5) + 0xe6546b64) | 0;
  }
  h ^= bytes.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The inverse of an odd number modulo 2^32, by Newton's iteration. */
function inverse(odd: number): number {
  let found = odd;
  for (let i = 0; i < 5; i++) found = Math.imul(found, 2 - Math.imul(odd, found));
  return found;
}

/** The word that murmur mixes into `mixed` before it meets the state. */
function unmixed(mixed: number): number {
  return Math.imul(rotate(Math.imul(mixed, inverse(C2)), 17), inverse(C1));
}

/**
 * 2^pairs keys with one murmur hash under every seed. A difference in bit 18 of a mixed word becomes bit 31
 * of the state by the rotation, passes the multiplication by 5 as it is, and the next word takes it back.
 */
function murmurCollisions(pairs: number): Uint8Array[] {
  const random = randomFrom(99);
  const plain = Array.from({ length: pairs * 2 }, () => random.below(2 ** 32) | 0);
  return Array.from({ length: 2 ** pairs }, (_, choice) => {
    const view = new DataView(new ArrayBuffer(pairs * 8));
    for (let pair = 0; pair < pairs; pair++) {
      const flip = (choice >> pair) & 1;
      view.setInt32(pair * 8, unmixed(plain[pair * 2] ^ (flip << 18)), true);
      view.setInt32(pair * 8 + 4, unmixed(plain[pair * 2 + 1] ^ (flip << 31)), true);
    }
    return new Uint8Array(view.buffer);
  });
}

Deno.test("a store spreads 16,384 keys that murmur cannot tell apart under any seed", () => {
  const keys = murmurCollisions(14);
  for (const seed of [0, 1, 0x9747b28c, -5]) {
    const hash = murmur3(keys[0], seed);
    assert.ok(keys.every((key) => murmur3(key, seed) === hash), `seed ${seed}: no collision`);
  }
  for (const shardCount of [1, 16]) {
    const access = openStore({ shardCount });
    for (const key of keys) assert.ok(access.put(key, new Uint8Array(1)));
    const census = checkInvariants(access.store);
    assert.equal(census.entries, keys.length);
    assert.ok(census.chainBucketsMax <= 4, `a chain of ${census.chainBucketsMax} buckets`);
    const perShard = access.store.shards.map((shard) => shard.words[L.ENTRIES]);
    const mean = keys.length / shardCount;
    for (const count of perShard) {
      // Six standard deviations of a fair spread.
      assert.ok(Math.abs(count - mean) <= 6 * Math.sqrt(mean), `entries per shard: ${perShard}`);
    }
  }
});
