// What the log's threads and those who ask them tell each other beside the ring: settings, numbers, requests.
//
// It lies in the words of control in front of the ring. What tells of the segment is written by who has the writer's role,
// each other number by one thread. Who asks counts up one word, who has done it another, so that nothing is lost between
// threads that block.
import { LOAD_TURNS_WORDS } from "./load_turns.ts";

/** In front of the ring's data. */
export const CONTROL_BYTES = 2048;

/** Counts up whenever the log's writer is to look: it waits on this word. */
export const WAKE = 48;
/** Who writes to the log's segment at the moment; the segment's number among those begun, whether it is open, its id. */
const ROLE = 52;
const SEGMENT_SERIAL = 53;
const SEGMENT_OPEN = 54;
const SEGMENT_ID = 56;
const FSYNC = 64;
const INTERVAL_MS = 65;
const REQUESTS = 66;
const DONE = 72;
/** For those who load a snapshot together. */
const LOAD_TURNS = 80;
// Numbers for INFO, float64, from word 96 on.
const NUMBERS = 96 / 2;
/** Counts of syncs by time, float64: up to 2^10 ns, 2^11, ...; the last for all that took longer. */
const SYNC_TIMES = 1024 / 8;
export const SYNC_TIME_EXPONENT_MIN = 10;
const SYNC_TIMES_COUNT = 23;

/** Who has the writer's role: nobody, the log's thread, or a worker, by `ROLE_OF_WORKERS` and its number. */
export const ROLE_FREE = 0;
export const ROLE_OF_LOG = 1;
export const ROLE_OF_WORKERS = 2;
/** Who waits for it looks again after so long. */
const ROLE_LOOK_MS = 1000;

export const FSYNC_ALWAYS = 0;
export const FSYNC_INTERVAL = 1;
export const FSYNC_NEVER = 2;
export const FSYNC_NAMES = ["always", "interval", "never"] as const;

/** How much the latest sync counts in the mean. */
export const SYNC_MEAN_PART = 1 / 8;

/** What others ask of the log's writer, each a counter of askings and one of doings. */
export const ASK_SYNC = 0;
export const ASK_ROTATE = 1;
export const ASK_STOP = 2;
export const ASK_HEALED = 3;
/** A spare file lies ready for the next segment. */
export const ASK_SPARE = 4;
const ASKS = 5;

/** Numbers of the log, for INFO. Moments in ms since 1970. */
const LOG_NUMBER = {
  sequence: 0,
  syncedSequence: 1,
  segmentFirst: 2,
  frames: 3,
  bytes: 4,
  syncs: 5,
  syncMsTotal: 6,
  syncMsLast: 7,
  /** When the oldest write that is not synced was met; 0: all are. */
  unsyncedSinceMs: 8,
  sizeBytes: 9,
  snapshotSequence: 10,
  snapshotAtMs: 11,
  snapshotMs: 12,
  snapshotBytes: 13,
  snapshotEntries: 14,
  snapshotOk: 15,
  snapshotRunningSinceMs: 16,
  snapshots: 17,
  loadedEntries: 18,
  loadMs: 19,
  cutBytes: 20,
  loadPercent: 21,
  failures: 23,
  rewrites: 24,
  /** 1 while a file that was filled ahead waits for its use; of the log's thread. */
  hasSpare: 25,
  /** 1 while the log writes again after a failure, and a snapshot is all that is missing. */
  isReopened: 26,
  /** Length of the segment that is written; `sizeBytes` is that of all others. */
  segmentBytes: 27,
  /** Groups written since the start, and bytes of frames that are not synced. */
  groups: 28,
  unsyncedBytes: 29,
  /** A snapshot is made when the log has so many bytes, and so many percent more than the last one; 0: never. */
  compactBytesMin: 30,
  compactPercent: 31,
  /** What a sync takes, as a moving mean. */
  syncMsMean: 32,
  /** Of `syncs`, those of workers that wrote in place. */
  syncsInPlace: 33,
} as const;
export type LogNumber = keyof typeof LOG_NUMBER;

/** One thread's view of the board. */
export class LogBoard {
  readonly words: Int32Array;
  /** LOAD_TURNS_WORDS for the threads that load. */
  readonly loadTurns: Int32Array;
  readonly #numbers: Float64Array;

