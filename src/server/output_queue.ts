// What one client has yet to be sent, in order, one write in flight; knows no command and no protocol.
//
// A pending write owns its buffer: the kernel takes bytes from it whenever the client reads. So a chunk goes
// back to the pool only when its write is done; after a partial write the rest moves to a right-sized one.
import { LARGE_PIECE_BYTES, QUEUED_CHUNK_BYTES_MIN, REPLY_CHUNK_BYTES } from "../limits.ts";
import {
  type Chunk,
  CHUNK_SLACK_BYTES,
  type ChunkPool,
  createChunk,
  headOf,
  type ReplyBuffer,
  type ValueSource,
} from "../protocol/reply_buffer.ts";
import type { Turns } from "./loop_turns.ts";
import type { Sender, SendRound } from "./send_round.ts";

/** The socket, as far as this file needs it. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<number>;
}

/** Gives chunks for short replies that wait too: QUEUED_CHUNK_BYTES_MIN long. */
export interface QueuePool extends ChunkPool {
  takeSmall(): Chunk;
}

/** Tells when replies may go out that the log must have first. */
export interface ReplyHold {
  isReached(cursor: number): boolean;
  /** Has the queue `resume()` whenever that may have changed, as long as it says so, or `abandon()`. */
  wait(queue: OutputQueue): void;
}

interface Queued {
  /** Place in the log that must be on disk before this goes out; null: none. */
  heldTo: number | null;
  /** A chunk that is owned, or a value that is sent from where it lies. */
  chunk: Chunk | null;
  source: ValueSource | null;
  endBytes: number;
}

/** Sent ones at the queue's front before it is moved up: shift() alone took a minute for 200,000. */
const SENT_KEPT_MAX = 1024;

/** What the queues of all connections of a worker share. */
export interface OutputShared {
  readonly pool: QueuePool;
  /** Null: nothing is held back. */
  readonly gate: ReplyHold | null;
  /** Null: the others need no turn. */
  readonly turns: Turns | null;
  /** Null: what can be sent is sent at once. */
  readonly round: SendRound | null;
}

/** What the connection is told. */
export interface OutputListener {
  /** Everything was sent. */
  onDrained(): void;
  onWriteFailed(error: unknown): void;
}

export class OutputQueue implements Sender {
  /** Bytes of memory that wait here, or are being written. */
  bytes = 0;
  /** Bytes that were sent, since the connection's owner took the number. */
  sentBytes = 0;
  /** When a write last got anywhere, as the sweep stamps it; 0 while nothing is in flight. */
  stalledSinceMs = 0;
  /** A write is in flight, or about to be. */
  isWriting = false;

  readonly #sink: ByteSink;
  readonly #listener: OutputListener;
  readonly #shared: OutputShared;
  #chunk: Chunk | null = null;
  #source: ValueSource | null = null;
  #at = 0;
  #end = 0;
  /** Those before `#queueHead` were sent. */
  #queue: Queued[] | null = null;
  #queueHead = 0;
  /** What the last of all held replies waits for; those behind it may wait for nothing, once the policy is another. */
  #heldTo: number | null = null;
  #isClosed = false;
  readonly #onWritten: (count: number) => void;
  readonly #onFailed: (error: unknown) => void;
  readonly #onTurn: () => void;

  constructor(sink: ByteSink, listener: OutputListener, shared: OutputShared) {
    this.#sink = sink;
    this.#listener = listener;
    this.#shared = shared;
    this.#onWritten = (count) => this.#written(count);
    this.#onFailed = (error) => this.#failed(error);
    this.#onTurn = () => this.#goOn();
  }

  /** Nothing waits here and nothing is being written. */
  get isIdle(): boolean {
    return !this.isWriting && this.#queue === null;
  }

