// BITFIELD: integers of 1 to 64 bits anywhere in a string; it knows no lock and no protocol.
import {
  BIT_OFFSET,
  BITFIELD_OVERFLOW,
  BITFIELD_READ_ONLY,
  BITFIELD_TYPE,
  NOT_AN_INTEGER,
  SYNTAX,
} from "../errors.ts";
import { parseBigInteger } from "../number_format.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { ONE_KEY } from "./row_parts.ts";

type Overflow = "WRAP" | "SAT" | "FAIL";

interface Operation {
  readonly name: "GET" | "SET" | "INCRBY";
  readonly isSigned: boolean;
  readonly bits: number;
  /** In bits. */
  readonly offset: number;
  readonly operand: bigint;
  readonly overflow: Overflow;
}

const OVERFLOWS: readonly Overflow[] = ["WRAP", "SAT", "FAIL"];
const NAMES = ["GET", "SET", "INCRBY"] as const;
/** As in Redis: the bits of 512 MiB may be asked for, whatever the longest value is. */
const BIT_OFFSETS_MAX = 2n ** 32n;
/** A field spans at most so many bytes. */
const FIELD_BYTES_MAX = 9;

/** BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY type offset n ...] */
function bitfield(c: CommandContext): void {
  const operations = readOperations(c, false);
  if (operations === null) return;
  const isThere = c.findForChange(1) !== 0;
  if (isThere && !c.requireString()) return;
  let bytesMin = 0, from = Infinity;
  for (const { name, offset, bits } of operations) {
    if (name === "GET") continue;
    bytesMin = Math.max(bytesMin, Math.floor((offset + bits - 1) / 8) + 1);
    from = Math.min(from, Math.floor(offset / 8));
  }
  if (bytesMin > c.services.settings.valueBytesMax) return c.reply.error(BIT_OFFSET);
  if (bytesMin > 0 ? !c.openString(1, bytesMin) : isThere && c.openRead() < 0) return;
  c.reply.array(operations.length);
  let hasChanged = false;
  for (const operation of operations) {
    const old = readField(c, operation);
    if (operation.name === "GET") {
      c.reply.bigInteger(old);
      continue;
    }
    const wanted = operation.name === "INCRBY"
      ? old + operation.operand
      // As in Redis, a negative number for an unsigned field is a large one.
      : operation.isSigned
      ? operation.operand
      : BigInt.asUintN(64, operation.operand);
    const value = fitted(wanted, operation);
    if (value === null) {
      c.reply.nil();
      continue;
    }
    writeField(c, operation, value);
    hasChanged = true;
    c.reply.bigInteger(operation.name === "SET" ? old : value);
  }
  // Also where every change failed: the value may have become longer.
  if (hasChanged || bytesMin > 0) c.changed(1, from, bytesMin);
}

/** BITFIELD_RO key [GET type offset ...] */
function bitfieldRo(c: CommandContext): void {
  const operations = readOperations(c, true);
  if (operations === null) return;
  if (c.find(1) !== 0 && (!c.requireString() || c.openRead() < 0)) return;
  c.reply.array(operations.length);
  for (const operation of operations) c.reply.bigInteger(readField(c, operation));
}

/** Null if the arguments are wrong, and then the error is the reply. */
function readOperations(c: CommandContext, isReadOnly: boolean): Operation[] | null {
  const operations: Operation[] = [];
  let overflow: Overflow = "WRAP", hasChange = false;
  const failed = (text: string) => (c.reply.error(text), null);
  for (let i = 2; i < c.argCount;) {
    const left = c.argCount - i - 1;
    if (c.argIs(i, "OVERFLOW") && left >= 1) {
      const given = OVERFLOWS.find((each) => c.argIs(i + 1, each));
      if (given === undefined) return failed(BITFIELD_OVERFLOW);
      overflow = given;
      i += 2;
      continue;
    }
    const name = NAMES.find((each) => c.argIs(i, each));
    if (name === undefined || left < (name === "GET" ? 2 : 3)) return failed(SYNTAX);
    const type = readType(c, i + 1);
    if (type === null) return failed(BITFIELD_TYPE);
    const offset = readOffset(c, i + 2, type.bits);
    if (offset < 0) return failed(BIT_OFFSET);
    let operand: bigint | null = 0n;
    if (name !== "GET") {
      hasChange = true;
      operand = parseBigInteger(c.bytes, c.argStart(i + 3), c.argEnd(i + 3));
      if (operand === null) return failed(NOT_AN_INTEGER);
    }
    operations.push({ name, ...type, offset, operand, overflow });
    i += name === "GET" ? 3 : 4;
  }
  return isReadOnly && hasChange ? failed(BITFIELD_READ_ONLY) : operations;
}

