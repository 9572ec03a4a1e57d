// The bytes of one client that were read and not yet used up: small at first, as large as its requests need.
import {
  READ_BUFFER_BYTES_FULL_MAX,
  READ_BUFFER_BYTES_KEPT_MAX,
  READ_BUFFER_BYTES_LARGE_MAX,
  READ_BUFFER_BYTES_START,
  READ_BUFFER_SMALL_READS,
  READ_BUFFERS_LARGE_BYTES,
} from "../limits.ts";

/** The parsers load whole words, so there are always this many bytes more. */
const SLACK_BYTES = 8;

/** What the large buffers of a worker's connections take together. */
export class LargeBuffers {
  bytes = 0;
}

export class ReadBuffer {
  bytes!: Uint8Array<ArrayBuffer>;
  view!: DataView<ArrayBuffer>;
  /** Bytes there are; those to be used start at 0. */
  filled = 0;
  #capacity = 0;
  #whole!: Uint8Array<ArrayBuffer>;
  #smallReads = 0;
  readonly #large: LargeBuffers;

  constructor(large: LargeBuffers) {
    this.#large = large;
    this.#allocate(READ_BUFFER_BYTES_START);
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Where the next read may put its bytes; never empty after `prepare()`. */
  get space(): Uint8Array<ArrayBuffer> {
    return this.filled === 0 ? this.#whole : this.bytes.subarray(this.filled, this.#capacity);
  }

  /** Notes that a read put `count` bytes into `space`. */
  add(count: number): void {
    this.filled += count;
    if (count * 4 > this.#capacity) this.#smallReads = 0;
    else this.#smallReads++;
  }

  /** Drops the first `count` bytes. */
  consume(count: number): void {
    if (count === this.filled) this.filled = 0;
    else if (count > 0) {
      this.bytes.copyWithin(0, count, this.filled);
      this.filled -= count;
    }
  }

  /**
   * Chooses the size for the next read: room for a request of `neededBytes`, twice as much if the last read
   * filled it, less if it has been too large for a while.
   */
  prepare(neededBytes: number, wasFull: boolean): void {
    const capacity = this.#capacity;
    if (neededBytes > capacity) {
      // Twice as large at least: of many arguments only the next one's end is known, and each growth copies all.
      this.#resize(Math.max(neededBytes, capacity * 2));
    } else if (wasFull && capacity < READ_BUFFER_BYTES_FULL_MAX) {
      this.#resize(Math.min(capacity * 2 + SLACK_BYTES, READ_BUFFER_BYTES_FULL_MAX));
    } else if (this.filled === 0 && !wasFull) {
      // A client that fills one buffer after the other keeps it: made anew for each of its pipelines, it costs
      // more than they do. But nobody sees whether it will go idle, so all of them together have a bound.
      const isKept = capacity <= READ_BUFFER_BYTES_KEPT_MAX ||
        (capacity <= READ_BUFFER_BYTES_LARGE_MAX && this.#large.bytes <= READ_BUFFERS_LARGE_BYTES);
      if (!isKept) this.#allocate(READ_BUFFER_BYTES_KEPT_MAX);
      else if (this.#smallReads > READ_BUFFER_SMALL_READS && capacity > READ_BUFFER_BYTES_START) {
        this.#allocate(Math.max(READ_BUFFER_BYTES_START, (capacity >>> 1) - SLACK_BYTES / 2));
      }
    }
  }

  /** The connection has ended. */
  release(): void {
    this.#allocate(0);
  }

  #resize(capacity: number): void {
    const old = this.bytes, filled = this.filled;
    this.#allocate(capacity);
    this.bytes.set(old.subarray(0, filled));
    this.filled = filled;
  }

  #allocate(capacity: number): void {
    if (this.#capacity > READ_BUFFER_BYTES_KEPT_MAX) this.#large.bytes -= this.#capacity;
    if (capacity > READ_BUFFER_BYTES_KEPT_MAX) this.#large.bytes += capacity;
    this.bytes = new Uint8Array(capacity + SLACK_BYTES);
    this.view = new DataView(this.bytes.buffer);
    this.#whole = this.bytes.subarray(0, capacity);
    this.#capacity = capacity;
    this.filled = 0;
    this.#smallReads = 0;
  }
}
