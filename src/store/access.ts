// What the 16 bits beside each entry mean to each kind of policy, and how an access changes them.
//
// An access is noted by a stamp, a number made once per batch: its upper bits are the kind, the lower 16 what an
// entry that is added begins with. Below 0 nothing is noted. Readers without lock store here too: what they
// lose or overwrite is one access, and never anything else than these 16 bits. With bit 31 uses are counted in
// the shard's sketch as well (`frequency_sketch.ts`), but for -1: who asks for no more than recency pays nothing for that.
//
//   by recency     the tick of the last access
//   by frequency   upper 8: the period of the last access, 256 ticks each, or `lfu-decay-time` minutes; lower 8: a
//                  logarithmic count (Morris, 1978), which loses one for each four periods without access, or for each
//   by visits      upper 15: half of the tick at which the entry was added; bit 0: used since the hand passed
//   by segment     upper 15: half of the tick of the last access; bit 0: protected, because it was used since it
//                  came, and not among the stalest of the protected since
import {
  BY_FREQUENCY,
  BY_RECENCY,
  BY_SEGMENT,
  BY_VISITS,
  LFU_DECAY_BY_TURNOVER,
  LFU_LOG_FACTOR_START,
} from "../eviction_policies.ts";
import { clockOf } from "./bucket_index.ts";
import { countUse } from "./frequency_sketch.ts";
import type { Shard } from "./shard.ts";

/** Makes a stamp one whose accesses are counted. */
export const COUNTED = 1 << 31;
/** The stamp of an access that is not noted. */
export const NOT_NOTED = -1;
const KIND_SHIFT = 16;
const KIND_MASK = 3;
const MEANING_KIND_MASK = 0xff;
const TICK_PAIRS = 0xfffe;
const CELL_MASK = 0xffff;
/** What a new entry's count begins with, so that it is not the first to go (as Redis's). */
const COUNT_START = 5;
const COUNT_MAX = 255;
/**
 * By the cache's turnover a count loses one for so many periods without use, as a power of two: for a quarter of it. Four
 * times as fast loses 5 points of hit ratio to exact counts on Zipf's law, four times as slow 2 where it shifts.
 */
const TURNOVER_DECAY_SHIFT = 2;
const MINUTE_MS = 60_000;
/** Ages of ticks and of periods above which cells are made younger, and above which they are of the future. */
const TICK_AGES: readonly [number, number] = [49_152, 61_440];
const PERIOD_AGES: readonly [number, number] = [192, 240];
const PERIODS_FORGIVEN = 128;

// What this thread counts by; the same for all of them, from the settings.
let growth = LFU_LOG_FACTOR_START, decayMinutes = LFU_DECAY_BY_TURNOVER;
let decayShift = TURNOVER_DECAY_SHIFT, minutesPeriod = 0;

/**
 * How counts by frequency grow and decay from now on, as Redis's `lfu-log-factor` and `lfu-decay-time` say (0 minutes:
 * never). Once per batch where counts are kept; a change of the minutes makes cells mean something else, see below.
 */
export function setCounting(logFactor: number, minutes: number, nowMs: number): void {
  growth = logFactor;
  decayMinutes = minutes;
  decayShift = minutes === LFU_DECAY_BY_TURNOVER ? TURNOVER_DECAY_SHIFT : 0;
  minutesPeriod = minutes <= 0 ? 0 : (Math.floor(nowMs / (MINUTE_MS * minutes)) & 0xff) << 8;
}

/** Cells of a kind mean the same as long as this is the same; never 0. */
export function cellMeaning(kind: number): number {
  return kind === BY_FREQUENCY ? ((decayMinutes + 1) << KIND_SHIFT) | (kind + 1) : kind + 1;
}

/** The kind of which a meaning is. */
export function kindOfMeaning(meaning: number): number {
  return (meaning & MEANING_KIND_MASK) - 1;
}

/** What is not protected is staler than all that is. */
export const UNPROTECTED = 1 << 16;

/** The stamp of accesses at a tick; `isCounted`: with the sketch. */
export function accessStamp(kind: number, tick: number, isCounted: boolean): number {
  const bits = isCounted ? COUNTED | (kind << KIND_SHIFT) : kind << KIND_SHIFT;
  if (kind === BY_RECENCY) return bits | tick;
  if (kind === BY_FREQUENCY) return bits | periodBits(tick) | COUNT_START;
  return bits | (tick & TICK_PAIRS);
}

function periodBits(tick: number): number {
  return decayMinutes === LFU_DECAY_BY_TURNOVER ? tick & 0xff00 : minutesPeriod;
}

/** The same with a count of 0 to 255, for entries that were used elsewhere; only by frequency. */
export function stampWithCount(stamp: number, count: number): number {
  return kindOf(stamp) === BY_FREQUENCY ? (stamp & ~0xff) | count : stamp;
}

