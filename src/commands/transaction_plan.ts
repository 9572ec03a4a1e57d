// What EXEC does around the commands that it runs: it asks others before, puts large values into blocks, and holds
// the shards that the commands and the watched keys lie in. Runs nothing that changes entries.
import { COPIED_BYTES_SLACK, EVICTION_TRIES_MAX } from "../limits.ts";
import type { DroppingWriter } from "../protocol/reply_writer.ts";
import { RequestBatch, STYLE_TEXT } from "../protocol/request_batch.ts";
import type { Evictor, KeyRange, Store } from "../store/store.ts";
import * as R from "./command_row.ts";
import { type CommandRow, lastKeyOf } from "./command_row.ts";
import type { CommandContext, Finish } from "./context.ts";
import { DatabaseWalk } from "./database_walk.ts";
import { ROWS } from "./table.ts";
import type { QueuedCommand, Transaction, WatchedKey } from "./transaction.ts";

/** One per worker: the plan is that of the transaction that runs. */
export class TransactionPlan {
  readonly #store: Store;
  readonly #evictor: Evictor;
  readonly #silent: DroppingWriter;
  /** The command that is loaded. */
  readonly #batch = new RequestBatch();
  /** Shards that the plan holds. */
  readonly #isHeld: Uint8Array;
  /** Which databases the numbers meant when long values were put into blocks of their keys' shards. */
  #stagedVersion = 0;

  constructor(store: Store, evictor: Evictor, silent: DroppingWriter) {
    this.#store = store;
    this.#evictor = evictor;
    this.#silent = silent;
    this.#isHeld = new Uint8Array(store.shards.length);
  }

  // ---- queued commands, one at a time ---------------------------------------------------------------

  /** Makes a queued command the running one. */
  load(c: CommandContext, transaction: Transaction, command: QueuedCommand): void {
    transaction.load(command, this.#batch);
    c.batch = this.#batch;
    c.first = 0;
    c.argCount = this.#batch.argCount;
    c.isText = command.style === STYLE_TEXT;
  }

  /** Hashes its keys, as those of a database. */
  hash({ batch, argCount }: CommandContext, row: CommandRow, database: number): void {
    if (row.firstKey === 0) return;
    const last = lastKeyOf(row, argCount), { view, argStart, argEnd, argHash } = batch;
    for (let key = row.firstKey; key <= last; key += row.keyStep) {
      argHash[key] = this.#store.hash(view, argStart[key], argEnd[key], database);
    }
  }

  // ---- before the locks -----------------------------------------------------------------------------

  /** Asks, for every command that has to, and writes nothing; null if there was nothing to ask. */
  ask(c: CommandContext, transaction: Transaction): Promise<Finish> | null {
    const { batch, first, argCount, isText, reply } = c;
    const asked: Promise<void>[] = [];
    c.reply = this.#silent;
    for (const command of transaction.commands) {
      if ((command.row.flags & R.ASKS) === 0) continue;
      this.load(c, transaction, command);
      ROWS[command.rowIndex].run(c);
      if (c.parked === null) continue;
      asked.push(c.parked.then((finish) => {
        command.finish = finish;
      }));
      c.parked = null;
    }
    this.#silent.out.errors.length = 0;
    this.#silent.drop();
    Object.assign(c, { batch, first, argCount, isText, reply });
    return asked.length === 0 ? null : Promise.all(asked).then(() => () => {});
  }

  /**
   * The most that whole hashes take in the log which the commands copy or move: they may hold what lies there now and
   * what the commands before have put into them. Others may add to them before EXEC has its locks: a copy that then
   * finds no room is refused.
   */
  copiedBytes(c: CommandContext, transaction: Transaction): number {
    const { batch, first, argCount, isText } = c, walk = new DatabaseWalk(c);
    let bytes = 0, isHash = false;
    for (const command of transaction.commands) {
      const { row } = command;
      this.load(c, transaction, command);
      if ((row.flags & R.COPIES) !== 0) bytes += c.copiedBytes(row.firstKey, walk.database);
      if (row.group === "hash" || row.name === "restore") isHash = true;
      walk.pass(c, command.rowIndex);
    }
    Object.assign(c, { batch, first, argCount, isText });
    if (bytes === 0 && !isHash) return 0;
    return transaction.copyCount * (bytes + transaction.effectBytes + COPIED_BYTES_SLACK);
  }

  /** Puts the large values of all commands into blocks; false if there is no memory, and then nothing is staged. */
  stage(c: CommandContext, transaction: Transaction): boolean {
    this.#stagedVersion = c.services.settings.databaseVersion;
    const walk = new DatabaseWalk(c);
    let stored = 0;
    for (const command of transaction.commands) {
      const { row } = command;
      this.load(c, transaction, command);
      if (row.valueArgument !== 0 && (row.flags & R.APPENDS) === 0) {
        this.hash(c, row, walk.database);
        if (!this.#stageOne(c, row)) return false;
        command.blocks = c.staging.take();
        stored += command.blocks.length;
      }
      walk.pass(c, command.rowIndex);
    }
    // Their records may need a page in each shard, and once these are held only they give some.
    if (stored > 0) this.#evictor.makeSure(Math.min(stored, this.#store.shards.length));
    return true;
  }

  /** Where entries are let go, others may be quicker to take the room that was made. */
  #stageOne(c: CommandContext, row: CommandRow): boolean {
    // A value that was received into a block is staged once: it is gone with the first failure.
    const triesMax = this.#evictor.isOn && c.batch.stagedArg < 0 ? EVICTION_TRIES_MAX : 1;
    for (let tries = 0; tries < triesMax; tries++) {
      if (c.staging.stageArguments(c.batch, row, 0, c.argCount, c.nowMs)) return true;
      c.staging.discard();
    }
    return false;
  }

  // ---- the locks ------------------------------------------------------------------------------------

  /** Holds the shards of all keys; ends with `release()`. False, and nothing is held, if there is no memory. */
  hold(c: CommandContext, transaction: Transaction): boolean {
    const { settings } = c.services;
    for (;;) {
      // SWAPDB since the plan: the keys lie elsewhere, and their blocks are of shards that are not theirs. With all
      // shards held no other comes.
      const version = settings.databaseVersion, isMoved = version !== this.#stagedVersion;
      this.#mark(c, transaction, isMoved);
      // Ascending, so that no two workers wait for each other.
      this.#store.shards.forEach((shard, i) => this.#isHeld[i] !== 0 && this.#store.hold(shard));
      if (isMoved ? this.#bringHome(c, transaction) : version === settings.databaseVersion) {
        return true;
      }
      this.release();
      if (isMoved) return false;
    }
  }

  /** With all shards held: long values lie in blocks of their keys' shards; false: there is no memory for one. */
  #bringHome(c: CommandContext, transaction: Transaction): boolean {
    const walk = new DatabaseWalk(c);
    for (const command of transaction.commands) {
      this.load(c, transaction, command);
      if (command.blocks.length > 0) {
        this.hash(c, command.row, walk.database);
        c.staging.give(command.blocks.splice(0));
        const isHome = c.staging.bringHome(c.batch, command.row, c.nowMs);
        command.blocks = c.staging.take();
        if (!isHome) return false;
      }
      walk.pass(c, command.rowIndex);
    }
    return true;
  }

