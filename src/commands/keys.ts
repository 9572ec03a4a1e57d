// Commands for keys whatever they hold: there or not, gone, for how long.
import { invalidExpire, NOT_AN_INTEGER } from "../errors.ts";
import { TYPE_HASH, TYPE_STRING } from "../store/store.ts";
import { INT64_MAX } from "../number_format.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { EX, EXAT, OUT_OF_RANGE, PX, PXAT, readMoment, type TimeForm } from "./moments.ts";
import { ALL_KEYS, ONE_KEY, OWN_SINCE } from "./row_parts.ts";

/** DEL key [key ...]; TOUCH key [key ...] counts as EXISTS does. */
function beginCount(c: CommandContext): void {
  c.count = 0;
}

function delOne(c: CommandContext, index: number): void {
  if (c.findForChange(index) === 0) return;
  c.remove(index);
  c.count++;
}

/** A person who types DEL wants to know that it is gone, a program how many there were. */
function replyDeleted(c: CommandContext): void {
  if (c.isText) c.reply.ok();
  else c.reply.integer(c.count);
}

/** EXISTS key [key ...]; a key given twice counts twice. */
function existsOne(c: CommandContext, index: number): void {
  if (isThere(c, index)) c.count++;
}

/**
 * `find()` for who asks only whether there is a key: a hash that holds nothing but expired fields is none, though it is
 * removed later. Large ones are not looked through for it: that would take as long as HLEN.
 */
function isThere(c: CommandContext, index: number): boolean {
  if (c.find(index) === 0) return false;
  if (c.type !== TYPE_HASH) return true;
  c.hash.openPeeked();
  if (!c.hash.isSmall || c.hash.count() > 0) return true;
  c.hits--;
  c.misses++;
  return false;
}

function replyCount(c: CommandContext): void {
  c.reply.integer(c.count);
}

/** EXPIRE key seconds [NX | XX | GT | LT], PEXPIRE key milliseconds [NX | XX | GT | LT] */
function expire(name: string, form: TimeForm): (c: CommandContext) => void {
  return (c) => {
    const condition = readCondition(c);
    if (condition === null) return;
    const given = readMoment(c, 2, form);
    if (given !== given) return c.reply.error(NOT_AN_INTEGER);
    if (given === OUT_OF_RANGE) return c.reply.error(invalidExpire(name));
    const moment = form.isRelative ? c.spreadExpiry(given) : given;
    if (c.findForChange(1) === 0 || !isMet(condition, moment, c.expiresAtMs)) {
      return c.reply.integer(0);
    }
    if (moment <= c.nowMs) c.remove(1);
    else if (!c.setExpiry(1, moment)) return;
    c.reply.integer(1);
  };
}

export interface Condition {
  nx: boolean;
  xx: boolean;
  gt: boolean;
  lt: boolean;
}

/** Null if the options are wrong, and then the error is the reply. */
function readCondition(c: CommandContext): Condition | null {
  const condition = { nx: false, xx: false, gt: false, lt: false };
  for (let i = 3; i < c.argCount; i++) {
    if (c.argIs(i, "NX")) condition.nx = true;
    else if (c.argIs(i, "XX")) condition.xx = true;
    else if (c.argIs(i, "GT")) condition.gt = true;
    else if (c.argIs(i, "LT")) condition.lt = true;
    else {
      c.reply.error(`ERR Unsupported option ${c.argText(i)}`);
      return null;
    }
  }
  const { nx, xx, gt, lt } = condition;
  if (nx && (xx || gt || lt)) {
    c.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return null;
  }
  if (gt && lt) {
    c.reply.error("ERR GT and LT options at the same time are not compatible");
    return null;
  }
  return condition;
}

/** `nowExpires` is the present moment of expiry; 0 is never, which is later than any. */
export function isMet({ nx, xx, gt, lt }: Condition, moment: number, nowExpires: number): boolean {
  if (nx && nowExpires !== 0) return false;
  if (xx && nowExpires === 0) return false;
  if (gt && (nowExpires === 0 || moment <= nowExpires)) return false;
  return !(lt && nowExpires !== 0 && moment >= nowExpires);
}

/** TTL key, PTTL key: −2 without the key, −1 without an end. */
function ttl(msPerUnit: number): (c: CommandContext) => void {
  return (c) => {
    if (c.find(1) === 0) return c.reply.integer(-2);
    const expiresAtMs = c.expiresAtMs;
    if (expiresAtMs === 0) return c.reply.integer(-1);
    const leftMs = Math.max(0, expiresAtMs - c.nowMs);
    replyWhole(c, Math.floor((leftMs + msPerUnit / 2) / msPerUnit));
  };
}

