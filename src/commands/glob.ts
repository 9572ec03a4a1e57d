// Patterns of SCAN MATCH and CONFIG GET, with the rules of Redis's stringmatchlen; knows bytes and nothing else.

const STAR = 42;
const QUESTION = 63;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;
const CARET = 94;
const DASH = 45;

/** Longer patterns are refused by the commands: the work of one match grows with pattern times text. */
export const PATTERN_BYTES_MAX = 4096;

/**
 * Whether the whole of `text` matches: `*` any bytes, `?` one byte, `[a-z]` and `[^a-z]` one of a class, `\x`
 * the byte x. An open class ends with the pattern. `ignoreCase` folds ASCII letters. Only the last star is ever
 * tried again, so the work is at most the product of both lengths. As in Redis, the empty text matches the empty
 * pattern alone.
 */
export function globMatches(pattern: Uint8Array, text: Uint8Array, ignoreCase = false): boolean {
  if (text.length === 0) return pattern.length === 0;
  let at = 0, position = 0, afterStar = -1, starPosition = 0;
  while (position < text.length) {
    if (at < pattern.length) {
      if (pattern[at] === STAR) {
        afterStar = ++at;
        starPosition = position;
        if (at === pattern.length) return true;
        continue;
      }
      const next = matchOne(pattern, at, text[position], ignoreCase);
      if (next > 0) {
        at = next;
        position++;
        continue;
      }
    }
    if (afterStar < 0) return false;
    at = afterStar;
    position = ++starPosition;
  }
  while (at < pattern.length && pattern[at] === STAR) at++;
  return at === pattern.length;
}

/** The position behind the element at `at` if it takes the byte, else −1. */
function matchOne(pattern: Uint8Array, at: number, byte: number, ignoreCase: boolean): number {
  switch (pattern[at]) {
    case QUESTION:
      return at + 1;
    case OPEN:
      return matchClass(pattern, at + 1, byte, ignoreCase);
    case BACKSLASH:
      if (at + 1 < pattern.length) at++;
  }
  return same(pattern[at], byte, ignoreCase) ? at + 1 : -1;
}

function matchClass(pattern: Uint8Array, at: number, byte: number, ignoreCase: boolean): number {
  const end = pattern.length, isNegated = pattern[at] === CARET;
  if (isNegated) at++;
  let isMatch = false;
  for (; at < end; at++) {
    if (pattern[at] === BACKSLASH && at + 1 < end) {
      if (pattern[++at] === byte) isMatch = true;
    } else if (pattern[at] === CLOSE) {
      break;
    } else if (at + 2 < end && pattern[at + 1] === DASH) {
      if (isWithin(byte, pattern[at], pattern[at + 2], ignoreCase)) isMatch = true;
      at += 2;
    } else if (same(pattern[at], byte, ignoreCase)) isMatch = true;
  }
  return isMatch !== isNegated ? Math.min(at + 1, end) : -1;
}

function isWithin(byte: number, from: number, to: number, ignoreCase: boolean): boolean {
  let low = Math.min(from, to), high = Math.max(from, to);
  if (ignoreCase) low = lower(low), high = lower(high), byte = lower(byte);
  return byte >= low && byte <= high;
}

function same(a: number, b: number, ignoreCase: boolean): boolean {
  return a === b || (ignoreCase && lower(a) === lower(b));
}

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}
