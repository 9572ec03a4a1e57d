// Times to live that no command gave: rules and their text, jitter, and which commands they reach.
import assert from "node:assert/strict";
import { TtlPolicy } from "../../src/ttl_policy.ts";
import { formatTtlRules, parseTtlRules, TTL_RULES_MAX, TtlRules } from "../../src/ttl_rules.ts";
import { EnginePath } from "../support/engine_path.ts";

const NOW_MS = 1_700_000_000_000.25;
const bytes = (text: string) => new TextEncoder().encode(text);

function policy(rules: string, defaultTtlS: number, ttlJitterPercent = 0, random = () => 0.5) {
  const parsed = rules === "" ? [] : parseTtlRules(rules)!;
  return new TtlPolicy(parsed, { defaultTtlS, ttlJitterPercent }, random);
}

Deno.test("parseTtlRules() takes what formatTtlRules() writes, and nothing else", () => {
  const text = "features:*=3600 ü*=0 *=60";
  assert.deepEqual(parseTtlRules(text)?.[1], { prefix: "ü", seconds: 0 });
  assert.equal(formatTtlRules(parseTtlRules(`  ${text}  `)!), text);
  for (const wrong of ["", "a", "a*", "a=5", "a*=", "a*=-1", "a*=1.5", "[a]*=1", "a*=2147483648"]) {
    assert.equal(parseTtlRules(wrong), undefined, wrong);
  }
  const many = (count: number) => Array.from({ length: count }, (_, i) => `${i}:*=1`).join(" ");
  assert.equal(parseTtlRules(many(TTL_RULES_MAX))?.length, TTL_RULES_MAX);
  assert.equal(parseTtlRules(many(TTL_RULES_MAX + 1)), undefined);
  assert.equal(parseTtlRules(`${"a".repeat(257)}*=1`), undefined);
});

Deno.test("TtlRules.secondsFor() chooses the longest prefix, whatever the order", () => {
  const rules = new TtlRules(parseTtlRules("a*=1 a:b:*=3 a:*=2")!);
  const of = (key: string) => rules.secondsFor(bytes(key), 0, bytes(key).length);
  assert.deepEqual(["a", "a:", "a:b", "a:b:", "a:b:c", "b", ""].map(of), [1, 2, 2, 3, 3, -1, -1]);
  const within = bytes("xxa:yy");
  assert.equal(rules.secondsFor(within, 2, 4), 2);
  assert.equal(rules.secondsFor(within, 2, 3), 1);
});

Deno.test("TtlPolicy.expiresAtMs() prefers a rule to the default, one of 0 seconds too", () => {
  const ttl = policy("kept:*=0 short:*=1", 60);
  const of = (key: string) => ttl.expiresAtMs(bytes(key), 0, key.length, NOW_MS);
  assert.equal(of("kept:1"), 0);
  assert.equal(of("short:1"), NOW_MS + 1000);
  assert.equal(of("other"), NOW_MS + 60_000);
  assert.equal(policy("short:*=1", 0).expiresAtMs(bytes("other"), 0, 5, NOW_MS), 0);
  assert.equal(policy("", 0).givesTimes, false);
  assert.equal(policy("a*=1", 0).givesTimes, true);
  assert.equal(policy("", 1).givesTimes, true);
});

Deno.test("TtlPolicy.spread() shortens within the jitter, never to nothing, and leaves the past", () => {
  for (const random of [0, 0.25, 0.999999]) {
    const at = policy("", 0, 10, () => random).spread(NOW_MS + 100_000, NOW_MS);
    assert.equal(at, NOW_MS + Math.round(100_000 * (1 - random / 10)));
  }
  assert.equal(policy("", 0, 100, () => 0.9999999).spread(NOW_MS + 5, NOW_MS), NOW_MS + 1);
  assert.equal(policy("", 0, 50).spread(NOW_MS - 5, NOW_MS), NOW_MS - 5);
  assert.equal(policy("", 0, 0).spread(NOW_MS + 5, NOW_MS), NOW_MS + 5);
});

/** Replies to commands given as lines, without their line ends. */
function run(path: EnginePath, ...commands: string[]): string[] {
  return commands.map((line) => {
    const words = line.split(" ");
    const request = words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
    return path.replies(`*${words.length}\r\n${request}`).trimEnd();
  });
}

function ttlOf(path: EnginePath, key: string): number {
  return Number(run(path, `TTL ${key}`)[0].slice(1));
}

Deno.test("every command that makes a key gives it the default, and those that keep a time keep it", () => {
  const path = new EnginePath(null, ["--default-ttl", "100", "--ttl-rule", "r:*=7"]);
  const making = [
    "SET k v",
    "SET k v GET",
    "SET k v NX",
    "SET k v KEEPTTL",
    "PUT k v",
    "SETNX k v",
    "GETSET k v",
    "MSET k v",
    "MSETNX k v",
    "APPEND k v",
    "INCR k",
    "INCRBY k 9223372036854775807",
    "INCRBYFLOAT k 1.5",
    "SETRANGE k 3 v",
    "SETBIT k 3 1",
    "BITFIELD k SET u8 0 1",
    "BITOP NOT k source",
  ];
  run(path, "SET source v", "PERSIST source");
  for (const command of making) {
    run(path, "DEL k");
    const [reply] = run(path, command);
    assert.ok(!reply.startsWith("-"), `${command}: ${reply}`);
    assert.equal(ttlOf(path, "k"), 100, command);
    run(path, "DEL r:k", command.replace(" k", " r:k"));
    assert.equal(ttlOf(path, "r:k"), 7, command);
  }
  // What is there already keeps its time, or that it has none, where the command does not replace it.
  for (
    const command of ["APPEND n 1", "INCR n", "INCRBYFLOAT n 1", "SETRANGE n 0 1", "SETBIT n 7 1"]
  ) {
    for (const ttl of [50, -1]) {
      run(path, "SET n 1 EX 50", ...ttl < 0 ? ["PERSIST n"] : [], command);
      assert.equal(ttlOf(path, "n"), ttl, command);
    }
  }
  run(path, "SET n 1", "PERSIST n", "SET n 2 KEEPTTL");
  assert.equal(ttlOf(path, "n"), -1);
  run(path, "COPY n m", "RENAME m l");
  assert.equal(ttlOf(path, "l"), -1);
  run(path, "SET n 1 EX 5");
  assert.equal(ttlOf(path, "n"), 5);
  run(path, "SET n 1");
  assert.equal(ttlOf(path, "n"), 100);
});

Deno.test("the jitter reaches times to live, and no moment that a client named", () => {
  const path = new EnginePath(null, ["--default-ttl", "1000", "--ttl-jitter", "50"]);
  const commands = [
    "SET k v",
    "SET k v EX 1000",
    "SET k v PX 1000000",
    "SETEX k 1000 v",
    "EXPIRE k 1000",
    "PEXPIRE k 1000000",
    "GETEX k EX 1000",
  ];
  for (const command of commands) {
    const seen = new Set<number>();
    for (let i = 0; i < 20; i++) {
      run(path, command);
      const ttl = ttlOf(path, "k");
      assert.ok(ttl >= 499 && ttl <= 1000, `${command}: ${ttl}`);
      seen.add(ttl);
    }
    assert.ok(seen.size > 5, `${command}: ${[...seen]}`);
  }
  const at = Math.floor(Date.now() / 1000) + 5000;
  for (const command of [`SET k v EXAT ${at}`, `EXPIREAT k ${at}`, `GETEX k EXAT ${at}`]) {
    run(path, command);
    assert.equal(run(path, "EXPIRETIME k")[0], `:${at}`, command);
  }
});
