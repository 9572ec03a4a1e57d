// Calls, failures and times of each command, per worker, in shared memory; commands are numbers here, whose
// names the table of commands knows.
//
// One line of scalars per command, then one histogram per command: those of commands that never came are
// memory that was never touched.
import { bucketOf, BUCKETS, Latency } from "./histogram.ts";

/** Commands and subcommands that have room. */
export const COMMANDS_MAX = 512;

const CALLS = 0;
const FAILED = 1;
const REJECTED = 2;
const SUM_NS = 3;
const TIMED = 4;
const SCALARS = 8;
const HISTOGRAMS = COMMANDS_MAX * SCALARS;
const CELLS = HISTOGRAMS + COMMANDS_MAX * BUCKETS;

export function createCommandMemory(workerCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workerCount * CELLS * 8);
}

/** What a worker writes; every `command` lies below COMMANDS_MAX. */
export class WorkerCommandMetrics {
  readonly #cells: Float64Array;

  constructor(memory: SharedArrayBuffer, workerIndex: number) {
    this.#cells = new Float64Array(memory, workerIndex * CELLS * 8, CELLS);
  }

  count(command: number, calls: number): void {
    this.#cells[command * SCALARS + CALLS] += calls;
  }

  /** Of `calls` that were timed, each took `ns`; they stand for `weight` times as many. */
  observe(command: number, ns: number, calls: number, weight: number): void {
    const cells = this.#cells, at = command * SCALARS, stands = calls * weight;
    cells[at + SUM_NS] += ns * stands;
    cells[at + TIMED] += stands;
    cells[HISTOGRAMS + command * BUCKETS + bucketOf(ns)] += stands;
  }

  /** A call that was counted ended in an error. */
  fail(command: number): void {
    this.#cells[command * SCALARS + FAILED]++;
  }

  /** A call that was counted was not let run: it is counted as rejected instead. */
  reject(command: number): void {
    this.#cells[command * SCALARS + REJECTED]++;
    this.#cells[command * SCALARS + CALLS]--;
  }

  reset(): void {
    const cells = this.#cells;
    for (let command = 0; command < COMMANDS_MAX; command++) {
      const at = command * SCALARS, histogram = HISTOGRAMS + command * BUCKETS;
      // Only what was touched, so that the rest stays free of memory.
      if (cells[at + TIMED] > 0) cells.fill(0, histogram, histogram + BUCKETS);
      if (cells[at + CALLS] > 0 || cells[at + REJECTED] > 0) cells.fill(0, at, at + SCALARS);
    }
  }
}

/** What became of a command's calls; times are of those that were timed, in ns. */
export interface CommandTotals {
  /** Calls that ran, and how many of them ended in an error. */
  readonly calls: number;
  readonly failed: number;
  /** Calls that were refused before they ran. */
  readonly rejected: number;
  /** The mean time of a call. */
  readonly meanNs: number;
}

/** What all workers wrote, summed at the moment of asking. */
export class CommandMetrics {
  readonly #cells: Float64Array;

  constructor(memory: SharedArrayBuffer, readonly workerCount: number) {
    this.#cells = new Float64Array(memory);
  }

  /** Null for a command that never came. */
  totals(command: number): CommandTotals | null {
    const at = command * SCALARS;
    const calls = this.#sum(at + CALLS), rejected = this.#sum(at + REJECTED);
    if (calls <= 0 && rejected === 0) return null;
    const timed = this.#sum(at + TIMED);
    const meanNs = timed === 0 ? 0 : this.#sum(at + SUM_NS) / timed;
    return { calls: Math.max(0, calls), failed: this.#sum(at + FAILED), rejected, meanNs };
  }

  calls(command: number): number {
    return this.#sum(command * SCALARS + CALLS);
  }

  /** The times of a command; calls that were not timed are stood for by those that were. */
  latency(command: number): Latency {
    const counts = new Float64Array(BUCKETS), at = HISTOGRAMS + command * BUCKETS;
    const timed = this.#sum(command * SCALARS + TIMED);
    if (timed > 0) {
      for (let bucket = 0; bucket < BUCKETS; bucket++) counts[bucket] = this.#sum(at + bucket);
    }
    return new Latency(counts, this.#sum(command * SCALARS + SUM_NS), timed);
  }

  #sum(cell: number): number {
    let total = 0;
    for (let i = 0; i < this.workerCount; i++) total += this.#cells[i * CELLS + cell];
    return total;
  }
}
