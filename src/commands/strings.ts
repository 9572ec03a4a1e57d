// Commands that store and read strings; they know no lock and no protocol.
import { EX, PX, type TimeForm } from "./moments.ts";
import { STRING_TOO_LONG, SYNTAX, wrongArity } from "../errors.ts";
import { TYPE_STRING } from "../store/store.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { ALL_KEYS, KEY_AND_VALUE, ONE_KEY, OWN_SINCE } from "./row_parts.ts";
import { readExpiry, readSetOptions, type SetOptions, timeForm } from "./set_options.ts";

const options: SetOptions = {
  onlyAbsent: false,
  onlyPresent: false,
  keepsExpiry: false,
  repliesOld: false,
  equalIndex: 0,
  expiresAtMs: 0,
};

/** GET key */
export function get(c: CommandContext): void {
  if (c.replyHinted(1)) return;
  if (c.find(1) === 0) c.reply.nil();
  else if (c.requireString()) c.replyValue();
}

/** MGET key [key ...] */
function beginMget(c: CommandContext, keys: number): void {
  c.reply.array(keys);
}

function mgetOne(c: CommandContext, index: number): void {
  if (c.replyHinted(index)) return;
  if (c.find(index) === 0 || c.type !== TYPE_STRING) c.reply.nil();
  else c.replyValue();
}

/** SET key value [NX | XX | IFEQ comparison] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] */
export function set(c: CommandContext): void {
  if (c.argCount === 3) {
    if (c.put(1, 2, c.openExpiry(1))) c.reply.ok();
  } else if (readSetOptions(c, 3, options)) setWith(c);
}

function setWith(c: CommandContext): void {
  const { onlyAbsent, onlyPresent, keepsExpiry, repliesOld, equalIndex } = options;
  let expiresAtMs = options.expiresAtMs === 0 ? c.openExpiry(1) : options.expiresAtMs;
  if (onlyAbsent || onlyPresent || keepsExpiry || repliesOld || equalIndex !== 0) {
    const isThere = c.findForChange(1) !== 0;
    if (repliesOld && !replyOld(c)) return;
    if (isThere && equalIndex !== 0 && !repliesOld && !isReadable(c)) return;
    const isOther = equalIndex !== 0 && !(isThere && c.valueEquals(equalIndex));
    if (isOther || (isThere ? onlyAbsent : onlyPresent)) {
      if (!repliesOld) c.reply.nil();
      return;
    }
    if (keepsExpiry && isThere) expiresAtMs = c.expiresAtMs;
  }
  if (putUntil(c, 2, expiresAtMs) && !repliesOld) c.reply.ok();
}

/** Stores the value; what has expired when it comes is not stored, and takes what was there with it. */
function putUntil(c: CommandContext, valueIndex: number, expiresAtMs: number): boolean {
  if (expiresAtMs === 0 || expiresAtMs > c.nowMs) return c.put(1, valueIndex, expiresAtMs);
  if (c.findForChange(1) !== 0) c.remove(1);
  return true;
}

/** Whether what was found is a string that can be read now; if not, return without reply. */
function isReadable(c: CommandContext): boolean {
  return c.requireString() && c.openRead() >= 0;
}

/** Replies with the value that `findForChange()` found, or nil; false: it is no string, or cannot be read now. */
function replyOld(c: CommandContext): boolean {
  if (c.ref === 0) {
    c.misses++;
    c.reply.nil();
    return true;
  }
  const isString = c.requireString();
  if (isString && c.openRead() < 0) return false;
  c.hits++;
  if (!isString) return false;
  c.replyValue();
  return true;
}

/** PUT key value */
function put(c: CommandContext): void {
  if (c.put(1, 2, c.openExpiry(1))) c.reply.ok();
}

/** SETNX key value */
function setnx(c: CommandContext): void {
  if (c.findForChange(1) !== 0) c.reply.integer(0);
  else if (c.put(1, 2, c.openExpiry(1))) c.reply.integer(1);
}

/** SETEX key seconds value, PSETEX key milliseconds value */
function setFor(name: string, form: TimeForm): (c: CommandContext) => void {
  return (c) => {
    const expiresAtMs = readExpiry(c, 2, form, name);
    if (expiresAtMs !== 0 && c.put(1, 3, expiresAtMs)) c.reply.ok();
  };
}

/** GETSET key value */
function getset(c: CommandContext): void {
  c.findForChange(1);
  if (replyOld(c)) c.put(1, 2, c.openExpiry(1));
}

/** GETDEL key */
function getdel(c: CommandContext): void {
  const isThere = c.findForChange(1) !== 0;
  if (replyOld(c) && isThere) c.remove(1);
}

/** MSET key value [key value ...] */
function mset(c: CommandContext): void {
  if ((c.argCount & 1) === 0) c.reply.error(wrongArity("mset"));
  else if (c.putPairs(1)) c.reply.ok();
}

/** MSETNX key value [key value ...] */
function msetnx(c: CommandContext): void {
  if ((c.argCount & 1) === 0) return c.reply.error(wrongArity("msetnx"));
  for (let i = 1; i < c.argCount; i += 2) {
    if (c.findForChange(i) !== 0) return c.reply.integer(0);
  }
  if (c.putPairs(1)) c.reply.integer(1);
}

