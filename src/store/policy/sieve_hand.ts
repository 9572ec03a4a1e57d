// SIEVE (Zhang and others, NSDI 2024) without a list: its hand goes by the tick at which entries were added.
//
// SIEVE keeps entries in the order in which they came. A hand goes from the oldest to the newest; what was used since
// it passed last stays where it is and is marked as unused, what was not used goes; at the newest it begins anew at
// the oldest. Here the order is that of the ticks in the entries' clocks, and the hand takes a band of ticks at
// a time: one sweep over the buckets of the shard finds all entries of the band and lets go as many as are needed,
// from where it stopped; what is met beside the band is counted, which tells how wide the next band has to be. With a
// band of a 16th of the entries, about 16 clocks in order are read for each one that goes.
import { nextBucketWord } from "../bucket_index.ts";
import * as L from "../layout.ts";
import type { Shard } from "../shard.ts";

// Words of a shard's state. Stamps are ticks halved, of 15 bits.
/** Where the sweep goes on: a bucket, and the entries of its chain that it has seen. */
const SWEEP_BUCKET = 4;
const SWEEP_SEEN = 5;
/** The band: its first stamp, how many stamps it has, and the stamp at which it was chosen. */
const BAND_FIRST = 6;
const BAND_WIDTH = 7;
const BAND_CHOSEN = 8;
/** Entries met during the sweep, by stamp: those that nobody used count for four, because the others stay. */
const BINS_AT = 32;
const STAMPS_PER_BIN = 64;
const STAMPS = 32_768;
const BINS = STAMPS / STAMPS_PER_BIN;
export const SIEVE_WORDS = BINS_AT + BINS;
const UNUSED_WEIGHT = 4;
/** A band holds about this part of a shard's entries; less than that part at the newest is not worth a sweep. */
const BAND_SHIFT = 4;
const LEAST_SHIFT = 7;
/** What is older counts as this old: its order among the oldest is of no use, and 15 bits wrap. */
const AGE_MAX = STAMPS / 2;
/** What seems older than this was added since the band was chosen. */
const AGE_FUTURE = STAMPS - STAMPS / 8;
/** Buckets passed in search of one that goes: some sweeps of a small shard, a part of one of a large. */
const BUCKETS_MAX = 65_536;

/** The slot of the entry that goes next; 0 if none was found in a bounded search. `state`: SIEVE_WORDS words. */
export function chooseBySieve(shard: Shard, state: Int32Array, tick: number): number {
  const { words, buckets, clocks } = shard;
  let bucket = state[SWEEP_BUCKET], skip = state[SWEEP_SEEN];
  for (let passed = 0; passed < BUCKETS_MAX; passed++, bucket++) {
    if (bucket >= words[L.BUCKETS]) {
      nextBand(state, words[L.ENTRIES], tick >>> 1);
      bucket = 0;
      skip = 0;
    }
    const first = state[BAND_FIRST], width = state[BAND_WIDTH], chosen = state[BAND_CHOSEN];
    let base = L.BUCKET_BASE + bucket * L.BUCKET_WORDS, seen = 0;
    for (; base !== 0; base = nextBucketWord(shard, base)) {
      for (let place = 0; place < L.BUCKET_SLOTS; place++) {
        if (buckets[base + place + L.BUCKET_REFS] === 0) break;
        if (seen++ < skip) continue;
        const at = base * 2 + L.BUCKET_CLOCKS + place, cell = clocks[at];
        let stamp = cell >>> 1;
        const age = (chosen - stamp) & (STAMPS - 1);
        if (age > AGE_MAX && age < AGE_FUTURE) {
          stamp = (chosen - AGE_MAX) & (STAMPS - 1);
          clocks[at] = (stamp << 1) | (cell & 1);
        }
        const isUsed = (cell & 1) !== 0;
        if (((stamp - first) & (STAMPS - 1)) < width) {
          if (!isUsed) {
            // Another entry takes its place, and is the next to be looked at.
            state[SWEEP_BUCKET] = bucket;
            state[SWEEP_SEEN] = seen - 1;
            return base + place;
          }
          clocks[at] &= 0xfffe;
          state[BINS_AT + (stamp / STAMPS_PER_BIN | 0)] += UNUSED_WEIGHT;
        } else state[BINS_AT + (stamp / STAMPS_PER_BIN | 0)] += isUsed ? 1 : UNUSED_WEIGHT;
      }
    }
    skip = 0;
  }
  state[SWEEP_BUCKET] = bucket;
  state[SWEEP_SEEN] = 0;
  return 0;
}

/** A sweep is over: the hand stands behind its band, and goes on with the next one, or at the oldest entries. */
function nextBand(state: Int32Array, entries: number, now: number): void {
  const behind = (state[BAND_FIRST] + state[BAND_WIDTH]) & (STAMPS - 1);
  const ahead = (now - behind) & (STAMPS - 1);
  // Past the newest there is nothing ahead.
  let first = behind, width = ahead < AGE_FUTURE ? bandWidth(state, behind, ahead, entries) : 0;
  if (width === 0) {
    first = (now - AGE_MAX) & (STAMPS - 1);
    // Where next to nothing was counted, as in a first sweep, all of it is the band.
    width = bandWidth(state, first, AGE_MAX, entries) || AGE_MAX + 1;
  }
  state[BAND_FIRST] = first;
  state[BAND_WIDTH] = width;
  state[BAND_CHOSEN] = now;
  state.fill(0, BINS_AT, BINS_AT + BINS);
}

/** How many stamps from `first` on hold the entries of a band, at most up to `last` after it; 0: too few do. */
function bandWidth(state: Int32Array, first: number, last: number, entries: number): number {
  const goal = (entries * UNUSED_WEIGHT) >>> BAND_SHIFT;
  const least = (entries * UNUSED_WEIGHT) >>> LEAST_SHIFT;
  let found = 0, width = 0;
  while (width <= last) {
    const stamp = (first + width) & (STAMPS - 1);
    found += state[BINS_AT + (stamp / STAMPS_PER_BIN | 0)];
    width += STAMPS_PER_BIN - stamp % STAMPS_PER_BIN;
    if (found >= goal) return Math.min(width, last + 1);
  }
  return found < least ? 0 : last + 1;
}
