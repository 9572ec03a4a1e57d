// Writes small logs through the real ring and writer, and knows what state each of their groups leads to.
import type { Disk } from "../../src/log/disk_seam.ts";
import { ROLE_OF_LOG } from "../../src/log/log_board.ts";
import { LogWriter } from "../../src/log/log_writer.ts";
import { EffectReader } from "../../src/log/effect_reader.ts";
import { FieldReader } from "../../src/log/field_reader.ts";
import { EffectWriter } from "../../src/log/effect_writer.ts";
import {
  DATABASES,
  EXPIRE,
  EXPIRE_FIELDS,
  FIELD_OVERHEAD_BYTES,
  FLUSH,
  MERGE_FIELDS,
  PUT,
  RANGE,
  REMOVE,
  REMOVE_FIELDS,
  SET_FIELDS,
  VALUE_HASH,
  VALUE_STRING,
} from "../../src/log/record.ts";
import type { GroupTarget } from "../../src/log/frame_groups.ts";
import { createRingMemory, Ring, unitsOf } from "../../src/log/ring.ts";

/** A field of a hash; its name is text. */
export interface Field {
  readonly name: string;
  readonly expiresAtMs: number;
  readonly value: Uint8Array;
}

interface OfKey {
  readonly database: number;
  readonly key: string;
}

/** An effect as tests write it; keys are text, values are bytes. */
export type Effect =
  | OfKey & { readonly kind: "put"; readonly expiresAtMs: number; readonly value: Uint8Array }
  | OfKey & { readonly kind: "range"; readonly offset: number; readonly value: Uint8Array }
  | OfKey & { readonly kind: "remove" }
  | OfKey & { readonly kind: "expire"; readonly expiresAtMs: number }
  | OfKey & {
    readonly kind: "putHash" | "mergeFields";
    readonly expiresAtMs: number;
    readonly fields: readonly Field[];
  }
  | OfKey & { readonly kind: "setFields"; readonly fields: readonly Field[] }
  | OfKey & { readonly kind: "removeFields"; readonly names: readonly string[] }
  | OfKey & {
    readonly kind: "expireFields";
    readonly fields: readonly { readonly name: string; readonly expiresAtMs: number }[];
  }
  | { readonly kind: "flush"; readonly database: number }
  | { readonly kind: "databases"; readonly table: Uint8Array };

const encoder = new TextEncoder(), decoder = new TextDecoder();

export function put(
  key: string,
  value: string | Uint8Array,
  expiresAtMs = 0,
  database = 0,
): Effect {
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  return { kind: "put", database, key, expiresAtMs, value: bytes };
}

export function field(name: string, value: string | Uint8Array, expiresAtMs = 0): Field {
  return { name, expiresAtMs, value: typeof value === "string" ? encoder.encode(value) : value };
}

/** Appends the effect to what the writer has. */
export function writeEffect(writer: EffectWriter, effect: Effect): void {
  const { words, view, end } = padded("key" in effect ? effect.key : "");
  const key = { database: "database" in effect ? effect.database : 0, view, start: 0, end };
  writer.reserve(64 + end + ("value" in effect ? effect.value.length : 0));
  switch (effect.kind) {
    case "put": {
      const { database, expiresAtMs, value } = effect;
      writer.put(database, words, 0, end, VALUE_STRING, expiresAtMs, value.length);
      return writer.raw(value);
    }
    case "range":
      writer.range(key, effect.offset, effect.value.length);
      return writer.raw(effect.value);
    case "remove":
      return writer.remove(key);
    case "expire":
      return writer.expire(key, effect.expiresAtMs);
    case "flush":
      return writer.flush(effect.database);
    case "databases":
      return writer.databases(effect.table);
    case "putHash": {
      const place = writer.putHash(effect.database, words, 0, end, effect.expiresAtMs);
      for (const each of effect.fields) writeField(writer, each);
      return writer.endHash(place);
    }
    case "mergeFields": {
      const { database, expiresAtMs, fields } = effect;
      const place = writer.mergeFields(database, words, 0, end, expiresAtMs);
      for (const each of fields) writeField(writer, each);
      return writer.endMerge(place, fields.length);
    }
    case "setFields":
      writer.fields(SET_FIELDS, key, effect.fields.length);
      return effect.fields.forEach((each) => writeField(writer, each));
    case "removeFields":
      writer.fields(REMOVE_FIELDS, key, effect.names.length);
      return effect.names.forEach((each) => writeName(writer, each));
    case "expireFields":
      writer.fields(EXPIRE_FIELDS, key, effect.fields.length);
      for (const { name, expiresAtMs } of effect.fields) {
        writeName(writer, name);
        writer.moment(expiresAtMs);
      }
  }
}