  release(): void {
    this.#store.shards.forEach((shard, i) => this.#isHeld[i] !== 0 && this.#store.release(shard));
  }

  /** With the shards held: whether any of the watched keys is not as it was. */
  isBroken(c: CommandContext, { watches }: Transaction): boolean {
    return watches.some((watched) => this.#isWatchBroken(c, watched));
  }

  /** Marks the shards to hold: those of all keys, in the databases that the commands will be in, or all. */
  #mark(c: CommandContext, transaction: Transaction, isAll: boolean): void {
    const isHeld = this.#isHeld, { shardMask } = this.#store, { settings } = c.services;
    isHeld.fill(isAll ? 1 : 0);
    if (isAll) return;
    for (const { key, databaseNumber } of transaction.watches) {
      isHeld[key.hash & shardMask] = 1;
      isHeld[this.#hashIn(key, settings.databaseAt(databaseNumber)) & shardMask] = 1;
    }
    const walk = new DatabaseWalk(c);
    for (const command of transaction.commands) {
      const { row } = command;
      if (looksFurther(row)) return void isHeld.fill(1);
      this.load(c, transaction, command);
      this.hash(c, row, walk.database);
      if (row.firstKey > 0) {
        const last = lastKeyOf(row, c.argCount);
        for (let key = row.firstKey; key <= last; key += row.keyStep) {
          isHeld[c.batch.argHash[key] & shardMask] = 1;
        }
      }
      walk.pass(c, command.rowIndex);
    }
  }

  /** SWAPDB may have given the number another database. */
  #isWatchBroken(c: CommandContext, { key, databaseNumber, watch }: WatchedKey): boolean {
    if (this.#store.isWatchBroken(watch, key, c.nowMs)) return true;
    const database = c.services.settings.databaseAt(databaseNumber);
    if (database === key.database) return false;
    const other = { ...key, hash: this.#hashIn(key, database), database };
    return watch.isThere || this.#store.isThere(this.#store.shardOf(other.hash), other, c.nowMs);
  }

  #hashIn({ view, start, end }: KeyRange, database: number): number {
    return this.#store.hash(view, start, end, database);
  }
}

/** Whether a command may look at entries that are not its keys. */
function looksFurther(row: CommandRow): boolean {
  return row.prepare !== undefined ||
    (row.kind === R.KEYLESS && row.group !== "connection" && row.group !== "transactions");
}
