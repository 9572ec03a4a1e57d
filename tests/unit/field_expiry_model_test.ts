// The commands for the time to live of fields beside a model of Redis 8's: random ones, over few keys and fields, with
// moments that are long past or far away. FUZZ_SEED replays a run.
import assert from "node:assert/strict";
import fc from "fast-check";
import { EnginePath } from "../support/engine_path.ts";

const RUNS = 1_000;
const FAR = [33_177_117_420_123, 33_177_117_420_999, 40_000_000_000_000];
const ABSENT = -2;

type Reply = string | number | null | readonly Reply[];
type Field = { value: string; expiresAtMs: number };
type Hash = Map<string, Field>;

/** What Redis 8 does; moments are past or far, so that it needs no clock. */
class Model {
  readonly hashes = new Map<string, Hash>();

  run([name, key, ...args]: readonly string[]): Reply {
    const hash = this.hashes.get(key) ?? new Map<string, Field>();
    const reply = this.#run(name, hash, args);
    if (hash.size === 0) this.hashes.delete(key);
    else this.hashes.set(key, hash);
    return reply;
  }

  #run(name: string, hash: Hash, args: readonly string[]): Reply {
    const fields = args.slice(args.indexOf("FIELDS") + 2);
    switch (name) {
      case "HSET":
        return pairsOf(args).filter((pair) => set(hash, pair, 0)).length;
      case "HDEL":
        return args.filter((field) => hash.delete(field)).length;
      case "HINCRBY":
        return this.#add(hash, args[0], Number(args[1]));
      case "HGETALL":
        return [...hash].flatMap(([field, { value }]) => [field, value]);
      case "HPEXPIRETIME":
        return fields.map((field) => expiryOf(hash, field));
      case "HPERSIST":
        return fields.map((field) => {
          const expiresAtMs = expiryOf(hash, field);
          if (expiresAtMs < 0) return expiresAtMs;
          hash.get(field)!.expiresAtMs = 0;
          return 1;
        });
      case "HPEXPIREAT":
        return fields.map((field) => expire(hash, field, Number(args[0]), args[1]));
      case "HGETDEL":
        return fields.map((field) => {
          const value = hash.get(field)?.value ?? null;
          hash.delete(field);
          return value;
        });
      case "HGETEX":
        return fields.map((field) => {
          const found = hash.get(field);
          if (found === undefined) return null;
          if (args[0] === "PERSIST") found.expiresAtMs = 0;
          else if (args[0] === "PXAT") expire(hash, field, Number(args[1]), "");
          return found.value;
        });
      case "HSETEX":
        return this.#setex(hash, args, pairsOf(fields));
    }
    throw new Error(`no command ${name}`);
  }

  #add(hash: Hash, field: string, increment: number): Reply {
    const found = hash.get(field), old = Number(found?.value ?? 0);
    if (!Number.isInteger(old)) return "-ERR hash value is not an integer";
    hash.set(field, { value: String(old + increment), expiresAtMs: found?.expiresAtMs ?? 0 });
    return old + increment;
  }

  #setex(hash: Hash, args: readonly string[], pairs: readonly (readonly string[])[]): Reply {
    const isThere = pairs.map(([field]) => hash.has(field));
    if (args.includes("FNX") && isThere.includes(true)) return 0;
    if (args.includes("FXX") && isThere.includes(false)) return 0;
    const at = args.indexOf("PXAT"), moment = at < 0 ? 0 : Number(args[at + 1]);
    for (const pair of pairs) {
      const old = hash.get(pair[0])?.expiresAtMs ?? 0;
      set(hash, pair, args.includes("KEEPTTL") ? old : 0);
      if (at >= 0) expire(hash, pair[0], moment, "");
    }
    return 1;
  }
}

function pairsOf(words: readonly string[]): (readonly string[])[] {
  return Array.from({ length: words.length / 2 }, (_, i) => words.slice(i * 2, i * 2 + 2));
}

/** Whether the field is new. */
function set(hash: Hash, [field, value]: readonly string[], expiresAtMs: number): boolean {
  const isNew = !hash.has(field);
  hash.set(field, { value, expiresAtMs });
  return isNew;
}

