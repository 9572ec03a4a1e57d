// A part of a large value, sent from where it lies; knows no command.
import type { ValueSource } from "../protocol/reply_writer.ts";
import type { PinnedBlock } from "../store/store.ts";

/** Bytes `[from, to)`; the pin goes with it. */
export class PinnedRange implements ValueSource {
  readonly lengthBytes: number;

  constructor(readonly block: PinnedBlock, readonly from: number, to: number) {
    this.lengthBytes = to - from;
  }

  piece(offset: number, bytesMax: number): Uint8Array {
    return this.block.piece(this.from + offset, Math.min(bytesMax, this.lengthBytes - offset));
  }

  release(): void {
    this.block.release();
  }
}
