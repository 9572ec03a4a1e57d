// The memory of a shard's records: a slab allocator over 64 KiB pages that move between size classes.
//
// A page belongs to one class and goes back to the shard's free list with its last record. Pages with room
// are in their class's list. When deletions left too many holes, records of a sparse page are moved into
// the holes of others of their class, a few at the end of each change, until the page is free.
// The caller holds the shard's lock for changes in every function here.
import * as L from "./layout.ts";
import type { Shard } from "./shard.ts";

/** Slot sizes in units: steps of 8 bytes up to 128, then about 12 % apart, the large ones parts of a page. */
export const CLASS_UNITS: Int32Array = classSizes();
/** Size class for a number of units. */
const CLASS_OF_UNITS: Uint8Array = classTable(CLASS_UNITS);
/** Records move when holes are more than this part of the slab pages. */
const HOLES_PART = 1 / 8;
const SEARCH_PAGES = 256;

export function classOfUnits(units: number): number {
  return CLASS_OF_UNITS[units];
}

/**
 * Gives a slot of at least `units` (at most a page); 0 if the account or the arena has no room. The account's limit
 * does not count where the slot is needed to let memory go (`isForced`).
 */
export function allocateSlot(shard: Shard, units: number, isForced = false): number {
  const sizeClass = CLASS_OF_UNITS[units], size = CLASS_UNITS[sizeClass];
  const words = shard.words, pages = shard.pages;
  let page = words[L.CLASS_HEADS + sizeClass] - 1;
  if (page < 0) {
    page = takePage(shard, isForced);
    if (page < 0) return 0;
    const meta = page * L.PAGE_WORDS;
    pages[meta + L.PAGE_KIND] = sizeClass + 1;
    pages[meta + L.PAGE_LIVE] = 0;
    pages[meta + L.PAGE_SLOTS] = 0;
    pages[meta + L.PAGE_FILLED] = 0;
    words[L.SLAB_PAGES]++;
    link(shard, page, sizeClass);
  }
  const meta = page * L.PAGE_WORDS;
  let ref = pages[meta + L.PAGE_SLOTS];
  if (ref !== 0) {
    pages[meta + L.PAGE_SLOTS] = shard.i32[ref * 2 + 1];
    words[L.FREE_SLOT_UNITS] -= size;
  } else {
    ref = L.ARENA_BASE_UNITS + page * L.PAGE_UNITS + pages[meta + L.PAGE_FILLED];
    pages[meta + L.PAGE_FILLED] += size;
  }
  pages[meta + L.PAGE_LIVE]++;
  if (isFull(pages, meta, size)) unlink(shard, page, sizeClass);
  return ref;
}

/**
 * Gives a slot that is free already, of any size from `least` to `most` units, the nearest above `units` first; 0 if
 * there is none. For what can do with another size where no page is to be had for its own.
 */
export function reuseSlot(shard: Shard, units: number, least: number, most: number): number {
  const heads = shard.words, wanted = CLASS_OF_UNITS[units];
  for (let each = wanted; each < CLASS_UNITS.length && CLASS_UNITS[each] <= most; each++) {
    if (heads[L.CLASS_HEADS + each] !== 0) return allocateSlot(shard, CLASS_UNITS[each]);
  }
  for (let each = wanted - 1; each >= 0 && CLASS_UNITS[each] >= least; each--) {
    if (heads[L.CLASS_HEADS + each] !== 0) return allocateSlot(shard, CLASS_UNITS[each]);
  }
  return 0;
}

/** How many slots of `least` to `most` units are free, counted up to `enough`; looks at that many pages at most. */
export function countFreeSlots(shard: Shard, least: number, most: number, enough: number): number {
  const { words, pages } = shard;
  let free = 0, seen = 0;
  for (let each = CLASS_OF_UNITS[least]; CLASS_UNITS[each] <= most; each++) {
    const slots = Math.floor(L.PAGE_UNITS / CLASS_UNITS[each]);
    for (let page = words[L.CLASS_HEADS + each] - 1; page >= 0 && free < enough;) {
      free += slots - pages[page * L.PAGE_WORDS + L.PAGE_LIVE];
      if (++seen > enough) return free;
      page = pages[page * L.PAGE_WORDS + L.PAGE_NEXT] - 1;
    }
  }
  return free;
}

