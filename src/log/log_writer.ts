// The consuming end of the ring: frames into segments, one after the other; knows no thread and no store.
//
// A failed write or sync is never tried again as if nothing had happened: the log is failed until a new segment and a
// new snapshot stand.
import type { Disk } from "./disk_seam.ts";
import { FRAME_CLOSED, FRAME_HEADER_BYTES } from "./frame.ts";
import { FrameAppender } from "./frame_appender.ts";
import { ROLE_OF_LOG } from "./log_board.ts";
import { GROUP_HEAD_BYTES, groupFirstWord, groupSecondWord, NIL } from "./record.ts";
import { LOG_WORKING, type Ring, unitsOf } from "./ring.ts";
import {
  AFTER_FAILURE,
  encodeFileHeader,
  FILE_HEADER_BYTES,
  randomId,
  segmentName,
} from "./segment.ts";

/** Where the bytes of groups with large values are. */
export interface PartSource {
  /** All bytes of the group's effects, in order. */
  pieces(group: Uint8Array): Uint8Array[];
  /** The group is written, or never will be. */
  release(group: Uint8Array): void;
}

export interface LogWriterOptions {
  readonly disk: Disk;
  readonly ring: Ring;
  readonly parts: PartSource;
  readonly serverId: Uint8Array;
  /** Number of the first group that will be written. */
  readonly firstSequence: number;
  readonly segmentBytesMax?: number;
}

/** The file that a keeper fills with zeros ahead of need: a sync over it has no metadata to write. */
const SPARE_NAME = "spare.tmp";

export class LogWriter extends FrameAppender {
  readonly #disk: Disk;
  readonly #parts: PartSource;
  readonly #serverId: Uint8Array;
  #segmentFirst = 0;
  #isPrefilled = false;
  #hasSpare = false;

  constructor(options: LogWriterOptions) {
    super(options.ring, ROLE_OF_LOG, options.segmentBytesMax);
    this.#disk = options.disk;
    this.#parts = options.parts;
    this.#serverId = options.serverId;
    this.nextSequence = options.firstSequence;
    this.syncedSequence = options.firstSequence - 1;
  }

  /**
   * Has the writer's role again: others may have written to the segment meanwhile. False if one of them failed: then
   * nothing is expected of the segment any more.
   */
  takeOver(): boolean {
    const ring = this.ring;
    // Numbers go on behind those of groups that others wrote, also where the last of them failed.
    this.resume();
    if (!ring.hasFailedInPlace) return true;
    this.abandon();
    ring.clearFailedInPlace();
    return false;
  }

  /** Number of the next group. */
  get sequence(): number {
    return this.nextSequence;
  }

  get hasUnsynced(): boolean {
    return this.unsynced;
  }

  /** Where the current segment ends. */
  get segmentBytes(): number {
    return this.at;
  }

  get isPrefilled(): boolean {
    return this.#isPrefilled;
  }

  /** Whether there is a segment to write to. */
  get isOpen(): boolean {
    return this.file !== null;
  }

  /** A spare lies ready: the next segment is made of it. */
  spareIsReady(): void {
    this.#hasSpare = true;
    this.ring.setNumber("hasSpare", 1);
  }

  /** Begins a segment at the next sequence. Throws what the disk throws. */
  open(isAfterFailure = false): void {
    this.demandRole();
    const name = segmentName(this.nextSequence), temporary = `${name}.tmp`;
    const isPrefilled = this.#hasSpare && !isAfterFailure;
    if (isPrefilled) this.#disk.rename(SPARE_NAME, temporary);
    this.#dropSpare();
    const file = isPrefilled ? this.#disk.open(temporary) : this.#disk.create(temporary);
    try {
      const segmentId = randomId();
      file.write(
        encodeFileHeader({
          isSnapshot: false,
          flags: isAfterFailure ? AFTER_FAILURE : 0,
          serverId: this.#serverId,
          firstSequence: this.nextSequence,
          segmentId,
        }),
        0,
      );
      const startMs = performance.now();
      file.sync();
      // Before anybody syncs in place the disk has shown how fast it is.
      if (this.ring.number("syncMsMean") === 0) {
        this.ring.setNumber("syncMsMean", performance.now() - startMs);
      }
      this.#disk.rename(temporary, name);
      this.#disk.syncDirectory();
      this.segmentId = segmentId;
    } catch (error) {
      file.close();
      throw error;
    }
    this.file = file;
    this.at = FILE_HEADER_BYTES;
    this.#segmentFirst = this.nextSequence;
    this.#isPrefilled = isPrefilled;
    this.ring.setNumber("segmentFirst", this.nextSequence);
    this.ring.setNumber("segmentBytes", this.at);
    this.ring.setNumber("sequence", this.nextSequence - 1);
    this.ring.beginSegment(this.segmentId);
  }

