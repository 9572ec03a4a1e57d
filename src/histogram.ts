// Times in buckets whose widths grow with them: where a time falls, what a bucket stands for, percentiles; it
// knows neither what was timed nor where the buckets lie.
//
// Log-linear, after HdrHistogram (Tene): 32 steps per power of two, so an error of at most 1/64 when a bucket is
// told by its middle. Values are nanoseconds; the last bucket holds all from 68 s up.
const STEPS = 32;
const STEP_BITS = 5;
const EXPONENT_MAX = 36;
/** How many buckets there are. */
export const BUCKETS = (EXPONENT_MAX - STEP_BITS + 1) * STEPS;
/** Edges in ms of the histogram that STATS shows: below 1, 5, 10, 50, 100, and the rest. */
export const STATS_EDGES_MS = [1, 5, 10, 50, 100] as const;

/** Bucket of a time in ns; times below 32 ns have one each, later ones are at most 1/32 wide. */
export function bucketOf(ns: number): number {
  if (ns < STEPS) return ns < 0 ? 0 : ns | 0;
  // Above 2^31 in units of 32 ns, so that the rest is whole numbers of 31 bits.
  const isLong = ns >= 2 ** 31;
  const value = isLong ? Math.min(ns / STEPS, 2 ** 31 - 1) | 0 : ns | 0;
  const shift = 31 - Math.clz32(value) - STEP_BITS;
  const bucket = shift * STEPS + (value >>> shift) + (isLong ? STEP_BITS * STEPS : 0);
  return Math.min(bucket, BUCKETS - 1);
}

/** The middle of a bucket, in ns. */
export function bucketMiddleNs(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const shift = Math.floor(bucket / STEPS) - 1;
  return (STEPS + (bucket % STEPS) + 0.5) * 2 ** shift;
}

/** A histogram at one moment. */
export class Latency {
  constructor(readonly counts: Float64Array, readonly sumNs: number, readonly timed: number) {}

  get averageUs(): number {
    return this.timed === 0 ? 0 : this.sumNs / this.timed / 1000;
  }

  /** The time that the given part of all commands did not exceed, in µs, within 2 %. */
  percentileUs(part: number): number {
    let left = this.timed * part;
    if (this.timed === 0) return 0;
    for (let bucket = 0; bucket < this.counts.length; bucket++) {
      left -= this.counts[bucket];
      if (left <= 0 && this.counts[bucket] > 0) return bucketMiddleNs(bucket) / 1000;
    }
    return bucketMiddleNs(this.counts.length - 1) / 1000;
  }

  /** Commands that took at least `fromMs` and less than `belowMs`. */
  countBetween(fromMs: number, belowMs: number): number {
    let total = 0;
    for (let bucket = 0; bucket < this.counts.length; bucket++) {
      const ms = bucketMiddleNs(bucket) / 1e6;
      if (ms >= fromMs && ms < belowMs) total += this.counts[bucket];
    }
    return total;
  }
}

/** The first bucket that lies wholly at or above 2 to the power of `exponent` ns, from 2^5 up. */
export function bucketAbove(exponent: number): number {
  return Math.min(BUCKETS, (exponent - STEP_BITS + 1) * STEPS);
}
