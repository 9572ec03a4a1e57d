// RESP2 and RESP3 replies from bytes, in whatever pieces they come. Written apart from the server's own code,
// so that a mistake there is not repeated here. It must not know sockets.

import { ByteQueue } from "./byte_queue.ts";

/** A simple string such as `+OK`. */
export class Status {
  constructor(readonly text: string) {}
}

/** An error reply, as a value; `text` is the whole line without its `-`. */
export class ErrorReply {
  constructor(readonly text: string) {}
}

/** A set of RESP3. */
export class SetReply {
  constructor(readonly items: Reply[]) {}
}

/** A map of RESP3: names and values by turns, as they came. */
export class MapReply {
  constructor(readonly items: Reply[]) {}
}

/** A double of RESP3, in the digits that came. */
export class DoubleReply {
  constructor(readonly text: string) {}
}

/** A verbatim string of RESP3, without its format. */
export class VerbatimReply {
  constructor(readonly bytes: Uint8Array) {}
}

/**
 * One reply: status, error, integer (bigint beyond 2^53, and for big numbers), bulk string, null (null bulk and
 * null array), an array of these, or one of the kinds that RESP3 adds.
 */
export type Reply =
  | Status
  | ErrorReply
  | number
  | bigint
  | boolean
  | Uint8Array
  | null
  | SetReply
  | MapReply
  | DoubleReply
  | VerbatimReply
  | Reply[];

const CRLF = new Uint8Array([13, 10]);
const HEADER_BYTES_MAX = 64 << 10;
const BULK_BYTES_MAX = 1 << 30;
const DEPTH_MAX = 32;
/** Of a verbatim string: `txt:`. */
const FORMAT_BYTES = 4;

/** Takes replies off the front of a queue; a half-received reply is kept and never parsed twice. */
export class ReplyParser {
  readonly #queue: ByteQueue;
  /** Arrays that are still being filled, the outermost first. */
  readonly #open: { items: Reply[]; count: number; whole: (items: Reply[]) => Reply }[] = [];
  /** Length of the bulk whose header was read already, -1 between replies, and whether it is a verbatim string. */
  #bulkBytes = -1;
  #isVerbatim = false;
  /** How far the header at the front was searched for its end. */
  #searchedBytes = 0;

  constructor(queue: ByteQueue = new ByteQueue()) {
    this.#queue = queue;
  }

