// What must hold of a store's shared memory when nobody uses it, looked up word by word.
//
// It reads the layout itself and trusts no counter: what is counted here is compared with what the store
// counted. It must not use the functions that it checks, but for the table of classes and the hash.
// Longer than most files, because pages, slots, blocks and index are checked against each other.
import { CLASS_UNITS, classOfUnits } from "../../src/store/arena.ts";
import * as L from "../../src/store/layout.ts";
import type { Shard, Store } from "../../src/store/store.ts";
import { checkHash, earlier } from "./hash_invariants.ts";

/** Where the bytes of all arenas are, pages that were never used included. Units: bytes, counts. */
export interface StoreCensus {
  entries: number;
  /** Fields of all hashes. */
  fields: number;
  /** Slots that hold a record, whole slots. */
  liveSlotBytes: number;
  freeSlotBytes: number;
  /** The part of slab pages that was never handed out. */
  unfilledBytes: number;
  blockBytes: number;
  freePageBytes: number;
  untouchedBytes: number;
  slabPages: number;
  stagedBlocks: number;
  deadBlocks: number;
  chainBucketsMax: number;
  indexBytes: number;
}

/** Throws an Error that names shard, place and numbers if anything is wrong; else says what it found. */
export function checkInvariants(store: Store): StoreCensus {
  const census: StoreCensus = {
    entries: 0,
    fields: 0,
    liveSlotBytes: 0,
    freeSlotBytes: 0,
    unfilledBytes: 0,
    blockBytes: 0,
    freePageBytes: 0,
    untouchedBytes: 0,
    slabPages: 0,
    stagedBlocks: 0,
    deadBlocks: 0,
    chainBucketsMax: 0,
    indexBytes: 0,
  };
  let units = 0, arenaBytes = 0;
  for (const shard of store.shards) {
    new ShardCheck(store, shard, census).run();
    units += shard.words[L.PAGES_USED] * L.PAGE_ACCOUNT_UNITS + shard.words[L.INDEX_UNITS];
    arenaBytes += shard.pageCount * L.PAGE_BYTES;
  }
  const found = census.liveSlotBytes + census.freeSlotBytes + census.unfilledBytes +
    census.blockBytes + census.freePageBytes + census.untouchedBytes;
  if (found !== arenaBytes) throw new Error(`bytes of the arenas: ${arenaBytes}, found ${found}`);
  if (store.account.usedBytes !== units * L.ACCOUNT_UNIT_BYTES) {
    throw new Error(
      `the account says ${store.account.usedBytes} bytes, shards use ${
        units * L.ACCOUNT_UNIT_BYTES
      }`,
    );
  }
  return census;
}

/** Owner of a page, as found: each page has exactly one. */
const NOBODY = 0, FREE = 1, SLAB = 2, BLOCK = 3;

class ShardCheck {
  readonly #words: Int32Array;
  readonly #pages: Int32Array;
  readonly #owner: Uint8Array;
  /** Per unit of the arena: 1 where a live record begins, 2 once an index entry refers to it. */
  readonly #records: Uint8Array;
  /** Linked blocks, and whether a record refers to them. */
  readonly #blocks = new Map<number, boolean>();
  #compressed = 0;
  #compressedUnits = 0;
  readonly #view: DataView;

