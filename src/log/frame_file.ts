// Reads a file's frames one after the other, through a buffer of bounded size; believes nothing unchecked.
import type { DiskFile } from "./disk_seam.ts";
import { FRAME_HEADER_BYTES, type FrameHeader, isFrameWhole, readFrameHeader } from "./frame.ts";
import { FILE_HEADER_BYTES } from "./segment.ts";

const WINDOW_BYTES = 4 * 1024 * 1024;
/** Whole words are read past the end of a payload. */
const SLACK_BYTES = 8;

export class FrameFile {
  /** The frame that `next()` read, whole in `bytes` from `payloadStart` to `payloadEnd`. */
  header!: FrameHeader;
  payloadStart = 0;
  payloadEnd = 0;
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  /** Where in the file the frame that was read last begins; after a failed `next()`, where it was looked for. */
  offset = FILE_HEADER_BYTES;
  /** Where the next one is expected. */
  nextOffset = FILE_HEADER_BYTES;
  readonly sizeBytes: number;

  readonly #file: DiskFile;
  readonly #segmentId: bigint;
  readonly #head = new Uint8Array(FRAME_HEADER_BYTES);
  readonly #headView = new DataView(this.#head.buffer);
  #windowAt = 0;
  #windowBytes = 0;

  /** `windowBytes`: what is read at once. */
  constructor(file: DiskFile, segmentId: bigint, windowBytes = WINDOW_BYTES) {
    this.#file = file;
    this.#segmentId = segmentId;
    this.sizeBytes = file.sizeBytes();
    // A directory may hold many short segments.
    this.bytes = new Uint8Array(Math.min(windowBytes, this.sizeBytes) + SLACK_BYTES);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Reads the next frame. False if there is no whole one of this segment: its end, a tear, or damage. */
  next(): boolean {
    const at = this.offset = this.nextOffset;
    if (!this.#load(at, FRAME_HEADER_BYTES)) return false;
    const header = readFrameHeader(this.view, at - this.#windowAt);
    if (header === null || header.segmentId !== this.#segmentId) return false;
    const bytes = FRAME_HEADER_BYTES + header.payloadBytes;
    if (at + bytes > this.sizeBytes || !this.#load(at, bytes)) return false;
    const start = at - this.#windowAt;
    if (!isFrameWhole(this.bytes, start, header)) return false;
    this.header = header;
    this.payloadStart = start + FRAME_HEADER_BYTES;
    this.payloadEnd = start + bytes;
    this.nextOffset = at + bytes;
    return true;
  }

  /** The next frame's header, unchecked; null if none of this segment can be there. Nothing else is read. */
  peek(): FrameHeader | null {
    const at = this.nextOffset;
    if (this.#file.read(this.#head, at) < FRAME_HEADER_BYTES) return null;
    const header = readFrameHeader(this.#headView, 0);
    if (header === null || header.segmentId !== this.#segmentId) return null;
    return at + FRAME_HEADER_BYTES + header.payloadBytes > this.sizeBytes ? null : header;
  }

  /** Goes past the frame that `peek()` gave. */
  skip(header: FrameHeader): void {
    this.nextOffset += FRAME_HEADER_BYTES + header.payloadBytes;
  }

  /** The highest synced sequence that any whole frame beyond `offset` tells of; 0 if there is none. */
  syncedSequenceBeyond(offset: number): number {
    let highest = 0;
    for (let at = offset + 8; at + FRAME_HEADER_BYTES <= this.sizeBytes;) {
      if (!this.#load(at, FRAME_HEADER_BYTES)) break;
      const found = this.#findMagic(at);
      if (found < 0) {
        at = Math.floor((this.#windowAt + this.#windowBytes - FRAME_HEADER_BYTES + 8) / 8) * 8;
        if (at <= this.#windowAt) break;
        continue;
      }
      this.nextOffset = found;
      if (this.next()) {
        highest = Math.max(highest, this.header.syncedSequence);
        at = this.nextOffset;
      } else at = found + 8;
    }
    return highest;
  }

  /** The first multiple of 8 from `at` on, in the window, at which a frame may begin; −1 if none. */
  #findMagic(at: number): number {
    const words = this.view;
    const end = this.#windowBytes - FRAME_HEADER_BYTES;
    for (let from = at - this.#windowAt; from <= end; from += 8) {
      if (words.getInt32(from, true) !== 0 && readFrameHeader(words, from) !== null) {
        return this.#windowAt + from;
      }
    }
    return -1;
  }

  /** Has `count` bytes from `at` on in the window; false if the file ends before. */
  #load(at: number, count: number): boolean {
    if (at >= this.#windowAt && at + count <= this.#windowAt + this.#windowBytes) return true;
    if (at + count > this.sizeBytes) return false;
    if (this.bytes.length < count + SLACK_BYTES) {
      this.bytes = new Uint8Array(count + SLACK_BYTES);
      this.view = new DataView(this.bytes.buffer);
    }
    const wanted = Math.min(this.bytes.length - SLACK_BYTES, this.sizeBytes - at);
    this.#windowBytes = this.#file.read(this.bytes.subarray(0, wanted), at);
    this.#windowAt = at;
    return this.#windowBytes >= count;
  }
}
