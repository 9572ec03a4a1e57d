// Commands that give an entry another name or another database: RENAME, COPY, MOVE, SWAPDB.
import { NO_SUCH_KEY, SAME_OBJECTS, SYNTAX } from "../errors.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { isDatabase, readDatabase, readInt32, selectDatabase, swapDatabases } from "./databases.ts";
import { NO_KEY } from "./row_parts.ts";

/** Where MOVE and COPY name the key in the other database: past all arguments that they have. */
const TARGET = 64;

/** RENAME key newkey, RENAMENX key newkey */
function rename(onlyAbsent: boolean): (c: CommandContext) => void {
  return (c) => {
    if (c.findForChange(1) === 0) return c.reply.error(NO_SUCH_KEY);
    if (isSameKey(c, 1, 2)) return onlyAbsent ? c.reply.integer(0) : c.reply.ok();
    if (onlyAbsent && c.findForChange(2) !== 0) return c.reply.integer(0);
    if (!moveTo(c, 2)) return;
    if (onlyAbsent) c.reply.integer(1);
    else c.reply.ok();
  };
}

/** Stores what argument 1 names under `toIndex`, and removes it there; false: return without reply. */
function moveTo(c: CommandContext, toIndex: number): boolean {
  c.findForChange(1);
  if (!c.putCopy(1, toIndex, c.expiresAtMs)) return false;
  c.findForChange(1);
  c.remove(1);
  return true;
}

function isSameKey(c: CommandContext, a: number, b: number): boolean {
  const first = c.argBytes(a), second = c.argBytes(b);
  return first.length === second.length && first.every((byte, i) => byte === second[i]);
}

/** MOVE key db */
function prepareMove(c: CommandContext): boolean {
  const number = readDatabase(c, 2);
  if (number < 0) return false;
  if (number === c.session.databaseNumber) {
    c.reply.error(SAME_OBJECTS);
    return false;
  }
  c.setTarget(TARGET, 1, c.services.settings.databaseAt(number));
  return true;
}

function move(c: CommandContext): void {
  if (c.findForChange(1) === 0 || c.findForChange(TARGET) !== 0) return c.reply.integer(0);
  if (moveTo(c, TARGET)) c.reply.integer(1);
}

let replaces = false;

/** COPY source destination [DB db] [REPLACE] */
function prepareCopy(c: CommandContext): boolean {
  let number = c.session.databaseNumber;
  replaces = false;
  for (let i = 3; i < c.argCount; i++) {
    if (c.argIs(i, "REPLACE")) replaces = true;
    else if (c.argIs(i, "DB") && i + 1 < c.argCount) {
      number = readDatabase(c, ++i);
      if (number < 0) return false;
    } else {
      c.reply.error(SYNTAX);
      return false;
    }
  }
  if (number === c.session.databaseNumber && isSameKey(c, 1, 2)) {
    c.reply.error(SAME_OBJECTS);
    return false;
  }
  c.setTarget(TARGET, 2, c.services.settings.databaseAt(number));
  return true;
}

function copy(c: CommandContext): void {
  if (c.findForChange(1) === 0) return c.reply.integer(0);
  if (c.findForChange(TARGET) !== 0 && !replaces) return c.reply.integer(0);
  c.findForChange(1);
  if (c.putCopy(1, TARGET, c.expiresAtMs)) c.reply.integer(1);
}

/** SWAPDB index1 index2 */
function swapdb(c: CommandContext): void {
  const first = readInt32(c, 1, "ERR invalid first DB index");
  if (first !== first) return;
  const second = readInt32(c, 2, "ERR invalid second DB index");
  if (second !== second || !isDatabase(c, first) || !isDatabase(c, second)) return;
  swapDatabases(c, first, second);
  selectDatabase(c.session, c.services.settings, c.session.databaseNumber);
  c.reply.ok();
}

const TWO_KEYS = {
  kind: R.CHANGE_ALL,
  group: "generic",
  firstKey: 1,
  lastKey: 2,
  keyStep: 1,
  valueArgument: 0,
} as const;

export const KEY_MOVE_ROWS: readonly CommandRow[] = [
  {
    ...TWO_KEYS,
    name: "rename",
    arity: 3,
    flags: R.COPIES,
    since: "1.0.0",
    summary: "Give a key another name, over whatever had it",
    run: rename(false),
  },
  {
    ...TWO_KEYS,
    name: "renamenx",
    arity: 3,
    flags: R.COPIES,
    since: "1.0.0",
    summary: "Give a key another name, only if no key has it",
    run: rename(true),
  },
  {
    ...TWO_KEYS,
    name: "copy",
    arity: -3,
    flags: R.DENY_OOM | R.COPIES,
    since: "6.2.0",
    summary: "Copy the value of a key to another key, in this database or another",
    prepare: prepareCopy,
    run: copy,
  },
  {
    ...TWO_KEYS,
    lastKey: 1,
    name: "move",
    arity: 3,
    flags: R.COPIES,
    since: "1.0.0",
    summary: "Move a key to another database",
    prepare: prepareMove,
    run: move,
  },
  {
    ...NO_KEY,
    kind: R.KEYLESS,
    group: "server",
    name: "swapdb",
    arity: 3,
    flags: R.SLOW,
    since: "4.0.0",
    summary: "Let two databases change their numbers, for all clients at once",
    run: swapdb,
  },
];
