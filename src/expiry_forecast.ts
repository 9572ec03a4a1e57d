// How many keys and bytes expire within given times, in shared memory that any thread may read; counts, no entries.

/** Times from now that are told of, in seconds, each with the earlier ones in it. */
export const HORIZONS_S: readonly number[] = [1, 10, 60, 600, 3600];
/** `1s`, `10s`, `1m`, `10m`, `1h`. */
export const HORIZON_NAMES: readonly string[] = HORIZONS_S.map((seconds) =>
  seconds < 60 ? `${seconds}s` : seconds < 3600 ? `${seconds / 60}m` : `${seconds / 3600}h`
);

export interface HorizonForecast {
  readonly horizon: string;
  readonly seconds: number;
  readonly keys: number;
  readonly bytes: number;
}

/** Counts by horizon, while entries are looked at. */
export class ForecastCounts {
  readonly keys = new Float64Array(HORIZONS_S.length);
  readonly bytes = new Float64Array(HORIZONS_S.length);

  /** An entry that expires in `leftMs`: counts in the horizons `[first, last)`. */
  add(leftMs: number, bytes: number, first = 0, last = HORIZONS_S.length): void {
    for (let i = last - 1; i >= first && leftMs <= HORIZONS_S[i] * 1000; i--) {
      this.keys[i]++;
      this.bytes[i] += bytes;
    }
  }

  told(): HorizonForecast[] {
    return HORIZONS_S.map((seconds, i) => ({
      horizon: HORIZON_NAMES[i],
      seconds,
      keys: Math.round(this.keys[i]),
      bytes: Math.round(this.bytes[i]),
    }));
  }
}

/** Keys, then bytes by horizon, in float64. */
export function createForecastMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * HORIZONS_S.length * 8);
}

/** The last estimate: one thread writes it, and who reads between two stores sees some of it later. */
export class ForecastBoard {
  readonly #cells: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#cells = new Float64Array(memory);
  }

  write({ keys, bytes }: ForecastCounts): void {
    this.#cells.set(keys);
    this.#cells.set(bytes, HORIZONS_S.length);
  }

  read(): HorizonForecast[] {
    const counts = new ForecastCounts();
    counts.keys.set(this.#cells.subarray(0, HORIZONS_S.length));
    counts.bytes.set(this.#cells.subarray(HORIZONS_S.length));
    return counts.told();
  }
}
