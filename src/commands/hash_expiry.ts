// The time to live of fields: HEXPIRE and its kin, and the commands that read, take or set fields with it, as Redis 8.
import {
  FIELDS_MISSING,
  FIELDS_NOT_COUNTED,
  invalidExpire,
  NEGATIVE_EXPIRE,
  NO_FIELDS,
  NOT_AN_INTEGER,
  wrongArity,
} from "../errors.ts";
import { FIELD_EXPIRES_AT_MS_MAX } from "../limits.ts";
import { parseBigInteger } from "../number_format.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { KEEP_EXPIRY } from "./hash_access.ts";
import { type Condition, isMet } from "./keys.ts";
import { EX, EXAT, PX, PXAT, type TimeForm } from "./moments.ts";
import { ONE_KEY } from "./row_parts.ts";
import { timeForm } from "./set_options.ts";

/** What is replied for a field. */
const NO_FIELD = -2;
const NO_EXPIRY = -1;
const UNCHANGED = 0;
const CHANGED = 1;
const DELETED = 2;

const ALWAYS: Condition = { nx: false, xx: false, gt: false, lt: false };
const CONDITIONS: readonly (readonly [word: string, condition: Condition])[] = [
  ["NX", { ...ALWAYS, nx: true }],
  ["XX", { ...ALWAYS, xx: true }],
  ["GT", { ...ALWAYS, gt: true }],
  ["LT", { ...ALWAYS, lt: true }],
];
const TOO_FEW_FIELDS = "ERR Parameter `numFields` should be greater than 0";
const EXPIRY_GIVEN = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
const CONDITION_GIVEN = "ERR Only one of FXX or FNX arguments can be specified";

/** The moment that argument `index` means; NaN if it means none, and then the error is the reply. */
function readMoment(c: CommandContext, index: number, form: TimeForm, name: string): number {
  const given = parseBigInteger(c.bytes, c.argStart(index), c.argEnd(index));
  const nowMs = form.isRelative ? c.nowMs : 0;
  if (given === null) c.reply.error(NOT_AN_INTEGER);
  else if (given < 0n) c.reply.error(NEGATIVE_EXPIRE);
  else {
    const moment = nowMs + Number(given) * (form.isSeconds ? 1000 : 1);
    if (moment <= FIELD_EXPIRES_AT_MS_MAX) {
      return form.isRelative && given > 0n ? c.spreadExpiry(moment) : moment;
    }
    c.reply.error(invalidExpire(name));
  }
  return NaN;
}

/** `FIELDS numfields field ...` at argument `at`: the first field's argument; 0: the error is the reply. */
function readFields(c: CommandContext, at: number, noFields = NO_FIELDS): number {
  let error = "";
  if (at >= c.argCount || !c.argIs(at, "FIELDS")) error = FIELDS_MISSING;
  else {
    const count = at + 1 < c.argCount
      ? parseBigInteger(c.bytes, c.argStart(at + 1), c.argEnd(at + 1))
      : null;
    if (count === null || count < 1n) error = noFields;
    else if (count !== BigInt(c.argCount - at - 2)) error = FIELDS_NOT_COUNTED;
    else return at + 2;
  }
  c.reply.error(error);
  return 0;
}

/** HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...], and with other times. */
function hexpire(name: string, form: TimeForm): (c: CommandContext) => void {
  return (c) => {
    const { hash, reply } = c, found = hash.findForChange(1);
    if (found < 0) return;
    const moment = readMoment(c, 2, form, name);
    if (moment !== moment) return;
    const given = CONDITIONS.find(([word]) => c.argIs(3, word));
    const from = readFields(c, given === undefined ? 3 : 4, TOO_FEW_FIELDS);
    if (from === 0) return;
    if (found === 0) return replyNoFields(c, from);
    const condition = given === undefined ? ALWAYS : given[1], isDue = moment <= c.nowMs;
    if (!isDue && !hash.admitFields(1, from, c.argCount - from)) return;
    reply.array(c.argCount - from);
    for (let i = from; i < c.argCount; i++) {
      if (!hash.findField(i)) reply.integer(NO_FIELD);
      else if (!isMet(condition, moment, hash.fieldExpiresAtMs)) reply.integer(UNCHANGED);
      else if (isDue) {
        hash.remove(i);
        reply.integer(DELETED);
      } else if (hash.setFieldExpiry(i, moment)) reply.integer(CHANGED);
      else break;
    }
    hash.commit(1);
  };
}

/**
 * `FIELDS numfields field ...` at argument 2: the first field's argument, with a number to be replied for each. 0: no key
 * was found, or the words are wrong, and the reply is made.
 */
function beginNumbers(c: CommandContext, found: number): number {
  const from = readFields(c, 2);
  if (from === 0) return 0;
  if (found === 0) {
    replyNoFields(c, from);
    return 0;
  }
  c.reply.array(c.argCount - from);
  return from;
}

