// Makes a whole data directory out of groups of effects: a snapshot, if there is any, and the log behind it.
//
// Everything is written under temporary names, which a start ignores, and synced; then the names are given, the
// snapshot's last: whoever ends before leaves nothing that would start with half of it.
import { FRAME_PAYLOAD_BYTES_MAX, SEGMENT_BYTES_MAX, SNAPSHOT_FRAME_BYTES } from "../limits.ts";
import type { Disk, DiskFile } from "./disk_seam.ts";
import {
  FRAME_CLOSED,
  FRAME_GROUPS,
  FRAME_HEADER_BYTES,
  FRAME_SNAPSHOT_END,
  writeFrameHeader,
} from "./frame.ts";
import { GROUP_HEAD_BYTES, groupFirstWord, groupSecondWord, NIL } from "./record.ts";
import {
  encodeFileHeader,
  FILE_HEADER_BYTES,
  randomId,
  segmentName,
  snapshotName,
} from "./segment.ts";

export interface DirectoryWritten {
  readonly files: readonly string[];
  readonly snapshotGroups: number;
  readonly groups: number;
  /** Number of the next group of the log. */
  readonly nextSequence: number;
}

export interface DirectoryWriterOptions {
  readonly disk: Disk;
  readonly serverId: Uint8Array;
  readonly segmentBytesMax?: number;
}

/** A file that is being written: groups gathered into frames. */
class FramedFile {
  readonly #file: DiskFile;
  readonly #segmentId = randomId();
  readonly #serverId: Uint8Array;
  readonly isSnapshot: boolean;
  #at = FILE_HEADER_BYTES;
  #payload = new Uint8Array(65_536);
  #length = 0;
  #gathered = 0;
  groups = 0;

  constructor(
    file: DiskFile,
    serverId: Uint8Array,
    /** Of a log: the first group's. */
    readonly firstSequence: number,
  ) {
    this.#file = file;
    this.#serverId = serverId;
    this.isSnapshot = firstSequence === 0;
  }

  get bytes(): number {
    return this.#at + FRAME_HEADER_BYTES + this.#length;
  }

