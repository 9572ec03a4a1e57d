// The groups of one whole frame, given to whoever takes effects; knows no file's name and no order of frames.
import { FRAME_HEADER_BYTES } from "./frame.ts";
import type { FrameFile } from "./frame_file.ts";
import { groupBytes } from "./record.ts";

/** Takes the effects of one group, `bytes[start..end)`; gives why it cannot, or null. */
export interface GroupTarget {
  /** `sequence`: the group's number in the log, 0 in a snapshot. */
  take(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    sequence: number,
  ): string | null;
  /** The bytes of all groups since the last call are overwritten next; gives why those cannot be taken. */
  endFrame?(): string | null;
}

/** Why the groups of a frame could not be taken. */
export interface FrameProblem {
  /** In the file, and the group's number in the log. */
  readonly offset: number;
  readonly sequence: number;
  readonly what: string;
  /** The bytes are no groups; else the target refused. */
  readonly isDamage: boolean;
}

/** Gives `target` all groups of the frame that was read last, the first being number `sequence` (0: none has one). */
export function takeGroups(
  frames: FrameFile,
  target: GroupTarget,
  sequence: number,
): FrameProblem | null {
  const { bytes, view, payloadStart, payloadEnd, header } = frames;
  let at = payloadStart, groups = 0;
  const problem = (what: string, isDamage: boolean, from = at): FrameProblem => ({
    offset: frames.offset + FRAME_HEADER_BYTES + from - payloadStart,
    sequence: sequence + groups,
    what,
    isDamage,
  });
  while (at < payloadEnd) {
    const length = groupBytes(view.getInt32(at, true), view.getInt32(at + 4, true));
    const end = at + 8 + length;
    if (length < 0 || end > payloadEnd) return problem("no group of effects", true);
    const number = sequence === 0 ? 0 : sequence + groups;
    const refused = target.take(bytes, view, at + 8, end, number);
    if (refused !== null) return problem(refused, false);
    groups++;
    at = payloadStart + ((end - payloadStart + 7) & ~7);
  }
  if (groups !== header.groups) {
    const what = `${groups} groups, the frame tells ${header.groups}`;
    return problem(what, true, payloadStart - FRAME_HEADER_BYTES);
  }
  const refused = target.endFrame?.() ?? null;
  return refused === null ? null : problem(refused, false, payloadStart);
}
