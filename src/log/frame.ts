// Frames: what is written, checked and believed as one, in a log and in a snapshot; knows no file.
//
//   0  u32 magic "MFFR"     4  u32 payload bytes    8  u32 CRC-32 of the header less this, and the payload
//  12  u32 groups          16  u64 first sequence  24  u64 synced sequence as of writing
//  32  u64 segment's id    40  u16 origin          42  u16 kind        44  u32 epoch        48  payload
//
// Little endian; the payload is groups of effects, each padded to 8 bytes, so frames lie at multiples of 8.
import { crc32 } from "node:zlib";

export const FRAME_HEADER_BYTES = 48;
const FRAME_MAGIC = 0x5246464d;
/** A frame of groups; the mark of a log that was closed in order; the end of a snapshot. */
export const FRAME_GROUPS = 0;
export const FRAME_CLOSED = 1;
export const FRAME_SNAPSHOT_END = 2;
const CRC_AT = 8;
const CRC_END = 12;

export interface FrameHeader {
  payloadBytes: number;
  crc: number;
  groups: number;
  /** Number of the first group, from 1. */
  firstSequence: number;
  /** Every group up to here was known to be on disk. */
  syncedSequence: number;
  segmentId: bigint;
  kind: number;
}

/** Writes a frame's header at `bytes[0..48)` over the payload pieces that follow it on disk. */
export function writeFrameHeader(
  bytes: Uint8Array,
  header: Omit<FrameHeader, "payloadBytes" | "crc">,
  pieces: readonly Uint8Array[],
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  let payloadBytes = 0;
  for (const piece of pieces) payloadBytes += piece.length;
  view.setUint32(0, FRAME_MAGIC, true);
  view.setUint32(4, payloadBytes, true);
  view.setUint32(12, header.groups, true);
  view.setBigUint64(16, BigInt(header.firstSequence), true);
  view.setBigUint64(24, BigInt(header.syncedSequence), true);
  view.setBigUint64(32, header.segmentId, true);
  view.setUint16(40, 0, true);
  view.setUint16(42, header.kind, true);
  view.setUint32(44, 0, true);
  let crc = headerCrc(bytes);
  for (const piece of pieces) crc = crc32(piece, crc);
  view.setUint32(CRC_AT, crc, true);
}

/** The header at `at`, null if it cannot be one; nothing is said of the payload yet. */
export function readFrameHeader(view: DataView, at: number): FrameHeader | null {
  if (view.getUint32(at, true) !== FRAME_MAGIC) return null;
  const payloadBytes = view.getUint32(at + 4, true);
  const firstSequence = Number(view.getBigUint64(at + 16, true));
  const syncedSequence = Number(view.getBigUint64(at + 24, true));
  const groups = view.getUint32(at + 12, true);
  if (payloadBytes % 8 !== 0 || groups > payloadBytes / 8) return null;
  if (!Number.isSafeInteger(firstSequence + groups) || !Number.isSafeInteger(syncedSequence)) {
    return null;
  }
  return {
    payloadBytes,
    crc: view.getUint32(at + CRC_AT, true),
    groups,
    firstSequence,
    syncedSequence,
    segmentId: view.getBigUint64(at + 32, true),
    kind: view.getUint16(at + 42, true),
  };
}

/** Whether the frame that lies whole at `bytes[at..]` is what was written. */
export function isFrameWhole(bytes: Uint8Array, at: number, header: FrameHeader): boolean {
  const end = at + FRAME_HEADER_BYTES + header.payloadBytes;
  let crc = headerCrc(bytes.subarray(at, at + FRAME_HEADER_BYTES));
  crc = crc32(bytes.subarray(at + FRAME_HEADER_BYTES, end), crc);
  return crc === header.crc;
}

function headerCrc(bytes: Uint8Array): number {
  return crc32(bytes.subarray(CRC_END, FRAME_HEADER_BYTES), crc32(bytes.subarray(0, CRC_AT)));
}
