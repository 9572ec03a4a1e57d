// EXEC: runs the queued commands of a transaction at one moment.
//
// It plans which shards its commands and watched keys lie in, puts large values into blocks, holds all those
// shards in their order, looks at the watches, runs every command, publishes all effects as one group, lets go.
// Commands that look at more than their own keys hold every shard. Nothing is awaited meanwhile: what asks other
// threads has asked before, and memory is made by letting entries of the shards go that are held, of no others.
import * as errors from "../errors.ts";
import type { EffectLog } from "../log/effects.ts";
import {
  CHANGE_TRIES_MAX,
  EVICTION_TRIES_MAX,
  REMOVAL_BYTES_PER_COMMAND,
  REMOVAL_BYTES_PER_TRANSACTION,
} from "../limits.ts";
import { COUNTER, type WorkerMetrics } from "../metrics.ts";
import type { DroppingWriter } from "../protocol/reply_writer.ts";
import type { Evictor, Store } from "../store/store.ts";
import type { BatchAccounts } from "./batch_accounts.ts";
import { roomMade } from "./command_room.ts";
import * as R from "./command_row.ts";
import { type CommandRow, lastKeyOf } from "./command_row.ts";
import type { CommandContext, Finish } from "./context.ts";
import { selectDatabase } from "./databases.ts";
import type { EvictionLog } from "./eviction_log.ts";
import { ROWS } from "./table.ts";
import type { QueuedCommand, Transaction } from "./transaction.ts";
import { TransactionPlan } from "./transaction_plan.ts";
import { TransactionQueue } from "./transaction_queue.ts";

/** Index of EXEC's row. */
export const EXEC = ROWS.findIndex((row) => row.name === "exec");

export class TransactionRunner {
  /** What comes before EXEC. */
  readonly queue: TransactionQueue;

  readonly #plan: TransactionPlan;
  /** Set by a change that found no memory while the shards are held. */
  #isStarved = false;
  /** What the replies may come to while EXEC runs. */
  #outputBytesMax = 0;

  constructor(
    readonly store: Store,
    readonly effects: EffectLog | null,
    readonly accounts: BatchAccounts,
    readonly metrics: WorkerMetrics,
    readonly silent: DroppingWriter,
    readonly evictor: Evictor,
    readonly evictionLog: EvictionLog | null,
  ) {
    this.queue = new TransactionQueue(store);
    this.#plan = new TransactionPlan(store, evictor, silent);
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
      const answers = this.#plan.ask(c, transaction);
      if (answers !== null) return answers;
    }
    if (effects === null || !transaction.hasWrites || effects.refusal() !== null) return null;
    if (transaction.copyCount > 0) transaction.copiedBytes = this.#plan.copiedBytes(c, transaction);
    if (effects.admit(this.#boundBytes(transaction), c.nowMs)) return null;
    return roomMade(effects);
  }

  /** Runs what is queued, after `prepare()`, and replies for all of it. */
  run(c: CommandContext): void {
    const { session } = c, transaction = session.transaction as Transaction;
    const outer = { batch: c.batch, first: c.first, argCount: c.argCount, isText: c.isText };
    // What is let go must leave the log the room that `prepare()` has taken.
    if (this.evictionLog !== null) this.evictionLog.keptBytes = this.#boundBytes(transaction);
    const refusal = this.#refusal(transaction);
    if (refusal !== null) c.reply.error(refusal);
    else if (this.#plan.stage(c, transaction) && this.#plan.hold(c, transaction)) {
      this.#runHeld(c, transaction);
    } else {
      c.reply.error(errors.execAborted(errors.OUT_OF_MEMORY));
      this.metrics.counters[COUNTER.outOfMemory]++;
    }
    Object.assign(c, outer);
    c.staging.discard();
    this.queue.end(session);
  }

  /** The most that EXEC's group takes in the log, with what is let go to make room. */
  #boundBytes(transaction: Transaction): number {
    return transaction.effectBytes + transaction.copiedBytes +
      (this.evictor.isOn ? removalBytes(transaction) : 0);
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
    const { effects } = this;
    selectDatabase(c.session, c.services.settings, c.session.databaseNumber);
    if (this.#plan.isBroken(c, transaction)) c.reply.nilArray();
    else {
      c.isInTransaction = true;
      c.isLocked = true;
      if (this.evictionLog !== null) this.evictionLog.budgetBytes = removalBytes(transaction);
      effects?.begin();
      this.#runAll(c, transaction);
      effects?.end();
      if (this.evictionLog !== null) this.evictionLog.budgetBytes = Infinity;
      c.isLocked = false;
      c.isInTransaction = false;
    }
    effects?.publish();
    this.#plan.release();
    if (this.#isStarved) {
      // For the client's next try.
      this.#isStarved = false;
      c.staging.reclaim(c.nowMs, transaction.effectBytes);
    }
    this.metrics.counters[COUNTER.writeGroups]++;
    this.metrics.counters[COUNTER.writesGrouped] += transaction.commandCount;
  }

  /**
   * Where the replies become more than a client may leave unread, the rest gives none, and the connection ends the
   * client once it sees them: here that would let go of values in shards that are not held.
   */
  #runAll(c: CommandContext, transaction: Transaction): void {
    const { accounts } = this, { reply } = c;
    this.#outputBytesMax = c.services.settings.clientOutputBytesMax;
    reply.array(transaction.commandCount);
    for (const command of transaction.commands) {
      this.#plan.load(c, transaction, command);
      this.#plan.hash(c, command.row, c.session.database);
      c.staging.give(command.blocks.splice(0));
      const errorsBefore = reply.out.errors.length;
      this.#runOne(c, command);
      if ((command.row.flags & R.SLOW) !== 0) c.services.signOfLife();
      c.staging.discard();
      if (!c.plainValues.isEmpty) c.plainValues.forget();
      c.targetIndex = 0;
      accounts.noteQueued(c, command.rowIndex, reply, errorsBefore);
      if (c.reply.out.segmentBytes > this.#outputBytesMax) {
        if (c.reply === this.silent) this.silent.out.dropCopies();
        else c.reply = this.silent;
      }
    }
    c.reply = reply;
  }

  #runOne(c: CommandContext, { row, rowIndex, finish }: QueuedCommand): void {
    c.needsLock = false;
    c.isOutOfMemory = false;
    c.needsBlock = 0;
    c.prepare = null;
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
        const { reply } = c;
        for (let key = row.firstKey; key <= last; key += row.keyStep) {
          row.each!(c, key);
          if (row.kind === R.READ_EACH && reply.out.segmentBytes > this.#outputBytesMax) break;
        }
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
}

/** What removals may take in a transaction's group: most writes make room for those that follow. */
function removalBytes({ commandCount }: Transaction): number {
  return REMOVAL_BYTES_PER_TRANSACTION + commandCount * REMOVAL_BYTES_PER_COMMAND;
}
