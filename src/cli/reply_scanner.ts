// Counts replies in a stream of RESP or memcached text that arrives in any pieces; knows no sockets
// and keeps no values.

/** `resp` for Redis and its kin, `memcached` for its text. */
export type Protocol = "resp" | "memcached";

const LINE_BYTES_MAX = 1024;
const LF = 10;
const decoder = new TextDecoder("latin1");

/**
 * Feed it what a socket gave; it tells how many replies were completed by it. Values are skipped,
 * so one of 64 MiB costs no memory. RESP arrays may hold strings and integers, not arrays.
 */
export class ReplyScanner {
  /** Keys asked for and not there. */
  misses = 0;
  /** Error replies. */
  errors = 0;
  /** Values that arrived. */
  values = 0;
  /** Values whose length was not the expected one. */
  wrongLengths = 0;
  /** The first error reply, for messages. */
  firstError = "";

  readonly #resp: boolean;
  readonly #valueBytes: number;
  readonly #line = new Uint8Array(LINE_BYTES_MAX);
  #lineBytes = 0;
  #skipBytes = 0;
  #elementsLeft = 0;
  #valuesInReply = 0;
  readonly #keysPerGet: number;

  /**
   * `valueBytes` is what every value must measure, or -1 for any; `keysPerGet` tells memcached's
   * misses.
   */
  constructor(protocol: Protocol, valueBytes: number, keysPerGet = 1) {
    this.#resp = protocol === "resp";
    this.#valueBytes = valueBytes;
    this.#keysPerGet = keysPerGet;
  }

  /**
   * Takes `bytes` and returns the number of replies that ended in it. Throws on what is no reply at
   * all.
   */
  feed(bytes: Uint8Array): number {
    let replies = 0;
    let at = 0;
    const end = bytes.length;
    while (at < end) {
      if (this.#skipBytes > 0) {
        const step = Math.min(this.#skipBytes, end - at);
        at += step;
        this.#skipBytes -= step;
        if (this.#skipBytes === 0 && this.#resp) replies += this.#finishElement();
        continue;
      }
      const lineEnd = bytes.indexOf(LF, at);
      const stop = lineEnd < 0 ? end : lineEnd + 1;
      if (this.#lineBytes + stop - at > LINE_BYTES_MAX) {
        throw new Error(`Cannot read a reply: its line is longer than ${LINE_BYTES_MAX} bytes`);
      }
      for (let i = at; i < stop; i++) this.#line[this.#lineBytes++] = bytes[i];
      at = stop;
      if (lineEnd >= 0) {
        replies += this.#resp ? this.#respLine() : this.#memcachedLine();
        this.#lineBytes = 0;
      }
    }
    return replies;
  }

  #finishElement(): number {
    if (this.#elementsLeft > 0 && --this.#elementsLeft > 0) return 0;
    return 1;
  }

  #respLine(): number {
    switch (this.#line[0]) {
      case 43: // +
      case 58: // :
        return this.#finishElement();
      case 45: // -
        this.#countError();
        return this.#finishElement();
      case 36: { // $
        const length = this.#line[1] === 45 ? -1 : this.#number(1);
        if (length < 0) {
          this.misses++;
          return this.#finishElement();
        }
        this.#countValue(length);
        return 0;
      }
      case 42: { // *
        const elements = this.#line[1] === 45 ? 0 : this.#number(1);
        if (this.#elementsLeft > 0) {
          throw new Error("Cannot read a reply: an array within an array");
        }
        this.#elementsLeft = elements;
        return elements === 0 ? 1 : 0;
      }
      default:
        throw new Error(`Cannot read a reply: received "${this.#lineText()}"`);
    }
  }

  #memcachedLine(): number {
    switch (this.#line[0]) {
      case 86: // VALUE <key> <flags> <bytes>, or VERSION
        if (this.#line[1] !== 65) return 1;
        this.#valuesInReply++;
        this.#countValue(this.#number(this.#line.lastIndexOf(32, this.#lineBytes - 1) + 1));
        return 0;
      case 69: // END or ERROR
        if (this.#line[1] !== 78) {
          this.#countError();
          return 1;
        }
        this.misses += Math.max(0, this.#keysPerGet - this.#valuesInReply);
        this.#valuesInReply = 0;
        return 1;
      case 67: // CLIENT_ERROR
        this.#countError();
        return 1;
      case 83: // STORED or SERVER_ERROR
        if (this.#line[1] === 69) this.#countError();
        return 1;
      case 68: // DELETED
      case 78: // NOT_FOUND, NOT_STORED
      case 79: // OK
        return 1;
      default:
        throw new Error(`Cannot read a reply: received "${this.#lineText()}"`);
    }
  }

  #countValue(length: number): void {
    this.values++;
    if (this.#valueBytes >= 0 && length !== this.#valueBytes) this.wrongLengths++;
    this.#skipBytes = length + 2;
  }

  #countError(): void {
    this.errors++;
    if (this.firstError === "") this.firstError = this.#lineText();
  }

  #lineText(): string {
    return decoder.decode(this.#line.subarray(0, this.#lineBytes)).trim();
  }

  #number(from: number): number {
    let value = 0;
    for (let i = from; i < this.#lineBytes; i++) {
      const digit = this.#line[i] - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    return value;
  }
}
