// Replies as JSON; knows no command, no route and no connection.
import { formatDouble } from "./double_format.ts";
import { INTEGER_BYTES_MAX, writeBigInteger, writeInteger } from "./number_format.ts";
import { isPlain, lastSpecialBits, specialBits } from "../plain_words.ts";
import type { ReplyBuffer, ValueSource } from "./reply_buffer.ts";
import { clampLength, copyBytes, PIECE_BYTES_MAX, utf8 } from "./reply_copy.ts";
import type { ReplyWriter } from "./reply_writer.ts";

/** Arrays within arrays: COMMAND DOCS has about ten; more is a handler's mistake. */
const NESTING_MAX = 32;
/** Up to here a text is looked at byte by byte as it is copied; longer ones are decoded and quoted whole. */
const LOOP_BYTES_MAX = 16_384;
/** Quotes, brackets and separators around one element, and the slack of word stores. */
const FRAME_BYTES_MAX = 16;
const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;
const COLON = 58;
const OPEN_ARRAY = 91;
const CLOSE_ARRAY = 93;
const OPEN_MAP = 123;
const CLOSE_MAP = 125;
const SPACE = 32;
const DELETE = 127;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What stands around each reply that is no element of another one. */
export interface JsonFrame {
  /** Before a result, and before an error's text. */
  readonly result: string;
  readonly error: string;
  readonly end: string;
}

/** `{"result":1}`, `{"error":"ERR syntax error"}`. */
export const RESULT_FRAME: JsonFrame = { result: '{"result":', error: '{"error":', end: "}" };

/** A reply alone. */
export const BARE_FRAME: JsonFrame = { result: "", error: "", end: "" };

/**
 * Strings that are UTF-8 become JSON strings, other bytes `{"base64": "..."}`; whole numbers beyond 2^53 become
 * strings of digits, which no reader rounds; maps become objects, and a name in them that is not UTF-8 is
 * `base64:` and its base64. Replies outside of arrays are parted by commas, each in the frame. A source lies
 * between the segments as it is: who sends it has to quote it.
 */
export class JsonWriter implements ReplyWriter {
  /** Replies since `begin()`, elements not counted. */
  count = 0;
  /** Of the last reply that is no element: whether it was no value, and its text if it was an error. */
  isNil = false;
  errorText: string | null = null;
  /** Whether all that was written since `begin()` is ASCII, sources not counted. */
  isAscii = true;

  #frame: JsonFrame = RESULT_FRAME;
  #frameBytes: readonly Uint8Array[] = frameBytes(RESULT_FRAME);
  /** Of each array and map that is open: elements still to come, how many came, and which it is. */
  #depth = 0;
  readonly #left = new Int32Array(NESTING_MAX + 1);
  readonly #done = new Int32Array(NESTING_MAX + 1);
  readonly #isMap = new Uint8Array(NESTING_MAX + 1);
  #markCount = 0;
  #markDepth = 0;
  readonly #markLeft = new Int32Array(NESTING_MAX + 1);
  readonly #markDone = new Int32Array(NESTING_MAX + 1);
  readonly #markIsMap = new Uint8Array(NESTING_MAX + 1);

  constructor(readonly out: ReplyBuffer) {}

  /** Starts anew, over an empty buffer, with this frame around each reply. */
  begin(frame: JsonFrame): void {
    if (frame !== this.#frame) {
      this.#frame = frame;
      this.#frameBytes = frameBytes(frame);
    }
    this.count = 0;
    this.isNil = false;
    this.errorText = null;
    this.isAscii = true;
    this.#depth = 0;
  }

  /** Lets go of all that was written. */
  discard(): void {
    this.out.discard();
  }

  /** Appends JSON of ASCII that is not a reply, outside of arrays. */
  raw(json: string): void {
    this.#literal(utf8(json));
  }

  mark(): void {
    this.out.mark();
    this.#markCount = this.count;
    this.#markDepth = this.#depth;
    for (let i = 1; i <= this.#depth; i++) {
      this.#markLeft[i] = this.#left[i];
      this.#markDone[i] = this.#done[i];
      this.#markIsMap[i] = this.#isMap[i];
    }
  }