/** By turns out of words, as from the store, and out of views, as from a request. */
function writeField(writer: EffectWriter, { name, expiresAtMs, value }: Field): void {
  const from = padded(name), to = padded(value);
  writer.reserve(FIELD_OVERHEAD_BYTES + from.end + to.end);
  if (value.length % 2 === 0) {
    writer.fieldWords(from.words, 0, from.end, expiresAtMs, to.words, 0, to.end);
  } else writer.field(from.view, 0, from.end, expiresAtMs, to.view, 0, to.end);
}

function writeName(writer: EffectWriter, name: string): void {
  const { view, end } = padded(name);
  writer.reserve(FIELD_OVERHEAD_BYTES + end);
  writer.bin(view, 0, end);
}

/** Bytes that are read in whole words. */
function padded(content: string | Uint8Array): { words: Int32Array; view: DataView; end: number } {
  const bytes = typeof content === "string" ? encoder.encode(content) : content;
  const longer = new Uint8Array((bytes.length + 7) & ~3);
  longer.set(bytes);
  return {
    words: new Int32Array(longer.buffer),
    view: new DataView(longer.buffer),
    end: bytes.length,
  };
}

interface Entry {
  value: Uint8Array | Map<string, { expiresAtMs: number; value: Uint8Array }>;
  expiresAtMs: number;
}

/** The state that effects lead to, as text that can be compared: no clock, nothing expires. */
export class StateModel implements GroupTarget {
  readonly entries = new Map<string, Entry>();
  table: Uint8Array | null = null;
  groups = 0;

  take(bytes: Uint8Array, _view: DataView, start: number, end: number): string | null {
    const reader = new EffectReader(bytes);
    for (let at = start; at < end;) {
      at = reader.next(at, end);
      if (at < 0) return reader.error;
      this.apply(effectOf(reader, bytes));
    }
    this.groups++;
    return null;
  }

  apply(effect: Effect): void {
    if (effect.kind === "databases") this.table = effect.table;
    else if (effect.kind === "flush") {
      for (const name of this.entries.keys()) {
        if (effect.database < 0 || name.startsWith(`${effect.database}:`)) {
          this.entries.delete(name);
        }
      }
    } else this.#applyTo(`${effect.database}:${effect.key}`, effect);
  }

  #applyTo(name: string, effect: Effect & OfKey): void {
    const { entries } = this, entry = entries.get(name);
    switch (effect.kind) {
      case "remove":
        entries.delete(name);
        return;
      case "put":
        entries.set(name, { value: effect.value, expiresAtMs: effect.expiresAtMs });
        return;
      case "putHash":
        entries.set(name, { value: fieldMap(effect.fields), expiresAtMs: effect.expiresAtMs });
        return;
      case "mergeFields":
        if (entry?.value instanceof Map) {
          for (const [each, told] of fieldMap(effect.fields)) entry.value.set(each, told);
          entry.expiresAtMs = effect.expiresAtMs;
        } else {
          entries.set(name, { value: fieldMap(effect.fields), expiresAtMs: effect.expiresAtMs });
        }
        return;
      case "expire":
        if (entry !== undefined) entry.expiresAtMs = effect.expiresAtMs;
        return;
      case "range":
        if (entry?.value instanceof Uint8Array) {
          const { offset, value } = effect;
          const longer = new Uint8Array(Math.max(entry.value.length, offset + value.length));
          longer.set(entry.value);
          longer.set(value, offset);
          entry.value = longer;
        }
        return;
      case "setFields":
        if (!(entry?.value instanceof Map)) return;
        for (const [each, told] of fieldMap(effect.fields)) entry.value.set(each, told);
        return;
      case "removeFields":
        // A hash that has none left is there all the same, for what the log tells of it next.
        if (entry?.value instanceof Map) {
          for (const each of effect.names) entry.value.delete(each);
        }
        return;
      case "expireFields":
        for (const each of effect.fields) {
          const found = entry?.value instanceof Map ? entry.value.get(each.name) : undefined;
          if (found !== undefined) found.expiresAtMs = each.expiresAtMs;
        }
    }
  }

  toString(): string {
    const lines: string[] = [];
    for (const [name, { value, expiresAtMs }] of this.entries) {
      if (value instanceof Uint8Array) lines.push(`${name} ${expiresAtMs} ${value.toBase64()}`);
      else if (value.size > 0) {
        const fields = [...value].map(([each, told]) =>
          `${JSON.stringify(each)} ${told.expiresAtMs} ${told.value.toBase64()}`
        );
        lines.push(`${name} ${expiresAtMs} {${fields.sort().join(", ")}}`);
      }
    }
    return `${this.table?.join() ?? ""}\n${lines.sort().join("\n")}`;
  }
}

