// How often keys of a shard were used of late, estimated in little memory; knows hashes, and no entry.
//
// A count-min sketch with conservative update (Cormode and Muthukrishnan, 2005; Estan and Varghese, 2002) of 4-bit
// counters, as TinyLFU has it (Einziger, Friedman, Manes, ACM Transactions on Storage 13, 2017). A key has one counter
// in each of four rows; its estimate is the least of them. After a sample of SAMPLE_PER_ENTRY uses per entry all
// counters are halved, so that the past fades. What differs from the paper:
//   - the four rows of a key lie in one cache line of 128 counters (as in Putze, Sanders and Singler's blocked Bloom
//     filters, 2007): one miss for each use instead of four;
//   - there is no doorkeeper: a line serves ENTRIES_PER_BLOCK entries, and the rare keys find room in it;
//   - counters are halved in slices. Until a slice has been, its estimates count half, so that any two are of the same age;
//   - the sketch grows with the shard: doubled by a copy of itself, in which every key finds its counters.
//
// Threads write without lock. A word is one aligned store of a value that was computed from one load, so two that
// collide lose one of two counts, or undo the halving of eight counters until the next: both only make an estimate
// that is an estimate anyway a little wrong. A counter never runs over into its neighbour, because what is added to is
// the loaded value, which was below 15. A torn hash counts for another key. This memory is never anything else.

// Words. Those that each use reads are in a line that is hardly ever written; the others in the next.
const BLOCK_MASK = 12;
/** The next block to be halved, + 1; 0 while none is. */
const AGEING = 13;
const USES = 28;
/** Of the window, see there. */
export const WINDOW_HEAD = 29;
export const WINDOW_TAIL = 30;
const BLOCKS_AT = 44;
const BLOCK_WORDS = 16;
const ROW_WORDS = 4;
const COUNT_MAX = 15;
const BLOCKS_AT_START = 64;
/** 128 counters for so many entries: 4 bytes each. */
const ENTRIES_PER_BLOCK = 16;
/** 4 million entries of a shard; more share what there is. The last doubling copies 8 MiB under the lock, about 2 ms. */
const BLOCKS_MAX = 2 ** 18;
/** The paper's W / C. */
const SAMPLE_PER_ENTRY = 10;
/** Halved under one hold of the lock: 32 KiB, some µs. */
const AGED_AT_ONCE = 512;
/** Threads tell of uses in this many at once: an Atomics operation for each would be felt. */
const USES_AT_ONCE = 64;

/** The sketch as a thread sees it: the words, and the uses that it has not told of. */
export interface SketchView {
  readonly sketch: Int32Array<SharedArrayBuffer>;
  readonly addressShift: number;
  usesUntold: number;
}

/** Blocks that a shard may have; `arenaBytes` is a power of two. */
export function sketchBlocksMax(arenaBytes: number): number {
  return Math.max(BLOCKS_AT_START, Math.min(BLOCKS_MAX, arenaBytes / 1024));
}

/** The word behind the sketch's last block. */
export function sketchEnd(arenaBytes: number): number {
  return BLOCKS_AT + sketchBlocksMax(arenaBytes) * BLOCK_WORDS;
}

/** Empties the sketch, at a size for so many entries. */
export function clearSketch(sketch: Int32Array, entries: number, blocksMax: number): void {
  const before = sketch[BLOCK_MASK] + 1;
  let blocks = BLOCKS_AT_START;
  while (blocks < blocksMax && blocks * ENTRIES_PER_BLOCK < entries) blocks *= 2;
  sketch.fill(0, BLOCKS_AT, BLOCKS_AT + Math.max(before, blocks) * BLOCK_WORDS);
  sketch[BLOCK_MASK] = blocks - 1;
  sketch[AGEING] = 0;
  Atomics.store(sketch, USES, 0);
}

/** Bytes that the sketch has touched. */
export function sketchBytes(sketch: Int32Array): number {
  const blocks = sketch[BLOCK_MASK] + 1;
  return blocks === 1 ? 0 : (BLOCKS_AT + blocks * BLOCK_WORDS) * 4;
}

