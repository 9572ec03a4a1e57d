// Replies in RESP2 or RESP3; knows no command and no connection.
//
// One class for both: a second one would make every call of a reply polymorphic, and all that is hot is the same.
import { formatDouble } from "./double_format.ts";
import { INTEGER_BYTES_MAX, writeBigInteger, writeDigits, writeInteger } from "./number_format.ts";
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

const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const STAR = 42;
const COMMA = 44;
const PERCENT = 37;
const TILDE = 126;
const EQUALS = 61;
const OPEN_PARENTHESIS = 40;
const LF = 10;
/** Little-endian words, so that a short reply is one or two stores. */
const CRLF = 0x0a0d;
const OK_HEAD = 0x0d4b4f2b; // "+OK\r"
const NIL_HEAD = 0x0d312d24; // "$-1\r"
const NIL_ARRAY_HEAD = 0x0d312d2a; // "*-1\r"
const NULL_LINE = 0x0a0d5f; // "_\r\n"
const TRUE_LINE = 0x0a0d7423; // "#t\r\n"
const FALSE_LINE = 0x0a0d6623; // "#f\r\n"
const VERBATIM_FORMAT = "txt:";
const DIGIT_LINE = 0x0a0d3000; // "?0\r\n", the type is put into the low byte and the digit added above it
const TWO_DIGITS_HEAD = 0x0d303000; // "?00\r"
/** A type byte, an integer and CRLF, and as much again for CRLF behind a value and the slack of word stores. */
const FRAME_BYTES_MAX = INTEGER_BYTES_MAX + 12;

export class RespWriter implements ReplyWriter {
  #isResp3 = false;

  constructor(readonly out: ReplyBuffer) {}

  useVersion(version: number): void {
    this.#isResp3 = version === 3;
  }

  mark(): void {
    this.out.mark();
  }

  rewind(): void {
    this.out.rewind();
  }

  ok(): void {
    fiveBytes(this.out, OK_HEAD);
  }

  status(text: string): void {
    line(this.out, PLUS, text);
  }

  error(text: string): void {
    this.out.errors.push(text);
    line(this.out, MINUS, text);
  }

  integer(value: number): void {
    const out = this.out;
    out.ensure(FRAME_BYTES_MAX);
    if (value >= 0 && value < 10) header(out, COLON, value);
    else {
      out.bytes[out.position] = COLON;
      crlf(out, writeInteger(out.bytes, out.position + 1, value));
    }
  }

  bigInteger(value: bigint): void {
    const out = this.out;
    out.ensure(FRAME_BYTES_MAX);
    out.bytes[out.position] = COLON;
    crlf(out, writeBigInteger(out.bytes, out.position + 1, value));
  }

  bulk(bytes: Uint8Array, start: number, end: number): void {
    const out = this.out;
    const length = end - start;
    out.ensure(FRAME_BYTES_MAX + (length > PIECE_BYTES_MAX ? 0 : length));
    header(out, DOLLAR, length);
    copyBytes(out, bytes, start, end);
    if (length > PIECE_BYTES_MAX) out.ensure(2);
    crlf(out, out.position);
  }

  bulkText(text: string): void {
    const bytes = utf8(text);
    this.bulk(bytes, 0, bytes.length);
  }

  bulkWords(words: Int32Array, bytes: Uint8Array, start: number, lengthBytes: number): void {
    const out = this.out;
    const length = clampLength(words, start, lengthBytes);
    if (length < 10) {
      // Short ones come in numbers: the fields of a hash. In one piece they take a fifth less.
      out.ensure(FRAME_BYTES_MAX);
      const view = out.view, at = out.position, word = start >> 2;
      view.setInt32(at, DIGIT_LINE + DOLLAR + (length << 8), true);
      if (length > 0) view.setInt32(at + 4, words[word], true);
      if (length > 4) view.setInt32(at + 8, words[word + 1], true);
      if (length > 8) view.setInt32(at + 12, words[word + 2], true);
      view.setUint16(at + 4 + length, CRLF, true);
      out.position = at + 6 + length;
      return;
    }
    out.ensure(FRAME_BYTES_MAX + (length > PIECE_BYTES_MAX ? 0 : length));
    header(out, DOLLAR, length);
    copyWords(out, words, bytes, start, length);
    if (length > PIECE_BYTES_MAX) out.ensure(2);
    crlf(out, out.position);
  }

