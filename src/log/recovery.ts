// From the files of a directory to the state they hold: which are read, in what order, and what damage means.
//
// A frame that is not whole, at or below the highest synced sequence that a later whole frame tells of, is
// damage: the start is refused. Beyond it, it is a tear, the end of what a crash left: the log is cut there.
import type { Disk, DiskFile } from "./disk_seam.ts";
import { FRAME_CLOSED, FRAME_GROUPS, FRAME_HEADER_BYTES, FRAME_SNAPSHOT_END } from "./frame.ts";
import { FrameFile } from "./frame_file.ts";
import { type GroupTarget, takeGroups } from "./frame_groups.ts";
import type { LoadTurns } from "./load_turns.ts";
import { SnapshotShare } from "./snapshot_share.ts";
import {
  AFTER_FAILURE,
  decodeFileHeader,
  FILE_HEADER_BYTES,
  type FileHeader,
  sequenceOfName,
} from "./segment.ts";

/** Told now and then, with the bytes of all files that are read. */
export type Progress = (doneBytes: number, allBytes: number) => void;

export interface Recovered {
  readonly ok: {
    /** Number of the next group. */
    readonly nextSequence: number;
    readonly serverId: Uint8Array | null;
    /** The snapshot's sequence, 0 without one; what it holds counts up to the one before. */
    readonly snapshotSequence: number;
    readonly snapshotName: string | null;
    /** Names of the segments that were read. */
    readonly segments: readonly string[];
    readonly groups: number;
    readonly snapshotGroups: number;
    readonly readBytes: number;
    /** Cut off at the end of the last segment, and files that count for nothing. */
    readonly cut: { readonly name: string; readonly offset: number; readonly bytes: number } | null;
    readonly dropped: readonly string[];
    /** Whether the log ended in order. */
    readonly isClosed: boolean;
  };
}

export type RecoveryResult = Recovered | { readonly error: string };

interface Segment {
  readonly name: string;
  readonly header: FileHeader;
  readonly sizeBytes: number;
}

/** A refusal, on its way to `recover()`. */
class Refused extends Error {}

const REPAIR = "mayfly wal verify tells more, mayfly wal repair copies what is whole";

/** Opens turns at a snapshot for other threads. */
export interface Helpers {
  readonly turns: LoadTurns;
  /** Told the snapshot's sequence before the turns are opened. */
  begin(sequence: number): void;
}

/** A shorter snapshot is read before others have opened it. */
const SHARED_BYTES_MIN = 4 * 1024 * 1024;

/** Reads snapshot and log into `target`, the snapshot together with the `helpers` if any join. Changes no file. */
export function recover(
  disk: Disk,
  target: GroupTarget,
  progress: Progress = () => {},
  helpers: Helpers | null = null,
): RecoveryResult {
  try {
    return { ok: new Recovery(disk, target, progress, helpers).run() };
  } catch (error) {
    if (error instanceof Refused) return { error: error.message };
    throw error;
  }
}

class Recovery {
  readonly #disk: Disk;
  readonly #target: GroupTarget;
  readonly #progress: Progress;
  readonly #helpers: Helpers | null;
  #doneBytes = 0;
  #allBytes = 0;
  #groups = 0;

  constructor(disk: Disk, target: GroupTarget, progress: Progress, helpers: Helpers | null) {
    this.#disk = disk;
    this.#target = target;
    this.#progress = progress;
    this.#helpers = helpers;
  }

