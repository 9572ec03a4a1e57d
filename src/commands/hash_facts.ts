// What Redis's COMMAND tells of the hash commands beyond their rows; data only, checked against redis-server.
import type { CommandArgument, CommandFacts } from "./command_facts.ts";

const KEY: CommandArgument = { name: "key", type: "key", keySpec: 0 };
const FIELD: CommandArgument = { name: "field", type: "string" };
const FIELDS: CommandArgument = { ...FIELD, flags: "multiple" };
const VALUE: CommandArgument = { name: "value", type: "string" };
const PAIRS: CommandArgument = {
  name: "field_value",
  type: "block",
  flags: "multiple",
  arguments: [FIELD, VALUE],
};
/** `FIELDS numfields field [field ...]`, of the commands for the time to live of fields. */
const FIELD_BLOCK: CommandArgument = {
  name: "fields",
  type: "block",
  token: "FIELDS",
  arguments: [{ name: "numfields", type: "integer" }, FIELDS],
};
const CONDITION: CommandArgument = {
  name: "condition",
  type: "oneof",
  flags: "optional",
  arguments: ["nx", "xx", "gt", "lt"].map((name) => ({
    name,
    type: "pure-token",
    token: name.toUpperCase(),
  })),
};
const TIMES: readonly CommandArgument[] = [
  { name: "seconds", type: "integer", token: "EX" },
  { name: "milliseconds", type: "integer", token: "PX" },
  { name: "unix-time-seconds", type: "unix-time", token: "EXAT" },
  { name: "unix-time-milliseconds", type: "unix-time", token: "PXAT" },
];

const READ_FAST = { flags: "readonly fast", categories: "read hash fast" } as const;
const READ_SLOW = { flags: "readonly", categories: "read hash slow" } as const;
const CHANGE_FAST = { flags: "write fast", categories: "write hash fast" } as const;
const STORE_FAST = { flags: "write denyoom fast", categories: "write hash fast" } as const;

