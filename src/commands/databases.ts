// Databases as a whole: which one a client means, and the commands that empty or swap them.
//
// What changes a database takes all locks itself, so it is for commands without keys.
import { DATABASE_OUT_OF_RANGE, NOT_AN_INTEGER } from "../errors.ts";
import { parseBigInteger } from "../number_format.ts";
import type { Session } from "../session.ts";
import type { Settings } from "../settings.ts";
import { DATABASES } from "../store/store.ts";
import type { CommandContext } from "./context.ts";

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);
const OUT_OF_INT32 = `ERR value is out of range, value must between ${INT32_MIN} and ${INT32_MAX}`;

/**
 * The argument as a number of 32 bits, which is what databases are told apart by; NaN if it is none, and then the error
 * is the reply: `refusal`, where the command has words of its own.
 */
export function readInt32(c: CommandContext, index: number, refusal: string | null = null): number {
  const number = c.argInteger(index);
  if (number >= INT32_MIN && number <= INT32_MAX) return number;
  const isNumber = parseBigInteger(c.bytes, c.argStart(index), c.argEnd(index)) !== null;
  c.reply.error(refusal ?? (isNumber ? OUT_OF_INT32 : NOT_AN_INTEGER));
  return NaN;
}

/** The database that argument `index` names; −1 if it names none, and then the error is the reply. */
export function readDatabase(c: CommandContext, index: number): number {
  const number = readInt32(c, index);
  return number === number && isDatabase(c, number) ? number : -1;
}

/** Whether there is a database with this number; if not, the error is the reply. */
export function isDatabase(c: CommandContext, number: number): boolean {
  if (number >= 0 && number < DATABASES) return true;
  c.reply.error(DATABASE_OUT_OF_RANGE);
  return false;
}

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
