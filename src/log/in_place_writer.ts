// Writes and syncs the log in the thread of a worker whose replies wait for it, where the disk is fast.
//
// To wake the log's thread and to be woken by it takes about 0.1 ms; a sync of a fast disk takes hardly longer. So the
// worker that finds nobody writing does it itself, for all that is published by then. Everything that is more than a
// frame is left to the log's thread: large values, another segment, a disk that failed.
import { IN_PLACE_SYNC_MS_MAX } from "../limits.ts";
import type { Disk } from "./disk_seam.ts";
import { FrameAppender } from "./frame_appender.ts";
import { FSYNC_ALWAYS, ROLE_FREE, ROLE_OF_LOG } from "./log_board.ts";
import { LOG_WORKING, type Ring } from "./ring.ts";
import { segmentName } from "./segment.ts";

export class InPlaceWriter extends FrameAppender {
  readonly #disk: Disk;
  /** Which of the segments that were begun `file` is; 0 for none. */
  #segment = 0;

  constructor(disk: Disk, ring: Ring, role: number, segmentBytesMax?: number) {
    super(ring, role, segmentBytesMax);
    this.#disk = disk;
  }

  /** Whether a sync is so fast, on average, that this thread may wait for it. */
  get isFast(): boolean {
    const ring = this.ring;
    return ring.fsync === FSYNC_ALWAYS && !ring.isFailed &&
      ring.number("syncMsMean") < IN_PLACE_SYNC_MS_MAX;
  }

  /**
   * Writes and syncs what is published. False if it did not: then `Ring.syncedChanged()` tells when somebody else has,
   * or that the log failed.
   */
  write(): boolean {
    const ring = this.ring;
    if (!this.isFast || !ring.takeRole(this.role)) {
      // Another worker syncs what it finds, and tells; the log's thread may be at something else.
      if (ring.role === ROLE_OF_LOG || ring.role === ROLE_FREE) ring.wake();
      return false;
    }
    let isDone = false;
    try {
      if (ring.state === LOG_WORKING && this.#join() && this.drain()) {
        this.sync();
        ring.addNumber("syncsInPlace", 1);
        isDone = true;
      }
    } catch (error) {
      // A mistake of this program is no trouble of the disk.
      if (error instanceof TypeError || error instanceof RangeError) throw error;
      // The log's thread begins anew; what waits is told that this went nowhere.
      this.#leave();
      ring.failInPlace((error as Error).message);
    } finally {
      ring.giveRole();
    }
    if (!isDone) ring.wake();
    return isDone;
  }

  /** Lets go of a segment that is no longer written: it may be removed, and its room is wanted back. */
  tidy(): void {
    if (this.#segment !== this.ring.segmentSerial) this.#leave();
  }

  /** Opens the segment that is written now; false if there is none. */
  #join(): boolean {
    const ring = this.ring, segment = ring.segmentSerial;
    if (segment !== this.#segment) {
      this.#leave();
      if (segment === 0) return false;
      this.file = this.#disk.open(segmentName(ring.number("segmentFirst")));
      this.segmentId = ring.segmentId;
      this.#segment = segment;
    }
    this.resume();
    return this.file !== null;
  }

  #leave(): void {
    const file = this.file;
    this.file = null;
    this.#segment = 0;
    try {
      file?.close();
    } catch {
      // The disk has failed.
    }
  }
}
