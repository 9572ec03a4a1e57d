// The consuming end of the ring: groups into frames, frames into segments, syncs; knows no thread and no store.
//
// Each batch is what is published at that moment: one frame, one write. A failed write or sync is never tried
// again as if nothing had happened: the log is failed until a new segment and a new snapshot stand.
import { FRAME_PAYLOAD_BYTES_MAX, SEGMENT_BYTES_MAX } from "../limits.ts";
import type { Disk, DiskFile } from "./disk_seam.ts";
import { FRAME_CLOSED, FRAME_GROUPS, FRAME_HEADER_BYTES, writeFrameHeader } from "./frame.ts";
import { GROUP_HEAD_BYTES, groupFirstWord, groupSecondWord, NIL } from "./record.ts";
import { type Ring, unitsOf } from "./ring.ts";
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
export const SPARE_NAME = "spare.tmp";

export class LogWriter {
  readonly #disk: Disk;
  readonly #ring: Ring;
  readonly #parts: PartSource;
  readonly #serverId: Uint8Array;
  readonly #segmentBytesMax: number;
  #file: DiskFile | null = null;
  #segmentId = 0n;
  #segmentFirst = 0;
  #at = 0;
  #isPrefilled = false;
  #hasSpare = false;
  #sequence: number;
  #syncedSequence: number;
  #unsynced = false;
  /** Head of the ring as of the last write: what a sync makes durable. */
  #written: number;
  #buffer = new Uint8Array(FRAME_HEADER_BYTES + 65_536);

  constructor(options: LogWriterOptions) {
    this.#disk = options.disk;
    this.#ring = options.ring;
    this.#parts = options.parts;
    this.#serverId = options.serverId;
    this.#segmentBytesMax = options.segmentBytesMax ?? SEGMENT_BYTES_MAX;
    this.#sequence = options.firstSequence;
    this.#syncedSequence = options.firstSequence - 1;
    this.#written = options.ring.head;
  }

  /** Number of the next group. */
  get sequence(): number {
    return this.#sequence;
  }

  get hasUnsynced(): boolean {
    return this.#unsynced;
  }

  /** Where the current segment ends. */
  get segmentBytes(): number {
    return this.#at;
  }

  get isPrefilled(): boolean {
    return this.#isPrefilled;
  }

  /** Whether there is a segment to write to. */
  get isOpen(): boolean {
    return this.#file !== null;
  }

  /** A spare lies ready: the next segment is made of it. */
  spareIsReady(): void {
    this.#hasSpare = true;
  }

