// Values too large for a slot: chains of whole pages that stay as they are while anybody sends them.
//
// A block is staged (being filled by one thread), linked (a record refers to it) or dead (replaced, and freed
// with its last pin). Appending past its end is allowed at any time: who pinned it knows its own length. Bytes
// are changed in place only under the lock and while nobody has it pinned.
import { fillPieces, type PiecewiseBytes } from "../piecewise_bytes.ts";
import { freeBlockPages, takePage } from "./arena.ts";
import * as L from "./layout.ts";
import { lockReading, unlockReading } from "./shard_lock.ts";
import type { Shard } from "./shard.ts";

/** Pages taken under one hold of the lock. */
const PAGES_PER_HOLD = 256;

/** The bytes of a block, piece by piece; sequential access is cheap. */
export class Block implements PiecewiseBytes {
  #page: number;
  #pageStart = 0;

  constructor(readonly shard: Shard, readonly firstPage: number, readonly lengthBytes: number) {
    this.#page = firstPage;
  }

  /** The longest contiguous piece at `offset` (below the length), at most `bytesMax` bytes. */
  piece(offset: number, bytesMax: number): Uint8Array<SharedArrayBuffer> {
    if (offset < this.#pageStart) this.#page = this.firstPage, this.#pageStart = 0;
    while (offset >= this.#pageStart + L.PAGE_BYTES) this.#next();
    const start = pageStart(this.#page) + offset - this.#pageStart;
    const wanted = Math.min(bytesMax, this.lengthBytes - offset);
    let count = Math.min(wanted, this.#pageStart + L.PAGE_BYTES - offset);
    for (let page = this.#page; count < wanted; page++) {
      if (nextPage(this.shard, page) !== page + 1) break;
      count = Math.min(wanted, count + L.PAGE_BYTES);
    }
    return this.shard.u8.subarray(start, start + count);
  }

  #next(): void {
    this.#page = nextPage(this.shard, this.#page);
    this.#pageStart += L.PAGE_BYTES;
  }
}

/** A block that a reply is being sent from; the pin was taken under the lock. */
export class PinnedBlock extends Block {
  /** Lets the block go; frees it if it was replaced meanwhile. Takes the shard's lock. */
  release(): void {
    const { words, pages } = this.shard, meta = this.firstPage * L.PAGE_WORDS;
    lockReading(words);
    words[L.PINNED]--;
    if (--pages[meta + L.PAGE_PINS] === 0 && pages[meta + L.PAGE_SLOTS] === L.BLOCK_DEAD) {
      freeBlockPages(this.shard, this.firstPage);
    }
    unlockReading(words);
  }
}

/** A block that is being filled; it belongs to whoever holds this until a record refers to it. */
export class StagedBlock extends Block {
  isLinked = false;

  /** The same block for a new owner; this one has nothing more to free. */
  handOver(): StagedBlock {
    const taken = new StagedBlock(this.shard, this.firstPage, this.lengthBytes);
    this.isLinked = true;
    return taken;
  }

  /** Frees it unless it was linked. Takes the shard's lock. */
  discard(): void {
    if (this.isLinked) return;
    this.isLinked = true;
    lockReading(this.shard.words);
    freeBlockPages(this.shard, this.firstPage);
    unlockReading(this.shard.words);
  }
}

/** Takes pages for `lengthBytes` (above 0), with the lock in small holds; null if there is no room. */
export function stageBlock(shard: Shard, lengthBytes: number): StagedBlock | null {
  const words = shard.words;
  const count = Math.ceil(lengthBytes / L.PAGE_BYTES);
  let first = -1, last = -1;
  for (let taken = 0; taken < count;) {
    lockReading(words);
    for (let i = 0; i < PAGES_PER_HOLD && taken < count; i++, taken++) {
      const page = takePage(shard);
      if (page < 0) {
        if (first >= 0) freeBlockPages(shard, first);
        unlockReading(words);
        return null;
      }
      if (first < 0) first = startChain(shard, page);
      else addToChain(shard, first, last, page);
      last = page;
    }
    unlockReading(words);
  }
  return new StagedBlock(shard, first, lengthBytes);
}

/** Adds a pin; the caller holds the lock. */
export function pinBlock(shard: Shard, firstPage: number, lengthBytes: number): PinnedBlock {
  shard.pages[firstPage * L.PAGE_WORDS + L.PAGE_PINS]++;
  shard.words[L.PINNED]++;
  return new PinnedBlock(shard, firstPage, lengthBytes);
}

/** Whether anybody has it pinned; the caller holds the lock, so nobody comes to pin it meanwhile. */
export function isBlockPinned(shard: Shard, firstPage: number): boolean {
  return shard.pages[firstPage * L.PAGE_WORDS + L.PAGE_PINS] > 0;
}

/** A record refers to it from now on; the caller holds the lock. */
export function linkBlock(block: StagedBlock): void {
  block.isLinked = true;
  block.shard.pages[block.firstPage * L.PAGE_WORDS + L.PAGE_SLOTS] = L.BLOCK_LINKED;
}

/**
 * Appends bytes to a linked block of `lengthBytes`; the caller holds the lock and records the new length.
 * False, and nothing changed that anybody sees, if there is no room.
 */
export function appendToBlock(
  shard: Shard,
  firstPage: number,
  lengthBytes: number,
  bytes: Uint8Array,
): boolean {
  const meta = firstPage * L.PAGE_WORDS;
  const needed = Math.ceil((lengthBytes + bytes.length) / L.PAGE_BYTES);
  while (shard.pages[meta + L.PAGE_LIVE] < needed) {
    const page = takePage(shard);
    // Pages already added stay as room at the end of the chain: the next append uses them.
    if (page < 0) return false;
    addToChain(shard, firstPage, shard.pages[meta + L.PAGE_LAST] - 1, page);
  }
  const target = new Block(shard, firstPage, lengthBytes + bytes.length);
  fillPieces(target, lengthBytes, bytes);
  return true;
}

function startChain(shard: Shard, page: number): number {
  const meta = page * L.PAGE_WORDS, pages = shard.pages;
  pages[meta + L.PAGE_KIND] = L.KIND_BLOCK;
  pages[meta + L.PAGE_LIVE] = 1;
  pages[meta + L.PAGE_SLOTS] = L.BLOCK_STAGED;
  pages[meta + L.PAGE_NEXT] = 0;
  pages[meta + L.PAGE_PINS] = 0;
  pages[meta + L.PAGE_LAST] = page + 1;
  return page;
}

function addToChain(shard: Shard, first: number, last: number, page: number): void {
  const pages = shard.pages;
  pages[page * L.PAGE_WORDS + L.PAGE_KIND] = L.KIND_BLOCK_MORE;
  pages[page * L.PAGE_WORDS + L.PAGE_NEXT] = 0;
  pages[last * L.PAGE_WORDS + L.PAGE_NEXT] = page + 1;
  pages[first * L.PAGE_WORDS + L.PAGE_LIVE]++;
  pages[first * L.PAGE_WORDS + L.PAGE_LAST] = page + 1;
}

function nextPage(shard: Shard, page: number): number {
  return shard.pages[page * L.PAGE_WORDS + L.PAGE_NEXT] - 1;
}

function pageStart(page: number): number {
  return L.ALIGN_BYTES + page * L.PAGE_BYTES;
}
