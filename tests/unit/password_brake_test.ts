// PasswordBrake with a clock of the test's own.
import assert from "node:assert/strict";
import {
  PASSWORD_WAIT_MS_MAX,
  PASSWORD_WAIT_MS_MIN,
  PASSWORDS_PER_SECOND,
} from "../../src/limits.ts";
import { COUNTER, COUNTERS } from "../../src/metrics.ts";
import { PasswordBrake } from "../../src/server/password_brake.ts";

function brake(): { brake: PasswordBrake; clock: { ms: number }; counters: Float64Array } {
  const counters = new Float64Array(COUNTERS.length), clock = { ms: 1000 };
  return { brake: new PasswordBrake(counters, () => clock.ms), clock, counters };
}

Deno.test("PasswordBrake note() lets a wrong password wait, and the next one longer", () => {
  const { brake: each, counters } = brake();
  assert.equal(each.note(), PASSWORD_WAIT_MS_MIN);
  assert.equal(each.note(), PASSWORD_WAIT_MS_MIN + 1000 / PASSWORDS_PER_SECOND);
  assert.equal(counters[COUNTER.passwordFailures], 2);
});

Deno.test("PasswordBrake note() never lets anybody wait longer than its most, and forgets", () => {
  const { brake: each, clock } = brake();
  let longest = 0;
  for (let i = 0; i < 10_000; i++) longest = Math.max(longest, each.note());
  assert.equal(longest, PASSWORD_WAIT_MS_MAX);
  clock.ms += PASSWORD_WAIT_MS_MAX;
  assert.equal(each.note(), PASSWORD_WAIT_MS_MIN);
});

Deno.test("PasswordBrake note() answers no more a second than it says, over any number of clients", () => {
  const { brake: each, clock } = brake();
  const answersAtMs: number[] = [];
  // Ten clients, each of which asks anew once it was answered.
  const dueMs = Array.from({ length: 10 }, () => clock.ms);
  while (clock.ms < 11_000) {
    const client = dueMs.indexOf(Math.min(...dueMs));
    clock.ms = Math.max(clock.ms, dueMs[client]);
    dueMs[client] = clock.ms + each.note();
    answersAtMs.push(dueMs[client]);
  }
  const answered = answersAtMs.filter((atMs) => atMs < 11_000).length;
  assert.ok(answered <= 10 * PASSWORDS_PER_SECOND, `${answered} in 10 s`);
});
