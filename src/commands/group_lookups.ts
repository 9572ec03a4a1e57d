// Hits and misses of each command or key of a group that is read at once, counted by namespace once the group stands;
// a group that is read again writes over them. Used only while look-ups are counted so.
import { KEYS_PER_GROUP } from "../limits.ts";
import type { RequestBatch } from "../protocol/request_batch.ts";
import type { BatchAccounts } from "./batch_accounts.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { ROWS } from "./table.ts";

/** Two counts in one number: hits, and above them misses. */
const MISS = 2 ** 20;

export class GroupLookups {
  readonly #accounts: BatchAccounts;
  /** Hits and misses after each look-up of the group. */
  readonly #after = new Float64Array(KEYS_PER_GROUP);
  /** The same before the one that is counted next. */
  #hits = 0;
  #misses = 0;

  constructor(accounts: BatchAccounts) {
    this.#accounts = accounts;
  }

  /** Look-up `index` of the group is done. */
  note(index: number, { hits, misses }: CommandContext): void {
    this.#after[index] = hits + misses * MISS;
  }

  /** Counts a group of commands of one key each; `hits` and `misses` are from before it. */
  countCommands(
    batch: RequestBatch,
    rowOf: Int16Array,
    first: number,
    next: number,
    hits: number,
    misses: number,
  ): void {
    this.#hits = hits;
    this.#misses = misses;
    for (let command = first; command < next; command++) {
      const key = batch.commandArg[command] + ROWS[rowOf[command]].firstKey;
      this.#count(batch, key, command - first);
    }
  }

  /** The same for a group of keys of one command. */
  countKeys(
    { batch, first }: CommandContext,
    row: CommandRow,
    from: number,
    to: number,
    hits: number,
    misses: number,
  ): void {
    this.#hits = hits;
    this.#misses = misses;
    for (let key = from; key <= to; key += row.keyStep) {
      this.#count(batch, first + key, Math.floor((key - from) / row.keyStep));
    }
  }

  #count(batch: RequestBatch, key: number, index: number): void {
    const after = this.#after[index], hits = after % MISS, misses = Math.floor(after / MISS);
    this.#accounts.noteLookup(batch, key, hits - this.#hits, misses - this.#misses);
    this.#hits = hits;
    this.#misses = misses;
  }
}
