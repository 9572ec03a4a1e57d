// Replies as values of the language, for who has to look at them before it answers; knows no protocol's syntax.
import { formatDouble } from "./double_format.ts";
import type { ReplyBuffer, ValueSource } from "./reply_buffer.ts";
import { clampLength, utf8 } from "./reply_copy.ts";
import type { ReplyWriter } from "./reply_writer.ts";

/** An error reply, its code first. */
export class ErrorValue {
  constructor(readonly text: string) {}
}

/** The head of an array or map: as many values follow. */
export class ArrayHead {
  constructor(readonly elements: number) {}
}

/** A value that is sent from where it lies; whoever takes it has to release it. */
export class SourceValue {
  constructor(readonly source: ValueSource) {}
}

/** A string is a status, bytes are a bulk string's copy. */
export type ReplyValue =
  | string
  | number
  | bigint
  | Uint8Array<ArrayBuffer>
  | null
  | ErrorValue
  | ArrayHead
  | SourceValue;

/** One value per reply; arrays lie flat behind their heads. `out` stays empty but for the errors' texts. */
export class ValueWriter implements ReplyWriter {
  values: ReplyValue[] = [];
  #markValues = 0;

  constructor(readonly out: ReplyBuffer) {}

  /** Hands the values over and starts anew. */
  take(): ReplyValue[] {
    const taken = this.values;
    this.values = [];
    return taken;
  }

  /** Lets go of all that was written. */
  discard(): void {
    for (const value of this.take()) if (value instanceof SourceValue) value.source.release();
    this.out.discard();
  }

  mark(): void {
    this.out.mark();
    this.#markValues = this.values.length;
  }

  rewind(): void {
    this.out.rewind();
    while (this.values.length > this.#markValues) {
      const value = this.values.pop();
      if (value instanceof SourceValue) value.source.release();
    }
  }

  ok(): void {
    this.values.push("OK");
  }

  status(text: string): void {
    this.values.push(text);
  }

  error(text: string): void {
    this.out.errors.push(text);
    this.values.push(new ErrorValue(text));
  }

  integer(value: number): void {
    this.values.push(value);
  }

  bigInteger(value: bigint): void {
    this.values.push(value);
  }

  bulk(bytes: Uint8Array, start: number, end: number): void {
    this.values.push(bytes.slice(start, end) as Uint8Array<ArrayBuffer>);
  }

  bulkText(text: string): void {
    this.values.push(utf8(text) as Uint8Array<ArrayBuffer>);
  }

  bulkWords(words: Int32Array, bytes: Uint8Array, start: number, lengthBytes: number): void {
    this.bulk(bytes, start, start + clampLength(words, start, lengthBytes));
  }

  bulkSource(source: ValueSource): void {
    this.values.push(new SourceValue(source));
  }

  nil(): void {
    this.values.push(null);
  }

  nilArray(): void {
    this.values.push(null);
  }

  array(count: number): void {
    this.values.push(new ArrayHead(count));
  }

  map(count: number): void {
    this.values.push(new ArrayHead(count * 2));
  }

  set(count: number): void {
    this.array(count);
  }

  pairs(count: number): void {
    this.values.push(new ArrayHead(count * 2));
  }

  pair(): void {}

  double(value: number): void {
    this.bulkText(formatDouble(value));
  }

  boolean(value: boolean): void {
    this.integer(value ? 1 : 0);
  }

  bigNumber(digits: string): void {
    this.bulkText(digits);
  }

  verbatim(text: string): void {
    this.bulkText(text);
  }

  useVersion(_version: number): void {}
}
