// One RESP request (`*<n>` and n bulk strings) out of the read buffer; knows no command, no line, no reply.
import { findByte } from "./byte_search.ts";
import { parseInteger } from "./number_format.ts";
import { type RequestBatch, STYLE_RESP } from "./request_batch.ts";
import type { ParseLimits } from "./request_parser.ts";

const CR = 13;
const LF = 10;
const ZERO = 48;
const DOLLAR = 36;
/** `\r\n` as a little-endian half word. */
const CRLF = 0x0a0d;
/** The shortest bulk string, `$0\r\n\r\n`: what each missing argument takes at least. */
const BULK_BYTES_MIN = 6;
/**
 * Re-parsing fewer arguments than these costs no more than the read that brought the next bytes; from here on
 * the missing arguments are waited for together.
 */
const PATIENT_ARGUMENTS = 1024;

/** What Redis grants a client before it has given its password. */
const UNAUTHENTICATED_ARGUMENTS_MAX = 10;
const UNAUTHENTICATED_BULK_BYTES_MAX = 16_384;

/** Answers of the readers of lengths, below every length. */
const LENGTH_NEGATIVE = -1;
const LENGTH_MORE = -2;
const LENGTH_TOO_LONG = -3;
const LENGTH_INVALID = -4;
const LENGTH_FAILED = -5;

/** Where the header ends whose length `readLength` gave last; beside the value to keep it free of objects. */
let lengthEnd = 0;

/**
 * Parses the request that begins with `*` at `from`. Gives the offset after it, 0 when more bytes must come
 * first (and sets `batch.neededBytes`), −1 for a protocol error (and sets `batch.error`).
 * Reads up to 4 bytes past `to`, and believes none of them.
 */
export function parseResp(
  batch: RequestBatch,
  from: number,
  to: number,
  limits: ParseLimits,
): number {
  const view = batch.view;
  // `*d\r\n` with one load.
  let word = view.getInt32(from, true);
  let count = (word & 0xffff00ff) === 0x0a0d002a ? ((word >> 8) & 0xff) - ZERO : 0;
  let position = from + 4;
  if (count < 1 || count > 9 || position > to || count > limits.argumentsMax) {
    count = readCount(batch, from, to, limits);
    if (count === LENGTH_MORE) return needMore(batch, from, to, to, 0, 0);
    if (count === LENGTH_FAILED) return -1;
    position = lengthEnd;
    if (count <= 0) return position;
  }

  const first = batch.argCount;
  if (first + count > batch.argStart.length) {
    // No more room than the bytes that are here can fill: an announcement alone must not cost memory.
    const complete = Math.floor((to - position) / BULK_BYTES_MIN) + 1;
    batch.reserveArguments(first + Math.min(count, complete));
  }
  const argStart = batch.argStart;
  const argEnd = batch.argEnd;
  const stagedAt = batch.stagedAt;
  const bulkBytesMax = limits.authenticated
    ? limits.bulkBytesMax
    : Math.min(limits.bulkBytesMax, UNAUTHENTICATED_BULK_BYTES_MAX);
  let staged = -1;

  for (let i = 0; i < count; i++) {
    // `$d\r\n` and `$dd\r\n` with one load: nearly every key and many a value.
    word = view.getInt32(position, true);
    const tens = ((word >> 8) & 0xff) - ZERO;
    let length = -1;
    let start = position + 4;
    if ((word & 0xffff00ff) === 0x0a0d0024) {
      if (tens >= 0 && tens <= 9) length = tens;
    } else if ((word & 0xff0000ff) === 0x0d000024 && view.getUint8(start) === LF) {
      const ones = ((word >> 16) & 0xff) - ZERO;
      if (tens >= 1 && tens <= 9 && ones >= 0 && ones <= 9) {
        length = tens * 10 + ones;
        start++;
      }
    }
    if (length < 0 || start > to) {
      length = readBulkLength(batch, position, to, limits);
      if (length === LENGTH_MORE) {
        return needMore(batch, from, to, position, i, count - i);
      }
      if (length === LENGTH_FAILED) return -1;
      start = lengthEnd;
    }
    if (length > bulkBytesMax) {
      return fail(
        batch,
        length > limits.bulkBytesMax ? "invalid bulk length" : "unauthenticated bulk length",
      );
    }

    const isStaged = start === stagedAt;
    const end = isStaged ? start : start + length;
    if (end + 2 > to) {
      if (!isStaged && end > to && length >= limits.outOfLineBytesMin) {
        batch.openBulkArgument = i;
        batch.openBulkStart = start;
        batch.openBulkBytes = length;
      }
      return needMore(batch, from, to, end + 2, i, count - i - 1);
    }
    if (view.getUint16(end, true) !== CRLF) return fail(batch, "expected CRLF after bulk");
    if (isStaged) staged = first + i;
    argStart[first + i] = start;
    argEnd[first + i] = end;
    position = end + 2;
  }

  const command = batch.commandCount;
  batch.commandStyle[command] = STYLE_RESP;
  batch.argCount = first + count;
  batch.commandArg[command + 1] = first + count;
  batch.commandCount = command + 1;
  if (staged >= 0) batch.stagedArg = staged;
  return position;
}

