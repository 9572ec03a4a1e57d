// Commands for the bits of strings; bit 0 is the highest of the first byte. They know no lock and no protocol.
import { BIT_ARGUMENT, BIT_OFFSET, BIT_VALUE, SYNTAX } from "../errors.ts";
import { countOnes, findBit } from "./bit_search.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { ONE_KEY } from "./row_parts.ts";
import { argPosition } from "./string_ranges.ts";
import { readAside } from "./value_reading.ts";

/** As in Redis: the bits of 512 MiB may be asked for, whatever the longest value is. */
const BIT_OFFSETS_MAX = 2 ** 32;

/** The bit offset that argument `index` means; −1 if it means none, and then the error is the reply. */
function readOffset(c: CommandContext, index: number, offsetsMax: number): number {
  const offset = c.argInteger(index);
  if (offset >= 0 && offset < offsetsMax) return offset;
  c.reply.error(BIT_OFFSET);
  return -1;
}

/** SETBIT key offset value */
function setbit(c: CommandContext): void {
  const offset = readOffset(c, 2, c.services.settings.valueBytesMax * 8);
  if (offset < 0) return;
  const bit = c.argInteger(3);
  if (bit !== 0 && bit !== 1) return c.reply.error(BIT_VALUE);
  const isThere = c.findForChange(1) !== 0;
  if (isThere && !c.requireString()) return;
  const at = Math.floor(offset / 8), mask = 128 >> offset % 8;
  const isLonger = !isThere || at >= c.valueBytes;
  if (!c.openString(1, at + 1)) return;
  const old = c.byteAt(at), byte = bit === 1 ? old | mask : old & ~mask;
  // As in Redis, a bit that is so already is no change, for the log and for those who watch.
  if (isLonger || byte !== old) {
    c.setByte(at, byte);
    c.changed(1, at, at + 1);
  }
  c.reply.integer((old & mask) === 0 ? 0 : 1);
}

/** GETBIT key offset */
function getbit(c: CommandContext): void {
  const offset = readOffset(c, 2, BIT_OFFSETS_MAX);
  if (offset < 0) return;
  if (c.find(1) === 0) return c.reply.integer(0);
  if (!c.requireString()) return;
  const length = c.openRead(), at = Math.floor(offset / 8);
  if (length < 0) return;
  if (at >= length) return c.reply.integer(0);
  c.reply.integer((c.byteAt(at) & (128 >> offset % 8)) === 0 ? 0 : 1);
}

/** First and last of a range; empty if the first is after the last. */
interface BitRange {
  first: number;
  last: number;
}

/** Start and end as Redis counts them, in units of which there are `total`. */
function clamped(start: number, end: number, total: number): BitRange {
  return {
    first: start < 0 ? Math.max(0, total + start) : start,
    last: Math.min(end < 0 ? Math.max(0, total + end) : end, total - 1),
  };
}

/** 8 for BYTE, 1 for BIT, 0 for another word. */
function bitsPerUnit(c: CommandContext, index: number): number {
  return c.argIs(index, "BIT") ? 1 : c.argIs(index, "BYTE") ? 8 : 0;
}

/** BITCOUNT key [start end [BYTE | BIT]] */
function bitcount(c: CommandContext): void {
  if (c.find(1) === 0) return c.reply.integer(0);
  if (!c.requireString()) return;
  if (c.argCount === 2) {
    return readAside(c, (v) => c.reply.integer(countOnes(v, 0, v.lengthBytes * 8)));
  }
  if (c.argCount !== 4 && c.argCount !== 5) return c.reply.error(SYNTAX);
  const start = argPosition(c, 2), end = argPosition(c, 3);
  if (start !== start || end !== end) return c.failNotInteger();
  if (start < 0 && end < 0 && start > end) return c.reply.integer(0);
  const unit = c.argCount === 5 ? bitsPerUnit(c, 4) : 8;
  if (unit === 0) return c.reply.error(SYNTAX);
  readAside(c, (value) => {
    const { first, last } = clamped(start, end, value.lengthBytes * 8 / unit);
    const ones = first > last ? 0 : countOnes(value, first * unit, (last + 1) * unit);
    c.reply.integer(ones);
  });
}

/** BITPOS key bit [start [end [BYTE | BIT]]] */
function bitpos(c: CommandContext): void {
  const wanted = argPosition(c, 2);
  if (wanted !== wanted) return c.failNotInteger();
  if (wanted !== 0 && wanted !== 1) return c.reply.error(BIT_ARGUMENT);
  if (c.find(1) === 0) return c.reply.integer(wanted === 1 ? -1 : 0);
  if (!c.requireString()) return;
  if (c.argCount > 6) return c.reply.error(SYNTAX);
  const start = c.argCount > 3 ? argPosition(c, 3) : 0;
  if (start !== start) return c.failNotInteger();
  const unit = c.argCount === 6 ? bitsPerUnit(c, 5) : 8;
  if (unit === 0) return c.reply.error(SYNTAX);
  const hasEnd = c.argCount > 4, end = hasEnd ? argPosition(c, 4) : -1;
  if (end !== end) return c.failNotInteger();
  readAside(c, (value) => {
    const { first, last } = clamped(start, end, value.lengthBytes * 8 / unit);
    if (first > last) return c.reply.integer(-1);
    const to = (last + 1) * unit, at = findBit(value, wanted, first * unit, to);
    // A string without an end given is followed by zeros.
    c.reply.integer(at >= 0 ? at : wanted === 0 && !hasEnd ? to : -1);
  });
}

const READ = { kind: R.READ, flags: 0, group: "bitmap", ...ONE_KEY } as const;

export const BIT_ROWS: readonly CommandRow[] = [
  {
    ...ONE_KEY,
    kind: R.CHANGE,
    flags: R.DENY_OOM,
    group: "bitmap",
    name: "setbit",
    arity: 4,
    since: "2.2.0",
    summary: "Set a bit of the value of a key, and get what it was",
    run: setbit,
  },
  {
    ...READ,
    name: "getbit",
    arity: 3,
    since: "2.2.0",
    summary: "Get a bit of the value of a key",
    run: getbit,
  },
  {
    ...READ,
    name: "bitcount",
    arity: -2,
    since: "2.6.0",
    summary: "Count the ones in the value of a key, or in a part of it",
    run: bitcount,
  },
  {
    ...READ,
    name: "bitpos",
    arity: -3,
    since: "2.8.7",
    summary: "Find the first one or zero in the value of a key, or in a part of it",
    run: bitpos,
  },
];
