// Keys and bytes by namespace, estimated from a rotating sample of the entries: the estimate, and the board in shared
// memory on which one thread puts it for all. It must not know the store.
import { CENSUS_BOARD_BYTES, CENSUS_NAMESPACES_MAX, NAMESPACES_TOLD_MAX } from "./limits.ts";

/** What a namespace holds, about. */
export interface NamespaceSize {
  readonly name: string;
  readonly keys: number;
  readonly bytes: number;
}

/** Part of the earlier samples' weight that is left after each further one: about the last 20 count. */
const WEIGHT_KEPT = 0.95;
/** Below this many entries a remembered namespace is forgotten. */
const ENTRIES_MIN = 0.05;

export class NamespaceEstimate {
  #seen = new Map<string, { entries: number; bytes: number }>();
  #sampled = 0;

  /** Weighs down what was seen so far; or forgets it, where the sample that comes is of all entries. */
  begin(isWhole: boolean): void {
    if (isWhole) this.#seen.clear();
    this.#sampled = isWhole ? 0 : this.#sampled * WEIGHT_KEPT;
    for (const [name, each] of this.#seen) {
      each.entries *= WEIGHT_KEPT;
      each.bytes *= WEIGHT_KEPT;
      if (each.entries < ENTRIES_MIN) this.#seen.delete(name);
    }
  }

  /** An entry of the sample. */
  add(name: string, bytes: number): void {
    this.#sampled++;
    const each = this.#seen.get(name);
    if (each !== undefined) {
      each.entries++;
      each.bytes += bytes;
    } else if (this.#seen.size < CENSUS_NAMESPACES_MAX) this.#seen.set(name, { entries: 1, bytes });
  }

  /** The largest namespaces, most keys first, scaled to `keys` entries in all. */
  top(keys: number): NamespaceSize[] {
    const scale = this.#sampled === 0 ? 0 : keys / this.#sampled;
    return [...this.#seen]
      .map(([name, { entries, bytes }]) => ({
        name,
        keys: Math.round(entries * scale),
        bytes: Math.round(bytes * scale),
      }))
      .sort((a, b) => b.keys - a.keys)
      .slice(0, NAMESPACES_TOLD_MAX);
  }
}

const WORDS_BYTES = 8;
const READ_TRIES_MAX = 8;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function createCensusMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS_BYTES + CENSUS_BOARD_BYTES);
}

/** One thread writes, any reads: the version is odd while the text changes, and a reader repeats what it read. */
export class CensusBoard {
  readonly #words: Int32Array;
  readonly #text: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, 2);
    this.#text = new Uint8Array(memory, WORDS_BYTES);
  }

  write(sizes: readonly NamespaceSize[]): void {
    // Names with many escapes may be too long together: the smallest ones give way.
    let told = sizes, bytes = encoder.encode(JSON.stringify(told));
    while (bytes.length > CENSUS_BOARD_BYTES) {
      told = told.slice(0, Math.floor(told.length / 2));
      bytes = encoder.encode(JSON.stringify(told));
    }
    Atomics.add(this.#words, 0, 1);
    Atomics.store(this.#words, 1, bytes.length);
    this.#text.set(bytes);
    Atomics.add(this.#words, 0, 1);
  }

  read(): NamespaceSize[] {
    for (let tries = 0; tries < READ_TRIES_MAX; tries++) {
      const version = Atomics.load(this.#words, 0);
      if (version === 0) return [];
      if ((version & 1) !== 0) continue;
      const bytes = this.#text.slice(0, Atomics.load(this.#words, 1));
      if (Atomics.load(this.#words, 0) === version) return JSON.parse(decoder.decode(bytes));
    }
    return [];
  }
}
