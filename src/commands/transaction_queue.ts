// What happens to a transaction before EXEC: MULTI, the queueing of commands, WATCH, DISCARD; runs no command.
import * as errors from "../errors.ts";
import { TRANSACTION_BYTES_MAX } from "../limits.ts";
import type { Session } from "../session.ts";
import type { KeyRange, Store } from "../store/store.ts";
import * as R from "./command_row.ts";
import { type CommandRow, hasArity, isWrite } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { queuedEffectBytes } from "./effect_bytes.ts";
import { isDebugAllowed } from "./standalone_commands.ts";
import { ROWS, SUBCOMMANDS } from "./table.ts";
import { Transaction } from "./transaction.ts";

/** By row: 1 for what is run, not queued, within MULTI. */
export const RUNS_IN_MULTI = Uint8Array.from(
  ROWS,
  (row) => ["multi", "exec", "discard", "watch", "quit", "reset"].includes(row.name) ? 1 : 0,
);
/** The longest key is shorter; what follows it is looked at in whole words. */
const KEY_SLACK_BYTES = 8;

/** The transactions of one worker's sessions, with one bound on the memory of them all. */
export class TransactionQueue {
  readonly #store: Store;
  /** Memory that the queues of this worker's sessions take. */
  #queuedBytes = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** MULTI. */
  open(c: CommandContext): void {
    this.#of(c.session).isOpen = true;
  }

  /** EXEC will be refused. */
  abort(session: Session): void {
    (session.transaction as Transaction).isAborted = true;
  }

  /** EXEC with arguments: as in Redis it ends the transaction. Gives whether commands are still queued: no. */
  refuseExec(c: CommandContext, name: string): false {
    c.reply.error(errors.execAborted(errors.wrongArity(name).replace(/^ERR /, "")));
    this.end(c.session);
    return false;
  }

  /** Whether EXEC would change entries. */
  writes({ transaction }: Session): boolean {
    return transaction !== null && (transaction as Transaction).hasWrites;
  }

  /** Queues command `command` of the batch, which has passed every other check, and says so; false: an error. */
  add(c: CommandContext, command: number, rowIndex: number): boolean {
    const transaction = c.session.transaction as Transaction, { batch } = c;
    const row = this.#resolved(c, ROWS[rowIndex]);
    if (row === null) return false;
    if ((row.flags & R.NO_MULTI) !== 0) {
      c.reply.error(errors.NOT_IN_MULTI);
      return false;
    }
    const before = transaction.queuedBytes, after = transaction.bytesWith(batch, command);
    const { settings, config } = c.services;
    const bytesMax = Math.max(
      TRANSACTION_BYTES_MAX,
      settings.allClientsOutputBytesMax / config.workerCount,
    );
    if (after > TRANSACTION_BYTES_MAX || this.#queuedBytes + after - before > bytesMax) {
      c.reply.error(errors.transactionTooLarge(TRANSACTION_BYTES_MAX));
      return false;
    }
    transaction.add(batch, command, rowIndex, row);
    this.#queuedBytes += transaction.queuedBytes - before;
    if (isWrite(row)) {
      transaction.hasWrites = true;
      transaction.effectBytes += queuedEffectBytes(batch, c.first, c.argCount, row.name);
      if ((row.flags & R.COPIES) !== 0) transaction.copyCount++;
    }
    if ((row.flags & R.ASKS) !== 0) transaction.hasAsks = true;
    c.reply.status("QUEUED");
    return true;
  }

  /** WATCH: all arguments are keys, hashed already. */
  watch(c: CommandContext): void {
    const transaction = this.#of(c.session), { batch } = c;
    for (let i = 1; i < c.argCount; i++) {
      const at = c.first + i, start = batch.argStart[at], end = batch.argEnd[at];
      const bytes = new Uint8Array(end - start + KEY_SLACK_BYTES);
      bytes.set(batch.bytes.subarray(start, end));
      const { databaseNumber, database } = c.session;
      const hash = batch.argHash[at];
      if (transaction.isWatched(hash, databaseNumber, bytes)) continue;
      const key = keyOf(bytes, hash, database);
      const watch = this.#store.watch(this.#store.shardOf(key.hash), key, c.nowMs);
      transaction.addWatch({ bytes, databaseNumber, key, watch });
    }
  }

  /** Forgets what the session watches. */
  unwatch(session: Session): void {
    const transaction = session.transaction as Transaction | null;
    if (transaction === null) return;
    for (const { watch } of transaction.watches) this.#store.unwatch(watch);
    transaction.forgetWatches();
    if (!transaction.isOpen) session.transaction = null;
  }

  /** Drops what is queued and watched. */
  end(session: Session): void {
    const transaction = session.transaction as Transaction | null;
    if (transaction === null) return;
    this.#queuedBytes -= transaction.queuedBytes;
    transaction.clear();
    this.unwatch(session);
  }

  /** The row that runs, of a container that of its subcommand; null: there is none, and the error is the reply. */
  #resolved(c: CommandContext, row: CommandRow): CommandRow | null {
    if (row.name === "debug" && !isDebugAllowed(c)) {
      c.reply.error(errors.DEBUG_REFUSED);
      return null;
    }
    const among = SUBCOMMANDS.get(row.name);
    if (among === undefined || c.argCount < 2) return row;
    const word = c.argText(1), asked = `${row.name}|${word.toLowerCase()}`;
    const found = among.find((each) => each.name === asked);
    if (found === undefined) {
      if (c.argIs(1, "HELP")) return row;
      c.reply.error(errors.unknownSubcommand(word, row.name.toUpperCase()));
      return null;
    }
    if (hasArity(found, c.argCount)) return found;
    c.reply.error(errors.wrongArity(found.name));
    return null;
  }

  #of(session: Session): Transaction {
    session.transaction ??= new Transaction();
    return session.transaction as Transaction;
  }
}

function keyOf(bytes: Uint8Array, hash: number, database: number): KeyRange {
  const view = new DataView(bytes.buffer);
  return { hash, database, view, start: 0, end: bytes.length - KEY_SLACK_BYTES };
}
