// Replay into a real store: twice, and onto snapshots that are newer than where it begins, ends in the same state.
import assert from "node:assert/strict";
import { DirectoryWriter } from "../../src/log/directory_writer.ts";
import { SNAPSHOT_EXPIRED_MS } from "../../src/limits.ts";
import { LOAD_TURNS_WORDS, LoadTurns } from "../../src/log/load_turns.ts";
import { EffectWriter } from "../../src/log/effect_writer.ts";
import { recover } from "../../src/log/recovery.ts";
import { EntryLoader } from "../../src/persistence/entry_loader.ts";
import { helpLoading } from "../../src/persistence/load_helper.ts";
import { SnapshotKeeper } from "../../src/persistence/snapshot_keeper.ts";
import { writeSnapshot } from "../../src/persistence/snapshot_writer.ts";
import { ByteDisk } from "../support/byte_disk.ts";
import {
  type Effect,
  field,
  put,
  SERVER_ID,
  StateModel,
  writeEffect,
} from "../support/log_maker.ts";
import { StoreHashes } from "../support/store_hashes.ts";
import { GONE_MS, stateOf } from "../support/store_state.ts";
import { openStore, type Random, randomFrom, type StoreAccess } from "../support/store_access.ts";

const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);
const GROUPS = 60;
const KEYS = 8;
/** Beyond what a record holds in line: a block. */
const LARGE_BYTES = 20_000;
const IDENTITY = Uint8Array.from({ length: 16 }, (_, i) => i);

/** Effects as commands make them: a key that is made anew is put whole. */
function randomEffect(random: Random): Effect {
  const key = `k${random.below(KEYS)}`, database = random.below(2);
  const expiresAtMs = random.below(2) === 0 ? 0 : 2 ** 42 + random.below(1000);
  switch (random.below(20)) {
    case 0:
      return { kind: "flush", database: random.below(3) - 1 };
    case 1: {
      const table = IDENTITY.slice(), other = random.below(16);
      [table[0], table[other]] = [table[other], table[0]];
      return { kind: "databases", table };
    }
    case 2:
    case 3:
    case 4:
      return { kind: "remove", database, key };
    case 5:
    case 6:
    case 7:
      return { kind: "expire", database, key, expiresAtMs };
    case 8:
    case 9:
    case 10: {
      const offset = random.below(2) === 0 ? random.below(60) : random.below(70_000);
      const value = random.bytes(random.below(200));
      return { kind: "range", database, key, offset, value };
    }
    case 11:
      return put(key, random.bytes(LARGE_BYTES), expiresAtMs, database);
    default:
      return put(key, random.bytes(random.below(50)), expiresAtMs, database);
  }
}

const HASHES = 3;
/** Beyond what lies in one piece: a directory. */
const MANY_FIELDS = 300;

/** Effects on a hash as commands make them of the state in the model, which they are applied to. */
function randomHashEffect(random: Random, model: StateModel): Effect {
  const key = `h${random.below(HASHES)}`, database = random.below(2);
  const expiresAtMs = random.below(2) === 0 ? 0 : 2 ** 42 + random.below(1000);
  const value = model.entries.get(`${database}:${key}`)?.value;
  const names = value instanceof Map ? [...value.keys()] : [], roll = random.below(20);
  const fields = (count: number) => {
    const made = Array.from({ length: count }, () => {
      const name = `f${random.below(count < MANY_FIELDS ? 3 : MANY_FIELDS * 2)}`;
      const at = random.below(3) === 0 ? 2 ** 42 + random.below(1000) : 0;
      return field(name, random.bytes(random.below(40)), at);
    });
    return [...new Map(made.map((each) => [each.name, each])).values()];
  };
  if (names.length === 0 || roll < 2) {
    const count = random.below(3) === 0 ? MANY_FIELDS : 1 + random.below(6);
    return { kind: "putHash", database, key, expiresAtMs, fields: fields(count) };
  }
  if (roll < 8) return { kind: "setFields", database, key, fields: fields(1 + random.below(3)) };
  if (roll < 14) {
    const gone = names.filter(() => random.below(3) > 0);
    if (gone.length === names.length) return { kind: "remove", database, key };
    if (gone.length > 0) return { kind: "removeFields", database, key, names: gone };
  }
  if (roll < 16) return { kind: "expire", database, key, expiresAtMs };
  if (roll < 17) return { kind: "remove", database, key };
  if (roll < 18) return put(key, random.bytes(9), expiresAtMs, database);
  const told = { name: names[random.below(names.length)], expiresAtMs };
  return { kind: "expireFields", database, key, fields: [told] };
}

