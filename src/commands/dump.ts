// DUMP and RESTORE: values as payloads of Redis's own format, between servers.
import { BAD_FORMAT, BAD_PAYLOAD, BUSY_KEY, NOT_AN_INTEGER, SYNTAX } from "../errors.ts";
import { fillPieces } from "../piecewise_bytes.ts";
import type { HashField } from "../rdb_hash.ts";
import {
  hashPayload,
  readPayload,
  stringPayload,
  WRONG_FORMAT,
  WRONG_PAYLOAD,
} from "../rdb_payload.ts";
import { INLINE_VALUE_BYTES_MAX, TYPE_HASH } from "../store/store.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { stampBefore } from "./entry_clock.ts";
import { ONE_KEY } from "./row_parts.ts";

const FREQUENCY_MAX = 255;

/** DUMP key */
function dump(c: CommandContext): void {
  if (c.peek(1) === 0) return c.reply.nil();
  let payload: Uint8Array;
  if (c.type === TYPE_HASH) {
    const fields = hashFields(c);
    if (fields.length === 0) return c.reply.nil();
    payload = hashPayload(fields);
  } else {
    if (c.openRead() < 0) return;
    payload = stringPayload(c.valueCopy());
  }
  c.reply.bulk(payload, 0, payload.length);
}

/** Copies of all fields of the hash found; without any, it has expired, or the handler runs again under the lock. */
function hashFields({ hash }: CommandContext): HashField[] {
  const fields: HashField[] = [];
  hash.openPeeked();
  hash.rewind();
  while (hash.next()) {
    const expiresAtMs = hash.fieldExpiresAtMs;
    fields.push({ name: hash.nameCopy(), value: hash.valueCopy(), expiresAtMs });
  }
  return fields;
}

/** RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency] */
function restore(c: CommandContext): void {
  let replaces = false, isMoment = false, idleS = 0, useCount = -1;
  for (let i = 4; i < c.argCount; i++) {
    const hasMore = i + 1 < c.argCount;
    if (c.argIs(i, "REPLACE")) replaces = true;
    else if (c.argIs(i, "ABSTTL")) isMoment = true;
    else if (c.argIs(i, "IDLETIME") && hasMore) {
      idleS = c.argInteger(++i);
      if (idleS !== idleS) return c.failNotInteger();
      if (idleS < 0) return c.reply.error("ERR Invalid IDLETIME value, must be >= 0");
    } else if (c.argIs(i, "FREQ") && hasMore) {
      const frequency = c.argInteger(++i);
      if (frequency !== frequency) return c.failNotInteger();
      if (frequency < 0 || frequency > FREQUENCY_MAX) {
        return c.reply.error("ERR Invalid FREQ value, must be >= 0 and <= 255");
      }
      useCount = frequency;
    } else return c.reply.error(SYNTAX);
  }
  const isThere = c.findForChange(1) !== 0;
  if (isThere && !replaces) return c.reply.error(BUSY_KEY);
  const ttlMs = c.argInteger(2);
  if (ttlMs !== ttlMs) return c.reply.error(NOT_AN_INTEGER);
  if (ttlMs < 0) return c.reply.error("ERR Invalid TTL value, must be >= 0");
  const value = readPayload(c.argBytes(3));
  if (value === WRONG_PAYLOAD) return c.reply.error(BAD_PAYLOAD);
  if (value === WRONG_FORMAT) return c.reply.error(BAD_FORMAT);
  const expiresAtMs = ttlMs === 0 ? 0 : isMoment ? ttlMs : Math.floor(c.nowMs) + ttlMs;
  const isDue = expiresAtMs !== 0 && expiresAtMs <= c.nowMs;
  if (isDue || (Array.isArray(value) && areDue(c, value))) {
    if (isThere) c.remove(1);
    return c.reply.ok();
  }
  const { accessClock } = c;
  if (idleS > 0 || useCount >= 0) c.accessClock = stampBefore(c, idleS, useCount);
  if (store(c, value, expiresAtMs)) c.reply.ok();
  c.accessClock = accessClock;
}

/** Whether all fields have expired already. */
function areDue(c: CommandContext, fields: readonly HashField[]): boolean {
  return fields.every((field) => field.expiresAtMs !== 0 && field.expiresAtMs <= c.nowMs);
}

/** False: no memory, or the error is the reply. */
function store(
  c: CommandContext,
  value: Uint8Array | readonly HashField[],
  expiresAtMs: number,
): boolean {
  if (!(value instanceof Uint8Array)) {
    const live = value.filter((field) => !areDue(c, [field]));
    return c.hash.putWhole(1, live, expiresAtMs);
  }
  if (value.length <= INLINE_VALUE_BYTES_MAX) return c.putBytes(1, value, expiresAtMs);
  const block = c.freshBlock(1, value.length);
  if (block === null) return false;
  fillPieces(block, 0, value);
  return c.putFresh(1, expiresAtMs);
}

export const DUMP_ROWS: readonly CommandRow[] = [
  {
    ...ONE_KEY,
    kind: R.READ,
    flags: R.SLOW,
    group: "generic",
    name: "dump",
    arity: 2,
    since: "2.6.0",
    summary: "Get the value of a key as a payload for RESTORE",
    run: dump,
  },
  {
    ...ONE_KEY,
    kind: R.CHANGE,
    flags: R.DENY_OOM | R.SLOW,
    group: "generic",
    name: "restore",
    arity: -4,
    since: "2.6.0",
    summary: "Store a payload that DUMP gave",
    run: restore,
  },
];
