// Tests of the time that memory goes by.

import assert from "node:assert/strict";
import { Clock, createClockMemory } from "../../src/clock.ts";

Deno.test("nowMs() stands still while the machine's clock is behind, in every thread", () => {
  const memory = createClockMemory();
  let wall = 1_000_000;
  const first = new Clock(memory, () => wall), second = new Clock(memory, () => wall - 5);
  assert.equal(first.nowMs(), 1_000_000);
  wall = 900_000;
  assert.equal(first.nowMs(), 1_000_000);
  assert.equal(second.nowMs(), 1_000_000);
  wall = 1_000_006;
  assert.equal(second.nowMs(), 1_000_001);
  assert.equal(first.nowMs(), 1_000_006);
});