/** Size of a slot that is in use. */
export function slotUnits(shard: Shard, ref: number): number {
  return CLASS_UNITS[shard.pages[pageOf(ref) * L.PAGE_WORDS + L.PAGE_KIND] - 1];
}

/** Takes a slot back. */
export function freeSlot(shard: Shard, ref: number): void {
  const page = pageOf(ref), meta = page * L.PAGE_WORDS;
  const words = shard.words, pages = shard.pages;
  const sizeClass = pages[meta + L.PAGE_KIND] - 1, size = CLASS_UNITS[sizeClass];
  const listed = !isFull(pages, meta, size) && words[L.EVACUATING] !== page + 1;
  shard.i32[ref * 2] = 0;
  shard.i32[ref * 2 + 1] = pages[meta + L.PAGE_SLOTS];
  pages[meta + L.PAGE_SLOTS] = ref;
  pages[meta + L.PAGE_LIVE]--;
  words[L.FREE_SLOT_UNITS] += size;
  if (pages[meta + L.PAGE_LIVE] === 0) {
    if (listed) unlink(shard, page, sizeClass);
    if (words[L.EVACUATING] === page + 1) words[L.EVACUATING] = 0;
    words[L.FREE_SLOT_UNITS] -= Math.trunc(pages[meta + L.PAGE_FILLED] / size) * size;
    words[L.SLAB_PAGES]--;
    pages[meta + L.PAGE_KIND] = 0;
    giveChain(shard, page, page, 1);
  } else if (!listed && words[L.EVACUATING] !== page + 1) link(shard, page, sizeClass);
}

/** Takes a free page, or one never used; −1 if the account or the arena has none. */
export function takePage(shard: Shard, isForced = false): number {
  const words = shard.words;
  if (words[L.EVACUATING] === 0 && hasHoles(words)) beginEvacuation(shard);
  const free = words[L.PAGE_FREE];
  if (free === 0 && words[L.PAGE_BUMP] >= shard.pageCount) return -1;
  if (isForced) shard.account.force(L.PAGE_ACCOUNT_UNITS);
  else if (shard.grantedUnits > 0) shard.grantedUnits -= L.PAGE_ACCOUNT_UNITS;
  else if (!shard.account.take(L.PAGE_ACCOUNT_UNITS)) return -1;
  words[L.PAGES_USED]++;
  if (free === 0) return words[L.PAGE_BUMP]++;
  words[L.PAGE_FREE] = shard.pages[(free - 1) * L.PAGE_WORDS + L.PAGE_NEXT];
  return free - 1;
}

/**
 * Takes memory for `pages` from the account ahead of need: no other thread can take it before the change that needs it.
 * False, and nothing taken, if there is not as much. What is left of it goes back with `endGrant()`.
 */
export function grantPages(shard: Shard, pages: number): boolean {
  endGrant(shard);
  const units = pages * L.PAGE_ACCOUNT_UNITS;
  // A try that is too much is, for its moment, memory that others do not get.
  if (!shard.account.hasRoom(units) || !shard.account.take(units)) return false;
  shard.grantedUnits = units;
  return true;
}

export function endGrant(shard: Shard): void {
  if (shard.grantedUnits > 0) shard.account.give(shard.grantedUnits);
  shard.grantedUnits = 0;
}

/** Gives back `count` pages, linked from `first` to `last` and marked as free, in one go. */
function giveChain(shard: Shard, first: number, last: number, count: number): void {
  shard.pages[last * L.PAGE_WORDS + L.PAGE_NEXT] = shard.words[L.PAGE_FREE];
  shard.words[L.PAGE_FREE] = first + 1;
  shard.words[L.PAGES_USED] -= count;
  shard.account.give(count * L.PAGE_ACCOUNT_UNITS);
}

function pageOf(ref: number): number {
  return (ref - L.ARENA_BASE_UNITS) >>> 13;
}

