// What a connection is given by its worker: the socket, and what it shares with all others. Types alone.
import type { Engine } from "../engine.ts";
import type { ReplyBuffer } from "../protocol/reply_buffer.ts";
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import type { RequestBatch } from "../protocol/request_batch.ts";
import type { ParseLimits } from "../protocol/request_parser.ts";
import type { Connection } from "./connection.ts";
import type { LingeringClose } from "./lingering_close.ts";
import type { ByteSink, QueuePool } from "./output_queue.ts";
import type { Turns } from "./loop_turns.ts";
import type { LargeBuffers } from "./read_buffer.ts";
import type { ReplyGate } from "./reply_gate.ts";
import type { SendRound } from "./send_round.ts";

/** The socket, as far as a connection needs it. */
export interface Socket extends ByteSink {
  /** How many bytes came; 0 at the end. Rejects where the client went away, or `close()` was called. */
  read(into: Uint8Array): Promise<number>;
  /** Tells the client that no more comes; it may still send. Rejects where the client went away. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** Work that may be done in pieces between two batches. */
export interface Chore {
  readonly isWaiting: boolean;
  /** Does a piece that holds nobody up for long, or none. */
  runBetween(): void;
}

/** What all connections of a worker share. */
export interface ConnectionHost {
  readonly engine: Engine;
  readonly batch: RequestBatch;
  readonly out: ReplyBuffer;
  readonly resp: ReplyWriter;
  readonly text: ReplyWriter;
  readonly pool: QueuePool;
  readonly largeBuffers: LargeBuffers;
  readonly counters: Float64Array;
  /** Holds replies back until the log has what they tell of; null without a log. */
  readonly gate: ReplyGate | null;
  readonly chore: Chore;
  readonly turns: Turns;
  readonly round: SendRound;
  readonly lingering: LingeringClose;
  /** Plain fields, because the parser looks at them for each argument; set for each client's turn. */
  readonly limits: { -readonly [Name in keyof ParseLimits]: ParseLimits[Name] };
  /** Bytes that this worker's clients may have waiting in all, in replies or in unfinished requests. */
  bufferBytesMax(): number;
  clientOutputBytesMax(): number;
  valueBytesMax(): number;
  onClosed(connection: Connection): void;
  log(text: string, connection: Connection): void;
}
