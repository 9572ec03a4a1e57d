// What the log's tools share: a stopped server's directory under its lock, exit codes, progress of long work.
import { DirectoryDisk, lockDirectory } from "../log/disk.ts";
import { sequenceOfName } from "../log/segment.ts";
import { ToolFailure } from "./tool_failure.ts";

/** Beside 0, and 2 for a wrong command line. */
export const EXIT_FAILED = 1;
export const EXIT_TORN = 3;
export const EXIT_DAMAGED = 4;

export interface LockedDirectory extends Disposable {
  readonly disk: DirectoryDisk;
  /** Names, in order. Snapshots beside the last count for nothing. */
  readonly snapshots: readonly string[];
  readonly segments: readonly string[];
}

/** The directory of a server that does not run. Throws in one line if there is no log in it, or it is in use. */
export function openStopped(path: string): LockedDirectory {
  if (statOf(path)?.isDirectory !== true) {
    throw new ToolFailure(EXIT_FAILED, `${path} is no directory`);
  }
  const directory = locked(path), names = directory.disk.list().sort();
  const snapshots = names.filter((name) => sequenceOfName(name, "snapshot") !== null);
  const segments = names.filter((name) => sequenceOfName(name, "wal") !== null);
  if (snapshots.length + segments.length > 0) return { ...directory, snapshots, segments };
  directory[Symbol.dispose]();
  throw new ToolFailure(EXIT_FAILED, `${path} holds no log and no snapshot`);
}

/** A directory that is empty or does not exist yet. Throws in one line. */
export function openEmpty(path: string): LockedDirectory {
  const stat = statOf(path);
  if (stat !== null && !stat.isDirectory) {
    throw new ToolFailure(EXIT_FAILED, `${path} is no directory`);
  }
  // Before the lock, which would put a file into what is somebody else's.
  if (stat !== null) refuseContents(path);
  const directory = locked(path);
  return { ...directory, snapshots: [], segments: [] };
}

function refuseContents(path: string): void {
  for (const { name } of Deno.readDirSync(path)) {
    if (name !== "LOCK") {
      throw new ToolFailure(EXIT_FAILED, `${path} is not empty: it holds ${name}`);
    }
  }
}

function locked(path: string): { readonly disk: DirectoryDisk; [Symbol.dispose](): void } {
  const lock = lockDirectory(path);
  if ("error" in lock) {
    const why = lock.error.replace(/^--data-dir /, "")
      .replace("another server", "a server").replace(", or choose another directory", "");
    throw new ToolFailure(EXIT_FAILED, why);
  }
  return { disk: new DirectoryDisk(path), [Symbol.dispose]: () => lock.ok.release() };
}

function statOf(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new ToolFailure(EXIT_FAILED, `${path} cannot be read: ${(error as Error).message}`);
  }
}

/** Length of files together. */
export function bytesOf(disk: DirectoryDisk, names: readonly string[]): number {
  let bytes = 0;
  for (const name of names) bytes += Deno.statSync(`${disk.path}/${name}`).size;
  return bytes;
}

const PROGRESS_MS = 200;

/**
 * Shows how far work has come, in bytes, now and then: call it with what is done; with `allBytes` it is over and
 * the line goes.
 */
export function byteProgress(
  show: ((line: string) => void) | null,
  what: string,
  allBytes: number,
): (doneBytes: number) => void {
  if (show === null) return () => {};
  const startMs = performance.now();
  let shownMs = startMs;
  return (doneBytes) => {
    const nowMs = performance.now();
    if (doneBytes >= allBytes) return show("");
    if (nowMs - shownMs < PROGRESS_MS) return;
    shownMs = nowMs;
    const seconds = (nowMs - startMs) / 1000, part = doneBytes / allBytes;
    const left = Math.ceil(seconds / part - seconds);
    const rate = (doneBytes / 1e6 / seconds).toFixed(0);
    show(`${what}: ${Math.floor(part * 100)} %, ${rate} MB/s, ${left} s left`);
  };
}
