// The requests of one read batch, whichever protocol each is in; knows no command, no socket, no reply.
import { findByte } from "./byte_search.ts";
import { splitInline } from "./inline_parser.ts";
import {
  BATCH_ARGUMENTS_SOFT_MAX,
  BATCH_COMMANDS_MAX,
  type RequestBatch,
  STYLE_INLINE,
  STYLE_TEXT,
} from "./request_batch.ts";
import { parseResp } from "./resp_parser.ts";
import { splitText } from "./text_parser.ts";

/** Which protocol a line is in: `auto` tells by its end, CRLF for an inline command, a bare LF for text. */
export const INLINE_REPLY_AUTO = 0;
export const INLINE_REPLY_RESP = 1;
export const INLINE_REPLY_TEXT = 2;

/** What the parser refuses, and what it leaves to be received out of line. */
export interface ParseLimits {
  /** The longest bulk string. */
  readonly bulkBytesMax: number;
  /** The most arguments of one request, its name included. */
  readonly argumentsMax: number;
  /** The longest line, its LF not counted. */
  readonly inlineBytesMax: number;
  /** Bulk strings at least this long that have not arrived whole are reported as the open bulk. */
  readonly outOfLineBytesMin: number;
  readonly inlineReply: 0 | 1 | 2;
  /** False for a client that still owes its password: it may send small requests only, taken one by one. */
  readonly authenticated: boolean;
}

const STAR = 42;
const LF = 10;
const CR = 13;

/**
 * Parses the requests that lie whole in `batch.bytes[from..to)` into the batch, which was reset before, until the
 * batch is full, and gives the offset of the first byte that was not consumed. If a request is unfinished there,
 * `batch.neededBytes` says how many bytes from that offset on must be there before another call can get further;
 * it is 0 if nothing is unfinished or the batch was full, and then the next call may follow at once.
 * `batch.error` and `batch.closeSilently` end the connection after the commands in the batch.
 * `batch.bytes` is readable for 8 bytes past `to`; lines are unescaped in place once they are whole.
 */
export function parseRequests(
  batch: RequestBatch,
  from: number,
  to: number,
  limits: ParseLimits,
): number {
  // The request after AUTH may be a large one: what is allowed is known only when AUTH has run.
  const commandsMax = limits.authenticated ? BATCH_COMMANDS_MAX : 1;
  let position = from;
  while (
    position < to && batch.commandCount < commandsMax && batch.argCount < BATCH_ARGUMENTS_SOFT_MAX
  ) {
    const next = batch.bytes[position] === STAR
      ? parseResp(batch, position, to, limits)
      : parseLine(batch, position, to, limits);
    if (next <= 0) break;
    position = next;
    if (batch.commandCount > 0) batch.commandEnd[batch.commandCount - 1] = next;
  }
  return position;
}

/** Parses the line at `from`: the offset after it, 0 for more, −1 for an error or a silent close. */
function parseLine(batch: RequestBatch, from: number, to: number, limits: ParseLimits): number {
  const bytes = batch.bytes;
  if (to - from >= 5 && isBrowser(bytes, from)) {
    batch.closeSilently = true;
    return -1;
  }
  const newline = findByte(bytes, LF, from, Math.min(to, from + limits.inlineBytesMax + 1));
  if (newline < 0) {
    if (to - from > limits.inlineBytesMax) {
      return fail(batch, "too big inline request", limits.inlineReply);
    }
    batch.neededBytes = to - from + 1;
    return 0;
  }
  const hasCr = newline > from && bytes[newline - 1] === CR;
  const end = hasCr ? newline - 1 : newline;
  const isText = limits.inlineReply === INLINE_REPLY_AUTO
    ? !hasCr
    : limits.inlineReply === INLINE_REPLY_TEXT;
  const count = isText ? splitText(batch, from, end) : splitInline(batch, from, end);
  if (count < 0) return fail(batch, "unbalanced quotes in request", limits.inlineReply);
  if (count > 0) {
    const command = batch.commandCount;
    batch.commandStyle[command] = isText ? STYLE_TEXT : STYLE_INLINE;
    batch.argCount += count;
    batch.commandArg[command + 1] = batch.argCount;
    batch.commandCount = command + 1;
  }
  return newline + 1;
}

/** `POST ` or `Host:` in any case, as the first five bytes of a line. */
function isBrowser(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at] | 32;
  if (first !== 112 && first !== 104) return false;
  const last = bytes[at + 4];
  if (
    (bytes[at + 1] | 32) !== 111 || (bytes[at + 2] | 32) !== 115 || (bytes[at + 3] | 32) !== 116
  ) {
    return false;
  }
  return first === 112 ? last === 32 : last === 58;
}

function fail(batch: RequestBatch, text: string, inlineReply: number): number {
  batch.error = text;
  batch.errorStyle = inlineReply === INLINE_REPLY_TEXT ? STYLE_TEXT : STYLE_INLINE;
  return -1;
}
