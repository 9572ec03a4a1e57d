// The one choke-point: every command of every protocol runs here, with the locks that its row asks for.
//
// For each command: row, arity, password, lengths; then the locks of its keys' shards, the handler, unlock.
// Nothing is awaited while a lock is held. Handlers that only read run without lock between two looks at the
// shard's sequence; if it moved, the reply is taken back and they run again, and after a while under the lock.
// The file is long because how each kind of command is locked should be read, and judged, in one place.
import { BatchAccounts } from "./commands/batch_accounts.ts";
import { ALONE_FROM } from "./commands/command_numbers.ts";
import { CommandRoom, roomMade } from "./commands/command_room.ts";
import * as R from "./commands/command_row.ts";
import { type CommandRow, hasArity, isWrite, lastKeyOf } from "./commands/command_row.ts";
import { CommandContext, type Finish } from "./commands/context.ts";
import { selectDatabase } from "./commands/databases.ts";
import { effectBytes } from "./commands/effect_bytes.ts";
import type { Services } from "./commands/services.ts";
import { get, set } from "./commands/strings.ts";
import { GroupLookups } from "./commands/group_lookups.ts";
import { LookAhead } from "./commands/look_ahead.ts";
import { ROWS } from "./commands/table.ts";
import { RUNS_IN_MULTI } from "./commands/transaction_queue.ts";
import { EXEC, TransactionRunner } from "./commands/transaction_runner.ts";
import { SingleReader } from "./commands/single_read.ts";
import * as errors from "./errors.ts";
import type { Clock } from "./clock.ts";
import type { EffectLog } from "./log/effects.ts";
import {
  BATCH_TURN_MS,
  CHANGE_TRIES_MAX,
  CHANGES_PER_GROUP,
  EVICTION_TRIES_MAX,
  HLD_TEXT_BYTES_MAX,
  KEYS_PER_GROUP,
  PAUSE_LOOK_MS,
  PLAIN_ROUNDS_MAX,
  READ_GROUP_TRIES_MAX,
  READ_TRIES_MAX,
  READS_PER_GROUP,
} from "./limits.ts";
import { COUNTER, type WorkerMetrics } from "./metrics.ts";
import type { DroppingWriter, ReplyWriter } from "./protocol/reply_writer.ts";
import { type RequestBatch, STYLE_TEXT } from "./protocol/request_batch.ts";
import { REPLY_ON, REPLY_SKIP, type Session } from "./session.ts";
import { ProcessState } from "./settings.ts";
import { NOT_NOTED, type Shard, type StagedBlock, type Store } from "./store/store.ts";

/** What a run of a batch ended with: all of it done, a command that waits, or the connection's end. */
export const DONE = 0;
export const PARKED = 1;
export const CLOSE = 2;
export type Outcome = typeof DONE | typeof PARKED | typeof CLOSE;

/** In the place of a command's row once it is queued: it has not run. */
const QUEUED = -2;
/** What WRITES holds for rows that may log a whole object of any length. */
const WRITES_WHOLE = 2;
/** Rows whose effects are logged. */
const WRITES = Uint8Array.from(
  ROWS,
  (row) => !isWrite(row) ? 0 : (row.flags & R.COPIES) === 0 ? 1 : WRITES_WHOLE,
);
const pause: () => void = (Atomics as { pause?: () => void }).pause ?? (() => {});

export class Engine {
  /** After `run()`: what it ended with, and what a parked connection waits for. */
  outcome: Outcome = DONE;
  parked: Promise<Finish> | null = null;

  /** After a parked command: its reply is not wanted. */
  isParkedSilent = false;

  /** For callers with one key and no batch. */
  readonly single: SingleReader;

  readonly #context: CommandContext;
  readonly #effects: EffectLog | null;
  readonly #ahead: LookAhead;
  /** Row of each command of the batch, −1 if there is none of that name. */
  readonly #rowOf: Int16Array;
  /** Shards of a command with several keys: marked with the current round, and the sequences read. */
  readonly #shardRound: Uint32Array;
  readonly #shardBegun: Int32Array;
  readonly #keyBytesMax: number;
  /** Longest key and value of a line of text, 0 for no bound but the usual ones. */
  readonly #textBytesMax: number;
  /** The shards of a group of reads, and their sequences as it began. */
  readonly #groupShard = new Int32Array(READS_PER_GROUP);
  readonly #groupBegun = new Int32Array(READS_PER_GROUP);
  #round = 0;
  readonly #accounts: BatchAccounts;
  readonly #transactions: TransactionRunner;
  readonly #room: CommandRoom;
  /** Set by a change that found no memory and no room in the log for removals either: it is to wait. */
  #isStarved = false;
  readonly #lookups: GroupLookups;

