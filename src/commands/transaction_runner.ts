// Transactions of one worker: queues commands after MULTI, and runs them at one moment for EXEC.
//
// EXEC plans which shards its commands and watched keys lie in, puts large values into blocks, holds all those
// shards in their order, looks at the watches, runs every command, publishes all effects as one group, lets go.
// Commands that look at more than their own keys hold every shard. Nothing is awaited meanwhile: what asks other
// threads has asked before, and memory is made by letting entries of the shards go that are held, of no others.
// The file is long because what is checked before the locks and what relies on it under them belong together.
import * as errors from "../errors.ts";
import type { EffectLog } from "../log/effects.ts";
import {
  CHANGE_TRIES_MAX,
  COPIED_BYTES_SLACK,
  EVICTION_TRIES_MAX,
  REMOVAL_BYTES_PER_COMMAND,
  REMOVAL_BYTES_PER_TRANSACTION,
  TRANSACTION_BYTES_MAX,
  TRANSACTION_PLANS_MAX,
} from "../limits.ts";
import { COUNTER, type WorkerMetrics } from "../metrics.ts";
import { type DroppingWriter } from "../protocol/reply_writer.ts";
import { RequestBatch, STYLE_TEXT } from "../protocol/request_batch.ts";
import type { Session } from "../session.ts";
import { type Evictor, type KeyRange, type Store } from "../store/store.ts";
import type { BatchAccounts } from "./batch_accounts.ts";
import * as R from "./command_row.ts";
import { type CommandRow, isWrite, lastKeyOf } from "./command_row.ts";
import type { CommandContext, Finish } from "./context.ts";
import { DatabaseWalk } from "./database_walk.ts";
import { queuedEffectBytes } from "./effect_bytes.ts";
import type { EvictionLog } from "./eviction_log.ts";
import { isDebugAllowed } from "./standalone_commands.ts";
import { ROWS, SUBCOMMANDS } from "./table.ts";
import { type QueuedCommand, Transaction, type WatchedKey } from "./transaction.ts";

/** Index of EXEC's row. */
export const EXEC = ROWS.findIndex((row) => row.name === "exec");
/** By row: 1 for what is run, not queued, within MULTI. */
export const RUNS_IN_MULTI = Uint8Array.from(
  ROWS,
  (row) => ["multi", "exec", "discard", "watch", "quit", "reset"].includes(row.name) ? 1 : 0,
);
/** The longest key is shorter; what follows it is looked at in whole words. */
const KEY_SLACK_BYTES = 8;

export class TransactionRunner {
  readonly #batch = new RequestBatch();
  /** Shards that the plan holds. */
  readonly #isHeld: Uint8Array;
  /** Memory that the queues of this worker's sessions take. */
  #queuedBytes = 0;
  /** Set by a change that found no memory while the shards are held. */
  #isStarved = false;

  constructor(
    readonly store: Store,
    readonly effects: EffectLog | null,
    readonly accounts: BatchAccounts,
    readonly metrics: WorkerMetrics,
    readonly silent: DroppingWriter,
    readonly evictor: Evictor,
    readonly evictionLog: EvictionLog | null,
  ) {
    this.#isHeld = new Uint8Array(store.shards.length);
  }

