// What the 16 bits beside each entry tell when their clock has gone round, and how counts of uses grow and decay.
import assert from "node:assert/strict";
import {
  BY_FREQUENCY,
  BY_SEGMENT,
  clockKindOf,
  EVICTION_POLICIES,
  type EvictionPolicy,
  LFU_DECAY_BY_TURNOVER,
  LFU_LOG_FACTOR_START,
} from "../../src/eviction_policies.ts";
import { rejuvenated, staleness } from "../../src/store/access.ts";
import { accessStamp, countAt, Evictor, setCounting } from "../../src/store/store.ts";
import { openStore } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";

const NOW_MS = 1_700_000_000_000, MINUTE_MS = 60_000;
const TICKS = 65_536, OLD = 200, NEW = 1000;

/** Runs with counts by these settings, and sets them back. */
function counting(factor: number, minutes: number, run: () => void): void {
  setCounting(factor, minutes, NOW_MS);
  try {
    run();
  } finally {
    setCounting(LFU_LOG_FACTOR_START, LFU_DECAY_BY_TURNOVER, NOW_MS);
  }
}

/** A store whose clock stands before its end, with a way to let it tick and to use keys. */
function openClocked(policy: EvictionPolicy, tickStart: number, isAdmitting: boolean) {
  const access = openStore({ shardCount: 1, tickStart }), { store } = access;
  const evictor = new Evictor(store, null), number = EVICTION_POLICIES.indexOf(policy);
  const kind = clockKindOf(number, isAdmitting), shard = store.shards[0];
  evictor.begin(number, NOW_MS, isAdmitting);
  evictor.runAhead(shard);
  const stamp = () => accessStamp(kind, store.accessClock.tick, isAdmitting);
  return {
    access,
    store,
    tick: (count: number) => {
      for (let i = 0; i < count; i++) store.accessClock.noteAdded(0);
    },
    /** A turn of the work in the background. */
    turn: () => evictor.runAhead(shard),
    put: (name: string) => assert.ok(access.put(name, new Uint8Array(8), { clock: stamp() })),
    use: (name: string) =>
      assert.notEqual(access.getKey(access.key(name), NOW_MS, stamp()), null, name),
    evict: (count: number) => {
      store.lockChange(shard);
      assert.equal(evictor.evict(shard, count), count);
      store.unlockChange(shard);
    },
  };
}

Deno.test("rejuvenateClocks() keeps what was used a lap of the clock ago from looking new, under every policy by use", () => {
  const cases: [EvictionPolicy, boolean][] = [
    ["allkeys-lru", false],
    ["allkeys-lru", true],
    ["allkeys-lfu", false],
    ["allkeys-sieve", false],
  ];
  for (const [policy, isAdmitting] of cases) {
    const { access, store, tick, turn, put, use, evict } = openClocked(
      policy,
      TICKS - 300,
      isAdmitting,
    );
    for (let i = 0; i < OLD; i++) put(`old:${i}`);
    // Used until the counts are well above those of new entries.
    if (policy === "allkeys-lfu") {
      for (let use8 = 0; use8 < 8; use8++) for (let i = 0; i < OLD; i++) use(`old:${i}`);
    }
    // A lap, and as far that by their bits the old ones would be the newest of all.
    for (let ticks = 0; ticks < TICKS - 256; ticks += 128) {
      tick(128);
      turn();
    }
    for (let i = 0; i < NEW; i++) put(`new:${i}`);
    for (let i = 0; i < NEW; i++) use(`new:${i}`);
    tick(320);
    turn();
    checkInvariants(store);
    evict(OLD);
    let left = 0;
    for (let i = 0; i < OLD; i++) if (access.get(`old:${i}`, NOW_MS) !== null) left++;
    // The sample of 16 may miss an old one while there are some: a few of the new ones go for that.
    assert.ok(
      left < OLD * 0.5,
      `${policy}, ${isAdmitting}: ${left} of ${OLD} old entries are left`,
    );
  }
});

