// What is foretold of expiry against what was stored: counted whole, and estimated from a sample.
import assert from "node:assert/strict";
import { countForecast, forecastInSteps } from "../../src/commands/expiry_commands.ts";
import {
  createForecastMemory,
  ForecastBoard,
  type ForecastCounts,
  HORIZON_NAMES,
  HORIZONS_S,
} from "../../src/expiry_forecast.ts";
import { FORECAST_PARTS } from "../../src/limits.ts";
import type { Store } from "../../src/store/store.ts";
import { openStore, randomFrom } from "../support/store_access.ts";

const NOW_MS = 1_700_000_000_000;

/** All steps of an estimate; `between` is called after each. */
function sampleForecast(
  store: Store,
  nowMs: number,
  startPart: number,
  between: () => void = () => {},
): ForecastCounts {
  for (const steps = forecastInSteps(store, nowMs, startPart);; between()) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

function keysOf(counts: ForecastCounts): number[] {
  return counts.told().map(({ keys }) => keys);
}

/** Keys with a TTL of up to two hours, most of them long, and some without; and how many are in each horizon. */
function filled(count: number) {
  const access = openStore({ maxmemoryBytes: 2 ** 27 }), random = randomFrom(11);
  const expected = HORIZONS_S.map(() => 0);
  for (let i = 0; i < count; i++) {
    const ttlMs = 1 + random.below(random.below(2) === 0 ? 7_200_000 : 60_000);
    const expiresAtMs = i % 5 === 0 ? 0 : NOW_MS + ttlMs;
    assert.ok(access.put(`${i}`, new Uint8Array(16), { expiresAtMs }));
    HORIZONS_S.forEach((seconds, h) => {
      if (expiresAtMs !== 0 && ttlMs <= seconds * 1000) expected[h]++;
    });
  }
  return { access, expected };
}

Deno.test("HORIZON_NAMES are those of the documents", () => {
  assert.deepEqual(HORIZON_NAMES, ["1s", "10s", "1m", "10m", "1h"]);
});

Deno.test("countForecast() counts every key that expires within each time, and its bytes", async () => {
  const { access, expected } = filled(60_000);
  const counts = await countForecast(access.store, NOW_MS);
  assert.deepEqual(keysOf(counts), expected);
  for (const { keys, bytes } of counts.told()) {
    // A slot of 40 bytes, and 12 to 30 bytes of index.
    assert.ok(bytes >= keys * 52 && bytes <= keys * 70, `${bytes} bytes of ${keys} keys`);
  }
  const later = await countForecast(access.store, NOW_MS + 7_200_000);
  assert.deepEqual(keysOf(later), HORIZONS_S.map(() => 48_000));
});

Deno.test("forecastInSteps() is exact where keys are few, wherever it begins", () => {
  const { access, expected } = filled(1_000);
  for (const startPart of [0, 0.3, 0.999]) {
    assert.deepEqual(keysOf(sampleForecast(access.store, NOW_MS, startPart)), expected);
  }
});

Deno.test("forecastInSteps() comes near from a sample of many keys", () => {
  const { access, expected } = filled(200_000);
  const random = randomFrom(5);
  for (let round = 0; round < 10; round++) {
    const keys = keysOf(sampleForecast(access.store, NOW_MS, random.below(1000) / 1000));
    keys.forEach((estimate, h) => {
      // Four standard deviations of the least that 16 shards with 8 parts of 32 entries can tell.
      const near = 4 * Math.sqrt(expected[h] * 200_000 / 4_096) + 20;
      const off = Math.abs(estimate - expected[h]);
      assert.ok(off < near, `${HORIZON_NAMES[h]}: ${estimate} for ${expected[h]}, round ${round}`);
    });
  }
});

Deno.test("forecastInSteps() stops often enough, and the store may change meanwhile", () => {
  const { access, expected } = filled(20_000);
  let steps = 0;
  const counts = sampleForecast(access.store, NOW_MS, 0.3, () => {
    for (let i = 0; i < 20; i++) access.remove(`${steps * 20 + i}`);
    steps++;
  });
  assert.ok(steps >= access.store.shards.length * FORECAST_PARTS, `${steps} steps`);
  const keys = keysOf(counts), last = expected.at(-1)!;
  assert.ok(keys.every((count, i) => i === 0 || count >= keys[i - 1]), `${keys}`);
  assert.ok(keys.at(-1)! > last * 0.6 && keys.at(-1)! < last * 1.2, `${keys} of ${expected}`);
});

Deno.test("forecastInSteps() and countForecast() of a store without a TTL are zero", async () => {
  const access = openStore();
  for (let i = 0; i < 1000; i++) access.put(`${i}`, new Uint8Array(8));
  assert.deepEqual(keysOf(sampleForecast(access.store, NOW_MS, 0.5)), [0, 0, 0, 0, 0]);
  assert.deepEqual(keysOf(await countForecast(access.store, NOW_MS)), [0, 0, 0, 0, 0]);
});

Deno.test("ForecastBoard.read() gives what was written, in another view of the memory", () => {
  const { access } = filled(300), memory = createForecastMemory();
  const counts = sampleForecast(access.store, NOW_MS, 0);
  new ForecastBoard(memory).write(counts);
  assert.deepEqual(new ForecastBoard(memory).read(), counts.told());
});
