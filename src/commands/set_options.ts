// The options of SET, in any order; it reads arguments and changes nothing.
import { COMPARISON_TOO_LONG, invalidExpire, NOT_AN_INTEGER, SYNTAX } from "../errors.ts";
import { COMPARE_BYTES_MAX } from "../limits.ts";
import type { CommandContext } from "./context.ts";
import { EX, EXAT, OUT_OF_RANGE, PX, PXAT, readMoment, type TimeForm } from "./moments.ts";

/** Filled by `readSetOptions()`; one per worker, so that SET allocates nothing. */
export interface SetOptions {
  onlyAbsent: boolean;
  onlyPresent: boolean;
  keepsExpiry: boolean;
  repliesOld: boolean;
  /** The argument that the value has to equal if anything is to change, 0 for none. */
  equalIndex: number;
  /** 0 for never. A moment that is past is taken as it is. */
  expiresAtMs: number;
}

/** Reads the options from argument `from` on; false if they are wrong, and then the error is the reply. */
export function readSetOptions(c: CommandContext, from: number, options: SetOptions): boolean {
  options.onlyAbsent =
    options.onlyPresent =
    options.keepsExpiry =
    options.repliesOld =
      false;
  options.expiresAtMs = 0;
  options.equalIndex = 0;
  let form: TimeForm | null = null, timeIndex = 0;
  for (let i = from; i < c.argCount; i++) {
    const asked = timeForm(c, i);
    if (asked !== null) {
      // The same option may come twice, and the last one counts; two different ones contradict each other.
      if (options.keepsExpiry || (form !== null && form !== asked) || i + 1 === c.argCount) {
        return failed(c, SYNTAX);
      }
      form = asked;
      timeIndex = ++i;
    } else if (c.argIs(i, "NX") && !options.onlyPresent && options.equalIndex === 0) {
      options.onlyAbsent = true;
    } else if (c.argIs(i, "XX") && !options.onlyAbsent && options.equalIndex === 0) {
      options.onlyPresent = true;
    } else if (c.argIs(i, "IFEQ") && isComparison(c, i, options)) options.equalIndex = ++i;
    else if (c.argIs(i, "GET")) options.repliesOld = true;
    else if (c.argIs(i, "KEEPTTL") && form === null) options.keepsExpiry = true;
    else return failed(c, SYNTAX);
  }
  if (options.equalIndex !== 0 && c.argLength(options.equalIndex) > COMPARE_BYTES_MAX) {
    return failed(c, COMPARISON_TOO_LONG);
  }
  if (form === null) return true;
  options.expiresAtMs = readExpiry(c, timeIndex, form, "set");
  return options.expiresAtMs !== 0;
}

/** Whether IFEQ at argument `index` has its value, and stands alone among the conditions. */
function isComparison(c: CommandContext, index: number, options: SetOptions): boolean {
  return index + 1 < c.argCount && !options.onlyAbsent && !options.onlyPresent &&
    options.equalIndex === 0;
}

/**
 * The moment at which what is stored now shall expire; 0 if the argument is wrong, and then the error is the
 * reply. Unlike EXPIRE, a time to live has to be above 0 here.
 */
export function readExpiry(
  c: CommandContext,
  index: number,
  form: TimeForm,
  name: string,
): number {
  const moment = readMoment(c, index, form);
  const given = form.isRelative ? moment - c.nowMs : moment;
  if (moment > 0 && given > 0 && moment !== OUT_OF_RANGE) {
    return form.isRelative ? c.spreadExpiry(moment) : moment;
  }
  c.reply.error(moment !== moment ? NOT_AN_INTEGER : invalidExpire(name));
  return 0;
}

/** The time that the option at argument `index` gives, null if it is another option. */
export function timeForm(c: CommandContext, index: number): TimeForm | null {
  const bytes = c.argEnd(index) - c.argStart(index);
  if (bytes === 2) return c.argIs(index, "EX") ? EX : c.argIs(index, "PX") ? PX : null;
  if (bytes === 4) return c.argIs(index, "EXAT") ? EXAT : c.argIs(index, "PXAT") ? PXAT : null;
  return null;
}

function failed(c: CommandContext, text: string): boolean {
  c.reply.error(text);
  return false;
}
