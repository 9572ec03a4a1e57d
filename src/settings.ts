// Run-time settings and process-wide counters in one piece of shared memory, which every thread
// views; it must not know commands, protocols or where a value came from.

import { type Config } from "./config.ts";
import { ADMISSIONS, EVICTION_POLICIES, isAdmissionOf } from "./eviction_policies.ts";
import { LOG_LEVELS, type LogLevel } from "./config_flags.ts";

/** What the process is at; the numbers are what stands in the shared state word. */
export const ProcessState = { STARTING: 0, READY: 1, STOPPING: 2, FAILED: 3 } as const;
export type ProcessState = typeof ProcessState[keyof typeof ProcessState];

// Layout, in cache lines of 64 bytes; what every command reads shares no line with what every
// connection writes:
//
//   line 0    int32    state, log level, clients max, idle timeout s, write timeout s, eviction policy, most
//             fields of a hash that is called a listpack, and the longest name or value in bytes; admission,
//             lfu log factor, lfu decay time min, shortest value that is compressed
//   line 1    float64  maxmemory bytes, value bytes max, client output bytes max; from the end: what is slow
//             for the slow log in µs, entries it keeps, what is slow for LATENCY in ms
//   line 2    int64 last client id, int32 connected clients, int32 log lines on their way to main
//   line 3    int32    database version, then the table of databases, one byte by number; at its end
//             int32 whether expired entries are removed in the background, whether a pause is for
//             writes only, float64 when it ends; before them int32 effort for that removal,
//             default ttl s, ttl jitter %
//   line 4..  int32    heartbeat of worker 0, of worker 1, ...
//
// The float64 cells hold whole numbers below 2^53 and are read and written by plain, aligned,
// 8-byte moves, which both x86-64 and arm64 do not tear; Atomics has no float64. Plain loads may
// be hoisted out of a loop: nobody may spin on them.
const LINE_BYTES = 64;
const STATE = 0;
const LOG_LEVEL = 1;
const CLIENTS_MAX = 2;
const IDLE_TIMEOUT_S = 3;
const WRITE_TIMEOUT_S = 4;
const EVICTION_POLICY = 5;
const HASH_LISTPACK_FIELDS_MAX = 6;
const HASH_LISTPACK_BYTES_MAX = 7;
const ADMISSION = 8;
const LFU_LOG_FACTOR = 9;
const LFU_DECAY_MINUTES = 10;
const COMPRESS_MIN_BYTES = 11;
const MAXMEMORY_BYTES = LINE_BYTES / 8;
const VALUE_BYTES_MAX = MAXMEMORY_BYTES + 1;
const CLIENT_OUTPUT_BYTES_MAX = MAXMEMORY_BYTES + 2;
const SLOW_LOG_SLOWER_THAN_US = MAXMEMORY_BYTES + 7;
const SLOW_LOG_ENTRIES_MAX = MAXMEMORY_BYTES + 6;
const LATENCY_THRESHOLD_MS = MAXMEMORY_BYTES + 5;
const LAST_CLIENT_ID = 2 * LINE_BYTES / 8;
const CONNECTED_CLIENTS = 2 * LINE_BYTES / 4 + 2;
const LOG_LINES_PENDING = CONNECTED_CLIENTS + 1;
const DATABASE_VERSION = 3 * LINE_BYTES / 4;
const DATABASE_TABLE = 3 * LINE_BYTES + 4;
const TTL_JITTER_PERCENT = DATABASE_VERSION + 9;
const DEFAULT_TTL_S = DATABASE_VERSION + 10;
const ACTIVE_EXPIRE_EFFORT = DATABASE_VERSION + 11;
const ACTIVE_EXPIRE = DATABASE_VERSION + 12;
const PAUSE_WRITES = DATABASE_VERSION + 13;
const PAUSE_ENDS_AT = DATABASE_VERSION / 2 + 7;
const HEARTBEATS = 4 * LINE_BYTES / 4;
const DATABASES = 16;
/** Redis's defaults. */
const SLOW_LOG_SLOWER_THAN_US_START = 10_000;
const SLOW_LOG_ENTRIES_START = 128;
const HASH_LISTPACK_FIELDS_START = 512;
const HASH_LISTPACK_BYTES_START = 64;

/** Log lines that may be on their way from the workers to main; later ones are dropped. */
export const LOG_LINES_PENDING_MAX = 10_000;

