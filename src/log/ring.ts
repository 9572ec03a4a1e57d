// The ring between those who change entries and the log's writer: groups of effects in the order of memory.
//
// Invariant: whoever appends has taken credit before, so a place always exists; places are taken while the
// changed shards are locked, so per key the ring's order is memory's. A group is published by storing its first
// word; consumed bytes are zeroed before the head moves, so old bytes never look like a published group.
// Cursors are int32 in units of 8 bytes and wrap: compared as (a - b) | 0, used as index through the mask.
// Longer than most files, because both sides of each word are read, and judged, beside each other.
import { CONTROL_BYTES, LogBoard, WAKE } from "./log_board.ts";
import { groupBytes, groupFirstWord, groupSecondWord, hasParts } from "./record.ts";

const UNIT_BYTES = 8;
const REASON_BYTES_MAX = 200;

// Words of control, in cache lines of 16; each line has one kind of writer. From 64 on they are the board's.
const TAIL = 0;
const CREDIT = 16;
const HEAD = 32;
const SYNCED = 33;
const STATE = 34;
const FAILURES = 35;
const CREDIT_EPOCH = 36;
const REASON_LENGTH = 37;
const SLEEPING = 49;
const CREDIT_WAITERS = 50;
/** While the log's writer gathers: where the ring's end shall be when it is woken. */
const WAKE_AT = 51;
const REASON_AT = 1536;
/** Set while the log's thread does not know yet that a write of another thread failed. */
const FAILED_IN_PLACE = 55;

/** What SLEEPING holds. */
const AWAKE = 0;
const ASLEEP = 1;
const GATHERING = 2;

/** What the log is at. */
export const LOG_WORKING = 0;
/** A write or a sync failed: nothing is written, writes are refused, until a new snapshot stands. */
export const LOG_FAILED = 1;

/** A large value that a group refers to: it lies in the store, pinned until the log has it. */
export interface RingPart {
  /** Where among the group's bytes it belongs. */
  readonly at: number;
  readonly shardNumber: number;
  readonly firstPage: number;
  /** Where in the value it begins. */
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** `ringBytes`: a power of two. `cursorStart`: for tests, where cursors begin. */
export function createRingMemory(ringBytes: number, cursorStart = 0): SharedArrayBuffer {
  if (!Number.isInteger(Math.log2(ringBytes)) || ringBytes < 4096 || ringBytes > 2 ** 30) {
    throw new RangeError(`Cannot make a ring: not a power of two in range: received ${ringBytes}`);
  }
  const memory = new SharedArrayBuffer(CONTROL_BYTES + ringBytes);
  const words = new Int32Array(memory, 0, CONTROL_BYTES / 4);
  words[TAIL] = words[HEAD] = words[SYNCED] = cursorStart | 0;
  words[CREDIT] = ringBytes / UNIT_BYTES;
  return memory;
}

/** One thread's view of a ring. */
export class Ring extends LogBoard {
  readonly capacityUnits: number;
  readonly data: Int32Array;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;
  readonly #mask: number;

  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.data = new Int32Array(memory, CONTROL_BYTES);
    this.bytes = new Uint8Array(memory, CONTROL_BYTES);
    this.view = new DataView(memory, CONTROL_BYTES);
    this.capacityUnits = this.bytes.length / UNIT_BYTES;
    this.#mask = this.capacityUnits - 1;
  }

  get capacityBytes(): number {
    return this.capacityUnits * UNIT_BYTES;
  }

  // ---- who appends ----------------------------------------------------------------------------------

  /** Takes room for `units`; false, and nothing taken, if there is not so much. */
  takeCredit(units: number): boolean {
    if (Atomics.sub(this.words, CREDIT, units) >= units) return true;
    Atomics.add(this.words, CREDIT, units);
    return false;
  }

  /** Gives back room that was not used. */
  giveCredit(units: number): void {
    if (units === 0) return;
    Atomics.add(this.words, CREDIT, units);
    if (Atomics.load(this.words, CREDIT_WAITERS) !== 0) this.#wakeCreditWaiters();
  }

  /** Resolves when there may be more room; the caller tries again, and gives up waiting in the end. */
  async creditChanged(timeoutMs: number): Promise<void> {
    Atomics.add(this.words, CREDIT_WAITERS, 1);
    const epoch = Atomics.load(this.words, CREDIT_EPOCH);
    this.rouse();
    const { value } = Atomics.waitAsync(this.words, CREDIT_EPOCH, epoch, timeoutMs);
    await value;
    Atomics.sub(this.words, CREDIT_WAITERS, 1);
  }

  /** The same, blocking the thread. */
  waitForCredit(timeoutMs: number): void {
    Atomics.add(this.words, CREDIT_WAITERS, 1);
    const epoch = Atomics.load(this.words, CREDIT_EPOCH);
    this.rouse();
    Atomics.wait(this.words, CREDIT_EPOCH, epoch, timeoutMs);
    Atomics.sub(this.words, CREDIT_WAITERS, 1);
  }

