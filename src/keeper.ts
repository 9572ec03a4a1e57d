// The keeper's thread: makes snapshots, drops what they cover, and fills segments ahead of need.
//
// It holds a shard's lock for some tens of microseconds at a time and never waits with one. The log's writer
// stays the only one that counts sequences.
import { Clock } from "./clock.ts";
import { SEGMENT_BYTES_MAX } from "./limits.ts";
import { DirectoryDisk, freeBytesOf } from "./log/disk.ts";
import { makeSpare } from "./log/log_writer.ts";
import { ASK_HEALED, ASK_ROTATE, ASK_SPARE, ASK_SYNC, FSYNC_ALWAYS } from "./log/log_board.ts";
import { LOG_WORKING, Ring } from "./log/ring.ts";
import type { LogThreadStart, MessageFromLog, MessageToKeeper } from "./log_messages.ts";
import { SnapshotKeeper, type SnapshotLog } from "./persistence/snapshot_keeper.ts";
import type { SnapshotWritten } from "./persistence/snapshot_writer.ts";
import { Settings } from "./settings.ts";
import { Store, type StoreMemory } from "./store/store.ts";
import { tellFailures } from "./thread_failure.ts";

const LOOK_MS = 100;
const LOG_WAIT_MS = 30_000;
const HEAL_PAUSE_MS = 1000;
/** No segment is filled ahead where there is not room for so many, and for so long it is not looked at again. */
const SPARE_ROOM = 4;
const PREFILL_PAUSE_MS = 30_000;
/** Work between two rests of a snapshot, and the rest: others of two cores get their turn. */
const WORK_MS = 2;
const REST_MS = 0.5;

interface WorkerScope {
  onmessage: ((event: MessageEvent<MessageToKeeper>) => void) | null;
  postMessage(message: MessageFromLog): void;
}
const scope = self as unknown as WorkerScope;
let keeper: Keeper | null = null;

tellFailures((error) => scope.postMessage({ type: "failed", error, environment: false }));

scope.onmessage = ({ data }) => {
  if (data.type === "start") keeper = new Keeper(data);
  else {
    const error = keeper === null ? "the server is starting" : keeper.snapshot();
    scope.postMessage({ type: "snapshot", id: data.id, error });
  }
};

/** Asks the log's thread, and waits. */
function snapshotLog(ring: Ring): SnapshotLog {
  const isDone = (what: number) => ring.waitDone(what, ring.ask(what), LOG_WAIT_MS);
  return {
    rotate: () => isDone(ASK_ROTATE),
    sync: () => isDone(ASK_SYNC),
    get failures() {
      return ring.failures;
    },
    get reason() {
      return ring.reason;
    },
    get segmentFirst() {
      return ring.number("segmentFirst");
    },
  };
}

