// The sketch of how often keys are used, against exact counts: what it may say too much, and when it forgets.
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  clearSketch,
  countUse,
  estimateUses,
  isSketchDue,
  sketchBlocksMax,
  sketchBytes,
  sketchEnd,
  type SketchView,
  tendSketch,
} from "../../src/store/frequency_sketch.ts";
import { randomFrom } from "../support/store_access.ts";
import { zipfTrace } from "../support/traces.ts";

const ARENA_BYTES = 2 ** 22, BLOCKS_MAX = sketchBlocksMax(ARENA_BYTES);

function makeSketch(entries: number): SketchView {
  const memory = new SharedArrayBuffer(sketchEnd(ARENA_BYTES) * 4);
  const view = { sketch: new Int32Array(memory), addressShift: 2, usesUntold: 0 };
  clearSketch(view.sketch, entries, BLOCKS_MAX);
  return view;
}

/** Hashes as a keyed hash gives them: numbers that have nothing in common. */
function hashOf(key: number): number {
  let mixed = Math.imul(key + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  return Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) | 0;
}

function ageOnce({ sketch }: SketchView, entries: number): number {
  let slices = 0;
  for (; isSketchDue(sketch, entries, BLOCKS_MAX) && slices < 1000; slices++) {
    tendSketch(sketch, entries, BLOCKS_MAX);
  }
  return slices;
}

Deno.test("estimateUses() never says less than there were before counts are halved, nor more than 15", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 2000 }),
    fc.integer({ min: 1, max: 300 }),
    (keys, entries) => {
      const view = makeSketch(entries), counts = new Map<number, number>();
      for (const key of keys) {
        countUse(view, hashOf(key));
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      for (const [key, count] of counts) {
        const estimate = estimateUses(view, hashOf(key));
        assert.ok(estimate >= Math.min(15, count), `key ${key}: ${estimate} of ${count}`);
        assert.ok(estimate <= 15);
      }
    },
  ));
});

Deno.test("estimateUses() tells keys that were never used from others by less than 1 on average", () => {
  const entries = 5000, view = makeSketch(entries);
  // As many uses as there are before the counts are halved, of ten times as many keys as entries.
  for (const key of zipfTrace(0.9, { keys: 50_000, length: 9 * entries, seed: 3 })) {
    countUse(view, hashOf(key));
  }
  let sum = 0;
  for (let key = 1_000_000; key < 1_010_000; key++) sum += estimateUses(view, hashOf(key));
  assert.ok(sum < 10_000, `${sum / 10_000} on average`);
  for (let key = 0; key < 50_000; key++) assert.ok(estimateUses(view, hashOf(key)) <= 15);
});

Deno.test("tendSketch() halves every count after ten uses per entry, and in each slice all are of one age", () => {
  const entries = 40_000, view = makeSketch(entries), { sketch } = view;
  const before = new Map<number, number>();
  for (let key = 0; key < entries; key++) {
    for (let use = 0; use < key % 13; use++) countUse(view, hashOf(key));
  }
  assert.equal(isSketchDue(sketch, entries, BLOCKS_MAX), false);
  for (let key = 0; key < 5000; key++) {
    before.set(key, estimateUses(view, hashOf(key)));
  }
  // Uses of one key, whose counters are full, until it is time.
  let uses = 0;
  while (!isSketchDue(sketch, entries, BLOCKS_MAX)) {
    countUse(view, hashOf(999_999_999));
    assert.ok(++uses < entries * 10);
  }
  for (const [key] of before) before.set(key, estimateUses(view, hashOf(key)));
  let slices = 0;
  while (isSketchDue(sketch, entries, BLOCKS_MAX)) {
    tendSketch(sketch, entries, BLOCKS_MAX);
    slices++;
    for (const [key, count] of before) {
      assert.equal(estimateUses(view, hashOf(key)), count >>> 1, `key ${key}, slice ${slices}`);
    }
  }
  assert.ok(slices > 1, "the sketch is too small to be halved in slices");
});

Deno.test("tendSketch() grows the sketch with the entries, and every count is found again", () => {
  const view = makeSketch(0), { sketch } = view, random = randomFrom(5);
  const bytes = sketchBytes(sketch), counts = new Map<number, number>();
  for (let i = 0; i < 400; i++) {
    const key = random.below(100);
    countUse(view, hashOf(key));
    counts.set(key, Math.min(15, (counts.get(key) ?? 0) + 1));
  }
  const found = [...counts].map(([key]) => estimateUses(view, hashOf(key)));
  ageOnce(view, 60_000);
  assert.ok(sketchBytes(sketch) > bytes * 30, `${bytes}, then ${sketchBytes(sketch)}`);
  [...counts].forEach(([key], i) => assert.equal(estimateUses(view, hashOf(key)), found[i]));
  // It stops at what was reserved.
  ageOnce(view, 1e9);
  assert.ok(sketchBytes(sketch) <= sketchEnd(ARENA_BYTES) * 4);
  clearSketch(sketch, 0, BLOCKS_MAX);
  for (let key = 0; key < 100; key++) assert.equal(estimateUses(view, hashOf(key)), 0);
  assert.equal(sketchBytes(sketch), bytes);
});
