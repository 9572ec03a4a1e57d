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
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { ONE_KEY } from "./row_parts.ts";
import { argPosition } from "./string_ranges.ts";

/** Ones in each byte. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});

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

/** First and last bit that BITCOUNT and BITPOS look at; none if the last is before the first. */
interface BitRange {
  first: number;
  last: number;
  isEndGiven: boolean;
}

/** Bytes of a large result that are made at a time. */
const COMBINED_BYTES_MAX = 65_536;

const range: BitRange = { first: 0, last: -1, isEndGiven: false };

/** Whether the unit at argument `index`, if it is there, counts bits; null if it is wrong. */
function readUnit(c: CommandContext, index: number): boolean | null {
  if (c.argCount <= index || c.argIs(index, "BYTE")) return false;
  return c.argIs(index, "BIT") ? true : null;
}

/** Fills `range` for a string of `length` bytes from positions that may count from its end. */
function setRange(length: number, start: number, end: number, isBits: boolean): void {
  const units = isBits ? length * 8 : length;
  range.first = 0;
  range.last = -1;
  const from = start < 0 ? Math.max(0, units + start) : start;
  const to = Math.min(units - 1, end < 0 ? Math.max(0, units + end) : end);
  if (from > to) return;
  range.first = isBits ? from : from * 8;
  range.last = isBits ? to : to * 8 + 7;
}

/** BITCOUNT key [start end [BYTE | BIT]] */
function bitcount(c: CommandContext): void {
  // As in Redis, a key that is not there is answered before its range is looked at.
  if (c.find(1) === 0) return c.reply.integer(0);
  if (!c.requireString()) return;
  let start = 0, end = -1, isBits: boolean | null = false;
  if (c.argCount === 4 || c.argCount === 5) {
    start = argPosition(c, 2);
    end = argPosition(c, 3);
    if (start !== start || end !== end) return c.failNotInteger();
    if (start < 0 && end < 0 && start > end) return c.reply.integer(0);
    isBits = readUnit(c, 4);
  } else if (c.argCount !== 2) isBits = null;
  if (isBits === null) return c.reply.error(SYNTAX);
  const length = c.openRead();
  if (length < 0) return;
  setRange(length, start, end, isBits);
  c.reply.integer(range.last < range.first ? 0 : countOnes(c, range.first, range.last));
}

function countOnes(c: CommandContext, first: number, last: number): number {
  const to = Math.floor(last / 8);
  let count = 0;
  for (let at = Math.floor(first / 8); at <= to;) {
    const piece = c.piece(at, to + 1 - at);
    if (piece.length === 0) break; // torn: runs again
    for (let i = 0; i < piece.length; i++) count += ONES[piece[i]];
    at += piece.length;
  }
  // Less the bits of the first and the last byte that lie outside.
  const head = first % 8, tail = 7 - last % 8;
  if (head > 0) count -= ONES[c.byteAt(Math.floor(first / 8)) >> (8 - head)];
  if (tail > 0) count -= ONES[c.byteAt(to) & ((1 << tail) - 1)];
  return count;
}

/** BITPOS key bit [start [end [BYTE | BIT]]] */
function bitpos(c: CommandContext): void {
  const bit = c.argInteger(2);
  if (bit !== bit) return c.failNotInteger();
  if (bit !== 0 && bit !== 1) return c.reply.error(BIT_ARGUMENT);
  if (c.find(1) === 0) return c.reply.integer(bit === 1 ? -1 : 0);
  if (!c.requireString()) return;
  if (c.argCount > 6) return c.reply.error(SYNTAX);
  let start = 0, end = -1;
  if (c.argCount > 3) {
    start = argPosition(c, 3);
    if (start !== start) return c.failNotInteger();
  }
  const isBits = readUnit(c, 5);
  if (isBits === null) return c.reply.error(SYNTAX);
  range.isEndGiven = c.argCount > 4;
  if (range.isEndGiven) {
    end = argPosition(c, 4);
    if (end !== end) return c.failNotInteger();
  }
  const length = c.openRead();
  if (length < 0) return;
  setRange(length, start, end, isBits);
  if (range.last < range.first) return c.reply.integer(-1);
  const found = firstBit(c, bit, range.first, range.last);
  // Zeros go on behind the value, but not behind an end that was asked for.
  c.reply.integer(found < 0 && bit === 0 && !range.isEndGiven ? length * 8 : found);
}

/** Number of the first bit within [first, last] that is `bit`, −1 if there is none. */
function firstBit(c: CommandContext, bit: number, first: number, last: number): number {
  const to = Math.floor(last / 8), none = bit === 1 ? 0 : 255;
  let isFirst = true;
  for (let at = Math.floor(first / 8); at <= to;) {
    const piece = c.piece(at, to + 1 - at);
    if (piece.length === 0) break; // torn: runs again
    for (let i = 0; i < piece.length; i++, isFirst = false) {
      let byte = piece[i];
      // Bits before the first count as ones that are not sought.
      if (isFirst && first % 8 > 0) {
        const head = (0xff00 >> first % 8) & 0xff;
        byte = bit === 1 ? byte & ~head : byte | head;
      }
      if (byte === none) continue;
      const found = (at + i) * 8 + Math.clz32(bit === 1 ? byte : ~byte & 0xff) - 24;
      return found > last ? -1 : found;
    }
    at += piece.length;
  }
  return -1;
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
