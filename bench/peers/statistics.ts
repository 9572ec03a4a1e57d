// Medians, paired ratios and a latency histogram for the load benchmark; knows no servers, no
// clocks and no files.

/** The middle of the values, the mean of the two middle ones for an even count; NaN for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The median of `ours[i] / theirs[i]`, dimensionless. Runs are paired because a shared machine
 * drifts: the two figures of one alternation were taken seconds apart, the medians of all may be
 * minutes apart. Runs that only one side has, and pairs whose divisor is not above zero, are left
 * out; NaN when none remains.
 */
export function pairedRatio(
  ours: ReadonlyMap<number, number>,
  theirs: ReadonlyMap<number, number>,
): number {
  const ratios: number[] = [];
  for (const [run, figure] of ours) {
    const other = theirs.get(run);
    if (other !== undefined && other > 0) ratios.push(figure / other);
  }
  return median(ratios);
}

// One bucket per microsecond below 1,024, then 512 buckets per doubling: an error below 0.2 % at
// any length.
const SUB_BUCKET_BITS = 9;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
const LATENCY_US_MAX = 0x7fff_ffff;
const BUCKETS = (31 - SUB_BUCKET_BITS) * SUB_BUCKETS + 2 * SUB_BUCKETS;

/**
 * Latencies in microseconds, in a table of fixed size, so that a long run costs no more memory than
 * a short one.
 */
export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #maxUs = 0;

  /** Adds `count` requests that each took `latencyUs`. */
  record(latencyUs: number, count: number): void {
    const clamped = latencyUs < 0 ? 0 : latencyUs > LATENCY_US_MAX ? LATENCY_US_MAX : latencyUs;
    const whole = clamped | 0;
    const shift = whole < 2 * SUB_BUCKETS ? 0 : 31 - Math.clz32(whole) - SUB_BUCKET_BITS;
    const bucket = shift * SUB_BUCKETS + (whole >>> shift);
    this.#counts[bucket] = this.#counts[bucket] + count;
    this.#total += count;
    if (clamped > this.#maxUs) this.#maxUs = clamped;
  }

  get total(): number {
    return this.#total;
  }

  get maxUs(): number {
    return this.#maxUs;
  }

  /**
   * The latency in microseconds that `fraction` (0 to 1) of the requests did not exceed; NaN when
   * there are none.
   */
  percentileUs(fraction: number): number {
    if (this.#total === 0) return NaN;
    const rank = Math.max(1, Math.ceil(fraction * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket];
      if (seen >= rank) {
        const shift = bucket < 2 * SUB_BUCKETS ? 0 : (bucket >>> SUB_BUCKET_BITS) - 1;
        return (bucket - shift * SUB_BUCKETS) * 2 ** shift;
      }
    }
    throw new Error(`histogram counted ${seen} requests where its total says ${this.#total}`);
  }
}