  constructor(
    readonly store: Store,
    readonly services: Services,
    readonly clock: Clock,
    readonly metrics: WorkerMetrics,
    effects: EffectLog | null,
    readonly silent: DroppingWriter,
  ) {
    this.#effects = effects;
    this.#ahead = new LookAhead(store);
    this.#rowOf = this.#ahead.rowOf;
    this.#accounts = new BatchAccounts(services, metrics);
    this.#lookups = new GroupLookups(this.#accounts);
    this.single = new SingleReader(store, services, clock, metrics, this.#accounts);
    this.#context = new CommandContext(store, services, effects);
    this.#room = new CommandRoom(this.#context, effects, metrics);
    this.#transactions = new TransactionRunner(
      store,
      effects,
      this.#accounts,
      metrics,
      silent,
      this.#room.evictor,
      this.#room.evictionLog,
    );
    this.#context.transactions = this.#transactions;
    this.#keyBytesMax = services.config.keyBytesMax;
    this.#textBytesMax = services.config.textDialect === "hld" ? HLD_TEXT_BYTES_MAX : 0;
    this.#shardRound = new Uint32Array(store.shards.length);
    this.#shardBegun = new Int32Array(store.shards.length);
  }

  /**
   * Runs the commands of a batch from number `from` on, replying through the writer of each one's style.
   * Gives the number of the command to go on with; `outcome` says why it stopped there.
   */
  run(
    session: Session,
    batch: RequestBatch,
    from: number,
    resp: ReplyWriter,
    text: ReplyWriter,
  ): number {
    const c = this.#context, count = batch.commandCount;
    const counters = this.metrics.counters;
    const nowMs = this.clock.nowMs(), accounts = this.#accounts;
    accounts.begin(nowMs);
    const isEach = accounts.isEach;
    resp.out.errors.running = c;
    this.silent.out.errors.running = c;
    resp.useVersion(session.protocolVersion);
    c.session = session;
    c.loudReply = resp;
    c.batch = batch;
    c.nowMs = nowMs;
    c.accessClock = this.#room.begin(nowMs);
    c.readClock = session.isNoTouch ? NOT_NOTED : c.accessClock;
    const pauseEndsAtMs = this.services.settings.pauseEndsAtMs;
    const isPaused = pauseEndsAtMs > nowMs;
    const pausesOnlyWrites = isPaused && this.services.settings.pausesOnlyWrites;
    this.isParkedSilent = false;
    c.hits = 0;
    c.misses = 0;
    session.lastCommandAtMs = nowMs;
    this.outcome = DONE;
    if (session.databaseVersion !== this.services.settings.databaseVersion) {
      selectDatabase(session, this.services.settings, session.databaseNumber);
    }
    this.#ahead.pass(batch, from, session.database);
    const isLoading = this.services.settings.state === ProcessState.STARTING;
    const effects = this.#effects;
    let next = from, refusal: string | null = null;
    let isQueueing = session.transaction !== null && session.transaction.isOpen;
    while (next < count) {
      const rowIndex = this.#rowOf[next];
      c.first = batch.commandArg[next];
      c.argCount = batch.commandArg[next + 1] - c.first;
      c.isText = batch.commandStyle[next] === STYLE_TEXT;
      const replyMode = session.replyMode;
      const reply = replyMode !== REPLY_ON ? this.silent : c.isText ? text : resp;
      c.reply = reply;
      if (
        isPaused && rowIndex >= 0 &&
        (isHeldBack(ROWS[rowIndex], pausesOnlyWrites) ||
          (rowIndex === EXEC && this.#transactions.queue.writes(session)))
      ) {
        this.#park(pauseOver(pauseEndsAtMs - nowMs));
        break;
      }
      if (effects !== null && rowIndex >= 0 && WRITES[rowIndex] !== 0) {
        refusal = effects.refusal();
        if (
          !isQueueing && refusal === null &&
          !effects.admit(
            effectBytes(batch, c.first, c.argCount) +
              (WRITES[rowIndex] === WRITES_WHOLE && !isLoading
                ? this.#room.copiedBytes(ROWS[rowIndex])
                : 0),
            nowMs,
          )
        ) {
          this.#park(roomMade(effects));
          break;
        }
      }
      if (isQueueing && rowIndex === EXEC) {
        const waiting = this.#transactions.prepare(c);
        if (waiting !== null) {
          this.#park(waiting);
          break;
        }
      }
      next++;
      let groupEnd = count, isEnding = false, isRefused = false;
      const isAlone = rowIndex >= 0 && (isEach || c.argCount >= ALONE_FROM[rowIndex]);
      const aloneAtMs = isAlone ? performance.now() : 0;
      if (isAlone) groupEnd = next;
      if (replyMode === REPLY_SKIP) {
        // Only this command's reply is skipped, so it forms no group with those behind it.
        session.replyMode = REPLY_ON;
        groupEnd = next;
      }
      if (c.isText && this.#textBytesMax > 0) {
        groupEnd = next;
        if (this.#isTextTooLong(c)) {
          reply.error(errors.TEXT_TOO_LONG);
          if (isQueueing) this.#transactions.queue.abort(session);
          continue;
        }
      }
      if (rowIndex < 0) {
        this.#unknown(c);
        if (isQueueing) this.#transactions.queue.abort(session);
        continue;
      }
      const row = ROWS[rowIndex], kind = row.kind;
      if (!hasArity(row, c.argCount)) {
        if (rowIndex === EXEC) isQueueing = this.#transactions.queue.refuseExec(c, row.name);
        else reply.error(errors.wrongArity(row.name));
        isRefused = true;
      } else if (!session.isAuthenticated && (row.flags & R.NO_AUTH) === 0) {
        reply.error(errors.NO_AUTH);
        isRefused = true;
      } else if (isLoading && (row.flags & R.LOADING) === 0) {
        reply.error(errors.LOADING);
        isRefused = true;
      } else if (refusal !== null && WRITES[rowIndex] !== 0) {
        reply.error(errors.logFailed(refusal));
        isRefused = true;
      } else if (
        effects !== null && WRITES[rowIndex] !== 0 && !isQueueing &&
        effects.isTooLong(effectBytes(batch, c.first, c.argCount))
      ) {
        reply.error(errors.OUT_OF_MEMORY);
        isRefused = true;
      } else if (isQueueing && RUNS_IN_MULTI[rowIndex] === 0) {
        if (this.#areKeysShort(row) && this.#transactions.queue.add(c, next - 1, rowIndex)) {
          this.#rowOf[next - 1] = QUEUED;
          session.lastCommand = row.name;
        } else this.#transactions.queue.abort(session);
        continue;
      } else if (kind === R.READ) {
        if (this.#isKeyShort(row)) next = this.#reads(row, next, groupEnd);
      } else if (kind === R.CHANGE) {
        if (this.#isKeyShort(row)) next = this.#change(row, next, groupEnd);
        if (this.#isStarved) {
          this.#isStarved = false;
          session.replyMode = replyMode;
          this.#park(roomMade(effects!));
          break;
        }
      } else if (kind === R.KEYLESS) {
        const database = session.database;
        if (this.#areKeysShort(row)) row.run(c);
        isQueueing = session.transaction !== null && session.transaction.isOpen;
        if (session.database !== database) this.#ahead.pass(batch, next, session.database);
        if (c.parked !== null || session.isClosing) {
          this.isParkedSilent = replyMode !== REPLY_ON;
          this.parked = c.parked === null
            ? null
            : accounts.countingLate(c.parked, batch, next - 1, rowIndex);
          this.outcome = session.isClosing ? CLOSE : PARKED;
          c.parked = null;
          isEnding = true;
        }
      } else if (this.#areKeysShort(row)) {
        this.#severalKeys(row);
      }
      if (isRefused && isQueueing) this.#transactions.queue.abort(session);
      if (isAlone && !isRefused) {
        accounts.noteAlone(c, next - 1, rowIndex, performance.now() - aloneAtMs);
        if (accounts.isMonitored) accounts.noteMonitored(c, next - 1, rowIndex);
        if (!isEnding && next < count && this.#hasHadItsTurn(reply)) {
          this.#park(this.othersTurn());
          break;
        }
      }
      if (isEnding) break;
    }
    if (effects !== null) effects.settle();
    if (c.compressor.count !== 0) c.compressor.run();
    const ran = next - from;
    accounts.end(session, batch, this.#rowOf, from, next, this.clock.readWallMs);
    if (this.silent.out.position > 0 || this.silent.out.segments.length > 0) {
      accounts.countErrors(this.silent, batch, this.#rowOf);
      this.silent.drop();
    }
    if (ran > 0) this.#noteLast(session, next - 1);
    counters[COUNTER.batches]++;
    counters[COUNTER.commands] += ran;
    if (resp.out.errors.length > 0) accounts.countErrors(resp, batch, this.#rowOf);
    resp.out.errors.running = null;
    this.silent.out.errors.running = null;
    counters[COUNTER.hits] += c.hits;
    counters[COUNTER.misses] += c.misses;
    return next;
  }

  /** For what is to wait until this worker's other clients were served. */
  othersTurn(): Promise<Finish> {
    return this.services.othersTurn().then(() => () => {});
  }

  /** Whether the rest of the batch is to wait: others first, or until it is known that the replies so far are wanted. */
  #hasHadItsTurn({ out }: ReplyWriter): boolean {
    return this.#accounts.aloneMs >= BATCH_TURN_MS ||
      out.segmentBytes > this.services.settings.clientOutputBytesMax;
  }

  /** The command that comes next waits for this, and is asked anew afterwards. */
  #park(task: Promise<Finish>): void {
    this.parked = task;
    this.outcome = PARKED;
  }

  /**
   * Memory for a large value that is about to arrive, as the last known argument of the unfinished request at
   * the end of the batch; null if its command cannot take it so, or there is no memory (it is then gathered
   * in the read buffer, and refused or stored when it is whole).
   */
  stageOpenBulk(session: Session, batch: RequestBatch): StagedBlock | null {
    const first = batch.argCount, rowIndex = this.#ahead.rowNamed(batch, first);
    if (rowIndex < 0 || !session.isAuthenticated) return null;
    const row = ROWS[rowIndex];
    if (row.kind !== R.CHANGE || row.firstKey !== 1 || (row.flags & R.APPENDS) !== 0) return null;
    if (row.valueArgument !== batch.openBulkArgument) return null;
    const keyStart = batch.argStart[first + 1], keyEnd = batch.argEnd[first + 1];
    if (keyEnd - keyStart > this.#keyBytesMax) return null;
    const shard = this.store.shardOf(
      this.store.hash(batch.view, keyStart, keyEnd, session.database),
    );
    return this.#context.staging.stage(shard, batch.openBulkBytes, this.clock.nowMs());
  }

  /** A session has ended: what it has queued and watched is let go. */
  forget(session: Session): void {
    this.#transactions.queue.end(session);
  }

  /** The name for CLIENT LIST; a container's row has noted its subcommand already. */
  #noteLast(session: Session, command: number): void {
    const row = this.#rowOf[command];
    if (row === QUEUED) return;
    const name = row < 0 ? "" : ROWS[row].name;
    if (!session.lastCommand.startsWith(name) || session.lastCommand[name.length] !== "|") {
      session.lastCommand = name;
    }
  }

  #isTextTooLong(c: CommandContext): boolean {
    for (let i = 1; i < c.argCount; i++) if (c.argLength(i) > this.#textBytesMax) return true;
    return false;
  }

  #unknown(c: CommandContext): void {
    const args: string[] = [];
    for (let i = 1; i < Math.min(c.argCount, 32); i++) args.push(c.argText(i));
    c.reply.error(errors.unknownCommand(c.argText(0), args));
  }

  #isKeyShort(row: CommandRow): boolean {
    const batch = this.#context.batch, at = this.#context.first + row.firstKey;
    if (batch.argEnd[at] - batch.argStart[at] <= this.#keyBytesMax) return true;
    return this.#areKeysShort(row);
  }

  #areKeysShort(row: CommandRow): boolean {
    const c = this.#context, bytesMax = this.#keyBytesMax;
    if (row.firstKey === 0) return true;
    const last = lastKeyOf(row, c.argCount);
    for (let key = row.firstKey; key <= last; key += row.keyStep) {
      const bytes = c.argEnd(key) - c.argStart(key);
      if (bytes <= bytesMax) continue;
      c.reply.error(errors.keyTooLong(bytes, bytesMax));
      return false;
    }
    return true;
  }

  // ---- one key --------------------------------------------------------------------------------------

  /**
   * Runs a read and those that follow it in the batch, and looks at the sequences of their shards once at
   * the end: one Atomics operation for the group instead of one for each. It keeps the compiler from moving
   * the plain looks before it, and x86-64 keeps the order of loads. Gives the number of the command to go on
   * with.
   */
  #reads(row: CommandRow, next: number, count: number): number {
    const c = this.#context, store = this.store, batch = c.batch, shards = this.#groupShard;
    const begun = this.#groupBegun, hits = c.hits, misses = c.misses, first = next - 1;
    const notesLookups = this.#accounts.notesLookups;
    c.reply.mark();
    c.needsLock = false;
    let group = 0;
    for (;;) {
      const shard = store.shardOf(batch.argHash[c.first + row.firstKey]);
      const sequence = store.beginRead(shard);
      if ((sequence & 1) !== 0) {
        // Being changed: it begins a group of its own, and those before it are done.
        if (group > 0) next--;
        break;
      }
      shards[group] = shard.number;
      begun[group++] = sequence;
      // By its name, so that the compiler can look into it: saves 40 of 350 ns.
      if (row.run === get) get(c);
      else row.run(c);
      if (notesLookups) this.#lookups.note(group - 1, c);
      if (group === READS_PER_GROUP || next === count) break;
      const following = this.#following(R.READ, next, null);
      if (following === null) break;
      row = following;
      c.first = batch.commandArg[next];
      c.argCount = batch.commandArg[++next] - c.first;
    }
    if (group > 0 && !c.needsLock && store.confirmReads(shards, begun, group)) {
      if (notesLookups) this.#lookups.countCommands(batch, this.#rowOf, first, next, hits, misses);
      return next;
    }
    c.reply.rewind();
    c.hits = hits;
    c.misses = misses;
    if (c.plainValues.isAsked) {
      if (group > 0 && store.confirmReads(shards, begun, group)) c.plainValues.expand();
      else c.plainValues.forget();
    }
    for (let command = first; command < next; command++) {
      c.first = batch.commandArg[command];
      c.argCount = batch.commandArg[command + 1] - c.first;
      this.#read(ROWS[this.#rowOf[command]]);
      if (notesLookups) this.#lookups.note(command - first, c);
    }
    if (notesLookups) this.#lookups.countCommands(batch, this.#rowOf, first, next, hits, misses);
    if (!c.plainValues.isEmpty) c.plainValues.forget();
    return next;
  }

  /**
   * The row of a command, if it is a sound one of that kind and may run in a group with those before it: a change only
   * if its key is of the shard that is locked, a read (shard null) of any.
   */
  #following(kind: number, command: number, locked: Shard | null): CommandRow | null {
    const c = this.#context, batch = c.batch, rowIndex = this.#rowOf[command];
    if (rowIndex < 0) return null;
    const row = ROWS[rowIndex], first = batch.commandArg[command], key = first + row.firstKey;
    const argCount = batch.commandArg[command + 1] - first;
    if (row.kind !== kind || !hasArity(row, argCount)) return null;
    if (argCount >= ALONE_FROM[rowIndex]) return null;
    if (batch.argEnd[key] - batch.argStart[key] > this.#keyBytesMax) return null;
    if ((batch.commandStyle[command] === STYLE_TEXT) !== c.isText) return null;
    if (locked === null) return row;
    if ((batch.argHash[key] & this.store.shardMask) !== locked.number) return null;
    if (row.valueArgument > 0 && c.staging.isLarge(batch, first + row.valueArgument)) return null;
    if (
      this.#effects !== null && !this.#effects.admit(effectBytes(batch, first, argCount), c.nowMs)
    ) return null;
    return row;
  }

  #read(row: CommandRow): void {
    const c = this.#context, values = c.plainValues, hits = c.hits, misses = c.misses;
    this.#readOnce(row);
    for (let rounds = 1; values.isAsked; rounds++) {
      this.#expandAsked(rounds, hits, misses);
      this.#readOnce(row);
    }
    values.isAtOnce = false;
  }

  /** Compressed values that a read asked for are decompressed, and its reply is taken back: it runs again. */
  #expandAsked(rounds: number, hits: number, misses: number): void {
    const c = this.#context;
    c.plainValues.expand();
    c.reply.rewind();
    c.hits = hits;
    c.misses = misses;
    // Somebody writes it all the time.
    if (rounds >= PLAIN_ROUNDS_MAX) c.plainValues.isAtOnce = true;
  }

  #readOnce(row: CommandRow): void {
    const c = this.#context, store = this.store, values = c.plainValues;
    const shard = store.shardOf(c.batch.argHash[c.first + row.firstKey]);
    const hits = c.hits, misses = c.misses;
    c.reply.mark();
    c.needsLock = false;
    for (let tries = 0; tries < READ_TRIES_MAX; tries++) {
      const begun = store.beginRead(shard);
      if ((begun & 1) === 0) {
        row.run(c);
        if (store.confirmRead(shard, begun)) {
          if (!c.needsLock || values.isAsked) return;
          break;
        }
        if (values.isAsked) values.forgetAsked();
        this.metrics.counters[COUNTER.readRetries]++;
        store.noteRetry(shard);
        c.reply.rewind();
        c.needsLock = false;
        c.hits = hits;
        c.misses = misses;
      }
      pause();
    }
    this.metrics.counters[COUNTER.readLocks]++;
    c.reply.rewind();
    c.hits = hits;
    c.misses = misses;
    store.lockReading(shard);
    c.isLocked = true;
    c.needsLock = false;
    row.run(c);
    c.isLocked = false;
    store.unlockReading(shard);
    const rest = c.afterUnlock;
    if (rest !== null) {
      c.afterUnlock = null;
      rest();
    }
  }

