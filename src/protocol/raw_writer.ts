// Bulk strings as bytes without any frame, for bodies that are one value; knows no command and no connection.
import type { ReplyBuffer, ValueSource } from "./reply_buffer.ts";
import { clampLength, copyBytes, copyWords, PIECE_BYTES_MAX, utf8 } from "./reply_copy.ts";
import type { ReplyWriter } from "./reply_writer.ts";

/** As much as word stores may go past a value. */
const SLACK_BYTES = 8;

/**
 * The bytes of bulk strings stand behind each other in `out`; of all other replies the last of its kind is
 * remembered. For commands that reply at most one bulk string, and no arrays.
 */
export class RawWriter implements ReplyWriter {
  number = NaN;
  isNil = false;
  errorText: string | null = null;
  #source: ValueSource | null = null;
  #markNumber = NaN;

  constructor(readonly out: ReplyBuffer) {}

  /** Starts anew, over an empty buffer. */
  begin(): void {
    this.number = NaN;
    this.isNil = false;
    this.errorText = null;
    this.#source = null;
  }

  /** A value that is sent from where it lies, null if there is none; whoever takes it has to release it. */
  takeSource(): ValueSource | null {
    const source = this.#source;
    this.#source = null;
    return source;
  }

  /** Lets go of all that was written. */
  discard(): void {
    this.out.discard();
    this.#source?.release();
    this.#source = null;
  }

  mark(): void {
    this.out.mark();
    this.#markNumber = this.number;
  }

  rewind(): void {
    this.out.rewind();
    this.number = this.#markNumber;
    this.isNil = false;
    this.errorText = null;
    this.#source?.release();
    this.#source = null;
  }

  ok(): void {}

  status(_text: string): void {}

  error(text: string): void {
    this.out.errors.push(text);
    this.errorText = text;
  }

  integer(value: number): void {
    this.number = value;
  }

  bigInteger(value: bigint): void {
    this.number = Number(value);
  }

  bulk(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > PIECE_BYTES_MAX) {
      this.#source = new BytesSource(bytes.slice(start, end));
      return;
    }
    this.out.ensure(length + SLACK_BYTES);
    copyBytes(this.out, bytes, start, end);
  }

  bulkText(text: string): void {
    const bytes = utf8(text);
    this.bulk(bytes, 0, bytes.length);
  }

  bulkWords(words: Int32Array, bytes: Uint8Array, start: number, lengthBytes: number): void {
    const length = clampLength(words, start, lengthBytes);
    this.out.ensure(length > PIECE_BYTES_MAX ? 0 : length + SLACK_BYTES);
    copyWords(this.out, words, bytes, start, length);
  }

  bulkSource(source: ValueSource): void {
    this.#source = source;
  }

  nil(): void {
    this.isNil = true;
  }

  nilArray(): void {
    this.isNil = true;
  }

  array(_count: number): void {}

  map(_count: number): void {}

  set(_count: number): void {}

  pairs(_count: number): void {}

  pair(): void {}

  double(value: number): void {
    this.number = value;
  }

  boolean(value: boolean): void {
    this.number = value ? 1 : 0;
  }

  bigNumber(digits: string): void {
    this.number = Number(digits);
  }

  verbatim(text: string): void {
    this.bulkText(text);
  }

  useVersion(_version: number): void {}
}

/** What is too long for one chunk. */
class BytesSource implements ValueSource {
  readonly lengthBytes: number;

  constructor(readonly bytes: Uint8Array) {
    this.lengthBytes = bytes.length;
  }

  piece(offset: number, bytesMax: number): Uint8Array {
    return this.bytes.subarray(offset, offset + bytesMax);
  }

  release(): void {}
}