  run(): Recovered["ok"] {
    const names = this.#disk.list();
    const snapshot = this.#newestSnapshot(names);
    const sequence = snapshot?.header.firstSequence ?? 0;
    const { segments, dropped } = this.#segmentsFrom(names, sequence);
    this.#allBytes = [...segments, ...snapshot === null ? [] : [snapshot]].reduce(
      (sum, each) => sum + each.sizeBytes,
      0,
    );
    // Trouble in the shared reading comes up again in the other, with its place.
    if (snapshot !== null && !this.#readShared(snapshot)) this.#readSnapshot(snapshot);
    const snapshotGroups = this.#groups;
    let next = sequence, cut: Recovered["ok"]["cut"] = null, isClosed = segments.length === 0;
    for (let i = 0; i < segments.length; i++) {
      const segment = segments[i], first = segment.header.firstSequence;
      if (i === 0 ? first > Math.max(sequence, 1) : first !== next) {
        const wanted = i === 0 ? Math.max(sequence, 1) : next;
        throw new Refused(
          `${
            this.#path(segment.name)
          } begins with sequence ${first}, but ${wanted} comes next: a file of the log is missing; ${REPAIR}`,
        );
      }
      const read = this.#readSegment(segment, i === segments.length - 1);
      next = read.next;
      cut = read.cut;
      isClosed = read.isClosed;
    }
    if (sequence > next) next = sequence;
    return {
      nextSequence: Math.max(1, next),
      serverId: (snapshot ?? segments.at(-1))?.header.serverId ?? null,
      snapshotSequence: sequence,
      snapshotName: snapshot?.name ?? null,
      segments: segments.map((each) => each.name),
      groups: this.#groups - snapshotGroups,
      snapshotGroups,
      readBytes: this.#doneBytes,
      cut,
      dropped,
      isClosed,
    };
  }

