// Tests of the gate's plan: which steps each run holds and which are left out.

import assert from "node:assert/strict";
import { gateSteps } from "../../tools/gate_steps.ts";

const everything = () => true;

Deno.test("gateSteps() holds the static checks and the unit tests in quick", () => {
  const { steps, missing } = gateSteps("quick", everything);
  assert.deepEqual(steps.map((step) => step.name), ["fmt", "lint", "check", "tests/unit"]);
  assert.deepEqual(missing, []);
});

Deno.test("gateSteps() adds the other test folders in test and the benches in ok", () => {
  const folders = ["tests/contract", "tests/e2e", "tests/crash", "tests/sim"];
  const names = (mode: "test" | "ok") => gateSteps(mode, everything).steps.map((one) => one.name);
  assert.deepEqual(names("test").slice(4), folders);
  assert.deepEqual(names("ok").slice(4), [...folders, "bench", "bench:peers"]);
});

Deno.test("gateSteps() runs benches at toy size and every step frozen and within a limit", () => {
  for (const step of gateSteps("ok", everything).steps) {
    assert.ok(step.timeoutMs > 0 && step.timeoutMs <= 900_000, step.name);
    if (step.name.startsWith("bench")) assert.equal(step.env.MAYFLY_BENCH_TOY, "1");
    if (!["fmt", "lint"].includes(step.name)) assert.ok(step.args.includes("--frozen"), step.name);
  }
});

Deno.test("gateSteps() names what it leaves out and checks only folders that hold files", () => {
  const { steps, missing } = gateSteps("ok", (path) => path === "tools" || path === "tests/unit");
  assert.deepEqual(steps.map((step) => step.name), ["fmt", "lint", "check", "tests/unit"]);
  assert.deepEqual(steps[2]!.args, ["check", "--quiet", "--frozen", "tools"]);
  const names = ["tests/contract", "tests/e2e", "tests/crash", "tests/sim", "bench", "bench:peers"];
  assert.deepEqual(missing.map((one) => one.name), names);
});
