// Random commands with good and bad arguments, sent to redis-server and to mayfly: the same replies, and no
// connection lost. MAYFLY_FUZZ_RUNS sets how many sequences; FUZZ_SEED replays one.

import assert from "node:assert/strict";
import fc from "fast-check";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis_server.ts";
import { connect, encodeCommand, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";

const RUNS = Number(Deno.env.get("MAYFLY_FUZZ_RUNS") ?? 1_500);
const END = "end-of-fuzz-9a1c";
const END_BYTES = `$${END.length}\r\n${END}\r\n`;

const key = fc.constantFrom("a", "b", "c", "d", "");
const odd = fc.constantFrom(
  "",
  "x",
  "-0",
  "1.5",
  "99999999999999999999",
  " 1",
  "+1",
  "0x1",
  "1e3",
  "nan",
);
const integer = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -40, max: 40 }).map(String) },
  {
    weight: 2,
    arbitrary: fc.constantFrom("9223372036854775807", "-9223372036854775808", "4294967295"),
  },
  { weight: 1, arbitrary: odd },
);
const value = fc.oneof(
  fc.string({ maxLength: 12 }),
  integer,
  fc.uint8Array({ maxLength: 30 }).map((bytes) => String.fromCharCode(...bytes)),
  fc.constantFrom("10.5", "3.0e3", "x".repeat(70)),
);
const moment = fc.constantFrom(
  "33177117420",
  "99999999999",
  "1",
  "-5",
  "0",
  "x",
  "9223372036854775807",
);
const type = fc.oneof(
  fc.constantFrom("u8", "i8", "u1", "i64", "u63", "i5", "u64", "x8", "i0"),
  fc.tuple(fc.constantFrom("i", "u"), fc.integer({ min: 1, max: 63 })).map((each) => each.join("")),
);
/** What fields are set to and grow by. */
const operand = fc.oneof(
  integer,
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
);
/** Where a value is changed: mostly near its start, at times so far that it is held in a block. */
const place = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: -2, max: 300 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom("17000", "70000") },
);
const offset = fc.oneof(integer, fc.integer({ min: 0, max: 300 }).map((n) => `#${n % 9}`));

/** A word in any case, now and then another one. */
function option(...names: string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...names, ...names.map((name) => name.toLowerCase())) },
    { weight: 1, arbitrary: fc.constant("WRONG") },
  );
}

type Words = fc.Arbitrary<string[]>;
const words = (...parts: (string | fc.Arbitrary<string>)[]): Words =>
  fc.tuple(...parts.map((part) => typeof part === "string" ? fc.constant(part) : part));
const some = (part: Words, max = 3): Words =>
  fc.array(part, { maxLength: max }).map((parts) => parts.flat());
const join = (...parts: Words[]): Words => fc.tuple(...parts).map((each) => each.flat());

