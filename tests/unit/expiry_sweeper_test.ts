// The background sweep with clocks that are made up: what a slice removes, and how long it rests afterwards.
import assert from "node:assert/strict";
import { ExpirySweeper } from "../../src/commands/expiry_sweeper.ts";
import {
  EXPIRY_LOOK_MS,
  EXPIRY_LOOK_MS_MIN,
  EXPIRY_REST_MS_MIN,
  EXPIRY_SLICE_MS_MAX,
} from "../../src/limits.ts";
import { COUNTER, COUNTERS } from "../../src/metrics.ts";
import { ProcessState } from "../../src/settings.ts";
import { openStore } from "../support/store_access.ts";

const START_MS = 1_700_000_000_000;
/** What each look at the clock costs here, so that slices end. */
const LOOK_COST_MS = 0.05;

function open(workerIndex = 0, workerCount = 1) {
  const access = openStore({ shardCount: 4, maxmemoryBytes: 2 ** 24 });
  const settings = {
    isActiveExpire: true,
    activeExpireEffort: 1,
    state: ProcessState.READY as ProcessState,
  };
  const counters = new Float64Array(COUNTERS.length), slices: number[] = [];
  const time = { nowMs: START_MS, elapsedMs: 0 };
  const sweeper = new ExpirySweeper({
    store: access.store,
    settings,
    counters,
    workerIndex,
    workerCount,
    nowMs: () => time.nowMs,
    elapsedMs: () => time.elapsedMs += LOOK_COST_MS,
    onSlice: (tookMs) => slices.push(tookMs),
  });
  const entries = () => access.store.entryCounts(0).entries;
  const fill = (count: number, expiresAtMs: number) => {
    for (let i = 0; i < count; i++) {
      assert.ok(access.put(`${expiresAtMs} ${i}`, new Uint8Array(8), { expiresAtMs }));
    }
  };
  return { access, settings, counters, slices, time, sweeper, entries, fill };
}

Deno.test("slice() rests until the earliest moment that something expires, within its bounds", () => {
  const { time, sweeper, entries, fill, counters } = open();
  assert.equal(sweeper.slice(), EXPIRY_LOOK_MS);
  fill(100, START_MS + 40);
  assert.equal(sweeper.slice(), 40);
  time.nowMs += 39;
  assert.equal(sweeper.slice(), EXPIRY_LOOK_MS_MIN);
  assert.equal(entries(), 100);
  time.nowMs += 4;
  assert.equal(sweeper.slice(), EXPIRY_LOOK_MS);
  assert.equal(entries(), 0);
  assert.equal(counters[COUNTER.expiryLateMsMaxNow], 3);
});

Deno.test("slice() ends in time with work left, and rests by the effort while commands come", () => {
  const { settings, time, sweeper, entries, fill, counters, slices } = open();
  fill(40_000, START_MS + 1);
  time.nowMs += 2;
  const rests: number[] = [], efforts = [1, 5, 10];
  for (const effort of efforts) {
    settings.activeExpireEffort = effort;
    counters[COUNTER.commands]++;
    rests.push(sweeper.slice());
  }
  assert.ok(entries() > 30_000 && entries() < 40_000, `${entries()} are left`);
  efforts.forEach((effort, i) => {
    const part = Math.min(0.5, 0.11 + 0.04 * effort);
    assert.ok(Math.abs(rests[i] - slices[i] * (1 / part - 1)) < 1e-6, `effort ${effort}`);
    assert.ok(rests[i] > EXPIRY_REST_MS_MIN - 1e-6, "a timer can wake so soon");
    assert.ok(slices[i] < EXPIRY_SLICE_MS_MAX + 3 * LOOK_COST_MS);
  });
  assert.ok(slices[0] < 0.5 && slices[0] < slices[1] && slices[1] < slices[2], `${slices}`);
  assert.equal(counters[COUNTER.expirySlicesCut], 3);
});

Deno.test("slice() rests less when it is far behind, and less again when memory is short", () => {
  const { access, time, sweeper, fill, counters, slices } = open();
  fill(60_000, START_MS + 1);
  const rest = (nowMs: number) => {
    time.nowMs = nowMs;
    counters[COUNTER.commands]++;
    const restMs = sweeper.slice();
    return 1 / (restMs / slices.at(-1)! + 1);
  };
  assert.ok(Math.abs(rest(START_MS + 500) - 0.15) < 1e-6);
  assert.ok(Math.abs(rest(START_MS + 1500) - 0.3) < 1e-6);
  access.store.account.limitBytes = access.store.account.usedBytes;
  assert.ok(Math.abs(rest(START_MS + 1600) - 0.5) < 1e-6);
});

Deno.test("slice() takes longer and does not rest while no command comes", () => {
  const { time, sweeper, fill, slices } = open();
  fill(60_000, START_MS + 1);
  time.nowMs += 2;
  assert.equal(sweeper.slice(), 0);
  assert.ok(slices[0] >= EXPIRY_SLICE_MS_MAX);
});

Deno.test("slice() leaves all as it is while it is switched off, and while the log is loaded", () => {
  const { settings, time, sweeper, entries, fill } = open();
  fill(10, START_MS + 1);
  time.nowMs += 5000;
  settings.isActiveExpire = false;
  assert.equal(sweeper.slice(), EXPIRY_LOOK_MS);
  settings.isActiveExpire = true;
  settings.state = ProcessState.STARTING;
  assert.equal(sweeper.slice(), EXPIRY_LOOK_MS);
  assert.equal(entries(), 10);
  settings.state = ProcessState.READY;
  sweeper.slice();
  assert.equal(entries(), 0);
});

Deno.test("slice() of several workers sweeps each shard once among them", () => {
  const { access, time, fill, entries } = open();
  fill(1000, START_MS + 1);
  time.nowMs += 2;
  let left = 1000;
  for (let workerIndex = 0; workerIndex < 3; workerIndex++) {
    const { sweeper } = withStore(access, time, workerIndex);
    sweeper.slice();
    assert.ok(entries() < left, `worker ${workerIndex} has shards of its own`);
    left = entries();
  }
  assert.equal(left, 0);
});

function withStore(
  access: ReturnType<typeof openStore>,
  time: { nowMs: number; elapsedMs: number },
  workerIndex: number,
) {
  const settings = { isActiveExpire: true, activeExpireEffort: 1, state: ProcessState.READY };
  const sweeper = new ExpirySweeper({
    store: access.store,
    settings,
    counters: new Float64Array(COUNTERS.length),
    workerIndex,
    workerCount: 3,
    nowMs: () => time.nowMs,
    elapsedMs: () => time.elapsedMs,
    onSlice: () => {},
  });
  return { sweeper };
}

Deno.test("the lateness told is the worst of the last second, then sinks", () => {
  const { time, sweeper, fill, counters } = open();
  fill(1, START_MS + 100);
  sweeper.slice();
  time.nowMs = START_MS + 350;
  sweeper.slice();
  assert.equal(counters[COUNTER.expiryLateMsMaxNow], 250);
  time.nowMs += 500;
  sweeper.slice();
  assert.equal(counters[COUNTER.expiryLateMsMaxNow], 250);
  for (let i = 0; i < 3; i++) {
    time.nowMs += 1000;
    sweeper.slice();
  }
  assert.equal(counters[COUNTER.expiryLateMsMaxNow], 0);
});
