// Traces of accesses for caches, as numbers of keys: the same from the same seed; knows no cache.

export interface TraceOptions {
  /** Keys that are drawn by popularity; a scan's keys come on top. */
  readonly keys: number;
  readonly length: number;
  readonly seed: number;
}

/** Keys drawn by Zipf's law with exponent `alpha`, whose ranks are shuffled. */
export function zipfTrace(alpha: number, { keys, length, seed }: TraceOptions): Int32Array {
  const random = fractions(seed), sums = new Float64Array(keys);
  let sum = 0;
  for (let rank = 0; rank < keys; rank++) sums[rank] = sum += 1 / (rank + 1) ** alpha;
  const keyOfRank = Int32Array.from({ length: keys }, (_, rank) => rank);
  for (let i = keys - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1)), kept = keyOfRank[i];
    keyOfRank[i] = keyOfRank[j];
    keyOfRank[j] = kept;
  }
  return Int32Array.from({ length }, () => keyOfRank[rankAt(sums, random() * sum)]);
}

/** The same, with scans in between over keys that never come again: a third of all accesses. */
export function scanTrace(alpha: number, options: TraceOptions): Int32Array {
  const trace = zipfTrace(alpha, options), { keys, length } = options;
  const scan = Math.floor(keys / 20);
  for (let at = scan * 2, next = keys; at < length; at += scan * 2) {
    for (const end = Math.min(length, at + scan); at < end; at++) trace[at] = next++;
  }
  return trace;
}

/** The same, where other keys become the popular ones, ten times in all. */
export function shiftingTrace(alpha: number, options: TraceOptions): Int32Array {
  const { keys, length } = options, step = Math.ceil(length / 10);
  return zipfTrace(alpha, options).map((key, i) =>
    (key + Math.floor(i / step) * Math.floor(keys / 8)) % keys
  );
}

/** Blocks of a disk behind a file system's cache: loops over files of many sizes, some of them again and again. */
export function loopTrace({ keys, length, seed }: TraceOptions): Int32Array {
  const random = fractions(seed), trace = new Int32Array(length);
  for (let at = 0; at < length;) {
    const size = Math.floor(10 * 10 ** (random() * 3)), start = Math.floor(random() ** 3 * keys);
    const rounds = 1 + Math.floor(random() * 4);
    for (let i = 0; i < size * rounds && at < length; i++) trace[at++] = (start + i % size) % keys;
  }
  return trace;
}

/**
 * What a content network serves: half of the accesses go to keys that are asked for once and never again, the others
 * by Zipf's law with exponent 0.9, while a tenth of the keys is replaced by new ones over the trace.
 */
export function onceTrace(options: TraceOptions): Int32Array {
  const { keys, length } = options, random = fractions(options.seed + 1);
  const born = Math.max(1, Math.floor(length / (keys / 10)));
  let next = keys * 2;
  return zipfTrace(0.9, options).map((key, i) => {
    if (random() < 0.5) return next++;
    // From its moment on, a key's place is taken by one that nobody had asked for.
    return key < i / born ? key + keys : key;
  });
}

/** What a feed serves: new keys come all the time, and the newer one is the likelier it is asked for (YCSB's workload D). */
export function newestTrace({ keys, length, seed }: TraceOptions): Int32Array {
  const random = fractions(seed), every = Math.max(2, Math.floor(length / keys));
  let newest = 0;
  return Int32Array.from({ length }, (_, i) => {
    if (i % every === 0) return ++newest;
    // Ages by a law close to Zipf's with exponent 1.
    return Math.max(0, newest - Math.floor(Math.exp(random() * Math.log(newest + 1))) + 1);
  });
}

/**
 * Pages by the 80-20 law of O'Neil, O'Neil and Weikum, "The LRU-K Page Replacement Algorithm", SIGMOD 1993, section 4.2:
 * the first i of n pages get (i / n) ** (log 0.8 / log 0.2) of all accesses.
 */
export function pagesTrace({ keys, length, seed }: TraceOptions): Int32Array {
  const random = fractions(seed), power = Math.log(0.2) / Math.log(0.8);
  return Int32Array.from({ length }, () => Math.floor(keys * random() ** power));
}

/** The first rank whose sum is not below `wanted`. */
function rankAt(sums: Float64Array, wanted: number): number {
  let low = 0, high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Numbers from 0 to below 1 that a seed repeats (mulberry32). */
function fractions(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