  constructor(readonly store: Store, readonly shard: Shard, readonly census: StoreCensus) {
    this.#words = shard.words;
    this.#pages = shard.pages;
    this.#owner = new Uint8Array(shard.pageCount);
    this.#records = new Uint8Array(
      shard.words[L.PAGE_BUMP] * L.PAGE_UNITS + L.ARENA_BASE_UNITS,
    );
    this.#view = new DataView(shard.u8.buffer);
  }

  run(): void {
    this.#same("lock", this.#words[L.LOCK] & 3, 0);
    this.#same("waiters", this.#words[L.WAITERS], 0);
    this.#checkFreePages();
    this.#checkPages();
    this.#checkClassLists();
    this.#checkIndex();
    for (const [page, isReferred] of this.#blocks) {
      if (!isReferred) this.#fail(`no record refers to the linked block of page ${page}`);
    }
    for (let unit = 0; unit < this.#records.length; unit++) {
      if (this.#records[unit] === 1) this.#fail(`no index entry refers to record ${unit}`);
    }
  }

  #fail(what: string): never {
    throw new Error(`shard ${this.shard.number}: ${what}`);
  }

  #same(what: string, stored: number, found: number): void {
    if (stored !== found) this.#fail(`${what}: ${stored} stored, ${found} found`);
  }

  #meta(page: number, field: number): number {
    return this.#pages[page * L.PAGE_WORDS + field];
  }

  #own(page: number, owner: number, where: string): void {
    const bump = this.#words[L.PAGE_BUMP];
    if (page < 0 || page >= bump) this.#fail(`${where}: page ${page} of ${bump}`);
    if (this.#owner[page] !== NOBODY) this.#fail(`${where}: page ${page} is elsewhere, too`);
    this.#owner[page] = owner;
  }

  #checkFreePages(): void {
    const bump = this.#words[L.PAGE_BUMP];
    if (bump < 0 || bump > this.shard.pageCount) this.#fail(`first unused page is ${bump}`);
    let count = 0;
    for (let next = this.#words[L.PAGE_FREE]; next !== 0; count++) {
      this.#own(next - 1, FREE, "list of free pages");
      this.#same(`kind of free page ${next - 1}`, this.#meta(next - 1, L.PAGE_KIND), 0);
      next = this.#meta(next - 1, L.PAGE_NEXT);
    }
    this.#same("pages used", this.#words[L.PAGES_USED], bump - count);
    for (let page = bump; page < this.shard.pageCount; page++) {
      this.#same(`kind of page ${page}, never used`, this.#meta(page, L.PAGE_KIND), 0);
    }
    this.census.freePageBytes += count * L.PAGE_BYTES;
    this.census.untouchedBytes += (this.shard.pageCount - bump) * L.PAGE_BYTES;
  }

  #checkPages(): void {
    const bump = this.#words[L.PAGE_BUMP];
    let slabPages = 0, freeUnits = 0, pins = 0;
    for (let page = 0; page < bump; page++) {
      const kind = this.#meta(page, L.PAGE_KIND);
      if (kind > 0) {
        slabPages++;
        freeUnits += this.#checkSlab(page, kind - 1);
      } else if (kind === L.KIND_BLOCK) pins += this.#checkBlock(page);
    }
    for (let page = 0; page < bump; page++) {
      if (this.#owner[page] === NOBODY) {
        this.#fail(`page ${page} of kind ${this.#meta(page, L.PAGE_KIND)} is lost`);
      }
    }
    this.#same("slab pages", this.#words[L.SLAB_PAGES], slabPages);
    this.#same("free slot units", this.#words[L.FREE_SLOT_UNITS], freeUnits);
    this.#same("pinned", this.#words[L.PINNED], pins);
    this.#same("compressed", this.#words[L.COMPRESSED], this.#compressed);
    this.#same("saved units", this.#words[L.COMPRESSED_UNITS], this.#compressedUnits);
    this.census.slabPages += slabPages;
  }

  /** Gives the units of free slots. */
  #checkSlab(page: number, sizeClass: number): number {
    this.#own(page, SLAB, "slab");
    const size = CLASS_UNITS[sizeClass], where = `page ${page} of class ${sizeClass}`;
    const filled = this.#meta(page, L.PAGE_FILLED),
      start = L.ARENA_BASE_UNITS + page * L.PAGE_UNITS;
    if (size === undefined) this.#fail(`${where}: no such class`);
    if (filled % size !== 0 || filled < size || filled > L.PAGE_UNITS) {
      this.#fail(`${where}: ${filled} units filled with slots of ${size}`);
    }
    const isFree = new Uint8Array(filled);
    let freeCount = 0;
    for (let ref = this.#meta(page, L.PAGE_SLOTS); ref !== 0; freeCount++) {
      const at = ref - start;
      if (at < 0 || at >= filled || at % size !== 0) this.#fail(`${where}: free slot ${ref}`);
      if (isFree[at] !== 0) this.#fail(`${where}: slot ${ref} is free twice`);
      isFree[at] = 1;
      this.#same(`first word of free slot ${ref}`, this.shard.i32[ref * 2], 0);
      ref = this.shard.i32[ref * 2 + 1];
    }
    const live = filled / size - freeCount;
    this.#same(`${where}: live slots`, this.#meta(page, L.PAGE_LIVE), live);
    if (live === 0) this.#fail(`${where}: empty, yet not free`);
    for (let at = 0; at < filled; at += size) {
      if (isFree[at] === 0) this.#checkRecord(start + at, sizeClass);
    }
    this.census.liveSlotBytes += live * size * 8;
    this.census.freeSlotBytes += freeCount * size * 8;
    this.census.unfilledBytes += (L.PAGE_UNITS - filled) * 8;
    return freeCount * size;
  }

  #checkRecord(ref: number, sizeClass: number): void {
    const i32 = this.shard.i32, word = i32[ref * 2], valueBytes = i32[ref * 2 + 1];
    const where = `record ${ref}`,
      keyBytes = word >>> L.KEY_SHIFT,
      isBlock = (word & L.FLAG_BLOCK) !== 0;
    const type = word & L.TYPE_MASK;
    if (type !== L.TYPE_STRING && type !== L.TYPE_HASH && type !== L.TYPE_PART) {
      this.#fail(`${where}: type ${type}`);
    }
    if (type === L.TYPE_PART && word !== L.TYPE_PART) this.#fail(`${where}: a part with ${word}`);
    const isCompressed = type === L.TYPE_STRING && (word & L.FLAG_COMPRESSED) !== 0;
    const flag = isCompressed
      ? L.FLAG_COMPRESSED
      : type === L.TYPE_STRING
      ? L.FLAG_BLOCK
      : L.FLAG_DIRECTORY;
    if ((word & 0xff00 & ~(flag | L.FLAG_EXPIRY)) !== 0) {
      this.#fail(`${where}: flags ${word & 0xff00}`);
    }
    if (valueBytes < 0) this.#fail(`${where}: ${valueBytes} bytes of value`);
    if (!isBlock && valueBytes > L.INLINE_VALUE_BYTES_MAX) {
      this.#fail(`${where}: ${valueBytes} bytes in the slot`);
    }
    const padded = Math.ceil(keyBytes / 4) * 4;
    const headerBytes = L.RECORD_HEADER_BYTES + ((word & L.FLAG_EXPIRY) !== 0 ? L.EXPIRY_BYTES : 0);
    const bytes = headerBytes + padded + (isBlock ? 4 : valueBytes);
    this.#same(`${where}: class for ${bytes} bytes`, sizeClass, classOfUnits(Math.ceil(bytes / 8)));
    const key = ref * 8 + headerBytes;
    for (let at = key + keyBytes; at < key + padded; at++) {
      if (this.shard.u8[at] !== 0) this.#fail(`${where}: key not padded with zeros`);
    }
    if (isBlock) {
      const page = i32[(key + padded) / 4] - 1, pageCount = Math.ceil(valueBytes / L.PAGE_BYTES);
      const isLinked = page >= 0 && page < this.#words[L.PAGE_BUMP] &&
        this.#meta(page, L.PAGE_KIND) === L.KIND_BLOCK &&
        this.#meta(page, L.PAGE_SLOTS) === L.BLOCK_LINKED;
      if (!isLinked) this.#fail(`${where}: refers to page ${page}, which is no linked block`);
      if (this.#blocks.get(page) === true) this.#fail(`${where}: block ${page} has two records`);
      if (this.#meta(page, L.PAGE_LIVE) < pageCount) {
        this.#fail(`${where}: ${valueBytes} bytes in ${this.#meta(page, L.PAGE_LIVE)} pages`);
      }
      this.#blocks.set(page, true);
    }
    if (isCompressed) {
      this.#compressed++;
      this.#compressedUnits += (i32[(key + padded) / 4] - valueBytes) >> 3;
    }
    this.#records[ref] = 1;
  }

  /** Gives the pins. */
  #checkBlock(first: number): number {
    const where = `block of page ${first}`, state = this.#meta(first, L.PAGE_SLOTS);
    const pins = this.#meta(first, L.PAGE_PINS);
    let count = 0, last = first;
    for (let page = first; page >= 0; page = this.#meta(page, L.PAGE_NEXT) - 1, count++) {
      this.#own(page, BLOCK, where);
      const kind = page === first ? L.KIND_BLOCK : L.KIND_BLOCK_MORE;
      this.#same(`${where}: kind of page ${page}`, this.#meta(page, L.PAGE_KIND), kind);
      last = page;
    }
    this.#same(`${where}: pages`, this.#meta(first, L.PAGE_LIVE), count);
    this.#same(`${where}: last page`, this.#meta(first, L.PAGE_LAST) - 1, last);
    if (pins < 0) this.#fail(`${where}: ${pins} pins`);
    if (state === L.BLOCK_STAGED) {
      this.#same(`${where}: pins while staged`, pins, 0);
      this.census.stagedBlocks++;
    } else if (state === L.BLOCK_DEAD) {
      if (pins === 0) this.#fail(`${where}: dead and not pinned, yet not free`);
      this.census.deadBlocks++;
    } else if (state === L.BLOCK_LINKED) {
      if (!this.#blocks.has(first)) this.#blocks.set(first, false);
    } else this.#fail(`${where}: state ${state}`);
    this.census.blockBytes += count * L.PAGE_BYTES;
    return pins;
  }

  #checkClassLists(): void {
    const evacuating = this.#words[L.EVACUATING] - 1, listed = new Uint8Array(this.shard.pageCount);
    if (evacuating >= 0 && this.#owner[evacuating] !== SLAB) {
      this.#fail(`page ${evacuating} is being emptied and no slab page`);
    }
    for (let sizeClass = 0; sizeClass < CLASS_UNITS.length; sizeClass++) {
      let previous = -1, page = this.#words[L.CLASS_HEADS + sizeClass] - 1;
      while (page >= 0) {
        const where = `list of class ${sizeClass}: page ${page}`;
        if (listed[page] !== 0) this.#fail(`${where} twice`);
        listed[page] = 1;
        this.#same(`${where}: kind`, this.#meta(page, L.PAGE_KIND), sizeClass + 1);
        this.#same(`${where}: previous`, this.#meta(page, L.PAGE_PREVIOUS) - 1, previous);
        previous = page;
        page = this.#meta(page, L.PAGE_NEXT) - 1;
      }
    }
    for (let page = 0; page < this.#words[L.PAGE_BUMP]; page++) {
      if (this.#owner[page] !== SLAB) continue;
      const size = CLASS_UNITS[this.#meta(page, L.PAGE_KIND) - 1];
      const hasRoom = this.#meta(page, L.PAGE_LIVE) < Math.floor(L.PAGE_UNITS / size);
      const isListed = hasRoom && page !== evacuating ? 1 : 0;
      if (listed[page] !== isListed) {
        this.#fail(`page ${page}: ${listed[page]} times in its class's list, not ${isListed}`);
      }
    }
  }

  #checkIndex(): void {
    const words = this.#words, buckets = this.shard.buckets;
    const bucketCount = this.shard.bucketMask + 1, low = words[L.OVERFLOW_LOW];
    const mask = words[L.HIGH_MASK], primary = words[L.BUCKETS];
    if ((mask & (mask + 1)) !== 0 || primary > mask || primary <= mask >>> 1 || primary > low) {
      this.#fail(`${primary} buckets, mask ${mask}, overflow from ${low} of ${bucketCount}`);
    }
    // 1: in a chain, 2: in the list of free ones.
    const overflow = new Uint8Array(bucketCount);
    const entries = new Array<number>(L.DATABASES).fill(0), expiring = entries.slice();
    let used = 0, free = 0;
    for (let bucket = 0; bucket < primary; bucket++) {
      let chain = 0, isEnded = false;
      for (let at = bucket; at !== 0 || chain === 0; chain++) {
        if (chain > 0) {
          if (at < low || at >= bucketCount) this.#fail(`bucket ${bucket}: goes on at ${at}`);
          if (overflow[at] !== 0) this.#fail(`bucket ${bucket}: overflow bucket ${at} used twice`);
          overflow[at] = 1;
          used++;
        }
        const base = L.BUCKET_BASE + at * L.BUCKET_WORDS;
        for (let slot = base; slot < base + L.BUCKET_SLOTS; slot++) {
          const ref = buckets[slot + L.BUCKET_REFS];
          if (ref === 0) {
            if (chain > 0 && slot === base) this.#fail(`bucket ${bucket}: empty overflow ${at}`);
            isEnded = true;
          } else if (isEnded) this.#fail(`bucket ${bucket}: hole before word ${slot}`);
          else this.#checkEntry(bucket, buckets[slot], ref, entries, expiring);
        }
        at = buckets[base + L.BUCKET_OVERFLOW];
        if (at !== 0 && isEnded) this.#fail(`bucket ${bucket}: goes on at ${at} after its end`);
        if (at === 0) {
          this.census.chainBucketsMax = Math.max(this.census.chainBucketsMax, chain + 1);
          break;
        }
      }
    }
    for (let at = words[L.OVERFLOW_FREE]; at !== 0; free++) {
      if (at < low || at >= bucketCount) this.#fail(`free overflow bucket ${at} of ${bucketCount}`);
      if (overflow[at] !== 0) this.#fail(`free overflow bucket ${at} is elsewhere, too`);
      overflow[at] = 2;
      const base = L.BUCKET_BASE + at * L.BUCKET_WORDS;
      this.#checkEmpty(at);
      at = buckets[base + L.BUCKET_OVERFLOW];
    }
    const unused = L.BUCKET_BASE + low * L.BUCKET_WORDS;
    for (let word = L.BUCKET_BASE + primary * L.BUCKET_WORDS; word < unused; word++) {
      if (buckets[word] !== 0 && !isClock(word)) {
        this.#fail(`word ${word} of the index is not in use, yet not zero`);
      }
    }
    this.#same("overflow buckets used and free", bucketCount - low, used + free);
    this.#same("overflow buckets used", words[L.OVERFLOW_USED], used);
    this.#checkCounts(entries, expiring);
    this.#checkBounds(primary);
    const units = 4 * (Math.ceil(primary / 256) + Math.ceil((bucketCount - low) / 256)) +
      (words[L.BOUNDS_USED] === 0 ? 0 : Math.ceil(Math.ceil(primary / 256) * 0.508));
    this.#same("index units", words[L.INDEX_UNITS], units);
    this.census.indexBytes += units * L.ACCOUNT_UNIT_BYTES;
  }

  #checkEmpty(bucket: number): void {
    const base = L.BUCKET_BASE + bucket * L.BUCKET_WORDS;
    for (let word = base; word < base + L.BUCKET_WORDS; word++) {
      if (word === base + L.BUCKET_OVERFLOW || isClock(word)) continue;
      if (this.shard.buckets[word] !== 0) {
        this.#fail(`bucket ${bucket} is not in use, yet word ${word} is not zero`);
      }
    }
  }

  #checkEntry(
    bucket: number,
    hash: number,
    ref: number,
    entries: number[],
    expiring: number[],
  ): void {
    const where = `bucket ${bucket}: record ${ref}`;
    const state = this.#records[ref];
    if (state !== 1) this.#fail(`${where} ${state === 2 ? "has two entries" : "is not live"}`);
    this.#records[ref] = 2;
    const word = this.shard.i32[ref * 2], keyBytes = word >>> L.KEY_SHIFT;
    const database = (word >>> L.DATABASE_SHIFT) & 15, expires = (word & L.FLAG_EXPIRY) !== 0;
    const start = ref * 8 + L.RECORD_HEADER_BYTES + (expires ? L.EXPIRY_BYTES : 0);
    const expected = this.store.hash(this.#view, start, start + keyBytes, database);
    this.#same(`${where}: hash`, hash, expected);
    this.#same(`${where}: shard`, hash & this.store.shardMask, this.shard.number);
    const mask = this.#words[L.HIGH_MASK], address = hash >>> this.shard.addressShift;
    const high = address & mask;
    const home = high < this.#words[L.BUCKETS] ? high : address & (mask >>> 1);
    this.#same(`${where}: chain`, bucket, home);
    entries[database]++;
    let expiresAtMs = expires ? this.shard.f64[ref + 1] : 0;
    const bound = this.shard.bounds[bucket];
    if (expiresAtMs !== 0) expiring[database]++;
    if ((word & L.TYPE_MASK) === L.TYPE_HASH) {
      const valueStart = start + Math.ceil(keyBytes / 4) * 4;
      const found = checkHash(this.store, this.shard, ref, hash, valueStart, (part) => {
        if (this.#records[part] !== 1) {
          this.#fail(`${where}: part ${part} is not live, or another's`);
        }
        this.#records[part] = 2;
      });
      this.census.fields += found.fields;
      expiresAtMs = earlier(expiresAtMs, found.earliestMs);
    }
    if (expiresAtMs === 0) return;
    if (bound === 0 || bound > expiresAtMs) {
      this.#fail(`${where}: ${expiresAtMs} with bound ${bound}`);
    }
  }

  /** No bound is later than what lies below it, and none is left where there are no buckets. */
  #checkBounds(primary: number): void {
    const { bounds, boundsFirst, boundsSecond, boundsThird } = this.shard;
    const used = this.#words[L.BOUNDS_USED];
    for (let bucket = primary; bucket < used; bucket++) {
      this.#same(`bound of bucket ${bucket}, which is not in use`, bounds[bucket], 0);
    }
    const levels = [0, boundsFirst, boundsSecond, boundsThird];
    for (
      let level = 1, cells = used;
      level < levels.length;
      level++, cells = Math.ceil(cells / 64)
    ) {
      for (let cell = 0; cell < cells; cell++) {
        const below = bounds[levels[level - 1] + cell],
          above = bounds[levels[level] + (cell >>> 6)];
        if (below !== 0 && !(above !== 0 && above <= below)) {
          this.#fail(`bound ${above} of level ${level} over ${below}, cell ${cell}`);
        }
      }
    }
  }

  #checkCounts(entries: number[], expiring: number[]): void {
    let total = 0;
    for (let database = 0; database < L.DATABASES; database++) {
      const where = `of database ${database}`;
      this.#same(`entries ${where}`, this.#words[L.DB_ENTRIES + database], entries[database]);
      this.#same(`expiring ${where}`, this.#words[L.DB_EXPIRING + database], expiring[database]);
      total += entries[database];
    }
    this.#same("entries", this.#words[L.ENTRIES], total);
    this.census.entries += total;
  }
}

/**
 * Whether a word of the bucket region holds access clocks, which readers store into without lock: a late one
 * also where the bucket is no longer in use.
 */
export function isClock(word: number): boolean {
  return word >= L.BUCKET_BASE && (word - L.BUCKET_BASE) % L.BUCKET_WORDS >= L.BUCKET_CLOCKS / 2;
}
