// Memory of the store for a group that is too long for the ring, which then only refers to it; knows no effects.
import type { RingPart } from "../log/ring.ts";
import { fillPieces } from "../piecewise_bytes.ts";
import type { StagedBlock, Store } from "../store/store.ts";

/** At most one block: the one for the command that runs. */
export class GroupCarrier {
  readonly #store: Store;
  #block: StagedBlock | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether what is at hand holds so many bytes. */
  holds(lengthBytes: number): boolean {
    return this.#block !== null && this.#block.lengthBytes >= lengthBytes;
  }

  /** Takes memory for so many bytes, in the place of what was at hand; false: there is none. */
  stage(lengthBytes: number): boolean {
    this.discard();
    this.#block = this.#store.stage(this.#store.shards[0], lengthBytes);
    return this.#block !== null;
  }

  /** Moves a group's bytes into the memory, which the log's writer frees. */
  carry(bytes: Uint8Array): RingPart {
    const block = this.#block;
    if (block === null || block.lengthBytes < bytes.length) {
      throw new Error(`a group of ${bytes.length} bytes without memory for it`);
    }
    fillPieces(block, 0, bytes);
    this.#block = null;
    block.isLinked = true;
    return {
      at: 0,
      shardNumber: block.shard.number,
      firstPage: block.firstPage,
      offsetBytes: 0,
      lengthBytes: bytes.length,
    };
  }

  /** Frees what was not needed. */
  discard(): void {
    this.#block?.discard();
    this.#block = null;
  }
}