/** GETEX key [EX seconds | PX ms | EXAT s | PXAT ms | PERSIST] */
function getex(c: CommandContext): void {
  let form: TimeForm | null = null, timeIndex = 0, isPersist = false;
  for (let i = 2; i < c.argCount; i++) {
    const asked = timeForm(c, i);
    // The same option may come twice, and the last one counts; two different ones contradict each other.
    if (asked !== null && !isPersist && (form === null || form === asked) && i + 1 < c.argCount) {
      form = asked;
      timeIndex = ++i;
    } else if (c.argIs(i, "PERSIST") && form === null) isPersist = true;
    else return c.reply.error(SYNTAX);
  }
  const isThere = c.findForChange(1) !== 0;
  if (isThere && !isReadable(c)) return;
  const expiresAtMs = form === null || !isThere ? 0 : readExpiry(c, timeIndex, form, "getex");
  if (form !== null && isThere && expiresAtMs === 0) return;
  const isKept = !isThere || (form === null && (!isPersist || c.expiresAtMs === 0));
  const isGone = !isKept && expiresAtMs !== 0 && expiresAtMs <= c.nowMs;
  if (!isKept && !isGone && !c.setExpiry(1, expiresAtMs)) return;
  replyOld(c);
  if (isGone) c.remove(1);
}

/** APPEND key value */
function append(c: CommandContext): void {
  const added = c.argLength(2), bytesMax = c.services.settings.valueBytesMax;
  if (c.findForChange(1) === 0) {
    if (added > bytesMax) c.reply.error(STRING_TOO_LONG);
    else if (c.put(1, 2, c.openExpiry(1))) c.reply.integer(added);
    return;
  }
  if (!c.requireString()) return;
  const total = c.valueBytes + added;
  if (total > bytesMax) c.reply.error(STRING_TOO_LONG);
  else if (added === 0 || c.append(1, 2)) c.reply.integer(total);
}

/** STRLEN key */
function strlen(c: CommandContext): void {
  if (c.find(1) === 0) c.reply.integer(0);
  else if (c.requireString()) c.reply.integer(c.valueBytes);
}

const CHANGE = { kind: R.CHANGE, flags: R.DENY_OOM, group: "string", ...KEY_AND_VALUE } as const;
const READ = { kind: R.READ, flags: 0, group: "string", ...ONE_KEY } as const;

export const STRING_ROWS: readonly CommandRow[] = [
  { ...READ, name: "get", arity: 2, since: "1.0.0", summary: "Get the value of a key", run: get },
  {
    name: "mget",
    arity: -2,
    kind: R.READ_EACH,
    flags: R.SLOW,
    ...ALL_KEYS,
    group: "string",
    since: "1.0.0",
    summary: "Get the values of all the given keys",
    begin: beginMget,
    each: mgetOne,
    run: () => {},
  },
  {
    ...CHANGE,
    name: "set",
    arity: -3,
    since: "1.0.0",
    summary: "Set the value and the expiry of a key",
    run: set,
  },
  {
    ...CHANGE,
    name: "put",
    arity: 3,
    since: OWN_SINCE,
    summary: "Set the value of a key; in text mode the value is the rest of the line",
    run: put,
  },
  {
    ...CHANGE,
    name: "setnx",
    arity: 3,
    since: "1.0.0",
    summary: "Set the value of a key, only if the key does not exist",
    run: setnx,
  },
  {
    ...CHANGE,
    name: "setex",
    arity: 4,
    valueArgument: 3,
    since: "2.0.0",
    summary: "Set the value of a key and its time to live in seconds",
    run: setFor("setex", EX),
  },
  {
    ...CHANGE,
    name: "psetex",
    arity: 4,
    valueArgument: 3,
    since: "2.6.0",
    summary: "Set the value of a key and its time to live in milliseconds",
    run: setFor("psetex", PX),
  },
  {
    ...CHANGE,
    name: "getset",
    arity: 3,
    since: "1.0.0",
    summary: "Set the value of a key and return its old value",
    run: getset,
  },
  {
    ...CHANGE,
    name: "getdel",
    arity: 2,
    flags: 0,
    valueArgument: 0,
    since: "6.2.0",
    summary: "Get the value of a key and delete the key",
    run: getdel,
  },
  {
    name: "mset",
    arity: -3,
    kind: R.CHANGE_ALL,
    flags: R.DENY_OOM | R.SLOW,
    firstKey: 1,
    lastKey: -1,
    keyStep: 2,
    valueArgument: -1,
    group: "string",
    since: "1.0.1",
    summary: "Set several keys to their values, all at the same moment",
    run: mset,
  },
  {
    name: "msetnx",
    arity: -3,
    kind: R.CHANGE_ALL,
    flags: R.DENY_OOM | R.SLOW,
    firstKey: 1,
    lastKey: -1,
    keyStep: 2,
    valueArgument: -1,
    group: "string",
    since: "1.0.1",
    summary: "Set several keys to their values, only if none of them exists",
    run: msetnx,
  },
  {
    ...ONE_KEY,
    kind: R.CHANGE,
    flags: 0,
    group: "string",
    name: "getex",
    arity: -2,
    since: "6.2.0",
    summary: "Get the value of a key and set or remove when it expires",
    run: getex,
  },
  {
    ...CHANGE,
    name: "append",
    arity: 3,
    flags: R.DENY_OOM | R.APPENDS,
    since: "2.0.0",
    summary: "Append a value to a key",
    run: append,
  },
  {
    ...READ,
    name: "strlen",
    arity: 2,
    since: "2.2.0",
    summary: "Get the length of the value of a key",
    run: strlen,
  },
];