/**
 * Moves at most `movesMax` records out of the page that is being emptied; `relink(from, to)` makes the index
 * refer to the new place. Gives the number of slots looked at, 0 when there is nothing to do.
 */
export function evacuate(
  shard: Shard,
  movesMax: number,
  relink: (shard: Shard, from: number, to: number) => void,
): number {
  const words = shard.words, pages = shard.pages, i32 = shard.i32;
  let seen = 0;
  for (let moves = 0; moves < movesMax && words[L.EVACUATING] !== 0;) {
    const page = words[L.EVACUATING] - 1, meta = page * L.PAGE_WORDS;
    const sizeClass = pages[meta + L.PAGE_KIND] - 1, size = CLASS_UNITS[sizeClass];
    const at = words[L.EVACUATE_AT];
    if (at >= pages[meta + L.PAGE_FILLED] || words[L.CLASS_HEADS + sizeClass] === 0) {
      // All slots seen, yet one was filled behind the cursor; or no other page of the class has room.
      words[L.EVACUATING] = 0;
      if (!isFull(pages, meta, size)) link(shard, page, sizeClass);
      break;
    }
    if (++seen > movesMax * 8) break;
    words[L.EVACUATE_AT] = at + size;
    const from = L.ARENA_BASE_UNITS + page * L.PAGE_UNITS + at;
    if (i32[from * 2] === 0) continue;
    const to = allocateSlot(shard, size);
    i32.copyWithin(to * 2, from * 2, (from + size) * 2);
    relink(shard, from, to);
    freeSlot(shard, from);
    words[L.RECORDS_MOVED]++;
    moves++;
  }
  return seen;
}

/** Chooses a page to empty even if holes are few, because memory ran out; false if none is worth it. */
export function beginEvacuation(shard: Shard): boolean {
  const words = shard.words, pages = shard.pages;
  let best = -1, bestFill = 0.8;
  const bump = words[L.PAGE_BUMP];
  for (let tried = 0; tried < Math.min(bump, SEARCH_PAGES); tried++) {
    const page = (words[L.EVACUATE_SEARCH] + tried) % bump, meta = page * L.PAGE_WORDS;
    const sizeClass = pages[meta + L.PAGE_KIND] - 1;
    if (sizeClass < 0) continue;
    const size = CLASS_UNITS[sizeClass];
    // A page not in its class's list is full; and another page of the class must have room.
    if (isFull(pages, meta, size)) continue;
    if (words[L.CLASS_HEADS + sizeClass] === page + 1 && pages[meta + L.PAGE_NEXT] === 0) continue;
    const fill = (pages[meta + L.PAGE_LIVE] * size) / L.PAGE_UNITS;
    if (fill < bestFill) best = page, bestFill = fill;
  }
  words[L.EVACUATE_SEARCH] = bump === 0 ? 0 : (words[L.EVACUATE_SEARCH] + SEARCH_PAGES) % bump;
  if (best < 0) return false;
  unlink(shard, best, pages[best * L.PAGE_WORDS + L.PAGE_KIND] - 1);
  words[L.EVACUATING] = best + 1;
  words[L.EVACUATE_AT] = 0;
  return true;
}

/** Frees every slab page and every linked block; what is pinned or being filled stays with its owner. */
export function clearArena(shard: Shard): void {
  const words = shard.words, pages = shard.pages;
  words.fill(0, L.CLASS_HEADS, L.CLASS_HEADS + CLASS_UNITS.length);
  words[L.FREE_SLOT_UNITS] = 0;
  words[L.SLAB_PAGES] = 0;
  words[L.EVACUATING] = 0;
  const bump = words[L.PAGE_BUMP];
  // Backwards, so that the free list comes out in ascending order.
  for (let page = bump - 1; page >= 0; page--) {
    const meta = page * L.PAGE_WORDS, kind = pages[meta + L.PAGE_KIND];
    if (kind > 0) {
      pages[meta + L.PAGE_KIND] = 0;
      giveChain(shard, page, page, 1);
    } else if (kind === L.KIND_BLOCK && pages[meta + L.PAGE_SLOTS] === L.BLOCK_LINKED) {
      dropBlock(shard, page);
    }
  }
}

