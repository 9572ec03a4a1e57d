// HINCRBY and HINCRBYFLOAT: numbers in fields of hashes, with the range and the digits that Redis gives them.
import {
  FIELD_NOT_A_FLOAT,
  FIELD_NOT_AN_INTEGER,
  INFINITE_INCREMENT,
  NO_OVERFLOW,
  NOT_A_FLOAT,
  NOT_FINITE,
} from "../errors.ts";
import {
  addLongDoubles,
  formatLongDouble,
  INFINITE,
  LONG_DOUBLE_ZERO,
  parseLongDoubleBytes,
} from "../long_double.ts";
import {
  INT64_MAX,
  INT64_MIN,
  INTEGER_BYTES_MAX,
  parseBigInteger,
  writeBigInteger,
  writeInteger,
} from "../number_format.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { KEEP_EXPIRY } from "./hash_access.ts";
import { ONE_KEY } from "./row_parts.ts";

const digits = new Uint8Array(INTEGER_BYTES_MAX + 12);

/** HINCRBY key field increment; sums within 2^53 take no allocation but a view. */
function hincrby(c: CommandContext): void {
  const increment = c.argInteger(3);
  const given = increment === increment
    ? null
    : parseBigInteger(c.bytes, c.argStart(3), c.argEnd(3));
  if (increment !== increment && given === null) return c.failNotInteger();
  const { hash } = c, found = hash.findForChange(1);
  if (found < 0) return;
  const isThere = found !== 0 && hash.findField(2);
  const sum = (isThere ? hash.valueInteger() : 0) + increment;
  // What is beyond 2^53, or no number at all.
  if (!Number.isSafeInteger(sum)) return addBig(c, isThere, given ?? BigInt(increment));
  if (store(c, digits.subarray(0, writeInteger(digits, 0, sum)))) c.reply.integer(sum);
}

function addBig(c: CommandContext, isThere: boolean, increment: bigint): void {
  let old: bigint | null = 0n;
  if (isThere) {
    const value = c.hash.valueBytes > INTEGER_BYTES_MAX ? null : c.hash.valueCopy();
    old = value === null ? null : parseBigInteger(value, 0, value.length);
  }
  if (old === null) return c.reply.error(FIELD_NOT_AN_INTEGER);
  const sum = old + increment;
  if (sum < INT64_MIN || sum > INT64_MAX) return c.reply.error(NO_OVERFLOW);
  if (store(c, digits.subarray(0, writeBigInteger(digits, 0, sum)))) c.reply.bigInteger(sum);
}

/** HINCRBYFLOAT key field increment */
function hincrbyfloat(c: CommandContext): void {
  const increment = parseLongDoubleBytes(c.argBytes(3));
  if (increment === null) return c.reply.error(NOT_A_FLOAT);
  if (increment === INFINITE) return c.reply.error(INFINITE_INCREMENT);
  const { hash } = c, found = hash.findForChange(1);
  if (found < 0) return;
  const isThere = found !== 0 && hash.findField(2);
  const old = isThere ? parseLongDoubleBytes(hash.valueCopy()) : LONG_DOUBLE_ZERO;
  if (old === null) return c.reply.error(FIELD_NOT_A_FLOAT);
  const sum = old === INFINITE ? INFINITE : addLongDoubles(old, increment);
  if (sum === INFINITE) return c.reply.error(NOT_FINITE);
  const text = encoder.encode(formatLongDouble(sum));
  if (store(c, text)) c.reply.bulk(text, 0, text.length);
}

/** False: no memory, return without reply. */
function store(c: CommandContext, value: Uint8Array): boolean {
  const created = c.hash.setBytes(1, 2, value, KEEP_EXPIRY);
  c.hash.commit(1);
  return created >= 0;
}

const encoder = new TextEncoder();

const CHANGE = {
  kind: R.CHANGE,
  flags: R.DENY_OOM,
  group: "hash",
  loadsAhead: R.ONE_FIELD,
  ...ONE_KEY,
} as const;

export const HASH_COUNTER_ROWS: readonly CommandRow[] = [
  {
    ...CHANGE,
    name: "hincrby",
    arity: 4,
    since: "2.0.0",
    summary: "Add to the number in a field",
    run: hincrby,
  },
  {
    ...CHANGE,
    name: "hincrbyfloat",
    arity: 4,
    since: "2.6.0",
    summary: "Add a fraction to the number in a field",
    run: hincrbyfloat,
  },
];
