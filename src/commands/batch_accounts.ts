// What a worker notes of each batch of commands: calls, errors, times, slow ones, look-ups by namespace, and the
// lines for MONITOR; it takes no lock and changes no entry.
//
// All of it is in the way of every command, so it is done per batch: a batch's time is spread over its commands,
// but for those that may be slow, and calls are counted by runs of the same command. One batch in eight has its
// time taken exactly, the others only by the wall clock in ms, which costs half as much and shows stalls.
import { COUNTER, type WorkerMetrics } from "../metrics.ts";
import { SLOW_BATCH_MS } from "../limits.ts";
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import { BATCH_COMMANDS_MAX, type RequestBatch } from "../protocol/request_batch.ts";
import type { Session } from "../session.ts";
import {
  ARITIES,
  COMMAND_NAMES,
  commandNumber,
  IS_CONTAINER,
  IS_FAST,
  IS_UNWATCHED,
} from "./command_numbers.ts";
import { hasArity } from "./command_row.ts";
import type { CommandContext, Finish } from "./context.ts";
import type { Services } from "./services.ts";
import { slowArguments } from "./slow_log.ts";
import { ROWS } from "./table.ts";

/**
 * Every batch is timed until this many were, then every eighth, which counts for eight: two looks at the clock
 * cost 0.2 to 0.4 µs.
 */
const TIMED_ALWAYS = 4096;
const TIMED_EVERY = 8;
/** The same for look-ups by namespace, in other batches than those: a key takes 0.3 µs. */
const LOOKUPS_EVERY = 32;
const LOOKUPS_PHASE = 4;
/** Below this the slow log is so fine that each command has to be timed by itself. */
const FINE_SLOW_LOG_US = 1000;
const decoder = new TextDecoder();

export class BatchAccounts {
  /** Whether each command of the batch is timed by itself, and runs by itself. */
  isEach = false;
  /** Whether the batch's look-ups are counted by namespace. */
  notesLookups = false;

  #batches = 0;
  #isTimed = false;
  #weight = 1;
  #lookupWeight = 1;
  #startMs = 0;
  #nowMs = 0;
  #wasSlow = false;
  #isMonitored = false;
  /** Of the batch, those that were timed by themselves. */
  #aloneMs = 0;
  #aloneCount = 0;
  readonly #isAlone = new Uint8Array(BATCH_COMMANDS_MAX);

  constructor(readonly services: Services, readonly metrics: WorkerMetrics) {}

  /** Before the first command of a batch; `nowMs` is its moment. */
  begin(nowMs: number): void {
    const batches = this.#batches++, { settings } = this.services;
    const isSampled = batches >= TIMED_ALWAYS;
    this.#isTimed = !isSampled || batches % TIMED_EVERY === 0;
    this.#weight = isSampled ? TIMED_EVERY : 1;
    this.notesLookups = !isSampled || batches % LOOKUPS_EVERY === LOOKUPS_PHASE;
    this.#lookupWeight = isSampled ? LOOKUPS_EVERY : 1;
    this.#nowMs = nowMs;
    this.#isMonitored = this.metrics.monitors > 0;
    const slowUs = settings.slowLogSlowerThanUs;
    this.isEach = this.#wasSlow || this.#isMonitored || (slowUs >= 0 && slowUs < FINE_SLOW_LOG_US);
    this.#startMs = this.#isTimed ? performance.now() : 0;
  }

  /** Instead of `end()`: the batch did not run, and comes again. */
  cancel(): void {
    this.#batches--;
  }

