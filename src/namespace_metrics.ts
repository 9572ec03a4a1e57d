// Hits and misses by namespace, the part of a key before its first `:`, per worker, in shared memory; the most
// frequent ones are found with bounded memory. It must not know the store.
//
// Space-saving (Metwally, Agrawal, El Abbadi 2005): a table of a fixed number of names; a new name takes the
// place of the rarest and inherits its count, so every name more frequent than 1/SLOTS of all stays in.
// A slot: one line of words (version, bytes of the name), the name, and cells of float64. The version is odd while
// another name moves in, so that a reader of another thread repeats what it read.
import { NAMESPACE_BYTES_MAX, NAMESPACE_SLOTS, NAMESPACES_TOLD_MAX } from "./limits.ts";

const VERSION = 0;
const NAME_BYTES = 1;
const WORDS = 2;
const HITS = 0;
const MISSES = 1;
/** Times seen, those of names that had the slot before included: what the rarest is chosen by. */
const SEEN = 2;
const CELLS = 3;
const READ_TRIES_MAX = 8;
const PROBES_MAX = 4;

const WORDS_BYTES = NAMESPACE_SLOTS * WORDS * 4;
const NAMES_BYTES = NAMESPACE_SLOTS * NAMESPACE_BYTES_MAX;
const TABLE_BYTES = WORDS_BYTES + NAMES_BYTES + NAMESPACE_SLOTS * CELLS * 8;

export function createNamespaceMemory(workerCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workerCount * TABLE_BYTES);
}

/** Bytes of the namespace of the key at `[start, end)`: 0 if it has none, at most NAMESPACE_BYTES_MAX. */
export function namespaceBytes(bytes: Uint8Array, start: number, end: number): number {
  const stop = Math.min(end, start + NAMESPACE_BYTES_MAX + 1);
  for (let at = start; at < stop; at++) if (bytes[at] === 58) return at - start;
  return 0;
}

class Table {
  readonly words: Int32Array;
  readonly names: Uint8Array;
  readonly cells: Float64Array;

  constructor(memory: SharedArrayBuffer, workerIndex: number) {
    const base = workerIndex * TABLE_BYTES;
    this.words = new Int32Array(memory, base, NAMESPACE_SLOTS * WORDS);
    this.names = new Uint8Array(memory, base + WORDS_BYTES, NAMES_BYTES);
    this.cells = new Float64Array(
      memory,
      base + WORDS_BYTES + NAMES_BYTES,
      NAMESPACE_SLOTS * CELLS,
    );
  }
}

/** What a worker writes. */
export class WorkerNamespaceMetrics {
  readonly #table: Table;
  readonly #slotOf = new Map<number, number>();
  readonly #keyOf = new Int32Array(NAMESPACE_SLOTS);
  #used = 0;

  constructor(memory: SharedArrayBuffer, workerIndex: number) {
    this.#table = new Table(memory, workerIndex);
  }

  /** Notes look-ups of a key, of which `hits` found it and `misses` did not. A key without `:` is of the namespace "". */
  note(bytes: Uint8Array, start: number, end: number, hits: number, misses: number): void {
    const count = namespaceBytes(bytes, start, end);
    const slot = this.#slot(bytes, start, count, hits + misses);
    const cells = this.#table.cells, at = slot * CELLS;
    cells[at + HITS] += hits;
    cells[at + MISSES] += misses;
    cells[at + SEEN] += hits + misses;
  }

  reset(): void {
    const { cells } = this.#table;
    for (let slot = 0; slot < this.#used; slot++) {
      cells[slot * CELLS + HITS] = 0;
      cells[slot * CELLS + MISSES] = 0;
    }
  }

