// Cycles of filling, churning with values of ever other sizes, and expiring: memory for each live byte must not grow.
//
// MAYFLY_SIM_CYCLES=24 makes it long; the ratios are printed.
import assert from "node:assert/strict";
import { openStore, randomFrom } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";

const CYCLES = Number(Deno.env.get("MAYFLY_SIM_CYCLES") ?? 5);
const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);
const KEYS = 20_000, CHANGES_PER_PHASE = 20_000;
/** Each phase of a cycle writes values of about so many bytes; all cycles have the same phases. */
const PHASE_BYTES = [300, 40, 1500, 120, 4000, 20, 700, 300];
/** What the background has time for within 15 seconds. */
const TURNS = 300;
const CYCLE_MS = 1_000_000;
/** The bound for the last cycle against the first. */
const GROWTH_MAX = 1.15;

Deno.test("memory for each live byte stays what it was over cycles of fill, churn and expiry", () => {
  console.log(`seed ${SEED}, ${CYCLES} cycles`);
  const access = openStore({ maxmemoryBytes: 128 * 2 ** 20, shardCount: 1 }), { store } = access;
  // One shard: with few bytes in many, pages of size classes that hold a record or two would be all there is to see.
  const random = randomFrom(SEED), live = new Map<number, number>();
  const perByte: number[] = [], reserved: number[] = [];
  const put = (key: number, bytes: number, expiresAtMs: number) => {
    const name = `key:${key}`;
    assert.ok(
      access.put(name, new Uint8Array(bytes), { expiresAtMs }),
      `no room for ${bytes} bytes`,
    );
    live.set(key, name.length + bytes);
  };
  const liveBytes = () => [...live.values()].reduce((sum, bytes) => sum + bytes, 0);
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const endMs = (cycle + 1) * CYCLE_MS;
    for (let key = 0; key < KEYS; key++) put(key, 1 + random.below(600), endMs);
    for (const bytes of PHASE_BYTES) {
      for (let change = 0; change < CHANGES_PER_PHASE; change++) {
        const key = random.below(KEYS);
        if (change % 5 === 4) {
          access.remove(`key:${key}`);
          live.delete(key);
        } else put(key, 1 + random.below(bytes * 2), endMs);
      }
    }
    // As the background does, twenty times a second.
    for (let turn = 0; turn < TURNS; turn++) {
      store.shards.forEach((each) => store.compactAhead(each, endMs - 1));
    }
    checkInvariants(store);
    const { usedBytes, freePageBytes } = store.totals();
    perByte.push(usedBytes / liveBytes());
    reserved.push((usedBytes + freePageBytes) / liveBytes());
    for (const shard of store.shards) store.sweepAll(shard, endMs);
    live.clear();
    assert.equal(store.entryCounts(0).entries, 0);
    const left = store.totals();
    assert.ok(left.usedBytes < 2 ** 20, `${left.usedBytes} bytes are in use and nothing is stored`);
  }
  console.log(`used memory per live byte: ${perByte.map((each) => each.toFixed(3)).join(" ")}`);
  console.log(`and with free pages: ${reserved.map((each) => each.toFixed(3)).join(" ")}`);
  const last = CYCLES - 1;
  assert.ok(perByte[last] <= perByte[0] * GROWTH_MAX, `${perByte[last]}, at first ${perByte[0]}`);
  assert.ok(reserved[last] <= reserved[0] * GROWTH_MAX, `${reserved[last]}, first ${reserved[0]}`);
});
