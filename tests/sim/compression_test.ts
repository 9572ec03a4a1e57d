// Values that lie compressed behave as plain ones: the same random commands to two stores, one of which compresses.
//
// Replies are compared byte by byte, states now and then, with every count and slot of the compressing one checked; and
// what its log leads to, loaded plain and loaded compressed.
import assert from "node:assert/strict";
import { recover } from "../../src/log/recovery.ts";
import { EntryLoader } from "../../src/persistence/entry_loader.ts";
import { writeSnapshot } from "../../src/persistence/snapshot_writer.ts";
import { createStoreMemory, entries, record } from "../../src/store/store.ts";
import { ByteDisk } from "../support/byte_disk.ts";
import { EnginePath } from "../support/engine_path.ts";
import { SERVER_ID } from "../support/log_maker.ts";
import { LoggedPath } from "../support/logged_path.ts";
import { type Random, randomFrom, StoreAccess } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";
import { stateOf } from "../support/store_state.ts";
import { sentence } from "../support/text_value.ts";
import { encodeCommand } from "../support/resp_client.ts";

const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);
const COMMANDS = 500;
const FLAGS = ["--compress-min-bytes", "512", "--maxmemory", "32mb"];
const RING_BYTES = 2 ** 22;

/** A path that compresses. */
class CompressingPath extends LoggedPath {
  constructor(flags: readonly string[] = FLAGS) {
    super(flags, RING_BYTES);
  }

  get store() {
    return this.path.engine.store;
  }

  run(request: Uint8Array): string {
    const replies = this.path.longReplies(request);
    this.write();
    return replies;
  }

  /** What the log leads to in another store, whose values from that length on are compressed. */
  replayed(compressMinBytes: number): string {
    this.sync();
    return loaded(this.disk, compressMinBytes);
  }
}

function loaded(disk: ByteDisk, compressMinBytes: number): string {
  const memory = createStoreMemory({
    maxmemoryBytes: 2 ** 27,
    maxValueBytes: 2 ** 20,
    shardCount: 2,
  });
  const access = new StoreAccess(memory);
  const result = recover(disk, new EntryLoader(access.store, 32_768, 0, compressMinBytes));
  assert.ok("ok" in result, JSON.stringify(result));
  checkInvariants(access.store);
  const { compressedValues } = access.store.totals();
  assert.equal(compressedValues > 0, compressMinBytes > 0, `${compressedValues} compressed`);
  return stateOf(access, null);
}

function randomCommand(random: Random): (string | Uint8Array)[] {
  const key = () => `k${random.below(7)}`,
    text = (most: number) => sentence(random, random.below(most));
  const value = () => {
    switch (random.below(8)) {
      case 0:
        return random.bytes(random.below(3000));
      case 1:
        return text(40);
      case 2:
        return text(40_000);
      case 3:
        return "ab".repeat(random.below(20_000));
      default:
        return text(5000);
    }
  };
  const place = () => String(random.below(6000) - 1000),
    momentMs = String(2 ** 42 + random.below(9));
  const choices: (() => (string | Uint8Array)[])[] = [
    () => ["SET", key(), value()],
    () => ["SET", key(), value()],
    () => ["SET", key(), value(), "PXAT", momentMs],
    () => ["SET", key(), value(), "KEEPTTL", "GET"],
    () => ["SET", key(), value(), "XX", "GET"],
    () => ["SETNX", key(), value()],
    () => ["GETSET", key(), value()],
    () => ["MSET", key(), value(), key(), value()],
    () => ["GET", key()],
    () => ["GET", key()],
    () => ["MGET", key(), key(), key(), "none"],
    () => ["STRLEN", key()],
    () => ["GETDEL", key()],
    () => ["GETEX", key(), "PXAT", momentMs],
    () => ["GETEX", key(), "PERSIST"],
    () => ["GETEX", key(), "PXAT", "1"],
    () => ["GETRANGE", key(), place(), place()],
    () => ["APPEND", key(), text(300)],
    () => ["SETRANGE", key(), String(random.below(20_000)), text(100)],
    () => ["SETBIT", key(), String(random.below(60_000)), String(random.below(2))],
    () => ["GETBIT", key(), String(random.below(60_000))],
    () => ["BITCOUNT", key(), place(), place()],
    () => ["BITPOS", key(), "0", place()],
    () => ["BITFIELD", key(), "GET", "u9", "70", "SET", "u8", "#900", "77", "GET", "u8", "#900"],
    () => ["BITFIELD", key(), "GET", "u16", "4000"],
    () => ["BITFIELD_RO", key(), "GET", "u16", "4000", "GET", "i7", "3"],
    () => ["BITOP", random.below(2) === 0 ? "XOR" : "AND", key(), key(), key()],
    () => ["BITOP", "NOT", key(), key()],
    () => ["LCS", "short", key()],
    () => ["INCR", key()],
    () => ["INCRBYFLOAT", key(), "0.5"],
    () => ["RENAME", key(), key()],
    () => ["RENAMENX", key(), key()],
    () => ["COPY", key(), key(), "REPLACE"],
    () => ["COPY", key(), key(), "DB", "1", "REPLACE"],
    () => ["MOVE", key(), "1"],
    () => ["DUMP", key()],
    () => ["OBJECT", "ENCODING", key()],
    () => ["EXISTS", key(), key()],
    () => ["PEXPIREAT", key(), momentMs],
    () => ["PEXPIRETIME", key()],
    () => ["PERSIST", key()],
    () => ["DEL", key()],
    () => ["HSET", key(), "f", text(900)],
    () => ["TYPE", key()],
  ];
  return choices[random.below(choices.length)]();
}

