// Commands on hashes in pipelines, where look-ahead has seen their fields: they do what they do one by one.
import assert from "node:assert/strict";
import { EffectLines } from "../support/effect_lines.ts";
import { EnginePath } from "../support/engine_path.ts";
import { type Random, randomFrom, StoreAccess } from "../support/store_access.ts";
import { stateOf } from "../support/store_state.ts";

const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);
const BATCHES = 700;
const BATCH_MAX = 24;
const LONG_NAME = "name of more than thirty bytes in all";
const FAR_MS = 4_000_000_000_000;
/** Lengths around words, around what a slot can say, and around one digit in a reply. */
const LENGTHS = [0, 1, 3, 4, 7, 8, 8, 8, 8, 8, 9, 12, 126, 127, 128, 300];

Deno.test("commands on fields in a pipeline reply, tell and store what they do one by one", () => {
  const random = randomFrom(SEED);
  const toldBatch = new EffectLines(), toldEach = new EffectLines();
  const batched = new EnginePath(toldBatch), each = new EnginePath(toldEach);
  let changes = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    const requests = Array.from(
      { length: 1 + random.below(BATCH_MAX) },
      () => request(command(random)),
    );
    const got = batched.replies(requests.join(""));
    const wanted = requests.map((each1) => each.replies(each1)).join("");
    const where = `MAYFLY_SIM_SEED=${SEED}, batch ${batch}: ${JSON.stringify(requests)}`;
    assert.equal(got, wanted, where);
    const told = toldBatch.take();
    assert.equal(told, toldEach.take(), where);
    changes += told.split("fields ").length - 1;
  }
  const state = stateOf(new StoreAccess(batched.memory), null);
  assert.equal(state, stateOf(new StoreAccess(each.memory), null), `MAYFLY_SIM_SEED=${SEED}`);
  assert.ok(changes > 300, `MAYFLY_SIM_SEED=${SEED}: ${changes} commands changed fields`);
});

Deno.test("a pipeline finds no field of a hash that has expired and is still there", () => {
  const told = new EffectLines(), path = new EnginePath(told);
  for (const line of ["HGET h f", "HEXISTS h f", "HSTRLEN h f", "HSET h f 2"]) {
    const expiresAtMs = Date.now() + 10;
    path.replies(`HSET h f 1\r\nPEXPIREAT h ${expiresAtMs}\r\n`);
    while (Date.now() <= expiresAtMs);
    told.take();
    const replies = path.replies(`${line}\r\nHLEN h\r\n`);
    const isSet = line.startsWith("HSET ");
    assert.equal(
      replies,
      isSet ? ":1\r\n:1\r\n" : line.startsWith("HGET") ? "$-1\r\n:0\r\n" : ":0\r\n:0\r\n",
    );
    assert.equal(told.take(), isSet ? "( put 0:h )" : "", line);
    path.replies("DEL h\r\n");
  }
});

Deno.test("HSET of all fields in their order overwrites and tells each, and no other pair midway", () => {
  const told = new EffectLines(), path = new EnginePath(told);
  const cases: readonly (readonly [pairs: string, created: number, hash: string])[] = [
    ["a 1 b 22 c 333", 3, "a=1 b=22 c=333"],
    ["a 4 b 5555 c 66", 0, "a=4 b=5555 c=66"],
    // One that takes more words, others in another order, one twice, one that is new.
    ["a 7 b 88888 c 9", 0, "a=7 b=88888 c=9"],
    ["b 1 a 2 c 3", 0, "a=2 b=1 c=3"],
    ["a 3 a 4 b 5", 0, "a=4 b=5 c=3"],
    ["a 6 b 7 d 8", 1, "a=6 b=7 c=3 d=8"],
    ["a 1 b 2", 0, "a=1 b=2 c=3 d=8"],
    ["b 3 c 4", 0, "a=1 b=3 c=4 d=8"],
  ];
  for (const [pairs, created, hash] of cases) {
    assert.equal(path.replies(`HSET h ${pairs}\r\n`), `:${created}\r\n`, pairs);
    const words = pairs.split(" ");
    const fields = words.filter((_, i) => i % 2 === 0).map((name, i) =>
      `${name}=${words[i * 2 + 1]}`
    );
    assert.equal(
      told.take(),
      created === 3 ? "( put 0:h )" : `( fields 0:h ${fields.length}: ${fields.join(" ")} )`,
    );
    const all = path.replies("HGETALL h\r\n").split("\r\n").filter((line) => /^\w/.test(line));
    assert.equal(
      all.filter((_, i) => i % 2 === 0).map((name, i) => `${name}=${all[i * 2 + 1]}`).join(" "),
      hash,
    );
  }
});

function command(random: Random): string[] {
  const key = `hash:${random.below(6)}`, field = fieldOf(random), value = valueOf(random);
  switch (random.below(40)) {
    case 0:
      return ["DEL", key];
    case 1:
      // Few, or next to all are strings soon, which no command on fields replaces.
      return random.below(4) === 0 ? ["SET", key, value] : ["DEL", key];
    case 2:
      return ["HPEXPIREAT", key, `${FAR_MS}`, "FIELDS", "1", field];
    case 3:
      return ["HPERSIST", key, "FIELDS", "1", field];
    case 4:
      return ["PEXPIREAT", key, `${random.below(3) === 0 ? 1 : FAR_MS}`];
    case 5:
      return ["PERSIST", key];
    case 6:
    case 7:
      return ["HDEL", key, field];
    case 8:
      return ["HSETNX", key, field, value];
    case 9:
      return ["HGETALL", key];
    case 10:
      return ["HKEYS", key];
    case 11:
      return ["HVALS", key];
    case 12:
    case 13:
      return ["HMGET", key, field, fieldOf(random), "f8", "f9", "f10"];
    case 14:
      return ["HSTRLEN", key, field];
    case 15:
    case 16:
      return ["HEXISTS", key, field];
    case 17:
      return ["HSET", key, field, value, fieldOf(random), valueOf(random)];
    case 18:
      return ["HSET", key, ...Array.from({ length: 24 }, (_, i) => i % 2 === 0 ? `f${i}` : value)];
    case 19:
      return ["HGET", key];
    case 20:
      // Now and then it becomes large, or all goes.
      return random.below(20) > 0
        ? ["HLEN", key]
        : ["HSET", key, ...Array.from({ length: 300 }, (_, i) => i % 2 === 0 ? `f${i}` : "v")];
    case 21:
      return ["HINCRBY", key, "number", "1"];
    default:
      return random.below(2) === 0 ? ["HGET", key, field] : ["HSET", key, field, value];
  }
}

function fieldOf(random: Random): string {
  const number = random.below(14);
  return number === 12 ? LONG_NAME : number === 13 ? "" : `f${number}`;
}

function valueOf(random: Random): string {
  const letter = String.fromCharCode(97 + random.below(26));
  return letter.repeat(LENGTHS[random.below(LENGTHS.length)]);
}

function request(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}