Deno.test("rejuvenated() never changes the order of ages that are told apart, nor what has not come yet", () => {
  for (const policy of ["allkeys-lru", "allkeys-sieve"] as const) {
    const kind = clockKindOf(EVICTION_POLICIES.indexOf(policy), false);
    for (const tick of [0, 1, 300, 32_768, TICKS - 2]) {
      const stamp = accessStamp(kind, tick, false);
      for (let age = -4000; age < 57_000; age += 97) {
        const cell = (tick - age) & 0xfffe, made = rejuvenated(cell, stamp);
        if (age < 49_000) assert.equal(made, cell, `age ${age} at ${tick}`);
        else assert.ok(((tick - made) & 0xffff) > 49_000, `age ${age} at ${tick}`);
        assert.equal(made & 1, cell & 1);
      }
    }
  }
  const stamp = accessStamp(BY_SEGMENT, 100, false);
  assert.ok(staleness(rejuvenated(101, stamp), stamp) < staleness(rejuvenated(100, stamp), stamp));
});

Deno.test("rejuvenated() leaves the count of a cell by frequency as it would be", () => {
  for (const minutes of [LFU_DECAY_BY_TURNOVER, 1, 7]) {
    counting(1, minutes, () => {
      for (let periods = 0; periods < 240; periods++) {
        for (const count of [0, 5, 60, 200, 255]) {
          const stamp = accessStamp(BY_FREQUENCY, 0x4200, false);
          const period = ((stamp >>> 8) - periods) & 0xff, cell = (period << 8) | count;
          const made = rejuvenated(cell, stamp);
          assert.equal(countAt(made, stamp), countAt(cell, stamp), `${periods} periods, ${count}`);
        }
      }
    });
  }
});

Deno.test("setCounting() makes counts grow as Redis's documentation tells of lfu-log-factor", () => {
  // Counts after 100 and 1000 uses, by factor.
  const told: [number, number, number][] = [[0, 104, 255], [1, 18, 49], [10, 10, 18], [100, 8, 11]];
  for (const [factor, after100, after1000] of told) {
    counting(factor, 1, () => {
      const { access, store, put, use } = openClocked("allkeys-lfu", 0, false), keys = 60;
      const shard = store.shards[0];
      const mean = () => {
        let sum = 0;
        for (let i = 0; i < keys; i++) {
          access.getKey(access.key(`k${i}`), NOW_MS, -1);
          sum += countAt(store.accessClockOf(shard), accessStamp(BY_FREQUENCY, 0, false));
        }
        return sum / keys;
      };
      for (let i = 0; i < keys; i++) put(`k${i}`);
      for (let n = 0; n < 100; n++) for (let i = 0; i < keys; i++) use(`k${i}`);
      const first = mean();
      assert.ok(Math.abs(first - after100) <= 1 + after100 * 0.1, `${factor}: ${first} after 100`);
      for (let n = 0; n < 900; n++) for (let i = 0; i < keys; i++) use(`k${i}`);
      const second = mean();
      assert.ok(Math.abs(second - after1000) <= 1 + after1000 * 0.1, `${factor}: ${second}`);
    });
  }
});

Deno.test("setCounting() makes counts lose one for each so many minutes, or none, and a change keeps them", () => {
  counting(1, 3, () => {
    const cell = accessStamp(BY_FREQUENCY, 0, false) & 0xff00 | 100;
    const after = (minutes: number) => {
      setCounting(1, 3, NOW_MS + minutes * MINUTE_MS);
      return countAt(cell, accessStamp(BY_FREQUENCY, 0, false));
    };
    assert.equal(after(0), 100);
    const begun = Math.floor(NOW_MS / MINUTE_MS) % 3;
    assert.equal(after(3 - begun), 99);
    assert.equal(after(30 - begun), 90);
    assert.equal(after(450), 0);
    setCounting(1, 0, NOW_MS);
    const never = accessStamp(BY_FREQUENCY, 0, false) & 0xff00 | 100;
    setCounting(1, 0, NOW_MS + 1e9);
    assert.equal(countAt(never, accessStamp(BY_FREQUENCY, 55_555, false)), 100);
  });
  const { access, store, tick, turn, put, use } = openClocked("allkeys-lfu", 0, false);
  put("k");
  for (let i = 0; i < 200; i++) use("k");
  const counted = () => {
    access.getKey(access.key("k"), NOW_MS, -1);
    const stamp = accessStamp(BY_FREQUENCY, store.accessClock.tick, false);
    return countAt(store.accessClockOf(store.shards[0]), stamp);
  };
  const before = counted();
  assert.ok(before > 15);
  tick(700);
  counting(1, 5, () => {
    turn();
    assert.equal(counted(), before);
  });
  turn();
  assert.equal(counted(), before);
});