/** Shared memory for `workerCount` workers, holding what `config` says, in the state STARTING. */
export function createSettingsMemory(config: Config): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(
    4 * LINE_BYTES + Math.ceil(config.workerCount * 4 / LINE_BYTES) * LINE_BYTES,
  );
  const settings = new Settings(memory);
  settings.maxmemoryBytes = config.maxmemoryBytes;
  settings.evictionPolicy = EVICTION_POLICIES.indexOf(config.evictionPolicy);
  settings.admission = ADMISSIONS.indexOf(config.admission);
  settings.lfuLogFactor = config.lfuLogFactor;
  settings.lfuDecayMinutes = config.lfuDecayMinutes;
  settings.valueBytesMax = config.valueBytesMax;
  settings.clientOutputBytesMax = config.clientOutputBytesMax;
  settings.clientsMax = config.clientsMax;
  settings.idleTimeoutS = config.idleTimeoutS;
  settings.writeTimeoutS = config.writeTimeoutS;
  settings.logLevel = config.logLevel;
  settings.isActiveExpire = true;
  settings.activeExpireEffort = config.activeExpireEffort;
  settings.compressMinBytes = config.compressMinBytes;
  settings.defaultTtlS = config.defaultTtlS;
  settings.ttlJitterPercent = config.ttlJitterPercent;
  settings.slowLogSlowerThanUs = SLOW_LOG_SLOWER_THAN_US_START;
  settings.slowLogEntriesMax = SLOW_LOG_ENTRIES_START;
  settings.hashListpackFieldsMax = HASH_LISTPACK_FIELDS_START;
  settings.hashListpackBytesMax = HASH_LISTPACK_BYTES_START;
  settings.setDatabaseTable(Uint8Array.from({ length: DATABASES }, (_, number) => number));
  return memory;
}

/** One thread's view of the shared settings; setters are seen by every thread's next getter. */
export class Settings {
  /** The cells and the index of the state word, for whoever waits and must notice a failure. */
  readonly stateWord: { readonly cells: Int32Array; readonly index: number };
  readonly #int32: Int32Array;
  readonly #float64: Float64Array;
  readonly #int64: BigInt64Array;
  readonly #table: Uint8Array;

