// The background sweep with clocks that are made up: what a slice removes, and how long it rests afterwards.
import assert from "node:assert/strict";
import { ExpirySweeper } from "../../src/commands/expiry_sweeper.ts";
import {
  EXPIRY_IDLE_MS,
  EXPIRY_LOOK_MS,
  EXPIRY_LOOK_MS_MIN,
  EXPIRY_REST_MS,
  EXPIRY_SLICE_BUSY_MS_MAX,
  EXPIRY_SLICE_MS_MAX,
  EXPIRY_SLICE_MS_MIN,
} from "../../src/limits.ts";
import { COUNTER, COUNTERS } from "../../src/metrics.ts";
import { ProcessState } from "../../src/settings.ts";
import { openStore } from "../support/store_access.ts";

const START_MS = 1_700_000_000_000;
/** What each look at the clock costs here, so that slices end. */
const LOOK_COST_MS = 0.005;

function open(workerIndex = 0, workerCount = 1) {
  const access = openStore({ shardCount: 4, maxmemoryBytes: 2 ** 24 });
  const settings = {
    isActiveExpire: true,
    activeExpireEffort: 1,
    state: ProcessState.READY as ProcessState,
  };
  const counters = new Float64Array(COUNTERS.length), slices: number[] = [];
  const time = { nowMs: START_MS, elapsedMs: 0 };
  const turnEnds: (() => void)[] = [];
  const sweeper = new ExpirySweeper({
    store: access.store,
    settings,
    counters,
    workerIndex,
    workerCount,
    nowMs: () => time.nowMs,
    elapsedMs: () => time.elapsedMs += LOOK_COST_MS,
    onTurnEnd: (callback) => turnEnds.push(callback),
    onSlice: (tookMs) => slices.push(tookMs),
  });
  /** A batch of one command, as a connection runs it. */
  const batch = () => {
    counters[COUNTER.commands]++;
    if (sweeper.isWaiting) sweeper.runBetween();
  };
  /** The sockets were looked at. */
  const endTurn = () => turnEnds.splice(0).forEach((each) => each());
  const entries = () => access.store.entryCounts(0).entries;
  const fill = (count: number, expiresAtMs: number) => {
    for (let i = 0; i < count; i++) {
      assert.ok(access.put(`${expiresAtMs} ${i}`, new Uint8Array(8), { expiresAtMs }));
    }
  };
  return {
    access,
    settings,
    counters,
    slices,
    time,
    sweeper,
    entries,
    fill,
    turnEnds,
    batch,
    endTurn,
  };
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

/** A store with more than the first slice removes, after that slice; commands come. */
function openWaiting() {
  const opened = open(), { fill, time, batch, sweeper } = opened;
  fill(60_000, START_MS + 1);
  time.nowMs += 2;
  batch();
  assert.equal(sweeper.slice(), EXPIRY_REST_MS);
  assert.ok(sweeper.isWaiting);
  return opened;
}

/** Lets time pass until a batch asks for a slice; gives how long that took, in ms. */
function untilAsked({ time, batch, turnEnds }: ReturnType<typeof open>): number {
  const fromMs = time.elapsedMs;
  for (; turnEnds.length === 0; time.elapsedMs += 0.001) {
    assert.ok(time.elapsedMs - fromMs < 10, "no batch asked for a slice");
    batch();
  }
  return time.elapsedMs - fromMs;
}

Deno.test("runBetween() asks for a slice when the last one's rest is over, by the effort", () => {
  const opened = openWaiting(), { settings, slices, endTurn, entries, counters } = opened;
  for (const effort of [1, 5, 9]) {
    settings.activeExpireEffort = effort;
    for (let turn = 0; turn < 2; turn++) {
      untilAsked(opened);
      endTurn();
    }
    const part = 0.13 + 0.04 * effort, restMs = slices.at(-1)! * (1 / part - 1);
    const tookMs = untilAsked(opened);
    assert.ok(
      Math.abs(tookMs - restMs) < 3 * LOOK_COST_MS,
      `effort ${effort}: ${tookMs} ${restMs}`,
    );
    endTurn();
  }
  assert.ok(slices.every((ms) => ms >= EXPIRY_SLICE_MS_MIN && ms < EXPIRY_SLICE_MS_MIN + 0.1));
  assert.equal(counters[COUNTER.expirySlicesCut], slices.length);
  assert.ok(entries() > 30_000 && entries() < 60_000, `${entries()} are left`);
});

Deno.test("a slice waits for a turn without a command, and not for ever", () => {
  const opened = openWaiting(), { slices, batch, endTurn, turnEnds, time } = opened;
  untilAsked(opened);
  assert.equal(slices.length, 1, "the sockets are looked at first");
  for (let turn = 0; turn < 5; turn++) {
    batch();
    endTurn();
  }
  assert.equal(slices.length, 1, "each turn brought a command");
  assert.equal(turnEnds.length, 1, "it is asked for once");
  endTurn();
  assert.equal(slices.length, 2);
  const restMs = untilAsked(opened);
  time.elapsedMs += restMs;
  batch();
  endTurn();
  assert.equal(slices.length, 3);
  assert.ok(slices[2] > 1.5 * slices[1] && slices[2] < 3 * slices[1], `${slices}`);
});

Deno.test("slice() does what no batch has asked for, and nothing while batches do", () => {
  const opened = openWaiting(), { sweeper, slices, time, batch } = opened;
  batch();
  assert.equal(sweeper.slice(), EXPIRY_REST_MS);
  assert.equal(slices.length, 1);
  time.elapsedMs += EXPIRY_REST_MS;
  assert.equal(sweeper.slice(), EXPIRY_REST_MS);
  assert.equal(slices.length, 2);
  assert.ok(slices[1] < EXPIRY_SLICE_BUSY_MS_MAX + 0.1);
});

Deno.test("the rests are shorter when the sweep is far behind, and shorter again when memory is short", () => {
  const opened = openWaiting(), { access, time, slices, endTurn } = opened;
  const part = (nowMs: number) => {
    time.nowMs = nowMs;
    for (let turn = 0; turn < 2; turn++) {
      untilAsked(opened);
      endTurn();
    }
    return 1 / (untilAsked(opened) / slices.at(-1)! + 1);
  };
  const isNear = (one: number, other: number) => assert.ok(Math.abs(one - other) < 0.03, `${one}`);
  isNear(part(START_MS + 500), 0.17);
  isNear(part(START_MS + 1500), 0.34);
  isNear(part(START_MS + 2500), 0.5);
  access.store.account.limitBytes = access.store.account.usedBytes;
  isNear(part(START_MS + 600), 0.34);
});

Deno.test("a slice that was held up rests no longer than one that was not", () => {
  const opened = openWaiting(), { slices, time, endTurn, settings, sweeper } = opened;
  untilAsked(opened);
  // The thread loses the processor for 8 ms while the slice begins.
  Object.defineProperty(settings, "activeExpireEffort", {
    configurable: true,
    get: () => (time.elapsedMs += 8, 1),
  });
  endTurn();
  Object.defineProperty(settings, "activeExpireEffort", { value: 1 });
  assert.ok(slices[1] > 8, `${slices}`);
  assert.ok(sweeper.isWaiting);
  assert.ok(
    untilAsked(opened) < 2 * EXPIRY_SLICE_MS_MIN * (1 / 0.17),
    "as if it took what it should",
  );
});

Deno.test("slice() takes longer and does not rest once no command has come for a while", () => {
  const { sweeper, slices, time } = openWaiting();
  time.elapsedMs += EXPIRY_IDLE_MS;
  assert.equal(sweeper.slice(), 0);
  assert.ok(slices[1] >= EXPIRY_SLICE_MS_MAX);
});

Deno.test("an asked slice is not done once there is nothing left, or the sweep is switched off", () => {
  const opened = openWaiting(),
    { access, settings, slices, endTurn, turnEnds, sweeper, time } = opened;
  untilAsked(opened);
  settings.isActiveExpire = false;
  endTurn();
  assert.equal(slices.length, 1);
  assert.equal(turnEnds.length, 0);
  assert.equal(sweeper.slice(), EXPIRY_LOOK_MS);
  assert.equal(sweeper.isWaiting, false);
  settings.isActiveExpire = true;
  access.store.flush(-1);
  time.elapsedMs += EXPIRY_REST_MS;
  assert.equal(sweeper.slice(), EXPIRY_LOOK_MS);
  assert.equal(sweeper.isWaiting, false);
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
    onTurnEnd: () => {},
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
