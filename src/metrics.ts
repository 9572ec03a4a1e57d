// Counters and the latency histogram of each worker, in shared memory that any thread may read.
//
// Each worker writes its own cells only, with plain stores: a float64 is never torn, and a reader that comes
// between two stores sees one of them later.

/** What is counted, per worker. All are totals since start but those that say `now`. */
export const COUNTERS = [
  "commands",
  "batches",
  "hits",
  "misses",
  "errors",
  "connectionsAccepted",
  "connectionsNow",
  "connectionsRejected",
  "connectionsDroppedSlow",
  "connectionsDroppedIdle",
  "protocolErrors",
  "bytesIn",
  "bytesOut",
  "writeGroups",
  "writesGrouped",
  "readRetries",
  "readLocks",
  "outOfMemory",
  "outputBytesNow",
  "inputBytesNow",
] as const;
export type Counter = typeof COUNTERS[number];

/** First words of error replies that are counted one by one; the rest together. */
export const ERROR_KINDS = [
  "ERR",
  "WRONGTYPE",
  "OOM",
  "NOAUTH",
  "WRONGPASS",
  "LOADING",
  "NOPROTO",
  "BUSYKEY",
  "MISCONF",
  "EXECABORT",
  "NOSCRIPT",
  "OTHER",
] as const;

/** Cell of each counter. */
export const COUNTER = Object.fromEntries(COUNTERS.map((name, i) => [name, i])) as Record<
  Counter,
  number
>;

// ---- histogram: log-linear, after HdrHistogram (Tene); 32 steps per power of two, so an error of at most
// 1/64 when a bucket is told by its middle. Values are nanoseconds; the last bucket holds all from 68 s up.
const STEPS = 32;
const STEP_BITS = 5;
const EXPONENT_MAX = 36;
const BUCKETS = (EXPONENT_MAX - STEP_BITS + 1) * STEPS;
/** Edges in ms of the histogram that STATS shows: below 1, 5, 10, 50, 100, and the rest. */
export const STATS_EDGES_MS = [1, 5, 10, 50, 100] as const;

const ERROR_CELLS = 32;
const COUNTER_CELLS = ERROR_CELLS + 16;
const CELLS = COUNTER_CELLS + BUCKETS + 2;
const SUM_NS = COUNTER_CELLS + BUCKETS;
const TIMED = SUM_NS + 1;

/** Shared memory for the metrics of `workerCount` workers. */
export function createMetricsMemory(workerCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workerCount * CELLS * 8);
}

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

/** What a worker writes. */
export class WorkerMetrics {
  /** Cells by `COUNTER`; written by their worker alone. */
  readonly counters: Float64Array;
  readonly #histogram: Float64Array;

  constructor(memory: SharedArrayBuffer, workerIndex: number) {
    const cells = new Float64Array(memory, workerIndex * CELLS * 8, CELLS);
    this.counters = cells;
    this.#histogram = cells.subarray(COUNTER_CELLS);
  }

  /** Counts error replies, by the first words of their texts. */
  countErrors(texts: readonly string[]): void {
    this.counters[COUNTER.errors] += texts.length;
    for (const text of texts) {
      const kind = ERROR_KINDS.indexOf(text.split(" ", 1)[0] as typeof ERROR_KINDS[number]);
      this.counters[ERROR_CELLS + (kind < 0 ? ERROR_KINDS.length - 1 : kind)]++;
    }
  }

  /** Counts from zero again, but for what says how things are now. */
  reset(): void {
    COUNTERS.forEach((name, i) => {
      if (!name.endsWith("Now")) this.counters[i] = 0;
    });
    this.counters.fill(0, ERROR_CELLS, COUNTER_CELLS);
    this.#histogram.fill(0);
  }

  /**
   * Notes `count` commands that took `totalNs` together, each of which is taken for its share; they stand for
   * `weight` times as many.
   */
  observe(totalNs: number, count: number, weight: number): void {
    const histogram = this.#histogram;
    histogram[bucketOf(totalNs / count)] += count * weight;
    histogram[SUM_NS - COUNTER_CELLS] += totalNs * weight;
    histogram[TIMED - COUNTER_CELLS] += count * weight;
  }
}

/** What all workers wrote, summed at the moment of asking. */
export class Metrics {
  readonly #cells: Float64Array;
  readonly workerCount: number;

  constructor(memory: SharedArrayBuffer) {
    this.#cells = new Float64Array(memory);
    this.workerCount = this.#cells.length / CELLS;
  }

  counter(name: Counter): number {
    return this.#sum(COUNTER[name]);
  }

  counterOf(name: Counter, workerIndex: number): number {
    return this.#cells[workerIndex * CELLS + COUNTER[name]];
  }

  /** Error replies of each kind that came at all. */
  errorKinds(): readonly (readonly [kind: string, count: number])[] {
    return ERROR_KINDS.map((kind, i) => [kind, this.#sum(ERROR_CELLS + i)] as const)
      .filter(([, count]) => count > 0);
  }

  /** Times of commands, over all workers. */
  latency(): Latency {
    const counts = new Float64Array(BUCKETS);
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      counts[bucket] = this.#sum(COUNTER_CELLS + bucket);
    }
    return new Latency(counts, this.#sum(SUM_NS), this.#sum(TIMED));
  }

  #sum(cell: number): number {
    let total = 0;
    for (let at = cell; at < this.#cells.length; at += CELLS) total += this.#cells[at];
    return total;
  }
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