  /** Ends the segment and begins the next, unless it is empty. Throws what the disk throws. */
  rotate(): void {
    if (this.nextSequence === this.#segmentFirst) return;
    this.#endSegment();
    this.open();
  }

  /** Goes on in the spare: in the place of the current segment if that is empty. Throws what the disk throws. */
  adoptSpare(): void {
    // The segment says that it counts with a snapshot only, and until that stands no other may lie in its place.
    if (this.ring.state !== LOG_WORKING) return;
    if (this.nextSequence !== this.#segmentFirst) return this.rotate();
    this.ring.endSegment();
    this.file!.close();
    this.file = null;
    this.open();
  }

  /** Everything is written and synced; the log ends in order. */
  close(): void {
    if (this.file === null) return;
    if (this.#hasSpare && this.#disk.list().includes(SPARE_NAME)) this.#disk.remove(SPARE_NAME);
    this.reserve(FRAME_HEADER_BYTES);
    this.writeFrame(0, [], FRAME_CLOSED);
    this.#endSegment();
  }

  /** The disk failed: what is published goes nowhere. Call it as long as the log is failed. */
  discard(): void {
    this.demandRole();
    const ring = this.ring;
    while (!ring.isEmpty) {
      const lengthBytes = ring.groupAt(ring.head);
      if (lengthBytes < 0) return;
      const cursor = (ring.head + unitsOf(lengthBytes)) | 0;
      if (ring.hasParts(ring.head)) this.#parts.release(this.#groupAt(ring.head, lengthBytes));
      this.nextSequence++;
      ring.consume(cursor);
    }
    this.unsynced = false;
    this.written = ring.head;
  }

  /** A write or a sync failed: nothing is expected of the segment any more. */
  abandon(): void {
    const file = this.file;
    this.file = null;
    this.ring.endSegment();
    this.#dropSpare();
    this.ring.setNumber("isReopened", 0);
    try {
      file?.close();
    } catch {
      // The disk has failed.
    }
    this.ring.setNumber("unsyncedSinceMs", 0);
    this.discard();
  }

  /** After a failure: begins a segment that counts only with a later snapshot. Throws what the disk throws. */
  reopen(): void {
    // A number of its own, even if nothing was lost: the old segment may hold groups that nobody confirmed.
    this.nextSequence++;
    this.open(true);
    this.ring.setNumber("isReopened", 1);
  }

  /** A snapshot stands that holds what the failure took: writes are served again. Throws what the disk throws. */
  serveAgain(): void {
    this.drain();
    // Also where nothing was written since: what went nowhere has a place that readers wait for.
    this.sync();
    this.ring.setWorking();
  }

  /**
   * Writes everything that has its place by now. False if somebody has not yet published what he put there: then what
   * lies behind it is not written, though memory shows it.
   */
  drainAll(): boolean {
    const { ring } = this, end = ring.tail;
    this.drain();
    return ((ring.head - end) | 0) >= 0;
  }

  #dropSpare(): void {
    this.#hasSpare = false;
    this.ring.setNumber("hasSpare", 0);
  }

  #endSegment(): void {
    const file = this.file!;
    if (this.#isPrefilled) file.truncate(this.at);
    this.sync();
    this.file = null;
    this.ring.endSegment();
    this.ring.addNumber("sizeBytes", this.at);
    file.close();
  }

  /** A group with large values: a frame of its own, written piece by piece. */
  protected override writeParts(cursor: number): boolean {
    const ring = this.ring, lengthBytes = ring.groupAt(cursor);
    const group = this.#groupAt(cursor, lengthBytes);
    const pieces = this.#parts.pieces(group);
    let bytes = 0;
    for (const piece of pieces) bytes += piece.length;
    const head = new Uint8Array(GROUP_HEAD_BYTES), view = new DataView(head.buffer);
    view.setInt32(0, groupFirstWord(bytes, false), true);
    view.setInt32(4, groupSecondWord(bytes), true);
    const padding = new Uint8Array(-bytes & 7).fill(NIL);
    this.makeRoom(FRAME_HEADER_BYTES + GROUP_HEAD_BYTES + bytes + padding.length);
    this.writeFrame(1, [head, ...pieces, padding]);
    ring.consume((cursor + unitsOf(lengthBytes)) | 0);
    this.#parts.release(group);
    return true;
  }

  /** The frame that finds no room in the segment begins the next one. */
  protected override makeRoom(bytes: number): boolean {
    if (!super.makeRoom(bytes) && this.at > FILE_HEADER_BYTES) this.rotate();
    return true;
  }

  #groupAt(cursor: number, lengthBytes: number): Uint8Array {
    const units = unitsOf(lengthBytes), bytes = new Uint8Array(units * 8);
    this.ring.copy(cursor, (cursor + units) | 0, bytes, 0);
    return bytes.subarray(GROUP_HEAD_BYTES, GROUP_HEAD_BYTES + lengthBytes);
  }
}

/** Fills a file with zeros that the next segment is made of. Throws what the disk throws, and leaves no file then. */
export function makeSpare(disk: Disk, sizeBytes: number): void {
  const file = disk.create(SPARE_NAME);
  try {
    const zeros = new Uint8Array(Math.min(sizeBytes, 1024 * 1024));
    for (let at = 0; at < sizeBytes; at += zeros.length) {
      file.write(zeros.subarray(0, Math.min(zeros.length, sizeBytes - at)), at);
    }
    file.sync();
  } catch (error) {
    // On a full disk the log needs its room.
    disk.remove(SPARE_NAME);
    throw error;
  } finally {
    file.close();
  }
}
