// Decimal fractions as C's `long double` on x86-64 has them: 64 bits of mantissa; for sums with Redis's digits.
//
// A value is `mantissa * 2^exponent`, exact; only parsing and adding round (to nearest, ties to even).
import { latin1 } from "./latin1.ts";

const MANTISSA_BITS = 64;
const EXPONENT_MAX = 16_384;
const EXPONENT_MIN = -16_445;
/** Decimal exponents beyond this overflow or vanish whatever the digits are. */
const DECIMAL_EXPONENT_MAX = 10_000;
/** What Redis reads at most. */
const TEXT_LENGTH_MAX = 5_120;
const FRACTION_DIGITS = 17;

export interface LongDouble {
  /** 0n for zero. */
  readonly mantissa: bigint;
  readonly exponent: number;
}

export const INFINITE = "infinite";
export const LONG_DOUBLE_ZERO: LongDouble = { mantissa: 0n, exponent: 0 };
const DECIMAL = /^([+-]?)(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?$/;
const HEXADECIMAL = /^([+-]?)0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP]([+-]?\d+))?$/;
const NAMED_INFINITE = /^[+-]?inf(?:inity)?$/i;

/** Reads what C's strtold() reads, whole; null for what is no number (NaN too), or leaves the range. */
function parseLongDouble(text: string): LongDouble | typeof INFINITE | null {
  if (text.length >= TEXT_LENGTH_MAX) return null;
  if (NAMED_INFINITE.test(text)) return INFINITE;
  const decimal = DECIMAL.exec(text), match = decimal ?? HEXADECIMAL.exec(text);
  if (match === null) return null;
  const [, sign, digits, exponentText] = match;
  const [whole, fraction = ""] = digits.split(".");
  const magnitude = BigInt((decimal === null ? "0x" : "") + (whole + fraction || "0"));
  if (magnitude === 0n) return LONG_DOUBLE_ZERO;
  const given = Number(exponentText ?? 0);
  const signed = sign === "-" ? -magnitude : magnitude;
  let read: LongDouble | typeof INFINITE;
  if (decimal === null) {
    if (Math.abs(given) > DECIMAL_EXPONENT_MAX * 4) return null;
    read = rounded(signed, 1n, given - fraction.length * 4);
  } else {
    const exponent = given - fraction.length;
    if (Math.abs(given) > DECIMAL_EXPONENT_MAX) return null;
    read = exponent >= 0
      ? rounded(signed * 10n ** BigInt(exponent), 1n, 0)
      : rounded(signed, 10n ** BigInt(-exponent), 0);
  }
  return read === INFINITE || read.mantissa === 0n ? null : read;
}

/** The same of bytes. */
export function parseLongDoubleBytes(bytes: Uint8Array): LongDouble | typeof INFINITE | null {
  return bytes.length < TEXT_LENGTH_MAX ? parseLongDouble(latin1(bytes)) : null;
}

/** The sum, rounded. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble | typeof INFINITE {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) +
    (b.mantissa << BigInt(b.exponent - exponent));
  return rounded(sum, 1n, exponent);
}

/** As printf's `%.17Lf`, less the zeros at its end: what Redis stores. */
export function formatLongDouble({ mantissa, exponent }: LongDouble): string {
  const scaled = mantissa * 10n ** BigInt(FRACTION_DIGITS);
  const units = exponent >= 0
    ? scaled << BigInt(exponent)
    : divideRounded(scaled, 1n << BigInt(-exponent));
  const digits = (units < 0n ? -units : units).toString().padStart(FRACTION_DIGITS + 1, "0");
  const point = digits.length - FRACTION_DIGITS;
  const fraction = digits.slice(point).replace(/0+$/, "");
  const text = digits.slice(0, point) + (fraction === "" ? "" : `.${fraction}`);
  // A sum that rounds to nothing keeps no sign, as Redis takes "-0" for "0".
  return units < 0n ? `-${text}` : text;
}

/** `numerator / denominator * 2^exponent` with 64 bits of mantissa. */
function rounded(
  numerator: bigint,
  denominator: bigint,
  exponent: number,
): LongDouble | typeof INFINITE {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 };
  const size = bitLength(numerator) - bitLength(denominator);
  // One bit too many at most, which rounding again would make wrong: so it is found out first.
  let shift = MANTISSA_BITS - size;
  if (bitLength(scaledQuotient(numerator, denominator, shift)) > MANTISSA_BITS) shift--;
  shift = Math.min(shift, exponent - EXPONENT_MIN);
  const mantissa = shift >= 0
    ? divideRounded(numerator << BigInt(shift), denominator)
    : divideRounded(numerator, denominator << BigInt(-shift));
  if (bitLength(mantissa) + exponent - shift > EXPONENT_MAX) return INFINITE;
  return { mantissa, exponent: exponent - shift };
}

function scaledQuotient(numerator: bigint, denominator: bigint, shift: number): bigint {
  return shift >= 0
    ? (numerator << BigInt(shift)) / denominator
    : numerator / (denominator << BigInt(-shift));
}

/** To nearest, ties to even; the denominator is above 0. */
function divideRounded(numerator: bigint, denominator: bigint): bigint {
  const isNegative = numerator < 0n, magnitude = isNegative ? -numerator : numerator;
  let quotient = magnitude / denominator;
  const twice = (magnitude % denominator) * 2n;
  if (twice > denominator || (twice === denominator && (quotient & 1n) === 1n)) quotient++;
  return isNegative ? -quotient : quotient;
}

function bitLength(value: bigint): number {
  const hex = (value < 0n ? -value : value).toString(16);
  return (hex.length - 1) * 4 + (32 - Math.clz32(parseInt(hex[0], 16)));
}
