// Commands that store and read hashes; they know no lock and no protocol.
import { wrongArity } from "../errors.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { KEEP_EXPIRY } from "./hash_access.ts";
import { NAMES, VALUES } from "./hash_reading.ts";
import { overwriteSeenField, replySeenField, seenValueBytes, UNSEEN } from "./hinted_field.ts";
import { ONE_KEY } from "./row_parts.ts";

/** HSET key field value [field value ...]; −1: it has replied, or has to run again. */
function setPairs(c: CommandContext, name: string): number {
  if ((c.argCount & 1) !== 0) {
    c.reply.error(wrongArity(name));
    return -1;
  }
  if (c.argCount === 4 && overwriteSeenField(c, 1, 2, 3)) return 0;
  const { hash } = c;
  if (hash.findForChange(1) < 0) return -1;
  const pairs = (c.argCount - 2) >> 1;
  if (pairs > 1 && hash.overwritePairs(2, pairs)) {
    hash.commit(1);
    return 0;
  }
  // One pair is stored or not; several must not stop midway.
  if (pairs > 1 && !hash.admitPairs(1, 2, pairs)) return -1;
  let created = 0;
  for (let i = 2; i < c.argCount; i += 2) {
    const added = hash.set(1, i, i + 1, 0);
    if (added < 0) {
      created = -1;
      break;
    }
    created += added;
  }
  hash.commit(1);
  return created;
}

function hset(c: CommandContext): void {
  const created = setPairs(c, "hset");
  if (created >= 0) c.reply.integer(created);
}

/** HMSET key field value [field value ...] */
function hmset(c: CommandContext): void {
  if (setPairs(c, "hmset") >= 0) c.reply.ok();
}

/** HSETNX key field value */
function hsetnx(c: CommandContext): void {
  const { hash } = c, found = hash.findForChange(1);
  if (found < 0) return;
  if (found !== 0 && hash.findField(2)) return c.reply.integer(0);
  const created = hash.set(1, 2, 3, KEEP_EXPIRY);
  hash.commit(1);
  if (created >= 0) c.reply.integer(1);
}

/** HGET key field */
function hget(c: CommandContext): void {
  const { hash } = c;
  if (replySeenField(c, 1, 2)) return;
  const found = hash.find(1);
  if (found < 0) return;
  if (found !== 0 && hash.findField(2)) hash.replyValue();
  else c.reply.nil();
}

/** HMGET key field [field ...] */
function hmget(c: CommandContext): void {
  const { hash, reply } = c, found = hash.find(1);
  if (found < 0) return;
  reply.array(c.argCount - 2);
  for (let i = 2; i < c.argCount; i++) {
    if (found === 0 || !hash.replyField(i)) reply.nil();
  }
}

/** HGETALL key */
function hgetall(c: CommandContext): void {
  const { hash } = c, found = hash.find(1);
  if (found < 0) return;
  c.reply.map(found === 0 ? 0 : hash.count());
  if (found !== 0) hash.replyAll(NAMES | VALUES);
}

/** HKEYS key */
function hkeys(c: CommandContext): void {
  replyArray(c, NAMES);
}

/** HVALS key */
function hvals(c: CommandContext): void {
  replyArray(c, VALUES);
}

function replyArray(c: CommandContext, what: number): void {
  const found = c.hash.find(1);
  if (found < 0) return;
  c.reply.array(found === 0 ? 0 : c.hash.count());
  if (found !== 0) c.hash.replyAll(what);
}

/** HDEL key field [field ...] */
function hdel(c: CommandContext): void {
  const { hash } = c, found = hash.findForChange(1);
  if (found < 0) return;
  let removed = 0;
  if (found !== 0) {
    for (let i = 2; i < c.argCount; i++) if (hash.remove(i)) removed++;
    hash.commit(1);
  }
  c.reply.integer(removed);
}

/** HEXISTS key field */
function hexists(c: CommandContext): void {
  if (seenValueBytes(c, 1, 2) !== UNSEEN) return c.reply.integer(1);
  const found = c.hash.find(1);
  if (found >= 0) c.reply.integer(found !== 0 && c.hash.findField(2) ? 1 : 0);
}

/** HLEN key */
function hlen(c: CommandContext): void {
  const found = c.hash.find(1);
  if (found >= 0) c.reply.integer(found === 0 ? 0 : c.hash.count());
}

/** HSTRLEN key field */
function hstrlen(c: CommandContext): void {
  const seenBytes = seenValueBytes(c, 1, 2);
  if (seenBytes !== UNSEEN) return c.reply.integer(seenBytes);
  const found = c.hash.find(1);
  if (found >= 0) c.reply.integer(found !== 0 && c.hash.findField(2) ? c.hash.valueBytes : 0);
}

const READ = { kind: R.READ, flags: 0, group: "hash", since: "2.0.0", ...ONE_KEY } as const;
const CHANGE = {
  kind: R.CHANGE,
  flags: R.DENY_OOM,
  group: "hash",
  since: "2.0.0",
  ...ONE_KEY,
} as const;

const FIELD = { loadsAhead: R.ONE_FIELD } as const;
const ALL = { loadsAhead: R.ALL_FIELDS } as const;

export const HASH_ROWS: readonly CommandRow[] = [
  { ...CHANGE, name: "hset", ...FIELD, arity: -4, summary: "Set fields of a hash", run: hset },
  {
    ...CHANGE,
    name: "hmset",
    arity: -4,
    summary: "Set fields of a hash; the older name of HSET, which replies OK",
    run: hmset,
  },
  {
    ...CHANGE,
    name: "hsetnx",
    ...FIELD,
    arity: 4,
    summary: "Set a field of a hash, only if it does not exist",
    run: hsetnx,
  },
  { ...READ, name: "hget", ...FIELD, arity: 3, summary: "Get a field of a hash", run: hget },
  {
    ...READ,
    ...ALL,
    name: "hmget",
    arity: -3,
    summary: "Get the given fields of a hash",
    run: hmget,
  },
  {
    ...READ,
    ...ALL,
    name: "hgetall",
    arity: 2,
    summary: "Get all fields of a hash and their values",
    run: hgetall,
  },
  { ...READ, ...ALL, name: "hkeys", arity: 2, summary: "Get the names of all fields", run: hkeys },
  { ...READ, ...ALL, name: "hvals", arity: 2, summary: "Get the values of all fields", run: hvals },
  {
    ...CHANGE,
    flags: 0,
    name: "hdel",
    ...FIELD,
    arity: -3,
    summary: "Delete fields; a hash without fields is gone",
    run: hdel,
  },
  {
    ...READ,
    name: "hexists",
    ...FIELD,
    arity: 3,
    summary: "Tell whether a field exists",
    run: hexists,
  },
  { ...READ, name: "hlen", arity: 2, summary: "Count the fields of a hash", run: hlen },
  {
    ...READ,
    name: "hstrlen",
    ...FIELD,
    arity: 3,
    since: "3.2.0",
    summary: "Get the length of the value of a field",
    run: hstrlen,
  },
];
