// Decimal integers to bytes and back, without strings on the common paths; knows no protocol.

const MINUS = 45;
const ZERO = 48;
const BILLION = 1_000_000_000;
export const INT64_MIN = -(2n ** 63n);
export const INT64_MAX = 2n ** 63n - 1n;

/** The most bytes that a signed 64-bit number takes: a sign and 19 digits. */
export const INTEGER_BYTES_MAX = 20;

/**
 * Reads `bytes[start..end)` as strictly as Redis does: digits with an optional `-`, no `+`, no blanks, no
 * leading zeros, no `-0`. Gives NaN for what is not an integer, or not one within ±(2^53 − 1).
 */
export function parseInteger(bytes: Uint8Array, start: number, end: number): number {
  let position = start;
  if (position >= end) return NaN;
  const negative = bytes[position] === MINUS;
  if (negative) position++;
  const digits = end - position;
  // 16 digits stay below 10^16: what rounds there is beyond 2^53 and refused below.
  if (digits === 0 || digits > 16) return NaN;
  if (bytes[position] === ZERO) return digits === 1 && !negative ? 0 : NaN;
  let value = 0;
  for (; position < end; position++) {
    const digit = bytes[position] - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  if (value > Number.MAX_SAFE_INTEGER) return NaN;
  return negative ? -value : value;
}

/** The same grammar over the whole range of signed 64-bit numbers; null for anything else. */
export function parseBigInteger(bytes: Uint8Array, start: number, end: number): bigint | null {
  const small = parseInteger(bytes, start, end);
  if (small === small) return BigInt(small);
  if (start >= end) return null;
  const negative = bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  const digits = end - first;
  if (digits < 16 || digits > 19 || bytes[first] === ZERO) return null;
  const split = end - 9;
  const high = digitsValue(bytes, first, split);
  const low = digitsValue(bytes, split, end);
  if (high < 0 || low < 0) return null;
  const magnitude = BigInt(high) * BigInt(BILLION) + BigInt(low);
  const value = negative ? -magnitude : magnitude;
  return value < INT64_MIN || value > INT64_MAX ? null : value;
}

/** At most 10 digits, leading zeros allowed; −1 if there is anything else. */
function digitsValue(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i] - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/**
 * Writes a whole number within ±(2^53 − 1) at `position` and gives the position after it.
 * The caller has made room for INTEGER_BYTES_MAX bytes.
 */
export function writeInteger(bytes: Uint8Array, position: number, value: number): number {
  if ((value | 0) === value && value !== -2147483648) {
    if (value >= 0) return writeDigits(bytes, position, value | 0);
    bytes[position] = MINUS;
    return writeDigits(bytes, position + 1, -value | 0);
  }
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(
      `Cannot write an integer: it must be whole and within 2^53: received ${value}`,
    );
  }
  let magnitude = value;
  if (value < 0) {
    bytes[position++] = MINUS;
    magnitude = -value;
  }
  // Both halves fit an int32: at most 9,007,199 above, at most 999,999,999 below.
  const high = Math.floor(magnitude / BILLION);
  const low = magnitude - high * BILLION;
  if (high === 0) return writeDigits(bytes, position, low | 0);
  const middle = writeDigits(bytes, position, high | 0);
  fillDigits(bytes, middle, middle + 9, low | 0);
  return middle + 9;
}

/** Writes a signed 64-bit number at `position` and gives the position after it; room as above. */
export function writeBigInteger(bytes: Uint8Array, position: number, value: bigint): number {
  const small = Number(value);
  if (Number.isSafeInteger(small)) return writeInteger(bytes, position, small);
  if (value < INT64_MIN || value > INT64_MAX) {
    throw new RangeError(`Cannot write an integer: it must be within 64 bits: received ${value}`);
  }
  const text = value.toString();
  for (let i = 0; i < text.length; i++) bytes[position++] = text.charCodeAt(i);
  return position;
}

/** Writes a number of 0 to 2^31 − 1 and gives the position after it. */
export function writeDigits(bytes: Uint8Array, position: number, value: number): number {
  const end = position + digitCount(value);
  fillDigits(bytes, position, end, value);
  return end;
}

/** Fills `[start, end)` from the right, with leading zeros where the number is shorter. */
function fillDigits(bytes: Uint8Array, start: number, end: number, value: number): void {
  let rest = value | 0;
  for (let i = end - 1; i >= start; i--) {
    const tenth = (rest / 10) | 0;
    bytes[i] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
}

function digitCount(value: number): number {
  if (value < 100) return value < 10 ? 1 : 2;
  if (value < 10_000) return value < 1_000 ? 3 : 4;
  if (value < 1_000_000) return value < 100_000 ? 5 : 6;
  if (value < 100_000_000) return value < 10_000_000 ? 7 : 8;
  return value < BILLION ? 9 : 10;
}
