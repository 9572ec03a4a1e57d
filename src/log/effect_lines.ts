// Effects as lines of JSON and back: the text mode of the log; knows no file and no frame.
//
//   {"sequence":7,"effect":"put","database":0,"key":"k","expiresAtMs":0,"type":"string","value":"v"}
//   {"sequence":8,"effect":"remove","database":0,"key":{"base64":"/w=="}}
//   {"sequence":8,"effect":"range","database":0,"key":"k","offset":5,"value":"v"}
//   {"sequence":9,"effect":"expire","database":0,"key":"k","expiresAtMs":1790000000000}
//   {"sequence":10,"effect":"flush","database":-1}
//   {"sequence":11,"effect":"databases","table":[1,0,2,...]}
//   {"sequence":12,"effect":"put","database":0,"key":"h","expiresAtMs":0,"type":"hash","fields":[
//     {"name":"f","value":"v"},{"name":"g","expiresAtMs":1790000000000,"value":"w"}]}
//
// The other effects on fields of hashes are `setFields`, `removeFields` (its fields are names), `expireFields` and
// `mergeFields`, which like a put tells when the key expires.
// Effects of a snapshot have the sequence 0. Bytes that are not UTF-8 stand as {"base64":"..."}.
import type { EffectReader } from "./effect_reader.ts";
import type { KeyBytes } from "./effects.ts";
import type { EffectWriter } from "./effect_writer.ts";
import { readFields, writeFields } from "./field_lines.ts";
import { bytesOf, type LineLimits, wholeNumber, writeBytes } from "./line_values.ts";
import {
  DATABASES,
  EFFECT_OVERHEAD_BYTES,
  EXPIRE,
  EXPIRE_FIELDS,
  FLUSH,
  MERGE_FIELDS,
  PUT,
  RANGE,
  REMOVE,
  REMOVE_FIELDS,
  SET_FIELDS,
  VALUE_HASH,
} from "./record.ts";

/** By the number in a put, which is the store's. */
const TYPE_NAMES = ["", "string", "hash"] as const;
const KEYED_NAMES: Record<number, string> = {
  [PUT]: "put",
  [REMOVE]: "remove",
  [EXPIRE]: "expire",
  [RANGE]: "range",
  [SET_FIELDS]: "setFields",
  [REMOVE_FIELDS]: "removeFields",
  [EXPIRE_FIELDS]: "expireFields",
  [MERGE_FIELDS]: "mergeFields",
};
const KINDS = new Map(Object.entries(KEYED_NAMES).map(([kind, name]) => [name, Number(kind)]));
const DATABASE_COUNT = 16;

/** Writes the effect that `reader` has read out of `bytes` as a line, in as many pieces as it takes. */
export function writeEffectLine(
  reader: EffectReader,
  bytes: Uint8Array,
  sequence: number,
  write: (text: string) => void,
): void {
  const { kind, database } = reader;
  const head = `{"sequence":${sequence},"effect":`;
  if (kind === FLUSH) return write(`${head}"flush","database":${database}}\n`);
  if (kind === DATABASES) {
    const table = bytes.subarray(reader.valueStart, reader.valueEnd);
    return write(`${head}"databases","table":[${table.join(",")}]}\n`);
  }
  const name = KEYED_NAMES[kind];
  write(`${head}"${name}","database":${database},"key":`);
  writeBytes(bytes.subarray(reader.keyStart, reader.keyEnd), write);
  if (kind === PUT || kind === EXPIRE || kind === MERGE_FIELDS) {
    write(`,"expiresAtMs":${reader.expiresAtMs}`);
  }
  if (kind === PUT) write(`,"type":${JSON.stringify(TYPE_NAMES[reader.type] || reader.type)}`);
  if (kind === RANGE) write(`,"offset":${reader.offset}`);
  const isHash = kind >= SET_FIELDS || kind === PUT && reader.type === VALUE_HASH;
  if (isHash) writeFields(reader, bytes, write);
  else if (kind === PUT || kind === RANGE) {
    write(`,"value":`);
    writeBytes(bytes.subarray(reader.valueStart, reader.valueEnd), write);
  }
  write("}\n");
}

/** Reads a line and appends its effect to `writer`; gives the line's sequence, or what is wrong with it. */
export function readEffectLine(
  line: string,
  writer: EffectWriter,
  limits: LineLimits,
): number | string {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line);
  } catch (error) {
    return `it is no JSON: ${(error as Error).message}`;
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    return "it is no JSON object";
  }
  const sequence = wholeNumber(fields.sequence, 0, Number.MAX_SAFE_INTEGER);
  if (sequence === null) return `"sequence" is no whole number from 0 on`;
  if (fields.effect === "flush") {
    const database = wholeNumber(fields.database, -1, DATABASE_COUNT - 1);
    if (database === null) return `"database" is no whole number from -1 to 15`;
    writer.reserve(EFFECT_OVERHEAD_BYTES);
    writer.flush(database);
    return excess(fields, ["database"]) ?? sequence;
  }
  if (fields.effect === "databases") return readTable(fields, writer) ?? sequence;
  return readKeyed(fields, writer, limits) ?? sequence;
}

