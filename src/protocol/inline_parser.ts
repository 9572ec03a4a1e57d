// The words of an inline command, with the quotes and escapes of redis-cli; knows no line ending, no command.
import type { RequestBatch } from "./request_batch.ts";

const DOUBLE_QUOTE = 34;
const SINGLE_QUOTE = 39;
const BACKSLASH = 92;
const LETTER_X = 120;

/**
 * Splits the line `bytes[start..end)` as Redis's sdssplitargs does: "..." with \xHH \n \r \t \b \a and any other
 * byte behind a backslash for itself, '...' with \' only. Words are unescaped in place, where they stand: they
 * never get longer. The batch keeps the line as it was. Puts them behind the batch's arguments without counting them and gives their number, or −1
 * for unbalanced quotes.
 */
export function splitInline(batch: RequestBatch, start: number, end: number): number {
  batch.reserveArguments(batch.argCount + ((end - start) >> 1) + 1);
  const { bytes, argStart, argEnd } = batch;
  const first = batch.argCount;
  let count = 0;
  let position = start;
  let isKept = false;
  while (true) {
    while (position < end && isSpace(bytes[position])) position++;
    if (position === end) return count;
    const word = position;
    let write = word;
    let quote = 0;
    while (true) {
      if (position === end) {
        if (quote !== 0) return -1;
        break;
      }
      const byte = bytes[position];
      if (quote === 0) {
        if (byte === 32 || byte === 9 || byte === 10 || byte === 13) break;
        if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) {
          if (!isKept) batch.keepLine(start, end);
          isKept = true;
          quote = byte;
          position++;
          continue;
        }
      } else if (byte === quote) {
        position++;
        // A closing quote ends the word: nothing but a blank may follow.
        if (position < end && !isSpace(bytes[position])) return -1;
        break;
      } else if (byte === BACKSLASH && position + 1 < end) {
        const next = bytes[position + 1];
        if (quote === DOUBLE_QUOTE) {
          const hex = next === LETTER_X && position + 3 < end
            ? hexByte(bytes[position + 2], bytes[position + 3])
            : -1;
          bytes[write++] = hex >= 0 ? hex : unescaped(next);
          position += hex >= 0 ? 4 : 2;
          continue;
        }
        if (next === SINGLE_QUOTE) {
          bytes[write++] = next;
          position += 2;
          continue;
        }
      }
      bytes[write++] = byte;
      position++;
    }
    argStart[first + count] = word;
    argEnd[first + count] = write;
    count++;
  }
}

/** C's isspace. */
function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

function unescaped(byte: number): number {
  switch (byte) {
    case 110:
      return 10;
    case 114:
      return 13;
    case 116:
      return 9;
    case 98:
      return 8;
    case 97:
      return 7;
    default:
      return byte;
  }
}

/** The byte that two hexadecimal digits stand for, or −1. */
function hexByte(high: number, low: number): number {
  const a = hexDigit(high);
  const b = hexDigit(low);
  return a < 0 || b < 0 ? -1 : a * 16 + b;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