  /** Begins a segment at the next sequence. Throws what the disk throws. */
  open(isAfterFailure = false): void {
    const name = segmentName(this.#sequence), temporary = `${name}.tmp`;
    const isPrefilled = this.#hasSpare && !isAfterFailure;
    if (isPrefilled) this.#disk.rename(SPARE_NAME, temporary);
    this.#hasSpare = false;
    if (isPrefilled) this.#ring.setNumber("hasSpare", 0);
    const file = isPrefilled ? this.#disk.open(temporary) : this.#disk.create(temporary);
    try {
      const segmentId = randomId();
      file.write(
        encodeFileHeader({
          isSnapshot: false,
          flags: isAfterFailure ? AFTER_FAILURE : 0,
          serverId: this.#serverId,
          firstSequence: this.#sequence,
          segmentId,
        }),
        0,
      );
      file.sync();
      this.#disk.rename(temporary, name);
      this.#disk.syncDirectory();
      this.#segmentId = segmentId;
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file = file;
    this.#at = FILE_HEADER_BYTES;
    this.#segmentFirst = this.#sequence;
    this.#isPrefilled = isPrefilled;
    this.#ring.setNumber("segmentFirst", this.#sequence);
    this.#ring.setNumber("segmentBytes", this.#at);
  }

  /** Writes everything that is published by now; true if there was anything. Throws what the disk throws. */
  drain(): boolean {
    // Not what comes meanwhile: small frames would follow each other while somebody waits for the sync.
    const ring = this.#ring, end = ring.tail;
    let wrote = false;
    while (((end - ring.head) | 0) > 0) {
      const head = ring.head;
      let cursor = head, groups = 0, bytes = 0;
      while (bytes < FRAME_PAYLOAD_BYTES_MAX) {
        const lengthBytes = ring.groupAt(cursor);
        if (lengthBytes < 0 || ring.hasParts(cursor)) break;
        const units = unitsOf(lengthBytes);
        cursor = (cursor + units) | 0;
        bytes += units * 8;
        groups++;
        if (cursor === end) break;
      }
      if (groups === 0) {
        // What is published since the look above is none of it: only a group that has parts is written here.
        if (ring.isEmpty || ring.groupAt(head) < 0 || !ring.hasParts(head)) break;
        this.#writeParts(head);
      } else {
        this.#reserve(FRAME_HEADER_BYTES + bytes);
        ring.copy(head, cursor, this.#buffer, FRAME_HEADER_BYTES);
        const payload = this.#buffer.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + bytes);
        this.#writeFrame(groups, [payload]);
        ring.consume(cursor);
      }
      wrote = true;
      this.#written = ring.head;
      this.#unsynced = true;
    }
    return wrote;
  }

  /** Makes what was written durable, and tells who waits. Throws what the disk throws. */
  sync(): void {
    const ring = this.#ring, startMs = performance.now();
    this.#file!.sync();
    const tookMs = performance.now() - startMs;
    ring.addNumber("syncs", 1);
    ring.addNumber("syncMsTotal", tookMs);
    ring.setNumber("syncMsLast", tookMs);
    ring.noteSyncTime(tookMs);
    this.#syncedSequence = this.#sequence - 1;
    ring.setNumber("syncedSequence", this.#syncedSequence);
    ring.setNumber("unsyncedBytes", 0);
    this.#unsynced = false;
    ring.setSynced(this.#written);
  }

  /** Ends the segment and begins the next, unless it is empty. Throws what the disk throws. */
  rotate(): void {
    if (this.#sequence === this.#segmentFirst) return;
    this.#endSegment();
    this.open();
  }

  /** Goes on in the spare: in the place of the current segment if that is empty. Throws what the disk throws. */
  adoptSpare(): void {
    if (this.#sequence !== this.#segmentFirst) return this.rotate();
    this.#file!.close();
    this.#file = null;
    this.open();
  }

  /** Everything is written and synced; the log ends in order. */
  close(): void {
    if (this.#file === null) return;
    if (this.#hasSpare && this.#disk.list().includes(SPARE_NAME)) this.#disk.remove(SPARE_NAME);
    this.#reserve(FRAME_HEADER_BYTES);
    this.#writeFrame(0, [], FRAME_CLOSED);
    this.#endSegment();
  }

  /** The disk failed: what is published goes nowhere. Call it as long as the log is failed. */
  discard(): void {
    const ring = this.#ring;
    while (!ring.isEmpty) {
      const lengthBytes = ring.groupAt(ring.head);
      if (lengthBytes < 0) return;
      const cursor = (ring.head + unitsOf(lengthBytes)) | 0;
      if (ring.hasParts(ring.head)) this.#parts.release(this.#groupAt(ring.head, lengthBytes));
      this.#sequence++;
      ring.consume(cursor);
    }
    this.#unsynced = false;
    this.#written = ring.head;
  }

  /** A write or a sync failed: nothing is expected of the segment any more. */
  abandon(): void {
    const file = this.#file;
    this.#file = null;
    this.#hasSpare = false;
    this.#ring.setNumber("hasSpare", 0);
    this.#ring.setNumber("isReopened", 0);
    try {
      file?.close();
    } catch {
      // The disk has failed.
    }
    this.discard();
  }

  /** After a failure: begins a segment that counts only with a later snapshot. Throws what the disk throws. */
  reopen(): void {
    // A number of its own, even if nothing was lost: the old segment may hold groups that nobody confirmed.
    this.#sequence++;
    this.open(true);
    this.#ring.setNumber("isReopened", 1);
  }

  #endSegment(): void {
    const file = this.#file!;
    if (this.#isPrefilled) file.truncate(this.#at);
    this.sync();
    this.#file = null;
    this.#ring.addNumber("sizeBytes", this.#at);
    file.close();
  }

  /** A group with large values: a frame of its own, written piece by piece. */
  #writeParts(cursor: number): void {
    const ring = this.#ring, lengthBytes = ring.groupAt(cursor);
    const group = this.#groupAt(cursor, lengthBytes);
    const pieces = this.#parts.pieces(group);
    let bytes = 0;
    for (const piece of pieces) bytes += piece.length;
    const head = new Uint8Array(GROUP_HEAD_BYTES), view = new DataView(head.buffer);
    view.setInt32(0, groupFirstWord(bytes, false), true);
    view.setInt32(4, groupSecondWord(bytes), true);
    const padding = new Uint8Array(-bytes & 7).fill(NIL);
    this.#writeFrame(1, [head, ...pieces, padding]);
    ring.consume((cursor + unitsOf(lengthBytes)) | 0);
    this.#parts.release(group);
  }

  #groupAt(cursor: number, lengthBytes: number): Uint8Array {
    const units = unitsOf(lengthBytes), bytes = new Uint8Array(units * 8);
    this.#ring.copy(cursor, (cursor + units) | 0, bytes, 0);
    return bytes.subarray(GROUP_HEAD_BYTES, GROUP_HEAD_BYTES + lengthBytes);
  }

  #writeFrame(groups: number, pieces: readonly Uint8Array[], kind = FRAME_GROUPS): void {
    let bytes = FRAME_HEADER_BYTES;
    for (const piece of pieces) bytes += piece.length;
    if (this.#at + bytes > this.#segmentBytesMax && this.#at > FILE_HEADER_BYTES && groups > 0) {
      this.rotate();
    }
    writeFrameHeader(
      this.#buffer,
      {
        groups,
        firstSequence: this.#sequence,
        syncedSequence: this.#syncedSequence,
        segmentId: this.#segmentId,
        kind,
      },
      pieces,
    );
    const file = this.#file!;
    // The usual frame lies behind its header already: one write.
    if (pieces.length === 1 && pieces[0].buffer === this.#buffer.buffer) {
      file.write(this.#buffer.subarray(0, bytes), this.#at);
    } else {
      let at = this.#at;
      file.write(this.#buffer.subarray(0, FRAME_HEADER_BYTES), at);
      at += FRAME_HEADER_BYTES;
      for (const piece of pieces) {
        if (piece.length > 0) file.write(piece, at);
        at += piece.length;
      }
    }
    this.#at += bytes;
    this.#sequence += groups;
    const ring = this.#ring;
    ring.setNumber("sequence", this.#sequence - 1);
    ring.addNumber("frames", 1);
    ring.addNumber("bytes", bytes);
    ring.addNumber("groups", groups);
    ring.addNumber("unsyncedBytes", bytes);
    ring.setNumber("segmentBytes", this.#at);
    ring.addNumber("changesSinceSnapshot", groups);
  }

  #reserve(bytes: number): void {
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes * 2);
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