function fieldMap(
  fields: readonly Field[],
): Map<string, { expiresAtMs: number; value: Uint8Array }> {
  return new Map(fields.map(({ name, expiresAtMs, value }) => [name, { expiresAtMs, value }]));
}

/** What the reader has read, copied. */
export function effectOf(reader: EffectReader, bytes: Uint8Array): Effect {
  const { kind, database, expiresAtMs } = reader;
  const key = decoder.decode(bytes.subarray(reader.keyStart, reader.keyEnd));
  const value = bytes.slice(reader.valueStart, reader.valueEnd);
  if (kind === PUT && reader.type === VALUE_HASH) {
    return { kind: "putHash", database, key, expiresAtMs, fields: fieldsOf(reader, bytes) };
  }
  if (kind === PUT) return { kind: "put", database, key, expiresAtMs, value };
  if (kind === RANGE) return { kind: "range", database, key, offset: reader.offset, value };
  if (kind === REMOVE) return { kind: "remove", database, key };
  if (kind === EXPIRE) return { kind: "expire", database, key, expiresAtMs };
  if (kind === FLUSH) return { kind: "flush", database };
  if (kind === DATABASES) return { kind: "databases", table: value };
  const fields = fieldsOf(reader, bytes);
  if (kind === SET_FIELDS) return { kind: "setFields", database, key, fields };
  if (kind === MERGE_FIELDS) return { kind: "mergeFields", database, key, expiresAtMs, fields };
  if (kind === REMOVE_FIELDS) {
    return { kind: "removeFields", database, key, names: fields.map(({ name }) => name) };
  }
  if (kind === EXPIRE_FIELDS) {
    const moments = fields.map(({ name, expiresAtMs }) => ({ name, expiresAtMs }));
    return { kind: "expireFields", database, key, fields: moments };
  }
  throw new Error(`effect of unknown kind ${kind}`);
}

function fieldsOf(reader: EffectReader, bytes: Uint8Array): Field[] {
  const fields = new FieldReader(bytes), found: Field[] = [];
  fields.begin(reader.kind, reader.valueStart, reader.valueEnd);
  while (!fields.isAtEnd && fields.next()) {
    const name = decoder.decode(bytes.subarray(fields.nameStart, fields.nameEnd));
    const value = bytes.slice(fields.valueStart, fields.valueEnd);
    found.push({ name, expiresAtMs: fields.expiresAtMs, value });
  }
  return found;
}

export const SERVER_ID = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

/** A log that is written group by group; has the writer's role until the ring gives it to another. */
export class LogMaker {
  readonly ring = new Ring(createRingMemory(2 ** 20));
  readonly writer: LogWriter;
  /** The state before the first group, and after each. */
  readonly states: string[];
  readonly model = new StateModel();

  constructor(disk: Disk, firstSequence = 1, segmentBytesMax = 2 ** 20) {
    this.writer = new LogWriter({
      disk,
      ring: this.ring,
      parts: { pieces: () => [], release: () => {} },
      serverId: SERVER_ID,
      firstSequence,
      segmentBytesMax,
    });
    this.ring.waitForRole(ROLE_OF_LOG);
    this.writer.open();
    this.states = [this.model.toString()];
  }

  /** Publishes a group; `write()` brings it into the log. */
  group(...effects: readonly Effect[]): void {
    const gathered = new EffectWriter(1024);
    for (const effect of effects) {
      writeEffect(gathered, effect);
      this.model.apply(effect);
    }
    this.effects(gathered.bytes.subarray(0, gathered.length));
    this.states.push(this.model.toString());
  }

  /** A group of these bytes, whatever they mean; the states know nothing of it. */
  effects(bytes: Uint8Array): void {
    const padded = new Uint8Array(bytes.length + 8), units = unitsOf(bytes.length);
    padded.set(bytes);
    if (!this.ring.takeCredit(units)) throw new Error("no room in the ring of a test");
    this.ring.append(padded, new DataView(padded.buffer), bytes.length, false);
  }

  /** All groups so far, in a frame. */
  write(): void {
    this.writer.drain();
  }

  sync(): void {
    this.writer.drain();
    this.writer.sync();
  }
}
