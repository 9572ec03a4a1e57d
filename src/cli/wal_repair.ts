// `mayfly wal repair`: copies what is whole, up to the first damage, into a new directory that starts.
//
// A snapshot that is damaged gives what it holds before the damage, and the log follows all the same: then
// entries are missing, and none is wrong. A log that is damaged ends there: what it held later would be wrong
// without what was between.
import { DirectoryWriter } from "../log/directory_writer.ts";
import { type FileScan, type GroupVisit, scanFile } from "../log/file_scan.ts";
import { coveredSegments } from "../log/recovery.ts";
import {
  AFTER_FAILURE,
  decodeFileHeader,
  FILE_HEADER_BYTES,
  type FileHeader,
  sequenceOfName,
} from "../log/segment.ts";
import type { ToolOutput } from "./tools.ts";
import { ToolFailure } from "./tool_failure.ts";
import {
  byteProgress,
  bytesOf,
  EXIT_FAILED,
  type LockedDirectory,
  openEmpty,
  openStopped,
} from "./wal_directory.ts";

/** Prints what was copied and what was left out. Changes nothing in the first directory. */
export function walRepair(path: string, into: string, output: ToolOutput): void {
  using source = openStopped(path);
  using target = openEmpty(into);
  const allBytes = bytesOf(source.disk, [...source.snapshots, ...source.segments]);
  const progress = byteProgress(output.progress, "copying", allBytes);
  const writer = new DirectoryWriter({ disk: target.disk, serverId: serverIdOf(source) });
  try {
    const repair = new Repair(source, writer, progress);
    repair.run();
    const { files, groups, snapshotGroups, nextSequence } = writer.finish();
    progress(allBytes);
    for (const line of repair.left) output.print(`left out: ${line}\n`);
    if (repair.left.length === 0) output.print("nothing was left out: the directory is whole\n");
    output.print(
      `${into}: ${files.length} files, ${snapshotGroups} groups of the snapshot, ${groups} of the log, ` +
        `next sequence ${nextSequence}\n`,
    );
  } catch (error) {
    writer.abandon();
    throw error;
  } finally {
    progress(allBytes);
  }
}

class Repair {
  /** What was left out, in lines. */
  readonly left: string[] = [];
  readonly #source: LockedDirectory;
  readonly #writer: DirectoryWriter;
  readonly #progress: (doneBytes: number) => void;
  #doneBytes = 0;

  constructor(
    source: LockedDirectory,
    writer: DirectoryWriter,
    progress: (doneBytes: number) => void,
  ) {
    this.#source = source;
    this.#writer = writer;
    this.#progress = progress;
  }

  run(): void {
    const { snapshots, segments } = this.#source, snapshot = snapshots.at(-1);
    let sequence = 0;
    if (snapshot !== undefined) {
      sequence = sequenceOfName(snapshot, "snapshot")!;
      this.#writer.beginSnapshot();
      if ((this.#headOf(snapshot)?.firstSequence ?? sequence) !== sequence) {
        this.#leaveMisnamed(snapshot);
      } else {
        const scan = this.#scan(
          snapshot,
          (bytes, start, end) => this.#writer.snapshotGroup(bytes.subarray(start, end)),
        );
        if (scan.end === "broken") this.#leave(snapshot, scan);
      }
    }
    this.#copyLog(segments.slice(coveredSegments(segments, sequence)), sequence);
  }

  #copyLog(segments: readonly string[], snapshotSequence: number): void {
    let next = snapshotSequence;
    for (const [i, name] of segments.entries()) {
      const first = sequenceOfName(name, "wal")!;
      const isMissing = i === 0 ? next > 0 && first > next : first !== next;
      if (isMissing) {
        this.left.push(`${name}: it begins with sequence ${first}, but ${next} comes next`);
        return this.#leaveAll(segments.slice(i + 1));
      }
      const scan = this.#copySegment(name, i === 0 ? Math.max(1, next) : 0, snapshotSequence);
      if (scan === null) return this.#leaveAll(segments.slice(i + 1));
      next = first + scan.groups;
      if (scan.end === "broken") {
        this.#leave(name, scan);
        return this.#leaveAll(segments.slice(i + 1));
      }
    }
  }

  /** Copies a segment's groups from the snapshot's sequence on; null if nothing in it counts. */
  #copySegment(name: string, beginAt: number, snapshotSequence: number): FileScan | null {
    const first = sequenceOfName(name, "wal")!;
    const header = this.#headOf(name);
    if (header !== null && header.firstSequence !== first) return this.#leaveMisnamed(name);
    if (header !== null && (header.flags & AFTER_FAILURE) !== 0 && first > snapshotSequence) {
      this.left.push(
        `${name}: begun after a failure, and no snapshot followed: nothing in it counts`,
      );
      return null;
    }
    // Without a snapshot the log may begin anywhere: what it holds is right, what was before is missing.
    if (beginAt > 0) this.#writer.beginLog(Math.max(first, beginAt));
    let sequence = first;
    return this.#scan(name, (bytes, start, end) => {
      if (sequence++ >= snapshotSequence) this.#writer.group(bytes.subarray(start, end));
    });
  }

  /** Null if it cannot be read; the scan says why. */
  #headOf(name: string): FileHeader | null {
    const file = this.#source.disk.openToRead(name), bytes = new Uint8Array(FILE_HEADER_BYTES);
    try {
      const decoded = decodeFileHeader(bytes.subarray(0, file.read(bytes, 0)));
      return "ok" in decoded ? decoded.ok : null;
    } finally {
      file.close();
    }
  }

  #leaveMisnamed(name: string): null {
    this.left.push(`${name}: its sequence is not that of its name`);
    return null;
  }

  #scan(name: string, visit: GroupVisit): FileScan {
    const file = this.#source.disk.openToRead(name);
    try {
      const scan = scanFile(file, visit, (bytes) => this.#progress(this.#doneBytes += bytes));
      if (!scan.isNewer) return scan;
    } finally {
      file.close();
    }
    throw new ToolFailure(
      EXIT_FAILED,
      `${this.#source.disk.path}/${name} holds what this version does not know: a newer mayfly wrote it`,
    );
  }

  #leave(name: string, { problem, endOffset, sizeBytes }: FileScan): void {
    this.left.push(
      `${name}: ${sizeBytes - endOffset} bytes from offset ${endOffset} on: ${problem}`,
    );
  }

  #leaveAll(names: readonly string[]): void {
    for (const name of names) this.left.push(`${name}: it comes after that`);
  }
}

/** That of any file whose head is whole, else a new one. */
function serverIdOf({ disk, snapshots, segments }: LockedDirectory): Uint8Array {
  for (const name of [...snapshots, ...segments].toReversed()) {
    const file = disk.openToRead(name), bytes = new Uint8Array(FILE_HEADER_BYTES);
    const decoded = decodeFileHeader(bytes.subarray(0, file.read(bytes, 0)));
    file.close();
    if ("ok" in decoded) return decoded.ok.serverId;
  }
  return crypto.getRandomValues(new Uint8Array(16));
}