  /** Adds received bytes. */
  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }

  /** True between two replies: nothing of the next one has been taken off the queue. */
  get idle(): boolean {
    return this.#open.length === 0 && this.#bulkBytes < 0;
  }

  /** The next whole reply, or undefined for more bytes. Throws on bytes that are not RESP. */
  next(): Reply | undefined {
    for (;;) {
      let value = this.#element();
      if (value === undefined) return undefined;
      if (value === OPENED) continue;
      for (;;) { // close every array that this element completes
        const inner = this.#open.at(-1);
        if (inner === undefined) return value;
        inner.items.push(value);
        if (inner.items.length < inner.count) break;
        this.#open.pop();
        value = inner.whole(inner.items);
      }
    }
  }

  #element(): Reply | typeof OPENED | undefined {
    if (this.#bulkBytes >= 0) return this.#bulk();
    const end = this.#queue.indexOf(CRLF, this.#searchedBytes);
    if (end < 0) {
      this.#searchedBytes = Math.max(0, this.#queue.length - 1);
      if (this.#searchedBytes > HEADER_BYTES_MAX) {
        throw new Error(`Cannot parse reply: no line end in ${this.#searchedBytes} bytes`);
      }
      return undefined;
    }
    this.#searchedBytes = 0;
    const line = this.#queue.text(end); // Latin-1, so that no byte of an error gets lost
    this.#queue.skip(end + 2);
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return new Status(rest);
      case "-":
        return new ErrorReply(rest);
      case ":":
        return integer(line);
      case "$": {
        const bytes = length(line, BULK_BYTES_MAX);
        if (bytes < 0) return null;
        this.#bulkBytes = bytes;
        return this.#bulk();
      }
      case "=": {
        this.#bulkBytes = length(line, BULK_BYTES_MAX);
        if (this.#bulkBytes < FORMAT_BYTES) {
          throw new Error(`Cannot parse reply: no format: ${line}`);
        }
        this.#isVerbatim = true;
        return this.#bulk();
      }
      case "*":
        return this.#aggregate(length(line, BULK_BYTES_MAX), (items) => items);
      case "~":
        return this.#aggregate(length(line, BULK_BYTES_MAX), (items) => new SetReply(items));
      case "%":
        return this.#aggregate(length(line, BULK_BYTES_MAX) * 2, (items) => new MapReply(items));
      case "_":
        if (rest === "") return null;
        break;
      case "#":
        if (rest === "t" || rest === "f") return rest === "t";
        break;
      case ",":
        if (/^(?:-?inf|nan|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/.test(rest)) return new DoubleReply(rest);
        break;
      case "(":
        if (/^-?\d+$/.test(rest)) return BigInt(rest);
        break;
    }
    throw new Error(`Cannot parse reply: received ${JSON.stringify(line)}`);
  }

  /** Of a negative count: a null array. */
  #aggregate(count: number, whole: (items: Reply[]) => Reply): Reply | typeof OPENED {
    if (count < 0) return null;
    if (count === 0) return whole([]);
    if (this.#open.length === DEPTH_MAX) {
      throw new Error(`Cannot parse reply: arrays deeper than ${DEPTH_MAX}`);
    }
    this.#open.push({ items: [], count, whole });
    return OPENED;
  }

  #bulk(): Uint8Array | VerbatimReply | undefined {
    if (this.#queue.length < this.#bulkBytes + 2) return undefined;
    const end = this.#bulkBytes;
    if (this.#queue.at(end) !== 13 || this.#queue.at(end + 1) !== 10) {
      throw new Error(`Cannot parse reply: bulk of ${end} bytes is not followed by CRLF`);
    }
    const bytes = this.#queue.take(end);
    this.#queue.skip(2);
    this.#bulkBytes = -1;
    if (!this.#isVerbatim) return bytes;
    this.#isVerbatim = false;
    return new VerbatimReply(bytes.subarray(FORMAT_BYTES));
  }
}

/** An array's header was read; its elements follow. */
const OPENED = Symbol("array opened");

function integer(line: string): number | bigint {
  if (!/^:[+-]?\d{1,19}$/.test(line)) {
    throw new Error(`Cannot parse reply: not an integer: received ${JSON.stringify(line)}`);
  }
  const value = Number(line.slice(1));
  return Number.isSafeInteger(value) ? value : BigInt(line.slice(line[1] === "+" ? 2 : 1));
}

function length(line: string, max: number): number {
  const value = /^.(-1|\d{1,10})$/.test(line) ? Number(line.slice(1)) : NaN;
  if (!(value <= max)) {
    throw new Error(`Cannot parse reply: bad length: received ${JSON.stringify(line)}`);
  }
  return value;
}

/**
 * A reply in plain JavaScript, for short assertions: `"+OK"`, `"-ERR ..."`, numbers, null, arrays;
 * a bulk string becomes its UTF-8 text without a mark.
 */
export type PlainReply = string | number | bigint | boolean | null | PlainReply[];

/** See PlainReply; sets and maps become arrays, doubles and verbatim strings their text. A bulk that is not UTF-8 throws: compare its bytes instead. */
export function plain(reply: Reply): PlainReply {
  if (reply instanceof Status) return `+${reply.text}`;
  if (reply instanceof ErrorReply) return `-${reply.text}`;
  if (reply instanceof Uint8Array) return new TextDecoder("utf-8", { fatal: true }).decode(reply);
  if (reply instanceof VerbatimReply) return plain(reply.bytes);
  if (reply instanceof DoubleReply) return reply.text;
  if (reply instanceof SetReply || reply instanceof MapReply) return reply.items.map(plain);
  if (Array.isArray(reply)) return reply.map(plain);
  return reply;
}
