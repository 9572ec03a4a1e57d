// Strings too large to be worked on under a lock: they are pinned under it, and read when it is released.
import type { PiecewiseBytes } from "../piecewise_bytes.ts";
import type { CommandContext } from "./context.ts";

/** The bytes of a string, piece by piece. */
export interface ValueBytes extends PiecewiseBytes {
  readonly lengthBytes: number;
}

/** Bytes that lie together. */
export class FlatBytes implements ValueBytes {
  constructor(readonly bytes: Uint8Array) {}

  get lengthBytes(): number {
    return this.bytes.length;
  }

  piece(offset: number, bytesMax: number): Uint8Array {
    return this.bytes.subarray(offset, offset + bytesMax);
  }
}

/**
 * Runs `use` with the bytes of the string that `find()` found: at once if it lies in its record, where they may be
 * torn; else with the block pinned and the lock released. For commands of kind READ, as their last act.
 */
export function readAside(c: CommandContext, use: (value: ValueBytes) => void): void {
  const length = c.openRead();
  if (length < 0) return;
  const pinned = c.pinFound();
  if (pinned === null) {
    // What is a block by now is torn.
    return use(new FlatBytes(length === 0 ? EMPTY : c.piece(0, length)));
  }
  c.afterUnlock = () => {
    try {
      use(pinned);
    } finally {
      pinned.release();
    }
  };
}

const EMPTY = new Uint8Array(0);