/** Groups of effects, of which the model then holds the result. */
function randomGroups(random: Random, model: StateModel, effectsMax: number): Effect[][] {
  return Array.from(
    { length: GROUPS },
    () =>
      Array.from({ length: 1 + random.below(effectsMax) }, () => {
        const effect = random.below(3) === 0
          ? randomEffect(random)
          : randomHashEffect(random, model);
        model.apply(effect);
        return effect;
      }),
  );
}

function encoded(effects: readonly Effect[]): Uint8Array {
  const writer = new EffectWriter(256);
  for (const effect of effects) writeEffect(writer, effect);
  return writer.bytes.subarray(0, writer.length);
}

/** A log of the groups, in several segments: replay begins where one of them does. */
function makeLog(groups: readonly (readonly Effect[])[], segmentBytesMax = 3_000): ByteDisk {
  const disk = new ByteDisk();
  const writer = new DirectoryWriter({ disk, serverId: SERVER_ID, segmentBytesMax });
  writer.beginLog(1);
  for (const group of groups) writer.group(encoded(group));
  writer.finish();
  return disk;
}

function openSmall(): StoreAccess {
  return openStore({ shardCount: 2, maxmemoryBytes: 4 * 2 ** 20 });
}

function replay(disk: ByteDisk, access: StoreAccess, times = 1): string {
  const loader = new EntryLoader(access.store, 32_768, 0);
  for (let i = 0; i < times; i++) {
    const result = recover(disk, loader);
    assert.ok("ok" in result, JSON.stringify(result));
  }
  return stateOf(access, loader.table);
}

Deno.test("EntryLoader comes to the model's state from a log, and to the same from two replays", () => {
  const random = randomFrom(SEED), model = new StateModel(), label = `MAYFLY_SIM_SEED=${SEED}`;
  const groups = randomGroups(random, model, 3);
  const disk = makeLog(groups);
  assert.ok(disk.list().length > 2, "several segments");
  assert.equal(replay(disk, openSmall()), model.toString(), label);
  assert.equal(replay(disk, openSmall(), 2), model.toString(), label);
});

Deno.test("a log replayed onto a snapshot from later than its beginning comes to the same state", () => {
  const random = randomFrom(SEED + 1), label = `MAYFLY_SIM_SEED=${SEED}`;
  const end = new StateModel(), groups = randomGroups(random, end, 1);
  const whole = makeLog(groups, 1 + random.below(600));
  for (let walked = 0; walked <= GROUPS; walked += 6) {
    // The walk saw everything up to `walked`; replay begins at or before that.
    const access = openSmall(), loader = new EntryLoader(access.store, 32_768, 0);
    assert.ok("ok" in recover(makeLog(groups.slice(0, walked)), loader));
    const sequence = 1 + random.below(walked + 1);
    const disk = new ByteDisk(new Map(whole.files));
    const made = writeSnapshot({
      disk,
      store: access.store,
      serverId: SERVER_ID,
      sequence,
      nowMs: GONE_MS,
      table: loader.table ?? IDENTITY,
      pause: () => {},
    });
    disk.rename(made.temporaryName, made.name);
    const expected = end.table === null ? `${IDENTITY.join()}${end}` : end.toString();
    const found = replay(disk, openSmall());
    assert.equal(found, expected, `${label}, walked to ${walked}, replay from ${sequence}`);
  }
});

Deno.test("a snapshot keeps what expired a moment ago: a batch that began before may let it live on", () => {
  const access = openSmall(), nowMs = 2 ** 41, value = new TextEncoder().encode("v");
  access.put("k", value, { expiresAtMs: nowMs - 1 });
  access.put("old", value, { expiresAtMs: nowMs - 2 * SNAPSHOT_EXPIRED_MS });
  const groups: Effect[] = [put("k", "v", nowMs - 1), {
    kind: "expire",
    database: 0,
    key: "k",
    expiresAtMs: 0,
  }];
  const disk = makeLog(groups.map((each) => [each]), 1);
  let kept = 0;
  const keeper = new SnapshotKeeper({
    disk,
    store: access.store,
    log: { rotate: () => true, sync: () => true, failures: 0, reason: "", segmentFirst: 2 },
    serverId: SERVER_ID,
    nowMs: () => nowMs,
    table: () => IDENTITY,
    pause: () => {},
    onStanding: ({ entries }) => kept = entries,
  });
  assert.equal(keeper.snapshot(), null);
  assert.equal(kept, 1, "what expired long ago is left out");
  const found = openSmall();
  replay(disk, found);
  assert.deepEqual(found.get("k"), value);
});

