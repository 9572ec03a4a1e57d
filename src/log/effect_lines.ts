// Effects as lines of JSON and back: the text mode of the log; knows no file and no frame.
//
//   {"sequence":7,"effect":"put","database":0,"key":"k","expiresAtMs":0,"type":"string","value":"v"}
//   {"sequence":8,"effect":"remove","database":0,"key":{"base64":"/w=="}}
//   {"sequence":8,"effect":"range","database":0,"key":"k","offset":5,"value":"v"}
//   {"sequence":9,"effect":"expire","database":0,"key":"k","expiresAtMs":1790000000000}
//   {"sequence":10,"effect":"flush","database":-1}
//   {"sequence":11,"effect":"databases","table":[1,0,2,...]}
//
// Effects of a snapshot have the sequence 0. Bytes that are not UTF-8 stand as {"base64":"..."}.
import {
  DATABASES,
  EFFECT_OVERHEAD_BYTES,
  type EffectReader,
  type EffectWriter,
  EXPIRE,
  FLUSH,
  PUT,
  RANGE,
  REMOVE,
} from "./record.ts";

/** Long values are written in pieces: a string of twice their length could not be made. Divisible by 3. */
const PIECE_BYTES = 3 * 262_144;
/** By the number in a put, which is the store's. */
const TYPE_NAMES = ["", "string"] as const;
const KEYED_NAMES: Record<number, string> = {
  [PUT]: "put",
  [REMOVE]: "remove",
  [EXPIRE]: "expire",
  [RANGE]: "range",
};
const DATABASE_COUNT = 16;
// Made once: making one costs more than a short text does.
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

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
  if (kind === PUT || kind === EXPIRE) write(`,"expiresAtMs":${reader.expiresAtMs}`);
  if (kind === PUT) write(`,"type":${JSON.stringify(TYPE_NAMES[reader.type] || reader.type)}`);
  if (kind === RANGE) write(`,"offset":${reader.offset}`);
  if (kind === PUT || kind === RANGE) {
    write(`,"value":`);
    writeBytes(bytes.subarray(reader.valueStart, reader.valueEnd), write);
  }
  write("}\n");
}

function writeBytes(bytes: Uint8Array, write: (text: string) => void): void {
  if (bytes.length > PIECE_BYTES) return writeLong(bytes, write);
  let text: string;
  try {
    text = strictDecoder.decode(bytes);
  } catch {
    return write(`{"base64":"${bytes.toBase64()}"}`);
  }
  write(JSON.stringify(text));
}

function writeLong(bytes: Uint8Array, write: (text: string) => void): void {
  const isText = isUtf8(bytes), decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  write(isText ? '"' : '{"base64":"');
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    if (!isText) write(piece.toBase64());
    else write(JSON.stringify(decoder.decode(piece, { stream: true })).slice(1, -1));
  }
  write(isText ? '"' : '"}');
}

function isUtf8(bytes: Uint8Array): boolean {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      decoder.decode(bytes.subarray(at, at + PIECE_BYTES), { stream: true });
    }
    decoder.decode();
    return true;
  } catch {
    return false;
  }
}

/** Reads a line and appends its effect to `writer`; gives the line's sequence, or what is wrong with it. */
export function readEffectLine(
  line: string,
  writer: EffectWriter,
  limits: { readonly keyBytesMax: number; readonly valueBytesMax: number },
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
  { keyBytesMax, valueBytesMax }: { readonly keyBytesMax: number; readonly valueBytesMax: number },
): string | null {
  const { effect } = fields;
  if (!Object.values(KEYED_NAMES).includes(effect as string)) {
    return `"effect" is none of put, range, remove, expire, flush, databases`;
  }
  const database = wholeNumber(fields.database, 0, DATABASE_COUNT - 1);
  if (database === null) return `"database" is no whole number from 0 to 15`;
  const key = bytesOf(fields.key);
  if (key === null) return `"key" is neither text nor {"base64":"..."}`;
  if (key.length > keyBytesMax) return `"key" has ${key.length} bytes, at most ${keyBytesMax}`;
  // The last word of a key is read whole.
  const padded = new Uint8Array((key.length + 7) & ~3);
  padded.set(key);
  const view = new DataView(padded.buffer);
  if (effect === "remove") {
    writer.reserve(EFFECT_OVERHEAD_BYTES + key.length);
    writer.remove(database, view, 0, key.length);
    return excess(fields, ["database", "key"]);
  }
  if (effect === "range") {
    return readRange(fields, writer, database, view, key.length, valueBytesMax);
  }
  const expiresAtMs = wholeNumber(fields.expiresAtMs, 0, Number.MAX_SAFE_INTEGER);
  if (expiresAtMs === null) return `"expiresAtMs" is no whole number from 0 on`;
  if (effect === "expire") {
    writer.reserve(EFFECT_OVERHEAD_BYTES + key.length);
    writer.expire(database, view, 0, key.length, expiresAtMs);
    return excess(fields, ["database", "key", "expiresAtMs"]);
  }
  const type = TYPE_NAMES.indexOf(fields.type as (typeof TYPE_NAMES)[number]);
  if (type <= 0) return `"type" is not one of: ${TYPE_NAMES.slice(1).join(", ")}`;
  const value = bytesOf(fields.value);
  if (value === null) return `"value" is neither text nor {"base64":"..."}`;
  if (value.length > valueBytesMax) {
    return `"value" has ${value.length} bytes, at most ${valueBytesMax}`;
  }
  writer.reserve(EFFECT_OVERHEAD_BYTES + key.length + value.length);
  const words = new Int32Array(padded.buffer);
  writer.put(database, words, 0, key.length, type, expiresAtMs, value.length);
  writer.raw(value);
  return excess(fields, ["database", "key", "expiresAtMs", "type", "value"]);
}

function readRange(
  fields: Record<string, unknown>,
  writer: EffectWriter,
  database: number,
  keyView: DataView,
  keyBytes: number,
  valueBytesMax: number,
): string | null {
  const offset = wholeNumber(fields.offset, 0, valueBytesMax);
  if (offset === null) return `"offset" is no whole number from 0 to ${valueBytesMax}`;
  const value = bytesOf(fields.value);
  if (value === null) return `"value" is neither text nor {"base64":"..."}`;
  if (offset + value.length > valueBytesMax) {
    return `"value" ends at byte ${offset + value.length}, at most ${valueBytesMax}`;
  }
  writer.reserve(EFFECT_OVERHEAD_BYTES + keyBytes + value.length);
  writer.range(database, keyView, 0, keyBytes, offset, value.length);
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

function wholeNumber(value: unknown, min: number, max: number): number | null {
  return Number.isSafeInteger(value) && value as number >= min && value as number <= max
    ? value as number
    : null;
}

function bytesOf(value: unknown): Uint8Array | null {
  if (typeof value === "string") {
    // Half a pair of surrogates has no bytes: an encoder would put a question mark there.
    return value.isWellFormed() ? encoder.encode(value) : null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { base64 } = value as { base64?: unknown };
  if (typeof base64 !== "string" || Object.keys(value).length !== 1) return null;
  try {
    return Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
  } catch {
    return null;
  }
}
