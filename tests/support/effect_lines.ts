// An effect log that writes down what it is told in words, groups in parentheses, for tests that compare.
import assert from "node:assert/strict";
import type { EffectKey, EffectLog } from "../../src/log/effects.ts";

/** Writes down what it is told, a line each. */
export class EffectLines implements EffectLog {
  /** Groups that were published with something in them. */
  published = 0;
  /** Why nothing can be logged at the moment; null: it can. */
  reason: string | null = null;
  lines: string[] = [];
  #told = 0;
  #open = false;

  begin(): void {
    assert.equal(this.#open, false, "a group within a group");
    this.#open = true;
    this.lines.push("(");
  }
  put(_shard: number, key: EffectKey): void {
    this.#tell(`put ${name(key)}`);
  }
  putString(database: number, keyView: DataView, keyStart: number, keyEnd: number): void {
    this.#tell(`put ${database}:${text(keyView, keyStart, keyEnd)}`);
  }
  range(_shard: number, key: EffectKey, from: number, to: number): void {
    this.#tell(`range ${name(key)} ${from} ${to}`);
  }
  remove(_shard: number, key: EffectKey): void {
    this.#tell(`remove ${name(key)}`);
  }
  expire(_shard: number, key: EffectKey, expiresAtMs: number): void {
    this.#tell(`expire ${name(key)} ${expiresAtMs === 0 ? "never" : "once"}`);
  }
  fields(_shard: number, key: EffectKey, count: number): void {
    this.#tell(`fields ${name(key)} ${count}:`);
  }
  field(
    view: DataView,
    start: number,
    end: number,
    expiresAtMs: number,
    valueView: DataView,
    valueStart: number,
    valueEnd: number,
  ): void {
    const moment = expiresAtMs === 0 ? "" : " once";
    this.#tell(`${text(view, start, end)}=${text(valueView, valueStart, valueEnd)}${moment}`);
  }
  removeFields(_shard: number, key: EffectKey, count: number): void {
    this.#tell(`removeFields ${name(key)} ${count}:`);
  }
  fieldName(view: DataView, start: number, end: number): void {
    this.#tell(text(view, start, end));
  }
  expireFields(_shard: number, key: EffectKey, count: number): void {
    this.#tell(`expireFields ${name(key)} ${count}:`);
  }
  fieldExpiry(view: DataView, start: number, end: number, expiresAtMs: number): void {
    this.#tell(`${text(view, start, end)} ${expiresAtMs === 0 ? "never" : "once"}`);
  }
  flush(database: number): void {
    this.#tell(`flush ${database}`);
  }
  databases(table: Uint8Array): void {
    this.#tell(`databases ${table.join("")}`);
  }
  end(): void {
    assert.equal(this.#open, true, "the end of no group");
    this.#open = false;
    this.lines.push(")");
  }

  hasRoomFor(): boolean {
    return true;
  }
  publish(): void {
    assert.equal(this.#open, false, "published within a group");
    if (this.#told > 0) this.published++;
    this.#told = 0;
  }
  admit(): boolean {
    return true;
  }
  admitBeside(): boolean {
    return true;
  }

  admitBlocking(): void {}
  isTooLong(): boolean {
    return false;
  }
  refusal(): string | null {
    return this.reason;
  }
  whenRoom(): Promise<void> {
    return Promise.resolve();
  }
  settle(): void {}

  take(): string {
    const text = this.lines.join(" ").replaceAll("( )", "").replace(/\s+/g, " ").trim();
    this.lines = [];
    return text;
  }

  #tell(text: string): void {
    assert.equal(this.#open, true, `${text} outside a group`);
    this.lines.push(text);
    this.#told++;
  }
}

function name(key: EffectKey): string {
  return `${key.database}:${text(key.view, key.start, key.end)}`;
}

function text(view: DataView, start: number, end: number): string {
  return new TextDecoder().decode(
    new Uint8Array(view.buffer, view.byteOffset + start, end - start).slice(),
  );
}
