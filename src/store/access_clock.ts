// The clock of accesses, shared by all threads: it goes on with the entries that are added, or once a second.
//
// Eviction asks which of two entries was used earlier, and a cache may be turned over within a second: so the
// clock ticks about 4,096 times while as many entries are added as there are. Without additions it ticks each
// second, so that nothing stays undated. 16 bits of it lie beside each entry; a table tells when each tick began.
const TICK = 0;
const SECOND = 1;
/** Entries added since the last tick; a line of its own, because every shard adds to it. */
const ADDED = 16;
const TABLE = 32;
export const TICKS = 65_536;
/** A turnover of the cache takes so many ticks. */
const TURNOVER_SHIFT = 12;
/** Shards tell of additions in this many at once: an Atomics operation for each would be felt. */
export const ADDED_AT_ONCE = 16;

/** `tickStart`: for tests, at which tick it begins. */
export function createAccessClockMemory(tickStart = 0): SharedArrayBuffer {
  const memory = new SharedArrayBuffer((TABLE + TICKS) * 4);
  new Int32Array(memory)[TICK] = tickStart;
  return memory;
}

export class AccessClock {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** The tick now, 0 to 65,535: a plain load, once per batch. */
  at(nowMs: number): number {
    const second = Math.floor(nowMs / 1000) | 0;
    if (this.#words[SECOND] !== second) this.#toSecond(second);
    return this.#words[TICK] & (TICKS - 1);
  }

  /** The tick now, for who has no time at hand. */
  get tick(): number {
    return this.#words[TICK] & (TICKS - 1);
  }

  /** ADDED_AT_ONCE entries were added by a shard; `entries` is about how many there are in all. */
  noteAdded(entries: number): void {
    const words = this.#words;
    const added = Atomics.add(words, ADDED, ADDED_AT_ONCE) + ADDED_AT_ONCE;
    if (added < entries >>> TURNOVER_SHIFT) return;
    Atomics.store(words, ADDED, 0);
    this.#tick();
  }

  /** Seconds since that tick began, 0 at least. */
  idleS(tick: number, nowMs: number): number {
    const began = this.#words[TABLE + (tick & (TICKS - 1))];
    return Math.max(0, (Math.floor(nowMs / 1000) | 0) - began);
  }

  /** The tick that was so many seconds ago; at most half of the clock's range back. */
  tickBefore(idleS: number, nowMs: number): number {
    const now = this.tick;
    let ago = 0;
    for (let step = TICKS / 4; step >= 1; step /= 2) {
      if (this.idleS(now - ago - step, nowMs) <= idleS) ago += step;
    }
    return (now - ago) & (TICKS - 1);
  }

  #toSecond(second: number): void {
    const words = this.#words, before = words[SECOND];
    // One of those who find a new second makes the tick.
    if (Atomics.compareExchange(words, SECOND, before, second) !== before) return;
    if (before === 0) {
      // As if it had ticked each second before: RESTORE may say that an entry was idle for long.
      for (let ago = 0; ago < TICKS / 2; ago++) {
        words[TABLE + ((words[TICK] - ago) & (TICKS - 1))] = second - ago;
      }
    }
    this.#tick();
  }

  #tick(): void {
    const words = this.#words, tick = (Atomics.load(words, TICK) + 1) & (TICKS - 1);
    // Dated before it is seen, so that nobody finds a tick of an earlier lap.
    words[TABLE + tick] = words[SECOND];
    Atomics.add(words, TICK, 1);
  }
}
