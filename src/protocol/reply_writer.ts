// What a command may say, whatever the protocol that carries it; imports only the buffer it fills.
import type { ReplyBuffer, ValueSource } from "./reply_buffer.ts";

export type { ValueSource };

/** Takes replies that nobody gets. */
export interface DroppingWriter extends ReplyWriter {
  /** Lets go of what was written. */
  drop(): void;
}

/** One implementation per protocol. Every call appends one reply, or the head of an aggregate. */
export interface ReplyWriter {
  readonly out: ReplyBuffer;
  /** Remembers this point, between two commands or within one, for `rewind()`; a later mark replaces it. */
  mark(): void;
  /** Takes back every reply since the mark, as often as needed; always here, never on `out` itself. */
  rewind(): void;
  /** `+OK`. */
  ok(): void;
  /** A simple string: ASCII without CR and LF. */
  status(text: string): void;
  /** An error with its code first: `ERR syntax error`. CR and LF are replaced by spaces. */
  error(text: string): void;
  /** A whole number within 2^53. */
  integer(value: number): void;
  /** A signed 64-bit number. */
  bigInteger(value: bigint): void;
  /** Bytes of any kind. */
  bulk(bytes: Uint8Array, start: number, end: number): void;
  /** A string, sent as UTF-8. */
  bulkText(text: string): void;
  /**
   * A value out of the store: `lengthBytes` at byte `start` (a multiple of 4) of a memory that is seen both
   * as words and as bytes. May read the last word whole. The content may be torn; the caller finds out.
   */
  bulkWords(words: Int32Array, bytes: Uint8Array, start: number, lengthBytes: number): void;
  /** A value that is sent from where it lies. */
  bulkSource(source: ValueSource): void;
  /** No value. */
  nil(): void;
  /** No array. */
  nilArray(): void;
  /** The head of an array: `count` replies follow. */
  array(count: number): void;
  /** The head of a map: `count` pairs of replies follow. */
  map(count: number): void;
  /** The head of a set: `count` replies follow, in no order. */
  set(count: number): void;
  /** The head of a list of pairs: each is `pair()` and two replies. RESP2 has all of them in one array. */
  pairs(count: number): void;
  pair(): void;
  /** A number with a fraction, infinite or not a number too. */
  double(value: number): void;
  boolean(value: boolean): void;
  /** A whole number of any size, in decimal digits. */
  bigNumber(digits: string): void;
  /** Text for people, sent as UTF-8. */
  verbatim(text: string): void;
  /** Replies from here on are in this version of RESP, 2 or 3; other protocols have but one. */
  useVersion(version: number): void;
}