function expiryOf(hash: Hash, field: string): number {
  const expiresAtMs = hash.get(field)?.expiresAtMs;
  return expiresAtMs === undefined ? ABSENT : expiresAtMs === 0 ? -1 : expiresAtMs;
}

function expire(hash: Hash, field: string, moment: number, condition: string): number {
  const found = hash.get(field);
  if (found === undefined) return ABSENT;
  const now = found.expiresAtMs;
  if (condition === "NX" && now !== 0) return 0;
  if ((condition === "XX" || condition === "GT") && now === 0) return 0;
  if (condition === "GT" && moment <= now) return 0;
  if (condition === "LT" && now !== 0 && moment >= now) return 0;
  if (moment > Date.now()) found.expiresAtMs = moment;
  else hash.delete(field);
  return moment > Date.now() ? 1 : 2;
}

const key = fc.constantFrom("a", "b");
const field = fc.constantFrom("f", "g", "h", "long-name-of-a-field-that-has-a-word-of-its-own");
const value = fc.oneof(
  fc.integer({ min: -9, max: 99 }).map(String),
  fc.constantFrom("x", "y".repeat(200)),
);
const moment = fc.constantFrom("0", "1", ...FAR.map(String));

type Words = fc.Arbitrary<string[]>;
const words = (...parts: (string | fc.Arbitrary<string>)[]): Words =>
  fc.tuple(...parts.map((part) => typeof part === "string" ? fc.constant(part) : part));
const join = (...parts: Words[]): Words => fc.tuple(...parts).map((each) => each.flat());
const many = (part: Words): Words =>
  fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.flat());
const optional = (part: Words): Words => fc.option(part, { nil: [] });
const fields = (part: Words, size = 1): Words =>
  many(part).map((all) => ["FIELDS", String(all.length / size), ...all]);

const COMMANDS: readonly Words[] = [
  join(words("HSET", key), many(words(field, value))),
  join(words("HDEL", key), many(words(field))),
  words("HINCRBY", key, field, "5"),
  words("HGETALL", key),
  join(words("HPEXPIRETIME", key), fields(words(field))),
  join(words("HPERSIST", key), fields(words(field))),
  join(
    words("HPEXPIREAT", key, moment),
    optional(words(fc.constantFrom("NX", "XX", "GT", "LT"))),
    fields(words(field)),
  ),
  join(words("HGETDEL", key), fields(words(field))),
  join(
    words("HGETEX", key),
    optional(fc.oneof(words("PERSIST"), words("PXAT", moment))),
    fields(words(field)),
  ),
  join(
    words("HSETEX", key),
    optional(words(fc.constantFrom("FNX", "FXX"))),
    optional(fc.oneof(words("KEEPTTL"), words("PXAT", moment))),
    fields(words(field, value), 2),
  ),
];

function encoded(reply: Reply): string {
  if (reply === null) return "$-1\r\n";
  if (typeof reply === "number") return `:${reply}\r\n`;
  if (typeof reply !== "string") return `*${reply.length}\r\n${reply.map(encoded).join("")}`;
  return reply.startsWith("-ERR") ? `${reply}\r\n` : `$${reply.length}\r\n${reply}\r\n`;
}

Deno.test("commands for the time to live of fields give the replies of a model of Redis 8's", () => {
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? Date.now() & 0x7fffffff),
    path = new EnginePath();
  console.log(`seed ${seed}`);
  fc.assert(
    fc.property(fc.array(fc.oneof(...COMMANDS), { maxLength: 60, size: "max" }), (commands) => {
      const model = new Model();
      path.replies("FLUSHALL\r\n");
      for (const command of [...commands, ["HGETALL", "a"], ["HGETALL", "b"]]) {
        assert.equal(
          path.replies(`${command.join(" ")}\r\n`),
          encoded(model.run(command)),
          command.join(" "),
        );
      }
      const keys = path.replies("DBSIZE\r\n");
      assert.equal(keys, `:${model.hashes.size}\r\n`);
    }),
    { numRuns: RUNS, seed, endOnFailure: false },
  );
});