function replyWhole(c: CommandContext, number: number): void {
  if (Number.isSafeInteger(number)) c.reply.integer(number);
  // Not a number: torn, and taken back.
  else c.reply.bigInteger(number >= 2 ** 63 ? INT64_MAX : number > 0 ? BigInt(number) : 0n);
}

/** EXPIRETIME key, PEXPIRETIME key: −2 without the key, −1 without an end. */
function expireTime(msPerUnit: number): (c: CommandContext) => void {
  return (c) => {
    if (c.find(1) === 0) return c.reply.integer(-2);
    const expiresAtMs = c.expiresAtMs;
    if (expiresAtMs === 0) return c.reply.integer(-1);
    replyWhole(c, Math.floor((expiresAtMs + msPerUnit / 2) / msPerUnit));
  };
}

/** PERSIST key */
function persist(c: CommandContext): void {
  if (c.findForChange(1) === 0 || c.expiresAtMs === 0) return c.reply.integer(0);
  c.setExpiry(1, 0);
  c.reply.integer(1);
}

/** TYPE key */
function type(c: CommandContext): void {
  c.reply.status(isThere(c, 1) ? typeName(c.type) : "none");
}

/** As TYPE and SCAN's TYPE call it; `none` for what is no type. */
export function typeName(type: number): string {
  return type === TYPE_STRING ? "string" : type === TYPE_HASH ? "hash" : "none";
}

const READ = { kind: R.READ, flags: 0, group: "generic", ...ONE_KEY } as const;
const CHANGE = { kind: R.CHANGE, flags: 0, group: "generic", ...ONE_KEY } as const;
const DELETION = {
  arity: -2,
  kind: R.CHANGE_EACH,
  flags: R.SLOW,
  ...ALL_KEYS,
  group: "generic",
  begin: beginCount,
  each: delOne,
  run: replyDeleted,
} as const;

export const KEY_ROWS: readonly CommandRow[] = [
  { ...DELETION, name: "del", since: "1.0.0", summary: "Delete keys" },
  { ...DELETION, name: "delete", since: OWN_SINCE, summary: "Delete keys, as DEL does" },
  { ...DELETION, name: "unlink", since: "4.0.0", summary: "Delete keys; memory is freed at once" },
  {
    name: "exists",
    arity: -2,
    kind: R.READ_EACH,
    flags: R.SLOW,
    ...ALL_KEYS,
    group: "generic",
    since: "1.0.0",
    summary: "Count which of the given keys exist",
    begin: beginCount,
    each: existsOne,
    run: replyCount,
  },
  {
    ...CHANGE,
    name: "expire",
    arity: -3,
    since: "1.0.0",
    summary: "Set a key's time to live in seconds",
    run: expire("expire", EX),
  },
  {
    ...CHANGE,
    name: "pexpire",
    arity: -3,
    since: "2.6.0",
    summary: "Set a key's time to live in milliseconds",
    run: expire("pexpire", PX),
  },
  {
    ...CHANGE,
    name: "expireat",
    arity: -3,
    since: "1.2.0",
    summary: "Set the moment at which a key expires, in seconds since 1970",
    run: expire("expireat", EXAT),
  },
  {
    ...CHANGE,
    name: "pexpireat",
    arity: -3,
    since: "2.6.0",
    summary: "Set the moment at which a key expires, in milliseconds since 1970",
    run: expire("pexpireat", PXAT),
  },
  {
    ...READ,
    name: "expiretime",
    arity: 2,
    since: "7.0.0",
    summary: "Get the moment at which a key expires, in seconds since 1970",
    run: expireTime(1000),
  },
  {
    ...READ,
    name: "pexpiretime",
    arity: 2,
    since: "7.0.0",
    summary: "Get the moment at which a key expires, in milliseconds since 1970",
    run: expireTime(1),
  },
  {
    name: "touch",
    arity: -2,
    kind: R.READ_EACH,
    flags: R.SLOW,
    ...ALL_KEYS,
    group: "generic",
    since: "3.2.1",
    summary: "Count which of the given keys exist, and note that they were used",
    begin: beginCount,
    each: existsOne,
    run: replyCount,
  },
  {
    ...READ,
    name: "ttl",
    arity: 2,
    since: "1.0.0",
    summary: "Get the time to live of a key in seconds",
    run: ttl(1000),
  },
  {
    ...READ,
    name: "pttl",
    arity: 2,
    since: "2.6.0",
    summary: "Get the time to live of a key in milliseconds",
    run: ttl(1),
  },
  {
    ...CHANGE,
    name: "persist",
    arity: 2,
    since: "2.2.0",
    summary: "Remove the expiry of a key",
    run: persist,
  },
  {
    ...READ,
    name: "type",
    arity: 2,
    since: "1.0.0",
    summary: "Tell what kind of value a key holds",
    run: type,
  },
];
