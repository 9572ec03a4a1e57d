// The writers that requests borrow: one is enough as long as no command waits; knows no route.
import { HTTP_WRITERS_KEPT_MAX } from "../../limits.ts";
import { type JsonFrame, JsonWriter } from "../../protocol/json_writer.ts";
import { type ChunkPool, ReplyBuffer } from "../../protocol/reply_buffer.ts";
import { RawWriter } from "../../protocol/raw_writer.ts";
import { ValueWriter } from "../../protocol/value_writer.ts";

export class ReplyWriters {
  readonly #pool: ChunkPool;
  readonly #json: JsonWriter[] = [];
  readonly #raw: RawWriter[] = [];
  readonly #values: ValueWriter[] = [];

  constructor(pool: ChunkPool) {
    this.#pool = pool;
  }

  /** A writer that is empty, to be given back empty. */
  takeJson(frame: JsonFrame): JsonWriter {
    const writer = this.#json.pop() ?? new JsonWriter(new ReplyBuffer(this.#pool));
    writer.begin(frame);
    return writer;
  }

  giveJson(writer: JsonWriter): void {
    writer.discard();
    if (this.#json.length < HTTP_WRITERS_KEPT_MAX) this.#json.push(writer);
    else this.#pool.give(writer.out.takeChunk());
  }

  takeRaw(): RawWriter {
    const writer = this.#raw.pop() ?? new RawWriter(new ReplyBuffer(this.#pool));
    writer.begin();
    return writer;
  }

  giveRaw(writer: RawWriter): void {
    writer.discard();
    if (this.#raw.length < HTTP_WRITERS_KEPT_MAX) this.#raw.push(writer);
    else this.#pool.give(writer.out.takeChunk());
  }

  takeValues(): ValueWriter {
    return this.#values.pop() ?? new ValueWriter(new ReplyBuffer(this.#pool));
  }

  giveValues(writer: ValueWriter): void {
    if (this.#values.length < HTTP_WRITERS_KEPT_MAX) this.#values.push(writer);
    else this.#pool.give(writer.out.takeChunk());
  }
}
