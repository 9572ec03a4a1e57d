// Bodies of JSON as nearly all clients write them, straight into a batch; runs nothing.
//
// JSON.parse, a look at what it gives by its schema, and strings that become bytes again take 40 µs for the 100 keys
// of an mget, and 1 µs for a put; here the body becomes bytes once, and its strings stay where they are.
import { type RequestBatch, STYLE_RESP } from "../../protocol/request_batch.ts";

/** Makes a body the only command of a batch that was reset; false where it is to be parsed instead. */
export type PlainPutter = (batch: RequestBatch, text: string) => boolean;

/** Where the body stands: behind the command's name. */
const BODY_AT = 8;
/** The engine loads whole words past the end of an argument, and the end of the text is marked. */
const SLACK_BYTES = 8;
const QUOTE = 34;
const COMMA = 44;
const OPEN_ARRAY = 91;
const BACKSLASH = 92;
const CLOSE_ARRAY = 93;
const CLOSE_MAP = 125;
const SPACE = 32;
const KEYS = '{"keys":';
const KEY = '{"key":';
/** Behind the comma, from its first quotation mark on. */
const VALUE = Uint8Array.from('"value":', (char) => char.charCodeAt(0));
/** Bytes that end the plain part of a JSON string: its quotation mark, what is escaped, what has to be. */
const ENDS = new Uint8Array(256).fill(1, 0, SPACE);
ENDS[QUOTE] = ENDS[BACKSLASH] = 1;
const encoder = new TextEncoder();

/** MGET of the keys in `{"keys":["...","..."]}`, with or without blanks behind colon and commas, nothing escaped. */
export function putPlainKeys(batch: RequestBatch, text: string): boolean {
  if (!text.startsWith(KEYS)) return false;
  const { bytes, argStart, argEnd } = batch, end = putText(bytes, text);
  let at = behindSpace(bytes, BODY_AT + KEYS.length);
  if (end < 0 || bytes[at] !== OPEN_ARRAY) return false;
  let arg = 1;
  for (;;) {
    at = behindSpace(bytes, at + 1);
    if (bytes[at] !== QUOTE || arg === argStart.length) return false;
    argStart[arg] = ++at;
    at = plainEnd(bytes, at);
    if (at >= end || bytes[at] !== QUOTE) return false;
    argEnd[arg++] = at++;
    if (bytes[at] === COMMA) continue;
    if (bytes[at] !== CLOSE_ARRAY) return false;
    break;
  }
  if (bytes[at + 1] !== CLOSE_MAP || at + 2 !== end) return false;
  putName(batch, "MGET", arg);
  return true;
}

/**
 * SET of `{"key":"...","value":"..."}`, with or without blanks behind colons and comma, nothing escaped, the key not
 * empty and neither longer than it may be.
 */
export function putPlainEntry(
  batch: RequestBatch,
  text: string,
  keyBytesMax: number,
  valueBytesMax: number,
): boolean {
  if (!text.startsWith(KEY)) return false;
  const { bytes, argStart, argEnd } = batch, end = putText(bytes, text);
  const keyAt = behindSpace(bytes, BODY_AT + KEY.length) + 1;
  if (end < 0 || bytes[keyAt - 1] !== QUOTE) return false;
  const keyEnd = plainEnd(bytes, keyAt), keyBytes = keyEnd - keyAt;
  if (bytes[keyEnd] !== QUOTE || bytes[keyEnd + 1] !== COMMA) return false;
  const nameAt = behindSpace(bytes, keyEnd + 2);
  for (let i = 0; i < VALUE.length; i++) if (bytes[nameAt + i] !== VALUE[i]) return false;
  const valueAt = behindSpace(bytes, nameAt + VALUE.length) + 1;
  if (bytes[valueAt - 1] !== QUOTE || valueAt >= end) return false;
  const valueEnd = plainEnd(bytes, valueAt);
  if (bytes[valueEnd] !== QUOTE || bytes[valueEnd + 1] !== CLOSE_MAP || valueEnd + 2 !== end) {
    return false;
  }
  if (keyBytes === 0 || keyBytes > keyBytesMax || valueEnd - valueAt > valueBytesMax) return false;
  argStart[1] = keyAt;
  argEnd[1] = keyEnd;
  argStart[2] = valueAt;
  argEnd[2] = valueEnd;
  putName(batch, "SET", 3);
  return true;
}

/** Puts the text there and a quotation mark behind it, which no string goes past. Gives its end, −1 without room. */
function putText(bytes: Uint8Array, text: string): number {
  // UTF-8 takes at most three bytes for each UTF-16 unit, and rarely more than one.
  if (BODY_AT + text.length + SLACK_BYTES > bytes.length) return -1;
  const room = bytes.subarray(BODY_AT, bytes.length - SLACK_BYTES);
  const { read, written } = encoder.encodeInto(text, room);
  if (read < text.length) return -1;
  bytes[BODY_AT + written] = QUOTE;
  return BODY_AT + written;
}

/** Where a string that begins there stops to be plain: at a quotation mark, if nothing in it is escaped. */
function plainEnd(bytes: Uint8Array, at: number): number {
  while (ENDS[bytes[at]] === 0) at++;
  return at;
}

/** Behind one blank that may stand there. */
function behindSpace(bytes: Uint8Array, at: number): number {
  return bytes[at] === SPACE ? at + 1 : at;
}

function putName(batch: RequestBatch, name: string, argCount: number): void {
  for (let i = 0; i < name.length; i++) batch.bytes[i] = name.charCodeAt(i);
  batch.argStart[0] = 0;
  batch.argEnd[0] = name.length;
  batch.commandArg[0] = 0;
  batch.commandArg[1] = argCount;
  batch.commandStyle[0] = STYLE_RESP;
  batch.commandCount = 1;
  batch.argCount = argCount;
}
