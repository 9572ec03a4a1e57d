// The keeper's thread: makes snapshots, drops what they cover, and fills segments ahead of need.
//
// It holds a shard's lock for some tens of microseconds at a time and never waits with one. The log's writer
// stays the only one that counts sequences.
import { Clock } from "./clock.ts";
import { COMPACT_BYTES_MIN, SEGMENT_BYTES_MAX } from "./limits.ts";
import { DirectoryDisk } from "./log/disk.ts";
import { makeSpare } from "./log/log_writer.ts";
import {
  ASK_HEALED,
  ASK_ROTATE,
  ASK_SPARE,
  ASK_SYNC,
  FSYNC_ALWAYS,
  LOG_WORKING,
  Ring,
} from "./log/ring.ts";
import { sequenceOfName } from "./log/segment.ts";
import type { LogThreadStart, MessageFromLog, MessageToKeeper } from "./log_messages.ts";
import { writeSnapshot } from "./persistence/snapshot_writer.ts";
import { Settings } from "./settings.ts";
import { Store, type StoreMemory } from "./store/store.ts";

const LOOK_MS = 100;
const LOG_WAIT_MS = 30_000;
const HEAL_PAUSE_MS = 1000;
/** Work between two rests of a snapshot, and the rest: others of two cores get their turn. */
const WORK_MS = 2;
const REST_MS = 0.5;

interface WorkerScope {
  onmessage: ((event: MessageEvent<MessageToKeeper>) => void) | null;
  postMessage(message: MessageFromLog): void;
}
const scope = self as unknown as WorkerScope;
let keeper: Keeper | null = null;

addEventListener("error", (event) => {
  event.preventDefault();
  fail(event.error);
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(event.reason);
});

function fail(error: unknown): void {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  scope.postMessage({ type: "failed", error: text, environment: false });
}

scope.onmessage = ({ data }) => {
  if (data.type === "start") keeper = new Keeper(data);
  else {
    const error = keeper === null ? "the server is starting" : keeper.snapshot();
    scope.postMessage({ type: "snapshot", id: data.id, error });
  }
};

