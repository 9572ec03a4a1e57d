// Large values on their way out: bodies that are sent piece by piece, and ended if nobody takes them.
//
// Each holds a pin on its value's memory, so a client that stops to read may not keep it for ever.
import { LARGE_PIECE_BYTES } from "../../limits.ts";
import { COUNTER } from "../../metrics.ts";
import { joinPieces } from "../../piecewise_bytes.ts";
import type { ValueSource } from "../../protocol/reply_buffer.ts";
import type { Turns } from "../loop_turns.ts";

/** Piece after piece; whoever ends early calls `return()`. */
export type Pieces = AsyncGenerator<Uint8Array<ArrayBuffer>, void, void>;

interface Download {
  takenAtMs: number;
  readonly end: (error: Error) => void;
}

export class Downloads {
  readonly #open = new Set<Download>();
  readonly #counters: Float64Array;
  readonly #turns: Turns;

  /** The counters of the worker, and what lets its other clients be served in between. */
  constructor(counters: Float64Array, turns: Turns) {
    this.#counters = counters;
    this.#turns = turns;
  }

  /** A body of these pieces. `release` is called exactly once, when all were taken or nobody will. */
  stream(pieces: Pieces, release: () => void): ReadableStream<Uint8Array<ArrayBuffer>> {
    const open = this.#open, counters = this.#counters, turns = this.#turns;
    let isOver = false;
    const finish = () => {
      if (isOver) return;
      isOver = true;
      open.delete(download);
      release();
    };
    let end: (error: Error) => void = () => {};
    const download: Download = { takenAtMs: performance.now(), end: (error) => end(error) };
    open.add(download);
    return new ReadableStream({
      start(controller) {
        end = (error) => {
          controller.error(error);
          finish();
        };
      },
      async pull(controller) {
        download.takenAtMs = performance.now();
        const { done, value } = await pieces.next();
        if (isOver) return;
        if (done) {
          finish();
          controller.close();
        } else {
          counters[COUNTER.bytesOut] += value.length;
          controller.enqueue(value);
          if (turns.isDue) await turns.wait();
        }
      },
      cancel: finish,
    });
  }

  /** Ends those of which nothing was taken for `stallMs`. */
  sweep(stallMs: number): void {
    const nowMs = performance.now();
    for (const download of this.#open) {
      if (nowMs - download.takenAtMs >= stallMs) {
        download.end(new Error(`the body was not read for ${stallMs / 1000} s`));
      }
    }
  }
}

/** The bytes of a source as copies: shared memory cannot be handed to a stream. */
export async function* sourcePieces(source: ValueSource): Pieces {
  for (let at = 0; at < source.lengthBytes;) {
    const piece = source.piece(at, LARGE_PIECE_BYTES).slice() as Uint8Array<ArrayBuffer>;
    at += piece.length;
    yield piece;
  }
}

/** All bytes of a source, which is let go. */
export function sourceBytes(source: ValueSource): Uint8Array<ArrayBuffer> {
  const bytes = joinPieces(source, 0, source.lengthBytes);
  source.release();
  return bytes;
}
