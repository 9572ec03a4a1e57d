// The options of SET and the moments that times mean, at the limits of their numbers.
import assert from "node:assert/strict";
import { CommandContext } from "../../src/commands/context.ts";
import {
  EX,
  EXAT,
  OUT_OF_RANGE,
  PX,
  PXAT,
  readMoment,
  type TimeForm,
} from "../../src/commands/moments.ts";
import { readSetOptions, type SetOptions } from "../../src/commands/set_options.ts";
import type { Services } from "../../src/commands/services.ts";
import type { ReplyWriter } from "../../src/protocol/reply_writer.ts";
import { RequestBatch } from "../../src/protocol/request_batch.ts";
import { createStoreMemory, Store } from "../../src/store/store.ts";

const NOW_MS = 1_700_000_000_123;
const store = new Store(
  createStoreMemory({ maxmemoryBytes: 2 ** 22, maxValueBytes: 2 ** 16, shardCount: 1 }),
);

/** A context with these arguments, and the errors that were replied. */
function contextOf(...args: string[]): { c: CommandContext; errors: string[] } {
  const text = args.join("");
  const bytes = new Uint8Array(text.length + 8);
  const batch = new RequestBatch();
  batch.reset(bytes, new DataView(bytes.buffer));
  let at = 0;
  for (const arg of args) {
    batch.argStart[batch.argCount] = at;
    for (const char of arg) bytes[at++] = char.charCodeAt(0);
    batch.argEnd[batch.argCount++] = at;
  }
  const errors: string[] = [];
  const services = {
    config: { ttlRules: [] as const },
    settings: { defaultTtlS: 0, ttlJitterPercent: 0 },
  };
  const c = new CommandContext(store, services as unknown as Services, null);
  c.batch = batch;
  c.argCount = args.length;
  c.nowMs = NOW_MS;
  c.reply = { error: (text: string) => void errors.push(text) } as unknown as ReplyWriter;
  return { c, errors };
}

function options(...args: string[]): Partial<SetOptions> | string {
  const { c, errors } = contextOf("SET", "k", "v", ...args);
  const found = { onlyAbsent: true, expiresAtMs: 5 } as SetOptions;
  const isRight = readSetOptions(c, 3, found);
  assert.equal(errors.length, isRight ? 0 : 1, "an error exactly where it is refused");
  if (!isRight) return errors[0];
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value));
}

const SYNTAX = "ERR syntax error";
const INVALID = "ERR invalid expire time in 'set' command";
const NO_INTEGER = "ERR value is not an integer or out of range";

Deno.test("readSetOptions() takes every option in any order and case", () => {
  assert.deepEqual(options(), {});
  assert.deepEqual(options("nx"), { onlyAbsent: true });
  assert.deepEqual(options("XX", "get"), { onlyPresent: true, repliesOld: true });
  assert.deepEqual(options("KeepTtl"), { keepsExpiry: true });
  const expected = { onlyAbsent: true, repliesOld: true, expiresAtMs: NOW_MS + 10_000 };
  assert.deepEqual(options("EX", "10", "NX", "GET"), expected);
  assert.deepEqual(options("GET", "NX", "EX", "10"), expected);
  assert.deepEqual(options("px", "1"), { expiresAtMs: NOW_MS + 1 });
  assert.deepEqual(options("exat", "5"), { expiresAtMs: 5000 });
  assert.deepEqual(options("PXAT", "5"), { expiresAtMs: 5 });
  assert.deepEqual(options("EX", "10", "EX", "20"), { expiresAtMs: NOW_MS + 20_000 });
});

Deno.test("readSetOptions() refuses contradictions and words that it does not know", () => {
  for (
    const args of [
      ["NX", "XX"],
      ["XX", "NX"],
      ["EX"],
      ["GET", "PX"],
      ["EX", "10", "PX", "10"],
      ["EX", "10", "KEEPTTL"],
      ["KEEPTTL", "EX", "10"],
      ["PERSIST"],
      ["N"],
      ["NXX"],
      [""],
      ["10", "EX"],
      ["EX", "abc", "PX", "10"],
    ]
  ) assert.equal(options(...args), SYNTAX, args.join(" "));
});

Deno.test("readSetOptions() tells a time that is no number from one out of range", () => {
  for (const time of ["abc", "", "1.5", " 1", "01", "99999999999999999999"]) {
    assert.equal(options("EX", time), NO_INTEGER, time);
  }
  for (const time of ["0", "-1", "9223372036854775807", "9223372036854775"]) {
    assert.equal(options("EX", time), INVALID, time);
  }
  assert.equal(options("PX", "9223372036854775807"), INVALID, "overflows when now is added");
  assert.equal(options("EXAT", "9223372036854776"), INVALID);
  assert.deepEqual(options("PXAT", "9223372036854775807"), { expiresAtMs: 2 ** 63 });
});

Deno.test("readMoment() is exact within 2^53 and refuses what 64 bits cannot hold", () => {
  const moment = (form: TimeForm, text: string) => readMoment(contextOf(text).c, 0, form);
  assert.equal(moment(EX, "-5"), NOW_MS - 5000);
  assert.equal(moment(PX, "0"), NOW_MS);
  assert.equal(moment(PXAT, "9007199254740991"), Number.MAX_SAFE_INTEGER);
  // Both sides of the change to the long way.
  for (const seconds of [2 ** 42 - 1, 2 ** 42, 2 ** 42 + 1]) {
    assert.equal(moment(EXAT, `${seconds}`), seconds * 1000);
    assert.equal(moment(PX, `${seconds}`), NOW_MS + seconds);
    assert.equal(moment(PX, `-${seconds}`), NOW_MS - seconds);
  }
  assert.equal(moment(EX, "9223372036854775807"), OUT_OF_RANGE);
  assert.equal(moment(EX, "-9223372036854775808"), OUT_OF_RANGE);
  assert.ok(moment(EX, "-9223372036854775") < 0);
  assert.ok(Number.isNaN(moment(EX, "x")));
});