  // ---- before EXEC ----------------------------------------------------------------------------------

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
  queue(c: CommandContext, command: number, rowIndex: number): boolean {
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
      const watch = this.store.watch(this.store.shardOf(key.hash), key, c.nowMs);
      transaction.addWatch({ bytes, databaseNumber, key, watch });
    }
  }

  /** Forgets what the session watches. */
  unwatch(session: Session): void {
    const transaction = session.transaction as Transaction | null;
    if (transaction === null) return;
    for (const { watch } of transaction.watches) this.store.unwatch(watch);
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

  /**
   * What has to be waited for before EXEC may run: room in the log, answers of other threads; null for nothing. It
   * is asked anew afterwards.
   */
  prepare(c: CommandContext): Promise<Finish> | null {
    const transaction = c.session.transaction as Transaction, { effects } = this;
    if (transaction.isAborted) return null;
    if (transaction.hasAsks) {
      transaction.hasAsks = false;
      const answers = this.#ask(c, transaction);
      if (answers !== null) return answers;
    }
    if (effects === null || !transaction.hasWrites || effects.refusal() !== null) return null;
    if (transaction.copyCount > 0) transaction.copiedBytes = this.#copiedBytes(c, transaction);
    if (effects.admit(this.#boundBytes(transaction), c.nowMs)) return null;
    return effects.whenRoom().then(() => () => {});
  }

  // ---- EXEC -----------------------------------------------------------------------------------------

  /** Runs what is queued, after `prepare()`, and replies for all of it. */
  run(c: CommandContext): void {
    const { session } = c, transaction = session.transaction as Transaction;
    const outer = { batch: c.batch, first: c.first, argCount: c.argCount, isText: c.isText };
    // What is let go must leave the log the room that `prepare()` has taken.
    if (this.evictionLog !== null) this.evictionLog.keptBytes = this.#boundBytes(transaction);
    const refusal = this.#refusal(transaction);
    if (refusal !== null) c.reply.error(refusal);
    else if (!this.#stage(c, transaction)) {
      c.reply.error(errors.execAborted(errors.OUT_OF_MEMORY));
      this.metrics.counters[COUNTER.outOfMemory]++;
    } else this.#runHeld(c, transaction);
    Object.assign(c, outer);
    c.staging.discard();
    this.end(session);
  }

  /** The most that EXEC's group takes in the log, with what is let go to make room. */
  #boundBytes(transaction: Transaction): number {
    return transaction.effectBytes + transaction.copiedBytes +
      (this.evictor.isOn ? removalBytes(transaction) : 0);
  }

  /**
   * The most that whole hashes take in the log which the commands copy or move: they may hold what lies there now and
   * what the commands before have put into them. Others may add to them before EXEC has its locks: a copy that then
   * finds no room is refused.
   */
  #copiedBytes(c: CommandContext, transaction: Transaction): number {
    const { batch, first, argCount, isText } = c, walk = new DatabaseWalk(c);
    let bytes = 0, isHash = false;
    for (const command of transaction.commands) {
      const { row } = command;
      this.#load(c, transaction, command);
      if ((row.flags & R.COPIES) !== 0) bytes += c.copiedBytes(row.firstKey, walk.database);
      if (row.group === "hash" || row.name === "restore") isHash = true;
      walk.pass(c, command.rowIndex);
    }
    Object.assign(c, { batch, first, argCount, isText });
    if (bytes === 0 && !isHash) return 0;
    return transaction.copyCount * (bytes + transaction.effectBytes + COPIED_BYTES_SLACK);
  }

  #refusal(transaction: Transaction): string | null {
    const { effects } = this;
    if (transaction.isAborted) return errors.EXEC_ABORTED;
    if (effects === null || !transaction.hasWrites) return null;
    const refusal = effects.refusal();
    if (refusal !== null) return errors.execAborted(errors.logFailed(refusal));
    return effects.isTooLong(this.#boundBytes(transaction))
      ? errors.execAborted(errors.OUT_OF_MEMORY)
      : null;
  }

  #runHeld(c: CommandContext, transaction: Transaction): void {
    const { effects } = this, { settings } = c.services;
    for (let plans = 0;; plans++) {
      const version = settings.databaseVersion;
      this.#plan(c, transaction, plans === TRANSACTION_PLANS_MAX);
      this.#hold();
      // SWAPDB between plan and locks: the keys lie elsewhere.
      if (version === settings.databaseVersion || plans === TRANSACTION_PLANS_MAX) break;
      this.#release();
    }
    c.selectDatabase(c.session.databaseNumber);
    let isBroken = false;
    for (const each of transaction.watches) {
      if (!isBroken && this.#isBroken(c, each)) isBroken = true;
    }
    let isOverfull = false;
    if (isBroken) c.reply.nilArray();
    else {
      c.isInTransaction = true;
      c.isLocked = true;
      if (this.evictionLog !== null) this.evictionLog.budgetBytes = removalBytes(transaction);
      effects?.begin();
      isOverfull = this.#runAll(c, transaction);
      effects?.end();
      if (this.evictionLog !== null) this.evictionLog.budgetBytes = Infinity;
      c.isLocked = false;
      c.isInTransaction = false;
    }
    effects?.publish();
    this.#release();
    if (this.#isStarved) {
      // For the client's next try.
      this.#isStarved = false;
      c.staging.reclaim(c.nowMs, transaction.effectBytes);
    }
    // Only now: it lets go of values that lie in any shard.
    if (isOverfull) c.session.kill();
    this.metrics.counters[COUNTER.writeGroups]++;
    this.metrics.counters[COUNTER.writesGrouped] += transaction.commandCount;
  }

  /** True if the replies have become more than a client may leave unread; every command has run all the same. */
  #runAll(c: CommandContext, transaction: Transaction): boolean {
    const { accounts } = this, { reply } = c, outputMax = c.services.settings.clientOutputBytesMax;
    reply.array(transaction.commandCount);
    for (const command of transaction.commands) {
      this.#load(c, transaction, command);
      this.#hash(c, command.row, c.session.database);
      c.staging.give(command.blocks.splice(0));
      const errorsBefore = reply.out.errors.length;
      this.#runOne(c, command);
      c.staging.discard();
      c.targetIndex = 0;
      accounts.noteQueued(c, command.rowIndex, reply, errorsBefore);
      if (reply.out.segmentBytes > outputMax) c.reply = this.silent;
    }
    const isOverfull = c.reply !== reply;
    c.reply = reply;
    return isOverfull;
  }

  #runOne(c: CommandContext, { row, rowIndex, finish }: QueuedCommand): void {
    c.needsLock = false;
    c.isOutOfMemory = false;
    c.needsBlock = 0;
    switch (row.kind) {
      case R.KEYLESS:
        if (finish !== null) finish(c.reply);
        else ROWS[rowIndex].run(c);
        break;
      case R.READ: {
        row.run(c);
        const rest = c.afterUnlock;
        c.afterUnlock = null;
        rest?.();
        break;
      }
      case R.READ_EACH:
      case R.CHANGE_EACH: {
        const last = lastKeyOf(row, c.argCount);
        c.count = 0;
        row.begin!(c, Math.floor((last - row.firstKey) / row.keyStep) + 1);
        for (let key = row.firstKey; key <= last; key += row.keyStep) row.each!(c, key);
        row.run(c);
        break;
      }
      default:
        if (row.prepare === undefined || row.prepare(c)) this.#change(c, row);
    }
  }

  /**
   * A change runs again when it wants its result built first, which is then done with the shards held, and when it
   * finds no memory, once entries of its own shards were let go.
   */
  #change(c: CommandContext, row: CommandRow): void {
    c.reply.mark();
    row.run(c);
    for (let built = 0, tries = 0; c.isOutOfMemory;) {
      const isToBuild = c.needsBlock !== 0 || c.prepare !== null;
      if (isToBuild ? ++built === CHANGE_TRIES_MAX : tries === EVICTION_TRIES_MAX) break;
      if (c.needsBlock !== 0) {
        c.staging.discard();
        const isBuilt = c.stageResult(row.kind === R.CHANGE ? row.firstKey : c.needsBlock);
        if (!isBuilt && (tries === EVICTION_TRIES_MAX || !this.#makeRoom(c, row, tries++))) break;
        // The command asks for it again where there was no memory for it.
        c.needsBlock = 0;
      } else if (c.prepare !== null) {
        const prepare = c.prepare;
        c.prepare = null;
        c.staging.discard();
        if (!prepare() && (tries === EVICTION_TRIES_MAX || !this.#makeRoom(c, row, tries++))) break;
      } else if (!this.#makeRoom(c, row, tries++)) break;
      c.reply.rewind();
      c.isOutOfMemory = false;
      row.run(c);
    }
    c.prepare = null;
    if (!c.isOutOfMemory) return;
    this.#isStarved = true;
    c.reply.rewind();
    c.reply.error(errors.OUT_OF_MEMORY);
    this.metrics.counters[COUNTER.outOfMemory]++;
  }

  /** Lets entries of the held shards of a command's keys go; the removals are part of EXEC's group. */
  #makeRoom(c: CommandContext, row: CommandRow, tries: number): boolean {
    if (!this.evictor.isOn) return false;
    const last = lastKeyOf(row, c.argCount), { argHash } = c.batch;
    let isMade = false, before = -1;
    for (let key = row.firstKey; key <= last; key += row.keyStep) {
      const shard = this.store.shardOf(argHash[key]);
      if (shard.number === before) continue;
      before = shard.number;
      if (this.evictor.makeRoom(shard, tries)) isMade = true;
    }
    if (c.targetIndex !== 0) {
      if (this.evictor.makeRoom(this.store.shardOf(c.targetHash), tries)) isMade = true;
    }
    return isMade;
  }

  // ---- the plan -------------------------------------------------------------------------------------

  /** Marks the shards to hold: those of all keys, in the databases that the commands will be in, or all. */
  #plan(c: CommandContext, transaction: Transaction, isAll: boolean): void {
    const isHeld = this.#isHeld, { shardMask } = this.store, { settings } = c.services;
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
      this.#load(c, transaction, command);
      this.#hash(c, row, walk.database);
      if (row.firstKey > 0) {
        const last = lastKeyOf(row, c.argCount);
        for (let key = row.firstKey; key <= last; key += row.keyStep) {
          isHeld[c.batch.argHash[key] & shardMask] = 1;
        }
      }
      walk.pass(c, command.rowIndex);
    }
  }

  /** Puts the large values of all commands into blocks; false if there is no memory, and then nothing is staged. */
  #stage(c: CommandContext, transaction: Transaction): boolean {
    const walk = new DatabaseWalk(c);
    for (const command of transaction.commands) {
      const { row } = command;
      this.#load(c, transaction, command);
      if (row.valueArgument !== 0 && (row.flags & R.APPENDS) === 0) {
        this.#hash(c, row, walk.database);
        if (!this.#stageOne(c, row)) return false;
        command.blocks = c.staging.take();
      }
      walk.pass(c, command.rowIndex);
    }
    return true;
  }

  /** Where entries are let go, others may be quicker to take the room that was made. */
  #stageOne(c: CommandContext, row: CommandRow): boolean {
    // A value that was received into a block is staged once: it is gone with the first failure.
    const triesMax = this.evictor.isOn && c.batch.stagedArg < 0 ? EVICTION_TRIES_MAX : 1;
    for (let tries = 0; tries < triesMax; tries++) {
      if (c.staging.stageArguments(c.batch, row, 0, c.argCount, c.nowMs)) return true;
      c.staging.discard();
    }
    return false;
  }

  /** Ascending, so that no two workers wait for each other. */
  #hold(): void {
    this.store.shards.forEach((shard, i) => this.#isHeld[i] !== 0 && this.store.hold(shard));
  }

  #release(): void {
    this.store.shards.forEach((shard, i) => this.#isHeld[i] !== 0 && this.store.release(shard));
  }

  /** With the shards held: whether the key is not as it was; SWAPDB may have given the number another database. */
  #isBroken(c: CommandContext, { key, databaseNumber, watch }: WatchedKey): boolean {
    if (this.store.isWatchBroken(watch, key, c.nowMs)) return true;
    const database = c.services.settings.databaseAt(databaseNumber);
    if (database === key.database) return false;
    const other = { ...key, hash: this.#hashIn(key, database), database };
    return watch.isThere || this.store.isThere(this.store.shardOf(other.hash), other, c.nowMs);
  }

  #hashIn({ view, start, end }: KeyRange, database: number): number {
    return this.store.hash(view, start, end, database);
  }

  // ---- queued commands ------------------------------------------------------------------------------

  /** Asks, for every command that has to, and writes nothing; null if there was nothing to ask. */
  #ask(c: CommandContext, transaction: Transaction): Promise<Finish> | null {
    const { batch, first, argCount, isText, reply } = c;
    const asked: Promise<void>[] = [];
    c.reply = this.silent;
    for (const command of transaction.commands) {
      if ((command.row.flags & R.ASKS) === 0) continue;
      this.#load(c, transaction, command);
      ROWS[command.rowIndex].run(c);
      if (c.parked === null) continue;
      asked.push(c.parked.then((finish) => {
        command.finish = finish;
      }));
      c.parked = null;
    }
    this.silent.out.errors.length = 0;
    this.silent.drop();
    Object.assign(c, { batch, first, argCount, isText, reply });
    return asked.length === 0 ? null : Promise.all(asked).then(() => () => {});
  }

  #load(c: CommandContext, transaction: Transaction, command: QueuedCommand): void {
    transaction.load(command, this.#batch);
    c.batch = this.#batch;
    c.first = 0;
    c.argCount = this.#batch.argCount;
    c.isText = command.style === STYLE_TEXT;
  }

  #hash({ batch, argCount }: CommandContext, row: CommandRow, database: number): void {
    if (row.firstKey === 0) return;
    const last = lastKeyOf(row, argCount), { view, argStart, argEnd, argHash } = batch;
    for (let key = row.firstKey; key <= last; key += row.keyStep) {
      argHash[key] = this.store.hash(view, argStart[key], argEnd[key], database);
    }
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
    if (found.arity > 0 ? c.argCount === found.arity : c.argCount >= -found.arity) return found;
    c.reply.error(errors.wrongArity(found.name));
    return null;
  }

  #of(session: Session): Transaction {
    session.transaction ??= new Transaction();
    return session.transaction as Transaction;
  }
}

/** What removals may take in a transaction's group: most writes make room for those that follow. */
function removalBytes({ commandCount }: Transaction): number {
  return REMOVAL_BYTES_PER_TRANSACTION + commandCount * REMOVAL_BYTES_PER_COMMAND;
}

/** Whether a command may look at entries that are not its keys. */
function looksFurther(row: CommandRow): boolean {
  return row.prepare !== undefined ||
    (row.kind === R.KEYLESS && row.group !== "connection" && row.group !== "transactions");
}

function keyOf(bytes: Uint8Array, hash: number, database: number): KeyRange {
  const view = new DataView(bytes.buffer);
  return { hash, database, view, start: 0, end: bytes.length - KEY_SLACK_BYTES };
}
