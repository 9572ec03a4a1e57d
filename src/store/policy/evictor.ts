// Lets entries go when memory is short: how many, in which shard, and how memory is won back from them.
//
// Which one goes next says `victim_choice.ts`. It knows neither commands nor the log: who is to be told is a sink.
import {
  ALLKEYS_LRU,
  BY_FREQUENCY,
  BY_RECENCY,
  BY_SEGMENT,
  clockKindOf,
  isVolatile,
  NO_EVICTION,
} from "../../eviction_policies.ts";
import { windowLeast } from "../admission_window.ts";
import { accessStamp, cellMeaning, kindOfMeaning } from "../access.ts";
import { beginEvacuation, CLASS_UNITS } from "../arena.ts";
import { ownerSlot } from "../hash/directory.ts";
import { nextBucketWord, slotOfRef } from "../bucket_index.ts";
import { removeAt } from "../entries.ts";
import * as L from "../layout.ts";
import { isExpired, keyBytesOf, typeOf } from "../record.ts";
import type { Shard } from "../shard.ts";
import { isHolding } from "../shard_lock.ts";
import type { Store } from "../store.ts";
import { contest, isAdmissionDue, isAdmitting, setAdmitting, tendAdmission } from "./admission.ts";
import { rejuvenateClocks } from "./clock_walk.ts";
import { CLOCK_MEANING } from "./eviction_state.ts";
import { type Choice, chooseStalest, chooseVictim } from "./victim_choice.ts";

/** Let go at once when a write finds no memory, so that the next ones find some. */
const VICTIMS_PER_WRITE = 16;
/** The same when that did not help: what goes is of another size, and whole pages have to become free. */
const VICTIMS_PER_TRY = 128;
/** Let go under one hold of the lock where nobody waits for that shard alone: about 20 µs. */
const VICTIMS_PER_HOLD = 64;
/** Records moved to win back a page, by a write that lacks one, and where more time may pass. */
const MOVES_PER_WRITE = 256;
const MOVES_PER_HOLD = 1024;
/** After so many tries of a write the emptiest page is cleared, whatever lies in it. */
const TRIES_BEFORE_PAGE = 6;
const PAGES_SEARCHED = 1024;
/** Of these, so many are passed because parts of large hashes lie in them. */
const PAGES_WITH_PARTS_MAX = 16;
/** Rounds over all shards in search of memory, beside those that a large value needs. */
const ROUNDS_MIN = 8;
/** Free slots are kept ahead of need up to this part of a shard's pages, from that part on. */
const AHEAD_LOW_SHIFT = 7;
const AHEAD_HIGH_SHIFT = 6;
/** Slices of the sketch's ageing under one hold of the lock: about 50 µs. */
const TENDED_PER_TURN = 8;
/** Holds of one shard's lock by one turn of the background's work. */
const HOLDS_PER_TURN = 8;
/** What goes under one hold frees no more than this by much: of long values a few make the room that is wanted. */
const FREED_PER_HOLD_UNITS = 2 * L.PAGE_UNITS;
/** Room beside what a large value needs: others take of it meanwhile. */
const RECLAIM_SPARE_PAGES = 4;

/** In the place of a key's hash: no key has it. */
export const NO_HASH = 2 ** 32;

/** Who is told of what goes, so that it can be logged. Called under the shard's lock. */
export interface VictimSink {
  /** Whether there is room to log the removal of a key of so many bytes. */
  admits(keyBytes: number): boolean;
  /** The entry is about to be removed. */
  removing(shard: Shard, ref: number, hash: number): void;
  /** What was told since the last call is complete; the lock is still held. */
  publish(): void;
  /** Waits until there is room; no lock is held. */
  awaitRoom(): void;
}

export class Evictor {
  /** Set when the last call stopped because the log had no room for removals. */
  isStarved = false;
  /** The key with this hash stays, because it is what room is made for; NO_HASH: all may go. */
  sparedHash = NO_HASH;
  /** See `begin()`. Under admission new entries have to show that they are used more often than what would go for them. */
  readonly #by: Choice = { policy: NO_EVICTION, isAdmitting: false, nowMs: 0, tick: 0, stamp: 0 };

  readonly #store: Store;
  readonly #sink: VictimSink | null;
  /** The shard at which the search over all of them goes on. */
  #next = 0;

  constructor(store: Store, sink: VictimSink | null) {
    this.#store = store;
    this.#sink = sink;
  }

  /** The moment of what follows, the policy that holds by then, and whether uses are counted for admission. */
  begin(policy: number, nowMs: number, isAdmitting: boolean): void {
    this.#by.policy = policy;
    this.#by.nowMs = nowMs;
    this.#by.isAdmitting = isAdmitting;
  }

  get isOn(): boolean {
    return this.#by.policy !== NO_EVICTION;
  }