  rewind(): void {
    this.out.rewind();
    this.count = this.#markCount;
    this.#depth = this.#markDepth;
    for (let i = 1; i <= this.#depth; i++) {
      this.#left[i] = this.#markLeft[i];
      this.#done[i] = this.#markDone[i];
      this.#isMap[i] = this.#markIsMap[i];
    }
  }

  ok(): void {
    this.bulkText("OK");
  }

  status(text: string): void {
    this.bulkText(text);
  }

  error(text: string): void {
    this.out.errors.push(text);
    if (this.#depth === 0) {
      this.#beginReply(1);
      this.errorText = text;
      this.isAscii = false;
      this.#literal(utf8(JSON.stringify(text)));
    } else {
      this.#beginElement();
      this.isAscii = false;
      this.#literal(utf8(`{"error":${JSON.stringify(text)}}`));
    }
    this.#end();
  }

  integer(value: number): void {
    this.#beginElement();
    const out = this.out, quotes = this.#isName();
    out.ensure(INTEGER_BYTES_MAX + FRAME_BYTES_MAX);
    if (quotes) out.bytes[out.position++] = QUOTE;
    out.position = writeInteger(out.bytes, out.position, value);
    if (quotes) out.bytes[out.position++] = QUOTE;
    this.#end();
  }

  bigInteger(value: bigint): void {
    this.#beginElement();
    const out = this.out, quotes = this.#isName() || value > SAFE_MAX || value < -SAFE_MAX;
    out.ensure(INTEGER_BYTES_MAX + FRAME_BYTES_MAX);
    if (quotes) out.bytes[out.position++] = QUOTE;
    out.position = writeBigInteger(out.bytes, out.position, value);
    if (quotes) out.bytes[out.position++] = QUOTE;
    this.#end();
  }

  bulk(bytes: Uint8Array, start: number, end: number): void {
    this.#beginElement();
    this.#string(bytes, start, end - start);
    this.#end();
  }

  bulkText(text: string): void {
    const bytes = utf8(text);
    this.bulk(bytes, 0, bytes.length);
  }

  bulkWords(words: Int32Array, bytes: Uint8Array, start: number, lengthBytes: number): void {
    const length = clampLength(words, start, lengthBytes);
    this.#beginElement();
    if (!this.#plainWords(words, start, length)) this.#string(bytes, start, length);
    this.#end();
  }

  bulkSource(source: ValueSource): void {
    this.#beginElement();
    if (source.lengthBytes === 0) {
      source.release();
      this.#string(new Uint8Array(0), 0, 0);
    } else this.out.pushSource(source);
    this.#end();
  }

  nil(): void {
    this.#beginElement();
    if (this.#depth === 0) this.isNil = true;
    this.#literal(this.#isName() ? NULL_NAME : NULL);
    this.#end();
  }

  nilArray(): void {
    this.nil();
  }

  array(count: number): void {
    this.#open(count, 0);
  }

  map(count: number): void {
    this.#open(count * 2, 1);
  }

  set(count: number): void {
    this.#open(count, 0);
  }

  pairs(count: number): void {
    this.#open(count, 0);
  }

  pair(): void {
    this.#open(2, 0);
  }

  double(value: number): void {
    if (this.#isName() || !Number.isFinite(value)) this.bulkText(formatDouble(value));
    else this.#word(String(value));
  }

  boolean(value: boolean): void {
    if (this.#isName()) this.bulkText(String(value));
    else this.#word(String(value));
  }

  bigNumber(digits: string): void {
    if (this.#isName() || !Number.isSafeInteger(Number(digits))) this.bulkText(digits);
    else this.#word(digits);
  }

  verbatim(text: string): void {
    this.bulkText(text);
  }

  useVersion(_version: number): void {}

  /** Something of JSON that needs no quotes. */
  #word(json: string): void {
    this.#beginElement();
    this.#literal(utf8(json));
    this.#end();
  }

  #open(elements: number, isMap: 0 | 1): void {
    this.#beginElement();
    const out = this.out;
    out.ensure(FRAME_BYTES_MAX);
    out.bytes[out.position++] = isMap === 1 ? OPEN_MAP : OPEN_ARRAY;
    if (elements === 0) {
      out.bytes[out.position++] = isMap === 1 ? CLOSE_MAP : CLOSE_ARRAY;
      this.#end();
      return;
    }
    if (this.#depth === NESTING_MAX) {
      throw new Error(
        `Cannot nest a reply: received more than ${NESTING_MAX} arrays in each other`,
      );
    }
    const depth = ++this.#depth;
    this.#left[depth] = elements;
    this.#done[depth] = 0;
    this.#isMap[depth] = isMap;
  }

  /** Whether what comes is a name within an object. */
  #isName(): boolean {
    return this.#depth > 0 && this.#isMap[this.#depth] === 1 && (this.#done[this.#depth] & 1) === 0;
  }

  /** Parts what comes from what is there. */
  #beginElement(): void {
    const depth = this.#depth;
    if (depth === 0) {
      this.#beginReply(0);
      return;
    }
    const done = this.#done[depth];
    if (done === 0) return;
    const out = this.out;
    out.ensure(1);
    out.bytes[out.position++] = this.#isMap[depth] === 1 && (done & 1) === 1 ? COLON : COMMA;
  }

  #beginReply(frameIndex: 0 | 1): void {
    const out = this.out;
    this.isNil = false;
    this.errorText = null;
    if (this.count++ > 0) {
      out.ensure(1);
      out.bytes[out.position++] = COMMA;
    }
    this.#literal(this.#frameBytes[frameIndex]);
  }