Deno.test("a hash that loses its last field to a replay onto a newer state keeps what comes next", () => {
  const hash = { database: 0, key: "h" } as const, expiresAtMs = 2 ** 42;
  const groups: Effect[] = [
    { kind: "putHash", ...hash, expiresAtMs: 0, fields: [field("a", "1"), field("b", "1")] },
    { kind: "expire", ...hash, expiresAtMs },
    { kind: "removeFields", ...hash, names: ["b"] },
    { kind: "setFields", ...hash, fields: [field("b", "2")] },
    { kind: "removeFields", ...hash, names: ["a"] },
  ];
  const end = new StateModel(), access = openSmall();
  for (const effect of groups) end.apply(effect);
  const disk = makeLog(groups.map((each) => [each]), 1);
  const nowhere = new EntryLoader(access.store, 1024);
  // The snapshot's walk met it at the end; replay begins behind what made it.
  assert.ok("ok" in recover(disk, nowhere));
  const { store } = access, table = IDENTITY, pause = () => {};
  const options = { disk, store, serverId: SERVER_ID, sequence: 3, nowMs: 0, table, pause };
  const made = writeSnapshot(options);
  disk.rename(made.temporaryName, made.name);
  const found = openSmall();
  assert.equal(replay(disk, found), `${IDENTITY.join()}${end}`);
  for (const shard of found.store.shards) found.store.sweepAll(shard, GONE_MS);
  assert.equal(found.store.entryCounts(0).entries, 1);
  const left = new StoreHashes(found).get(found.key("h"))!;
  assert.deepEqual([...left.keys()], ["b"]);
});

Deno.test("effects on fields of what is no hash are ignored and counted", () => {
  const hash = { database: 0, key: "h" } as const, access = openSmall();
  const groups: Effect[] = [
    { kind: "setFields", ...hash, fields: [field("a", "1")] },
    { kind: "removeFields", ...hash, names: ["a"] },
    { kind: "expireFields", ...hash, fields: [{ name: "a", expiresAtMs: 0 }] },
    put("h", "text"),
    { kind: "setFields", ...hash, fields: [field("a", "1")] },
    { kind: "removeFields", ...hash, names: ["a"] },
  ];
  const loader = new EntryLoader(access.store, 1024);
  assert.ok("ok" in recover(makeLog(groups.map((each) => [each])), loader));
  assert.equal(loader.ignored, 5);
  assert.equal(new TextDecoder().decode(access.get("h")!), "text");
});

Deno.test("EntryLoader refuses a field that is longer than any command makes", () => {
  const fields = [field("f", new Uint8Array(15_360))];
  const disk = makeLog([[{ kind: "putHash", database: 0, key: "h", expiresAtMs: 0, fields }]]);
  const result = recover(disk, new EntryLoader(openSmall().store, 1024));
  assert.ok(
    "error" in result && /a field of 15361 bytes in a hash, at most 15360/.test(result.error),
  );
});

Deno.test("several threads load a snapshot together: each frame once, and all who joined are waited for", async () => {
  const access = openStore({ shardCount: 2, maxmemoryBytes: 64 * 2 ** 20 });
  const entries = 60_000, value = new Uint8Array(100).fill(118);
  for (let i = 0; i < entries; i++) access.put(`key:${i}`, value);
  const disk = new ByteDisk(), sequence = 7;
  const { temporaryName, name } = writeSnapshot({
    disk,
    store: access.store,
    serverId: SERVER_ID,
    sequence,
    nowMs: 0,
    table: IDENTITY,
    pause: () => {},
  });
  disk.rename(temporaryName, name);

  const target = openStore({ shardCount: 2, maxmemoryBytes: 64 * 2 ** 20 });
  const turns = new LoadTurns(new Int32Array(new SharedArrayBuffer(LOAD_TURNS_WORDS * 4)));
  const options = {
    disk,
    turns,
    snapshotSequence: () => sequence,
    keyBytesMax: 1024,
    clockKind: 0,
    compressMinBytes: 0,
  };
  const told: number[] = [];
  const helping = [1, 2].map(() =>
    helpLoading({
      ...options,
      store: target.store,
      pause: () => {
        told.push(turns.effects);
        return Promise.resolve();
      },
    })
  );
  turns.open();
  await Promise.all(helping);
  assert.equal(turns.effects, entries + 1, "each entry and the table of databases");
  assert.ok(told.length > 8 && told[0] < entries / 4, "frame by frame");
  assert.equal(stateOf(target, IDENTITY), stateOf(access, IDENTITY));

  const loader = new EntryLoader(openSmall().store, 1024);
  turns.close();
  assert.ok(!await turns.join(), "nobody joins any more");
  // The turns are over: whoever reads by them finds nothing left, and counts what the others took.
  const begin = () => {};
  const result = recover(disk, loader, undefined, { turns, begin });
  assert.ok("ok" in result, JSON.stringify(result));
  assert.equal(result.ok.snapshotGroups, turns.groups);
  assert.equal(loader.effects, 0);
});
