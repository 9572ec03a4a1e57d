// Removes what has expired before anybody asks for it: slices of work between a worker's commands.
//
// Each shard has one worker that sweeps it. Not the keeper: that thread is there only where a log is kept, stands
// still while it makes a snapshot, and would take locks against all workers, while a slice here never meets a command
// of its own worker. The effort follows the load: nothing is looked at before the earliest moment that the index of
// expiry knows; a worker without commands sweeps at full speed; one with commands gives a part of its time, more of
// it where the sweep has fallen behind or memory is short. It takes that where the worker has nothing else to do: after
// a batch that was answered the sockets are looked at, and if that brings no other, there is time for a slice.
import {
  EXPIRY_BEHIND_MS,
  EXPIRY_IDLE_MS,
  EXPIRY_LOOK_MS,
  EXPIRY_LOOK_MS_MIN,
  EXPIRY_MEMORY_SHORT,
  EXPIRY_PART_BASE,
  EXPIRY_PART_MAX,
  EXPIRY_PART_PER_EFFORT,
  EXPIRY_REST_MS,
  EXPIRY_SLICE_BUSY_MS_MAX,
  EXPIRY_SLICE_MS_MAX,
  EXPIRY_SLICE_MS_MIN,
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
  /** Calls back once, when the worker's sockets were looked at and what they had waiting was served. */
  readonly onTurnEnd: (callback: () => void) => void;
  /** Told how long each slice took. */
  readonly onSlice: (tookMs: number) => void;
}

/** Sweeps by a timer until the function that it gives is called. */
export function startSweeping(sweeper: ExpirySweeper): () => void {
  let timer = setTimeout(function next(): void {
    timer = setTimeout(next, sweeper.slice());
  }, EXPIRY_LOOK_MS);
  return () => clearTimeout(timer);
}

export class ExpirySweeper {
  /** Something is left, and commands come: `runBetween()` is to be called after each batch. */
  isWaiting = false;

  readonly #parts: SweeperParts;
  readonly #shards: readonly Shard[];
  /** Where the next slice begins. */
  #shard = 0;
  /** The worker's commands by then, and when a look last found that some had come. */
  #commands = 0;
  #busyAtMs = -Infinity;
  #lateMsMax = 0;
  #windowFromMs = 0;
  /** While something is left and commands come: the next slice begins no sooner, and no later if it can be helped. */
  #nextAtMs = 0;
  #latestAtMs = 0;
  /** Whether `#onTurnEnd()` is to be called; the worker's commands when the turn began. */
  #isAsked = false;
  #turnCommands = 0;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
    this.#shards = parts.store.shards.filter(({ number }) =>
      number % parts.workerCount === parts.workerIndex
    );
  }

  /** A batch has been answered: sees to it that a slice is done soon, if it is time for one. */
  runBetween(): void {
    if (this.#isAsked || this.#parts.elapsedMs() < this.#nextAtMs) return;
    this.#isAsked = true;
    this.#turnCommands = this.#parts.counters[COUNTER.commands];
    this.#parts.onTurnEnd(this.#onTurnEnd);
  }

  /** The sockets were looked at: a slice if that brought no command, or if each look has brought some for long. */
  readonly #onTurnEnd = (): void => {
    const { counters, elapsedMs, onTurnEnd } = this.#parts;
    const commands = counters[COUNTER.commands], isIdle = commands === this.#turnCommands;
    this.#turnCommands = commands;
    this.#isAsked = this.isWaiting && this.#isOn;
    if (!this.#isAsked) return;
    if (!isIdle && elapsedMs() < this.#latestAtMs) return onTurnEnd(this.#onTurnEnd);
    this.#isAsked = false;
    this.#run(false);
  };

  /** Does one slice of work, if it is time for one; gives the time until the next call, in ms. */
  slice(): number {
    const { counters, nowMs, elapsedMs } = this.#parts;
    const commands = counters[COUNTER.commands], beganMs = elapsedMs();
    if (commands !== this.#commands) {
      this.#commands = commands;
      this.#busyAtMs = beganMs;
    }
    if (!this.#isOn) {
      this.isWaiting = false;
      return EXPIRY_LOOK_MS;
    }
    const isIdle = beganMs - this.#busyAtMs >= EXPIRY_IDLE_MS;
    if (this.isWaiting && !isIdle && beganMs < this.#latestAtMs) return EXPIRY_REST_MS;
    if (!this.#run(isIdle)) return this.#untilNext(nowMs());
    return isIdle ? 0 : EXPIRY_REST_MS;
  }

  /** While the log is loaded nothing may go: a later effect may say that it lives on. */
  get #isOn(): boolean {
    const { settings } = this.#parts;
    return settings.isActiveExpire && settings.state !== ProcessState.STARTING;
  }

  /** One slice; gives whether something is left. */
  #run(isIdle: boolean): boolean {
    const { counters, nowMs, elapsedMs, onSlice } = this.#parts;
    const atMs = nowMs(), beganMs = elapsedMs();
    // For one millisecond of work so many of rest.
    const rest = isIdle ? 0 : 1 / this.#part(atMs) - 1;
    const sliceMs = isIdle ? EXPIRY_SLICE_MS_MAX : this.#busyMs(beganMs, rest);
    const isLeft = this.#sweep(atMs, beganMs + sliceMs);
    const endedMs = elapsedMs(), tookMs = endedMs - beganMs;
    this.#tellLateness(atMs);
    counters[COUNTER.expirySweepMs] += tookMs;
    onSlice(tookMs);
    if (isLeft) counters[COUNTER.expirySlicesCut]++;
    this.isWaiting = isLeft;
    // What took far longer did not have the processor all the time: that is not held against it.
    const restMs = Math.min(tookMs, sliceMs + EXPIRY_SLICE_MS_MIN) * rest;
    this.#nextAtMs = endedMs + restMs;
    this.#latestAtMs = this.#nextAtMs + restMs;
    return isLeft;
  }

  /** How long a slice may take while commands come: longer the later it comes. */
  #busyMs(nowMs: number, rest: number): number {
    const lateMs = this.isWaiting ? nowMs - this.#nextAtMs : 0;
    return Math.min(EXPIRY_SLICE_BUSY_MS_MAX, EXPIRY_SLICE_MS_MIN + Math.max(0, lateMs) / rest);
  }

  /** Removes what has expired at `nowMs`, until the clock shows `endMs`, a little at least; gives whether more may be left. */
  #sweep(nowMs: number, endMs: number): boolean {
    const { store, elapsedMs } = this.#parts, shards = this.#shards;
    for (let done = 0; done < shards.length; done++) {
      const shard = shards[this.#shard];
      while (store.isDue(shard, nowMs)) {
        store.sweep(shard, EXPIRY_SWEEP_ENTRIES, nowMs);
        if (shard.lateMs > this.#lateMsMax) this.#lateMsMax = shard.lateMs;
        if (elapsedMs() >= endMs) return true;
      }
      this.#shard = (this.#shard + 1) % shards.length;
    }
    return false;
  }

  /** The part of the worker's time that goes into the sweep while commands come, from 0 to 1. */
  #part(nowMs: number): number {
    const { store, settings } = this.#parts;
    let part = EXPIRY_PART_BASE + EXPIRY_PART_PER_EFFORT * settings.activeExpireEffort;
    part *= 2 ** Math.max(0, Math.floor((nowMs - this.#earliestMs()) / EXPIRY_BEHIND_MS));
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
