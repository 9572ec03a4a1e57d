// Moments at which something of this worker took long, by event, as Redis's LATENCY keeps them: the worst of each
// second, the last 160 seconds that had one; and how all workers' are told together.
import type { Bus } from "../bus.ts";
import { LATENCY_MOMENTS_MAX } from "../limits.ts";

/** What is watched: commands whose time grows with their work, those of constant time, the rest of the loop. */
const LATENCY_EVENTS = [
  "command",
  "fast-command",
  "expire-cycle",
  "eviction-cycle",
  "event-loop",
] as const;
export type LatencyEvent = typeof LATENCY_EVENTS[number];

export interface LatencyMoment {
  readonly atS: number;
  readonly ms: number;
}

/** One event's past, oldest moment first; `maxMs` is of all its time. */
export interface EventHistory {
  readonly event: LatencyEvent;
  readonly maxMs: number;
  readonly moments: readonly LatencyMoment[];
}

/** The bus's payload: events to be forgotten, in any case; null for none, and empty for all. */
export interface LatencyQuestion {
  readonly resets: readonly string[] | null;
}

export class LatencyEvents {
  readonly #histories = new Map<LatencyEvent, { maxMs: number; moments: LatencyMoment[] }>();

  /** `thresholdMs` is asked at each event, because it changes at run time; 0 is never. */
  constructor(readonly thresholdMs: () => number) {}

  /** Notes that `event` took `ms`, if that is long. */
  note(event: LatencyEvent, ms: number, nowMs: number): void {
    const threshold = this.thresholdMs();
    if (threshold === 0 || ms < threshold) return;
    const whole = Math.floor(ms), atS = Math.floor(nowMs / 1000);
    let history = this.#histories.get(event);
    if (history === undefined) this.#histories.set(event, history = { maxMs: 0, moments: [] });
    history.maxMs = Math.max(history.maxMs, whole);
    const last = history.moments.at(-1);
    if (last?.atS === atS) history.moments.pop();
    history.moments.push({ atS, ms: Math.max(whole, last?.atS === atS ? last.ms : 0) });
    if (history.moments.length > LATENCY_MOMENTS_MAX) history.moments.shift();
  }

  answer({ resets }: LatencyQuestion): EventHistory[] {
    const told = [...this.#histories].map(([event, each]) => ({
      event,
      maxMs: each.maxMs,
      moments: [...each.moments],
    }));
    if (resets === null) return told;
    const names = resets.map((name) => name.toLowerCase());
    const gone = told.filter(({ event }) => names.length === 0 || names.includes(event));
    for (const { event } of gone) this.#histories.delete(event);
    return gone;
  }
}

/** Has a worker answer for its own events. */
export function registerLatencyAnswers(bus: Bus, events: LatencyEvents): void {
  bus.answer("latency-events", (payload) => events.answer(payload as LatencyQuestion));
}

/** All workers' pasts as one: of each second the worst, the last LATENCY_MOMENTS_MAX seconds. */
export function mergeEvents(answers: readonly (readonly EventHistory[])[]): EventHistory[] {
  const merged = new Map<LatencyEvent, { maxMs: number; bySecond: Map<number, number> }>();
  for (const { event, maxMs, moments } of answers.flat()) {
    let each = merged.get(event);
    if (each === undefined) merged.set(event, each = { maxMs: 0, bySecond: new Map() });
    each.maxMs = Math.max(each.maxMs, maxMs);
    for (const { atS, ms } of moments) {
      each.bySecond.set(atS, Math.max(ms, each.bySecond.get(atS) ?? 0));
    }
  }
  return [...merged].map(([event, { maxMs, bySecond }]) => ({
    event,
    maxMs,
    moments: [...bySecond].map(([atS, ms]) => ({ atS, ms }))
      .sort((a, b) => a.atS - b.atS).slice(-LATENCY_MOMENTS_MAX),
  }));
}
