// Commands through the engine, the recorder and the log's writer: a replay of what was written leads to the same state.
import assert from "node:assert/strict";
import { recover } from "../../src/log/recovery.ts";
import { EntryLoader } from "../../src/persistence/entry_loader.ts";
import { createStoreMemory } from "../../src/store/store.ts";
import { LoggedPath } from "../support/logged_path.ts";
import { type Random, randomFrom, StoreAccess } from "../support/store_access.ts";
import { stateOf } from "../support/store_state.ts";

const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);
/** Small: a quarter of it is the longest group that lies in the ring itself. */
const RING_BYTES = 2 ** 20;
const COMMANDS = 3000;

/** What the log leads to is held against what its path has. */
class ReplayedPath extends LoggedPath {
  #memory = createStoreMemory({ maxmemoryBytes: 2 ** 26, maxValueBytes: 2 ** 20, shardCount: 2 });

  constructor(flags: readonly string[] = []) {
    super(flags, RING_BYTES);
  }

  /** Runs a request, and has the log written. */
  run(request: string): string {
    const replies = this.path.replies(request);
    this.write();
    return replies;
  }

  /** The state that the log leads to, replayed so many times. */
  replayed(times: number): string {
    this.sync();
    const access = new StoreAccess(this.#memory), loader = new EntryLoader(access.store, 32_768);
    access.store.flush(-1);
    for (let i = 0; i < times; i++) {
      const result = recover(this.disk, loader);
      assert.ok("ok" in result, JSON.stringify(result));
    }
    // What a replay leaves behind of hashes that were emptied goes with what has expired.
    for (const shard of access.store.shards) access.store.sweepAll(shard, 1);
    return stateOf(access, null);
  }
}

function command(...words: readonly (string | number)[]): string {
  const parts = words.map((word) => `$${String(word).length}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join("")}`;
}

function randomCommand(random: Random): string {
  const key = () => `h${random.below(6)}`, name = () => `f${random.below(30)}`;
  const value = () => "v".repeat(random.below(20) === 0 ? random.below(9000) : random.below(30));
  const names = () => Array.from({ length: 1 + random.below(4) }, name);
  const pairs = () => names().flatMap((each) => [each, value()]);
  const momentMs = 2 ** 42 + random.below(10_000);
  const choices: (() => string)[] = [
    () => command("HSET", key(), ...pairs()),
    () => command("HSET", key(), ...pairs()),
    () => command("HMSET", key(), ...pairs()),
    () => command("HSETNX", key(), name(), value()),
    () => command("HDEL", key(), ...names()),
    () => command("HDEL", key(), ...Array.from({ length: 30 }, (_, i) => `f${i}`)),
    () => command("HINCRBY", key(), `n${random.below(3)}`, random.below(100)),
    () => command("HINCRBYFLOAT", key(), `n${random.below(3)}`, "0.25"),
    () => {
      const told = names();
      return command("HPEXPIREAT", key(), momentMs, "FIELDS", told.length, ...told);
    },
    () => {
      const told = names();
      return command("HPEXPIREAT", key(), 1, "FIELDS", told.length, ...told);
    },
    () => {
      const told = names();
      return command("HPERSIST", key(), "FIELDS", told.length, ...told);
    },
    () => {
      const told = names();
      return command("HGETDEL", key(), "FIELDS", told.length, ...told);
    },
    () => {
      const told = names();
      return command("HGETEX", key(), "PXAT", momentMs, "FIELDS", told.length, ...told);
    },
    () => {
      const told = pairs();
      const keeps = random.below(2) === 0 ? ["KEEPTTL"] : ["PXAT", momentMs];
      return command("HSETEX", key(), ...keeps, "FIELDS", told.length / 2, ...told);
    },
    () => command("PEXPIREAT", key(), momentMs),
    () => command("PERSIST", key()),
    () => command("DEL", key()),
    () => command("SET", key(), value()),
    () => command("RENAME", key(), key()),
    () => command("COPY", key(), key(), "REPLACE"),
    () => command("COPY", key(), key(), "DB", 1, "REPLACE"),
    () => command("MOVE", key(), 2),
  ];
  return choices[random.below(choices.length)]();
}

Deno.test("the log of random commands on hashes leads to their state, replayed once or twice", () => {
  const random = randomFrom(SEED), label = `MAYFLY_SIM_SEED=${SEED}`, logged = new ReplayedPath();
  for (let i = 0; i < COMMANDS; i++) {
    const isGroup = random.below(10) === 0, count = isGroup ? 1 + random.below(5) : 1;
    const commands = Array.from({ length: count }, () => randomCommand(random)).join("");
    // Large ones among them: a directory, which shrinks again as its fields are removed.
    const many = random.below(60) === 0
      ? command("HSET", `h${random.below(6)}`, ...manyFields(400))
      : "";
    logged.run(isGroup ? command("MULTI") + commands + many + command("EXEC") : commands + many);
    if (i % 500 === 499) assert.equal(logged.replayed(1), logged.state, label);
  }
  assert.equal(logged.replayed(2), logged.state, label);
});

function manyFields(count: number): string[] {
  return Array.from({ length: count }, (_, i) => [`m${i}`, `value ${i}`]).flat();
}

/** Beyond what the ring holds of one group: it is carried in memory of its own. */
const LARGE_FIELDS = 12_000;

function putLarge(logged: ReplayedPath, key: string): void {
  for (let from = 0; from < LARGE_FIELDS; from += 1000) {
    const pairs = Array.from(
      { length: 1000 },
      (_, i) => [`field:${from + i}`, `value:${from + i}`],
    );
    assert.equal(logged.run(command("HSET", key, ...pairs.flat())), ":1000\r\n");
  }
}

Deno.test("RENAME, COPY and MOVE of a hash that is longer than a group in the ring are logged whole", () => {
  const logged = new ReplayedPath();
  putLarge(logged, "large");
  const cases = [
    [command("RENAME", "large", "renamed"), "+OK\r\n"],
    [command("COPY", "renamed", "copied"), ":1\r\n"],
    [command("COPY", "renamed", "copied", "DB", 3), ":1\r\n"],
    [command("MOVE", "copied", 5), ":1\r\n"],
    // Two of them in one batch, and what is smaller first.
    [command("COPY", "renamed", "again") + command("HDEL", "again", "field:1"), ":1\r\n:1\r\n"],
    [
      command("COPY", "again", "less") + command("COPY", "renamed", "more"),
      ":1\r\n:1\r\n",
    ],
  ];
  for (const [request, replies] of cases) {
    assert.equal(logged.run(request), replies, request);
  }
  assert.equal(logged.replayed(1), logged.state);
});

Deno.test("EXEC logs copies of large hashes, those too that its own commands have made longer", () => {
  const logged = new ReplayedPath();
  putLarge(logged, "large");
  const commands = [
    command("MULTI"),
    command("HSET", "large", ...manyFields(2000)),
    command("COPY", "large", "copied"),
    command("RENAME", "large", "renamed"),
    command("SELECT", 1),
    command("HSET", "other", "f", "v"),
    command("RENAME", "other", "moved"),
    command("EXEC"),
  ];
  const replies = logged.run(commands.join(""));
  assert.ok(replies.endsWith("*6\r\n:2000\r\n:1\r\n+OK\r\n+OK\r\n:1\r\n+OK\r\n"), replies);
  assert.equal(logged.replayed(1), logged.state);
});

Deno.test("a copy of a large hash for which there is no memory is refused, and nothing of it is logged", () => {
  const logged = new ReplayedPath(["--maxmemory", "16mb", "--maxmemory-policy", "noeviction"]);
  putLarge(logged, "large");
  // All of memory but what is less than another such hash takes.
  const filler = "x".repeat(8000);
  for (let i = 0, reply = "+OK\r\n"; reply === "+OK\r\n"; i++) {
    reply = logged.path.replies(command("SET", `filler:${i}`, filler));
    if (i % 50 === 0) logged.write();
  }
  const before = logged.state;
  const copies = [command("COPY", "large", "copied"), command("RENAME", "large", "other")];
  for (const copy of copies) {
    assert.match(logged.run(copy), /^-OOM /);
    assert.match(logged.run(command("MULTI") + copy + command("EXEC")), /-(OOM|EXECABORT) /);
  }
  assert.equal(logged.state, before);
  assert.equal(logged.replayed(1), before);
});