  constructor(readonly memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, CONTROL_BYTES / 4);
    this.loadTurns = this.words.subarray(LOAD_TURNS, LOAD_TURNS + LOAD_TURNS_WORDS);
    this.#numbers = new Float64Array(memory, 0, CONTROL_BYTES / 8);
  }

  get fsync(): number {
    return this.words[FSYNC];
  }
  set fsync(policy: number) {
    Atomics.store(this.words, FSYNC, policy);
    // Who was promised more by the policy before may wait for a last sync.
    this.rouse();
  }

  get intervalMs(): number {
    return this.words[INTERVAL_MS];
  }
  set intervalMs(ms: number) {
    Atomics.store(this.words, INTERVAL_MS, ms);
  }

  /** See `compactBytesMin` of the numbers. */
  get compactBytesMin(): number {
    return this.number("compactBytesMin");
  }
  set compactBytesMin(bytes: number) {
    this.setNumber("compactBytesMin", bytes);
  }

  get compactPercent(): number {
    return this.number("compactPercent");
  }
  set compactPercent(percent: number) {
    this.setNumber("compactPercent", percent);
  }

  number(name: LogNumber): number {
    return this.#numbers[NUMBERS + LOG_NUMBER[name]];
  }

  setNumber(name: LogNumber, value: number): void {
    this.#numbers[NUMBERS + LOG_NUMBER[name]] = value;
  }

  addNumber(name: LogNumber, value: number): void {
    this.#numbers[NUMBERS + LOG_NUMBER[name]] += value;
  }

  /** Counts a sync by the time that it took. */
  noteSyncTime(ms: number): void {
    const exponent = Math.ceil(Math.log2(Math.max(1, ms * 1e6)));
    const bucket = Math.min(SYNC_TIMES_COUNT - 1, Math.max(0, exponent - SYNC_TIME_EXPONENT_MIN));
    this.#numbers[SYNC_TIMES + bucket]++;
  }

  /** Syncs that took up to 2^(SYNC_TIME_EXPONENT_MIN + i) ns but longer than the one before. */
  syncTimes(): Float64Array {
    return this.#numbers.slice(SYNC_TIMES, SYNC_TIMES + SYNC_TIMES_COUNT);
  }

  // ---- the writer's role ----------------------------------------------------------------------------
  // Only who has it consumes groups, writes to the segment, syncs, begins and ends segments.

  get role(): number {
    return Atomics.load(this.words, ROLE);
  }

  /** False if somebody else has it. */
  takeRole(role: number): boolean {
    return Atomics.compareExchange(this.words, ROLE, ROLE_FREE, role) === ROLE_FREE;
  }

  /** Waits for it; what a holder does with it ends with the disk's answer. */
  waitForRole(role: number): void {
    for (;;) {
      const holder = Atomics.compareExchange(this.words, ROLE, ROLE_FREE, role);
      if (holder === ROLE_FREE) return;
      // Not for the word as it is by now: given back since, nobody would end the wait.
      Atomics.wait(this.words, ROLE, holder, ROLE_LOOK_MS);
    }
  }

  giveRole(): void {
    Atomics.store(this.words, ROLE, ROLE_FREE);
    Atomics.notify(this.words, ROLE);
  }

  /** A segment takes frames from now on, of whoever has the role. */
  beginSegment(id: bigint): void {
    const { words } = this;
    words[SEGMENT_ID] = Number(BigInt.asIntN(32, id));
    words[SEGMENT_ID + 1] = Number(BigInt.asIntN(32, id >> 32n));
    Atomics.add(words, SEGMENT_SERIAL, 1);
    Atomics.store(words, SEGMENT_OPEN, 1);
  }

  endSegment(): void {
    Atomics.store(this.words, SEGMENT_OPEN, 0);
  }

  /** Tells segments apart; 0 while none is open. */
  get segmentSerial(): number {
    return Atomics.load(this.words, SEGMENT_OPEN) === 0
      ? 0
      : Atomics.load(this.words, SEGMENT_SERIAL);
  }

  get segmentId(): bigint {
    const low = this.words[SEGMENT_ID], high = this.words[SEGMENT_ID + 1];
    return BigInt.asUintN(64, (BigInt(high) << 32n) | BigInt(low >>> 0));
  }

  // ---- requests to the log's writer -----------------------------------------------------------------

  /** Asks for something; gives the number to wait for with `isDone()`. */
  ask(what: number): number {
    const number = Atomics.add(this.words, REQUESTS + what, 1) + 1;
    this.rouse();
    return number;
  }

  isDone(what: number, number: number): boolean {
    return ((Atomics.load(this.words, DONE + what) - number) | 0) >= 0;
  }

  /** For threads that may block: waits until it is done; false if not within the time. */
  waitDone(what: number, number: number, timeoutMs: number): boolean {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const done = Atomics.load(this.words, DONE + what);
      if (((done - number) | 0) >= 0) return true;
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return false;
      Atomics.wait(this.words, DONE + what, done, Math.min(leftMs, 50));
    }
  }

  /** The number asked for last, if it is not done yet; else −1. */
  asked(what: number): number {
    const number = Atomics.load(this.words, REQUESTS + what);
    return number === Atomics.load(this.words, DONE + what) ? -1 : number;
  }

  done(what: number, number: number): void {
    Atomics.store(this.words, DONE + what, number);
    Atomics.notify(this.words, DONE + what);
  }

  get hasRequests(): boolean {
    for (let what = 0; what < ASKS; what++) if (this.asked(what) >= 0) return true;
    return false;
  }

  /** Wakes the log's writer also from a short rest. */
  protected rouse(): void {
    Atomics.add(this.words, WAKE, 1);
    Atomics.notify(this.words, WAKE);
  }
}
