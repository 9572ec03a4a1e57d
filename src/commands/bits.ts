// Commands for the bits of strings; bit 0 is the highest of the first byte. They know no lock and no protocol.
import {
  BIT_ARGUMENT,
  BIT_OFFSET,
  BIT_VALUE,
  BITOP_NOT_KEYS,
  STRING_TOO_LONG,
  SYNTAX,
  WRONG_TYPE,
} from "../errors.ts";
import { INLINE_VALUE_BYTES_MAX, TYPE_STRING } from "../store/store.ts";
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
  if (c.findForChange(1) !== 0 && !c.requireString()) return;
  const at = Math.floor(offset / 8), mask = 128 >> offset % 8;
  if (!c.openString(1, at + 1)) return;
  const old = c.byteAt(at);
  c.setByte(at, bit === 1 ? old | mask : old & ~mask);
  c.changed(1);
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

/** Bytes of a large result that are made at a time. */
const COMBINED_BYTES_MAX = 65_536;

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

type Operation = (a: number, b: number) => number;
const OPERATIONS: readonly (readonly [string, Operation])[] = [
  ["AND", (a, b) => a & b],
  ["OR", (a, b) => a | b],
  ["XOR", (a, b) => a ^ b],
];

/** BITOP AND | OR | XOR | NOT destkey key [key ...] */
function bitop(c: CommandContext): void {
  const isNot = c.argIs(1, "NOT");
  const operation = OPERATIONS.find(([name]) => c.argIs(1, name))?.[1];
  if (operation === undefined && !isNot) return c.reply.error(SYNTAX);
  if (isNot && c.argCount !== 4) return c.reply.error(BITOP_NOT_KEYS);
  let length = 0;
  for (let i = 3; i < c.argCount; i++) {
    if (c.findForChange(i) === 0) continue;
    if (c.type !== TYPE_STRING) return c.reply.error(WRONG_TYPE);
    length = Math.max(length, c.valueBytes);
  }
  if (length > c.services.settings.valueBytesMax) return c.reply.error(STRING_TOO_LONG);
  if (length === 0) {
    if (c.findForChange(2) !== 0) c.remove(2);
    return c.reply.integer(0);
  }
  if (length <= INLINE_VALUE_BYTES_MAX) {
    const result = new Uint8Array(length);
    combine(c, operation ?? null, result, 0);
    if (c.putBytes(2, result, 0)) c.reply.integer(length);
    return;
  }
  const block = c.freshBlock(2, length);
  if (block === null) return;
  for (let at = 0; at < length;) {
    const piece = block.piece(at, COMBINED_BYTES_MAX);
    combine(c, operation ?? null, piece, at);
    at += piece.length;
  }
  if (c.putFresh(2)) c.reply.integer(length);
}

/** Fills `target` with what the sources' bytes from `from` on come to; null: the opposite of the only one. */
function combine(
  c: CommandContext,
  operation: Operation | null,
  target: Uint8Array,
  from: number,
): void {
  for (let i = 3; i < c.argCount; i++) {
    const length = c.findForChange(i) === 0 ? 0 : c.valueBytes;
    let done = 0;
    while (done < target.length && from + done < length) {
      const piece = c.piece(from + done, target.length - done);
      if (i === 3) target.set(piece, done);
      else {
        for (let at = 0; at < piece.length; at++) {
          target[done + at] = operation!(target[done + at], piece[at]);
        }
      }
      done += piece.length;
    }
    // A shorter source is zeros from its end on.
    if (i === 3) target.fill(0, done);
    else for (; done < target.length; done++) target[done] = operation!(target[done], 0);
  }
  if (operation === null) { for (let at = 0; at < target.length; at++) target[at] = ~target[at]; }
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
  {
    name: "bitop",
    arity: -4,
    kind: R.CHANGE_ALL,
    flags: R.DENY_OOM | R.SLOW,
    firstKey: 2,
    lastKey: -1,
    keyStep: 1,
    valueArgument: 0,
    group: "bitmap",
    since: "2.6.0",
    summary: "Combine the bits of several values and store what comes out",
    run: bitop,
  },
];
