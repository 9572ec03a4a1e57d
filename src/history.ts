// The last 15 minutes in samples of a second, a ring in shared memory: one thread writes it, any may read.
// It must not know where the numbers come from.
import { HISTORY_SAMPLES } from "./limits.ts";

/** What a sample holds; `...PerS` are rates over its second, the others how things were at its end. */
export const SAMPLE_FIELDS = [
  "atMs",
  "commandsPerS",
  "hitsPerS",
  "missesPerS",
  "errorsPerS",
  "expiredPerS",
  "evictedPerS",
  "bytesInPerS",
  "bytesOutPerS",
  "p50Us",
  "p95Us",
  "p99Us",
  "keys",
  "usedBytes",
  "limitBytes",
  "rssBytes",
  "clients",
  "loopLagMsMax",
  // Of the log: frames are what was written at once; all 0 without one.
  "logFramesPerS",
  "logRecordsPerS",
  "logBytesPerS",
  "syncUsMean",
  "syncUsMax",
] as const;
export type SampleField = typeof SAMPLE_FIELDS[number];

/** Families that commands are counted by; the table of commands says which is whose. */
export const FAMILIES = [
  "read",
  "write",
  "delete",
  "expiry",
  "keys",
  "connection",
  "server",
] as const;
export type Family = typeof FAMILIES[number];

/**
 * Buckets of a sample's times: the first below 2^10 ns (1 µs), each later one twice as wide, the last from 2^27 ns
 * (134 ms) up.
 */
export const HEAT_BUCKETS = 19;
export const HEAT_EXPONENT_FIRST = 10;

/** One second. */
export interface Sample extends Readonly<Record<SampleField, number>> {
  /** Commands per second by family, in the order of FAMILIES. */
  readonly families: readonly number[];
  /** Commands per second by time, in HEAT_BUCKETS buckets. */
  readonly heat: readonly number[];
}

const FAMILY_AT = SAMPLE_FIELDS.length;
const HEAT_AT = FAMILY_AT + FAMILIES.length;
const CELLS = HEAT_AT + HEAT_BUCKETS;
/** One more than is told: the one that is being written is nobody's. */
const PLACES = HISTORY_SAMPLES + 1;
const WRITTEN_BYTES = 8;

export function createHistoryMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(WRITTEN_BYTES + PLACES * CELLS * 8);
}

export class History {
  readonly #written: Int32Array;
  readonly #cells: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#written = new Int32Array(memory, 0, 2);
    this.#cells = new Float64Array(memory, WRITTEN_BYTES);
  }

  /** Adds a sample; for one thread only. */
  add(sample: Sample): void {
    const written = this.#written[0], cells = this.#cells;
    const at = (written % PLACES) * CELLS;
    SAMPLE_FIELDS.forEach((field, i) => cells[at + i] = sample[field]);
    for (let i = 0; i < FAMILIES.length; i++) cells[at + FAMILY_AT + i] = sample.families[i] ?? 0;
    for (let i = 0; i < HEAT_BUCKETS; i++) cells[at + HEAT_AT + i] = sample.heat[i] ?? 0;
    Atomics.store(this.#written, 0, written + 1);
  }

  /** The first samples after the moment `afterMs`, oldest first, at most `countMax`. */
  since(afterMs = 0, countMax = HISTORY_SAMPLES): Sample[] {
    const written = Atomics.load(this.#written, 0);
    const samples: Sample[] = [];
    const first = Math.max(0, written - HISTORY_SAMPLES);
    for (let i = first; i < written && samples.length < countMax; i++) {
      const at = (i % PLACES) * CELLS;
      if (this.#cells[at] > afterMs) samples.push(this.#sampleAt(at));
    }
    return samples;
  }

  #sampleAt(at: number): Sample {
    const cells = this.#cells;
    const fields = Object.fromEntries(SAMPLE_FIELDS.map((field, i) => [field, cells[at + i]]));
    return {
      ...fields as Record<SampleField, number>,
      families: [...cells.subarray(at + FAMILY_AT, at + HEAT_AT)],
      heat: [...cells.subarray(at + HEAT_AT, at + CELLS)],
    };
  }
}
