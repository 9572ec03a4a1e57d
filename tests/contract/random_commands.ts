// Random commands of all kinds with good and bad arguments, over few keys, for tests that compare.
import fc from "fast-check";

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
/** Few, so that a hash stays small: what Redis keeps as a list has an order that can be compared. */
const field = fc.constantFrom("f", "g", "h", "1", "2", "", "\xff\0");
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
/**
 * What fields are set to and grow by. Not below −2^62: with less, Redis's own check of an overflow overflows, and
 * it saturates to the wrong end.
 */
const operand = fc.oneof(
  fc.integer({ min: -40, max: 40 }).map(String),
  odd,
  fc.bigInt({ min: -(2n ** 62n), max: 2n ** 63n - 1n }).map(String),
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
  join(words(fc.constantFrom("HSET", "hmset"), key, field, value), some(words(field, value))),
  join(words("HSET", key), some(words(field, value), 2)),
  words("HSETNX", key, field, value),
  words("HGET", key, field),
  join(words("HMGET", key, field), some(words(field))),
  words(fc.constantFrom("HGETALL", "HKEYS", "HVALS", "HLEN"), key),
  join(words("HDEL", key, field), some(words(field))),
  words(fc.constantFrom("HEXISTS", "HSTRLEN"), key, field),
  words("HINCRBY", key, field, integer),
  words("HINCRBYFLOAT", key, field, fc.oneof(value, integer)),
  words("HSCAN", key, fc.constantFrom("0", "0", "x"), "COUNT", fc.constantFrom("100", "0", "x")),
  words("HSCAN", key, "0", option("MATCH", "COUNT"), fc.constantFrom("*", "f*", "?", "100")),
  words("HRANDFIELD", key, fc.constantFrom("0", "100", "x", "-0")),
  words("HRANDFIELD", key, fc.constantFrom("0", "100", "x"), option("WITHVALUES")),
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
  words("MULTI"),
  words("MULTI"),
  words("EXEC"),
  words("EXEC"),
  words("EXEC"),
  words("DISCARD"),
  words("UNWATCH"),
];

/** Sequences of up to 60 commands, words as Latin-1. */
export const commandSequences = fc.array(fc.oneof(...COMMANDS), {
  minLength: 1,
  maxLength: 60,
  // Without it hardly any has more than ten.
  size: "max",
});