  /**
   * Runs a change, and under the same lock those that follow it in the batch and are of the same shard: the
   * micro-batch. Nothing is reordered, so nobody sees a client's later write before an earlier one. Gives the
   * number of the command to go on with.
   */
  #change(row: CommandRow, next: number, count: number): number {
    const c = this.#context, store = this.store;
    const shard = store.shardOf(c.batch.argHash[c.first + row.firstKey]);
    if (
      row.valueArgument > 0 && c.staging.isLarge(c.batch, c.first + row.valueArgument) &&
      (row.flags & R.APPENDS) === 0 && !this.#room.stageArguments(row)
    ) return next;
    c.isOutOfMemory = false;
    c.needsBlock = 0;
    c.prepare = null;
    store.lockChange(shard);
    c.isLocked = true;
    let group = 1;
    for (;; group++) {
      c.reply.mark();
      this.#runGroup(row);
      if (c.isOutOfMemory && isShortOfMemory(c)) this.#runWithRoom(row, shard);
      // What is staged stands for an argument of this command: the next one must not take it for its own.
      if (c.isOutOfMemory || !c.staging.isEmpty) break;
      if (group === CHANGES_PER_GROUP || next === count) break;
      const following = this.#following(R.CHANGE, next, shard);
      if (following === null) break;
      row = following;
      c.first = c.batch.commandArg[next];
      c.argCount = c.batch.commandArg[++next] - c.first;
    }
    c.isLocked = false;
    this.#effects?.publish();
    store.unlockChange(shard);
    this.metrics.counters[COUNTER.writeGroups]++;
    this.metrics.counters[COUNTER.writesGrouped] += group;
    if (c.isOutOfMemory) {
      const isStarved = this.#room.evictor.isStarved && isShortOfMemory(c);
      if (isStarved && c.staging.isEmpty) {
        this.#isStarved = true;
        c.reply.rewind();
        return next - 1;
      }
      this.#changeAgain(row, shard);
    }
    c.staging.discard();
    if (!c.plainValues.isEmpty) c.plainValues.forget();
    return next;
  }

  /** A change found no memory: lets entries of its shard go, under the lock that is held, and runs it again. */
  #runWithRoom(row: CommandRow, shard: Shard): void {
    const c = this.#context, { store } = this, { evictionLog, logBytes } = this.#room;
    if (evictionLog !== null) evictionLog.keptBytes = logBytes;
    for (let tries = 0; tries < EVICTION_TRIES_MAX; tries++) {
      const isMade = this.#room.makeUnderLock(shard, row, tries);
      // Removals, and the commands before this one, are a group of their own: this one's room is its own.
      this.#effects?.publish();
      if (!isMade) return;
      // The old value, which GETSET has replied, is let go with it: a large one lies in this shard.
      store.withinChange(shard, () => c.reply.rewind());
      c.isOutOfMemory = false;
      this.#runGroup(row);
      if (!c.isOutOfMemory || !isShortOfMemory(c)) return;
    }
  }

  /** Work ahead of need on one shard, between batches: gives whether there is more to do. */
  makeRoomAhead(shard: Shard): boolean {
    this.#room.begin(this.clock.nowMs());
    if (this.#effects?.refusal() != null) return false;
    const isMore = this.#room.evictor.runAhead(shard);
    this.#effects?.settle();
    return isMore;
  }

  /** Runs a handler that changes; its effects are one group. */
  #runGroup(row: CommandRow): void {
    const effects = this.#effects;
    if (effects === null) {
      if (row.run === set) set(this.#context);
      else row.run(this.#context);
    } else {
      effects.begin();
      row.run(this.#context);
      effects.end();
    }
  }

  /** A change found no memory, or wants its result built outside the lock: helps, and runs it again. */
  #changeAgain(row: CommandRow, shard: Shard): void {
    const c = this.#context, store = this.store;
    for (let tries = 0; tries < CHANGE_TRIES_MAX && c.isOutOfMemory; tries++) {
      if (c.needsBlock !== 0) {
        c.staging.discard();
        if (!c.stageResult(row.firstKey)) break;
        c.needsBlock = 0;
      } else if (c.prepare !== null) {
        if (!this.#prepared()) break;
      } else if (c.needsLogBytes !== 0) {
        if (!this.#room.admitMore()) break;
      } else if (!this.#room.reclaimBeside(row)) break;
      c.reply.rewind();
      c.isOutOfMemory = false;
      store.lockChange(shard);
      c.isLocked = true;
      this.#runGroup(row);
      c.isLocked = false;
      this.#effects?.publish();
      store.unlockChange(shard);
    }
    c.prepare = null;
    c.needsLogBytes = 0;
    if (c.isOutOfMemory) this.#room.refuse();
  }

  /** Does what a change wants done without lock before it runs again; false: in vain. */
  #prepared(): boolean {
    const c = this.#context, prepare = c.prepare!;
    c.prepare = null;
    return prepare();
  }

  // ---- several keys ---------------------------------------------------------------------------------

  #severalKeys(row: CommandRow): void {
    const c = this.#context;
    if (row.kind === R.CHANGE_ALL) {
      this.#changeAll(row);
      return;
    }
    const last = lastKeyOf(row, c.argCount);
    c.count = 0;
    row.begin!(c, Math.floor((last - row.firstKey) / row.keyStep) + 1);
    const step = KEYS_PER_GROUP * row.keyStep;
    for (let from = row.firstKey; from <= last; from += step) {
      const to = Math.min(last, from + step - 1);
      if (row.kind === R.READ_EACH) this.#readGroup(row, from, to);
      else this.#changeGroup(row, from, to);
      // The connection sees replies only when the command is done, and then ends the client: gigabytes are not gathered.
      if (c.reply.out.segmentBytes > this.services.settings.clientOutputBytesMax) {
        for (let key = to + 1; key <= last; key += row.keyStep) c.reply.nil();
        break;
      }
    }
    row.run(c);
  }

  #readGroup(row: CommandRow, from: number, to: number): void {
    const c = this.#context, values = c.plainValues;
    const hits = c.hits, misses = c.misses, count = c.count;
    this.#readGroupOnce(row, from, to);
    for (let rounds = 1; values.isAsked; rounds++) {
      this.#expandAsked(rounds, hits, misses);
      c.count = count;
      this.#readGroupOnce(row, from, to);
    }
    if (this.#accounts.notesLookups) this.#lookups.countKeys(c, row, from, to, hits, misses);
    if (!values.isEmpty) values.forget();
  }

  #readGroupOnce(row: CommandRow, from: number, to: number): void {
    const c = this.#context, store = this.store, begun = this.#shardBegun;
    const hits = c.hits, misses = c.misses, count = c.count;
    // The first keys of the batch were loaded ahead; a long command's other groups are when their turn comes.
    if (c.first + to > this.#ahead.loadedTo) {
      this.#ahead.loadGroup(c.batch, row, c.first, from, to);
    }
    const round = this.#markShards(row, from, to);
    c.reply.mark();
    c.needsLock = false;
    for (let tries = 0; tries < READ_GROUP_TRIES_MAX; tries++) {
      let isFree = true;
      for (let i = 0; i < begun.length; i++) {
        if (this.#shardRound[i] !== round) continue;
        begun[i] = store.beginRead(store.shards[i]);
        if ((begun[i] & 1) !== 0) isFree = false;
      }
      if (isFree) {
        this.#eachKey(row, from, to);
        let isWhole = true;
        for (let i = 0; i < begun.length; i++) {
          if (this.#shardRound[i] === round && !store.confirmRead(store.shards[i], begun[i])) {
            isWhole = false;
            store.noteRetry(store.shards[i]);
          }
        }
        if (isWhole && !c.needsLock) return;
        // Under the lock it is asked for again, with all the others.
        if (c.plainValues.isAsked) c.plainValues.forgetAsked();
        this.metrics.counters[COUNTER.readRetries]++;
        c.reply.rewind();
        c.hits = hits;
        c.misses = misses;
        c.count = count;
        if (isWhole) break;
        c.needsLock = false;
      }
      pause();
    }
    this.metrics.counters[COUNTER.readLocks]++;
    for (let i = 0; i < begun.length; i++) {
      if (this.#shardRound[i] === round) store.lockReading(store.shards[i]);
    }
    c.isLocked = true;
    c.needsLock = false;
    this.#eachKey(row, from, to);
    c.isLocked = false;
    for (let i = 0; i < begun.length; i++) {
      if (this.#shardRound[i] === round) store.unlockReading(store.shards[i]);
    }
  }

  #eachKey(row: CommandRow, from: number, to: number): void {
    const c = this.#context, notesLookups = this.#accounts.notesLookups;
    let keys = 0;
    for (let key = from; key <= to && !c.needsLock; key += row.keyStep) {
      row.each!(c, key);
      if (notesLookups) this.#lookups.note(keys++, c);
    }
  }

  #changeGroup(row: CommandRow, from: number, to: number): void {
    const c = this.#context;
    const round = this.#markShards(row, from, to);
    // The room that was taken for the whole command may be smaller than what all groups of a long one need.
    this.#effects?.admitBlocking(
      effectBytes(c.batch, c.first + from, to - from + 1),
      c.nowMs,
    );
    this.#lockMarked(round);
    this.#effects?.begin();
    for (let key = from; key <= to; key += row.keyStep) row.each!(c, key);
    this.#effects?.end();
    this.#unlockMarked(round);
    this.metrics.counters[COUNTER.writeGroups]++;
    this.metrics.counters[COUNTER.writesGrouped] += Math.floor((to - from) / row.keyStep) + 1;
  }

  #changeAll(row: CommandRow): void {
    const c = this.#context;
    if (row.valueArgument !== 0 && !this.#room.stageArguments(row)) return;
    const last = lastKeyOf(row, c.argCount);
    if (row.prepare !== undefined && !row.prepare(c)) return;
    const round = this.#markShards(row, row.firstKey, last);
    if (c.targetIndex !== 0) this.#shardRound[c.targetHash & this.store.shardMask] = round;
    c.reply.mark();
    c.prepare = null;
    for (let tries = 0; tries < CHANGE_TRIES_MAX; tries++) {
      c.isOutOfMemory = false;
      c.needsBlock = 0;
      this.#lockMarked(round);
      this.#runGroup(row);
      this.#unlockMarked(round);
      if (!c.isOutOfMemory) break;
      if (c.needsBlock !== 0) {
        c.staging.discard();
        if (!c.stageResult(c.needsBlock)) break;
      } else if (c.prepare !== null) {
        c.staging.discard();
        if (!this.#prepared()) break;
      } else if (!(c.needsLogBytes !== 0 ? this.#room.admitMore() : this.#room.reclaim())) break;
      c.reply.rewind();
    }
    this.metrics.counters[COUNTER.writeGroups]++;
    this.metrics.counters[COUNTER.writesGrouped] +=
      Math.floor((last - row.firstKey) / row.keyStep) + 1;
    c.prepare = null;
    c.needsLogBytes = 0;
    if (c.isOutOfMemory) this.#room.refuse();
    c.staging.discard();
    if (!c.plainValues.isEmpty) c.plainValues.forget();
    c.targetIndex = 0;
  }

  #markShards(row: CommandRow, from: number, to: number): number {
    const c = this.#context, round = this.#round = (this.#round + 1) >>> 0;
    for (let key = from; key <= to; key += row.keyStep) {
      this.#shardRound[c.batch.argHash[c.first + key] & this.store.shardMask] = round;
    }
    return round;
  }

  /** Ascending, so that no two workers wait for each other. */
  #lockMarked(round: number): void {
    for (let i = 0; i < this.#shardRound.length; i++) {
      if (this.#shardRound[i] === round) this.store.lockChange(this.store.shards[i]);
    }
    this.#context.isLocked = true;
  }

  #unlockMarked(round: number): void {
    this.#context.isLocked = false;
    this.#effects?.publish();
    for (let i = 0; i < this.#shardRound.length; i++) {
      if (this.#shardRound[i] === round) this.store.unlockChange(this.store.shards[i]);
    }
  }
}

/** Whether a change that did not end lacks memory, and nothing else that would have to be done first. */
function isShortOfMemory({ needsBlock, needsLogBytes, prepare }: CommandContext): boolean {
  return needsBlock === 0 && needsLogBytes === 0 && prepare === null;
}

/** Whether CLIENT PAUSE holds a command back: CLIENT itself always runs, or nobody could end it. */
function isHeldBack(row: CommandRow, onlyWrites: boolean): boolean {
  return onlyWrites ? isWrite(row) : row.name !== "client";
}

/** Resolves when the pause may be over; the command then asks again, because it may have been ended or changed. */
function pauseOver(leftMs: number): Promise<Finish> {
  return new Promise((resolve) =>
    setTimeout(() => resolve(() => {}), Math.min(leftMs, PAUSE_LOOK_MS))
  );
}
