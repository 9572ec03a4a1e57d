// Entries against a model: random operations on small stores, a Map beside them, invariants after each
// phase. It must not know how anything is laid out.
import assert from "node:assert/strict";
import { CLASS_UNITS } from "../../src/store/arena.ts";
import { DATABASES, INLINE_VALUE_BYTES_MAX } from "../../src/store/store.ts";
import { openStore, randomFrom, type StoreAccess } from "../support/store_access.ts";
import { checkInvariants, isClock } from "../support/store_invariants.ts";

interface Modelled {
  value: Uint8Array;
  expiresAtMs: number;
}

/** A store and what should be in it; every operation is done to both and compared. */
class Pair {
  readonly model: Map<string, Modelled>[] = Array.from({ length: DATABASES }, () => new Map());
  nowMs = 1_000;
  refused = 0;

  constructor(readonly access: StoreAccess, readonly label: string) {}

  #live(name: string, database: number): Modelled | undefined {
    const found = this.model[database].get(name);
    return found && (found.expiresAtMs === 0 || found.expiresAtMs > this.nowMs) ? found : undefined;
  }

  put(name: string, database: number, value: Uint8Array, expiresAtMs: number): void {
    const isStored = this.access.put(name, value, { database, expiresAtMs });
    if (isStored) this.model[database].set(name, { value, expiresAtMs });
    else this.refused++;
    this.get(name, database);
  }

  append(name: string, database: number, added: Uint8Array): void {
    const before = this.#live(name, database);
    if (!this.access.append(name, added, this.nowMs, database)) this.refused++;
    else {
      const value = new Uint8Array((before?.value.length ?? 0) + added.length);
      value.set(before?.value ?? new Uint8Array(0));
      value.set(added, value.length - added.length);
      this.model[database].set(name, { value, expiresAtMs: before?.expiresAtMs ?? 0 });
    }
    this.get(name, database);
  }

  remove(name: string, database: number): void {
    const expected = this.#live(name, database) !== undefined;
    assert.equal(this.access.remove(name, this.nowMs, database), expected, this.label);
    this.model[database].delete(name);
    this.get(name, database);
  }

  expire(name: string, database: number, expiresAtMs: number): void {
    const found = this.#live(name, database);
    const isSet = this.access.expire(name, expiresAtMs, this.nowMs, database);
    assert.equal(isSet, found !== undefined, this.label);
    if (found) found.expiresAtMs = expiresAtMs;
    this.get(name, database);
  }

  get(name: string, database: number): void {
    const expected = this.#live(name, database)?.value ?? null;
    const found = this.access.get(name, this.nowMs, database);
    const where = `${this.label}: database ${database}, key of ${name.length} bytes`;
    assert.equal(found?.length ?? -1, expected?.length ?? -1, where);
    if (found && expected) assert.ok(isSame(found, expected), `${where}: other bytes`);
  }

  flush(database: number): void {
    this.access.store.flush(database);
    for (let each = 0; each < DATABASES; each++) {
      if (database < 0 || each === database) this.model[each].clear();
    }
  }

  /** Removes what has expired from both and compares every count and value. */
  compareAll(): void {
    const { store } = this.access;
    checkInvariants(store);
    for (const shard of store.shards) store.sweepAll(shard, this.nowMs);
    for (let database = 0; database < DATABASES; database++) {
      let expiring = 0;
      for (const name of [...this.model[database].keys()]) {
        const live = this.#live(name, database);
        if (live === undefined) this.model[database].delete(name);
        else if (live.expiresAtMs !== 0) expiring++;
      }
      const counts = { entries: this.model[database].size, expiring };
      assert.deepEqual(store.entryCounts(database), counts, `${this.label}: database ${database}`);
      for (const name of this.model[database].keys()) this.get(name, database);
    }
    checkInvariants(store);
  }
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

function runModel(seed: number, shardCount: number, maxmemoryBytes: number, steps: number): Pair {
  const random = randomFrom(seed);
  const access = openStore({ shardCount, maxmemoryBytes, lockStart: -400 });
  const pair = new Pair(access, `seed ${seed}, ${shardCount} shards`);
  const names = ["", "x".repeat(32_768), "y".repeat(32_767)];
  while (names.length < 400) {
    names.push(
      "k".repeat(1 + random.below(40)).slice(0, -1) + String.fromCharCode(65 + random.below(26)),
    );
  }
  const size = () => {
    const kind = random.below(100);
    if (kind < 70) return random.below(400);
    if (kind < 90) return random.below(INLINE_VALUE_BYTES_MAX + 1);
    return random.below(kind < 97 ? 150_000 : 400_000);
  };
  for (let step = 1; step <= steps; step++) {
    const name = names[random.below(names.length)];
    const database = random.below(10) < 5 ? 0 : random.below(DATABASES);
    const kind = random.below(100);
    const expiresAtMs = random.below(4) === 0 ? pair.nowMs + 1 + random.below(200) : 0;
    if (kind < 45) pair.put(name, database, random.bytes(size()), expiresAtMs);
    else if (kind < 60) pair.append(name, database, random.bytes(size()));
    else if (kind < 80) pair.remove(name, database);
    else if (kind < 88) pair.expire(name, database, expiresAtMs);
    else if (kind < 99) pair.get(name, database);
    else access.store.reclaim(pair.nowMs);
    pair.nowMs += random.below(3);
    if (step % 1000 === 0) pair.compareAll();
    if (step % 2500 === 0) pair.flush(random.below(DATABASES));
    if (step === steps >> 1) pair.flush(-1);
  }
  pair.compareAll();
  return pair;
}