  /** What is held may go out by now; gives whether some of it still waits. */
  resume(): boolean {
    // Looked at first: what is reached between the two looks would be waited for by nobody.
    const waits = this.#queue !== null && this.#heldTo !== null &&
      !this.#shared.gate!.isReached(this.#heldTo);
    if (!this.isWriting && !this.#isClosed && this.#queue !== null) this.#next();
    return waits;
  }

  /** The replies that are held must never be sent: ends the connection. */
  abandon(): void {
    if (!this.#isClosed) this.#listener.onWriteFailed(new Error("the log failed"));
  }

  /**
   * Takes all that was gathered, and starts to send it unless a write is in flight; held until the log is on disk
   * up to `heldTo`, unless that is null.
   */
  take(out: ReplyBuffer, heldTo: number | null = null): void {
    if (this.#isClosed) {
      for (const segment of out.takeSegments()) segment.source?.release();
      return;
    }
    if (!this.isWriting && heldTo === null && this.#queue === null && out.segments.length === 0) {
      this.#end = out.position;
      this.#chunk = out.takeChunk();
      this.#at = 0;
      this.bytes = this.#chunk.bytes.length;
      const { round } = this.#shared;
      if (round === null) this.#write();
      else {
        // As good as under way: what comes meanwhile waits behind it.
        this.isWriting = true;
        round.add(this, this.#end);
      }
      return;
    }
    if (out.segments.length === 0) {
      const growth = Math.max(QUEUED_CHUNK_BYTES_MIN, this.bytes);
      const sizeBytesMin = Math.min(REPLY_CHUNK_BYTES - 1, growth);
      this.#enqueueCopy(out.bytes, out.position, sizeBytesMin, heldTo);
    } else {
      for (const { chunk, source, endBytes } of out.takeSegments()) {
        if (chunk !== null && endBytes <= QUEUED_CHUNK_BYTES_MIN) {
          // Nothing joins what stands before a value: no room to grow, or each header would take a whole chunk.
          if (endBytes > 0) this.#enqueueCopy(chunk.bytes, endBytes, 0, heldTo);
          this.#shared.pool.give(chunk);
        } else {
          this.#push({ heldTo, chunk, source, endBytes });
          if (chunk !== null) this.bytes += chunk.bytes.length;
        }
      }
    }
    out.position = 0;
    if (heldTo !== null) {
      this.#heldTo = heldTo;
      this.#shared.gate!.wait(this);
    } else if (!this.isWriting) this.#next();
  }

  /** The round of what `take()` was given last has ended. */
  send(): void {
    if (!this.#isClosed) return this.#write();
    this.isWriting = false;
    this.#letGo();
  }

  /** Lets go of what was not sent. A write in flight must have been ended by closing the socket. */
  close(): void {
    this.#isClosed = true;
    for (const { source } of this.#queue ?? []) source?.release();
    this.#queue = null;
    if (!this.isWriting) this.#letGo();
  }

  /**
   * Copies replies behind those that wait, into the last one's room or a new chunk of at least `sizeBytesMin`; 0: of
   * just their length.
   */
  #enqueueCopy(
    bytes: Uint8Array,
    count: number,
    sizeBytesMin: number,
    heldTo: number | null,
  ): void {
    const last = this.#queue?.at(-1);
    // What waits for more of the log does not hold back what waits for less.
    const room = last?.chunk && last.heldTo === heldTo
      ? last.chunk.bytes.length - CHUNK_SLACK_BYTES - last.endBytes
      : 0;
    if (last?.chunk && last.heldTo === heldTo && room >= count) {
      last.chunk.bytes.set(bytes.subarray(0, count), last.endBytes);
      last.endBytes += count;
      return;
    }
    const sizeBytes = Math.max(count, sizeBytesMin);
    const chunk = sizeBytesMin === 0 || sizeBytes > QUEUED_CHUNK_BYTES_MIN
      ? createChunk(sizeBytes)
      : this.#shared.pool.takeSmall();
    if (count < 32) { for (let i = 0; i < count; i++) chunk.bytes[i] = bytes[i]; }
    else chunk.bytes.set(bytes.subarray(0, count));
    this.bytes += chunk.bytes.length;
    this.#push({ heldTo, chunk, source: null, endBytes: count });
  }

  #push(queued: Queued): void {
    (this.#queue ??= []).push(queued);
  }

  #write(): void {
    this.isWriting = true;
    const piece = this.#source !== null
      ? this.#source.piece(this.#at, LARGE_PIECE_BYTES)
      : this.#at === 0
      ? headOf(this.#chunk!, this.#end)
      : this.#chunk!.bytes.subarray(this.#at, this.#end);
    this.#sink.write(piece).then(this.#onWritten, this.#onFailed);
  }

  #written(count: number): void {
    this.#at += count;
    this.sentBytes += count;
    this.stalledSinceMs = 0;
    // A client that reads fast takes each piece at once.
    const isMore = this.#at < this.#end || this.#queue !== null;
    const { turns } = this.#shared;
    if (isMore && !this.#isClosed && turns !== null && turns.isDue) {
      void turns.wait().then(this.#onTurn);
    } else this.#goOn();
  }

  #goOn(): void {
    if (this.#isClosed) {
      this.isWriting = false;
      this.#letGo();
    } else if (this.#at < this.#end) {
      if (this.#chunk !== null) this.#rightSize(this.#chunk);
      this.#write();
    } else this.#next();
  }

  #failed(error: unknown): void {
    this.isWriting = false;
    this.#letGo();
    if (!this.#isClosed) this.#listener.onWriteFailed(error);
  }

  /** The rest of a partial write does not keep a pooled chunk for as long as the client takes. */
  #rightSize(chunk: Chunk): void {
    const rest = this.#end - this.#at;
    if (chunk.bytes.length < rest * 2) return;
    const smaller = createChunk(rest);
    smaller.bytes.set(chunk.bytes.subarray(this.#at, this.#end));
    this.bytes += smaller.bytes.length - chunk.bytes.length;
    this.#shared.pool.give(chunk);
    this.#chunk = smaller;
    this.#at = 0;
    this.#end = rest;
  }

  #next(): void {
    this.#letGo();
    this.isWriting = false;
    const queue = this.#queue;
    if (queue === null) {
      this.#listener.onDrained();
      return;
    }
    const first = queue[this.#queueHead];
    if (first.heldTo !== null && !this.#shared.gate!.isReached(first.heldTo)) return;
    this.#queueHead++;
    this.#chunk = first.chunk;
    this.#source = first.source;
    first.chunk = null;
    first.source = null;
    if (this.#queueHead === queue.length) {
      this.#queue = null;
      this.#queueHead = 0;
    } else if (this.#queueHead >= SENT_KEPT_MAX && this.#queueHead * 2 >= queue.length) {
      queue.splice(0, this.#queueHead);
      this.#queueHead = 0;
    }
    this.#at = 0;
    this.#end = this.#source?.lengthBytes ?? first.endBytes;
    this.#write();
  }

  #letGo(): void {
    if (this.#chunk !== null) {
      this.bytes -= this.#chunk.bytes.length;
      this.#shared.pool.give(this.#chunk);
      this.#chunk = null;
    }
    if (this.#source !== null) {
      this.#source.release();
      this.#source = null;
    }
  }
}