  /** The same for a batch of one command that cannot be slow: a look-up of argument 0, which is a key. */
  endSingle(number: number, batch: RequestBatch, isHit: boolean): void {
    this.metrics.commands.count(number, 1);
    if (this.#isTimed) {
      const ns = (performance.now() - this.#startMs) * 1e6;
      this.metrics.observe(ns, 1, this.#weight);
      this.metrics.commands.observe(number, ns, 1, this.#weight);
    }
    this.#wasSlow = false;
    if (this.notesLookups) this.noteLookup(batch, 0, isHit ? 1 : 0, isHit ? 0 : 1);
  }

  /** A command of the batch that ran by itself, and took `ms`. */
  noteAlone(c: CommandContext, command: number, rowIndex: number, ms: number): void {
    if (rowIndex < 0) return;
    this.#isAlone[command] = 1;
    this.#aloneCount++;
    this.#aloneMs += ms;
    const number = numberOf(c.batch, command, rowIndex);
    this.metrics.observe(ms * 1e6, 1, 1);
    if (number < 0 || !isArityRight(number, c.batch, command)) return;
    this.metrics.commands.observe(number, ms * 1e6, 1, 1);
    this.#noteSlow(c.session, c.batch, command, number, ms);
  }

  /** A queued command that EXEC has just run, alone in the context's batch, with what it replied from there on. */
  noteQueued(c: CommandContext, rowIndex: number, reply: ReplyWriter, errorsBefore: number): void {
    const number = numberOf(c.batch, 0, rowIndex);
    if (number < 0) return;
    this.metrics.commands.count(number, 1);
    this.#countErrorsOf(number, reply, errorsBefore);
    if (this.#isMonitored) this.noteMonitored(c, 0, rowIndex);
  }

  /** For a command that parks: its end, which counts the error that it replies as the command's. */
  countingLate(
    parked: Promise<Finish>,
    batch: RequestBatch,
    command: number,
    rowIndex: number,
  ): Promise<Finish> {
    const number = numberOf(batch, command, rowIndex);
    return parked.then((finish) => (reply) => {
      const { errors } = reply.out, before = errors.length;
      finish(reply);
      this.#countErrorsOf(number, reply, before);
    });
  }

  #countErrorsOf(number: number, { out: { errors } }: ReplyWriter, before: number): void {
    if (errors.length <= before) return;
    this.metrics.countErrors(errors.texts.slice(before));
    errors.length = before;
    if (number >= 0) this.metrics.commands.fail(number);
  }

  /** A look-up of the key that is argument `at` of the batch. */
  noteLookup(batch: RequestBatch, at: number, hits: number, misses: number): void {
    if (hits + misses === 0) return;
    const { bytes, argStart, argEnd } = batch, weight = this.#lookupWeight;
    this.metrics.namespaces.note(bytes, argStart[at], argEnd[at], hits * weight, misses * weight);
  }

  /** Whether somebody is to be told of each command by `noteMonitored()`. */
  get isMonitored(): boolean {
    return this.#isMonitored;
  }

  /** Tells monitors of a command that ran, in the database in which it ended, as Redis does. */
  noteMonitored(c: CommandContext, command: number, rowIndex: number): void {
    const number = numberOf(c.batch, command, rowIndex);
    if (number < 0 || IS_UNWATCHED[number] !== 0) return;
    if (!isArityRight(number, c.batch, command)) return;
    this.services.monitor.note(c.batch, command, COMMAND_NAMES[number], c.session, this.#nowMs);
  }

  /** What the commands of this batch that ran by themselves took so far. */
  get aloneMs(): number {
    return this.#aloneMs;
  }

  /** After the last command: those from `from` to before `next` ran. `wallMs` is asked if nothing else was timed. */
  end(
    session: Session,
    batch: RequestBatch,
    rowOf: Int16Array,
    from: number,
    next: number,
    wallMs: () => number,
  ): void {
    const restCount = next - from - this.#aloneCount;
    let elapsedMs: number;
    if (this.#isTimed) elapsedMs = performance.now() - this.#startMs;
    // Where all was timed by itself there is nothing left to learn. (A step of the wall clock in these
    // microseconds would be told as one slow command.)
    else elapsedMs = restCount > 0 ? wallMs() - this.#nowMs : 0;
    this.#wasSlow = elapsedMs >= SLOW_BATCH_MS;
    const restMs = restCount > 0 ? Math.max(0, elapsedMs - this.#aloneMs) / restCount : 0;
    const restNs = restMs * 1e6;
    if (this.#isTimed && restCount > 0) {
      this.metrics.observe(restNs * restCount, restCount, this.#weight);
    }
    // Pipelines repeat one command: one look at each, one store for all.
    for (let first = from; first < next;) {
      const rowIndex = rowOf[first];
      let end = first + 1;
      while (end < next && rowOf[end] === rowIndex) end++;
      if (rowIndex >= 0) this.#count(batch, rowIndex, first, end, restNs);
      first = end;
    }
    if (this.#wasSlow && restCount > 0) {
      this.#noteSlowShare(session, batch, rowOf, from, next, restMs);
    }
    if (this.#aloneCount > 0) {
      this.#isAlone.fill(0, from, next);
      this.#aloneCount = 0;
      this.#aloneMs = 0;
    }
  }

  /** Counts the error replies of a batch, by their kinds and by their commands. */
  countErrors(reply: ReplyWriter, batch: RequestBatch, rowOf: Int16Array): void {
    const { texts, firsts } = reply.out.errors;
    this.metrics.countErrors(texts);
    for (let i = 0; i < texts.length; i++) {
      let command = batch.commandCount - 1;
      while (command >= 0 && batch.commandArg[command] !== firsts[i]) command--;
      if (command < 0 || rowOf[command] < 0) continue;
      const number = numberOf(batch, command, rowOf[command]);
      if (number < 0) continue;
      if (isRejection(texts[i], number, batch, command)) {
        this.metrics.commands.reject(number);
      } else this.metrics.commands.fail(number);
    }
    reply.out.errors.length = 0;
  }

  /** Counts the commands from `first` to before `end`, all of one row. */
  #count(batch: RequestBatch, rowIndex: number, first: number, end: number, restNs: number): void {
    if (IS_CONTAINER[rowIndex] !== 0) {
      for (let command = first; command < end; command++) {
        const number = numberOf(batch, command, rowIndex);
        if (number >= 0) this.#countRun(number, command, command + 1, restNs);
      }
    } else this.#countRun(rowIndex, first, end, restNs);
  }

  #countRun(number: number, first: number, end: number, restNs: number): void {
    const commands = this.metrics.commands;
    commands.count(number, end - first);
    if (!this.#isTimed) return;
    let timed = end - first;
    if (this.#aloneCount > 0) {
      for (let command = first; command < end; command++) timed -= this.#isAlone[command];
    }
    if (timed > 0) commands.observe(number, restNs, timed, this.#weight);
  }

  /** A batch that took long without any command of it being timed: one stands for it if its share is long. */
  #noteSlowShare(
    session: Session,
    batch: RequestBatch,
    rowOf: Int16Array,
    from: number,
    next: number,
    restMs: number,
  ): void {
    for (let i = from; i < next; i++) {
      if (this.#isAlone[i] !== 0 || rowOf[i] < 0) continue;
      const number = numberOf(batch, i, rowOf[i]);
      if (number >= 0) this.#noteSlow(session, batch, i, number, restMs);
      return;
    }
  }

  #noteSlow(
    session: Session,
    batch: RequestBatch,
    command: number,
    number: number,
    ms: number,
  ): void {
    const { settings, slowLog, latencyEvents } = this.services;
    const slowUs = settings.slowLogSlowerThanUs;
    if (settings.latencyThresholdMs > 0) {
      latencyEvents.note(IS_FAST[number] !== 0 ? "fast-command" : "command", ms, this.#nowMs);
    }
    if (slowUs < 0 || ms * 1000 < slowUs) return;
    this.metrics.counters[COUNTER.slowCommands]++;
    slowLog.add({
      number: this.metrics.nextSlowLogNumber(),
      atS: Math.floor(this.#nowMs / 1000),
      durationUs: Math.floor(ms * 1000),
      args: slowArguments(batch, command, COMMAND_NAMES[number]),
      address: session.address,
      clientName: session.name,
    });
  }
}

/** The number that a command is counted by; −1 for a subcommand that there is not. */
function numberOf(batch: RequestBatch, command: number, rowIndex: number): number {
  if (IS_CONTAINER[rowIndex] === 0) return rowIndex;
  const at = batch.commandArg[command] + 1;
  if (at >= batch.commandArg[command + 1]) return rowIndex;
  const word = decoder.decode(batch.bytes.slice(batch.argStart[at], batch.argEnd[at]));
  return commandNumber(`${ROWS[rowIndex].name}|${word.toLowerCase()}`) ?? -1;
}

/** Whether an error says that its command was not let run. */
function isRejection(text: string, number: number, batch: RequestBatch, command: number): boolean {
  return /^(?:NOAUTH|LOADING|OOM|MISCONF) /.test(text) || !isArityRight(number, batch, command);
}

function isArityRight(number: number, batch: RequestBatch, command: number): boolean {
  const count = batch.commandArg[command + 1] - batch.commandArg[command];
  return hasArity({ arity: ARITIES[number] }, count);
}