  #slot(bytes: Uint8Array, start: number, count: number, weight: number): number {
    let key = count;
    for (let i = 0; i < count; i++) key = Math.imul(key ^ bytes[start + i], 0x01000193);
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const slot = this.#slotOf.get(key);
      if (slot === undefined) return this.#take(key, bytes, start, count);
      if (this.#isNamed(slot, bytes, start, count)) return slot;
      key = Math.imul(key ^ 0x9e3779b9, 0x85ebca6b);
    }
    // Names made to collide: they are told as one, and nothing else suffers.
    return weight > 0 ? this.#slotOf.get(key) ?? 0 : 0;
  }

  #isNamed(slot: number, bytes: Uint8Array, start: number, count: number): boolean {
    const { words, names } = this.#table;
    if (words[slot * WORDS + NAME_BYTES] !== count) return false;
    const at = slot * NAMESPACE_BYTES_MAX;
    for (let i = 0; i < count; i++) if (names[at + i] !== bytes[start + i]) return false;
    return true;
  }

  /** A free slot for a new name, or that of the rarest. */
  #take(key: number, bytes: Uint8Array, start: number, count: number): number {
    const { words, names, cells } = this.#table;
    let slot = 0;
    if (this.#used < NAMESPACE_SLOTS) slot = this.#used++;
    else {
      for (let each = 1; each < NAMESPACE_SLOTS; each++) {
        if (cells[each * CELLS + SEEN] < cells[slot * CELLS + SEEN]) slot = each;
      }
      this.#slotOf.delete(this.#keyOf[slot]);
    }
    this.#slotOf.set(key, slot);
    this.#keyOf[slot] = key;
    Atomics.add(words, slot * WORDS + VERSION, 1);
    Atomics.store(words, slot * WORDS + NAME_BYTES, count);
    names.set(bytes.subarray(start, start + count), slot * NAMESPACE_BYTES_MAX);
    cells[slot * CELLS + HITS] = 0;
    cells[slot * CELLS + MISSES] = 0;
    Atomics.add(words, slot * WORDS + VERSION, 1);
    return slot;
  }
}

/** Look-ups of one namespace; estimates, because only some of the batches are looked at. */
export interface NamespaceLookups {
  readonly name: string;
  readonly hits: number;
  readonly misses: number;
}

/** What all workers wrote. */
export class NamespaceMetrics {
  readonly #tables: readonly Table[];

  constructor(memory: SharedArrayBuffer, workerCount: number) {
    this.#tables = Array.from({ length: workerCount }, (_, i) => new Table(memory, i));
  }

  /** The most frequent namespaces, at most NAMESPACES_TOLD_MAX, those with the most look-ups first. */
  top(): NamespaceLookups[] {
    const byName = new Map<string, { name: string; hits: number; misses: number }>();
    for (const table of this.#tables) {
      for (let slot = 0; slot < NAMESPACE_SLOTS; slot++) {
        const name = nameAt(table, slot);
        if (name === null) continue;
        const hits = table.cells[slot * CELLS + HITS], misses = table.cells[slot * CELLS + MISSES];
        if (hits + misses === 0) continue;
        const known = byName.get(name);
        if (known === undefined) byName.set(name, { name, hits, misses });
        else {
          known.hits += hits;
          known.misses += misses;
        }
      }
    }
    return [...byName.values()]
      .sort((a, b) => b.hits + b.misses - a.hits - a.misses)
      .slice(0, NAMESPACES_TOLD_MAX);
  }
}

const decoder = new TextDecoder();

/** Null for a slot that no name has, or whose name changes too often to be read. */
function nameAt({ words, names }: Table, slot: number): string | null {
  for (let tries = 0; tries < READ_TRIES_MAX; tries++) {
    const version = Atomics.load(words, slot * WORDS + VERSION);
    if (version === 0) return null;
    if ((version & 1) !== 0) continue;
    const count = Math.min(NAMESPACE_BYTES_MAX, Atomics.load(words, slot * WORDS + NAME_BYTES));
    const at = slot * NAMESPACE_BYTES_MAX;
    const name = names.slice(at, at + count);
    if (Atomics.load(words, slot * WORDS + VERSION) === version) return decoder.decode(name);
  }
  return null;
}
