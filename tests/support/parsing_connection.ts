// What a connection does around the parser, without a socket: buffer, parse when enough is there, compact.
import assert from "node:assert/strict";
import { RequestBatch } from "../../src/protocol/request_batch.ts";
import { type ParseLimits, parseRequests } from "../../src/protocol/request_parser.ts";

export interface ParsedCommand {
  readonly style: number;
  /** Arguments as Latin-1, one character per byte. */
  readonly args: readonly string[];
}

export interface ParseOutcome {
  readonly commands: ParsedCommand[];
  readonly error: string | null;
  readonly errorStyle: number;
  readonly closed: boolean;
  /** Bytes that were left over. */
  readonly leftBytes: number;
}

export const LIMITS: ParseLimits = {
  bulkBytesMax: 1 << 26,
  argumentsMax: 1_048_576,
  inlineBytesMax: 65_536,
  outOfLineBytesMin: 16_384,
  inlineReply: 0,
  authenticated: true,
};

const SLACK_BYTES = 8;
/** Stale bytes behind what has arrived; they must not be believed, however much they look like a request. */
const STALE = "\n\r\n$1\r\nx\r\n*1\r\n0\r\n\r\n";
/** Where the unconsumed bytes begin in the buffer, so that offsets and counts are not the same numbers. */
const BASE = 3;

export function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export function fromLatin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

export class ParsingConnection {
  readonly batch = new RequestBatch();
  readonly commands: ParsedCommand[] = [];
  parserCalls = 0;
  /** Bytes shown to the parser, over all calls: what parsing costs. */
  parserBytes = 0;
  #bytes = new Uint8Array(64);
  #have = 0;
  #needed = 0;
  #isOver = false;

  constructor(readonly limits: ParseLimits = LIMITS) {}

  get outcome(): ParseOutcome {
    return {
      commands: this.commands,
      error: this.#isOver ? this.batch.error : null,
      errorStyle: this.#isOver ? this.batch.errorStyle : 0,
      closed: this.#isOver && this.batch.closeSilently,
      leftBytes: this.#have,
    };
  }

  feed(piece: Uint8Array): void {
    if (this.#isOver) return;
    this.#append(piece);
    while (!this.#isOver && this.#have > 0 && this.#have >= this.#needed) this.#parse();
  }

  #append(piece: Uint8Array): void {
    const size = BASE + this.#have + piece.length + SLACK_BYTES;
    if (size > this.#bytes.length) {
      const next = new Uint8Array(size * 2);
      next.set(this.#bytes);
      this.#bytes = next;
    }
    this.#bytes.set(piece, BASE + this.#have);
    this.#have += piece.length;
  }

  #parse(): void {
    const bytes = this.#bytes;
    const to = BASE + this.#have;
    for (let i = 0; i < SLACK_BYTES; i++) {
      bytes[to + i] = STALE.charCodeAt((i + this.parserCalls * 5) % STALE.length);
    }
    const batch = this.batch;
    batch.reset(bytes, new DataView(bytes.buffer));
    const end = parseRequests(batch, BASE, to, this.limits);
    this.parserCalls++;
    this.parserBytes += this.#have;
    assert.ok(end >= BASE && end <= to, `consumed to ${end} of ${BASE}..${to}`);
    for (let c = 0; c < batch.commandCount; c++) {
      const args = [];
      for (let i = batch.commandArg[c]; i < batch.commandArg[c + 1]; i++) {
        assert.ok(batch.argStart[i] <= batch.argEnd[i] && batch.argEnd[i] <= to);
        args.push(fromLatin1(bytes.subarray(batch.argStart[i], batch.argEnd[i])));
      }
      this.commands.push({ style: batch.commandStyle[c], args });
    }
    assert.equal(batch.argCount, batch.commandArg[batch.commandCount]);
    bytes.copyWithin(BASE, end, to);
    this.#have = to - end;
    this.#needed = batch.neededBytes;
    if (batch.error !== null || batch.closeSilently) this.#isOver = true;
    else if (this.#needed > 0) assert.ok(this.#needed > this.#have, "asks for what is there");
    else assert.ok(end > BASE, "no progress, and nothing asked for");
  }
}

/** The outcome of `input` in pieces that end at the given offsets. */
export function parseInPieces(
  input: Uint8Array,
  ends: readonly number[],
  limits: ParseLimits = LIMITS,
): ParseOutcome {
  const connection = new ParsingConnection(limits);
  let start = 0;
  for (const end of [...ends, input.length]) {
    if (end > start) {
      connection.feed(input.subarray(start, end));
      start = end;
    }
  }
  return connection.outcome;
}

/** The outcome of `input` at once, after the same was found for it byte by byte and in pieces of 2, 3, 7, 19. */
export function parseEveryWay(text: string, limits: ParseLimits = LIMITS): ParseOutcome {
  const input = latin1(text);
  const whole = parseInPieces(input, [], limits);
  for (const step of [1, 2, 3, 7, 19]) {
    const ends = [];
    for (let end = step; end < input.length; end += step) ends.push(end);
    const split = parseInPieces(input, ends, limits);
    // After an error the rest of the input is not looked at, so what is left over may differ.
    const leftBytes = whole.error === null && !whole.closed ? split.leftBytes : whole.leftBytes;
    assert.deepEqual({ ...split, leftBytes }, whole, `in pieces of ${step}`);
  }
  return whole;
}

export function resp(...args: string[]): string {
  return `*${args.length}\r\n` + args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("");
}