/** Counts a use of the key with this hash; without lock. */
export function countUse(view: SketchView, hash: number): void {
  const { sketch } = view;
  const block = BLOCKS_AT + ((hash >>> view.addressShift) & sketch[BLOCK_MASK]) * BLOCK_WORDS;
  const rows = rowBits(hash);
  const at0 = block + ((rows >>> 3) & 3), shift0 = (rows & 7) << 2;
  const at1 = block + ROW_WORDS + ((rows >>> 8) & 3), shift1 = ((rows >>> 5) & 7) << 2;
  const at2 = block + ROW_WORDS * 2 + ((rows >>> 13) & 3), shift2 = ((rows >>> 10) & 7) << 2;
  const at3 = block + ROW_WORDS * 3 + ((rows >>> 18) & 3), shift3 = ((rows >>> 15) & 7) << 2;
  const word0 = sketch[at0], word1 = sketch[at1], word2 = sketch[at2], word3 = sketch[at3];
  const count0 = (word0 >>> shift0) & COUNT_MAX, count1 = (word1 >>> shift1) & COUNT_MAX;
  const count2 = (word2 >>> shift2) & COUNT_MAX, count3 = (word3 >>> shift3) & COUNT_MAX;
  const least = Math.min(count0, count1, count2, count3);
  if (least < COUNT_MAX) {
    if (count0 === least) sketch[at0] = word0 + (1 << shift0);
    if (count1 === least) sketch[at1] = word1 + (1 << shift1);
    if (count2 === least) sketch[at2] = word2 + (1 << shift2);
    if (count3 === least) sketch[at3] = word3 + (1 << shift3);
  }
  if (++view.usesUntold >= USES_AT_ONCE) {
    Atomics.add(sketch, USES, view.usesUntold);
    view.usesUntold = 0;
  }
}

/** How often the key with this hash was used of late: 0 to 15, hardly ever too few. */
export function estimateUses(view: SketchView, hash: number): number {
  const { sketch } = view;
  const number = (hash >>> view.addressShift) & sketch[BLOCK_MASK];
  const block = BLOCKS_AT + number * BLOCK_WORDS, rows = rowBits(hash);
  const least = Math.min(
    (sketch[block + ((rows >>> 3) & 3)] >>> ((rows & 7) << 2)) & COUNT_MAX,
    (sketch[block + ROW_WORDS + ((rows >>> 8) & 3)] >>> (((rows >>> 5) & 7) << 2)) & COUNT_MAX,
    (sketch[block + ROW_WORDS * 2 + ((rows >>> 13) & 3)] >>> (((rows >>> 10) & 7) << 2)) &
      COUNT_MAX,
    (sketch[block + ROW_WORDS * 3 + ((rows >>> 18) & 3)] >>> (((rows >>> 15) & 7) << 2)) &
      COUNT_MAX,
  );
  const ageing = sketch[AGEING];
  return ageing !== 0 && number >= ageing - 1 ? least >>> 1 : least;
}

/** Whether `tendSketch()` has something to do. */
export function isSketchDue(sketch: Int32Array, entries: number, blocksMax: number): boolean {
  const blocks = sketch[BLOCK_MASK] + 1;
  return sketch[AGEING] !== 0 || blocks < blocksMax && blocks * ENTRIES_PER_BLOCK < entries ||
    Atomics.load(sketch, USES) >= sampleOf(entries);
}

/** Grows the sketch, or halves a slice of its counters, if it is time; the caller holds the shard's lock for changes. */
export function tendSketch(sketch: Int32Array, entries: number, blocksMax: number): void {
  const blocks = sketch[BLOCK_MASK] + 1;
  if (sketch[AGEING] === 0) {
    if (blocks < blocksMax && blocks * ENTRIES_PER_BLOCK < entries) {
      sketch.copyWithin(
        BLOCKS_AT + blocks * BLOCK_WORDS,
        BLOCKS_AT,
        BLOCKS_AT + blocks * BLOCK_WORDS,
      );
      Atomics.store(sketch, BLOCK_MASK, blocks * 2 - 1);
      return;
    }
    const sample = sampleOf(entries);
    if (Atomics.load(sketch, USES) < sample) return;
    Atomics.store(sketch, USES, sample >>> 1);
    sketch[AGEING] = 1;
  }
  const first = sketch[AGEING] - 1, end = Math.min(blocks, first + AGED_AT_ONCE);
  const last = BLOCKS_AT + end * BLOCK_WORDS;
  for (let at = BLOCKS_AT + first * BLOCK_WORDS; at < last; at++) {
    sketch[at] = (sketch[at] >>> 1) & 0x77777777;
  }
  sketch[AGEING] = end === blocks ? 0 : end + 1;
}

/** Uses after which counters are halved. */
function sampleOf(entries: number): number {
  return SAMPLE_PER_ENTRY * Math.max(entries, ENTRIES_PER_BLOCK);
}

/** Four times 5 bits, of which each chooses a counter of a row; the keys of a block have most bits of a hash in common. */
function rowBits(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39);
  return mixed ^ (mixed >>> 15);
}