class Keeper {
  readonly #ring: Ring;
  readonly #store: Store;
  readonly #disk: DirectoryDisk;
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #serverId: Uint8Array;
  #hasSpare = false;
  #healAfterMs = 0;
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));

  constructor(start: LogThreadStart) {
    this.#ring = new Ring(start.ringMemory);
    const memory = start.storeMemory as StoreMemory;
    this.#store = new Store(memory);
    this.#clock = new Clock(memory.clock);
    this.#settings = new Settings(start.settingsMemory);
    this.#disk = new DirectoryDisk(start.config.dataDir);
    this.#serverId = start.serverId!;
    this.#ring.setNumber("snapshotOk", 1);
    this.#tidy();
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
    try {
      const rotation = ring.ask(ASK_ROTATE);
      if (!ring.waitDone(ASK_ROTATE, rotation, LOG_WAIT_MS)) {
        return this.#failed("the log stands still");
      }
      const failures = ring.failures;
      const sequence = ring.number("segmentFirst");
      let restedAtMs = startMs;
      const made = writeSnapshot({
        disk: this.#disk,
        store: this.#store,
        serverId: this.#serverId,
        sequence,
        nowMs: this.#clock.nowMs(),
        table: this.#settings.databaseTable(),
        pause: () => {
          const nowMs = performance.now();
          if (nowMs - restedAtMs < WORK_MS) return;
          Atomics.wait(this.#sleeper, 0, 0, REST_MS);
          restedAtMs = performance.now();
        },
      });
      // Else the snapshot could hold what a crash takes out of the log: half of a group.
      const sync = ring.ask(ASK_SYNC);
      if (!ring.waitDone(ASK_SYNC, sync, LOG_WAIT_MS)) return this.#failed("the log stands still");
      if (ring.failures !== failures) {
        return this.#failed(`the log failed meanwhile: ${ring.reason}`);
      }
      this.#disk.rename(made.temporaryName, made.name);
      this.#disk.syncDirectory();
      ring.setNumber("snapshotSequence", sequence);
      ring.setNumber("snapshotAtMs", Date.now());
      ring.setNumber("snapshotMs", performance.now() - startMs);
      ring.setNumber("snapshotBytes", made.bytes);
      ring.setNumber("snapshotEntries", made.entries);
      ring.setNumber("snapshotOk", 1);
      ring.addNumber("snapshots", 1);
      ring.setNumber("changesSinceSnapshot", 0);
      this.#dropCovered(sequence, made.name);
      const ms = (performance.now() - startMs).toFixed(0);
      this.#log("info", `snapshot: ${made.entries} entries, ${made.bytes} bytes, ${ms} ms`);
      return null;
    } catch (error) {
      return this.#failed((error as Error).message);
    } finally {
      ring.setNumber("snapshotRunningSinceMs", 0);
    }
  }

  #failed(reason: string): string {
    this.#ring.setNumber("snapshotOk", 0);
    this.#log("error", `no snapshot: ${reason}`);
    this.#tidy();
    return reason;
  }

  /** Removes segments whose successor begins at or before the sequence, and older snapshots. */
  #dropCovered(sequence: number, snapshot: string): void {
    const names = this.#disk.list();
    const segments = names.filter((name) => sequenceOfName(name, "wal") !== null).sort();
    for (let i = 0; i + 1 < segments.length; i++) {
      if (sequenceOfName(segments[i + 1], "wal")! <= sequence) this.#disk.remove(segments[i]);
    }
    for (const name of names) {
      if (sequenceOfName(name, "snapshot") !== null && name < snapshot) this.#disk.remove(name);
    }
    this.#disk.syncDirectory();
    this.#measure();
  }

  /** Removes snapshots that were not finished. */
  #tidy(): void {
    try {
      for (const name of this.#disk.list()) {
        if (name.startsWith("snapshot-") && name.endsWith(".tmp")) this.#disk.remove(name);
      }
      this.#measure();
    } catch {
      // The disk is in trouble; the log's writer tells it.
    }
  }

  /** How long the log is without the segment that is being written, in bytes. */
  #measure(): void {
    let bytes = 0;
    const segments = this.#disk.list().filter((name) => sequenceOfName(name, "wal") !== null);
    for (const name of segments.sort().slice(0, -1)) {
      const file = this.#disk.openToRead(name);
      bytes += file.sizeBytes();
      file.close();
    }
    this.#ring.setNumber("sizeBytes", bytes);
  }

  #look(): void {
    const ring = this.#ring;
    if (ring.state !== LOG_WORKING) {
      if (ring.number("isReopened") === 0 || Date.now() < this.#healAfterMs) return;
      this.#healAfterMs = Date.now() + HEAL_PAUSE_MS;
      this.#hasSpare = false;
      if (this.#snapshot() === null) ring.ask(ASK_HEALED);
      return;
    }
    this.#prefill();
    const logBytes = ring.number("sizeBytes") + ring.number("segmentBytes");
    if (
      logBytes >= COMPACT_BYTES_MIN && logBytes >= 2 * ring.number("snapshotBytes") &&
      Date.now() >= this.#healAfterMs && this.#snapshot() !== null
    ) this.#healAfterMs = Date.now() + HEAL_PAUSE_MS;
  }

  #prefill(): void {
    const ring = this.#ring;
    if (ring.fsync !== FSYNC_ALWAYS) return;
    if (ring.number("hasSpare") !== 0) return;
    try {
      makeSpare(this.#disk, SEGMENT_BYTES_MAX);
      ring.setNumber("hasSpare", 1);
      ring.ask(ASK_SPARE);
    } catch {
      // No room for it: segments grow as they are written, and the log's writer meets a full disk itself.
      this.#healAfterMs = Date.now() + HEAL_PAUSE_MS;
    }
  }

  #log(level: "info" | "error", text: string): void {
    scope.postMessage({ type: "log", level, text });
  }
}
