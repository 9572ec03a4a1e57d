// The index of expiry: which buckets of a shard hold something that has expired, found without looking at the rest.
//
// A tree of bounds over the buckets of the index: the leaf of a bucket is no later than the earliest expiry in its
// chain, and each cell above is no later than the 64 below it; 0 stands for none. What has expired is found by going
// down where the bound has passed. Why this, and neither a timing wheel nor lists by time: those hold a reference per
// entry, which must follow the entry when it is overwritten, moved or deleted (two more cache misses for each write
// with a TTL and 8 bytes or more per entry, or stale references without limit). A bound only has to be early enough:
// a later expiry, PERSIST, a deletion, a record that moves leave it as it is, for one load; an earlier one lowers it
// and, rarely, those above it. A bound that turns out too early is raised by the sweep, which comes to a bucket at
// most once for each time that its bound was lowered. It costs 8 bytes per bucket, 1.8 per entry, and nothing in a
// shard where nothing ever had a TTL. Expired entries of a bucket go together, with one visit to its line.
// The caller holds the shard's lock for changes, but where it says otherwise.
import * as L from "./layout.ts";
import type { Shard } from "./shard.ts";

/** Children of a cell: 8 cache lines, read in order. */
const FAN_OUT_BITS = 6;
const FAN_OUT = 1 << FAN_OUT_BITS;
const TOP_CELL_BUCKETS = FAN_OUT ** 3;

/** First cells of the levels above the leaves, for so many buckets, and the number of cells in all. */
export function boundLevels(bucketCount: number): readonly [number, number, number, number] {
  const cells = (count: number) => Math.ceil(Math.max(count, FAN_OUT) / FAN_OUT) * FAN_OUT;
  const first = cells(bucketCount);
  const second = first + cells(bucketCount >>> FAN_OUT_BITS);
  const third = second + cells(bucketCount >>> (2 * FAN_OUT_BITS));
  return [first, second, third, third + cells(bucketCount >>> (3 * FAN_OUT_BITS))];
}

/** Something in a bucket expires at that moment, in ms since 1970 and not 0: its bound is to be no later. */
export function lowerBound(shard: Shard, bucket: number, expiresAtMs: number): void {
  const bounds = shard.bounds, words = shard.words;
  if (!lower(bounds, bucket, expiresAtMs)) return;
  if (bucket >= words[L.BOUNDS_USED]) words[L.BOUNDS_USED] = bucket + 1;
  if (!lower(bounds, shard.boundsFirst + (bucket >>> FAN_OUT_BITS), expiresAtMs)) return;
  if (!lower(bounds, shard.boundsSecond + (bucket >>> (2 * FAN_OUT_BITS)), expiresAtMs)) return;
  lower(bounds, shard.boundsThird + (bucket >>> (3 * FAN_OUT_BITS)), expiresAtMs);
}

function lower(bounds: Float64Array, cell: number, expiresAtMs: number): boolean {
  const bound = bounds[cell];
  if (bound !== 0 && bound <= expiresAtMs) return false;
  bounds[cell] = expiresAtMs;
  return true;
}

/**
 * The next bucket whose bound has passed, −1 if there is none. Its bound is gone then: the caller looks at all of its
 * entries and gives those that stay to `lowerBound()` before it releases the lock.
 */
export function takeDueBucket(shard: Shard, nowMs: number): number {
  const bounds = shard.bounds, { boundsFirst, boundsSecond, boundsThird } = shard;
  const topCount = topCells(shard);
  // Each round that finds nothing raises a bound that was too early, so there is an end.
  for (;;) {
    const third = firstDue(bounds, boundsThird, topCount, nowMs);
    if (third < 0) return -1;
    const second = dueBelow(bounds, boundsThird + third, boundsSecond, third, nowMs);
    if (second < 0) continue;
    const first = dueBelow(bounds, boundsSecond + second, boundsFirst, second, nowMs);
    if (first < 0) continue;
    const bucket = dueBelow(bounds, boundsFirst + first, 0, first, nowMs);
    if (bucket < 0) continue;
    bounds[bucket] = 0;
    return bucket;
  }
}

/** The child of a cell that is due, as a number on its level; if none is, −1, and the cell's bound is raised. */
function dueBelow(
  bounds: Float64Array,
  cell: number,
  levelBelow: number,
  number: number,
  nowMs: number,
): number {
  const from = levelBelow + number * FAN_OUT;
  const found = firstDue(bounds, from, FAN_OUT, nowMs);
  if (found >= 0) return number * FAN_OUT + found;
  bounds[cell] = earliest(bounds, from, FAN_OUT);
  return -1;
}

