// Where replies are gathered until they are sent: a chain of pooled chunks and of values sent from where they lie.
import type { PiecewiseBytes } from "../piecewise_bytes.ts";

/** Bytes that may be written past the position that was ensured, so that copies may move whole words. */
export const CHUNK_SLACK_BYTES = 8;

/** Replies up to here are copied out of a chunk rather than leave with it. */
const HEAD_BYTES_MAX = 1024;

/** A buffer with its view, made once and used many times. */
export interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  /** What `headOf()` gave last. */
  head: Uint8Array<ArrayBuffer>;
}

/** Makes a chunk that holds `sizeBytes`, and the slack beyond. */
export function createChunk(sizeBytes: number): Chunk {
  const bytes = new Uint8Array(sizeBytes + CHUNK_SLACK_BYTES);
  return { bytes, view: new DataView(bytes.buffer), head: bytes };
}

/** The first `count` bytes of a chunk. Replies are often as long as those before, and a view costs 0.1 µs and garbage. */
export function headOf(chunk: Chunk, count: number): Uint8Array<ArrayBuffer> {
  if (chunk.head.length !== count) chunk.head = chunk.bytes.subarray(0, count);
  return chunk.head;
}

/** Gives chunks of one size, and of any larger size on demand. */
export interface ChunkPool {
  take(sizeBytesMin: number): Chunk;
  give(chunk: Chunk): void;
}

/** A value that is sent piece by piece from where it lies, and let go afterwards. */
export interface ValueSource extends PiecewiseBytes {
  readonly lengthBytes: number;
  /** Called exactly once, when the last byte was sent or will never be. */
  release(): void;
}

/** A part of the replies: a filled chunk, or a value to be sent from where it lies. */
export type Segment =
  | { readonly chunk: Chunk; readonly endBytes: number; readonly source: null }
  | { readonly chunk: null; readonly endBytes: 0; readonly source: ValueSource };

/** Texts of error replies, each with the command that was running. */
export class ErrorTexts {
  readonly texts: string[] = [];
  /** By text: where its command begins among the arguments of its batch, −1 if none was running. */
  readonly firsts: number[] = [];
  /** What runs, as the engine keeps it; null between two batches. */
  running: { readonly first: number } | null = null;

  push(text: string): void {
    this.texts.push(text);
    this.firsts.push(this.running?.first ?? -1);
  }

  get length(): number {
    return this.texts.length;
  }
  set length(count: number) {
    this.texts.length = count;
    this.firsts.length = count;
  }
}

/**
 * One per worker; the connection takes what was gathered after each batch.
 * Invariant: `position + ensured bytes <= capacity`, segments are full and in order before the chunk.
 */
export class ReplyBuffer {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  position = 0;
  capacity: number;
  chunk: Chunk;
  /** What is full already, in order; empty nearly always. */
  segments: Segment[] = [];
  /** The error replies written, until the engine counts them. */
  readonly errors = new ErrorTexts();
  /** Bytes of memory that the segments' chunks take. */
  segmentBytes = 0;
  #markSegments = 0;
  #markPosition = 0;
  #markErrors = 0;

  constructor(readonly pool: ChunkPool) {
    this.chunk = pool.take(0);
    this.bytes = this.chunk.bytes;
    this.view = this.chunk.view;
    this.capacity = this.bytes.length - CHUNK_SLACK_BYTES;
  }

  get isEmpty(): boolean {
    return this.position === 0 && this.segments.length === 0;
  }

  /** Remembers this point for `rewind()`; a later mark replaces it. */
  mark(): void {
    this.#markSegments = this.segments.length;
    this.#markPosition = this.position;
    this.#markErrors = this.errors.length;
  }

  /** Takes back everything since the mark. */
  rewind(): void {
    while (this.segments.length > this.#markSegments) {
      const segment = this.segments.pop()!;
      if (segment.source !== null) segment.source.release();
      else {
        this.segmentBytes -= segment.chunk.bytes.length;
        this.pool.give(this.chunk);
        this.#use(segment.chunk);
      }
    }
    this.position = this.#markPosition;
    if (this.errors.length > this.#markErrors) this.errors.length = this.#markErrors;
  }

  /** Lets go of everything. */
  discard(): void {
    this.errors.length = 0;
    if (this.segments.length > 0) {
      for (const { chunk, source } of this.takeSegments()) {
        if (chunk !== null) this.pool.give(chunk);
        else source.release();
      }
    }
    this.position = 0;
  }

  /** Lets go of all but the values that are sent from where they lie, which may not be let go where this is called. */
  dropCopies(): void {
    const sources: Segment[] = [];
    for (const segment of this.segments) {
      if (segment.source !== null) sources.push(segment);
      else this.pool.give(segment.chunk);
    }
    this.segments = sources;
    this.segmentBytes = 0;
    this.position = 0;
  }

  /** Makes room for `count` more bytes in one piece. */
  ensure(count: number): void {
    if (this.position + count > this.capacity) this.#grow(count);
  }

  /** Appends a value that is sent from where it lies. */
  pushSource(source: ValueSource): void {
    if (this.position <= HEAD_BYTES_MAX) {
      // A header between two large values is copied: a chunk of the pool for each would take gigabytes.
      if (this.position > 0) {
        const chunk = createChunk(this.position);
        chunk.bytes.set(this.bytes.subarray(0, this.position));
        this.segments.push({ chunk, endBytes: this.position, source: null });
        this.segmentBytes += chunk.bytes.length;
        this.position = 0;
      }
    } else {
      this.#close();
      this.#use(this.pool.take(0));
    }
    this.segments.push({ chunk: null, endBytes: 0, source });
  }

  /** Appends bytes, over as many chunks as they need. */
  write(bytes: Uint8Array, start: number, end: number): void {
    while (start < end) {
      if (this.position === this.capacity) this.#grow(1);
      const count = Math.min(end - start, this.capacity - this.position);
      this.bytes.set(bytes.subarray(start, start + count), this.position);
      this.position += count;
      start += count;
    }
  }

  /** Hands the filled current chunk over and starts a new one; the caller then owns the old chunk. */
  takeChunk(): Chunk {
    const taken = this.chunk;
    this.#use(this.pool.take(0));
    return taken;
  }

  /** Hands over all segments, the current chunk included, and starts anew. */
  takeSegments(): Segment[] {
    this.#close();
    const taken = this.segments;
    this.segments = [];
    this.segmentBytes = 0;
    this.#use(this.pool.take(0));
    return taken;
  }

  #grow(count: number): void {
    this.#close();
    this.#use(this.pool.take(count));
  }

  #close(): void {
    this.segments.push({ chunk: this.chunk, endBytes: this.position, source: null });
    this.segmentBytes += this.chunk.bytes.length;
  }

  #use(chunk: Chunk): void {
    this.chunk = chunk;
    this.bytes = chunk.bytes;
    this.view = chunk.view;
    this.capacity = chunk.bytes.length - CHUNK_SLACK_BYTES;
    this.position = 0;
  }
}
