// Commands about snapshots and log: they ask main, which asks the keeper; nothing is written here.
import { SYNTAX } from "../errors.ts";
import { ADMIN, type CommandRow, KEYLESS, NO_MULTI, SLOW } from "./command_row.ts";
import type { CommandContext, Finish } from "./context.ts";
import { NO_KEY, OWN_SINCE } from "./row_parts.ts";

/** A snapshot of a large store takes seconds; who waits for one waits as long as main lets him. */
const SNAPSHOT_MS_MAX = 3_600_000;
const OFF = "ERR this server keeps nothing on disk: it was started with --persistence off";
/** Redis's words. */
const RUNNING = "ERR Background save already in progress";

/** Asks for a snapshot; resolves with why there is none, or null. */
export function askSnapshot(c: CommandContext): Promise<string | null> {
  return c.services.bus.ask<string | null>("snapshot", null, SNAPSHOT_MS_MAX).then(
    ([error]) => error,
    (error: Error) => error.message,
  );
}

/** The reply is written when the snapshot stands. */
function parkForSnapshot(c: CommandContext): void {
  if (c.services.ring === null) return c.reply.error(OFF);
  c.park(
    askSnapshot(c).then((error): Finish => (reply) => {
      if (error === null) reply.ok();
      else reply.error(`ERR ${error}`);
    }),
  );
}

/** SAVE, COMPACT */
function save(c: CommandContext): void {
  parkForSnapshot(c);
}

/** BGSAVE [SCHEDULE] */
function bgsave(c: CommandContext): void {
  const isScheduled = c.argCount === 2 && c.argIs(1, "SCHEDULE");
  if (c.argCount > 2 || (c.argCount === 2 && !isScheduled)) return c.reply.error(SYNTAX);
  if (c.services.ring === null) return c.reply.error(OFF);
  if (isRunning(c)) {
    if (!isScheduled) return c.reply.error(RUNNING);
    void askSnapshot(c);
    return c.reply.status("Background saving scheduled");
  }
  void askSnapshot(c);
  c.reply.status("Background saving started");
}

/** BGREWRITEAOF */
function bgrewriteaof(c: CommandContext): void {
  if (c.services.ring === null) return c.reply.error(OFF);
  void askSnapshot(c);
  c.reply.status(
    isRunning(c)
      ? "Background append only file rewriting scheduled"
      : "Background append only file rewriting started",
  );
}

/** LASTSAVE: when the last snapshot was made, in s since 1970; before the first, when the server started. */
function lastsave(c: CommandContext): void {
  c.reply.integer(lastSaveS(c));
}

export function lastSaveS({ services }: Pick<CommandContext, "services">): number {
  const atMs = services.ring?.number("snapshotAtMs") || services.startedAtMs;
  return Math.floor(atMs / 1000);
}

function isRunning(c: CommandContext): boolean {
  return c.services.ring!.number("snapshotRunningSinceMs") !== 0;
}

const ROW = { kind: KEYLESS, group: "server", ...NO_KEY, flags: SLOW | ADMIN } as const;

export const PERSISTENCE_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    flags: SLOW | ADMIN | NO_MULTI,
    name: "save",
    arity: 1,
    since: "1.0.0",
    summary: "Make a snapshot and wait for it",
    run: save,
  },
  {
    ...ROW,
    name: "bgsave",
    arity: -1,
    since: "1.0.0",
    summary: "Make a snapshot in the background",
    run: bgsave,
  },
  {
    ...ROW,
    name: "bgrewriteaof",
    arity: 1,
    since: "1.0.0",
    summary: "Compact the log in the background",
    run: bgrewriteaof,
  },
  {
    ...ROW,
    name: "lastsave",
    arity: 1,
    since: "1.0.0",
    summary: "Tell when the last snapshot was made",
    run: lastsave,
  },
  {
    ...ROW,
    flags: SLOW | ADMIN | NO_MULTI,
    name: "compact",
    arity: 1,
    since: OWN_SINCE,
    summary: "Make a snapshot, drop the log that it covers, and wait for both",
    run: save,
  },
];
