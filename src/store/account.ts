// The one account of memory over all shards: what is in use and what may be, in 4 KiB units.
import { ACCOUNT_LIMIT, ACCOUNT_UNIT_BYTES, ACCOUNT_USED } from "./layout.ts";

export class Account {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Takes `units` if the limit allows it; false, and nothing taken, if it does not. */
  take(units: number): boolean {
    const words = this.#words;
    if (Atomics.add(words, ACCOUNT_USED, units) + units <= Atomics.load(words, ACCOUNT_LIMIT)) {
      return true;
    }
    Atomics.sub(words, ACCOUNT_USED, units);
    return false;
  }

  /** Whether `units` more would be within the limit; with 0, whether what is used is. */
  hasRoom(units: number): boolean {
    const words = this.#words;
    return Atomics.load(words, ACCOUNT_USED) + units <= Atomics.load(words, ACCOUNT_LIMIT);
  }

  give(units: number): void {
    Atomics.sub(this.#words, ACCOUNT_USED, units);
  }

  /** Takes or gives (below 0) whatever the limit says: for index growth, which cannot be refused half way, and for what is to expire. */
  force(units: number): void {
    Atomics.add(this.#words, ACCOUNT_USED, units);
  }

  get usedBytes(): number {
    return Atomics.load(this.#words, ACCOUNT_USED) * ACCOUNT_UNIT_BYTES;
  }

  get limitBytes(): number {
    return Atomics.load(this.#words, ACCOUNT_LIMIT) * ACCOUNT_UNIT_BYTES;
  }

  /** Below what is used now, nothing more can be stored until enough was removed. */
  set limitBytes(bytes: number) {
    Atomics.store(this.#words, ACCOUNT_LIMIT, Math.floor(bytes / ACCOUNT_UNIT_BYTES));
  }
}
