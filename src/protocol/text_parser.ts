// The words of a line of plain text as people type it into nc, with SET's and PUT's values that may hold blanks;
// knows no line ending, no quotes, no reply.
import type { RequestBatch } from "./request_batch.ts";

const SPACE = 32;
const TAB = 9;
const MINUS = 45;
const ZERO = 48;
/** Lower-case letters; `byte | 32` compares without regard to case. */
const [A, E, L, P, S, T, U, X] = [97, 101, 108, 112, 115, 116, 117, 120];

/**
 * Splits the line `bytes[start..end)` at spaces and tabs. `SET k v…` and `PUT k v…` take the rest of the line,
 * after one blank behind the key, as the value, byte for byte; SET less a trailing `EX|PX|EXAT|PXAT|TTL <integer>`
 * (and the one blank before it) as long as a value remains. TTL is rewritten to EX in place. Puts the words
 * behind the batch's arguments without counting them and gives their number.
 */
export function splitText(batch: RequestBatch, start: number, end: number): number {
  batch.reserveArguments(batch.argCount + ((end - start) >> 1) + 1);
  const { bytes, argStart, argEnd } = batch;
  const first = batch.argCount;
  let count = 0;
  let position = start;
  let takesRest = false;
  let takesExpiry = false;
  while (true) {
    while (position < end && isBlank(bytes[position])) position++;
    if (position === end) return count;
    const word = position;
    while (position < end && !isBlank(bytes[position])) position++;
    argStart[first + count] = word;
    argEnd[first + count] = position;
    count++;
    if (count === 1 && position - word === 3) {
      takesExpiry = isWord(bytes, word, S, E, T);
      takesRest = takesExpiry || isWord(bytes, word, P, U, T);
    } else if (count === 2 && takesRest && position < end) {
      break;
    }
  }
  argStart[first + 2] = position + 1;
  argEnd[first + 2] = end;
  return takesExpiry ? splitExpiry(batch, first + 2) : 3;
}

/** Takes a trailing expiry off the value at index `value`, into two arguments behind it; gives the count. */
function splitExpiry(batch: RequestBatch, value: number): number {
  const { bytes, argStart, argEnd } = batch;
  const start = argStart[value];
  const end = argEnd[value];
  let number = end;
  while (number > start && bytes[number - 1] >= ZERO && bytes[number - 1] <= ZERO + 9) number--;
  if (number === end) return 3;
  if (number > start && bytes[number - 1] === MINUS) number--;
  let optionEnd = number;
  while (optionEnd > start && isBlank(bytes[optionEnd - 1])) optionEnd--;
  if (optionEnd === number) return 3;
  let option = optionEnd;
  while (option > start && !isBlank(bytes[option - 1])) option--;
  // One blank parts the value from the option, and a byte of value stands before it.
  if (option - 1 <= start) return 3;
  const bytesOfOption = expiryWordBytes(bytes, option, optionEnd);
  if (bytesOfOption === 0) return 3;
  argEnd[value] = option - 1;
  argStart[value + 1] = option;
  argEnd[value + 1] = option + bytesOfOption;
  argStart[value + 2] = number;
  argEnd[value + 2] = end;
  return 5;
}

/** Bytes of the option as Redis knows it, 0 if it is none; writes EX over TTL. */
function expiryWordBytes(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 3) {
    if (!isWord(bytes, start, T, T, L)) return 0;
    bytes[start] = E;
    bytes[start + 1] = X;
    return 2;
  }
  if (length !== 2 && length !== 4) return 0;
  const unit = bytes[start] | 32;
  if ((unit !== E && unit !== P) || (bytes[start + 1] | 32) !== X) return 0;
  if (length === 4 && ((bytes[start + 2] | 32) !== A || (bytes[start + 3] | 32) !== T)) return 0;
  return length;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

function isWord(bytes: Uint8Array, start: number, a: number, b: number, c: number): boolean {
  return (bytes[start] | 32) === a && (bytes[start + 1] | 32) === b &&
    (bytes[start + 2] | 32) === c;
}
