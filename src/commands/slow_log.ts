// The commands of this worker that took long, the newest ones, and how all workers' are told together; it does
// not know what is slow.
import type { Bus } from "../bus.ts";
import { SLOW_LOG_ARGUMENT_BYTES_MAX, SLOW_LOG_ARGUMENTS_MAX } from "../limits.ts";
import type { RequestBatch } from "../protocol/request_batch.ts";
import { redactedArguments } from "./redaction.ts";

export interface SlowEntry {
  /** Counts up over all workers. */
  readonly number: number;
  readonly atS: number;
  readonly durationUs: number;
  readonly args: readonly Uint8Array[];
  readonly address: string;
  readonly clientName: string;
}

/** What a worker answers: how many entries it has, and those that were asked for, newest first. */
export interface SlowLogAnswer {
  readonly count: number;
  readonly entries: readonly SlowEntry[];
}

/**
 * The bus's payload: newest entries wanted, or all to be forgotten; of those with numbers below `before`, because
 * the asking command may be an entry itself by the time that it is answered.
 */
export interface SlowLogQuestion {
  readonly before: number;
  readonly newest: number;
  readonly resets: boolean;
}

const encoder = new TextEncoder();

export class SlowLog {
  /** Oldest first. */
  #entries: SlowEntry[] = [];

  /** `entriesMax` is asked at each entry, because it changes at run time. */
  constructor(readonly entriesMax: () => number) {}

  add(entry: SlowEntry): void {
    this.#entries.push(entry);
    this.#cut();
  }

  answer({ before, newest, resets }: SlowLogQuestion): SlowLogAnswer {
    if (resets) this.#entries = this.#entries.filter(({ number }) => number >= before);
    this.#cut();
    const known = this.#entries.filter(({ number }) => number < before);
    return {
      count: known.length,
      entries: newest === 0 ? [] : known.slice(-newest).reverse(),
    };
  }

  #cut(): void {
    const surplus = this.#entries.length - this.entriesMax();
    if (surplus > 0) this.#entries.splice(0, surplus);
  }
}

/** Has a worker answer for its own slow log. */
export function registerSlowLogAnswers(bus: Bus, slowLog: SlowLog): void {
  bus.answer("slow-log", (payload) => slowLog.answer(payload as SlowLogQuestion));
}

/** All workers' entries as one log, newest first; `entriesMax` is of the whole. */
export function mergeSlowLogs(
  answers: readonly SlowLogAnswer[],
  newest: number,
  entriesMax: number,
): { readonly count: number; readonly entries: readonly SlowEntry[] } {
  const count = Math.min(entriesMax, answers.reduce((sum, answer) => sum + answer.count, 0));
  const entries = answers.flatMap((answer) => answer.entries)
    .sort((a, b) => b.number - a.number)
    .slice(0, Math.min(newest, entriesMax));
  return { count, entries };
}

/** A command's arguments as the slow log keeps them: passwords hidden, long ones cut, in Redis's words. */
export function slowArguments(batch: RequestBatch, command: number, name: string): Uint8Array[] {
  const first = batch.commandArg[command], count = batch.commandArg[command + 1] - first;
  const hidden = redactedArguments(batch, command, name);
  const shown = count > SLOW_LOG_ARGUMENTS_MAX ? SLOW_LOG_ARGUMENTS_MAX - 1 : count;
  const args: Uint8Array[] = [];
  for (let i = 0; i < shown; i++) {
    const at = first + i;
    if (hidden?.has(i)) args.push(encoder.encode("(redacted)"));
    else if (batch.stagedArg === at) {
      args.push(encoder.encode(`... (${batch.stagedValue!.lengthBytes} more bytes)`));
    } else args.push(cut(batch.bytes.slice(batch.argStart[at], batch.argEnd[at])));
  }
  if (shown < count) args.push(encoder.encode(`... (${count - shown} more arguments)`));
  return args;
}

function cut(bytes: Uint8Array): Uint8Array {
  const more = bytes.length - SLOW_LOG_ARGUMENT_BYTES_MAX;
  if (more <= 0) return bytes;
  const tail = encoder.encode(`... (${more} more bytes)`);
  const joined = new Uint8Array(SLOW_LOG_ARGUMENT_BYTES_MAX + tail.length);
  joined.set(bytes.subarray(0, SLOW_LOG_ARGUMENT_BYTES_MAX));
  joined.set(tail, SLOW_LOG_ARGUMENT_BYTES_MAX);
  return joined;
}