  bulkSource(source: ValueSource): void {
    const out = this.out;
    out.ensure(FRAME_BYTES_MAX);
    header(out, DOLLAR, source.lengthBytes);
    if (source.lengthBytes === 0) source.release();
    else {
      out.pushSource(source);
      out.ensure(2);
    }
    crlf(out, out.position);
  }

  nil(): void {
    if (this.#isResp3) nullLine(this.out);
    else fiveBytes(this.out, NIL_HEAD);
  }

  nilArray(): void {
    if (this.#isResp3) nullLine(this.out);
    else fiveBytes(this.out, NIL_ARRAY_HEAD);
  }

  array(count: number): void {
    this.out.ensure(FRAME_BYTES_MAX);
    header(this.out, STAR, count);
  }

  map(count: number): void {
    if (!this.#isResp3) return this.array(count * 2);
    this.out.ensure(FRAME_BYTES_MAX);
    header(this.out, PERCENT, count);
  }

  set(count: number): void {
    this.out.ensure(FRAME_BYTES_MAX);
    header(this.out, this.#isResp3 ? TILDE : STAR, count);
  }

  pairs(count: number): void {
    this.array(this.#isResp3 ? count : count * 2);
  }

  pair(): void {
    if (this.#isResp3) this.array(2);
  }

  double(value: number): void {
    const text = formatDouble(value);
    if (this.#isResp3) line(this.out, COMMA, text);
    else this.bulkText(text);
  }

  boolean(value: boolean): void {
    if (!this.#isResp3) return this.integer(value ? 1 : 0);
    const out = this.out;
    out.ensure(4);
    out.view.setInt32(out.position, value ? TRUE_LINE : FALSE_LINE, true);
    out.position += 4;
  }

  bigNumber(digits: string): void {
    if (this.#isResp3) line(this.out, OPEN_PARENTHESIS, digits);
    else this.bulkText(digits);
  }

  verbatim(text: string): void {
    if (!this.#isResp3) return this.bulkText(text);
    const out = this.out, bytes = utf8(VERBATIM_FORMAT + text);
    out.ensure(FRAME_BYTES_MAX);
    header(out, EQUALS, bytes.length);
    out.write(bytes, 0, bytes.length);
    out.ensure(2);
    crlf(out, out.position);
  }
}

/** Ends one byte further than it writes, within the chunk's slack. */
function nullLine(out: ReplyBuffer): void {
  out.ensure(4);
  out.view.setInt32(out.position, NULL_LINE, true);
  out.position += 3;
}

/** Writes the type byte, a number of 0 to 2^31 − 1 and CRLF; the room is there. */
function header(out: ReplyBuffer, type: number, value: number): void {
  const position = out.position;
  if (value < 10) {
    out.view.setInt32(position, DIGIT_LINE + type + (value << 8), true);
    out.position = position + 4;
  } else if (value < 100) {
    const tens = (value / 10) | 0;
    const digits = (tens << 8) | ((value - tens * 10) << 16);
    out.view.setInt32(position, TWO_DIGITS_HEAD + type + digits, true);
    out.bytes[position + 4] = LF;
    out.position = position + 5;
  } else {
    out.bytes[position] = type;
    crlf(out, writeDigits(out.bytes, position + 1, value));
  }
}

/** Ends a reply with CRLF at `position`; the room is there. */
function crlf(out: ReplyBuffer, position: number): void {
  out.view.setUint16(position, CRLF, true);
  out.position = position + 2;
}

function fiveBytes(out: ReplyBuffer, head: number): void {
  out.ensure(5);
  const position = out.position;
  out.view.setInt32(position, head, true);
  out.bytes[position + 4] = LF;
  out.position = position + 5;
}

function line(out: ReplyBuffer, type: number, text: string): void {
  out.ensure(1);
  out.bytes[out.position++] = type;
  copyLineText(out, text, 2);
  crlf(out, out.position);
}
