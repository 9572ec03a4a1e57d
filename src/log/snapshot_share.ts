// One thread's share of a snapshot that several load: the frames of the turns it gets; tells no damage, only trouble.
//
// Frames may be taken in any order: of a key that changed while the snapshot was made, the log has the last word.
import type { DiskFile } from "./disk_seam.ts";
import { FRAME_GROUPS, FRAME_SNAPSHOT_END } from "./frame.ts";
import { FrameFile } from "./frame_file.ts";
import { type GroupTarget, takeGroups } from "./frame_groups.ts";
import type { LoadTurns } from "./load_turns.ts";
import { SNAPSHOT_FRAME_BYTES } from "../limits.ts";

/** Frames of a turn: few, so that all end at about the same time. */
const TURN_FRAMES = 4;
/** What a turn's frames take, with the slack by which one exceeds its bound. */
const WINDOW_BYTES = TURN_FRAMES * SNAPSHOT_FRAME_BYTES * 1.25;

export class SnapshotShare {
  /** Groups that this share took. */
  groups = 0;

  readonly #frames: FrameFile;
  readonly #target: GroupTarget;
  readonly #turns: LoadTurns;
  /** Number of the next frame in the file, and of the first one that is not of this turn. */
  #index = 0;
  #turnEnd = 0;
  #endGroups = -1;

  constructor(file: DiskFile, segmentId: bigint, target: GroupTarget, turns: LoadTurns) {
    this.#frames = new FrameFile(file, segmentId, WINDOW_BYTES);
    this.#target = target;
    this.#turns = turns;
  }

  /** Where in the file it is. */
  get offset(): number {
    return this.#frames.offset;
  }

  /** Takes one frame. False: none is left, or somebody met trouble. */
  step(): boolean {
    const frames = this.#frames;
    if (this.#turns.hasTrouble) return false;
    if (this.#index === this.#turnEnd) {
      const begin = this.#turns.take() * TURN_FRAMES;
      this.#turnEnd = begin + TURN_FRAMES;
      while (this.#index < begin) if (!this.#skip()) return false;
    }
    if (!frames.next()) return this.#trouble();
    if (frames.header.kind === FRAME_SNAPSHOT_END) {
      this.#endGroups = frames.header.firstSequence;
      return false;
    }
    const isTaken = frames.header.kind === FRAME_GROUPS &&
      takeGroups(frames, this.#target, 0) === null;
    if (!isTaken) return this.#trouble();
    this.#index++;
    this.groups += frames.header.groups;
    return true;
  }

  /** The number of groups that the snapshot's end tells; −1 if there is no whole end. */
  groupsOfEnd(): number {
    const frames = this.#frames;
    if (this.#endGroups >= 0) return this.#endGroups;
    while (this.#skip());
    if (this.#turns.hasTrouble || !frames.next()) return -1;
    return frames.header.kind === FRAME_SNAPSHOT_END ? frames.header.firstSequence : -1;
  }

  /** Goes on to the next frame, unless this is the last. */
  #skip(): boolean {
    const header = this.#frames.peek();
    if (header === null) return this.#trouble();
    if (header.kind === FRAME_SNAPSHOT_END) return false;
    this.#frames.skip(header);
    this.#index++;
    return true;
  }

  #trouble(): false {
    this.#turns.trouble();
    return false;
  }
}
