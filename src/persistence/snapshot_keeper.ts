// A snapshot from beginning to end: written beside the log, renamed once it may count, what it covers dropped.
//
// Invariant: at every moment the names that are on disk make a directory that starts. It knows no thread: what it
// needs of the log's writer it asks through `SnapshotLog`.
import { SNAPSHOT_EXPIRED_MS } from "../limits.ts";
import type { Disk } from "../log/disk_seam.ts";
import { sequenceOfName } from "../log/segment.ts";
import type { Store } from "../store/store.ts";
import { type SnapshotWritten, writeSnapshot } from "./snapshot_writer.ts";

/** The log's writer, as a snapshot needs it; each call waits, and gives false if the log stands still. */
export interface SnapshotLog {
  /** The current segment ends, unless it is empty. */
  rotate(): boolean;
  /** Everything that is in the ring is on disk, unless the log fails. */
  sync(): boolean;
  /** How often the log has failed, and why it did last. */
  readonly failures: number;
  readonly reason: string;
  /** First sequence of the segment that is being written. */
  readonly segmentFirst: number;
}

export interface SnapshotKeeperOptions {
  readonly disk: Disk;
  readonly store: Store;
  readonly log: SnapshotLog;
  readonly serverId: Uint8Array;
  readonly nowMs: () => number;
  readonly table: () => Uint8Array;
  /** Runs between two holds of a lock: lets others go first. */
  readonly pause: () => void;
  /** The snapshot counts from now on, and what it covers is about to be dropped. */
  readonly onStanding: (made: SnapshotWritten, sequence: number) => void;
}

export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
  }

  /** Makes a snapshot and drops what it covers; gives why not, or null. Throws what the disk throws. */
  snapshot(): string | null {
    const { disk, log, store, serverId, nowMs, table, pause, onStanding } = this.#options;
    // Before anything is asked: a log that fails answers, too, and has another segment than it seems.
    const failures = log.failures;
    if (!log.rotate()) return "the log stands still";
    const sequence = log.segmentFirst;
    const made = writeSnapshot({
      disk,
      store,
      serverId,
      sequence,
      nowMs: nowMs() - SNAPSHOT_EXPIRED_MS,
      table: table(),
      pause,
    });
    // Else the snapshot could hold what a crash takes out of the log: half of a group.
    if (!log.sync()) return "the log stands still";
    if (log.failures !== failures) return `the log failed meanwhile: ${log.reason}`;
    disk.rename(made.temporaryName, made.name);
    disk.syncDirectory();
    onStanding(made, sequence);
    this.#dropCovered(sequence, made.name);
    return null;
  }

  /** Removes snapshots that were not finished. */
  tidy(): void {
    const { disk } = this.#options;
    for (const name of disk.list()) {
      if (name.startsWith("snapshot-") && name.endsWith(".tmp")) disk.remove(name);
    }
  }

  /** How long the log is without the segment that is being written, in bytes. */
  measureBytes(): number {
    const { disk } = this.#options;
    let bytes = 0;
    const segments = disk.list().filter((name) => sequenceOfName(name, "wal") !== null);
    for (const name of segments.sort().slice(0, -1)) {
      const file = disk.openToRead(name);
      bytes += file.sizeBytes();
      file.close();
    }
    return bytes;
  }

  /** Removes segments whose successor begins at or before the sequence, and older snapshots. */
  #dropCovered(sequence: number, snapshot: string): void {
    const { disk } = this.#options, names = disk.list();
    const segments = names.filter((name) => sequenceOfName(name, "wal") !== null).sort();
    for (let i = 0; i + 1 < segments.length; i++) {
      if (sequenceOfName(segments[i + 1], "wal")! <= sequence) disk.remove(segments[i]);
    }
    for (const name of names) {
      if (sequenceOfName(name, "snapshot") !== null && name < snapshot) disk.remove(name);
    }
    disk.syncDirectory();
  }
}
