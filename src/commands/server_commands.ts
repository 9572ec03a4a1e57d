// Commands about the server as a whole: its size, emptying it, its clock, its end.
import { SYNTAX } from "../errors.ts";
import { ADMIN, type CommandRow, KEYLESS, LOADING, NO_MULTI, SLOW } from "./command_row.ts";
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import type { CommandContext, Finish } from "./context.ts";
import { flushDatabase } from "./databases.ts";
import { replyInfo } from "./info.ts";
import { askSnapshot } from "./persistence_commands.ts";
import { NO_KEY, OWN_SINCE } from "./row_parts.ts";
import { statsJson } from "./stats.ts";

const ALL_DATABASES = -1;

/** DBSIZE */
function dbsize(c: CommandContext): void {
  c.reply.integer(c.store.entryCounts(c.session.database).entries);
}

/** FLUSHDB [ASYNC | SYNC], FLUSHALL [ASYNC | SYNC]; both forms are done when they are answered. */
function flush(all: boolean): (c: CommandContext) => void {
  return (c) => {
    const isPlain = c.argCount === 1;
    if (!isPlain && (c.argCount > 2 || !(c.argIs(1, "ASYNC") || c.argIs(1, "SYNC")))) {
      return c.reply.error(SYNTAX);
    }
    flushDatabase(c, all ? ALL_DATABASES : c.session.database);
    c.reply.ok();
  };
}

/** TIME: seconds and microseconds. */
function time(c: CommandContext): void {
  c.reply.array(2);
  c.reply.bulkText(String(Math.floor(c.nowMs / 1000)));
  c.reply.bulkText(String(Math.floor((c.nowMs % 1000) * 1000)));
}

/** SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]; no reply, the connection ends. */
function shutdown(c: CommandContext): void {
  let saves = false, skipsSave = false, forces = false, aborts = false, now = false;
  for (let i = 1; i < c.argCount; i++) {
    if (c.argIs(i, "NOSAVE")) skipsSave = true;
    else if (c.argIs(i, "SAVE")) saves = true;
    else if (c.argIs(i, "NOW")) now = true;
    else if (c.argIs(i, "FORCE")) forces = true;
    else if (c.argIs(i, "ABORT")) aborts = true;
    else return c.reply.error(SYNTAX);
  }
  if ((saves && skipsSave) || (aborts && (saves || skipsSave || forces || now))) {
    return c.reply.error(SYNTAX);
  }
  if (aborts) return c.reply.error("ERR No shutdown in progress.");
  // The log is written and synced in any case; SAVE makes a snapshot besides, so that the next start is quick.
  if (saves && c.services.ring === null && !forces) {
    return c.reply.error("ERR Cannot save: started with --persistence off; use SHUTDOWN NOSAVE");
  }
  const saved = saves && c.services.ring !== null ? askSnapshot(c) : Promise.resolve(null);
  const session = c.session;
  c.park(
    saved.then((problem) => {
      if (problem !== null && !forces) {
        return (reply: ReplyWriter) =>
          reply.error(`ERR Errors trying to SHUTDOWN. Check logs: ${problem}`);
      }
      return c.services.bus.ask("shutdown", null).then(
        (): Finish => () => {
          session.isClosing = true;
        },
        (error: Error): Finish => (reply) => reply.error(`ERR ${error.message}`),
      );
    }),
  );
}

/** STATS */
function stats(c: CommandContext): void {
  c.reply.bulkText(statsJson(c.services, c.store, c.nowMs));
}

const ROW = { kind: KEYLESS, group: "server", ...NO_KEY } as const;

export const SERVER_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "dbsize",
    arity: 1,
    flags: 0,
    since: "1.0.0",
    summary: "Count the keys of the database",
    run: dbsize,
  },
  {
    ...ROW,
    name: "flushdb",
    arity: -1,
    flags: SLOW,
    since: "1.0.0",
    summary: "Delete all keys of the database",
    run: flush(false),
  },
  {
    ...ROW,
    name: "flushall",
    arity: -1,
    flags: SLOW,
    since: "1.0.0",
    summary: "Delete all keys of all databases",
    run: flush(true),
  },
  {
    ...ROW,
    name: "info",
    arity: -1,
    flags: LOADING | SLOW,
    since: "1.0.0",
    summary: "Tell about the server in sections of lines",
    run: replyInfo,
  },
  {
    ...ROW,
    name: "time",
    arity: 1,
    flags: LOADING,
    since: "2.6.0",
    summary: "Tell the server's time",
    run: time,
  },
  {
    ...ROW,
    name: "shutdown",
    arity: -1,
    flags: LOADING | SLOW | ADMIN | NO_MULTI,
    since: "1.0.0",
    summary: "Stop the server",
    run: shutdown,
  },
  {
    ...ROW,
    name: "stats",
    arity: 1,
    flags: LOADING | SLOW,
    since: OWN_SINCE,
    summary: "Tell hits, misses and service times as one line of JSON",
    run: stats,
  },
];