function readTable(fields: Record<string, unknown>, writer: EffectWriter): string | null {
  const { table } = fields;
  const wrong = `"table" is no order of the numbers from 0 to 15`;
  if (!Array.isArray(table) || table.length !== DATABASE_COUNT) return wrong;
  for (const each of table) if (wholeNumber(each, 0, DATABASE_COUNT - 1) === null) return wrong;
  if (new Set(table).size !== DATABASE_COUNT) return wrong;
  writer.reserve(EFFECT_OVERHEAD_BYTES + DATABASE_COUNT);
  writer.databases(Uint8Array.from(table));
  return excess(fields, ["table"]);
}

function readKeyed(
  fields: Record<string, unknown>,
  writer: EffectWriter,
  limits: LineLimits,
): string | null {
  const { effect } = fields, { keyBytesMax, valueBytesMax } = limits;
  const kind = KINDS.get(effect as string);
  if (kind === undefined) {
    return `"effect" is none of ${[...KINDS.keys(), "flush", "databases"].join(", ")}`;
  }
  const database = wholeNumber(fields.database, 0, DATABASE_COUNT - 1);
  if (database === null) return `"database" is no whole number from 0 to 15`;
  const key = bytesOf(fields.key);
  if (key === null) return `"key" is neither text nor {"base64":"..."}`;
  if (key.length > keyBytesMax) return `"key" has ${key.length} bytes, at most ${keyBytesMax}`;
  // The last word of a key is read whole.
  const padded = new Uint8Array((key.length + 7) & ~3);
  padded.set(key);
  const place = { database, view: new DataView(padded.buffer), start: 0, end: key.length };
  writer.reserve(EFFECT_OVERHEAD_BYTES + key.length);
  if (effect === "remove") {
    writer.remove(place);
    return excess(fields, ["database", "key"]);
  }
  if (kind === SET_FIELDS || kind === REMOVE_FIELDS || kind === EXPIRE_FIELDS) {
    return excess(fields, ["database", "key", "fields"]) ??
      readFields(
        fields.fields,
        kind,
        writer,
        limits,
        (count) => writer.fields(kind, place, count),
      );
  }
  if (effect === "range") {
    return readRange(fields, writer, place, valueBytesMax);
  }
  const expiresAtMs = wholeNumber(fields.expiresAtMs, 0, Number.MAX_SAFE_INTEGER);
  if (expiresAtMs === null) return `"expiresAtMs" is no whole number from 0 on`;
  if (effect === "expire") {
    writer.expire(place, expiresAtMs);
    return excess(fields, ["database", "key", "expiresAtMs"]);
  }
  const words = new Int32Array(padded.buffer);
  if (kind === MERGE_FIELDS) {
    const merge = writer.mergeFields(database, words, 0, key.length, expiresAtMs);
    return excess(fields, ["database", "key", "expiresAtMs", "fields"]) ??
      readFields(fields.fields, kind, writer, limits, (count) => writer.endMerge(merge, count));
  }
  const type = TYPE_NAMES.indexOf(fields.type as (typeof TYPE_NAMES)[number]);
  if (type <= 0) return `"type" is not one of: ${TYPE_NAMES.slice(1).join(", ")}`;
  if (type === VALUE_HASH) {
    const hash = writer.putHash(database, words, 0, key.length, expiresAtMs);
    const problem = excess(fields, ["database", "key", "expiresAtMs", "type", "fields"]) ??
      readFields(fields.fields, kind, writer, limits, () => {});
    writer.endHash(hash);
    return problem;
  }
  const value = bytesOf(fields.value);
  if (value === null) return `"value" is neither text nor {"base64":"..."}`;
  if (value.length > valueBytesMax) {
    return `"value" has ${value.length} bytes, at most ${valueBytesMax}`;
  }
  writer.reserve(EFFECT_OVERHEAD_BYTES + key.length + value.length);
  writer.put(database, words, 0, key.length, type, expiresAtMs, value.length);
  writer.raw(value);
  return excess(fields, ["database", "key", "expiresAtMs", "type", "value"]);
}

function readRange(
  fields: Record<string, unknown>,
  writer: EffectWriter,
  key: KeyBytes,
  valueBytesMax: number,
): string | null {
  const offset = wholeNumber(fields.offset, 0, valueBytesMax);
  if (offset === null) return `"offset" is no whole number from 0 to ${valueBytesMax}`;
  const value = bytesOf(fields.value);
  if (value === null) return `"value" is neither text nor {"base64":"..."}`;
  if (offset + value.length > valueBytesMax) {
    return `"value" ends at byte ${offset + value.length}, at most ${valueBytesMax}`;
  }
  writer.reserve(EFFECT_OVERHEAD_BYTES + key.end + value.length);
  writer.range(key, offset, value.length);
  writer.raw(value);
  return excess(fields, ["database", "key", "offset", "value"]);
}

/** A field that means nothing may be a slip in one that does. */
function excess(fields: Record<string, unknown>, known: readonly string[]): string | null {
  for (const name of Object.keys(fields)) {
    if (name !== "sequence" && name !== "effect" && !known.includes(name)) {
      return `it has no field ${JSON.stringify(name)}`;
    }
  }
  return null;
}