function joined(commands: readonly (readonly (string | Uint8Array)[])[]): Uint8Array {
  const parts = commands.map(encodeCommand);
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

Deno.test("random commands give the same replies, states and logs where values lie compressed", () => {
  const random = randomFrom(SEED), label = `MAYFLY_SIM_SEED=${SEED}`;
  const compressing = new CompressingPath(), plain = new EnginePath(null, FLAGS.slice(2));
  const both = (commands: (string | Uint8Array)[][]) => {
    const request = joined(commands);
    // What a read buffer holds.
    if (request.length > 65_000) return;
    const words = commands.map((words) => words.map((word) => String(word).slice(0, 30)).join(" "));
    const expected = plain.longReplies(request), found = compressing.run(request);
    if (found !== expected) {
      assert.fail(
        `${label}: ${words.join("; ")}: ${found.slice(0, 300)}, not ${expected.slice(0, 300)}`,
      );
    }
  };
  both([["SET", "short", "ratonmi"]]);
  let most = 0;
  for (let i = 0; i < COMMANDS; i++) {
    const count = random.below(4) === 0 ? 1 + random.below(6) : 1;
    const commands = Array.from({ length: count }, () => randomCommand(random));
    both(random.below(8) === 0 ? [["MULTI"], ...commands, ["EXEC"]] : commands);
    const { compressedValues, pinnedBlocks } = compressing.store.totals();
    most = Math.max(most, compressedValues);
    if (i % 50 === 0) {
      checkInvariants(compressing.store);
      assert.equal(pinnedBlocks, 0, label);
    }
    if (i % 250 !== 249) continue;
    const state = stateOf(new StoreAccess(plain.memory), null);
    assert.equal(compressing.state, state, label);
    both([["SET", "long", sentence(random, 3000)]]);
    const after = compressing.state;
    assert.equal(compressing.replayed(0), after, label);
    assert.equal(compressing.replayed(512), after, label);
  }
  assert.ok(most >= 4, `at most ${most} values lay compressed`);
  compressing.run(joined([["FLUSHALL"]]));
  assert.equal(compressing.store.totals().compressedSavedBytes, 0);
});

Deno.test("a snapshot of compressed values holds plain ones, for servers with and without compression", () => {
  const random = randomFrom(SEED), { path, store } = new CompressingPath();
  for (let i = 0; i < 200; i++) {
    const expiry = i % 3 === 0 ? ["PXAT", String(2 ** 42)] : [];
    const value = sentence(random, 600 + random.below(30_000));
    path.longReplies(joined([["SET", `key:${i}`, value, ...expiry]]));
  }
  assert.ok(store.totals().compressedValues > 100);
  const disk = new ByteDisk(), table = Uint8Array.from({ length: 16 }, (_, i) => i);
  const written = writeSnapshot({
    disk,
    store,
    serverId: SERVER_ID,
    sequence: 1,
    nowMs: 1,
    table,
    pause: () => {},
  });
  assert.equal(written.entries, 200);
  disk.rename(written.temporaryName, written.name);
  const state = stateOf(new StoreAccess(path.memory), table);
  const noTable = stateOf(new StoreAccess(path.memory), null);
  assert.notEqual(state, "");
  assert.equal(loaded(disk, 0), noTable);
  assert.equal(loaded(disk, 512), noTable);
});

Deno.test("a compressed value that is damaged in memory gives errors, and can be written over", () => {
  const { path, store } = new CompressingPath();
  const run = (...words: string[]) => path.longReplies(joined([words]));
  run("SET", "k", sentence(randomFrom(SEED), 3000));
  run("SET", "good", sentence(randomFrom(SEED), 3000));
  const key = new StoreAccess(path.memory).key("k"), shard = store.shardOf(key.hash);
  const ref = entries.findKey(shard, key);
  assert.ok(record.isCompressed(shard, ref));
  shard.u8.fill(0xff, record.valueStartOf(shard, ref) + 4, record.valueStartOf(shard, ref) + 20);
  const damaged = "-ERR the compressed value of this key is damaged\r\n";
  for (
    const words of [
      ["GET", "k"],
      ["GETRANGE", "k", "0", "9"],
      ["BITCOUNT", "k"],
      ["DUMP", "k"],
      ["APPEND", "k", "x"],
      ["SETRANGE", "k", "5", "x"],
      ["GETSET", "k", "x"],
      ["GETDEL", "k"],
      ["RENAME", "k", "other"],
      ["COPY", "k", "other"],
      ["BITOP", "NOT", "other", "k"],
    ]
  ) assert.equal(run(...words), damaged, words[0]);
  assert.ok(run("MGET", "good", "k").endsWith(damaged));
  assert.equal(run("STRLEN", "k"), ":3000\r\n");
  assert.equal(run("MULTI") + run("GET", "k") + run("EXEC"), `+OK\r\n+QUEUED\r\n*1\r\n${damaged}`);
  assert.equal(run("APPEND", "good", "x"), ":3001\r\n");
  assert.equal(run("SET", "k", "new"), "+OK\r\n");
  assert.equal(run("GET", "k"), "$3\r\nnew\r\n");
  checkInvariants(store);
});
