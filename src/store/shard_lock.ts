// The lock of a shard and the sequence that its readers check, in one word; knows nothing of what it guards.
//
// Bit 0: changing. Bit 1: held for reading (other lock holders wait, readers without lock go on).
// The other 30 bits count changes. Source of the idea: seqlocks (Lameter, 2005), with writer lock and
// sequence merged. x86-64 only for several threads: TRAPS of the memory model are in the documents.
import { LOCK, LOCK_WAITS, WAITERS } from "./layout.ts";

const CHANGING = 1;
const READING = 2;
const COUNT_STEP = 4;
const SPINS_MAX = 1000;
const WAIT_MS = 1000;
/** A section takes microseconds. Who waits this long has met a dead holder, and main ends the process. */
const TIMEOUTS_MAX = 60;

const pause: (count?: number) => void = (Atomics as { pause?: (count?: number) => void }).pause ??
  (() => {});

// The first guess at the word and the last look at the waiters are plain loads: an Atomics call costs 20 to
// 40 ns, a wrong guess fails the exchange, and the store before the look is a full barrier.

/** Begins a change: from here to `unlockChange()` readers without lock repeat what they read. */
export function lockChange(words: Int32Array): void {
  const value = words[LOCK];
  if (
    (value & (CHANGING | READING)) !== 0 ||
    Atomics.compareExchange(words, LOCK, value, value | CHANGING) !== value
  ) acquire(words, CHANGING);
}

export function unlockChange(words: Int32Array): void {
  // Only the holder changes the word while it is held.
  Atomics.store(words, LOCK, ((words[LOCK] & ~CHANGING) + COUNT_STEP) | 0);
  if (words[WAITERS] !== 0) Atomics.notify(words, LOCK, 1);
}

/** Keeps others from changing, and lets readers without lock go on. */
export function lockReading(words: Int32Array): void {
  if (heldHere.size > 0 && heldHere.has(words)) return;
  acquire(words, READING);
}

export function unlockReading(words: Int32Array): void {
  if (heldHere.size > 0 && heldHere.has(words)) return;
  Atomics.store(words, LOCK, Atomics.load(words, LOCK) & ~READING);
  if (Atomics.load(words, WAITERS) !== 0) Atomics.notify(words, LOCK, 1);
}

/**
 * The sequence for a read without lock; odd while a change is under way. A plain load: were it older than it
 * could be, the read would only be repeated; what must not be merged or moved is the second look.
 */
export function beginRead(words: Int32Array): number {
  return words[LOCK];
}

/** How often the shard was changed, as a number that wraps; for whoever holds the lock. */
export function changesOf(words: Int32Array): number {
  return words[LOCK] & ~(CHANGING | READING);
}

/** Whether nothing changed since `begun` was read, and nothing was changing then. */
export function confirmRead(words: Int32Array, begun: number): boolean {
  return ((Atomics.load(words, LOCK) ^ begun) & ~READING) === 0 && (begun & CHANGING) === 0;
}

/** The same by a plain load, for use after an Atomics operation that came after all that was read. */
export function confirmReadAfter(words: Int32Array, begun: number): boolean {
  return ((words[LOCK] ^ begun) & ~READING) === 0;
}

/**
 * What this thread holds over several commands, for a transaction: their own locks are then no more than this one.
 * Only functions off the hot path ask; commands on it are run by the transaction without their locks.
 */
const heldHere = new Set<Int32Array>();

/** `lockChange()` until `release()`; within it, this thread's other functions but that one may be called. */
export function hold(words: Int32Array): void {
  lockChange(words);
  heldHere.add(words);
}

/** Of a shard that this thread has locked for changes: as `hold()`, for what it calls that would take the lock itself. */
export function keep(words: Int32Array): void {
  heldHere.add(words);
}

/** Ends `keep()`, and `hold()` but for its `unlockChange()`. */
export function release(words: Int32Array): void {
  heldHere.delete(words);
}

/** Whether this thread holds shards over several commands: it must wait for no others then. */
export function isHolding(): boolean {
  return heldHere.size > 0;
}

/** `lockChange()`, unless this thread holds the shard. */
export function enterChange(words: Int32Array): void {
  if (!heldHere.has(words)) lockChange(words);
}

/** Ends what `enterChange()` began. */
export function leaveChange(words: Int32Array): void {
  if (!heldHere.has(words)) unlockChange(words);
}

/** What this thread does at least each second while it waits for a lock. */
let onWait = () => {};

/** Has this thread show that it lives, at least each second, while it waits for another one that holds a shard for long. */
export function whileWaiting(sign: () => void): void {
  onWait = sign;
}

function acquire(words: Int32Array, bit: number): void {
  let isCounted = false;
  // Being woken and then outrun is no sign of a dead holder, so only waits that nobody ended count.
  for (let timeouts = 0; timeouts < TIMEOUTS_MAX;) {
    for (let spins = 0; spins < SPINS_MAX; spins++) {
      const value = Atomics.load(words, LOCK);
      if (
        (value & (CHANGING | READING)) === 0 &&
        Atomics.compareExchange(words, LOCK, value, value | bit) === value
      ) return;
      if (!isCounted) Atomics.add(words, LOCK_WAITS, 1);
      isCounted = true;
      pause();
    }
    Atomics.add(words, WAITERS, 1);
    const value = Atomics.load(words, LOCK);
    if (
      (value & (CHANGING | READING)) !== 0 &&
      Atomics.wait(words, LOCK, value, WAIT_MS) === "timed-out"
    ) timeouts++;
    Atomics.sub(words, WAITERS, 1);
    onWait();
  }
  throw new Error(`a shard's lock was not released for ${TIMEOUTS_MAX} s: word ${words[LOCK]}`);
}