function replyNoFields({ argCount, reply }: CommandContext, from: number): void {
  reply.array(argCount - from);
  for (let i = from; i < argCount; i++) reply.integer(NO_FIELD);
}

/** HTTL key FIELDS numfields field [field ...], HPTTL, HEXPIRETIME, HPEXPIRETIME */
function hashTimes(msPerUnit: number, isRelative: boolean): (c: CommandContext) => void {
  return (c) => {
    const { hash, reply } = c, found = hash.find(1);
    if (found < 0) return;
    const from = beginNumbers(c, found);
    if (from === 0) return;
    for (let i = from; i < c.argCount; i++) {
      if (!hash.findField(i)) reply.integer(NO_FIELD);
      else if (hash.fieldExpiresAtMs === 0) reply.integer(NO_EXPIRY);
      else {
        const ms = hash.fieldExpiresAtMs - (isRelative ? Math.floor(c.nowMs) : 0);
        // Rounded up; torn moments are cut to what can be replied.
        reply.integer(Math.min(FIELD_EXPIRES_AT_MS_MAX, Math.max(0, Math.ceil(ms / msPerUnit))));
      }
    }
  };
}

/** HPERSIST key FIELDS numfields field [field ...] */
function hpersist(c: CommandContext): void {
  const { hash, reply } = c, found = hash.findForChange(1);
  if (found < 0) return;
  const from = beginNumbers(c, found);
  if (from === 0) return;
  for (let i = from; i < c.argCount; i++) {
    if (!hash.findField(i)) reply.integer(NO_FIELD);
    else if (hash.fieldExpiresAtMs === 0) reply.integer(NO_EXPIRY);
    else if (hash.setFieldExpiry(i, 0)) reply.integer(CHANGED);
    else break;
  }
  hash.commit(1);
}

/** HGETDEL key FIELDS numfields field [field ...] */
function hgetdel(c: CommandContext): void {
  const { hash, reply } = c, found = hash.findForChange(1);
  if (found < 0) return;
  const from = readFields(c, 2);
  if (from === 0) return;
  reply.array(c.argCount - from);
  for (let i = from; i < c.argCount; i++) {
    if (found !== 0 && hash.findField(i)) {
      hash.replyValue();
      hash.remove(i);
    } else reply.nil();
  }
  if (found !== 0) hash.commit(1);
}

/** HGETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] FIELDS numfields field [field ...] */
function hgetex(c: CommandContext): void {
  const { hash, reply } = c, found = hash.findForChange(1);
  if (found < 0) return;
  const form = timeForm(c, 2), isPersist = form === null && c.argIs(2, "PERSIST");
  const moment = form === null ? 0 : readMoment(c, 3, form, "hgetex");
  if (moment !== moment) return;
  const from = readFields(c, form !== null ? 4 : isPersist ? 3 : 2);
  if (from === 0) return;
  const isChanging = form !== null || isPersist, isDue = form !== null && moment <= c.nowMs;
  reply.array(c.argCount - from);
  for (let i = from; i < c.argCount; i++) {
    if (found === 0 || !hash.findField(i)) {
      reply.nil();
      continue;
    }
    hash.replyValue();
    if (isDue) hash.remove(i);
    else if (
      isChanging && hash.fieldExpiresAtMs !== moment && !hash.setFieldExpiry(i, moment)
    ) break;
  }
  if (found !== 0) hash.commit(1);
}

interface SetOptions {
  /** Whether all fields have to be there, or none. */
  onlyPresent: boolean;
  onlyAbsent: boolean;
  expiresAtMs: number;
  /** The first field's argument. */
  from: number;
}

/** HSETEX key [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] FIELDS numfields field value [...] */
function hsetex(c: CommandContext): void {
  const options = readSetOptions(c);
  if (options === null) return;
  const { onlyPresent, onlyAbsent, expiresAtMs, from } = options;
  const { hash, reply } = c, found = hash.findForChange(1);
  if (found < 0) return;
  if (onlyPresent || onlyAbsent) {
    for (let i = from; i < c.argCount; i += 2) {
      if ((found !== 0 && hash.findField(i)) !== onlyPresent) return reply.integer(0);
    }
  }
  if (expiresAtMs > 0 && expiresAtMs <= c.nowMs) {
    // Set and gone at once.
    if (found !== 0) { for (let i = from; i < c.argCount; i += 2) hash.remove(i); }
    hash.commit(1);
    return reply.integer(1);
  }
  if (!hash.admitPairs(1, from, (c.argCount - from) >> 1, expiresAtMs > 0)) return;
  let isSet = true;
  for (let i = from; i < c.argCount && isSet; i += 2) {
    isSet = hash.set(1, i, i + 1, expiresAtMs) >= 0;
  }
  hash.commit(1);
  if (isSet) reply.integer(1);
}