/** By the names of rows. */
export const HASH_FACTS: Readonly<Record<string, CommandFacts>> = {
  hdel: {
    ...CHANGE_FAST,
    keys: ["1 0 1 RW delete"],
    arguments: [KEY, FIELDS],
    complexity: "O(N)",
  },
  hexists: {
    ...READ_FAST,
    keys: ["1 0 1 RO"],
    arguments: [KEY, FIELD],
    complexity: "O(1)",
  },
  hexpire: {
    ...STORE_FAST,
    keys: ["1 0 1 RW update"],
    arguments: [KEY, { name: "seconds", type: "integer" }, CONDITION, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hexpireat: {
    ...STORE_FAST,
    keys: ["1 0 1 RW update"],
    arguments: [KEY, { name: "unix-time-seconds", type: "unix-time" }, CONDITION, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hexpiretime: {
    ...READ_FAST,
    keys: ["1 0 1 RO access"],
    arguments: [KEY, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hget: {
    ...READ_FAST,
    keys: ["1 0 1 RO access"],
    arguments: [KEY, FIELD],
    complexity: "O(1)",
  },
  hgetall: {
    ...READ_SLOW,
    keys: ["1 0 1 RO access"],
    tips: "nondeterministic_output_order",
    arguments: [KEY],
    complexity: "O(N)",
  },
  hgetdel: {
    ...CHANGE_FAST,
    keys: ["1 0 1 RW access delete"],
    arguments: [KEY, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hgetex: {
    ...CHANGE_FAST,
    keys: ["1 0 1 RW access update"],
    arguments: [KEY, {
      name: "expiration",
      type: "oneof",
      flags: "optional",
      arguments: [...TIMES, { name: "persist", type: "pure-token", token: "PERSIST" }],
    }, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hincrby: {
    ...STORE_FAST,
    keys: ["1 0 1 RW access update"],
    arguments: [KEY, FIELD, { name: "increment", type: "integer" }],
    complexity: "O(1)",
  },
  hincrbyfloat: {
    ...STORE_FAST,
    keys: ["1 0 1 RW access update"],
    arguments: [KEY, FIELD, { name: "increment", type: "double" }],
    complexity: "O(1)",
  },
  hkeys: {
    ...READ_SLOW,
    keys: ["1 0 1 RO access"],
    tips: "nondeterministic_output_order",
    arguments: [KEY],
    complexity: "O(N)",
  },
  hlen: {
    ...READ_FAST,
    keys: ["1 0 1 RO"],
    arguments: [KEY],
    complexity: "O(1)",
  },
  hmget: {
    ...READ_FAST,
    keys: ["1 0 1 RO access"],
    arguments: [KEY, FIELDS],
    complexity: "O(N)",
  },
  hmset: {
    ...STORE_FAST,
    keys: ["1 0 1 RW update"],
    arguments: [KEY, PAIRS],
    complexity: "O(N)",
  },
  hpersist: {
    ...CHANGE_FAST,
    keys: ["1 0 1 RW update"],
    arguments: [KEY, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hpexpire: {
    ...STORE_FAST,
    keys: ["1 0 1 RW update"],
    arguments: [KEY, { name: "milliseconds", type: "integer" }, CONDITION, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hpexpireat: {
    ...STORE_FAST,
    keys: ["1 0 1 RW update"],
    arguments: [KEY, { name: "unix-time-milliseconds", type: "unix-time" }, CONDITION, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hpexpiretime: {
    ...READ_FAST,
    keys: ["1 0 1 RO access"],
    arguments: [KEY, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hpttl: {
    ...READ_FAST,
    keys: ["1 0 1 RO access"],
    tips: "nondeterministic_output",
    arguments: [KEY, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hrandfield: {
    ...READ_SLOW,
    keys: ["1 0 1 RO access"],
    tips: "nondeterministic_output",
    arguments: [KEY, {
      name: "options",
      type: "block",
      flags: "optional",
      arguments: [{ name: "count", type: "integer" }, {
        name: "withvalues",
        type: "pure-token",
        token: "WITHVALUES",
        flags: "optional",
      }],
    }],
    complexity: "O(N)",
  },
  hscan: {
    ...READ_SLOW,
    keys: ["1 0 1 RO access"],
    tips: "nondeterministic_output",
    arguments: [
      KEY,
      { name: "cursor", type: "integer" },
      { name: "pattern", type: "pattern", token: "MATCH", flags: "optional" },
      { name: "count", type: "integer", token: "COUNT", flags: "optional" },
      {
        name: "novalues",
        type: "pure-token",
        token: "NOVALUES",
        since: "7.4.0",
        flags: "optional",
      },
    ],
    complexity: "O(1)",
  },
  hset: {
    ...STORE_FAST,
    keys: ["1 0 1 RW update"],
    arguments: [KEY, PAIRS],
    complexity: "O(1)",
  },
  hsetex: {
    ...STORE_FAST,
    keys: ["1 0 1 RW update"],
    arguments: [KEY, {
      name: "condition",
      type: "oneof",
      flags: "optional",
      arguments: [{ name: "fnx", type: "pure-token", token: "FNX" }, {
        name: "fxx",
        type: "pure-token",
        token: "FXX",
      }],
    }, {
      name: "expiration",
      type: "oneof",
      flags: "optional",
      arguments: [...TIMES, { name: "keepttl", type: "pure-token", token: "KEEPTTL" }],
    }, {
      name: "fields",
      type: "block",
      token: "FIELDS",
      arguments: [{ name: "numfields", type: "integer" }, {
        name: "data",
        type: "block",
        flags: "multiple",
        arguments: [FIELD, VALUE],
      }],
    }],
    complexity: "O(N)",
  },
  hsetnx: {
    ...STORE_FAST,
    keys: ["1 0 1 RW insert"],
    arguments: [KEY, FIELD, VALUE],
    complexity: "O(1)",
  },
  hstrlen: {
    ...READ_FAST,
    keys: ["1 0 1 RO"],
    arguments: [KEY, FIELD],
    complexity: "O(1)",
  },
  httl: {
    ...READ_FAST,
    keys: ["1 0 1 RO access"],
    tips: "nondeterministic_output",
    arguments: [KEY, FIELD_BLOCK],
    complexity: "O(N)",
  },
  hvals: {
    ...READ_SLOW,
    keys: ["1 0 1 RO access"],
    tips: "nondeterministic_output_order",
    arguments: [KEY],
    complexity: "O(N)",
  },
};