/** What can come; a family of commands is one line more. */
const COMMANDS: readonly Words[] = [
  join(words("SET", key, value), some(words(option("NX", "XX", "GET", "KEEPTTL")), 2)),
  join(words("SET", key, value), words(option("EXAT", "PXAT"), moment)),
  words("GET", key),
  words("GETDEL", key),
  words("GETSET", key, value),
  join(words("GETEX", key), some(words(option("PERSIST")), 1)),
  words("GETEX", key, option("EXAT", "PXAT"), moment),
  words("APPEND", key, value),
  words("STRLEN", key),
  words("INCRBY", key, integer),
  words("DECRBY", key, integer),
  words("INCRBYFLOAT", key, fc.oneof(value, integer)),
  join(words("MSET", key, value), some(words(key, value))),
  join(words("MSETNX", key, value), some(words(key, value))),
  join(words("MGET", key), some(words(key))),
  words("GETRANGE", key, integer, integer),
  words("SETRANGE", key, place, value),
  words(
    "SETBIT",
    key,
    fc.oneof(place, fc.constant("200000")),
    fc.constantFrom("0", "1", "2"),
  ),
  words("GETBIT", key, integer),
  words("BITCOUNT", key),
  join(words("BITCOUNT", key, integer, integer), some(words(option("BYTE", "BIT")), 1)),
  join(words("BITPOS", key, fc.constantFrom("0", "1", "2", "x")), some(words(integer), 2)),
  words("BITPOS", key, fc.constantFrom("0", "1"), integer, integer, option("BYTE", "BIT")),
  join(words("BITOP", option("AND", "OR", "XOR", "NOT"), key, key), some(words(key), 2)),
  join(
    words("BITFIELD", key),
    some(
      fc.oneof(
        words(option("GET"), type, offset),
        words(option("SET", "INCRBY"), type, place, operand),
        words("OVERFLOW", option("WRAP", "SAT", "FAIL")),
      ),
      4,
    ),
  ),
  words("BITFIELD_RO", key, "GET", type, offset),
  join(words("LCS", key, key), some(words(option("LEN", "IDX", "WITHMATCHLEN")), 2)),
  words("LCS", key, key, "IDX", "MINMATCHLEN", integer),
  join(words("DEL", key), some(words(key))),
  join(words("EXISTS", key), some(words(key))),
  join(words("TOUCH", key), some(words(key))),
  join(
    words(option("EXPIREAT", "PEXPIREAT"), key, moment),
    some(words(option("NX", "XX", "GT", "LT")), 2),
  ),
  words("EXPIRETIME", key),
  words("PEXPIRETIME", key),
  words("PERSIST", key),
  words("TYPE", key),
  words("OBJECT", option("REFCOUNT"), key).map((all) =>
    all[1] === "WRONG" ? all : ["EXISTS", all[2]]
  ),
  words("RENAME", key, key),
  words("RENAMENX", key, key),
  join(words("COPY", key, key), some(words(option("REPLACE")), 1)),
  words("COPY", key, key, "DB", fc.constantFrom("0", "1", "2", "99", "x")),
  words("MOVE", key, fc.constantFrom("0", "1", "2", "99", "x")),
  words("SWAPDB", fc.constantFrom("0", "1", "2", "x"), fc.constantFrom("0", "1", "2", "16")),
  words("SELECT", fc.constantFrom("0", "1", "2", "0", "16")),
  words("DUMP", fc.constantFrom("nobody", "nothing")),
];

const sequences = fc.array(fc.oneof(...COMMANDS), { minLength: 1, maxLength: 60 });

/** All replies as they came, Latin-1: what follows the last of them closes them off. */
async function replies(
  client: RespClient,
  commands: readonly (readonly string[])[],
): Promise<string> {
  for (const command of [["FLUSHALL"], ["SELECT", "0"], ...commands, ["ECHO", END]]) {
    await client.send(
      encodeCommand(command.map((word) => Uint8Array.from(word, (c) => c.charCodeAt(0)))),
    );
  }
  return new TextDecoder("latin1").decode(await client.readRaw(END_BYTES));
}

Deno.test({
  name: "random commands get the replies of redis-server",
  ...needs("redis-server"),
  fn: async () => {
    await using redis = await startRedis();
    await using mayfly = await startServer({
      workers: 2,
      // As in Redis; it bounds LCS too.
      flags: ["--max-value-bytes", "512mb"],
    });
    using expectedFrom = await connect(redis.port);
    using actualFrom = await connect(mayfly.port);
    const seed = Number(Deno.env.get("FUZZ_SEED") ?? Date.now() & 0x7fffffff);
    console.log(`seed ${seed}, ${RUNS} sequences`);
    await fc.assert(
      fc.asyncProperty(sequences, async (commands) => {
        const [expected, actual] = await Promise.all([
          replies(expectedFrom, commands),
          replies(actualFrom, commands),
        ]);
        assert.equal(actual, expected);
      }),
      { numRuns: RUNS, seed, endOnFailure: false },
    );
  },
});
