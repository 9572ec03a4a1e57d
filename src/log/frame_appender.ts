// Appends groups of the ring to the log's segment as frames, and syncs it: for whoever has the writer's role.
//
// Each batch is what is published at that moment: one frame, one write. Everything that the next holder of the role has
// to know stands on the board; it knows no thread and no store, and opens no file.
import { FRAME_PAYLOAD_BYTES_MAX, SEGMENT_BYTES_MAX } from "../limits.ts";
import type { DiskFile } from "./disk_seam.ts";
import { FRAME_GROUPS, FRAME_HEADER_BYTES, writeFrameHeader } from "./frame.ts";
import { SYNC_MEAN_PART } from "./log_board.ts";
import { type Ring, unitsOf } from "./ring.ts";

export class FrameAppender {
  /** The segment, while there is one. */
  protected file: DiskFile | null = null;
  protected segmentId = 0n;
  /** Where it ends. */
  protected at = 0;
  /** Number of the next group, and of the last one that is known to be on disk. */
  protected nextSequence = 1;
  protected syncedSequence = 0;
  protected unsynced = false;
  /** Head of the ring as of the last write: what a sync makes durable. */
  protected written: number;
  protected buffer = new Uint8Array(FRAME_HEADER_BYTES + 65_536);

  /** `role` is what the holder of the writer's role is called while it is this one. */
  constructor(
    protected readonly ring: Ring,
    protected readonly role: number,
    protected readonly segmentBytesMax: number = SEGMENT_BYTES_MAX,
  ) {
    this.written = ring.head;
  }

  /** Two who write at once write over each other's frames, and what the log loses so is only missed after a crash. */
  protected demandRole(): void {
    if (this.ring.role !== this.role) {
      throw new TypeError(`writer ${this.role} of the log has not the role: ${this.ring.role} has`);
    }
  }

  /** Goes on where the last holder of the role ended; the segment is the same. */
  protected resume(): void {
    const ring = this.ring;
    this.at = ring.number("segmentBytes");
    this.nextSequence = ring.number("sequence") + 1;
    this.syncedSequence = ring.number("syncedSequence");
    this.written = ring.head;
    if (ring.isSynced(this.written)) this.unsynced = false;
  }

  /** Writes everything that is published by now; true if there was anything. Throws what the disk throws. */
  drain(): boolean {
    this.demandRole();
    // Not what comes meanwhile: small frames would follow each other while somebody waits for the sync.
    const ring = this.ring, end = ring.tail;
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
        if (!this.writeParts(head)) break;
      } else {
        if (!this.makeRoom(FRAME_HEADER_BYTES + bytes)) break;
        this.reserve(FRAME_HEADER_BYTES + bytes);
        ring.copy(head, cursor, this.buffer, FRAME_HEADER_BYTES);
        const payload = this.buffer.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + bytes);
        this.writeFrame(groups, [payload]);
        ring.consume(cursor);
      }
      wrote = true;
      this.written = ring.head;
      this.unsynced = true;
    }
    return wrote;
  }

  /** Makes what was written durable, and tells who waits. Throws what the disk throws. */
  sync(): void {
    this.demandRole();
    const ring = this.ring, startMs = performance.now();
    this.file!.sync();
    const tookMs = performance.now() - startMs, meanMs = ring.number("syncMsMean");
    ring.addNumber("syncs", 1);
    ring.addNumber("syncMsTotal", tookMs);
    ring.setNumber("syncMsLast", tookMs);
    ring.setNumber("syncMsMean", meanMs + (tookMs - meanMs) * SYNC_MEAN_PART);
    ring.noteSyncTime(tookMs);
    this.syncedSequence = this.nextSequence - 1;
    ring.setNumber("syncedSequence", this.syncedSequence);
    ring.setNumber("unsyncedBytes", 0);
    ring.setNumber("unsyncedSinceMs", 0);
    this.unsynced = false;
    ring.setSynced(this.written);
  }

  /** Writes the group at `cursor`, whose large values lie elsewhere; false if it is left to another. */
  protected writeParts(_cursor: number): boolean {
    return false;
  }

  /** Whether a frame of so many bytes finds room in the segment; may begin another. */
  protected makeRoom(bytes: number): boolean {
    return this.at + bytes <= this.segmentBytesMax;
  }

  protected writeFrame(groups: number, pieces: readonly Uint8Array[], kind = FRAME_GROUPS): void {
    let bytes = FRAME_HEADER_BYTES;
    for (const piece of pieces) bytes += piece.length;
    writeFrameHeader(
      this.buffer,
      {
        groups,
        firstSequence: this.nextSequence,
        syncedSequence: this.syncedSequence,
        segmentId: this.segmentId,
        kind,
      },
      pieces,
    );
    const file = this.file!;
    // The usual frame lies behind its header already: one write.
    if (pieces.length === 1 && pieces[0].buffer === this.buffer.buffer) {
      file.write(this.buffer.subarray(0, bytes), this.at);
    } else {
      let at = this.at;
      file.write(this.buffer.subarray(0, FRAME_HEADER_BYTES), at);
      at += FRAME_HEADER_BYTES;
      for (const piece of pieces) {
        if (piece.length > 0) file.write(piece, at);
        at += piece.length;
      }
    }
    this.at += bytes;
    this.nextSequence += groups;
    const ring = this.ring;
    ring.setNumber("sequence", this.nextSequence - 1);
    ring.addNumber("frames", 1);
    ring.addNumber("bytes", bytes);
    ring.addNumber("groups", groups);
    ring.addNumber("unsyncedBytes", bytes);
    ring.setNumber("segmentBytes", this.at);
  }

  protected reserve(bytes: number): void {
    if (this.buffer.length < bytes) this.buffer = new Uint8Array(bytes * 2);
  }
}