/** No record refers to the block any more: frees it, or leaves that to the last pin. */
export function dropBlock(shard: Shard, firstPage: number): void {
  const meta = firstPage * L.PAGE_WORDS;
  if (shard.pages[meta + L.PAGE_PINS] > 0) shard.pages[meta + L.PAGE_SLOTS] = L.BLOCK_DEAD;
  else freeBlockPages(shard, firstPage);
}

/** The chain goes to the free list as it is, so that its neighbours come out as neighbours again. */
export function freeBlockPages(shard: Shard, firstPage: number): void {
  const pages = shard.pages;
  if (pages[firstPage * L.PAGE_WORDS + L.PAGE_KIND] !== L.KIND_BLOCK) {
    throw new Error(
      `page ${firstPage} of shard ${shard.number} begins no block, and was to be freed`,
    );
  }
  const last = pages[firstPage * L.PAGE_WORDS + L.PAGE_LAST] - 1;
  let count = 0;
  for (let page = firstPage; page >= 0; page = pages[page * L.PAGE_WORDS + L.PAGE_NEXT] - 1) {
    pages[page * L.PAGE_WORDS + L.PAGE_KIND] = 0;
    count++;
  }
  giveChain(shard, firstPage, last, count);
}

/** Whether holes are so many that records should move; without lock. */
export function isFragmented(shard: Shard): boolean {
  return hasHoles(shard.words);
}

function hasHoles(words: Int32Array): boolean {
  return words[L.FREE_SLOT_UNITS] > words[L.SLAB_PAGES] * L.PAGE_UNITS * HOLES_PART;
}

function isFull(pages: Int32Array, meta: number, size: number): boolean {
  return pages[meta + L.PAGE_SLOTS] === 0 && pages[meta + L.PAGE_FILLED] + size > L.PAGE_UNITS;
}

function link(shard: Shard, page: number, sizeClass: number): void {
  const pages = shard.pages,
    meta = page * L.PAGE_WORDS,
    head = shard.words[L.CLASS_HEADS + sizeClass];
  pages[meta + L.PAGE_NEXT] = head;
  pages[meta + L.PAGE_PREVIOUS] = 0;
  if (head !== 0) pages[(head - 1) * L.PAGE_WORDS + L.PAGE_PREVIOUS] = page + 1;
  shard.words[L.CLASS_HEADS + sizeClass] = page + 1;
}

function unlink(shard: Shard, page: number, sizeClass: number): void {
  const pages = shard.pages, meta = page * L.PAGE_WORDS;
  const next = pages[meta + L.PAGE_NEXT], previous = pages[meta + L.PAGE_PREVIOUS];
  if (next !== 0) pages[(next - 1) * L.PAGE_WORDS + L.PAGE_PREVIOUS] = previous;
  if (previous !== 0) pages[(previous - 1) * L.PAGE_WORDS + L.PAGE_NEXT] = next;
  else shard.words[L.CLASS_HEADS + sizeClass] = next;
}

/** Finer where hashes and short values are: a step of 12 % there cost a hash of 20 fields 8 %. CLASS_HEADS has room for 64. */
function classSizes(): Int32Array {
  const sizes: number[] = [];
  for (let units = 2; units <= 16; units++) sizes.push(units);
  for (let units = 18; units <= 128; units = Math.ceil(units * 1.08)) sizes.push(units);
  for (let slots = 56; slots >= 1; slots = Math.min(slots - 1, Math.floor(slots / 1.12))) {
    sizes.push(Math.floor(L.PAGE_UNITS / slots));
  }
  return Int32Array.from(sizes);
}

function classTable(sizes: Int32Array): Uint8Array {
  const table = new Uint8Array(L.PAGE_UNITS + 1);
  for (let units = 0, sizeClass = 0; units <= L.PAGE_UNITS; units++) {
    if (units > sizes[sizeClass]) sizeClass++;
    table[units] = sizeClass;
  }
  return table;
}
