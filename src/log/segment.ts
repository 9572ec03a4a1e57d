// Names and heads of the files of a data directory; knows no disk.
//
//   wal-<first sequence, 16 hexadecimal digits>.log     groups from that sequence on, in frames
//   snapshot-<sequence, the same>.mfs                   all entries as of that sequence or later, in frames
//   *.tmp                                               being written, of no meaning to a start
//
//   0  8 bytes "MAYFLYW1" or "MAYFLYS1"     8  u32 format version   12  u32 flags    16  16 bytes server's id
//  32  u64 first sequence                  40  u64 segment's id     48  u64 reserved 56  u32 reserved
//  60  u32 CRC-32 of the 60 bytes before
import { crc32 } from "node:zlib";

export const FILE_HEADER_BYTES = 64;
export const FORMAT_VERSION = 1;
/** The log had failed before: without a snapshot of this sequence or later, nothing in the segment counts. */
export const AFTER_FAILURE = 1;
const MAGIC_WAL = "MAYFLYW1";
const MAGIC_SNAPSHOT = "MAYFLYS1";

export interface FileHeader {
  readonly isSnapshot: boolean;
  readonly flags: number;
  readonly serverId: Uint8Array;
  readonly firstSequence: number;
  readonly segmentId: bigint;
}

export function segmentName(firstSequence: number): string {
  return `wal-${hex(firstSequence)}.log`;
}

export function snapshotName(sequence: number): string {
  return `snapshot-${hex(sequence)}.mfs`;
}

/** The sequence in a file's name, null if it is not of that kind. */
export function sequenceOfName(name: string, kind: "wal" | "snapshot"): number | null {
  const pattern = kind === "wal" ? /^wal-([0-9a-f]{16})\.log$/ : /^snapshot-([0-9a-f]{16})\.mfs$/;
  const match = pattern.exec(name);
  if (match === null) return null;
  const sequence = parseInt(match[1]!, 16);
  return Number.isSafeInteger(sequence) ? sequence : null;
}

function hex(sequence: number): string {
  return sequence.toString(16).padStart(16, "0");
}

export function encodeFileHeader(header: FileHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FILE_HEADER_BYTES), view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(header.isSnapshot ? MAGIC_SNAPSHOT : MAGIC_WAL));
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, header.flags, true);
  bytes.set(header.serverId, 16);
  view.setBigUint64(32, BigInt(header.firstSequence), true);
  view.setBigUint64(40, header.segmentId, true);
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
  return bytes;
}

/** The head of a file, or why it is none. */
export function decodeFileHeader(
  bytes: Uint8Array,
): { readonly ok: FileHeader } | { readonly error: string } {
  if (bytes.length < FILE_HEADER_BYTES) return { error: `only ${bytes.length} bytes long` };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = new TextDecoder().decode(bytes.subarray(0, 8));
  if (magic !== MAGIC_WAL && magic !== MAGIC_SNAPSHOT) return { error: "no head of a mayfly file" };
  if (view.getUint32(60, true) !== crc32(bytes.subarray(0, 60))) {
    return { error: "its head's checksum is wrong" };
  }
  const version = view.getUint32(8, true);
  if (version !== FORMAT_VERSION) {
    return { error: `format version ${version}, this mayfly reads up to ${FORMAT_VERSION}` };
  }
  return {
    ok: {
      isSnapshot: magic === MAGIC_SNAPSHOT,
      flags: view.getUint32(12, true),
      serverId: bytes.slice(16, 32),
      firstSequence: Number(view.getBigUint64(32, true)),
      segmentId: view.getBigUint64(40, true),
    },
  };
}

/** An id that no other segment has. */
export function randomId(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0];
}