/** `i1` to `i64`, `u1` to `u63`; null for anything else. */
function readType(c: CommandContext, index: number): { isSigned: boolean; bits: number } | null {
  const match = /^([iu])([1-9]\d?)$/.exec(c.argText(index));
  if (match === null) return null;
  const isSigned = match[1] === "i", bits = Number(match[2]);
  return bits > (isSigned ? 64 : 63) ? null : { isSigned, bits };
}

/** In bits; `#2` counts fields of this type. −1 if it is wrong or too far. */
function readOffset(c: CommandContext, index: number, bits: number): number {
  const isCounted = c.argLength(index) > 0 && c.argBytes(index)[0] === 35; // '#'
  const given = parseBigInteger(c.bytes, c.argStart(index) + (isCounted ? 1 : 0), c.argEnd(index));
  if (given === null || given < 0n) return -1;
  const offset = isCounted ? given * BigInt(bits) : given;
  return offset >= BIT_OFFSETS_MAX ? -1 : Number(offset);
}

/** The field's bytes as one number; bytes past the value's end are zeros. */
function readBytes(c: CommandContext, first: number, count: number): bigint {
  let value = 0n;
  const length = c.ref === 0 ? 0 : c.valueBytes;
  for (let at = first; at < first + count; at++) {
    value = (value << 8n) | BigInt(at < length ? c.piece(at, 1)[0] ?? 0 : 0);
  }
  return value;
}

function readField(c: CommandContext, { offset, bits, isSigned }: Operation): bigint {
  const { first, count, below } = placeOf(offset, bits);
  const field = (readBytes(c, first, count) >> BigInt(below)) & mask(bits);
  return isSigned ? BigInt.asIntN(bits, field) : field;
}

function writeField(c: CommandContext, { offset, bits }: Operation, value: bigint): void {
  const { first, count, below } = placeOf(offset, bits);
  const kept = readBytes(c, first, count) & ~(mask(bits) << BigInt(below));
  let rest = kept | ((value & mask(bits)) << BigInt(below));
  for (let at = first + count - 1; at >= first; at--, rest >>= 8n) {
    c.piece(at, 1)[0] = Number(rest & 255n);
  }
}

/** The bytes that hold a field, at most FIELD_BYTES_MAX, and how many bits of the last lie behind it. */
function placeOf(
  offset: number,
  bits: number,
): { first: number; count: number; below: number } {
  const first = Math.floor(offset / 8), last = Math.floor((offset + bits - 1) / 8);
  const count = Math.min(FIELD_BYTES_MAX, last - first + 1);
  return { first, count, below: 7 - (offset + bits - 1) % 8 };
}

function mask(bits: number): bigint {
  return (1n << BigInt(bits)) - 1n;
}

/** The value as the type and the overflow policy have it; null: it fails. */
function fitted(wanted: bigint, { bits, isSigned, overflow }: Operation): bigint | null {
  const min = isSigned ? -(1n << BigInt(bits - 1)) : 0n;
  const max = isSigned ? (1n << BigInt(bits - 1)) - 1n : mask(bits);
  if (wanted >= min && wanted <= max) return wanted;
  if (overflow === "FAIL") return null;
  if (overflow === "SAT") return wanted < min ? min : max;
  return isSigned ? BigInt.asIntN(bits, wanted) : wanted & mask(bits);
}

export const BITFIELD_ROWS: readonly CommandRow[] = [
  {
    ...ONE_KEY,
    kind: R.CHANGE,
    flags: R.DENY_OOM,
    group: "bitmap",
    name: "bitfield",
    arity: -2,
    since: "3.2.0",
    summary: "Get, set and add to integers of any width in the value of a key",
    run: bitfield,
  },
  {
    ...ONE_KEY,
    kind: R.READ,
    flags: 0,
    group: "bitmap",
    name: "bitfield_ro",
    arity: -2,
    since: "6.0.0",
    summary: "Get integers of any width in the value of a key",
    run: bitfieldRo,
  },
];
