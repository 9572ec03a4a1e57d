// The one place where HTTP and WebSocket run commands: arguments in, replies into a writer; knows no route.
//
// The engine's errors are not caught as a request's are: a broken invariant ends the process.
import type { Finish } from "../../commands/context.ts";
import { type SingleReader, UNSURE } from "../../commands/single_read.ts";
import { CLOSE, type Engine, PARKED } from "../../engine.ts";
import { HTTP_COMMANDS_PER_TURN, HTTP_SCRATCH_BYTES_KEPT } from "../../limits.ts";
import {
  BATCH_ARGUMENTS_SOFT_MAX,
  BATCH_COMMANDS_MAX,
  RequestBatch,
  STYLE_RESP,
} from "../../protocol/request_batch.ts";
import type { ReplyWriter } from "../../protocol/reply_writer.ts";
import type { Session } from "../../session.ts";
import { StagedBlock } from "../../store/store.ts";
import type { PlainPutter } from "./plain_bodies.ts";

/** Text goes as UTF-8; a block holds a value that was received straight into the store. */
export type Argument = string | Uint8Array | StagedBlock;
/** A command's name and its arguments. */
export type Command = readonly Argument[];

/** What the runner asks of the log; ReplyGate's part for whoever waits by promises. */
export interface AnswerGate {
  begin(): void;
  /** What the answer waits for since `begin()`: a place in the log, null for nothing, NaN if it is lost. */
  judge(): number | null;
  /** For a place that was just given: true once it is on disk, false if the log failed. */
  until(cursor: number): Promise<boolean>;
}

/** A writer whose replies may turn out to be nobody's. */
export interface RunnerWriter extends ReplyWriter {
  /** Lets go of all that was written. */
  discard(): void;
}

/** The log failed while commands ran: whether their changes are there after a crash is unknown, so nothing is said. */
export class OutcomeUnknown extends Error {
  constructor() {
    super("the log failed while the request ran: whether its changes are kept is unknown");
  }
}

export interface RunnerOptions {
  readonly engine: Engine;
  /** The most that the replies to one request may take. */
  replyBytesMax(): number;
  /** Holds answers back until the log has what they tell of; null without a log. */
  readonly gate: AnswerGate | null;
  /** Takes an error that no request can cause. */
  fail(error: unknown): void;
}

/** Texts up to here are tried as ASCII first: a loop beats a view and a native call. */
const ASCII_LOOP_MAX = 64;
/** The engine loads whole words past the end of an argument. */
const SLACK_BYTES = 8;
const encoder = new TextEncoder();

export class CommandRunner {
  /** After `start()`: whether a command waits, and so replies are to come; not only the log. */
  isParked = false;
  readonly #options: RunnerOptions;
  readonly #batch = new RequestBatch();
  readonly #scratch = new Uint8Array(HTTP_SCRATCH_BYTES_KEPT);
  readonly #scratchView = new DataView(this.#scratch.buffer);

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /**
   * Runs the commands one after the other for the session. Null if all is done, else what to wait for; the writer
   * then holds one reply for each, but for those that the session silenced or that came after its end. Rejects
   * with OutcomeUnknown, and an empty writer, where nothing may be told.
   */
  run(session: Session, commands: readonly Command[], writer: RunnerWriter): Promise<void> | null {
    return orNothing(this.start(session, commands, writer), writer);
  }

  /**
   * The same, but where it rejects, the replies are still there: for who takes them before the log has what they
   * tell of, which is allowed unless `isParked`.
   */
  start(
    session: Session,
    commands: readonly Command[],
    writer: ReplyWriter,
  ): Promise<void> | null {
    this.isParked = false;
    try {
      return this.#run(session, commands, 0, writer);
    } catch (error) {
      this.#options.fail(error);
      throw error;
    }
  }