Deno.test("Store agrees with a Map under random operations in 16 databases", () => {
  runModel(20_261, 2, 64 * 2 ** 20, 6_000);
});

Deno.test("Store agrees with a Map while memory keeps running out", () => {
  const pair = runModel(77_003, 1, 4 * 2 ** 20, 6_000);
  assert.ok(pair.refused > 50, `${pair.refused} refusals`);
  pair.flush(-1);
  const census = checkInvariants(pair.access.store);
  assert.equal(census.liveSlotBytes + census.blockBytes + census.freeSlotBytes, 0);
  assert.ok(pair.access.put("after", new Uint8Array(3_000_000)));
});

Deno.test("Store keeps values at every class's edge, through overwrites in both directions", () => {
  const pair = new Pair(
    openStore({ shardCount: 1, maxmemoryBytes: 8e6, maxValueBytes: 0 }),
    "edges",
  );
  const random = randomFrom(5);
  const sizes = new Set([0, 1, 2, 3, 4, INLINE_VALUE_BYTES_MAX, INLINE_VALUE_BYTES_MAX + 1]);
  for (const units of CLASS_UNITS) {
    for (const delta of [-1, 0, 1]) {
      const valueBytes = units * 8 - 16 - 4 + delta;
      if (valueBytes >= 0 && valueBytes <= INLINE_VALUE_BYTES_MAX) sizes.add(valueBytes);
    }
  }
  const ascending = [...sizes].sort((a, b) => a - b);
  for (const bytes of [...ascending, ...ascending.toReversed()]) {
    pair.put("key", 0, random.bytes(bytes), 0); // one key through all classes
    pair.put(`${bytes}`.padStart(4), 3, random.bytes(bytes), 0); // and one key per size
    checkInvariants(pair.access.store);
  }
  pair.compareAll();
  for (const bytes of ascending) pair.remove(`${bytes}`.padStart(4), 3);
  pair.compareAll();
});

Deno.test("Store keeps records of the longest key with the longest value in a slot", () => {
  const pair = new Pair(openStore({ shardCount: 1 }), "longest");
  const random = randomFrom(6);
  for (let i = 0; i < 20; i++) {
    const name = String.fromCharCode(65 + i).repeat(32_768);
    pair.put(name, i % DATABASES, random.bytes(INLINE_VALUE_BYTES_MAX), 0);
    pair.append(name, i % DATABASES, random.bytes(1 + i));
  }
  pair.compareAll();
});

Deno.test("Store parts equal keys of different databases", () => {
  const pair = new Pair(openStore({ shardCount: 2 }), "databases");
  for (let database = 0; database < DATABASES; database++) {
    pair.put("same", database, new Uint8Array([database]), database % 2 === 0 ? 5_000 : 0);
  }
  pair.compareAll();
  pair.flush(7);
  pair.compareAll();
  pair.nowMs = 5_000;
  pair.compareAll();
  assert.equal(pair.access.store.totals().expired, 8);
});

Deno.test("findForChange() removes an expired entry and find() hides it, exactly at its moment", () => {
  const { access } = new Pair(openStore({ shardCount: 1 }), "moment");
  access.put("k", new Uint8Array(10), { expiresAtMs: 500 });
  assert.equal(access.get("k", 499)?.length, 10);
  assert.equal(access.get("k", 500), null);
  assert.equal(access.store.entryCounts(0).entries, 1, "a read removes nothing");
  assert.equal(access.remove("k", 500), false);
  assert.deepEqual(access.store.entryCounts(0), { entries: 0, expiring: 0 });
  checkInvariants(access.store);
});

Deno.test("reclaim() frees what has expired when memory ran out", () => {
  const { access } = new Pair(openStore({ shardCount: 1, maxmemoryBytes: 2 ** 22 }), "reclaim");
  let stored = 0;
  while (
    access.put(`key-${stored}`, new Uint8Array(200), { expiresAtMs: 100 + stored % 2 * 900 })
  ) {
    stored++;
  }
  const used = access.store.account.usedBytes;
  let isFreeing = true;
  for (let rounds = 0; isFreeing && rounds < 1000; rounds++) isFreeing = access.store.reclaim(100);
  checkInvariants(access.store);
  assert.equal(access.store.entryCounts(0).entries, Math.floor(stored / 2));
  const left = access.store.account.usedBytes;
  assert.ok(left < used * 0.65, `${left} of ${used} bytes are still in use`);
  assert.ok(access.put("again", new Uint8Array(200)));
});

Deno.test("find() stores the access clock and an overwrite in place keeps to the new one", () => {
  const access = openStore({ shardCount: 1 }), key = access.key("k"), shard = access.shardOf(key);
  access.put("k", new Uint8Array(8), { clock: 7 });
  const clocks = () => [...shard.clocks].filter((clock, at) => clock !== 0 && isClock(at >> 1));
  assert.deepEqual(clocks(), [7]);
  access.getKey(key, 0, 9);
  assert.deepEqual(clocks(), [9]);
  access.put("k", new Uint8Array(8), { clock: 11 });
  assert.deepEqual(clocks(), [11]);
});