  /**
   * Makes room in a shard whose lock for changes is held, for a write that found none; `tries` says how often it has
   * been called for the same write, and with it the effort grows. False: nothing could be done.
   */
  makeRoom(shard: Shard, tries: number): boolean {
    if (this.#by.policy === NO_EVICTION) return false;
    const victims = tries === 0 ? this.#atOnce(shard, VICTIMS_PER_WRITE) : VICTIMS_PER_TRY;
    let removed = this.evict(shard, victims, FREED_PER_HOLD_UNITS);
    if (this.isStarved) return false;
    if (tries >= TRIES_BEFORE_PAGE) removed += this.#emptyPage(shard);
    else if (tries > 0) removed += this.#compact(shard, MOVES_PER_WRITE);
    return removed > 0;
  }

  /** Lets entries go unless there is room for so many pages; with no lock held. */
  makeSure(pages: number): void {
    if (this.#store.account.hasRoom(pages * L.PAGE_ACCOUNT_UNITS)) return;
    this.reclaim((pages - 1) * L.PAGE_BYTES);
  }

  /**
   * Makes room for `bytes` in whole pages, in whatever shards; takes their locks one after the other. Gives whether
   * there is more room than before, perhaps not enough.
   */
  reclaim(bytes: number): boolean {
    // Who holds shards over several commands must not wait for others.
    if (this.#by.policy === NO_EVICTION || isHolding()) return false;
    const { shards, account } = this.#store;
    const pages = Math.ceil(bytes / L.PAGE_BYTES + 1), units = pages * L.PAGE_ACCOUNT_UNITS;
    // Nothing goes for what could never fit.
    if (units * L.ACCOUNT_UNIT_BYTES > account.limitBytes) return false;
    const rounds = ROUNDS_MIN + pages * 2;
    let removed = 0;
    for (let round = 0; round < rounds; round++) {
      const before = removed;
      let entries = 0;
      // No more goes than is wanted: what does not free whole pages at once leaves holes, which are closed next.
      let left = (pages + RECLAIM_SPARE_PAGES) * L.PAGE_UNITS;
      for (let i = 0; i < shards.length; i++) {
        const shard = shards[this.#next++ & this.#store.shardMask];
        this.#store.lockChange(shard);
        const used = usedUnits(shard.words);
        if (left > 0) removed += this.evict(shard, VICTIMS_PER_HOLD, left);
        left -= used - usedUnits(shard.words);
        if (round > 0) removed += this.#compact(shard, MOVES_PER_HOLD);
        if (round > 1) removed += this.#emptyPage(shard);
        this.#sink?.publish();
        this.#store.unlockChange(shard);
        entries += shard.words[L.ENTRIES];
        if (account.hasRoom(units) && (round > 0 || left <= 0)) return true;
        if (this.isStarved) this.#sink!.awaitRoom();
      }
      // Where few are left in an index that was made for many, the hand passes a part of it in each round.
      if (removed === before && !this.isStarved && (entries === 0 || isVolatile(this.#by.policy))) {
        break;
      }
    }
    return removed > 0;
  }

  /** One turn of the work ahead of need, for one shard; gives whether there is more to do. */
  runAhead(shard: Shard): boolean {
    this.#adoptClocks(shard);
    this.#tendAhead(shard);
    const state = this.#store.eviction[shard.number].words;
    rejuvenateClocks(shard, state, this.#store.accessClock.tick);
    this.#store.compactAhead(shard, this.#by.nowMs);
    if (this.#by.policy === NO_EVICTION) return false;
    const words = shard.words, { account } = this.#store;
    const isShort = () =>
      !account.hasRoom(0) || !account.hasRoom(L.PAGE_ACCOUNT_UNITS) &&
        words[L.FREE_SLOT_UNITS] < (words[L.SLAB_PAGES] * L.PAGE_UNITS) >>> AHEAD_HIGH_SHIFT;
    if (account.hasRoom(L.PAGE_ACCOUNT_UNITS)) return false;
    const low = (words[L.SLAB_PAGES] * L.PAGE_UNITS) >>> AHEAD_LOW_SHIFT;
    if (account.hasRoom(0) && words[L.FREE_SLOT_UNITS] >= low) return false;
    for (let holds = 0; holds < HOLDS_PER_TURN && isShort(); holds++) {
      this.#store.lockChange(shard);
      const count = this.#atOnce(shard, VICTIMS_PER_HOLD);
      let removed = this.evict(shard, count, FREED_PER_HOLD_UNITS);
      // Too much is in use, not too little free: pages have to go back.
      if (!account.hasRoom(0)) removed += this.#compact(shard, MOVES_PER_HOLD);
      this.#sink?.publish();
      this.#store.unlockChange(shard);
      if (removed === 0) return false;
    }
    return isShort();
  }

  /** Under admission, no more than the window has for each one that goes: who would go without has not been compared. */
  #atOnce(shard: Shard, count: number): number {
    return this.#by.isAdmitting ? Math.min(count, windowLeast(shard.words[L.ENTRIES])) : count;
  }

  /**
   * Lets at most `count` entries of a shard go, whose lock for changes is held, and no more once `unitsMax` of the arena
   * are free by that; gives how many went.
   */
  evict(shard: Shard, count: number, unitsMax: number = 2 ** 30): number {
    this.isStarved = false;
    this.#adoptClocks(shard);
    if (this.#by.isAdmitting !== isAdmitting(shard)) setAdmitting(shard, this.#by.isAdmitting);
    if (this.#by.isAdmitting) tendAdmission(shard);
    const kind = clockKindOf(this.#by.policy, this.#by.isAdmitting);
    this.#by.tick = this.#store.accessClock.tick;
    this.#by.stamp = accessStamp(kind, this.#by.tick, false);
    const state = this.#store.eviction[shard.number], usedMin = usedUnits(shard.words) - unitsMax;
    if (kind === BY_RECENCY && this.#by.policy === ALLKEYS_LRU) {
      return this.#evictStalest(shard, state.words, count, usedMin);
    }
    let removed = 0;
    while (
      removed < count && shard.words[L.ENTRIES] > 0 && usedUnits(shard.words) > usedMin
    ) {
      let slot = chooseVictim(shard, state.words, this.#by);
      if (slot === 0) break;
      if (this.#by.isAdmitting) {
        slot = contest(shard, state, slot, isVolatile(this.#by.policy), this.#by.nowMs);
      }
      if (!this.#remove(shard, slot)) break;
      removed++;
    }
    return removed;
  }

  /** The sketch's growing and ageing, and a change of whether there is one; takes the shard's lock if it is time. */
  #tendAhead(shard: Shard): void {
    const isChanged = this.#by.isAdmitting !== isAdmitting(shard);
    if (!isChanged && !(this.#by.isAdmitting && isAdmissionDue(shard))) return;
    this.#store.lockChange(shard);
    if (isChanged) setAdmitting(shard, this.#by.isAdmitting);
    for (let i = 0; this.#by.isAdmitting && i < TENDED_PER_TURN && isAdmissionDue(shard); i++) {
      tendAdmission(shard);
    }
    this.#store.unlockChange(shard);
  }

  /**
   * `evict()` as it mostly is. The next one is chosen, and its record asked for, before one goes, so that the memory's
   * answer is there when its turn comes: a fifth of what eviction costs a SET.
   */
  #evictStalest(shard: Shard, state: Int32Array, count: number, usedMin: number): number {
    const { words, buckets, i32 } = shard, stamp = this.#by.stamp;
    let slot = words[L.ENTRIES] > 0 ? chooseStalest(shard, state, stamp) : 0, removed = 0;
    while (slot !== 0) {
      let next = 0, nextRef = 0;
      if (removed + 1 < count && words[L.ENTRIES] > 1) {
        next = chooseStalest(shard, state, stamp);
        nextRef = buckets[next + L.BUCKET_REFS];
        this.loaded = i32[nextRef * 2];
      }
      if (!this.#remove(shard, slot)) break;
      removed++;
      if (usedUnits(words) <= usedMin) break;
      // It may have been the same, or have moved into its place.
      if (next !== 0 && buckets[next + L.BUCKET_REFS] !== nextRef) {
        next = words[L.ENTRIES] > 0 ? chooseStalest(shard, state, stamp) : 0;
      }
      slot = next;
    }
    return removed;
  }

  /** What the last load ahead of need came to: kept, so that the load is. */
  loaded = 0;

  /** Removes the entry at `slot`; false if there is no room to log that, or it is to stay. */
  #remove(shard: Shard, slot: number): boolean {
    if (shard.buckets[slot] === this.sparedHash) return false;
    const ref = shard.buckets[slot + L.BUCKET_REFS], sink = this.#sink;
    if (isExpired(shard, ref, this.#by.nowMs)) {
      // It had gone already, as far as anybody could see: that is not logged.
      shard.words[L.EXPIRED_COUNT]++;
    } else {
      if (sink !== null) {
        if (!sink.admits(keyBytesOf(shard, ref))) {
          this.isStarved = true;
          return false;
        }
        sink.removing(shard, ref, shard.buckets[slot]);
      }
      this.#store.eviction[shard.number].noteEvicted();
    }
    removeAt(shard, slot, ref);
    return true;
  }

  /** Moves records together, so that a page may become free; gives 1 if one is on its way. */
  #compact(shard: Shard, movesMax: number): number {
    if (shard.words[L.EVACUATING] === 0 && !beginEvacuation(shard)) return 0;
    this.#store.moveRecords(shard, movesMax);
    return 1;
  }

  /**
   * Lets all entries of one slab page go, of the one with the most holes: the last resort of a shard that has memory
   * of other sizes only. Gives how many went.
   */
  #emptyPage(shard: Shard): number {
    // Not all of a page's entries may be ones that expire.
    if (isVolatile(this.#by.policy) || this.isStarved) return 0;
    const { pages, i32 } = shard;
    const page = emptiestPage(shard);
    if (page < 0) return 0;
    const meta = page * L.PAGE_WORDS, size = CLASS_UNITS[pages[meta + L.PAGE_KIND] - 1];
    const filled = pages[meta + L.PAGE_FILLED], start = L.ARENA_BASE_UNITS + page * L.PAGE_UNITS;
    let removed = 0;
    for (let at = 0; at + size <= filled && pages[meta + L.PAGE_LIVE] > 0; at += size) {
      const ref = start + at;
      if (pages[meta + L.PAGE_KIND] <= 0) break; // the last one was the page's last
      if (i32[ref * 2] === 0) continue;
      const slot = typeOf(shard, ref) === L.TYPE_PART
        ? ownerSlot(shard, ref, ref)
        : slotOfRef(shard, this.#store.hashOfRecord(shard, ref) >>> shard.addressShift, ref);
      // A record that no entry refers to is being made by a change that is under way.
      if (slot === 0) continue;
      if (!this.#remove(shard, slot)) break;
      removed++;
    }
    return removed;
  }

  /** After a change of the policy, clocks of another kind mean nothing: all entries begin anew. */
  #adoptClocks(shard: Shard): void {
    const state = this.#store.eviction[shard.number].words;
    const kind = clockKindOf(this.#by.policy, this.#by.isAdmitting), meaning = cellMeaning(kind);
    const before = state[CLOCK_MEANING], kindBefore = kindOfMeaning(before);
    if (before === meaning) return;
    state[CLOCK_MEANING] = meaning;
    if (before === 0 || hasTicks(kind) && hasTicks(kindBefore)) return;
    const fresh = accessStamp(kind, this.#store.accessClock.tick, false);
    // Counts that decay otherwise from now on are counts all the same.
    const keptBits = kind === BY_FREQUENCY && kindBefore === BY_FREQUENCY ? 0xff : 0;
    const { words, clocks } = shard;
    for (let bucket = 0; bucket < words[L.BUCKETS]; bucket++) {
      for (let base = L.BUCKET_BASE + bucket * L.BUCKET_WORDS; base !== 0;) {
        const first = base * 2 + L.BUCKET_CLOCKS;
        for (let at = first; at < first + L.BUCKET_SLOTS; at++) {
          clocks[at] = (fresh & ~keptBits) | (clocks[at] & keptBits);
        }
        base = nextBucketWord(shard, base);
      }
    }
  }
}

/** What entries take of a shard's arena, whole pages of long values included, in 8-byte units. */
function usedUnits(words: Int32Array): number {
  return words[L.PAGES_USED] * L.PAGE_UNITS - words[L.FREE_SLOT_UNITS];
}

/** Whether clocks of a kind hold the tick of the last access; the lowest bit then does not matter for the order. */
function hasTicks(kind: number): boolean {
  return kind === BY_RECENCY || kind === BY_SEGMENT;
}

/**
 * The slab page with the least in use, −1 if there is none. One with parts of large hashes only if all of a few are such:
 * for a part that goes, its whole hash goes.
 */
function emptiestPage(shard: Shard): number {
  const { words, pages } = shard, bump = Math.min(words[L.PAGE_BUMP], PAGES_SEARCHED);
  let emptiest = -1, above = -1;
  for (let tries = 0; tries < PAGES_WITH_PARTS_MAX; tries++) {
    // The next one by what is in use, and of equals by their number.
    let page = -1, least = Infinity;
    for (let each = 0; each < bump; each++) {
      const meta = each * L.PAGE_WORDS, kind = pages[meta + L.PAGE_KIND];
      if (kind <= 0) continue;
      const rank = pages[meta + L.PAGE_LIVE] * CLASS_UNITS[kind - 1] * PAGES_SEARCHED + each;
      if (rank > above && rank < least) page = each, least = rank;
    }
    if (page < 0) break;
    if (emptiest < 0) emptiest = page;
    if (!hasParts(shard, page)) return page;
    above = least;
  }
  return emptiest;
}

function hasParts(shard: Shard, page: number): boolean {
  const { pages } = shard, meta = page * L.PAGE_WORDS;
  const size = CLASS_UNITS[pages[meta + L.PAGE_KIND] - 1];
  const start = L.ARENA_BASE_UNITS + page * L.PAGE_UNITS, end = start + pages[meta + L.PAGE_FILLED];
  for (let ref = start; ref < end; ref += size) {
    if (typeOf(shard, ref) === L.TYPE_PART) return true;
  }
  return false;
}