/** Notes that the entry at `slot` was used. */
export function noteAccess(shard: Shard, slot: number, stamp: number): void {
  // Stored only when it differs: a key that many workers read would otherwise bounce between their caches.
  const at = clockOf(slot), cell = shard.clocks[at];
  if (cell === stamp) return;
  if (stamp >>> 0 <= CELL_MASK) shard.clocks[at] = stamp;
  else noteOtherwise(shard, slot, at, cell, stamp);
}

/** Apart from it, so that it stays small enough to become part of who calls it. */
function noteOtherwise(shard: Shard, slot: number, at: number, cell: number, stamp: number): void {
  if (stamp >= 0) noteUse(shard, at, cell, stamp);
  else if (stamp !== NOT_NOTED) noteCounted(shard, slot, at, cell, stamp);
}

function noteCounted(shard: Shard, slot: number, at: number, cell: number, stamp: number): void {
  if (kindOf(stamp) === BY_SEGMENT) {
    const made = (stamp & CELL_MASK) | 1;
    // A tick is a small part of the cache's turnover: of uses within one the first alone counts, and the popular
    // keys, whose counters are full anyway, cost no more than they do without.
    if (cell === made) return;
    shard.clocks[at] = made;
  } else noteUse(shard, at, cell, stamp & ~COUNTED);
  countUse(shard, shard.buckets[slot]);
}

function kindOf(stamp: number): number {
  return (stamp >>> KIND_SHIFT) & KIND_MASK;
}

function noteUse(shard: Shard, at: number, cell: number, stamp: number): void {
  if (stamp >>> KIND_SHIFT === BY_VISITS) {
    if ((cell & 1) === 0) shard.clocks[at] = cell | 1;
    return;
  }
  const count = countAt(cell, stamp), grown = count - COUNT_START;
  const isCounted = count < COUNT_MAX &&
    (grown <= 0 || nextRandom() < RANDOM_RANGE / (grown * growth + 1));
  const made = (stamp & 0xff00) | (isCounted ? count + 1 : count);
  if (made !== cell) shard.clocks[at] = made;
}

/** The count of a cell by frequency, as it is at a stamp or tick. */
export function countAt(cell: number, stamp: number): number {
  return Math.max(0, (cell & 0xff) - (periodsBetween(cell, stamp) >>> decayShift));
}

/** How much a cell speaks for its entry's going, at a stamp that is not counted: the larger, the sooner. */
export function staleness(cell: number, stamp: number): number {
  if (stamp <= CELL_MASK) return (stamp - cell) & CELL_MASK;
  if (kindOf(stamp) === BY_SEGMENT) {
    return ((stamp - cell) & TICK_PAIRS) | ((cell & 1) === 0 ? UNPROTECTED : 0);
  }
  // Of two that were used as often, the one whose last use is longer ago.
  return ((COUNT_MAX - countAt(cell, stamp)) << 8) | periodsBetween(cell, stamp);
}

/** Takes its protection from the entry at `slot`: it is then like one that came just now. */
export function unprotect(shard: Shard, slot: number, stamp: number): void {
  shard.clocks[clockOf(slot)] = stamp & TICK_PAIRS;
}

/**
 * The cell, made younger if it is so old that it would soon look new; `stamp` is of its kind. Who looks at each cell
 * once in an eighth of the clock's range keeps all of them from that.
 */
export function rejuvenated(cell: number, stamp: number): number {
  const kind = kindOf(stamp);
  if (kind === BY_FREQUENCY) {
    const periods = periodsBetween(cell, stamp);
    if (periods <= PERIOD_AGES[0] || periods >= PERIOD_AGES[1]) return cell;
    // Its count is what it would be after these periods, so nothing changes but that the others are left to count.
    const count = Math.max(0, (cell & 0xff) - (PERIODS_FORGIVEN >>> decayShift));
    return ((cell + (PERIODS_FORGIVEN << 8)) & 0xff00) | count;
  }
  const age = (stamp - cell) & TICK_PAIRS;
  if (age <= TICK_AGES[0] || age >= TICK_AGES[1]) return cell;
  return ((stamp - TICK_AGES[0]) & TICK_PAIRS) | (cell & 1);
}

function periodsBetween(cell: number, stamp: number): number {
  return ((stamp >>> 8) - (cell >>> 8)) & 0xff;
}

const RANDOM_RANGE = 2 ** 32;
let random = 0x9e3779b9 | 0;

/** A number below RANDOM_RANGE; cheap, and good enough to count by (xorshift, Marsaglia 2003). */
export function nextRandom(): number {
  random ^= random << 13;
  random ^= random >>> 17;
  random ^= random << 5;
  return random >>> 0;
}
