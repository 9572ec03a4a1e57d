// What one command did with the fields of a hash that was there before, in order, and how the log is told of it.
import type { Hash } from "../store/store.ts";
import type { CommandContext } from "./context.ts";

/** What was done with a field, and is told: it has a value, it is gone, it expires at another moment. */
export const SET = 0;
export const GONE = 1;
export const EXPIRES = 2;
/** In the place of the argument that is a field's value: a handler made it. */
export const MADE = -1;

export class HashChanges {
  /** What was done: the argument that names a field * 4 + what, the argument that is its value; */
  #done = new Int32Array(64);
  /** and when the field then expires. */
  #expiry = new Float64Array(32);
  #count = 0;

  constructor(readonly c: CommandContext) {}

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  clear(): void {
    this.#count = 0;
  }

  /** Notes what was done with the field named by argument `fieldIndex`; its value is argument `valueIndex`, or MADE. */
  note(what: number, fieldIndex: number, valueIndex: number, expiresAtMs: number): void {
    const i = this.#count++;
    if (i === this.#expiry.length) this.#grow();
    this.#done[i * 2] = fieldIndex * 4 + what;
    this.#done[i * 2 + 1] = valueIndex;
    this.#expiry[i] = expiresAtMs;
  }

  #grow(): void {
    const done = new Int32Array(this.#done.length * 2);
    const expiry = new Float64Array(this.#expiry.length * 2);
    done.set(this.#done);
    expiry.set(this.#expiry);
    this.#done = done;
    this.#expiry = expiry;
  }

  /**
   * Tells what was done, in its order, as few effects as that allows. Values are told as the arguments have them: of a
   * field that is named twice the last one counts, and no more is told than was asked for.
   */
  tell(keyIndex: number, hash: Hash): void {
    const count = this.#count, done = this.#done;
    for (let from = 0; from < count;) {
      const what = done[from * 2] & 3;
      let to = from + 1;
      while (to < count && (done[to * 2] & 3) === what) to++;
      this.#run(keyIndex, hash, what, from, to);
      from = to;
    }
  }

  #run(keyIndex: number, hash: Hash, what: number, from: number, to: number): void {
    const c = this.c, { batch: { view, argStart, argEnd }, first } = c, effects = c.effects!;
    const key = c.key(keyIndex), { number } = hash.shard;
    if (what === SET) effects.fields(number, key, to - from);
    else if (what === GONE) effects.removeFields(number, key, to - from);
    else effects.expireFields(number, key, to - from);
    for (let i = from; i < to; i++) {
      const at = first + (this.#done[i * 2] >> 2), start = argStart[at], end = argEnd[at];
      const value = this.#done[i * 2 + 1], expiresAtMs = this.#expiry[i];
      if (what === GONE) effects.fieldName(view, start, end);
      else if (what === EXPIRES) effects.fieldExpiry(view, start, end, expiresAtMs);
      else if (value === MADE) this.#made(hash, start, end, expiresAtMs);
      else {
        const valueAt = first + value;
        effects.field(view, start, end, expiresAtMs, view, argStart[valueAt], argEnd[valueAt]);
      }
    }
  }

  #made(hash: Hash, start: number, end: number, expiresAtMs: number): void {
    const { view } = this.c.batch;
    hash.find(view, start, end);
    const at = hash.place.valueWord * 4, to = at + hash.place.valueBytes;
    this.c.effects!.field(view, start, end, expiresAtMs, hash.shard.view, at, to);
  }
}
