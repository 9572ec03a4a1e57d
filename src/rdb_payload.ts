// What DUMP gives and RESTORE takes: a value in Redis's RDB encoding with its version and checksum behind.
//
// type, 1 byte | the value | RDB version, 2 bytes | CRC-64, 8 bytes
import { crc64 } from "./crc64.ts";
import { earliestExpiry, type HashField, isHashType, readHash, writeHash } from "./rdb_hash.ts";
import { RdbReader } from "./rdb_reader.ts";
import { RdbWriter } from "./rdb_writer.ts";

/** Of Redis 7.0, which reads what we write; but for fields with an end of life, which came with version 12. */
const RDB_VERSION = 10;
const RDB_VERSION_FIELD_TIMES = 12;
/** Newer payloads are refused: their types may mean something else. */
const RDB_VERSION_READ_MAX = 12;
const FOOTER_BYTES = 10;
const TYPE_STRING = 0;

/** What `readPayload()` gives for a payload of a newer version, or one that was changed. */
export const WRONG_PAYLOAD = "wrong payload";
/** And for one that is whole and means no value of ours. */
export const WRONG_FORMAT = "wrong format";

/** The payload of a string. */
export function stringPayload(value: Uint8Array): Uint8Array {
  const writer = new RdbWriter();
  writer.byte(TYPE_STRING);
  writer.string(value);
  return sealed(writer, RDB_VERSION);
}

/** The payload of a hash, which has a field at least. */
export function hashPayload(fields: readonly HashField[]): Uint8Array {
  const writer = new RdbWriter();
  writeHash(writer, fields);
  return sealed(writer, earliestExpiry(fields) === 0 ? RDB_VERSION : RDB_VERSION_FIELD_TIMES);
}

/**
 * The value of a payload, a string or the fields of a hash, or what is wrong with it. Its bytes may be the payload's own,
 * valid as long as those.
 */
export function readPayload(
  payload: Uint8Array,
): Uint8Array | HashField[] | typeof WRONG_PAYLOAD | typeof WRONG_FORMAT {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const end = payload.length - FOOTER_BYTES;
  if (end < 0 || view.getUint16(end, true) > RDB_VERSION_READ_MAX) return WRONG_PAYLOAD;
  const sum = view.getBigUint64(end + 2, true);
  if (sum !== crc64(payload, 0, end + 2)) return WRONG_PAYLOAD;
  if (end < 2) return WRONG_FORMAT;
  const reader = new RdbReader(view, 1, end), type = payload[0];
  const value = type === TYPE_STRING
    ? reader.string()
    : isHashType(type)
    ? readHash(reader, type)
    : null;
  return value === null || reader.at !== end ? WRONG_FORMAT : value;
}

function sealed(writer: RdbWriter, version: number): Uint8Array {
  const payload = writer.finish(FOOTER_BYTES), end = payload.length - FOOTER_BYTES;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  view.setUint16(end, version, true);
  view.setBigUint64(end + 2, crc64(payload, 0, end + 2), true);
  return payload;
}