  /** `memory` comes from `createSettingsMemory`. */
  constructor(memory: SharedArrayBuffer) {
    this.#int32 = new Int32Array(memory);
    this.#float64 = new Float64Array(memory);
    this.#int64 = new BigInt64Array(memory);
    this.#table = new Uint8Array(memory, DATABASE_TABLE, DATABASES);
    this.stateWord = { cells: this.#int32, index: STATE };
  }

  get state(): ProcessState {
    return Atomics.load(this.#int32, STATE) as ProcessState;
  }
  /** Also wakes whoever waits on the word. */
  set state(state: ProcessState) {
    Atomics.store(this.#int32, STATE, state);
    Atomics.notify(this.#int32, STATE);
  }

  get logLevel(): LogLevel {
    return LOG_LEVELS[Atomics.load(this.#int32, LOG_LEVEL)]!;
  }
  set logLevel(level: LogLevel) {
    Atomics.store(this.#int32, LOG_LEVEL, LOG_LEVELS.indexOf(level));
  }

  get clientsMax(): number {
    return Atomics.load(this.#int32, CLIENTS_MAX);
  }
  set clientsMax(count: number) {
    Atomics.store(this.#int32, CLIENTS_MAX, count);
  }

  /** 0 is never. */
  get idleTimeoutS(): number {
    return Atomics.load(this.#int32, IDLE_TIMEOUT_S);
  }
  set idleTimeoutS(seconds: number) {
    Atomics.store(this.#int32, IDLE_TIMEOUT_S, seconds);
  }

  get writeTimeoutS(): number {
    return Atomics.load(this.#int32, WRITE_TIMEOUT_S);
  }
  set writeTimeoutS(seconds: number) {
    Atomics.store(this.#int32, WRITE_TIMEOUT_S, seconds);
  }

  get maxmemoryBytes(): number {
    return this.#float64[MAXMEMORY_BYTES]!;
  }
  set maxmemoryBytes(bytes: number) {
    this.#float64[MAXMEMORY_BYTES] = wholeBytes(bytes);
  }

  /** The number of the policy by which a full cache lets entries go; a plain load, once per batch. */
  get evictionPolicy(): number {
    return this.#int32[EVICTION_POLICY]!;
  }
  set evictionPolicy(policy: number) {
    Atomics.store(this.#int32, EVICTION_POLICY, policy);
  }

  /** The number of what decides on new entries. */
  get admission(): number {
    return this.#int32[ADMISSION]!;
  }
  set admission(admission: number) {
    Atomics.store(this.#int32, ADMISSION, admission);
  }

  /** Whether uses are counted, so that a new entry may be refused; plain loads, once per batch. */
  get isAdmitting(): boolean {
    return isAdmissionOf(this.evictionPolicy, this.admission);
  }

  /** How slowly counts of uses grow; a plain load, once per batch where they are kept. */
  get lfuLogFactor(): number {
    return this.#int32[LFU_LOG_FACTOR]!;
  }
  set lfuLogFactor(factor: number) {
    Atomics.store(this.#int32, LFU_LOG_FACTOR, factor);
  }

  /** After how many minutes without use a count loses one; 0: never; -1: by the cache's turnover. A plain load. */
  get lfuDecayMinutes(): number {
    return this.#int32[LFU_DECAY_MINUTES]!;
  }
  set lfuDecayMinutes(minutes: number) {
    Atomics.store(this.#int32, LFU_DECAY_MINUTES, minutes);
  }

  /** Commands that took at least as long go into the slow log; below 0: none. A plain load. */
  get slowLogSlowerThanUs(): number {
    return this.#float64[SLOW_LOG_SLOWER_THAN_US]!;
  }
  set slowLogSlowerThanUs(us: number) {
    this.#float64[SLOW_LOG_SLOWER_THAN_US] = us;
  }

  get slowLogEntriesMax(): number {
    return this.#float64[SLOW_LOG_ENTRIES_MAX]!;
  }
  set slowLogEntriesMax(count: number) {
    this.#float64[SLOW_LOG_ENTRIES_MAX] = count;
  }

  /** Events that took at least as long are kept for LATENCY; 0: none. A plain load. */
  get latencyThresholdMs(): number {
    return this.#float64[LATENCY_THRESHOLD_MS]!;
  }
  set latencyThresholdMs(ms: number) {
    this.#float64[LATENCY_THRESHOLD_MS] = ms;
  }

  get valueBytesMax(): number {
    return this.#float64[VALUE_BYTES_MAX]!;
  }
  set valueBytesMax(bytes: number) {
    this.#float64[VALUE_BYTES_MAX] = wholeBytes(bytes);
  }

  /** Unread replies that one client may leave. */
  get clientOutputBytesMax(): number {
    return this.#float64[CLIENT_OUTPUT_BYTES_MAX]!;
  }
  set clientOutputBytesMax(bytes: number) {
    this.#float64[CLIENT_OUTPUT_BYTES_MAX] = wholeBytes(bytes);
  }

  /** Unread replies that all clients together may leave: a quarter of maxmemory. */
  get allClientsOutputBytesMax(): number {
    return Math.floor(this.maxmemoryBytes / 4);
  }

  /** Whether what has expired is removed in the background. */
  get isActiveExpire(): boolean {
    return Atomics.load(this.#int32, ACTIVE_EXPIRE) !== 0;
  }
  set isActiveExpire(isOn: boolean) {
    Atomics.store(this.#int32, ACTIVE_EXPIRE, isOn ? 1 : 0);
  }

  /** From 1 to 10: how much of a busy worker's time goes into that. */
  get activeExpireEffort(): number {
    return Atomics.load(this.#int32, ACTIVE_EXPIRE_EFFORT);
  }
  set activeExpireEffort(effort: number) {
    Atomics.store(this.#int32, ACTIVE_EXPIRE_EFFORT, effort);
  }

  /** Values from this length on are compressed, 0: none; a plain load, looked at for each that is long enough. */
  get compressMinBytes(): number {
    return this.#int32[COMPRESS_MIN_BYTES]!;
  }
  set compressMinBytes(bytes: number) {
    Atomics.store(this.#int32, COMPRESS_MIN_BYTES, bytes);
  }

  /** Only what OBJECT ENCODING tells of a hash depends on these: fields, and bytes of a name or value. */
  get hashListpackFieldsMax(): number {
    return Atomics.load(this.#int32, HASH_LISTPACK_FIELDS_MAX);
  }
  set hashListpackFieldsMax(count: number) {
    Atomics.store(this.#int32, HASH_LISTPACK_FIELDS_MAX, count);
  }

  get hashListpackBytesMax(): number {
    return Atomics.load(this.#int32, HASH_LISTPACK_BYTES_MAX);
  }
  set hashListpackBytesMax(bytes: number) {
    Atomics.store(this.#int32, HASH_LISTPACK_BYTES_MAX, bytes);
  }

  /** How long keys live that are stored without a time, 0 for ever; a plain load, looked at for each of them. */
  get defaultTtlS(): number {
    return this.#int32[DEFAULT_TTL_S]!;
  }
  set defaultTtlS(seconds: number) {
    Atomics.store(this.#int32, DEFAULT_TTL_S, seconds);
  }

  /** From 0 to 100: by how much a time to live may be shortened at random; a plain load. */
  get ttlJitterPercent(): number {
    return this.#int32[TTL_JITTER_PERCENT]!;
  }
  set ttlJitterPercent(percent: number) {
    Atomics.store(this.#int32, TTL_JITTER_PERCENT, percent);
  }

  /** When the pause of clients ends, in ms since 1970; a plain load, looked at once per batch. */
  get pauseEndsAtMs(): number {
    return this.#float64[PAUSE_ENDS_AT]!;
  }
  get pausesOnlyWrites(): boolean {
    return Atomics.load(this.#int32, PAUSE_WRITES) !== 0;
  }

  /** Holds back all commands, or only those that write, until then; 0 ends it. */
  pause(endsAtMs: number, onlyWrites: boolean): void {
    Atomics.store(this.#int32, PAUSE_WRITES, onlyWrites ? 1 : 0);
    this.#float64[PAUSE_ENDS_AT] = endsAtMs;
  }

  /** Changes whenever the table of databases does; a plain load, looked at once per batch. */
  get databaseVersion(): number {
    return this.#int32[DATABASE_VERSION]!;
  }

  /** The database, as entries know it, that clients mean by `number` (0 to 15). */
  databaseAt(number: number): number {
    return this.#table[number]!;
  }

  /** A copy of the whole table. */
  databaseTable(): Uint8Array {
    return this.#table.slice();
  }

  setDatabaseTable(table: Uint8Array): void {
    this.#table.set(table);
    Atomics.add(this.#int32, DATABASE_VERSION, 1);
  }

  /** With all shards locked, so that no two swaps mix. */
  swapDatabases(first: number, second: number): void {
    const table = this.databaseTable();
    [table[first], table[second]] = [table[second]!, table[first]!];
    this.setDatabaseTable(table);
  }

  /** A number that no connection of any worker has had: 1, 2, 3, ... */
  nextClientId(): number {
    return Number(Atomics.add(this.#int64, LAST_CLIENT_ID, 1n)) + 1;
  }

  get connectedClients(): number {
    return Atomics.load(this.#int32, CONNECTED_CLIENTS);
  }

  /** Counts one more connection, or leaves the count and returns false at `clientsMax`. */
  connectClient(): boolean {
    if (Atomics.add(this.#int32, CONNECTED_CLIENTS, 1) < this.clientsMax) return true;
    Atomics.sub(this.#int32, CONNECTED_CLIENTS, 1);
    return false;
  }

  /** Takes back one `connectClient` that returned true. */
  disconnectClient(): void {
    Atomics.sub(this.#int32, CONNECTED_CLIENTS, 1);
  }

  /** Takes a place for one log line on its way to main, or returns false: drop the line. */
  takeLogPlace(): boolean {
    if (Atomics.add(this.#int32, LOG_LINES_PENDING, 1) < LOG_LINES_PENDING_MAX) return true;
    Atomics.sub(this.#int32, LOG_LINES_PENDING, 1);
    return false;
  }

  /** Main's answer to one `takeLogPlace` that returned true. */
  giveLogPlace(): void {
    Atomics.sub(this.#int32, LOG_LINES_PENDING, 1);
  }

  /**
   * Called by each worker once a second from its event loop. The word is a count and not a time:
   * main counts its own checks since it last changed, so that neither a clock step nor a suspended
   * machine looks like a dead worker. The count may wrap.
   */
  beat(workerIndex: number): void {
    Atomics.add(this.#int32, HEARTBEATS + workerIndex, 1);
  }

  heartbeat(workerIndex: number): number {
    return Atomics.load(this.#int32, HEARTBEATS + workerIndex);
  }
}

function wholeBytes(bytes: number): number {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new RangeError(`Cannot store a size: not a whole number of bytes: received ${bytes}`);
  }
  return bytes;
}