function firstDue(bounds: Float64Array, from: number, count: number, nowMs: number): number {
  for (let i = 0; i < count; i++) {
    const bound = bounds[from + i];
    if (bound <= nowMs && bound !== 0) return i;
  }
  return -1;
}

function earliest(bounds: Float64Array, from: number, count: number): number {
  let least = 0;
  for (let i = 0; i < count; i++) {
    const bound = bounds[from + i];
    if (bound !== 0 && (least === 0 || bound < least)) least = bound;
  }
  return least;
}

/** Nothing in the shard expires before this moment, in ms since 1970; 0: nothing does at all. Needs no lock. */
export function earliestExpiryMs(shard: Shard): number {
  return earliest(shard.bounds, shard.boundsThird, topCells(shard));
}

/**
 * The first of the buckets `[from, end)` that may hold something that expires by `untilMs`, `end` if there is none.
 * Under the lock for reading at least.
 */
export function nextBucketUntil(
  shard: Shard,
  from: number,
  end: number,
  untilMs: number,
): number {
  const { bounds, boundsFirst } = shard;
  const used = Math.min(shard.words[L.BOUNDS_USED], shard.words[L.BUCKETS], end);
  for (let bucket = from; bucket < used;) {
    const above = bounds[boundsFirst + (bucket >>> FAN_OUT_BITS)];
    if (above === 0 || above > untilMs) {
      bucket = (bucket | (FAN_OUT - 1)) + 1;
      continue;
    }
    if (bounds[bucket] !== 0 && bounds[bucket] <= untilMs) return bucket;
    bucket++;
  }
  return end;
}

/** Which part of the buckets is due, from 0 to 1, told from at most 64 groups of them. Needs no lock. */
export function duePart(shard: Shard, nowMs: number): number {
  const { bounds, boundsFirst } = shard, groups = cellsAbove(shard.words[L.BOUNDS_USED], 1);
  if (groups === 0) return 0;
  const step = Math.max(1, Math.floor(groups / FAN_OUT));
  let due = 0, seen = 0;
  for (let group = 0; group < groups; group += step) {
    seen += FAN_OUT;
    const bound = bounds[boundsFirst + group];
    if (bound === 0 || bound > nowMs) continue;
    for (let i = group * FAN_OUT; i < (group + 1) * FAN_OUT; i++) {
      if (bounds[i] !== 0 && bounds[i] <= nowMs) due++;
    }
  }
  return due / Math.max(1, Math.min(seen, shard.words[L.BUCKETS]));
}

/** After a split: what was in bucket `from` may be in `added` now. */
export function splitBound(shard: Shard, from: number, added: number): void {
  if (from >= shard.words[L.BOUNDS_USED]) return;
  const bound = shard.bounds[from];
  if (bound !== 0) lowerBound(shard, added, bound);
}

/** After a merge: what was in bucket `removed` is in `into` now. */
export function mergeBound(shard: Shard, removed: number, into: number): void {
  if (removed >= shard.words[L.BOUNDS_USED]) return;
  const bound = shard.bounds[removed];
  if (bound === 0) return;
  shard.bounds[removed] = 0;
  lowerBound(shard, into, bound);
}

/** Nothing is left in the shard. */
export function clearBounds(shard: Shard): void {
  const { bounds, boundsFirst, boundsSecond, boundsThird } = shard;
  const used = shard.words[L.BOUNDS_USED];
  bounds.fill(0, 0, used);
  bounds.fill(0, boundsFirst, boundsFirst + cellsAbove(used, 1));
  bounds.fill(0, boundsSecond, boundsSecond + cellsAbove(used, 2));
  bounds.fill(0, boundsThird, boundsThird + cellsAbove(used, 3));
  shard.words[L.BOUNDS_USED] = 0;
}

function cellsAbove(cells: number, levels: number): number {
  return Math.ceil(cells / FAN_OUT ** levels);
}

/** Cells at the top, at most 32. */
function topCells(shard: Shard): number {
  return (shard.words[L.BOUNDS_USED] + TOP_CELL_BUCKETS - 1) >>> (3 * FAN_OUT_BITS);
}
