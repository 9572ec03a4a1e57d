// Counters and the latency histogram of each worker, in shared memory that any thread may read.
//
// Each worker writes its own cells only, with plain stores: a float64 is never torn, and a reader that comes
// between two stores sees one of them later.
import { CommandMetrics, createCommandMemory, WorkerCommandMetrics } from "./command_metrics.ts";
import { createForecastMemory } from "./expiry_forecast.ts";
import { bucketOf, BUCKETS, Latency } from "./histogram.ts";
import { createHistoryMemory } from "./history.ts";
import { createCensusMemory } from "./namespace_census.ts";
import {
  createNamespaceMemory,
  NamespaceMetrics,
  WorkerNamespaceMetrics,
} from "./namespace_metrics.ts";

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
  "passwordFailures",
  "outputBytesNow",
  "inputBytesNow",
  "slowCommands",
  "monitorLinesLeftOut",
  "loopLagMs",
  "loopLagSamples",
  "loopLagMsMaxNow",
  "expirySweepMs",
  "expirySlicesCut",
  "expiryLateMsMaxNow",
] as const;
export type Counter = typeof COUNTERS[number];

/** First words of error replies that are counted one by one; the rest together. */
const ERROR_KINDS = [
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

const ERROR_CELLS = 48;
const COUNTER_CELLS = ERROR_CELLS + 16;
const CELLS = COUNTER_CELLS + BUCKETS + 2;
const SUM_NS = COUNTER_CELLS + BUCKETS;
const TIMED = SUM_NS + 1;

/** Words that the whole process shares: connections in MONITOR mode, and the next number of the slow log. */
const MONITORS = 0;
const SLOW_LOG_NUMBER = 1;
const PROCESS_WORDS = 16;

/** All shared memory of the metrics; can be posted to another thread. */
export interface MetricsMemory {
  readonly counters: SharedArrayBuffer;
  readonly commands: SharedArrayBuffer;
  readonly namespaces: SharedArrayBuffer;
  readonly census: SharedArrayBuffer;
  readonly history: SharedArrayBuffer;
  /** What expires soon. */
  readonly forecast: SharedArrayBuffer;
  readonly process: SharedArrayBuffer;
}

/** Shared memory for the metrics of `workerCount` workers; what is not counted stays untouched. */
export function createMetricsMemory(workerCount: number): MetricsMemory {
  return {
    counters: new SharedArrayBuffer(workerCount * CELLS * 8),
    commands: createCommandMemory(workerCount),
    namespaces: createNamespaceMemory(workerCount),
    census: createCensusMemory(),
    history: createHistoryMemory(),
    forecast: createForecastMemory(),
    process: new SharedArrayBuffer((PROCESS_WORDS + workerCount) * 4),
  };
}

/** What a worker writes. */
export class WorkerMetrics {
  /** Cells by `COUNTER`; written by their worker alone. */
  readonly counters: Float64Array;
  readonly commands: WorkerCommandMetrics;
  readonly namespaces: WorkerNamespaceMetrics;
  readonly #histogram: Float64Array;
  readonly #process: Int32Array;

  constructor(memory: MetricsMemory, readonly workerIndex: number) {
    const cells = new Float64Array(memory.counters, workerIndex * CELLS * 8, CELLS);
    this.counters = cells;
    this.#histogram = cells.subarray(COUNTER_CELLS);
    this.commands = new WorkerCommandMetrics(memory.commands, workerIndex);
    this.namespaces = new WorkerNamespaceMetrics(memory.namespaces, workerIndex);
    this.#process = new Int32Array(memory.process);
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
    this.commands.reset();
    this.namespaces.reset();
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

  /** Connections of all workers that watch all commands; a plain load, looked at once per batch. */
  get monitors(): number {
    return this.#process[MONITORS];
  }

  /** One monitor more or less on this worker. */
  addMonitor(change: 1 | -1): void {
    Atomics.add(this.#process, PROCESS_WORDS + this.workerIndex, change);
    Atomics.add(this.#process, MONITORS, change);
  }

  /** The next number of the slow log, over all workers, from 0. */
  nextSlowLogNumber(): number {
    return Atomics.add(this.#process, SLOW_LOG_NUMBER, 1) >>> 0;
  }
}

/** What all workers wrote, summed at the moment of asking. */
export class Metrics {
  readonly commands: CommandMetrics;
  readonly namespaces: NamespaceMetrics;
  readonly #cells: Float64Array;
  readonly #process: Int32Array;
  readonly workerCount: number;

  constructor(readonly memory: MetricsMemory) {
    this.#cells = new Float64Array(memory.counters);
    this.workerCount = this.#cells.length / CELLS;
    this.commands = new CommandMetrics(memory.commands, this.workerCount);
    this.namespaces = new NamespaceMetrics(memory.namespaces, this.workerCount);
    this.#process = new Int32Array(memory.process);
  }

  counter(name: Counter): number {
    return this.#sum(COUNTER[name]);
  }

  counterOf(name: Counter, workerIndex: number): number {
    return this.#cells[workerIndex * CELLS + COUNTER[name]];
  }

  /** Connections that watch all commands: of all workers, and of one. */
  get monitors(): number {
    return Atomics.load(this.#process, MONITORS);
  }
  monitorsOf(workerIndex: number): number {
    return Atomics.load(this.#process, PROCESS_WORDS + workerIndex);
  }

  /** The number that the slow log's next entry will have. */
  get nextSlowLogNumber(): number {
    return Atomics.load(this.#process, SLOW_LOG_NUMBER) >>> 0;
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
