// HSCAN and HRANDFIELD: fields of a hash in steps, and at random.
import { NOT_AN_INTEGER, OUT_OF_LONG_RANGE, OUT_OF_RANGE, SYNTAX } from "../errors.ts";
import { INT64_MIN, parseBigInteger } from "../number_format.ts";
import { latin1 } from "../latin1.ts";
import { RANDOM_FIELDS_MAX } from "../limits.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { globMatches, PATTERN_BYTES_MAX } from "./glob.ts";
import { ONE_KEY } from "./row_parts.ts";
import { COUNT_DEFAULT, COUNT_MAX, PATTERN_TOO_LONG, readCursor } from "./scan.ts";
import { argPosition } from "./string_ranges.ts";

const STAR = 42;
const EMPTY = new Uint8Array(0);
/** With values, Redis takes half as many. */
const PAIRS_MAX = 2n ** 62n - 1n;
/** Of more than one field in so many, a walk over all costs less than drawing until all differ. */
const WALK_FROM_PART = 3;
/** Draws for one field that is to differ from those before: fewer than a third are taken, so 2 are usual. */
const DRAWS_MAX = 200;

/** HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES] */
function hscan(c: CommandContext): void {
  const cursor = readCursor(c, 2);
  if (cursor !== cursor) return c.reply.error("ERR invalid cursor");
  const { hash } = c, found = hash.find(1);
  if (found < 0) return;
  if (found === 0) return replyStep(c, 0, 0);
  let pattern: Uint8Array = EMPTY, isFiltered = false, count = COUNT_DEFAULT, hasValues = true;
  for (let i = 3; i < c.argCount; i++) {
    const hasMore = i + 1 < c.argCount;
    if (c.argIs(i, "COUNT") && hasMore) {
      count = argPosition(c, ++i);
      if (count !== count) return c.reply.error(NOT_AN_INTEGER);
      if (count < 1) return c.reply.error(SYNTAX);
    } else if (c.argIs(i, "MATCH") && hasMore) {
      pattern = c.argBytes(++i);
      if (pattern.length > PATTERN_BYTES_MAX) return c.reply.error(PATTERN_TOO_LONG);
      isFiltered = pattern.length !== 1 || pattern[0] !== STAR;
    } else if (c.argIs(i, "NOVALUES")) hasValues = false;
    else return c.reply.error(SYNTAX);
  }
  const from = Math.min(cursor, Number.MAX_SAFE_INTEGER);
  const next = hash.scan(from, Math.min(count, COUNT_MAX));
  if (c.needsLock) return;
  let fields = 0;
  for (let i = 0; i < hash.scannedCount; i++) {
    hash.openScanned(i);
    if (isFiltered && !isMatch(c, pattern)) continue;
    if (fields === chosen.length) chosen = grown(chosen);
    chosen[fields++] = i;
  }
  replyStep(c, next, hasValues ? fields * 2 : fields);
  for (let i = 0; i < fields; i++) {
    hash.openScanned(chosen[i]);
    hash.replyName();
    if (hasValues) hash.replyValue();
  }
}

/** Fields of a step that are replied with, by their place among those scanned; kept, because it may be long. */
let chosen = new Int32Array(64);

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** The next cursor, and the head of an array of so many replies. */
function replyStep(c: CommandContext, next: number, replies: number): void {
  c.reply.array(2);
  c.reply.bulkText(String(next));
  c.reply.array(replies);
}

function isMatch({ hash }: CommandContext, pattern: Uint8Array): boolean {
  const { bytes, nameStart, nameBytes } = hash;
  return globMatches(pattern, bytes.subarray(nameStart, nameStart + nameBytes));
}

/** HRANDFIELD key [count [WITHVALUES]] */
function hrandfield(c: CommandContext): void {
  const { hash } = c;
  if (c.argCount === 2) {
    const found = hash.find(1);
    if (found > 0 && hash.openRandom()) hash.replyName();
    else if (found >= 0) c.reply.nil();
    return;
  }
  const count = readCount(c);
  if (count !== count) return;
  const hasValues = c.argCount === 4, found = hash.find(1);
  if (found < 0) return;
  if (found === 0 || count === 0) return c.reply.array(0);
  if (count < 0) return replyDrawn(c, -count, hasValues);
  const fields = hash.count();
  if (c.needsLock) return;
  if (count * WALK_FROM_PART < fields) replyDifferent(c, count, hasValues);
  else replyPart(c, Math.min(count, fields), fields, hasValues);
}

