// The times that commands take, as moments in ms since 1970; it decides nothing about entries.
import { INT64_MAX, INT64_MIN, parseBigInteger } from "../number_format.ts";
import type { CommandContext } from "./context.ts";

const SECONDS_MAX = INT64_MAX / 1000n;
const SECONDS_MIN = INT64_MIN / 1000n;
/** Below 2^53 by so much that a moment made of it stays exact; larger ones go the long way. */
const EXACT_MAX = 2 ** 42;

/** How a time was given. */
export interface TimeForm {
  readonly isSeconds: boolean;
  /** Counted from now, or a moment already. */
  readonly isRelative: boolean;
}

export const EX: TimeForm = { isSeconds: true, isRelative: true };
export const PX: TimeForm = { isSeconds: false, isRelative: true };
export const EXAT: TimeForm = { isSeconds: true, isRelative: false };
export const PXAT: TimeForm = { isSeconds: false, isRelative: false };

/** What `readMoment()` gives for an argument that is no integer, and for one that is out of range. */
export const NO_INTEGER = NaN;
export const OUT_OF_RANGE = Infinity;

/**
 * The moment that argument `index` means, in ms since 1970; NO_INTEGER or OUT_OF_RANGE if it means none, by the
 * limits of a signed 64-bit number of ms, as in Redis. Moments after the year 287396 are exact to about 1 s.
 */
export function readMoment(c: CommandContext, index: number, form: TimeForm): number {
  const small = c.argInteger(index);
  if (small < EXACT_MAX && small > -EXACT_MAX) {
    const ms = form.isSeconds ? small * 1000 : small;
    return form.isRelative ? c.nowMs + ms : ms;
  }
  const given = parseBigInteger(c.bytes, c.argStart(index), c.argEnd(index));
  if (given === null) return NO_INTEGER;
  if (form.isSeconds && (given > SECONDS_MAX || given < SECONDS_MIN)) return OUT_OF_RANGE;
  const ms = form.isSeconds ? given * 1000n : given;
  const moment = form.isRelative ? ms + BigInt(Math.floor(c.nowMs)) : ms;
  return moment > INT64_MAX ? OUT_OF_RANGE : Number(moment);
}
