// SLOWLOG and its subcommands: the slow commands of all workers as one log.
import { ADMIN, ASKS, type CommandRow, KEYLESS, LOADING, SLOW } from "./command_row.ts";
import { runSubcommand } from "./container.ts";
import type { CommandContext } from "./context.ts";
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import { NO_KEY } from "./row_parts.ts";
import { wrongSubcommand } from "../errors.ts";
import {
  mergeSlowLogs,
  type SlowEntry,
  type SlowLogAnswer,
  type SlowLogQuestion,
} from "./slow_log.ts";

const ENTRIES_TOLD = 10;
const ENTRY_FIELDS = 6;

/** SLOWLOG GET [count]; −1 asks for all. */
function get(c: CommandContext): void {
  if (c.argCount > 3) {
    return c.reply.error(wrongSubcommand("SLOWLOG", c.argText(1)));
  }
  const asked = c.argCount === 3 ? c.argInteger(2) : ENTRIES_TOLD;
  if (!(asked >= -1)) {
    return c.reply.error("ERR count should be greater than or equal to -1");
  }
  const entriesMax = c.services.settings.slowLogEntriesMax;
  const newest = asked < 0 ? entriesMax : Math.min(asked, entriesMax);
  ask(c, { newest, resets: false }, (reply, answers) => {
    const { entries } = mergeSlowLogs(answers, newest, entriesMax);
    reply.array(entries.length);
    for (const entry of entries) replyEntry(reply, entry);
  });
}

function replyEntry(reply: ReplyWriter, entry: SlowEntry): void {
  reply.array(ENTRY_FIELDS);
  reply.integer(entry.number);
  reply.integer(entry.atS);
  reply.integer(entry.durationUs);
  reply.array(entry.args.length);
  for (const bytes of entry.args) reply.bulk(bytes, 0, bytes.length);
  reply.bulkText(entry.address);
  reply.bulkText(entry.clientName);
}

/** SLOWLOG LEN */
function len(c: CommandContext): void {
  const entriesMax = c.services.settings.slowLogEntriesMax;
  ask(c, { newest: 0, resets: false }, (reply, answers) => {
    reply.integer(mergeSlowLogs(answers, 0, entriesMax).count);
  });
}

/** SLOWLOG RESET */
function reset(c: CommandContext): void {
  ask(c, { newest: 0, resets: true }, (reply) => reply.ok());
}

function ask(
  c: CommandContext,
  question: Omit<SlowLogQuestion, "before">,
  finish: (reply: ReplyWriter, answers: readonly SlowLogAnswer[]) => void,
): void {
  const { bus, metrics } = c.services;
  const before = metrics.nextSlowLogNumber;
  c.park(
    bus.ask<SlowLogAnswer>("slow-log", { ...question, before }).then(
      (answers) => (reply) => finish(reply, answers),
      (error: Error) => (reply) => reply.error(`ERR ${error.message}`),
    ),
  );
}

const ROW = {
  kind: KEYLESS,
  flags: LOADING | SLOW | ADMIN | ASKS,
  group: "server",
  since: "2.2.12",
  ...NO_KEY,
} as const;

export const SLOW_LOG_SUBCOMMANDS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "slowlog|get",
    arity: -2,
    summary: "Return the newest entries of the slow log, 10 of them if not told, all for -1",
    run: get,
  },
  {
    ...ROW,
    name: "slowlog|len",
    arity: 2,
    summary: "Return the number of entries in the slow log",
    run: len,
  },
  { ...ROW, name: "slowlog|reset", arity: 2, summary: "Empty the slow log", run: reset },
];

export const SLOW_LOG_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "slowlog",
    arity: -2,
    flags: LOADING | SLOW,
    summary: "Commands about the commands that took long",
    run: (c) => runSubcommand(c, "slowlog", SLOW_LOG_SUBCOMMANDS),
  },
];
