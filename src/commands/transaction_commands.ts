// MULTI, EXEC, DISCARD, WATCH, UNWATCH: what they say; queueing and running are others'.
import * as errors from "../errors.ts";
import { WATCHED_KEYS_MAX } from "../limits.ts";
import { KEYLESS, LOADING, SLOW } from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { NO_KEY } from "./row_parts.ts";

/** MULTI */
function multi(c: CommandContext): void {
  if (c.session.transaction?.isOpen) return c.reply.error(errors.NESTED_MULTI);
  c.transactions.queue.open(c);
  c.reply.ok();
}

/** EXEC */
function exec(c: CommandContext): void {
  if (!c.session.transaction?.isOpen) return c.reply.error(errors.EXEC_WITHOUT_MULTI);
  c.transactions.run(c);
}

/** DISCARD */
function discard(c: CommandContext): void {
  if (!c.session.transaction?.isOpen) return c.reply.error(errors.DISCARD_WITHOUT_MULTI);
  c.transactions.queue.end(c.session);
  c.reply.ok();
}

/** WATCH key [key ...] */
function watch(c: CommandContext): void {
  const { transaction } = c.session;
  if (transaction?.isOpen) return c.reply.error(errors.WATCH_INSIDE_MULTI);
  if ((transaction?.watchCount ?? 0) + c.argCount - 1 > WATCHED_KEYS_MAX) {
    return c.reply.error(errors.WATCHED_TOO_MANY);
  }
  c.transactions.queue.watch(c);
  c.reply.ok();
}

/** UNWATCH */
function unwatch(c: CommandContext): void {
  c.transactions.queue.unwatch(c.session);
  c.reply.ok();
}

const ROW = { kind: KEYLESS, group: "transactions", flags: LOADING, ...NO_KEY } as const;

export const TRANSACTION_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "multi",
    arity: 1,
    since: "1.2.0",
    summary: "Begin a transaction: commands are queued until EXEC",
    run: multi,
  },
  {
    ...ROW,
    name: "exec",
    arity: 1,
    flags: LOADING | SLOW,
    since: "1.2.0",
    summary: "Run all queued commands at one moment",
    run: exec,
  },
  {
    ...ROW,
    name: "discard",
    arity: 1,
    since: "2.0.0",
    summary: "Drop all queued commands",
    run: discard,
  },
  {
    ...ROW,
    name: "watch",
    arity: -2,
    firstKey: 1,
    lastKey: -1,
    keyStep: 1,
    since: "2.2.0",
    summary: "Let the next EXEC do nothing if any of these keys has been changed by then",
    run: watch,
  },
  {
    ...ROW,
    name: "unwatch",
    arity: 1,
    since: "2.2.0",
    summary: "Forget all watched keys",
    run: unwatch,
  },
];
