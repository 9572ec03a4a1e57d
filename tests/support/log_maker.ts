// Writes small logs through the real ring and writer, and knows what state each of their groups leads to.
import type { Disk } from "../../src/log/disk_seam.ts";
import { LogWriter } from "../../src/log/log_writer.ts";
import {
  DATABASES,
  EffectReader,
  EffectWriter,
  EXPIRE,
  FLUSH,
  PUT,
  RANGE,
  REMOVE,
} from "../../src/log/record.ts";
import type { GroupTarget } from "../../src/log/frame_groups.ts";
import { createRingMemory, Ring, unitsOf } from "../../src/log/ring.ts";

/** An effect as tests write it; keys are text, values are bytes. */
export type Effect =
  | {
    readonly kind: "put";
    readonly database: number;
    readonly key: string;
    readonly expiresAtMs: number;
    readonly value: Uint8Array;
  }
  | {
    readonly kind: "range";
    readonly database: number;
    readonly key: string;
    readonly offset: number;
    readonly value: Uint8Array;
  }
  | { readonly kind: "remove"; readonly database: number; readonly key: string }
  | {
    readonly kind: "expire";
    readonly database: number;
    readonly key: string;
    readonly expiresAtMs: number;
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

/** Appends the effect to what the writer has. */
export function writeEffect(writer: EffectWriter, effect: Effect): void {
  const keyBytes = encoder.encode("key" in effect ? effect.key : "");
  const padded = new Uint8Array((keyBytes.length + 7) & ~3);
  padded.set(keyBytes);
  const view = new DataView(padded.buffer), end = keyBytes.length;
  writer.reserve(64 + end + ("value" in effect ? effect.value.length : 0));
  switch (effect.kind) {
    case "put": {
      const { database, expiresAtMs, value } = effect;
      writer.put(database, new Int32Array(padded.buffer), 0, end, 1, expiresAtMs, value.length);
      return writer.raw(value);
    }
    case "range":
      writer.range(effect.database, view, 0, end, effect.offset, effect.value.length);
      return writer.raw(effect.value);
    case "remove":
      return writer.remove(effect.database, view, 0, end);
    case "expire":
      return writer.expire(effect.database, view, 0, end, effect.expiresAtMs);
    case "flush":
      return writer.flush(effect.database);
    case "databases":
      return writer.databases(effect.table);
  }
}

/** The state that effects lead to, as text that can be compared: no clock, nothing expires. */
export class StateModel implements GroupTarget {
  readonly entries = new Map<string, { value: Uint8Array; expiresAtMs: number }>();
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
    } else {
      const name = `${effect.database}:${effect.key}`, entry = this.entries.get(name);
      if (effect.kind === "remove") this.entries.delete(name);
      else if (effect.kind === "put") {
        this.entries.set(name, { value: effect.value, expiresAtMs: effect.expiresAtMs });
      } else if (entry === undefined) return;
      else if (effect.kind === "expire") entry.expiresAtMs = effect.expiresAtMs;
      else {
        const { offset, value } = effect;
        const longer = new Uint8Array(Math.max(entry.value.length, offset + value.length));
        longer.set(entry.value);
        longer.set(value, offset);
        entry.value = longer;
      }
    }
  }

  toString(): string {
    const lines = [...this.entries].map(([name, { value, expiresAtMs }]) =>
      `${name} ${expiresAtMs} ${value.toBase64()}`
    );
    return `${this.table?.join() ?? ""}\n${lines.sort().join("\n")}`;
  }
}

/** What the reader has read, copied. */
export function effectOf(reader: EffectReader, bytes: Uint8Array): Effect {
  const { kind, database, expiresAtMs } = reader;
  const key = decoder.decode(bytes.subarray(reader.keyStart, reader.keyEnd));
  const value = bytes.slice(reader.valueStart, reader.valueEnd);
  if (kind === PUT) return { kind: "put", database, key, expiresAtMs, value };
  if (kind === RANGE) return { kind: "range", database, key, offset: reader.offset, value };
  if (kind === REMOVE) return { kind: "remove", database, key };
  if (kind === EXPIRE) return { kind: "expire", database, key, expiresAtMs };
  if (kind === FLUSH) return { kind: "flush", database };
  if (kind === DATABASES) return { kind: "databases", table: value };
  throw new Error(`effect of unknown kind ${kind}`);
}

export const SERVER_ID = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

/** A log that is written group by group. */
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