  #newestSnapshot(names: readonly string[]): Segment | null {
    const found = names.filter((name) => sequenceOfName(name, "snapshot") !== null).sort();
    const name = found.at(-1);
    if (name === undefined) return null;
    const snapshot = this.#head(name, "snapshot");
    if (!snapshot.header.isSnapshot) throw this.#damaged(name, 0, "it is no snapshot");
    return snapshot;
  }

  /** The segments to read, in order, and those that count for nothing. */
  #segmentsFrom(names: readonly string[], sequence: number): {
    segments: Segment[];
    dropped: string[];
  } {
    const found = names.filter((name) => sequenceOfName(name, "wal") !== null).sort();
    const from = coveredSegments(found, sequence);
    const dropped = found.slice(0, from);
    const segments: Segment[] = [];
    for (const name of found.slice(from)) {
      const segment = this.#head(name, "wal");
      const isAfterFailure = (segment.header.flags & AFTER_FAILURE) !== 0;
      if (isAfterFailure && segment.header.firstSequence > sequence) {
        // Writes were refused until a snapshot stood, and none does: nothing in here was confirmed.
        dropped.push(...found.slice(found.indexOf(name)));
        break;
      }
      segments.push(segment);
    }
    return { segments, dropped };
  }

  #head(name: string, kind: "wal" | "snapshot"): Segment {
    const file = this.#disk.openToRead(name);
    try {
      const bytes = new Uint8Array(FILE_HEADER_BYTES);
      const decoded = decodeFileHeader(bytes.subarray(0, file.read(bytes, 0)));
      if ("error" in decoded) throw this.#damaged(name, 0, decoded.error);
      if (decoded.ok.firstSequence !== sequenceOfName(name, kind)) {
        throw this.#damaged(name, 32, "its sequence is not that of its name");
      }
      return { name, header: decoded.ok, sizeBytes: file.sizeBytes() };
    } finally {
      file.close();
    }
  }

  /** Together with the helpers; false if that is not worth it, or somebody met trouble. */
  #readShared({ name, header, sizeBytes }: Segment): boolean {
    if (this.#helpers === null || sizeBytes < SHARED_BYTES_MIN) return false;
    const { turns } = this.#helpers, file = this.#disk.openToRead(name);
    try {
      const share = new SnapshotShare(file, header.segmentId, this.#target, turns);
      this.#helpers.begin(header.firstSequence);
      turns.open();
      try {
        while (share.step()) this.#progress(share.offset, this.#allBytes);
      } finally {
        turns.close();
      }
      const groups = share.groups + turns.groups;
      if (share.groupsOfEnd() !== groups) return false;
      this.#groups = groups;
      this.#doneBytes = sizeBytes;
      return true;
    } finally {
      file.close();
    }
  }

  #readSnapshot({ name, header }: Segment): void {
    const file = this.#disk.openToRead(name);
    try {
      const frames = new FrameFile(file, header.segmentId);
      for (;;) {
        if (!frames.next()) throw this.#damaged(name, frames.offset, "a frame is not whole");
        if (frames.header.kind === FRAME_SNAPSHOT_END) break;
        if (frames.header.kind !== FRAME_GROUPS) {
          throw this.#damaged(name, frames.offset, `a frame of unknown kind ${frames.header.kind}`);
        }
        this.#takeFrame(name, frames, 0);
      }
      if (frames.header.firstSequence !== this.#groups) {
        const told = frames.header.firstSequence;
        throw this.#damaged(name, frames.offset, `${this.#groups} groups, its end tells ${told}`);
      }
    } finally {
      file.close();
    }
  }

  #readSegment(
    segment: Segment,
    isLast: boolean,
  ): { next: number; cut: Recovered["ok"]["cut"]; isClosed: boolean } {
    const { name, header } = segment;
    const file = this.#disk.openToRead(name);
    try {
      const frames = new FrameFile(file, header.segmentId);
      let next = header.firstSequence;
      while (frames.next()) {
        const { kind, groups, firstSequence } = frames.header;
        if (firstSequence !== next) {
          throw this.#damaged(
            name,
            frames.offset,
            `sequence ${firstSequence} where ${next} belongs`,
          );
        }
        if (kind === FRAME_CLOSED) return { next, cut: null, isClosed: true };
        if (kind !== FRAME_GROUPS) {
          throw this.#damaged(name, frames.offset, `a frame of unknown kind ${kind}`);
        }
        this.#takeFrame(name, frames, next);
        next += groups;
      }
      const end = frames.offset;
      if (!isLast) {
        // Whoever began the next segment had synced this one. Whether it goes on there is seen there.
        if (end < frames.sizeBytes && !this.#isEmptyFrom(file, end, frames.sizeBytes)) {
          throw this.#damaged(name, end, "a frame is not whole, and later segments follow");
        }
        return { next, cut: null, isClosed: false };
      }
      const synced = frames.syncedSequenceBeyond(end);
      if (synced >= next) {
        throw this.#damaged(
          name,
          end,
          `a frame is not whole, but later ones tell that ${synced} was synced`,
        );
      }
      const isTorn = end < frames.sizeBytes && !this.#isEmptyFrom(file, end, frames.sizeBytes);
      const cut = isTorn ? { name, offset: end, bytes: frames.sizeBytes - end } : null;
      return { next, cut, isClosed: false };
    } finally {
      file.close();
    }
  }

  #takeFrame(name: string, frames: FrameFile, sequence: number): void {
    const problem = takeGroups(frames, this.#target, sequence);
    if (problem !== null) {
      const { offset, what, isDamage } = problem;
      if (isDamage) throw this.#damaged(name, offset, what);
      const where = `at offset ${offset}, group ${problem.sequence}`;
      throw new Refused(`${this.#path(name)} cannot be loaded ${where}: ${what}`);
    }
    this.#groups += frames.header.groups;
    this.#doneBytes += FRAME_HEADER_BYTES + frames.payloadEnd - frames.payloadStart;
    this.#progress(this.#doneBytes, this.#allBytes);
  }

  /** Whether nothing but zeros follows: what was filled ahead and not written yet. */
  #isEmptyFrom(file: DiskFile, offset: number, sizeBytes: number): boolean {
    const piece = new Uint8Array(Math.min(1024 * 1024, sizeBytes - offset));
    for (let at = offset; at < sizeBytes;) {
      const count = file.read(piece, at);
      if (count <= 0) return true;
      for (let i = 0; i < count; i++) if (piece[i] !== 0) return false;
      at += count;
    }
    return true;
  }

  #damaged(name: string, offset: number, what: string): Refused {
    return new Refused(`${this.#path(name)} is damaged at offset ${offset}: ${what}; ${REPAIR}`);
  }

  #path(name: string): string {
    return `${this.#disk.path}/${name}`;
  }
}

/** How many of the segments' names, in order, hold nothing newer than a snapshot of that sequence. */
export function coveredSegments(names: readonly string[], sequence: number): number {
  let covered = 0;
  // The successor begins at or before it.
  while (
    covered + 1 < names.length && sequenceOfName(names[covered + 1], "wal")! <= sequence
  ) covered++;
  return covered;
}