  /** Closes what is complete. */
  #end(): void {
    const out = this.out;
    while (this.#depth > 0) {
      const depth = this.#depth;
      this.#done[depth]++;
      if (--this.#left[depth] > 0) return;
      out.ensure(1);
      out.bytes[out.position++] = this.#isMap[depth] === 1 ? CLOSE_MAP : CLOSE_ARRAY;
      this.#depth--;
    }
    this.#literal(this.#frameBytes[2]);
  }

  /** A string out of words, `start` a multiple of 4, four bytes at once; false, and nothing is said, if it is not plain. */
  #plainWords(words: Int32Array, start: number, length: number): boolean {
    if (length > LOOP_BYTES_MAX) return false;
    const out = this.out;
    out.ensure(length + FRAME_BYTES_MAX);
    const view = out.view, end = out.position + 1 + length;
    let at = out.position + 1, from = start >> 2, special = 0;
    for (; at + 4 <= end; at += 4) {
      const word = words[from++];
      view.setInt32(at, word, true);
      special |= specialBits(word);
    }
    if (at < end) {
      const word = words[from];
      view.setInt32(at, word, true);
      special |= lastSpecialBits(word, end - at);
    }
    if (!isPlain(special)) return false;
    out.bytes[out.position] = QUOTE;
    out.bytes[end] = QUOTE;
    out.position = end + 1;
    return true;
  }

  #string(bytes: Uint8Array, start: number, length: number): void {
    const out = this.out;
    if (length <= LOOP_BYTES_MAX) {
      out.ensure(length + FRAME_BYTES_MAX);
      const target = out.bytes, end = start + length;
      let position = out.position;
      target[position++] = QUOTE;
      let i = start;
      for (; i < end; i++) {
        const byte = bytes[i];
        if (byte < SPACE || byte >= DELETE || byte === QUOTE || byte === BACKSLASH) break;
        target[position++] = byte;
      }
      if (i === end) {
        target[position++] = QUOTE;
        out.position = position;
        return;
      }
    }
    this.isAscii = false;
    // A copy, because the value may lie in shared memory, which no decoder takes.
    this.#literal(utf8(quotedBytes(bytes.slice(start, start + length), this.#isName())));
  }

  #literal(bytes: Uint8Array): void {
    const length = bytes.length;
    if (length <= PIECE_BYTES_MAX) this.out.ensure(length);
    copyBytes(this.out, bytes, 0, length);
  }
}

const NULL = utf8("null");
const NULL_NAME = utf8('"null"');

/** Bytes as JSON: a string if they are UTF-8, else as the writer's comment says. */
export function quotedBytes(bytes: Uint8Array, isName: boolean): string {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    const base64 = bytes.toBase64();
    return isName ? `"base64:${base64}"` : `{"base64":"${base64}"}`;
  }
  return JSON.stringify(text);
}

function frameBytes({ result, error, end }: JsonFrame): readonly Uint8Array[] {
  return [utf8(result), utf8(error), utf8(end)];
}