/** Null: they are wrong, and the error is the reply. */
function readSetOptions(c: CommandContext): SetOptions | null {
  const options = { onlyPresent: false, onlyAbsent: false, expiresAtMs: 0, from: 0 };
  let isExpiryGiven = false;
  for (let i = 2; i < c.argCount; i++) {
    const form = timeForm(c, i), isKeeping = form === null && c.argIs(i, "KEEPTTL");
    if (c.argIs(i, "FIELDS")) return readPairs(c, i) ? { ...options, from: i + 2 } : null;
    if (form !== null || isKeeping) {
      if (isExpiryGiven) return failed(c, EXPIRY_GIVEN);
      isExpiryGiven = true;
      if (form === null) options.expiresAtMs = KEEP_EXPIRY;
      else {
        if (++i === c.argCount) return failed(c, "ERR missing expire time");
        options.expiresAtMs = readMoment(c, i, form, "hsetex");
        if (options.expiresAtMs !== options.expiresAtMs) return null;
        // The first moment of all is past, and 0 would be none.
        if (options.expiresAtMs === 0) options.expiresAtMs = 1;
      }
    } else if (c.argIs(i, "FXX") || c.argIs(i, "FNX")) {
      if (options.onlyPresent || options.onlyAbsent) return failed(c, CONDITION_GIVEN);
      options.onlyPresent = c.argIs(i, "FXX");
      options.onlyAbsent = !options.onlyPresent;
    } else return failed(c, `ERR unknown argument: ${c.argText(i)}`);
  }
  return failed(c, wrongArity("hsetex"));
}

/** Whether `FIELDS numfields` at argument `at` counts the pairs behind it; if not, the error is the reply. */
function readPairs(c: CommandContext, at: number): boolean {
  const count = at + 3 < c.argCount ? c.argInteger(at + 1) : -1;
  if (at + 3 >= c.argCount) c.reply.error(wrongArity("hsetex"));
  else if (!(count >= 1 && count < 2 ** 31)) c.reply.error("ERR invalid number of fields");
  else if (count * 2 !== c.argCount - at - 2) c.reply.error(wrongArity("hsetex"));
  else return true;
  return false;
}

function failed(c: CommandContext, text: string): null {
  c.reply.error(text);
  return null;
}

const READ = { kind: R.READ, flags: 0, group: "hash", since: "7.4.0", ...ONE_KEY } as const;
const CHANGE = { kind: R.CHANGE, flags: 0, group: "hash", since: "7.4.0", ...ONE_KEY } as const;
const EXPIRE = { ...CHANGE, flags: R.DENY_OOM, arity: -6 } as const;

export const HASH_EXPIRY_ROWS: readonly CommandRow[] = [
  {
    ...EXPIRE,
    name: "hexpire",
    summary: "Set the time to live of fields in seconds",
    run: hexpire("hexpire", EX),
  },
  {
    ...EXPIRE,
    name: "hpexpire",
    summary: "Set the time to live of fields in milliseconds",
    run: hexpire("hpexpire", PX),
  },
  {
    ...EXPIRE,
    name: "hexpireat",
    summary: "Set the moment at which fields expire, in seconds since 1970",
    run: hexpire("hexpireat", EXAT),
  },
  {
    ...EXPIRE,
    name: "hpexpireat",
    summary: "Set the moment at which fields expire, in milliseconds since 1970",
    run: hexpire("hpexpireat", PXAT),
  },
  {
    ...READ,
    name: "httl",
    arity: -5,
    summary: "Get the time to live of fields in seconds",
    run: hashTimes(1000, true),
  },
  {
    ...READ,
    name: "hpttl",
    arity: -5,
    summary: "Get the time to live of fields in milliseconds",
    run: hashTimes(1, true),
  },
  {
    ...READ,
    name: "hexpiretime",
    arity: -5,
    summary: "Get the moment at which fields expire, in seconds since 1970",
    run: hashTimes(1000, false),
  },
  {
    ...READ,
    name: "hpexpiretime",
    arity: -5,
    summary: "Get the moment at which fields expire, in milliseconds since 1970",
    run: hashTimes(1, false),
  },
  {
    ...CHANGE,
    name: "hpersist",
    arity: -5,
    summary: "Remove the expiry of fields",
    run: hpersist,
  },
  {
    ...CHANGE,
    name: "hgetdel",
    arity: -5,
    since: "8.0.0",
    summary: "Get fields and delete them",
    run: hgetdel,
  },
  {
    ...CHANGE,
    name: "hgetex",
    arity: -5,
    since: "8.0.0",
    summary: "Get fields, and set or remove when they expire",
    run: hgetex,
  },
  {
    ...CHANGE,
    flags: R.DENY_OOM,
    name: "hsetex",
    arity: -6,
    since: "8.0.0",
    summary: "Set fields and when they expire",
    run: hsetex,
  },
];