class Keeper {
  readonly #ring: Ring;
  readonly #disk: DirectoryDisk;
  readonly #snapshots: SnapshotKeeper;
  /** Moments of `performance.now()`: the wall clock may be put back. */
  #healAfterMs = 0;
  #prefillAfterMs = 0;
  #startedAtMs = 0;
  #restedAtMs = 0;
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));

  constructor(start: LogThreadStart) {
    const memory = start.storeMemory as StoreMemory;
    const clock = new Clock(memory.clock), settings = new Settings(start.settingsMemory);
    this.#ring = new Ring(start.ringMemory);
    this.#disk = new DirectoryDisk(start.config.dataDir);
    this.#snapshots = new SnapshotKeeper({
      disk: this.#disk,
      store: new Store(memory),
      log: snapshotLog(this.#ring),
      serverId: start.serverId!,
      nowMs: () => clock.nowMs(),
      table: () => settings.databaseTable(),
      pause: () => this.#rest(),
      onStanding: (made, sequence) => this.#stands(made, sequence),
    });
    this.#ring.setNumber("snapshotOk", 1);
    this.#tidy();
    this.#measure();
    setInterval(() => this.#look(), LOOK_MS);
  }

  /** Makes a snapshot and drops what it covers; gives why not, or null. Blocks until it is done. */
  snapshot(): string | null {
    const ring = this.#ring;
    if (ring.state !== LOG_WORKING) return `the log has failed: ${ring.reason}`;
    return this.#snapshot();
  }

  #snapshot(): string | null {
    const ring = this.#ring, startMs = performance.now();
    ring.setNumber("snapshotRunningSinceMs", Date.now());
    this.#startedAtMs = this.#restedAtMs = startMs;
    try {
      const reason = this.#snapshots.snapshot();
      return reason === null ? null : this.#failed(reason);
    } catch (error) {
      return this.#failed((error as Error).message);
    } finally {
      ring.setNumber("snapshotRunningSinceMs", 0);
      this.#measure();
    }
  }

  #stands(made: SnapshotWritten, sequence: number): void {
    const ring = this.#ring, tookMs = performance.now() - this.#startedAtMs;
    ring.setNumber("snapshotSequence", sequence);
    ring.setNumber("snapshotAtMs", Date.now());
    ring.setNumber("snapshotMs", tookMs);
    ring.setNumber("snapshotBytes", made.bytes);
    ring.setNumber("snapshotEntries", made.entries);
    ring.setNumber("snapshotOk", 1);
    ring.addNumber("snapshots", 1);
    const ms = tookMs.toFixed(0);
    this.#log("info", `snapshot: ${made.entries} entries, ${made.bytes} bytes, ${ms} ms`);
  }

  #rest(): void {
    if (performance.now() - this.#restedAtMs < WORK_MS) return;
    Atomics.wait(this.#sleeper, 0, 0, REST_MS);
    this.#restedAtMs = performance.now();
  }

  #failed(reason: string): string {
    this.#ring.setNumber("snapshotOk", 0);
    this.#log("error", `no snapshot: ${reason}`);
    this.#tidy();
    return reason;
  }

  #tidy(): void {
    try {
      this.#snapshots.tidy();
    } catch {
      // The disk is in trouble; the log's writer tells it.
    }
  }

  #measure(): void {
    try {
      this.#ring.setNumber("sizeBytes", this.#snapshots.measureBytes());
    } catch {
      // The same.
    }
  }

  #look(): void {
    const ring = this.#ring;
    if (ring.state !== LOG_WORKING) {
      if (ring.number("isReopened") === 0 || performance.now() < this.#healAfterMs) return;
      this.#healAfterMs = performance.now() + HEAL_PAUSE_MS;
      if (this.#snapshot() === null) ring.ask(ASK_HEALED);
      return;
    }
    this.#prefill();
    if (
      this.#isLong() && performance.now() >= this.#healAfterMs && this.#snapshot() !== null
    ) this.#healAfterMs = performance.now() + HEAL_PAUSE_MS;
  }

  #isLong(): boolean {
    const ring = this.#ring, percent = ring.compactPercent;
    const logBytes = ring.number("sizeBytes") + ring.number("segmentBytes");
    return percent > 0 && logBytes >= ring.compactBytesMin &&
      logBytes >= ring.number("snapshotBytes") * (1 + percent / 100);
  }

  #prefill(): void {
    const ring = this.#ring;
    if (ring.fsync !== FSYNC_ALWAYS) return;
    // In this order: the log's writer takes the one it was told of, and then answers.
    if (ring.asked(ASK_SPARE) >= 0 || ring.number("hasSpare") !== 0) return;
    if (performance.now() < this.#prefillAfterMs) return;
    try {
      // Room that the log itself may need soon is not filled ahead.
      if (freeBytesOf(this.#disk.path) < SPARE_ROOM * SEGMENT_BYTES_MAX) {
        this.#prefillAfterMs = performance.now() + PREFILL_PAUSE_MS;
        return;
      }
      makeSpare(this.#disk, SEGMENT_BYTES_MAX);
      ring.ask(ASK_SPARE);
    } catch {
      // Segments grow as they are written then, and the log's writer meets a full disk itself.
      this.#prefillAfterMs = performance.now() + PREFILL_PAUSE_MS;
    }
  }

  #log(level: "info" | "error", text: string): void {
    scope.postMessage({ type: "log", level, text });
  }
}
