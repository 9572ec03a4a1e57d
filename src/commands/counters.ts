// Commands that count: INCR and its kin, over the whole range of signed 64-bit numbers.
import { DECREMENT_OVERFLOW, NO_OVERFLOW } from "../errors.ts";
import {
  INT64_MAX,
  INT64_MIN,
  INTEGER_BYTES_MAX,
  parseBigInteger,
  writeBigInteger,
} from "../number_format.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { ONE_KEY } from "./row_parts.ts";

/** INCR key, DECR key */
function addOne(sign: 1 | -1): (c: CommandContext) => void {
  return (c) => add(c, sign);
}

/** INCRBY key increment, DECRBY key decrement */
function addArgument(sign: 1 | -1): (c: CommandContext) => void {
  return (c) => {
    const small = c.argInteger(2);
    // 0 less it, because a −0 would be stored with its sign.
    if (small === small) return add(c, sign === 1 ? small : 0 - small);
    const given = parseBigInteger(c.bytes, c.argStart(2), c.argEnd(2));
    if (given === null) c.failNotInteger();
    else if (sign === -1 && given === INT64_MIN) c.reply.error(DECREMENT_OVERFLOW);
    else if (c.findForChange(1) === 0 || c.requireString()) addBig(c, sign === 1 ? given : -given);
  };
}

/** Sums within 2^53 take no allocation. */
function add(c: CommandContext, delta: number): void {
  let old = 0, expiresAtMs = 0;
  if (c.findForChange(1) !== 0) {
    if (!c.requireString()) return;
    old = c.valueInteger();
    expiresAtMs = c.expiresAtMs;
  } else expiresAtMs = c.openExpiry(1);
  const sum = old + delta;
  if (!Number.isSafeInteger(sum)) addBig(c, BigInt(delta));
  else if (c.putInteger(1, sum, expiresAtMs)) c.reply.integer(sum);
}

/** Adds to what `findForChange()` found, a string or nothing. */
function addBig(c: CommandContext, delta: bigint): void {
  let old: bigint | null = 0n, expiresAtMs = 0;
  if (c.ref !== 0) {
    old = valueBigInteger(c);
    expiresAtMs = c.expiresAtMs;
  } else expiresAtMs = c.openExpiry(1);
  if (old === null) return c.failNotInteger();
  const sum = old + delta;
  if (sum < INT64_MIN || sum > INT64_MAX) return c.reply.error(NO_OVERFLOW);
  const digits = new Uint8Array(INTEGER_BYTES_MAX);
  const count = writeBigInteger(digits, 0, sum);
  if (c.putShort(1, digits.subarray(0, count), expiresAtMs)) c.reply.bigInteger(sum);
}

function valueBigInteger(c: CommandContext): bigint | null {
  if (c.valueBytes > INTEGER_BYTES_MAX) return null;
  const value = c.valueCopy();
  return parseBigInteger(value, 0, value.length);
}

const COUNTER = { kind: R.CHANGE, flags: R.DENY_OOM, group: "string", ...ONE_KEY } as const;

export const COUNTER_ROWS: readonly CommandRow[] = [
  {
    ...COUNTER,
    name: "incr",
    arity: 2,
    since: "1.0.0",
    summary: "Add one to the number at a key",
    run: addOne(1),
  },
  {
    ...COUNTER,
    name: "decr",
    arity: 2,
    since: "1.0.0",
    summary: "Take one off the number at a key",
    run: addOne(-1),
  },
  {
    ...COUNTER,
    name: "incrby",
    arity: 3,
    since: "1.0.0",
    summary: "Add to the number at a key",
    run: addArgument(1),
  },
  {
    ...COUNTER,
    name: "decrby",
    arity: 3,
    since: "1.0.0",
    summary: "Take off the number at a key",
    run: addArgument(-1),
  },
];
