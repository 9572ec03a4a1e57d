// SCAN, KEYS, RANDOMKEY: walks over all keys in steps, whose cursor any worker can go on with.
import { NOT_AN_INTEGER, SYNTAX } from "../errors.ts";
import { latin1 } from "../latin1.ts";
import { record } from "../store/store.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { globMatches, PATTERN_BYTES_MAX } from "./glob.ts";
import { typeName } from "./keys.ts";
import { NO_KEY } from "./row_parts.ts";

export const COUNT_DEFAULT = 10;
/** COUNT is a hint; more than this at once would hold up a worker's other clients. */
export const COUNT_MAX = 100_000;
/** Entries that KEYS looks at per step. */
const KEYS_STEP = 1_000;
export const PATTERN_TOO_LONG = `ERR pattern is longer than ${PATTERN_BYTES_MAX} bytes`;
const ZERO = 48;
const PLUS = 43;
const MINUS = 45;
const CURSOR_MAX = 2n ** 64n - 1n;
const STAR = 42;

/** SCAN cursor [MATCH pattern] [COUNT count] [TYPE type] */
function scan(c: CommandContext): void {
  const cursor = readCursor(c, 1);
  if (cursor !== cursor) return c.reply.error("ERR invalid cursor");
  let pattern: Uint8Array | null = null, count = COUNT_DEFAULT, type: string | null = null;
  for (let i = 2; i < c.argCount; i += 2) {
    if (i + 1 === c.argCount) return c.reply.error(SYNTAX);
    if (c.argIs(i, "COUNT")) {
      count = c.argInteger(i + 1);
      if (count !== count) return c.reply.error(NOT_AN_INTEGER);
      if (count < 1) return c.reply.error(SYNTAX);
    } else if (c.argIs(i, "MATCH")) {
      pattern = c.argBytes(i + 1);
      if (pattern.length > PATTERN_BYTES_MAX) {
        return c.reply.error(PATTERN_TOO_LONG);
      }
      // A single star takes the empty key too.
      if (pattern.length === 1 && pattern[0] === STAR) pattern = null;
    } else if (c.argIs(i, "TYPE")) type = c.argText(i + 1).toLowerCase();
    else return c.reply.error(SYNTAX);
  }
  const keys: Uint8Array[] = [];
  const database = c.session.database;
  // An empty database is walked through in one step, as in Redis; so is what no cursor of ours points to.
  const isOver = cursor > Number.MAX_SAFE_INTEGER || c.store.entryCounts(database).entries === 0;
  const next = isOver ? 0 : c.store.scan(
    cursor,
    Math.min(count, COUNT_MAX),
    database,
    c.nowMs,
    (key, shard, ref) => {
      if (type !== null && type !== typeName(record.typeOf(shard, ref))) return;
      if (pattern === null || globMatches(pattern, key)) keys.push(key);
    },
  );
  c.reply.array(2);
  c.reply.bulkText(String(next));
  c.reply.array(keys.length);
  for (const key of keys) c.reply.bulk(key, 0, key.length);
}

/** KEYS pattern; a walk in steps, so that nothing is locked for long. */
function keys(c: CommandContext): void {
  const pattern = c.argBytes(1);
  if (pattern.length > PATTERN_BYTES_MAX) return c.reply.error(PATTERN_TOO_LONG);
  const takesAll = pattern.length === 1 && pattern[0] === STAR;
  // Where the index shrinks meanwhile, a walk meets keys twice.
  const found = new Map<string, Uint8Array>();
  let cursor = 0;
  do {
    c.services.signOfLife();
    cursor = c.store.scan(cursor, KEYS_STEP, c.session.database, c.nowMs, (key) => {
      if (takesAll || globMatches(pattern, key)) found.set(latin1(key), key);
    });
  } while (cursor !== 0);
  c.reply.array(found.size);
  for (const key of found.values()) c.reply.bulk(key, 0, key.length);
}

/** RANDOMKEY */
function randomKey(c: CommandContext): void {
  const key = c.store.randomKey(c.session.database, c.nowMs);
  if (key === null) c.reply.nil();
  else c.reply.bulk(key, 0, key.length);
}

/**
 * Argument `index` as a cursor, as C's strtoul reads it for Redis: no digits at all are 0, and a number below 0 counts
 * from 2^64, which is past every cursor of ours. NaN for anything else.
 */
export function readCursor(c: CommandContext, index: number): number {
  const bytes = c.argBytes(index), isSigned = bytes[0] === MINUS || bytes[0] === PLUS;
  let cursor = 0n;
  for (let i = isSigned ? 1 : 0; i < bytes.length; i++) {
    const digit = bytes[i] - ZERO;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    cursor = cursor * 10n + BigInt(digit);
    if (cursor > CURSOR_MAX) return NaN;
  }
  if (isSigned && bytes.length === 1) return NaN;
  return bytes[0] === MINUS && cursor > 0n ? Number(CURSOR_MAX) : Number(cursor);
}

export const SCAN_ROWS: readonly CommandRow[] = [
  {
    name: "scan",
    arity: -2,
    kind: R.KEYLESS,
    flags: R.SLOW,
    ...NO_KEY,
    group: "generic",
    since: "2.8.0",
    summary: "Walk over the keys in steps",
    run: scan,
  },
  {
    name: "keys",
    arity: 2,
    kind: R.KEYLESS,
    flags: R.SLOW,
    ...NO_KEY,
    group: "generic",
    since: "1.0.0",
    summary: "Get all keys that match a pattern",
    run: keys,
  },
  {
    name: "randomkey",
    arity: 1,
    kind: R.KEYLESS,
    flags: 0,
    ...NO_KEY,
    group: "generic",
    since: "1.0.0",
    summary: "Get any key",
    run: randomKey,
  },
];
