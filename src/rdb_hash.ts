// A hash as DUMP gives it and RESTORE takes it; knows neither the store nor what lies around it in a payload.
//
// 4: count, (name, value)*                          all that Redis 7.0 needs, and so what is written if it serves
// 16: a listpack of names and values                how Redis 7.0 writes small ones
// 24: moment, count, (time, name, value)*           of Redis 7.4: time is 1 + ms after the moment, 0 for no end
// 25: moment, a listpack of names, values, moments  the same of small ones
import { latin1 } from "./latin1.ts";
import { parseInteger } from "./number_format.ts";
import { listpackElements } from "./rdb_listpack.ts";
import type { RdbReader } from "./rdb_reader.ts";
import type { RdbWriter } from "./rdb_writer.ts";

export const TYPE_HASH = 4;
const TYPE_HASH_LISTPACK = 16;
const TYPE_HASH_TIMES = 24;
const TYPE_HASH_LISTPACK_TIMES = 25;

/** A field by itself; `expiresAtMs` is 0 for one without end. */
export interface HashField {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
  readonly expiresAtMs: number;
}

/** Whether a payload's type byte announces a hash. */
export function isHashType(type: number): boolean {
  return type === TYPE_HASH || type === TYPE_HASH_LISTPACK || type === TYPE_HASH_TIMES ||
    type === TYPE_HASH_LISTPACK_TIMES;
}

/** The fields behind the type byte; null for what is no such hash, or an empty one, or has a name twice. */
export function readHash(reader: RdbReader, type: number): HashField[] | null {
  const fields = type === TYPE_HASH || type === TYPE_HASH_TIMES
    ? readTable(reader, type === TYPE_HASH_TIMES)
    : readListpack(reader, type === TYPE_HASH_LISTPACK_TIMES);
  if (fields === null || fields.length === 0) return null;
  const names = new Set(fields.map(({ name }) => latin1(name)));
  return names.size === fields.length ? fields : null;
}

/** Writes the type byte and the fields. */
export function writeHash(writer: RdbWriter, fields: readonly HashField[]): void {
  const earliestMs = earliestExpiry(fields);
  writer.byte(earliestMs === 0 ? TYPE_HASH : TYPE_HASH_TIMES);
  if (earliestMs !== 0) writer.moment(earliestMs);
  writer.length(fields.length);
  for (const { name, value, expiresAtMs } of fields) {
    if (earliestMs !== 0) writer.length(expiresAtMs === 0 ? 0 : expiresAtMs - earliestMs + 1);
    writer.string(name);
    writer.string(value);
  }
}

/** The moment at which the first field expires, 0 if none does. */
export function earliestExpiry(fields: readonly HashField[]): number {
  let earliestMs = 0;
  for (const { expiresAtMs } of fields) {
    if (expiresAtMs !== 0 && (earliestMs === 0 || expiresAtMs < earliestMs)) {
      earliestMs = expiresAtMs;
    }
  }
  return earliestMs;
}

function readTable(reader: RdbReader, hasTimes: boolean): HashField[] | null {
  const earliestMs = hasTimes ? reader.moment() : 0, count = reader.length();
  // Each string takes a byte at least.
  if (earliestMs === null || count === null || count * 2 > reader.end - reader.at) return null;
  const fields: HashField[] = [];
  for (let i = 0; i < count; i++) {
    const time = hasTimes ? reader.length() : 0;
    const name = time === null ? null : reader.string();
    const value = name === null ? null : reader.string();
    if (value === null) return null;
    fields.push({ name: name!, value, expiresAtMs: time === 0 ? 0 : earliestMs + time! - 1 });
  }
  return fields;
}

function readListpack(reader: RdbReader, hasTimes: boolean): HashField[] | null {
  if (hasTimes && reader.moment() === null) return null;
  const packed = reader.string(), step = hasTimes ? 3 : 2;
  const elements = packed === null ? null : listpackElements(packed);
  if (elements === null || elements.length % step !== 0) return null;
  const fields: HashField[] = [];
  for (let i = 0; i < elements.length; i += step) {
    const time = hasTimes ? elements[i + 2] : null;
    const expiresAtMs = time === null ? 0 : parseInteger(time, 0, time.length);
    if (expiresAtMs !== expiresAtMs || expiresAtMs < 0) return null;
    fields.push({ name: elements[i], value: elements[i + 1], expiresAtMs });
  }
  return fields;
}
