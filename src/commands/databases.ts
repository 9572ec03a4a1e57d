// Databases as a whole: which one a client means, and the commands that empty or swap them.
//
// What changes a database takes all locks itself, so it is for commands without keys.
import type { Session } from "../session.ts";
import type { Settings } from "../settings.ts";
import type { CommandContext } from "./context.ts";

/** Makes this the session's database: 0 to 15, as clients number them, whatever it is swapped with meanwhile. */
export function selectDatabase(session: Session, settings: Settings, number: number): void {
  session.databaseVersion = settings.databaseVersion;
  session.databaseNumber = number;
  session.database = settings.databaseAt(number);
}

/** Removes all entries of a database, or of all of them (−1). */
export function flushDatabase(c: CommandContext, database: number): void {
  c.store.flush(database, () => tellGroup(c, () => c.effects?.flush(database)));
}

/** Lets two databases change their numbers. */
export function swapDatabases(c: CommandContext, first: number, second: number): void {
  const { settings } = c.services;
  c.store.withAllLocked(() => {
    settings.swapDatabases(first, second);
    tellGroup(c, () => c.effects?.databases(settings.databaseTable()));
  });
}

/** The change is a group of its own, or part of its transaction's. */
function tellGroup({ isInTransaction, effects }: CommandContext, tell: () => void): void {
  if (isInTransaction) return tell();
  effects?.begin();
  tell();
  effects?.end();
  effects?.publish();
}
