// The fields of a hash within a line of the log's text mode, and back: names, moments and values by the effect's kind.
import { FieldReader } from "./field_reader.ts";
import type { EffectReader } from "./effect_reader.ts";
import type { EffectWriter } from "./effect_writer.ts";
import { bytesOf, type LineLimits, wholeNumber, writeBytes } from "./line_values.ts";
import { EXPIRE_FIELDS, FIELD_OVERHEAD_BYTES, REMOVE_FIELDS } from "./record.ts";

/** Writes `,"fields":[...]` of the effect that `reader` has read out of `bytes`. */
export function writeFields(
  reader: EffectReader,
  bytes: Uint8Array,
  write: (text: string) => void,
): void {
  const fields = new FieldReader(bytes), { kind } = reader;
  fields.begin(kind, reader.valueStart, reader.valueEnd);
  for (let i = 0; i < reader.fieldCount; i++) {
    fields.next();
    const name = bytes.subarray(fields.nameStart, fields.nameEnd);
    write(i === 0 ? `,"fields":[` : ",");
    if (kind === REMOVE_FIELDS) {
      writeBytes(name, write);
      continue;
    }
    write(`{"name":`);
    writeBytes(name, write);
    if (fields.expiresAtMs !== 0 || kind === EXPIRE_FIELDS) {
      write(`,"expiresAtMs":${fields.expiresAtMs}`);
    }
    if (kind !== EXPIRE_FIELDS) {
      write(`,"value":`);
      writeBytes(bytes.subarray(fields.valueStart, fields.valueEnd), write);
    }
    write("}");
  }
  write("]");
}

/**
 * Appends the fields that a line tells, with `begin()` before them, which is given their number; or gives what is wrong
 * with them.
 */
export function readFields(
  told: unknown,
  kind: number,
  writer: EffectWriter,
  limits: LineLimits,
  begin: (count: number) => void,
): string | null {
  if (!Array.isArray(told) || told.length === 0) return `"fields" is no list of fields`;
  begin(told.length);
  for (const each of told) {
    const problem = readField(each, kind, writer, limits);
    if (problem !== null) return problem;
  }
  return null;
}

function readField(
  told: unknown,
  kind: number,
  writer: EffectWriter,
  { fieldBytesMax }: LineLimits,
): string | null {
  const isNamed = kind !== REMOVE_FIELDS, isValued = isNamed && kind !== EXPIRE_FIELDS;
  const parts = isNamed ? told as Record<string, unknown> | null : { name: told };
  if (typeof parts !== "object" || parts === null || Array.isArray(parts)) {
    return `one of "fields" is no JSON object`;
  }
  const name = bytesOf(parts.name);
  if (name === null) return `a field's "name" is neither text nor {"base64":"..."}`;
  const expiresAtMs = wholeNumber(
    isValued ? parts.expiresAtMs ?? 0 : isNamed ? parts.expiresAtMs : 0,
    0,
    Number.MAX_SAFE_INTEGER,
  );
  if (expiresAtMs === null) return `a field's "expiresAtMs" is no whole number from 0 on`;
  const value = isValued ? bytesOf(parts.value) : NOTHING;
  if (value === null) return `a field's "value" is neither text nor {"base64":"..."}`;
  const lengthBytes = name.length + value.length;
  if (lengthBytes > fieldBytesMax) {
    return `a field has ${lengthBytes} bytes, at most ${fieldBytesMax}`;
  }
  for (const each of Object.keys(parts)) {
    const isKnown = each === "name" || each === "expiresAtMs" || each === "value" && isValued;
    if (!isKnown) return `a field has no ${JSON.stringify(each)}`;
  }
  writer.reserve(FIELD_OVERHEAD_BYTES + lengthBytes);
  writer.binHead(name.length);
  writer.raw(name);
  if (isNamed) writer.moment(expiresAtMs);
  if (isValued) {
    writer.binHead(value.length);
    writer.raw(value);
  }
  return null;
}

const NOTHING = new Uint8Array(0);
