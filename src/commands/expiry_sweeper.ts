// Removes what has expired before anybody asks for it: slices of work between a worker's commands.
//
// Each shard has one worker that sweeps it. Not the keeper: that thread is there only where a log is kept, stands
// still while it makes a snapshot, and would take locks against all workers, while a slice here never meets a command
// of its own worker. The effort follows the load: nothing is looked at before the earliest moment that the index of
// expiry knows; a worker without commands sweeps at full speed; one with commands gives a part of its time, more of
// it where the sweep has fallen behind or memory is short.
import {
  EXPIRY_BEHIND_MS,
  EXPIRY_LOOK_MS,
  EXPIRY_LOOK_MS_MIN,
  EXPIRY_MEMORY_SHORT,
  EXPIRY_PART_BASE,
  EXPIRY_PART_MAX,
  EXPIRY_PART_PER_EFFORT,
  EXPIRY_REST_MS_MIN,
  EXPIRY_SLICE_MS_MAX,
  EXPIRY_SWEEP_ENTRIES,
} from "../limits.ts";
import { COUNTER } from "../metrics.ts";
import { ProcessState, type Settings } from "../settings.ts";
import type { Shard, Store } from "../store/store.ts";

/** Lateness is told as the worst of so long. */
const LATE_WINDOW_MS = 1000;

export interface SweeperParts {
  readonly store: Store;
  readonly settings: Pick<Settings, "isActiveExpire" | "activeExpireEffort" | "state">;
  /** The worker's own; those of expiry are written. */
  readonly counters: Float64Array;
  readonly workerIndex: number;
  readonly workerCount: number;
  /** The moment by which entries expire, and a clock for how long work takes, both in ms. */
  readonly nowMs: () => number;
  readonly elapsedMs: () => number;
  /** Told how long each slice took. */
  readonly onSlice: (tookMs: number) => void;
}

/** Sweeps until the function that it gives is called. */
export function startSweeping(parts: SweeperParts): () => void {
  const sweeper = new ExpirySweeper(parts);
  let timer = setTimeout(function next(): void {
    timer = setTimeout(next, sweeper.slice());
  }, EXPIRY_LOOK_MS);
  return () => clearTimeout(timer);
}

export class ExpirySweeper {
  readonly #parts: SweeperParts;
  readonly #shards: readonly Shard[];
  /** Where the next slice begins. */
  #shard = 0;
  #commands = 0;
  #lateMsMax = 0;
  #windowFromMs = 0;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
    this.#shards = parts.store.shards.filter(({ number }) =>
      number % parts.workerCount === parts.workerIndex
    );
  }

  /** Does one slice of work, if there is any; gives the time until the next one, in ms. */
  slice(): number {
    const { settings, counters, nowMs, elapsedMs, onSlice } = this.#parts;
    const commands = counters[COUNTER.commands], isIdle = commands === this.#commands;
    this.#commands = commands;
    // While the log is loaded nothing may go: a later effect may say that it lives on.
    if (!settings.isActiveExpire || settings.state === ProcessState.STARTING) return EXPIRY_LOOK_MS;
    const atMs = nowMs(), beganMs = elapsedMs();
    const part = isIdle ? 1 : this.#part(atMs);
    const isLeft = this.#sweep(atMs, beganMs + sliceMs(part));
    const tookMs = elapsedMs() - beganMs;
    this.#tellLateness(atMs);
    counters[COUNTER.expirySweepMs] += tookMs;
    onSlice(tookMs);
    if (!isLeft) return this.#untilNext(atMs);
    counters[COUNTER.expirySlicesCut]++;
    return tookMs * (1 / part - 1);
  }

  /** Removes what has expired at `nowMs`, until the clock shows `endMs`; gives whether something is left. */
  #sweep(nowMs: number, endMs: number): boolean {
    const { store, elapsedMs } = this.#parts, shards = this.#shards;
    for (let done = 0; done < shards.length; done++) {
      const shard = shards[this.#shard];
      while (store.isDue(shard, nowMs)) {
        if (elapsedMs() >= endMs) return true;
        store.sweep(shard, EXPIRY_SWEEP_ENTRIES, nowMs);
        if (shard.lateMs > this.#lateMsMax) this.#lateMsMax = shard.lateMs;
      }
      this.#shard = (this.#shard + 1) % shards.length;
    }
    return false;
  }

  /** The part of the worker's time that goes into the sweep while commands come, from 0 to 1. */
  #part(nowMs: number): number {
    const { store, settings } = this.#parts;
    let part = EXPIRY_PART_BASE + EXPIRY_PART_PER_EFFORT * settings.activeExpireEffort;
    if (nowMs - this.#earliestMs() > EXPIRY_BEHIND_MS) part *= 2;
    if (store.account.usedBytes > store.account.limitBytes * EXPIRY_MEMORY_SHORT) part *= 2;
    return Math.min(part, EXPIRY_PART_MAX);
  }

  #untilNext(nowMs: number): number {
    const leftMs = this.#earliestMs() - nowMs;
    return Math.min(EXPIRY_LOOK_MS, Math.max(EXPIRY_LOOK_MS_MIN, leftMs));
  }

  /** Nothing in the worker's shards expires before; Infinity where nothing does at all. */
  #earliestMs(): number {
    let earliestMs = Infinity;
    for (const shard of this.#shards) {
      const ms = this.#parts.store.earliestExpiryMs(shard);
      if (ms !== 0 && ms < earliestMs) earliestMs = ms;
    }
    return earliestMs;
  }

  /** Worse is told at once, better after a whole window. */
  #tellLateness(nowMs: number): void {
    const { counters } = this.#parts, cell = COUNTER.expiryLateMsMaxNow;
    if (this.#lateMsMax > counters[cell]) counters[cell] = this.#lateMsMax;
    if (nowMs - this.#windowFromMs < LATE_WINDOW_MS) return;
    counters[cell] = this.#lateMsMax;
    this.#lateMsMax = 0;
    this.#windowFromMs = nowMs;
  }
}

/** How long a slice may be, so that it and the shortest rest are to each other as the part wants it. */
function sliceMs(part: number): number {
  return part === 1
    ? EXPIRY_SLICE_MS_MAX
    : Math.min(EXPIRY_SLICE_MS_MAX, EXPIRY_REST_MS_MIN * part / (1 - part));
}