  /**
   * Appends a group: `lengthBytes` of `from` (readable in whole words), with `parts` in front if there are any.
   * The caller has taken credit for `unitsOf()` it. Gives the units used.
   */
  append(from: Uint8Array, view: DataView, lengthBytes: number, isWithParts: boolean): number {
    const units = unitsOf(lengthBytes);
    this.fill(this.reserve(units), from, view, lengthBytes, isWithParts);
    return units;
  }

  /** Takes the place of a group of so many units, which is published by `fill()` or `publish()`; the caller has credit. */
  reserve(units: number): number {
    return Atomics.add(this.words, TAIL, units);
  }

  /** Where the effects of the group reserved at `start` begin in `view`; −1 if they do not lie there in one piece. */
  placeOf(start: number, units: number): number {
    const first = (start & this.#mask) * UNIT_BYTES;
    return first + units * UNIT_BYTES <= this.bytes.length ? first + UNIT_BYTES : -1;
  }

  /** Publishes the group whose effects, and the nils behind them, were written at its place. */
  publish(start: number, lengthBytes: number): void {
    const first = (start & this.#mask) << 1;
    this.data[first + 1] = groupSecondWord(lengthBytes);
    Atomics.store(this.data, first, groupFirstWord(lengthBytes, false));
  }

  /** Publishes the group reserved at `start`, out of `from`. */
  fill(
    start: number,
    from: Uint8Array,
    view: DataView,
    lengthBytes: number,
    isWithParts: boolean,
  ): void {
    const units = unitsOf(lengthBytes),
      data = this.data,
      mask = this.#mask * 2 + 1,
      first = start << 1;
    let word = first + 2;
    const whole = lengthBytes & ~3;
    let at = 0;
    if ((first & mask) + units * 2 <= data.length) {
      word &= mask;
      for (; at < whole; at += 4) data[word++] = view.getInt32(at, true);
    } else {
      for (; at < whole; at += 4) data[word++ & mask] = view.getInt32(at, true);
    }
    // The last word and what pads the group: nils.
    let rest = 0xc0c0c0c0 | 0;
    for (let i = lengthBytes - 1; i >= whole; i--) rest = (rest << 8) | from[i];
    const end = first + units * 2;
    if (((end - word) & mask) !== 0) {
      data[word++ & mask] = rest;
      if (((end - word) & mask) !== 0) data[word & mask] = 0xc0c0c0c0 | 0;
    }
    data[(first + 1) & mask] = groupSecondWord(lengthBytes);
    Atomics.store(data, first & mask, groupFirstWord(lengthBytes, isWithParts));
  }

  /** Wakes the log's writer if it sleeps, or gathers and has enough. */
  wake(): void {
    const words = this.words, state = Atomics.load(words, SLEEPING);
    if (state === AWAKE) return;
    if (state === GATHERING) {
      const missing = Atomics.load(words, WAKE_AT) - Atomics.load(words, TAIL);
      if ((missing | 0) > 0) return;
    }
    // One of those who come is enough.
    if (Atomics.compareExchange(words, SLEEPING, state, AWAKE) === state) this.rouse();
  }

  /** Where the next group will lie: what a reply must wait for, once `isSynced()` says so. */
  get tail(): number {
    return Atomics.load(this.words, TAIL);
  }

  /** Whether everything before the cursor is on disk. */
  isSynced(cursor: number): boolean {
    return ((Atomics.load(this.words, SYNCED) - cursor) | 0) >= 0;
  }

  /** Resolves when more was synced, or the log failed. */
  async syncedChanged(seen: number, timeoutMs: number): Promise<void> {
    const { value } = Atomics.waitAsync(this.words, SYNCED, seen, timeoutMs);
    await value;
  }

  get synced(): number {
    return Atomics.load(this.words, SYNCED);
  }

  get state(): number {
    return Atomics.load(this.words, STATE);
  }

  /** A plain load, for a look per batch. */
  get isFailed(): boolean {
    return this.words[STATE] !== LOG_WORKING;
  }

  get failures(): number {
    return Atomics.load(this.words, FAILURES);
  }

  // ---- a failure in place ---------------------------------------------------------------------------

  /** A write or sync failed that was not the log's thread's: it has to begin anew. */
  failInPlace(reason: string): void {
    Atomics.store(this.words, FAILED_IN_PLACE, 1);
    this.setFailed(reason);
    this.rouse();
  }

  get hasFailedInPlace(): boolean {
    return Atomics.load(this.words, FAILED_IN_PLACE) !== 0;
  }

  /** The log's thread has seen it. */
  clearFailedInPlace(): void {
    Atomics.store(this.words, FAILED_IN_PLACE, 0);
  }

  // ---- the log's writer -----------------------------------------------------------------------------

  get head(): number {
    return this.words[HEAD];
  }

  get isEmpty(): boolean {
    return Atomics.load(this.words, TAIL) === this.words[HEAD];
  }

  /** Length in bytes of the group at `cursor`, −1 if none is published there. */
  groupAt(cursor: number): number {
    const word = (cursor & this.#mask) << 1;
    const first = Atomics.load(this.data, word);
    if (first === 0) return -1;
    const lengthBytes = groupBytes(first, this.data[word + 1]);
    if (lengthBytes < 0) throw new RangeError(`no group in the ring at ${cursor}: word ${first}`);
    return lengthBytes;
  }

  hasParts(cursor: number): boolean {
    return hasParts(this.data[(cursor & this.#mask) << 1]);
  }

  /** Copies what lies between two cursors to `into[at..]`. */
  copy(from: number, to: number, into: Uint8Array, at: number): void {
    const start = (from & this.#mask) * UNIT_BYTES, count = ((to - from) | 0) * UNIT_BYTES;
    const straight = Math.min(count, this.bytes.length - start);
    into.set(this.bytes.subarray(start, start + straight), at);
    if (straight < count) into.set(this.bytes.subarray(0, count - straight), at + straight);
  }

  /** Everything before `cursor` was taken: zeroes it, moves the head, gives the room back. */
  consume(cursor: number): void {
    const from = this.words[HEAD], units = (cursor - from) | 0;
    const start = (from & this.#mask) << 1, count = units * 2;
    const straight = Math.min(count, this.data.length - start);
    this.data.fill(0, start, start + straight);
    if (straight < count) this.data.fill(0, 0, count - straight);
    Atomics.store(this.words, HEAD, cursor);
    this.giveCredit(units);
  }

  /** Everything before the cursor is on disk: wakes who waits for it. */
  setSynced(cursor: number): void {
    Atomics.store(this.words, SYNCED, cursor);
    Atomics.notify(this.words, SYNCED);
  }

  /** Nothing is written any more; whoever waits for a sync is told. */
  setFailed(reason: string): void {
    const bytes = new TextEncoder().encode(reason.replace(/[\r\n]+/g, " ")).subarray(
      0,
      REASON_BYTES_MAX,
    );
    new Uint8Array(this.memory, REASON_AT, REASON_BYTES_MAX).set(bytes);
    Atomics.store(this.words, REASON_LENGTH, bytes.length);
    Atomics.store(this.words, STATE, LOG_FAILED);
    Atomics.add(this.words, FAILURES, 1);
    this.addNumber("failures", 1);
    Atomics.notify(this.words, SYNCED);
  }

  setWorking(): void {
    Atomics.store(this.words, STATE, LOG_WORKING);
  }

  /** Why the log failed last. */
  get reason(): string {
    const length = Atomics.load(this.words, REASON_LENGTH);
    return new TextDecoder().decode(new Uint8Array(this.memory, REASON_AT, length).slice());
  }

  /** Rests so long, or until somebody lacks room. */
  rest(timeoutMs: number): void {
    Atomics.wait(this.words, WAKE, Atomics.load(this.words, WAKE), timeoutMs);
  }

  /** Waits until `units` lie in the ring, or so long at most. */
  gather(units: number, timeoutMs: number): void {
    const words = this.words, wanted = (words[HEAD] + units) | 0;
    const isThere = () => ((Atomics.load(words, TAIL) - wanted) | 0) >= 0;
    if (isThere()) return;
    const wake = Atomics.load(words, WAKE);
    Atomics.store(words, WAKE_AT, wanted);
    Atomics.store(words, SLEEPING, GATHERING);
    if (!isThere()) Atomics.wait(words, WAKE, wake, timeoutMs);
    Atomics.store(words, SLEEPING, AWAKE);
  }

  /** Everything that is in the ring, or was taken from it and is not on disk yet, in units. */
  get inFlightUnits(): number {
    return (Atomics.load(this.words, TAIL) - Atomics.load(this.words, SYNCED)) | 0;
  }

  /** Sleeps until `wake()`, at most so long; returns at once if `isNeeded()` once the sleep is announced. */
  sleep(timeoutMs: number, isNeeded: () => boolean): void {
    const wake = Atomics.load(this.words, WAKE);
    Atomics.store(this.words, SLEEPING, ASLEEP);
    if (!isNeeded()) Atomics.wait(this.words, WAKE, wake, timeoutMs);
    Atomics.store(this.words, SLEEPING, AWAKE);
  }

  #wakeCreditWaiters(): void {
    Atomics.add(this.words, CREDIT_EPOCH, 1);
    Atomics.notify(this.words, CREDIT_EPOCH);
  }
}

/** Units that a group of so many bytes takes. */
export function unitsOf(lengthBytes: number): number {
  return (lengthBytes + 8 + 7) >>> 3;
}