/** The number after `*` where it is not one digit: at most 0 for a request without arguments. */
function readCount(batch: RequestBatch, from: number, to: number, limits: ParseLimits): number {
  const count = readLength(batch.bytes, from, to, limits.inlineBytesMax);
  if (count === LENGTH_MORE || count === LENGTH_NEGATIVE) return count;
  if (count === LENGTH_TOO_LONG) failLength(batch, "too big mbulk count string");
  else if (count < 0 || count > limits.argumentsMax) failLength(batch, "invalid multibulk length");
  else if (count > UNAUTHENTICATED_ARGUMENTS_MAX && !limits.authenticated) {
    failLength(batch, "unauthenticated multibulk length");
  } else return count;
  return LENGTH_FAILED;
}

/** The number after `$` where it has more than two digits, or is not there yet, or is wrong. */
function readBulkLength(
  batch: RequestBatch,
  from: number,
  to: number,
  limits: ParseLimits,
): number {
  if (from >= to) return LENGTH_MORE;
  const bytes = batch.bytes;
  if (bytes[from] !== DOLLAR) {
    return failLength(batch, `expected '$', got '${printable(bytes[from])}'`);
  }
  const length = readLength(bytes, from, to, limits.inlineBytesMax);
  if (length >= 0 || length === LENGTH_MORE) return length;
  return failLength(
    batch,
    length === LENGTH_TOO_LONG ? "too big bulk count string" : "invalid bulk length",
  );
}

/**
 * The number between the type byte at `from` and its CRLF, or one of the LENGTH_ answers; sets `lengthEnd`.
 * What it finds does not depend on how much has arrived behind: a line past the limit is too long in any case.
 */
function readLength(bytes: Uint8Array, from: number, to: number, lineBytesMax: number): number {
  const lineMax = Math.min(to, from + lineBytesMax + 1);
  const end = findByte(bytes, CR, from + 1, lineMax);
  if (end < 0) return to - from > lineBytesMax ? LENGTH_TOO_LONG : LENGTH_MORE;
  if (end + 2 > to) return LENGTH_MORE;
  if (bytes[end + 1] !== LF) return LENGTH_INVALID;
  const value = parseInteger(bytes, from + 1, end);
  if (value !== value) return LENGTH_INVALID;
  lengthEnd = end + 2;
  return value < 0 ? LENGTH_NEGATIVE : value;
}

/**
 * Asks for the bytes up to `endMin`, which is known, and for one more in any case. Not for more than that after a
 * few arguments: the next bytes may be an error, which is answered at once however the input is cut. After many,
 * for the least that the `missing` ones take, but at most an eighth of what is there, so that an error is not
 * waited out for long; either way the calls grow with the logarithm of the request's length.
 */
function needMore(
  batch: RequestBatch,
  from: number,
  to: number,
  endMin: number,
  parsed: number,
  missing: number,
): number {
  let end = Math.max(endMin, to + 1);
  if (parsed >= PATIENT_ARGUMENTS) {
    end = Math.max(end, Math.min(endMin + BULK_BYTES_MIN * missing, to + ((to - from) >> 3)));
  }
  batch.neededBytes = end - from;
  return 0;
}

function fail(batch: RequestBatch, text: string): number {
  batch.error = text;
  batch.errorStyle = STYLE_RESP;
  return -1;
}

function failLength(batch: RequestBatch, text: string): number {
  fail(batch, text);
  return LENGTH_FAILED;
}

function printable(byte: number): string {
  if (byte >= 32 && byte < 127) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
