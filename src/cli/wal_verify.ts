// `mayfly wal verify`: what lies in each file of a directory, and what a start would say to it. Changes nothing.
import { type FileScan, scanFile } from "../log/file_scan.ts";
import { EffectReader } from "../log/effect_reader.ts";
import type { GroupTarget } from "../log/frame_groups.ts";
import { coveredSegments, recover, type Recovered } from "../log/recovery.ts";
import { AFTER_FAILURE, sequenceOfName } from "../log/segment.ts";
import type { ToolOutput } from "./tools.ts";
import { ToolFailure } from "./tool_failure.ts";
import {
  byteProgress,
  bytesOf,
  EXIT_DAMAGED,
  EXIT_FAILED,
  EXIT_TORN,
  openStopped,
} from "./wal_directory.ts";

/** Prints a line per file and one about all; throws the exit code for a tear and for damage. */
export function walVerify(path: string, output: ToolOutput): void {
  using directory = openStopped(path);
  const { disk, snapshots, segments } = directory, names = [...snapshots, ...segments];
  // Each file is read twice: as it is, and as a start reads it.
  const allBytes = 2 * bytesOf(disk, names);
  const progress = byteProgress(output.progress, "verifying", allBytes);
  const sequence = snapshots.length === 0 ? 0 : sequenceOfName(snapshots.at(-1)!, "snapshot")!;
  const unread = [
    ...snapshots.slice(0, -1),
    ...segments.slice(0, coveredSegments(segments, sequence)),
  ];
  let doneBytes = 0, newer = "";
  const lines: string[] = [];
  for (const name of names) {
    const file = disk.openToRead(name);
    try {
      const scan = scanFile(file, () => {}, (bytes) => progress(doneBytes += bytes));
      lines.push(`${name}: ${describe(scan)}${unread.includes(name) ? "; not needed" : ""}\n`);
      if (scan.isNewer && newer === "") newer = `${path}/${name}: ${scan.problem}`;
    } finally {
      file.close();
    }
  }
  const halfBytes = allBytes / 2;
  const result = recover(disk, new EffectCheck(), (done) => progress(halfBytes + done));
  progress(allBytes);
  for (const line of lines) output.print(line);
  if (newer !== "") throw new ToolFailure(EXIT_FAILED, `${newer}: a newer mayfly wrote it`);
  if ("error" in result) {
    throw new ToolFailure(EXIT_DAMAGED, result.error.replace("mayfly wal verify tells more, ", ""));
  }
  output.print(`a start takes ${summary(result.ok)}\n`);
  const { cut } = result.ok;
  if (cut !== null) throw new ToolFailure(EXIT_TORN, tornText(path, cut));
}

/** What a tear is, in a line, for all tools. */
export function tornText(path: string, cut: NonNullable<Recovered["ok"]["cut"]>): string {
  return `${path}/${cut.name} is torn at offset ${cut.offset}, as after a crash: the ${cut.bytes} bytes from ` +
    "there on were never confirmed as synced, and a start cuts them off";
}

class EffectCheck implements GroupTarget {
  #bytes: Uint8Array = new Uint8Array(0);
  #reader = new EffectReader(this.#bytes);

  take(bytes: Uint8Array, _view: DataView, start: number, end: number): string | null {
    if (bytes !== this.#bytes) this.#reader = new EffectReader(this.#bytes = bytes);
    for (let at = start; at < end;) {
      at = this.#reader.next(at, end);
      if (at < 0) return this.#reader.error;
    }
    return null;
  }
}

function describe(scan: FileScan): string {
  const { header, frames, groups, effects, sizeBytes, endOffset } = scan;
  if (header === null) return `${sizeBytes} bytes; ${scan.problem}`;
  const first = header.firstSequence;
  const range = header.isSnapshot
    ? `, as of sequence ${first}`
    : groups > 0
    ? `, sequences ${first} to ${first + groups - 1}`
    : `, from sequence ${first}`;
  const flag = (header.flags & AFTER_FAILURE) !== 0 ? ", begun after a failure" : "";
  const counts = `${frames} frames, ${groups} groups, ${effects} effects${range}${flag}`;
  const rest = sizeBytes - endOffset;
  switch (scan.end) {
    case "marked":
      return `${counts}, ${sizeBytes} bytes; whole${header.isSnapshot ? "" : ", closed in order"}`;
    case "open":
      return `${counts}, ${sizeBytes} bytes; whole`;
    case "filled":
      return `${counts}, ${endOffset} bytes; whole, ${rest} bytes filled ahead`;
    case "broken":
      return `${counts}, ${endOffset} bytes; ${scan.problem} at offset ${endOffset}, ${rest} bytes follow`;
  }
}

function summary({ snapshotName, groups, nextSequence, segments }: Recovered["ok"]): string {
  return `${
    snapshotName ?? "no snapshot"
  } and ${groups} groups of ${segments.length} files of the log, ` +
    `and goes on with sequence ${nextSequence}`;
}
