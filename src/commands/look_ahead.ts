// Passes over a batch before any of it runs: finds rows, hashes keys, and starts loading what the keys lead to, so that
// the cache misses overlap (8 % on pipelines, more on large data). Runs nothing and takes no lock.
import { BATCH_COMMANDS_MAX, type RequestBatch } from "../protocol/request_batch.ts";
import type { KeyLoader, Store } from "../store/store.ts";
import { type CommandRow, lastKeyOf, ONE_FIELD } from "./command_row.ts";
import { CommandLookup, ROWS } from "./table.ts";

/** What is asked of each row, beside the rows: the pass goes over all commands. */
const FIRST_KEY = Int8Array.from(ROWS, (row) => row.firstKey);
const LAST_KEY = Int8Array.from(ROWS, (row) => row.lastKey);
const KEY_STEP = Int8Array.from(ROWS, (row) => row.keyStep);
const LOADS_AHEAD = Int8Array.from(ROWS, (row) => row.loadsAhead ?? 0);

export class LookAhead {
  /** Row of each command of the batch, −1 if there is none of that name. */
  readonly rowOf = new Int16Array(BATCH_COMMANDS_MAX);
  /** The last argument of the batch that was loaded ahead. */
  loadedTo = 0;

  readonly #store: Store;
  readonly #loader: KeyLoader;
  readonly #lookup = new CommandLookup(ROWS.map((row) => row.name));
  /** Arguments that are keys, of the batch or of a group: those that are loaded together. */
  readonly #keyArg = new Int32Array(BATCH_COMMANDS_MAX);
  /** Arguments that are keys of hashes: four times the argument, and what is loaded of the hash. */
  readonly #hashArg = new Int32Array(BATCH_COMMANDS_MAX);

  constructor(store: Store) {
    this.#store = store;
    this.#loader = store.createLoader(BATCH_COMMANDS_MAX);
  }

  /** The row of the command whose name is argument `at` of the batch, −1 if there is none. */
  rowNamed({ view, bytes, argStart, argEnd }: RequestBatch, at: number): number {
    return this.#lookup.find(view, bytes, argStart[at], argEnd[at]);
  }

  /** Finds each command's row and hashes its keys; and, when there are several keys, starts loading them. */
  pass(batch: RequestBatch, from: number, database: number): void {
    const { view, bytes, argStart, argEnd, argHash, argSlot, commandArg, commandCount } = batch;
    const store = this.#store, rowOf = this.rowOf, keyArg = this.#keyArg;
    const hashArg = this.#hashArg;
    let keys = 0, rowIndex = -1, lastWord = 0, lastBytes = -1, hashes = 0, loadsAhead = 0;
    for (let i = from; i < commandCount; i++) {
      const first = commandArg[i];
      const start = argStart[first], end = argEnd[first];
      const word = view.getInt32(start, true);
      // Pipelines repeat one command: its name is compared with the one before, first of all.
      if (word !== lastWord || end - start !== lastBytes) {
        rowIndex = this.#lookup.find(view, bytes, start, end);
        lastWord = word;
        lastBytes = end - start <= 4 ? end - start : -1;
        loadsAhead = rowIndex < 0 ? 0 : LOADS_AHEAD[rowIndex];
      }
      rowOf[i] = rowIndex;
      if (rowIndex < 0) continue;
      const firstKey = FIRST_KEY[rowIndex];
      if (firstKey === 0) continue;
      const last = LAST_KEY[rowIndex] === firstKey
        ? Math.min(first + firstKey, commandArg[i + 1] - 1)
        : first + lastKeyOf(ROWS[rowIndex], commandArg[i + 1] - first);
      for (let at = first + firstKey; at <= last; at += KEY_STEP[rowIndex]) {
        argHash[at] = store.hash(view, argStart[at], argEnd[at], database);
        argSlot[at] = 0;
        if (keys < keyArg.length) keyArg[keys++] = at;
      }
      // With a field's name there are three arguments, without two.
      if (loadsAhead !== 0 && commandArg[i + 1] - first > 3 - loadsAhead) {
        hashArg[hashes++] = (first + firstKey) * 4 + loadsAhead;
      }
    }
    this.loadedTo = keys < keyArg.length ? batch.argCount : keyArg[keys - 1];
    // In loops of their own, short enough that many loads are under way at once.
    if (keys <= 1) return;
    this.#load(batch, keys);
    if (hashes > 0) this.#loadHashes(batch, hashes);
  }

  /** Loads keys `from` to `to` of the command whose name is argument `first`, as the pass did with its first ones. */
  loadGroup(batch: RequestBatch, row: CommandRow, first: number, from: number, to: number): void {
    let keys = 0;
    for (let key = from; key <= to; key += row.keyStep) this.#keyArg[keys++] = first + key;
    this.#load(batch, keys);
  }

  /** Starts loading index lines, then records, of the keys listed in `#keyArg`; leaves hints in `argSlot`. */
  #load({ argHash, argSlot }: RequestBatch, keys: number): void {
    this.#loader.loadRecords(argHash, argSlot, this.#keyArg, keys);
  }

  /** Loads what commands read of hashes, once their records are there; of one field it leaves a hint in `argSlot`. */
  #loadHashes(batch: RequestBatch, hashes: number): void {
    const { view, argStart, argEnd, argHash, argSlot } = batch;
    const hashArg = this.#hashArg, loader = this.#loader;
    let fields = 0;
    for (let i = 0; i < hashes; i++) {
      const key = hashArg[i] >> 2;
      if ((hashArg[i] & 3) === ONE_FIELD) hashArg[fields++] = key;
      else loader.loadHash(argHash[key], argSlot[key]);
    }
    if (fields > 0) loader.loadFields(argHash, argSlot, hashArg, fields, view, argStart, argEnd);
  }
}
