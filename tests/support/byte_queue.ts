// Bytes that arrived and were not read yet: append at the end, take from the front. It must not
// know where bytes come from or what they mean.

/** Tests move values of 64 MiB and a pipeline's replies; more at once is a mistake in the test. */
const QUEUE_BYTES_MAX = 1 << 30;

/** A queue in one growing buffer; offsets given to its methods count from the first unread byte. */
export class ByteQueue {
  #buffer = new Uint8Array(4096);
  #start = 0;
  #end = 0;

  /** Count of unread bytes. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Appends a copy of `chunk`. Throws above 1 GiB of unread bytes. */
  push(chunk: Uint8Array): void {
    const needed = this.length + chunk.length;
    if (needed > QUEUE_BYTES_MAX) {
      throw new RangeError(`Cannot queue more than ${QUEUE_BYTES_MAX} bytes: received ${needed}`);
    }
    if (this.#end + chunk.length > this.#buffer.length) this.#makeRoom(needed);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The byte at `offset`. */
  at(offset: number): number {
    if (offset < 0 || offset >= this.length) {
      throw new RangeError(`Cannot read byte ${offset}: the queue holds ${this.length}`);
    }
    return this.#buffer[this.#start + offset]!;
  }

  /** Offset of the first occurrence of `bytes` at or after `from`, or -1. */
  indexOf(bytes: Uint8Array, from = 0): number {
    const last = this.#end - bytes.length;
    let at = this.#start + from;
    while (at <= last) {
      at = this.#buffer.indexOf(bytes[0]!, at);
      if (at < 0 || at > last) return -1;
      let same = 1;
      while (same < bytes.length && this.#buffer[at + same] === bytes[same]) same++;
      if (same === bytes.length) return at - this.#start;
      at++;
    }
    return -1;
  }

  /** Removes the first `count` bytes and gives a copy of them. */
  take(count: number): Uint8Array {
    if (count < 0 || count > this.length) {
      throw new RangeError(`Cannot take ${count} bytes: the queue holds ${this.length}`);
    }
    const taken = this.#buffer.slice(this.#start, this.#start + count);
    this.skip(count);
    return taken;
  }

  /** Removes the first `count` bytes. */
  skip(count: number): void {
    if (count < 0 || count > this.length) {
      throw new RangeError(`Cannot skip ${count} bytes: the queue holds ${this.length}`);
    }
    this.#start += count;
    if (this.#start === this.#end) this.#start = this.#end = 0;
  }

  /** The first `count` bytes as Latin-1 text, left in place. */
  text(count: number): string {
    let text = "";
    for (let offset = 0; offset < count; offset++) text += String.fromCharCode(this.at(offset));
    return text;
  }

  #makeRoom(needed: number): void {
    const size = needed > this.#buffer.length / 2 ? needed * 2 : this.#buffer.length;
    const next = size === this.#buffer.length ? this.#buffer : new Uint8Array(size);
    next.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = next;
    this.#end -= this.#start;
    this.#start = 0;
  }
}
