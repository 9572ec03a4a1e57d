// Walks through one file of log or snapshot and counts what is whole; judges nothing, and knows no directory.
//
// A start asks what counts (recovery.ts); this asks what is there: so it also reads files that a start would
// refuse or leave alone, up to the first thing in them that is not whole.
import type { DiskFile } from "./disk_seam.ts";
import { FRAME_CLOSED, FRAME_GROUPS, FRAME_HEADER_BYTES, FRAME_SNAPSHOT_END } from "./frame.ts";
import { FrameFile } from "./frame_file.ts";
import { EffectReader } from "./effect_reader.ts";
import { groupBytes } from "./record.ts";
import { decodeFileHeader, FILE_HEADER_BYTES, type FileHeader } from "./segment.ts";

/** Told of each whole group: its effects are `bytes[start..end)`. */
export type GroupVisit = (bytes: Uint8Array, start: number, end: number) => void;

/** How a file ends: with its mark, with a whole frame, with zeros filled ahead, or with something else. */
export type FileEnd = "marked" | "open" | "filled" | "broken";

export interface FileScan {
  /** Null if it has no head that this version reads; `problem` says why. */
  readonly header: FileHeader | null;
  readonly sizeBytes: number;
  readonly frames: number;
  readonly groups: number;
  readonly effects: number;
  /** Where what is whole ends. */
  readonly endOffset: number;
  readonly end: FileEnd;
  /** Why it is `broken`; else empty. */
  readonly problem: string;
  /** A whole frame holds what this version does not know: the file is not damaged, but newer. */
  readonly isNewer: boolean;
}

const PIECE_BYTES = 1024 * 1024;

/** Reads the file from its start. `progress` is told of the bytes of each frame. */
export function scanFile(
  file: DiskFile,
  visit: GroupVisit,
  progress: (bytes: number) => void = () => {},
): FileScan {
  const sizeBytes = file.sizeBytes(), head = new Uint8Array(FILE_HEADER_BYTES);
  const decoded = decodeFileHeader(head.subarray(0, file.read(head, 0)));
  if ("error" in decoded) {
    return {
      header: null,
      sizeBytes,
      frames: 0,
      groups: 0,
      effects: 0,
      endOffset: 0,
      end: "broken",
      problem: decoded.error,
      isNewer: decoded.error.startsWith("format version"),
    };
  }
  return new Scan(file, decoded.ok, visit, progress).run();
}

class Scan {
  readonly #file: DiskFile;
  readonly #header: FileHeader;
  readonly #visit: GroupVisit;
  readonly #progress: (bytes: number) => void;
  #frames = 0;
  #groups = 0;
  #effects = 0;
  #problem = "";
  #problemOffset = 0;
  #isNewer = false;

  constructor(
    file: DiskFile,
    header: FileHeader,
    visit: GroupVisit,
    progress: (bytes: number) => void,
  ) {
    this.#file = file;
    this.#header = header;
    this.#visit = visit;
    this.#progress = progress;
  }

  run(): FileScan {
    const frames = new FrameFile(this.#file, this.#header.segmentId);
    while (frames.next()) {
      if (!this.#isInOrder(frames)) return this.#result(frames.offset, "broken", frames.sizeBytes);
      if (frames.header.kind !== FRAME_GROUPS) {
        this.#frames++;
        return this.#result(frames.nextOffset, "marked", frames.sizeBytes);
      }
      if (!this.#takeFrame(frames)) {
        return this.#result(this.#problemOffset, "broken", frames.sizeBytes);
      }
      this.#frames++;
      this.#progress(frames.nextOffset - frames.offset);
    }
    const { offset, sizeBytes } = frames;
    if (offset >= sizeBytes) {
      if (!this.#header.isSnapshot) return this.#result(offset, "open", sizeBytes);
      this.#problem = "it has no end";
    } else if (!this.#header.isSnapshot && this.#isEmptyFrom(offset, sizeBytes)) {
      return this.#result(offset, "filled", sizeBytes);
    } else this.#problem = "a frame is not whole";
    return this.#result(offset, "broken", sizeBytes);
  }

  /** Whether the frame is one that belongs here. */
  #isInOrder({ header }: FrameFile): boolean {
    const { isSnapshot, firstSequence } = this.#header;
    const endKind = isSnapshot ? FRAME_SNAPSHOT_END : FRAME_CLOSED;
    if (header.kind !== FRAME_GROUPS && header.kind !== endKind) {
      this.#problem = `a frame of unknown kind ${header.kind}`;
      this.#isNewer = header.kind > FRAME_SNAPSHOT_END;
    } else if (!isSnapshot && header.firstSequence !== firstSequence + this.#groups) {
      this.#problem = `sequence ${header.firstSequence} where ${
        firstSequence + this.#groups
      } belongs`;
    } else if (isSnapshot && header.kind === endKind && header.firstSequence !== this.#groups) {
      this.#problem = `${this.#groups} groups, its end tells ${header.firstSequence}`;
    }
    return this.#problem === "";
  }

  /** Visits the frame's groups, once all of them are known to be readable. */
  #takeFrame(frames: FrameFile): boolean {
    const { bytes, view, payloadStart, payloadEnd, header } = frames;
    const reader = new EffectReader(bytes), starts: number[] = [], ends: number[] = [];
    let effects = 0;
    for (let at = payloadStart; at < payloadEnd;) {
      const length = groupBytes(view.getInt32(at, true), view.getInt32(at + 4, true));
      const end = at + 8 + length;
      this.#problemOffset = frames.offset + FRAME_HEADER_BYTES + at - payloadStart;
      if (length < 0 || end > payloadEnd) {
        this.#problem = "no group of effects";
        return false;
      }
      for (let effectAt = at + 8; effectAt < end; effects++) {
        effectAt = reader.next(effectAt, end);
        if (effectAt < 0) {
          this.#problem = reader.error;
          this.#isNewer = reader.error.includes("unknown kind");
          return false;
        }
      }
      starts.push(at + 8);
      ends.push(end);
      at = payloadStart + ((end - payloadStart + 7) & ~7);
    }
    this.#problemOffset = frames.offset;
    if (starts.length !== header.groups) {
      this.#problem = `${starts.length} groups, the frame tells ${header.groups}`;
      return false;
    }
    for (let i = 0; i < starts.length; i++) this.#visit(bytes, starts[i], ends[i]);
    this.#groups += starts.length;
    this.#effects += effects;
    return true;
  }

  #isEmptyFrom(offset: number, sizeBytes: number): boolean {
    const piece = new Uint8Array(PIECE_BYTES);
    for (let at = offset; at < sizeBytes;) {
      const count = this.#file.read(piece, at);
      if (count <= 0) return true;
      for (let i = 0; i < count; i++) if (piece[i] !== 0) return false;
      at += count;
    }
    return true;
  }

  #result(endOffset: number, end: FileEnd, sizeBytes: number): FileScan {
    return {
      header: this.#header,
      sizeBytes,
      frames: this.#frames,
      groups: this.#groups,
      effects: this.#effects,
      endOffset,
      end,
      problem: this.#problem,
      isNewer: this.#isNewer,
    };
  }
}
