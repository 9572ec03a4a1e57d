// HalfSipHash-1-3, the keyed hash of keys; knows no shard and no index.
//
// After the reference by Aumasson and Bernstein (SipHash, 2012; HalfSipHash is its 32-bit variant). Seeded
// murmur, FNV and xxhash have collisions that hold under every seed, so an attacker could fill one bucket.

/**
 * Hashes `lengthBytes` bytes at `start` of `view` (readable to 3 bytes past the end) under the key (k0, k1);
 * `database` is mixed into the key, so equal names in different databases lie apart. Gives an int32.
 */
export function hashKey(
  view: DataView,
  start: number,
  lengthBytes: number,
  k0: number,
  k1: number,
  database: number,
): number {
  k1 ^= database << 13;
  let v0 = k0 | 0, v1 = k1 | 0, v2 = 0x6c796765 ^ k0, v3 = 0x74656462 ^ k1;
  const stop = start + (lengthBytes & ~3);
  let at = start;
  for (; at < stop; at += 4) {
    const m = view.getInt32(at, true);
    v3 ^= m;
    v0 = (v0 + v1) | 0, v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0, v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0, v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0, v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0, v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2, v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= m;
  }
  const left = lengthBytes & 3;
  const tail = left === 0 ? 0 : view.getInt32(at, true) & ((1 << (left << 3)) - 1);
  return finish(v0, v1, v2, v3, (lengthBytes << 24) | tail);
}

/** The same hash of a key that lies in a record: whole words at `word`, padded with zeros. */
export function hashKeyWords(
  words: Int32Array,
  word: number,
  lengthBytes: number,
  k0: number,
  k1: number,
  database: number,
): number {
  k1 ^= database << 13;
  let v0 = k0 | 0, v1 = k1 | 0, v2 = 0x6c796765 ^ k0, v3 = 0x74656462 ^ k1;
  const stop = word + (lengthBytes >>> 2);
  for (; word < stop; word++) {
    const m = words[word];
    v3 ^= m;
    v0 = (v0 + v1) | 0, v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0, v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0, v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0, v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0, v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2, v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= m;
  }
  const tail = (lengthBytes & 3) === 0 ? 0 : words[word];
  return finish(v0, v1, v2, v3, (lengthBytes << 24) | tail);
}

/** The last word, then three rounds. */
function finish(v0: number, v1: number, v2: number, v3: number, last: number): number {
  v3 ^= last;
  v0 = (v0 + v1) | 0, v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0, v0 = (v0 << 16) | (v0 >>> 16);
  v2 = (v2 + v3) | 0, v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
  v0 = (v0 + v3) | 0, v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
  v2 = (v2 + v1) | 0, v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2, v2 = (v2 << 16) | (v2 >>> 16);
  v0 ^= last;
  v2 ^= 0xff;
  for (let round = 0; round < 3; round++) {
    v0 = (v0 + v1) | 0, v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0, v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0, v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0, v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0, v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2, v2 = (v2 << 16) | (v2 >>> 16);
  }
  return v1 ^ v3;
}
