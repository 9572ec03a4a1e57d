// A hash of the store as tests use it, with a Map beside it: each operation is done to both, and compared.
//
// It takes the lock, makes, links and removes the hash as commands do; it knows no protocol.
import assert from "node:assert/strict";
import { entries, type Hash, record, TYPE_HASH } from "../../src/store/store.ts";
import { type Name, type StoreAccess, valueRange } from "./store_access.ts";

interface ModelField {
  value: Uint8Array;
  expiresAtMs: number;
}

const KEEP = -1;

export class HashModel {
  readonly fields = new Map<string, ModelField>();
  readonly hash: Hash;
  refused = 0;

  constructor(readonly access: StoreAccess, readonly name: Name, readonly database = 0) {
    this.hash = access.store.createHash();
  }

  /** Opens the hash for a change, expired fields removed, and runs `change`; then a hash without fields goes. */
  #change(nowMs: number, change: (isThere: boolean) => void): void {
    const { store } = this.access, key = this.access.key(this.name, this.database);
    const shard = store.shardOf(key.hash), hash = this.hash;
    if (this.#expiresAtMs <= nowMs) this.#expire(nowMs);
    store.lockChange(shard);
    let ref = store.findForChange(shard, key, nowMs);
    if (ref !== 0) {
      assert.equal(record.typeOf(shard, ref), TYPE_HASH);
      hash.openForChange(shard, ref, shard.slot, key.hash, nowMs);
      hash.reap();
      ref = hash.ref;
      if (hash.fieldCount === 0) {
        entries.removeAt(shard, hash.slot, ref);
        ref = 0;
      }
    }
    change(ref !== 0);
    if (ref === 0 && this.#isMade) {
      if (hash.fieldCount > 0) hash.link(key, 0);
      else hash.discard();
    } else if (ref !== 0 && hash.fieldCount === 0) entries.removeAt(shard, hash.slot, hash.ref);
    this.#isMade = false;
    store.unlockChange(shard);
  }

  #isMade = false;
  /** Its fields lay in the order of their hashes once, and do so still when it is small again. */
  #wasLarge = false;
  /** Nothing in the model expires before. */
  #expiresAtMs = Infinity;

  #expire(nowMs: number): void {
    this.#expiresAtMs = Infinity;
    for (const [name, { expiresAtMs }] of this.fields) {
      if (expiresAtMs === 0) continue;
      if (expiresAtMs <= nowMs) this.fields.delete(name);
      else this.#expiresAtMs = Math.min(this.#expiresAtMs, expiresAtMs);
    }
  }

  /** Whether there was memory for it; if not, nothing may have changed. */
  set(field: Uint8Array, value: Uint8Array, expiresAtMs: number, nowMs = 0): boolean {
    let result = -1;
    this.#change(nowMs, (isThere) => {
      const key = this.access.key(this.name, this.database), name = valueRange(field);
      const range = valueRange(value), shard = this.access.shardOf(key);
      if (!isThere) {
        const words = this.hash.wordsFor(field.length, value.length, expiresAtMs > 0);
        this.#isMade = this.hash.prepare(shard, key, words, 0, nowMs);
        if (!this.#isMade) return;
      }
      result = this.hash.set(
        name.view,
        name.start,
        name.end,
        range.bytes,
        range.view,
        range.start,
        range.end,
        expiresAtMs,
      );
    });
    if (this.hash.isLarge) this.#wasLarge = true;
    if (result < 0) {
      this.refused++;
      return false;
    }
    const text = latin1(field), before = this.fields.get(text);
    assert.equal(result, before === undefined ? 1 : 0, `new or not: ${JSON.stringify(text)}`);
    const kept = expiresAtMs === KEEP ? before?.expiresAtMs ?? 0 : expiresAtMs;
    this.#noteExpiry(kept);
    if (before !== undefined) before.value = value, before.expiresAtMs = kept;
    else this.fields.set(text, { value, expiresAtMs: kept });
    return true;
  }

  remove(field: Uint8Array, nowMs = 0): void {
    let isRemoved = false;
    this.#change(nowMs, (isThere) => {
      const name = valueRange(field);
      if (isThere) isRemoved = this.hash.remove(name.view, name.start, name.end);
    });
    assert.equal(isRemoved, this.fields.delete(latin1(field)), "removed or not");
  }

  expire(field: Uint8Array, expiresAtMs: number, nowMs = 0): void {
    let result = 0;
    this.#change(nowMs, (isThere) => {
      const name = valueRange(field);
      if (isThere) result = this.hash.setExpiry(name.view, name.start, name.end, expiresAtMs);
    });
    const found = this.fields.get(latin1(field));
    if (result < 0) this.refused++;
    else assert.equal(result, found === undefined ? 0 : 1, "there or not");
    if (result > 0) found!.expiresAtMs = expiresAtMs;
    this.#noteExpiry(expiresAtMs);
  }

  #noteExpiry(expiresAtMs: number): void {
    if (expiresAtMs !== 0) this.#expiresAtMs = Math.min(this.#expiresAtMs, expiresAtMs);
  }

  /** What the model holds at a moment. */
  live(nowMs: number): [string, ModelField][] {
    return [...this.fields].filter(([, { expiresAtMs }]) =>
      expiresAtMs === 0 || expiresAtMs > nowMs
    );
  }

  /** Reads everything, by name and by walking, and compares; `isOrdered`: a hash that was never large in the order of insertion. */
  compare(nowMs: number, isOrdered = false): void {
    const { store } = this.access, key = this.access.key(this.name, this.database);
    const shard = store.shardOf(key.hash), hash = this.hash, live = this.live(nowMs);
    const ref = store.find(shard, key, nowMs, 0);
    if (ref === 0) return assert.equal(live.length, 0, "the key is gone, fields are not");
    hash.open(shard, ref, nowMs);
    assert.equal(hash.liveCount(), live.length, "fields");
    for (const [text, { value, expiresAtMs }] of live) {
      const name = valueRange(bytesOf(text));
      assert.ok(hash.find(name.view, name.start, name.end), `field ${JSON.stringify(text)}`);
      this.#samePlace(text, value, expiresAtMs);
    }
    const walked: string[] = [];
    for (hash.rewind(); hash.next();) walked.push(this.#nameHere());
    const names = live.map(([text]) => text);
    if (isOrdered && !this.#wasLarge) assert.deepEqual(walked, names, "order of insertion");
    assert.deepEqual(walked.sort(), names.sort(), "walked");
    if (live.length > 0) {
      assert.ok(hash.random());
      assert.ok(names.includes(this.#nameHere()), "a random field is one of them");
    }
  }

  #nameHere(): string {
    const { shard, place: { nameWord, nameBytes } } = this.hash;
    return latin1(shard.u8.subarray(nameWord * 4, nameWord * 4 + nameBytes));
  }

  #samePlace(text: string, value: Uint8Array, expiresAtMs: number): void {
    const { shard, place } = this.hash, start = place.valueWord * 4;
    assert.equal(this.#nameHere(), text);
    assert.equal(place.expiresAtMs, expiresAtMs, `expiry of ${JSON.stringify(text)}`);
    const found = shard.u8.slice(start, start + place.valueBytes);
    assert.ok(
      found.length === value.length && found.every((byte, i) => byte === value[i]),
      `value of ${JSON.stringify(text)}: ${found.length} bytes, ${value.length} expected`,
    );
  }
}

export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (each) => each.charCodeAt(0));
}
