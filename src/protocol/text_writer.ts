// Replies as lines of plain text, for nc and for people; knows no command and no connection.
import { formatDouble } from "./double_format.ts";
import { INTEGER_BYTES_MAX, writeBigInteger, writeInteger } from "./number_format.ts";
import type { ReplyBuffer, ValueSource } from "./reply_buffer.ts";
import {
  clampLength,
  copyBytes,
  copyLineText,
  copyWords,
  PIECE_BYTES_MAX,
  utf8,
} from "./reply_copy.ts";
import type { ReplyWriter } from "./reply_writer.ts";

const SPACE = 32;
const LF = 10;
/** A blank before, an LF behind, and the slack of word stores. */
const FRAME_BYTES_MAX = 8;
const UNKNOWN_COMMAND = "ERR unknown command";
const GENERIC_CODE = "ERR ";

/** The words of a miss and of an error, after the two systems whose clients speak text. */
export interface TextDialect {
  readonly miss: string;
  readonly error: string;
  /** Whether the reason stands behind the word of an error. */
  readonly tellsWhy: boolean;
}

export const TEXT_DIALECTS = {
  "mem-kv": { miss: "(nil)", error: "ERROR", tellsWhy: true },
  hld: { miss: "NOTFOUND", error: "ERROR", tellsWhy: false },
} as const satisfies Readonly<Record<string, TextDialect>>;

/**
 * One line per reply. The elements of an array stand on one line, parted by one space; arrays within arrays are
 * flattened, so one count of what is still to come on the line serves for any nesting.
 */
export class TextWriter implements ReplyWriter {
  /** Replies still to come on this line; 0 outside of arrays. */
  #pending = 0;
  /** Whether the line has an element before the next one. */
  #started = false;
  #markPending = 0;
  #markStarted = false;

  constructor(
    readonly out: ReplyBuffer,
    readonly dialect: TextDialect = TEXT_DIALECTS["mem-kv"],
  ) {}

  mark(): void {
    this.out.mark();
    this.#markPending = this.#pending;
    this.#markStarted = this.#started;
  }

  rewind(): void {
    this.out.rewind();
    this.#pending = this.#markPending;
    this.#started = this.#markStarted;
  }

  ok(): void {
    this.#text("OK");
  }

  status(text: string): void {
    this.#text(text);
  }

  error(text: string): void {
    this.out.errors.push(text);
    const { error, tellsWhy } = this.dialect;
    if (!tellsWhy) this.#text(error);
    else if (text.startsWith(UNKNOWN_COMMAND)) this.#text(`${error}: Unknown command`);
    else {
      const why = text.startsWith(GENERIC_CODE) ? text.slice(GENERIC_CODE.length) : text;
      this.#begin(0);
      copyLineText(this.out, `${error}: `, 0);
      copyLineText(this.out, why, 1);
      this.#end();
    }
  }

  integer(value: number): void {
    const out = this.out;
    this.#begin(INTEGER_BYTES_MAX);
    out.position = writeInteger(out.bytes, out.position, value);
    this.#end();
  }

  bigInteger(value: bigint): void {
    const out = this.out;
    this.#begin(INTEGER_BYTES_MAX);
    out.position = writeBigInteger(out.bytes, out.position, value);
    this.#end();
  }

  bulk(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#begin(length > PIECE_BYTES_MAX ? 0 : length);
    copyBytes(this.out, bytes, start, end);
    this.#end();
  }

  bulkText(text: string): void {
    const bytes = utf8(text);
    this.bulk(bytes, 0, bytes.length);
  }

  bulkWords(words: Int32Array, bytes: Uint8Array, start: number, lengthBytes: number): void {
    const length = clampLength(words, start, lengthBytes);
    this.#begin(length > PIECE_BYTES_MAX ? 0 : length);
    copyWords(this.out, words, bytes, start, length);
    this.#end();
  }

  bulkSource(source: ValueSource): void {
    this.#begin(0);
    if (source.lengthBytes === 0) source.release();
    else this.out.pushSource(source);
    this.#end();
  }

  nil(): void {
    this.#text(this.dialect.miss);
  }

  nilArray(): void {
    this.nil();
  }

  array(count: number): void {
    if (count > 0) {
      // An array within an array takes the place of one element.
      this.#pending = this.#pending === 0 ? count : this.#pending + count - 1;
    } else if (this.#pending > 1) this.#pending--;
    else this.#endLine();
  }

  map(count: number): void {
    this.array(count * 2);
  }

  set(count: number): void {
    this.array(count);
  }

  pairs(count: number): void {
    this.array(count * 2);
  }

  pair(): void {}

  double(value: number): void {
    this.#text(formatDouble(value));
  }

  boolean(value: boolean): void {
    this.integer(value ? 1 : 0);
  }

  bigNumber(digits: string): void {
    this.#text(digits);
  }

  verbatim(text: string): void {
    this.bulkText(text);
  }

  useVersion(_version: number): void {}

  #text(text: string): void {
    this.#begin(0);
    copyLineText(this.out, text, 1);
    this.#end();
  }

  /** Makes room for the element and its frame, and parts it from the one before. */
  #begin(lengthBytes: number): void {
    const out = this.out;
    out.ensure(lengthBytes + FRAME_BYTES_MAX);
    if (this.#started) out.bytes[out.position++] = SPACE;
  }

  #end(): void {
    if (this.#pending > 1) {
      this.#pending--;
      this.#started = true;
    } else this.#endLine();
  }

  #endLine(): void {
    const out = this.out;
    this.#pending = 0;
    this.#started = false;
    out.ensure(1);
    out.bytes[out.position++] = LF;
  }
}
