// Commands for parts of strings, and INCRBYFLOAT; they know no lock and no protocol.
import { NOT_A_FLOAT, NOT_FINITE, OFFSET_OUT_OF_RANGE, STRING_TOO_LONG } from "../errors.ts";
import {
  addLongDoubles,
  formatLongDouble,
  INFINITE,
  LONG_DOUBLE_ZERO,
  parseLongDoubleBytes,
} from "../long_double.ts";
import { parseBigInteger } from "../number_format.ts";
import { fillPieces } from "../piecewise_bytes.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { ONE_KEY } from "./row_parts.ts";

const EMPTY = new Uint8Array(0);
/** Longer texts are no numbers. */
const FLOAT_BYTES_MAX = 5_120;
/** Beyond every length, and exact: where larger positions are cut. */
const POSITION_MAX = 2 ** 52;

/** A position of up to 64 bits, cut to ±2^52; NaN if the argument is no integer. */
export function argPosition(c: CommandContext, index: number): number {
  const small = c.argInteger(index);
  if (small === small) return Math.max(-POSITION_MAX, Math.min(POSITION_MAX, small));
  const given = parseBigInteger(c.bytes, c.argStart(index), c.argEnd(index));
  return given === null ? NaN : given < 0n ? -POSITION_MAX : POSITION_MAX;
}

/** GETRANGE key start end, SUBSTR key start end; positions below 0 count from the end. */
function getrange(c: CommandContext): void {
  const start = argPosition(c, 2), end = argPosition(c, 3);
  if (start !== start || end !== end) return c.failNotInteger();
  if (c.find(1) === 0) return c.reply.bulk(EMPTY, 0, 0);
  if (!c.requireString()) return;
  const length = c.openRead();
  if (length < 0) return;
  if (start < 0 && end < 0 && start > end) return c.reply.bulk(EMPTY, 0, 0);
  const from = start < 0 ? Math.max(0, length + start) : start;
  const to = Math.min(length, (end < 0 ? Math.max(0, length + end) : end) + 1);
  if (from >= to) c.reply.bulk(EMPTY, 0, 0);
  else c.replyRange(from, to);
}

/** SETRANGE key offset value */
function setrange(c: CommandContext): void {
  const offset = argPosition(c, 2), added = c.argLength(3);
  if (offset !== offset) return c.failNotInteger();
  if (offset < 0) return c.reply.error(OFFSET_OUT_OF_RANGE);
  const isThere = c.findForChange(1) !== 0;
  if (isThere && !c.requireString()) return;
  if (added === 0) return c.reply.integer(isThere ? c.valueBytes : 0);
  if (offset + added > c.services.settings.valueBytesMax) return c.reply.error(STRING_TOO_LONG);
  if (!c.openString(1, offset + added)) return;
  fillPieces(c, offset, c.argBytes(3));
  c.changed(1, offset, offset + added);
  c.reply.integer(c.valueBytes);
}

/** INCRBYFLOAT key increment; with the digits that x86-64's long double gives, as Redis has them. */
function incrbyfloat(c: CommandContext): void {
  let old = LONG_DOUBLE_ZERO, expiresAtMs = 0;
  if (c.findForChange(1) !== 0) {
    if (!c.requireString() || c.openRead() < 0) return;
    const read = c.valueBytes < FLOAT_BYTES_MAX ? parseLongDoubleBytes(c.valueCopy()) : null;
    if (read === null) return c.reply.error(NOT_A_FLOAT);
    if (read === INFINITE) return c.reply.error(NOT_FINITE);
    old = read;
    expiresAtMs = c.expiresAtMs;
  } else expiresAtMs = c.openExpiry(1);
  const increment = parseLongDoubleBytes(c.argBytes(2));
  if (increment === null) return c.reply.error(NOT_A_FLOAT);
  const sum = increment === INFINITE ? INFINITE : addLongDoubles(old, increment);
  if (sum === INFINITE) return c.reply.error(NOT_FINITE);
  const digits = encoder.encode(formatLongDouble(sum));
  if (c.putBytes(1, digits, expiresAtMs)) c.reply.bulk(digits, 0, digits.length);
}

const encoder = new TextEncoder();

const READ = { kind: R.READ, flags: 0, group: "string", ...ONE_KEY } as const;
const CHANGE = { kind: R.CHANGE, flags: R.DENY_OOM, group: "string", ...ONE_KEY } as const;

export const STRING_RANGE_ROWS: readonly CommandRow[] = [
  {
    ...READ,
    name: "getrange",
    arity: 4,
    since: "2.4.0",
    summary: "Get a part of the value of a key",
    run: getrange,
  },
  {
    ...READ,
    name: "substr",
    arity: 4,
    since: "1.0.0",
    summary: "Get a part of the value of a key; the older name of GETRANGE",
    run: getrange,
  },
  {
    ...CHANGE,
    name: "setrange",
    arity: 4,
    since: "2.2.0",
    summary:
      "Overwrite a part of the value of a key, with zeros before it where the value is shorter",
    run: setrange,
  },
  {
    ...CHANGE,
    name: "incrbyfloat",
    arity: 3,
    since: "2.6.0",
    summary: "Add a fraction to the number at a key",
    run: incrbyfloat,
  },
];
