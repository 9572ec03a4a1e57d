// How a group in the ring refers to large values in the store, and how the log's writer gets at them.
import type { EffectWriter } from "../log/effect_writer.ts";
import type { RingPart } from "../log/ring.ts";
import type { PartSource } from "../log/log_writer.ts";
import { joinPieces, piecesOf } from "../piecewise_bytes.ts";
import { type Block, type Store } from "../store/store.ts";

//   u32 number of parts   u32 1 if the first is the group's own bytes   parts of 20 bytes   the group's bytes
export const PARTS_HEAD_BYTES = 8;
export const PART_BYTES = 20;

export function encodeParts(
  into: EffectWriter,
  carrier: RingPart | null,
  parts: readonly RingPart[],
): void {
  const all = carrier === null ? parts : [carrier, ...parts];
  const { view } = into;
  let at = into.length;
  view.setUint32(at, all.length, true);
  view.setUint32(at + 4, carrier === null ? 0 : 1, true);
  at += PARTS_HEAD_BYTES;
  for (const part of all) {
    view.setUint32(at, part.at, true);
    view.setUint32(at + 4, part.shardNumber, true);
    view.setUint32(at + 8, part.firstPage, true);
    view.setUint32(at + 12, part.offsetBytes, true);
    view.setUint32(at + 16, part.lengthBytes, true);
    at += PART_BYTES;
  }
  into.length = at;
}

/** Gives the log's writer the pieces of a group with parts, and lets the parts go when it has written them. */
export class StoreParts implements PartSource {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  pieces(group: Uint8Array): Uint8Array[] {
    const { parts, carrier, bytesAt } = decode(group);
    const own = carrier === null
      ? group.subarray(bytesAt)
      : joinPieces(this.#blockOf(carrier), 0, carrier.lengthBytes);
    const pieces: Uint8Array[] = [];
    let done = 0;
    for (const part of parts) {
      const { offsetBytes, lengthBytes } = part, block = this.#blockOf(part);
      pieces.push(
        own.subarray(done, part.at),
        ...piecesOf(block, offsetBytes, offsetBytes + lengthBytes),
      );
      done = part.at;
    }
    pieces.push(own.subarray(done));
    return pieces.filter((piece) => piece.length > 0);
  }

  release(group: Uint8Array): void {
    const { parts, carrier } = decode(group);
    for (const part of parts) {
      this.#store.unpin(this.#store.shards[part.shardNumber], part.firstPage);
    }
    if (carrier !== null) {
      this.#store.freeStaged(this.#store.shards[carrier.shardNumber], carrier.firstPage);
    }
  }

  #blockOf(part: RingPart): Block {
    const shard = this.#store.shards[part.shardNumber];
    return this.#store.blockAt(shard, part.firstPage, part.offsetBytes + part.lengthBytes);
  }
}

function decode(
  group: Uint8Array,
): { parts: RingPart[]; carrier: RingPart | null; bytesAt: number } {
  const view = new DataView(group.buffer, group.byteOffset, group.byteLength);
  const parts: RingPart[] = [];
  const count = view.getUint32(0, true);
  for (let i = 0, at = PARTS_HEAD_BYTES; i < count; i++, at += PART_BYTES) {
    parts.push({
      at: view.getUint32(at, true),
      shardNumber: view.getUint32(at + 4, true),
      firstPage: view.getUint32(at + 8, true),
      offsetBytes: view.getUint32(at + 12, true),
      lengthBytes: view.getUint32(at + 16, true),
    });
  }
  const carrier = view.getUint32(4, true) === 1 ? parts.shift()! : null;
  return { parts, carrier, bytesAt: PARTS_HEAD_BYTES + count * PART_BYTES };
}
