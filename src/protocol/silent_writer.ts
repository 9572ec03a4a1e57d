// Replies that nobody gets: they are written like all others and dropped.
import { ReplyBuffer } from "./reply_buffer.ts";
import { RespWriter } from "./resp_writer.ts";
import type { ChunkPool } from "./reply_buffer.ts";
import type { DroppingWriter } from "./reply_writer.ts";

export class SilentWriter extends RespWriter implements DroppingWriter {
  constructor(pool: ChunkPool) {
    super(new ReplyBuffer(pool));
  }

  /** Lets go of what was written; errors stay to be counted. */
  drop(): void {
    const { out } = this;
    if (out.segments.length === 0) out.position = 0;
    else {
      for (const { chunk, source } of out.takeSegments()) {
        if (chunk !== null) out.pool.give(chunk);
        else source.release();
      }
    }
  }
}