  /**
   * As `run()`, with the one command that `put` makes of a body; undefined, and nothing ran, where it makes none.
   * `commandOf` gives the same command for one that has to wait before it runs.
   */
  runPlain(
    session: Session,
    text: string,
    writer: RunnerWriter,
    put: PlainPutter,
    commandOf: (text: string) => Command,
  ): Promise<void> | null | undefined {
    const { engine, gate, fail } = this.#options, batch = this.#batch;
    batch.reset(this.#scratch, this.#scratchView);
    if (!put(batch, text)) return undefined;
    gate?.begin();
    try {
      engine.run(session, batch, 0, writer, writer);
    } catch (error) {
      fail(error);
      throw error;
    }
    // It has not run, and comes again from strings, which stay while others use the batch.
    if (engine.outcome === PARKED) return this.run(session, [commandOf(text)], writer);
    if (writer.out.segmentBytes > this.#options.replyBytesMax()) session.kill();
    return gate === null ? null : orNothing(this.#held(gate.judge()), writer);
  }

  /** GET of the key that a URL ends with: FOUND, and the value lies in `single`, or MISSING, or UNSURE. */
  look(session: Session, url: string, from: number): number {
    const { engine, gate } = this.#options;
    if (gate === null) return engine.single.look(session, url, from);
    gate.begin();
    if (gate.judge() !== null) return UNSURE;
    const found = engine.single.look(session, url, from);
    // What came into the log meanwhile may be what was read: it is run again, as a command that waits.
    return gate.judge() === null ? found : UNSURE;
  }

  /** Where `look()` leaves what it found. */
  get single(): SingleReader {
    return this.#options.engine.single;
  }

  /** The session has ended: transactions and MONITOR end with it. */
  forget(session: Session): void {
    this.#options.engine.forget(session);
    this.#options.engine.services.monitor.end(session);
  }

  /**
   * Memory for a large value that is about to come as the last of these arguments; null if the command cannot take
   * it so, or there is no memory. Whoever holds it fills it, runs the command with it, and discards it.
   */
  stage(
    session: Session,
    before: readonly (string | Uint8Array)[],
    lengthBytes: number,
  ): StagedBlock | null {
    this.#fill([before], 0);
    const batch = this.#batch;
    batch.argCount = 0;
    batch.openBulkArgument = before.length;
    batch.openBulkBytes = lengthBytes;
    return this.#options.engine.stageOpenBulk(session, batch);
  }

  #run(
    session: Session,
    commands: readonly Command[],
    from: number,
    writer: ReplyWriter,
  ): Promise<void> | null {
    const { engine, gate } = this.#options, batch = this.#batch;
    const begun = from;
    gate?.begin();
    while (from < commands.length && !session.isClosing) {
      this.#fill(commands, from);
      const ran = engine.run(session, batch, 0, writer, writer);
      from += ran;
      batch.stagedValue = null;
      if (batch.bytes !== this.#scratch) batch.reset(this.#scratch, this.#scratchView);
      batch.shrink();
      if (writer.out.segmentBytes > this.#options.replyBytesMax()) session.kill();
      if (engine.outcome === PARKED) {
        this.isParked = true;
        // What ran before it waits for its own part of the log.
        const before = gate === null ? null : this.#held(gate.judge());
        return this.#goOn(session, commands, from, writer, before, engine.parked!);
      }
      if (engine.outcome === CLOSE) break;
      if (from - begun >= HTTP_COMMANDS_PER_TURN && from < commands.length) {
        const before = gate === null ? null : this.#held(gate.judge());
        this.isParked = true;
        return this.#goOn(session, commands, from, writer, before, engine.othersTurn());
      }
    }
    return gate === null ? null : this.#held(gate.judge());
  }

  /** Waits until what the replies tell of is on disk; null if it is. */
  #held(cursor: number | null): Promise<void> | null {
    if (cursor === null) return null;
    if (Number.isNaN(cursor)) return Promise.reject(new OutcomeUnknown());
    return this.#options.gate!.until(cursor).then((isKept) => {
      if (!isKept) throw new OutcomeUnknown();
    });
  }

  async #goOn(
    session: Session,
    commands: readonly Command[],
    from: number,
    writer: ReplyWriter,
    before: Promise<void> | null,
    parked: Promise<Finish>,
  ): Promise<void> {
    const { engine, fail } = this.#options, { isParkedSilent } = engine;
    // Nothing is waited for where the outcome is unknown already; the command itself goes on.
    if (before !== null) await before;
    let rest: Promise<void> | null;
    try {
      // A command that was held back has not run: it comes again, and what it waited for writes nothing.
      const finish = await parked;
      finish(isParkedSilent ? engine.silent : writer);
      engine.silent.drop();
      rest = this.#run(session, commands, from, writer);
    } catch (error) {
      fail(error);
      throw error;
    }
    if (rest !== null) await rest;
  }

  /** Puts as many of the commands as one batch takes into it. */
  #fill(commands: readonly Command[], from: number): void {
    const batch = this.#batch;
    let bytesMax = SLACK_BYTES, args = 0, to = from;
    for (; to < commands.length && to - from < BATCH_COMMANDS_MAX; to++) {
      if (args >= BATCH_ARGUMENTS_SOFT_MAX) break;
      const command = commands[to];
      args += command.length;
      for (const arg of command) {
        // UTF-8 takes at most three bytes for each UTF-16 unit.
        if (typeof arg === "string") bytesMax += arg.length * 3;
        else if (arg instanceof Uint8Array) bytesMax += arg.length;
      }
    }
    if (bytesMax <= this.#scratch.length) batch.reset(this.#scratch, this.#scratchView);
    else {
      const bytes = new Uint8Array(bytesMax);
      batch.reset(bytes, new DataView(bytes.buffer));
    }
    batch.reserveArguments(args);
    const { bytes, argStart, argEnd, commandArg, commandStyle } = batch;
    let at = 0, arg = 0;
    commandArg[0] = 0;
    for (let i = from; i < to; i++) {
      for (const each of commands[i]) {
        argStart[arg] = at;
        if (typeof each === "string") at = putText(bytes, at, each);
        else if (each instanceof Uint8Array) {
          bytes.set(each, at);
          at += each.length;
        } else {
          batch.stagedArg = arg;
          batch.stagedValue = each;
        }
        argEnd[arg++] = at;
      }
      commandStyle[i - from] = STYLE_RESP;
      commandArg[i - from + 1] = arg;
    }
    batch.argCount = arg;
    batch.commandCount = to - from;
  }
}

/** Where what is waited for fails, nothing is left in the writer. */
function orNothing(waiting: Promise<void> | null, writer: RunnerWriter): Promise<void> | null {
  return waiting === null ? null : waiting.then(undefined, (error) => {
    writer.discard();
    throw error;
  });
}

/** Puts a text as UTF-8 at that place, and gives the place behind it. */
function putText(bytes: Uint8Array, start: number, text: string): number {
  const length = text.length;
  if (length <= ASCII_LOOP_MAX) {
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) break;
      bytes[start + i] = code;
    }
    if (i === length) return start + length;
  }
  return start + encoder.encodeInto(text, bytes.subarray(start)).written;
}