/** NaN: it is wrong, and the error is the reply. */
function readCount(c: CommandContext): number {
  const count = parseBigInteger(c.bytes, c.argStart(2), c.argEnd(2));
  let error = "";
  if (count === null) error = NOT_AN_INTEGER;
  else if (count === INT64_MIN) error = OUT_OF_LONG_RANGE;
  else if (c.argCount > 4 || (c.argCount === 4 && !c.argIs(3, "WITHVALUES"))) error = SYNTAX;
  else if (c.argCount === 4 && (count < -PAIRS_MAX || count > PAIRS_MAX)) error = OUT_OF_RANGE;
  else if (count < -RANDOM_FIELDS_MAX) error = OUT_OF_RANGE;
  else return Number(count);
  c.reply.error(error);
  return NaN;
}

/** So many fields, of which some may be the same. */
function replyDrawn(c: CommandContext, count: number, hasValues: boolean): void {
  const { hash, reply } = c, bytesMax = c.services.settings.clientOutputBytesMax;
  beginFields(c, count, hasValues);
  for (let i = 0; i < count; i++) {
    // The connection sees replies only when the command is done: one of gigabytes is not gathered. It ends the client
    // then; here the shard may be held.
    if (reply.out.segmentBytes <= bytesMax && hash.openRandom()) replyField(c, hasValues);
    else if (c.needsLock) return;
    else replyNils(c, hasValues);
  }
}

/** A random part of all fields, in their order: each is taken with the chance that what is left to take has. */
function replyPart(c: CommandContext, count: number, fields: number, hasValues: boolean): void {
  const { hash } = c;
  beginFields(c, count, hasValues);
  hash.rewind();
  let wanted = count, left = fields;
  while (wanted > 0 && hash.next()) {
    if (Math.random() * left-- >= wanted) continue;
    replyField(c, hasValues);
    wanted--;
  }
}

/** Few of many fields, all different. */
function replyDifferent(c: CommandContext, count: number, hasValues: boolean): void {
  const { hash } = c, drawn = new Map<string, { name: Uint8Array; value: Uint8Array }>();
  for (let draws = count * DRAWS_MAX; draws > 0 && drawn.size < count; draws--) {
    if (!hash.openRandom()) break;
    const name = hash.nameCopy(), known = latin1(name);
    if (!drawn.has(known)) drawn.set(known, { name, value: hasValues ? hash.valueCopy() : EMPTY });
  }
  if (c.needsLock) return;
  beginFields(c, drawn.size, hasValues);
  for (const { name, value } of drawn.values()) {
    if (hasValues) c.reply.pair();
    c.reply.bulk(name, 0, name.length);
    if (hasValues) c.reply.bulk(value, 0, value.length);
  }
}

function beginFields({ reply }: CommandContext, count: number, hasValues: boolean): void {
  if (hasValues) reply.pairs(count);
  else reply.array(count);
}

function replyField({ hash, reply }: CommandContext, hasValues: boolean): void {
  if (hasValues) reply.pair();
  hash.replyName();
  if (hasValues) hash.replyValue();
}

function replyNils({ reply }: CommandContext, hasValues: boolean): void {
  if (hasValues) reply.pair();
  reply.nil();
  if (hasValues) reply.nil();
}

const READ = { kind: R.READ, flags: R.SLOW, group: "hash", ...ONE_KEY } as const;

export const HASH_SCAN_ROWS: readonly CommandRow[] = [
  {
    ...READ,
    name: "hscan",
    arity: -3,
    since: "2.8.0",
    summary: "Walk over the fields of a hash in steps",
    run: hscan,
  },
  {
    ...READ,
    name: "hrandfield",
    arity: -2,
    since: "6.2.0",
    summary: "Get fields of a hash at random",
    run: hrandfield,
  },
];