  add(effects: Uint8Array): void {
    const bytesMax = this.isSnapshot ? SNAPSHOT_FRAME_BYTES : FRAME_PAYLOAD_BYTES_MAX;
    const bytes = (GROUP_HEAD_BYTES + effects.length + 7) & ~7;
    if (this.#length > 0 && this.#length + bytes > bytesMax) this.flush();
    if (this.#length + bytes > this.#payload.length) {
      const grown = new Uint8Array(Math.max(this.#length + bytes, this.#payload.length * 2));
      grown.set(this.#payload.subarray(0, this.#length));
      this.#payload = grown;
    }
    const view = new DataView(this.#payload.buffer), at = this.#length;
    view.setInt32(at, groupFirstWord(effects.length, false), true);
    view.setInt32(at + 4, groupSecondWord(effects.length), true);
    this.#payload.set(effects, at + GROUP_HEAD_BYTES);
    this.#length += bytes;
    this.#payload.fill(NIL, at + GROUP_HEAD_BYTES + effects.length, this.#length);
    this.#gathered++;
  }

  flush(): void {
    if (this.#gathered === 0) return;
    this.#frame(FRAME_GROUPS, this.#payload.subarray(0, this.#length));
    this.groups += this.#gathered;
    this.#gathered = this.#length = 0;
  }

  /** Writes the end, the head with its sequence, and syncs. */
  end(firstSequence: number, isLast: boolean): void {
    this.flush();
    if (this.isSnapshot) this.#frame(FRAME_SNAPSHOT_END, new Uint8Array(0));
    else if (isLast) this.#frame(FRAME_CLOSED, new Uint8Array(0));
    const { isSnapshot } = this;
    const header = { isSnapshot, flags: 0, serverId: this.#serverId, firstSequence };
    this.#file.write(encodeFileHeader({ ...header, segmentId: this.#segmentId }), 0);
    this.#file.sync();
    this.#file.close();
  }

  close(): void {
    this.#file.close();
  }

  #frame(kind: number, payload: Uint8Array): void {
    const header = new Uint8Array(FRAME_HEADER_BYTES), isEnd = kind === FRAME_SNAPSHOT_END;
    const firstSequence = this.firstSequence + this.groups;
    writeFrameHeader(header, {
      groups: this.#gathered,
      firstSequence: isEnd ? this.groups : this.isSnapshot ? 0 : firstSequence,
      // The file has its name only once all of it is synced: what breaks in it later is damage, never a tear.
      syncedSequence: this.isSnapshot ? 0 : firstSequence - 1,
      segmentId: this.#segmentId,
      kind,
    }, [payload]);
    this.#file.write(header, this.#at);
    if (payload.length > 0) this.#file.write(payload, this.#at + header.length);
    this.#at += header.length + payload.length;
  }
}

const SNAPSHOT_TEMPORARY = "snapshot-made.tmp";

export class DirectoryWriter {
  readonly #disk: Disk;
  readonly #serverId: Uint8Array;
  readonly #segmentBytesMax: number;
  readonly #temporaries: string[] = [];
  readonly #segments: string[] = [];
  #snapshot: FramedFile | null = null;
  #segment: FramedFile | null = null;
  #firstSequence = 0;
  #sequence = 0;

  constructor({ disk, serverId, segmentBytesMax }: DirectoryWriterOptions) {
    this.#disk = disk;
    this.#serverId = serverId;
    this.#segmentBytesMax = segmentBytesMax ?? SEGMENT_BYTES_MAX;
  }

  /** Whether there is a snapshot, empty or not. */
  get hasSnapshot(): boolean {
    return this.#snapshot !== null;
  }

  /** A snapshot is to be made, even if nothing goes into it. Throws what the disk throws, as all here. */
  beginSnapshot(): void {
    if (this.#firstSequence !== 0) throw new Error("a snapshot behind the log it belongs to");
    this.#snapshot ??= new FramedFile(this.#create(SNAPSHOT_TEMPORARY), this.#serverId, 0);
  }

  /** Effects of the snapshot, which stand together in one frame. */
  snapshotGroup(effects: Uint8Array): void {
    this.beginSnapshot();
    this.#snapshot!.add(effects);
  }

  /** The log begins here: the number of its first group, from 1. */
  beginLog(sequence: number): void {
    if (this.#firstSequence !== 0) throw new Error("a log that begins twice");
    // A log that does not begin with 1 needs a snapshot to begin from. And one that has a snapshot must not begin
    // with 1: until the snapshot has its name, nothing may start.
    if (sequence > 1) this.beginSnapshot();
    this.#firstSequence = this.#sequence = this.hasSnapshot ? Math.max(2, sequence) : sequence;
  }

  /** The next group of the log. */
  group(effects: Uint8Array): void {
    const segment = this.#segment;
    if (segment !== null && segment.bytes + effects.length + 8 > this.#segmentBytesMax) {
      this.#endSegment(false);
    }
    if (this.#segment === null) this.#beginSegment(this.#sequence);
    this.#segment!.add(effects);
    this.#sequence++;
  }

  /** Ends all files, and gives them their names. */
  finish(): DirectoryWritten {
    const disk = this.#disk, firstSequence = Math.max(1, this.#firstSequence);
    // Without any file a directory could not be told from one that was never written.
    if (!this.hasSnapshot && this.#segments.length === 0) this.#beginSegment(firstSequence);
    const files = [...this.#segments];
    if (this.#segment !== null) this.#endSegment(true);
    const snapshotGroups = this.#endSnapshot(firstSequence);
    disk.syncDirectory();
    for (const name of this.#segments.toReversed()) disk.rename(`${name}.tmp`, name);
    disk.syncDirectory();
    if (snapshotGroups >= 0) {
      const name = snapshotName(firstSequence);
      disk.rename(SNAPSHOT_TEMPORARY, name);
      disk.syncDirectory();
      files.unshift(name);
    }
    this.#temporaries.length = 0;
    return {
      files,
      snapshotGroups: Math.max(0, snapshotGroups),
      groups: Math.max(0, this.#sequence - firstSequence),
      nextSequence: Math.max(firstSequence, this.#sequence),
    };
  }

  /** Something went wrong: takes away what was written. */
  abandon(): void {
    for (const file of [this.#snapshot, this.#segment]) {
      try {
        file?.close();
      } catch {
        // It is closed already, or the disk has failed.
      }
    }
    for (const name of this.#temporaries) {
      try {
        this.#disk.remove(name);
      } catch {
        // What stays has a temporary name: a start takes it away.
      }
    }
  }

  #create(name: string): DiskFile {
    const file = this.#disk.create(name);
    this.#temporaries.push(name);
    return file;
  }

  #beginSegment(sequence: number): void {
    const name = segmentName(sequence);
    this.#segment = new FramedFile(this.#create(`${name}.tmp`), this.#serverId, sequence);
    this.#segments.push(name);
  }

  #endSegment(isLast: boolean): void {
    const segment = this.#segment!;
    segment.end(segment.firstSequence, isLast);
    this.#segment = null;
  }

  /** Gives its groups, −1 if there is none. */
  #endSnapshot(sequence: number): number {
    const snapshot = this.#snapshot;
    if (snapshot === null) return -1;
    snapshot.end(sequence, true);
    this.#snapshot = null;
    return snapshot.groups;
  }
}
