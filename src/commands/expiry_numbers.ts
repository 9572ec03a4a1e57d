// What is told of expiry in INFO, STATS and metrics: read from shared memory, nothing is looked for.
import { ForecastBoard, type HorizonForecast } from "../expiry_forecast.ts";
import type { Metrics } from "../metrics.ts";
import type { Store } from "../store/store.ts";

export interface ExpiryNumbers {
  /** Which part of the keys, from 0 to 1, has expired and is not removed yet: at most, told from a sample. */
  readonly stalePart: number;
  /**
   * How late the oldest entry was that was removed in the last second; or, where that is longer, how long something
   * has been waiting to be removed.
   */
  readonly lagMs: number;
  /** Time that went into the removal, and how often a slice of it ended with work left. */
  readonly sweepMs: number;
  readonly slicesCut: number;
  /** Estimated each second from a sample; exact where keys are few. */
  readonly forecast: readonly HorizonForecast[];
}

export function expiryNumbers(metrics: Metrics, store: Store, nowMs: number): ExpiryNumbers {
  let lagMs = 0;
  for (let worker = 0; worker < metrics.workerCount; worker++) {
    lagMs = Math.max(lagMs, metrics.counterOf("expiryLateMsMaxNow", worker));
  }
  for (const shard of store.shards) {
    const earliestMs = store.earliestExpiryMs(shard);
    if (earliestMs !== 0) lagMs = Math.max(lagMs, nowMs - earliestMs);
  }
  return {
    stalePart: store.duePart(nowMs),
    lagMs,
    sweepMs: metrics.counter("expirySweepMs"),
    slicesCut: metrics.counter("expirySlicesCut"),
    forecast: new ForecastBoard(metrics.memory.forecast).read(),
  };
}
