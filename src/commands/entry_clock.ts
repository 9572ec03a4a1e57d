// What the access clock of an entry tells under the policy that holds: when it was used last, or how often.
import { BY_RECENCY, clockKindOf } from "../eviction_policies.ts";
import { accessStamp, countAt, stampWithCount } from "../store/store.ts";
import type { CommandContext } from "./context.ts";

/** Seconds since the entry that was found last was read or written, where clocks tell that. */
export function idleS(c: CommandContext): number {
  const cell = c.store.accessClockOf(c.shard);
  // Where the lowest bit tells something else, the tick is that of the pair that has begun.
  const tick = clockKind(c) === BY_RECENCY ? cell : cell & ~1;
  return c.store.accessClock.idleS(tick, c.nowMs);
}

/** How often it was used, as a logarithm of 0 to 255, where clocks tell that. */
export function useCount(c: CommandContext): number {
  return countAt(c.store.accessClockOf(c.shard), c.accessClock);
}

/** What the clocks of entries tell: one of BY_RECENCY and the like. */
export function clockKind({ services: { settings } }: CommandContext): number {
  return clockKindOf(settings.evictionPolicy, settings.isAdmitting);
}

/** The stamp of an entry that was idle for so long, and used so often (0 to 255, −1: like a new one). */
export function stampBefore(c: CommandContext, idleS: number, useCount: number): number {
  const tick = c.store.accessClock.tickBefore(idleS, c.nowMs);
  const stamp = accessStamp(clockKind(c), tick, false);
  return useCount < 0 ? stamp : stampWithCount(stamp, useCount);
}
