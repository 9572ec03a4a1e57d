// Reply buffers that are used over and over, so that they stay in the processor's cache; one pool per worker.
import {
  QUEUED_CHUNK_BYTES_MIN,
  QUEUED_CHUNKS_KEPT_MAX,
  REPLY_CHUNK_BYTES,
  REPLY_CHUNKS_KEPT_MAX,
} from "../limits.ts";
import { type Chunk, CHUNK_SLACK_BYTES, createChunk } from "../protocol/reply_buffer.ts";
import type { QueuePool } from "./output_queue.ts";

export class ReplyChunkPool implements QueuePool {
  readonly #free: Chunk[] = [];
  /** For short replies that wait, one per client: under \`--fsync always\` that is each reply. */
  readonly #small: Chunk[] = [];

  take(sizeBytesMin: number): Chunk {
    if (sizeBytesMin > REPLY_CHUNK_BYTES) return createChunk(sizeBytesMin);
    return this.#free.pop() ?? createChunk(REPLY_CHUNK_BYTES);
  }

  /** A chunk of QUEUED_CHUNK_BYTES_MIN. */
  takeSmall(): Chunk {
    return this.#small.pop() ?? createChunk(QUEUED_CHUNK_BYTES_MIN);
  }

  /** Chunks of another size, and more than are worth keeping, are left to the collector. */
  give(chunk: Chunk): void {
    if (chunk.bytes.length === QUEUED_CHUNK_BYTES_MIN + CHUNK_SLACK_BYTES) {
      if (this.#small.length < QUEUED_CHUNKS_KEPT_MAX) this.#small.push(chunk);
      return;
    }
    if (chunk.bytes.length !== REPLY_CHUNK_BYTES + CHUNK_SLACK_BYTES) return;
    if (this.#free.length < REPLY_CHUNKS_KEPT_MAX) this.#free.push(chunk);
  }
}
