// Tests of the gate's counting, on reports and output as `deno test` writes them.

import assert from "node:assert/strict";
import { junitTotals, type TestRun } from "../../tools/junit_totals.ts";

const PASSED = '<testcase name="a" classname="./a_test.ts" time="0.001" line="1" col="6">\n' +
  "        </testcase>";
const FAILED = '<testcase name="b &gt; c &amp; d" classname="./a_test.ts" time="0" line="2">\n' +
  '<failure message="boom">Error: boom</failure>\n</testcase>';
const SKIPPED = '<testcase name="e" classname="./a_test.ts" time="0" line="3">\n' +
  "<skipped/>\n</testcase>";
const CANCELLED = '<testcase name="f" classname="./a_test.ts" time="0" line="4">\n' +
  '<error message="Cancelled"/>\n</testcase>';

function report(...cases: string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="deno test">\n` +
    `<testsuite name="./a_test.ts">\n${cases.join("\n")}\n</testsuite>\n</testsuites>\n`;
}

function totals(run: Partial<TestRun>) {
  const clean = { junit: "", stdout: "", exitCode: 0, timedOut: false, skipsFail: false };
  return junitTotals({ ...clean, ...run });
}

Deno.test("junitTotals() counts each outcome", () => {
  const junit = report(PASSED, FAILED, SKIPPED, CANCELLED, PASSED.replace('"a"', '"g"'));
  assert.deepEqual(totals({ junit, exitCode: 1 }), {
    passed: 2,
    failed: 2,
    skipped: ["./a_test.ts: e"],
    problems: [],
  });
});

Deno.test("junitTotals() counts a skip as failed where skips fail", () => {
  const { passed, failed } = totals({ junit: report(PASSED, SKIPPED), skipsFail: true });
  assert.deepEqual({ passed, failed }, { passed: 1, failed: 1 });
});

Deno.test("junitTotals() counts a step with its test, and a skipped step as a skip", () => {
  const step = FAILED.replace("b &gt; c &amp; d", "a &gt; step");
  const skippedStep = SKIPPED.replace('"e"', '"a &gt; other"');
  const parent = FAILED.replace("b &gt; c &amp; d", "a");
  const red = totals({ junit: report(parent, step, skippedStep), exitCode: 1 });
  assert.deepEqual([red.passed, red.failed, red.skipped], [0, 1, ["./a_test.ts: a > other"]]);
});

Deno.test("junitTotals() keeps apart tests of the same title in two files", () => {
  const other = PASSED.replaceAll("./a_test.ts", "./b_test.ts").replace('"a"', '"a &gt; b"');
  assert.equal(totals({ junit: report(PASSED, other) }).passed, 2);
});

Deno.test("junitTotals() fails a run that left no report, a cut one, or one without tests", () => {
  const whole = report(PASSED);
  assert.deepEqual(totals({ junit: null }).problems, ["the test process wrote no report"]);
  assert.deepEqual(totals({ junit: null }).failed, 1);
  assert.deepEqual(totals({ junit: whole.slice(0, -20) }).problems, ["the report is cut off"]);
  assert.deepEqual(totals({ junit: report() }).problems, ["no tests found"]);
});

Deno.test("junitTotals() fails a run that took too long, whatever passed before", () => {
  const late = totals({ junit: report(PASSED), exitCode: 137, timedOut: true });
  assert.deepEqual([late.passed, late.failed], [1, 1]);
});

Deno.test("junitTotals() fails an exit code that no test explains, and only then", () => {
  assert.deepEqual(totals({ junit: report(PASSED), exitCode: 1 }).failed, 1);
  assert.deepEqual(totals({ junit: report(PASSED, FAILED), exitCode: 1 }).failed, 1);
});

Deno.test("junitTotals() counts a module that threw and a file without tests once each", () => {
  const heading = "./b_test.ts (uncaught error)\n";
  const stdout = `running 0 tests from ./c_test.ts\n${heading}error: x\n\n${heading}`;
  const { failed, problems } = totals({ junit: report(PASSED), stdout, exitCode: 1 });
  assert.equal(failed, 2);
  assert.deepEqual(problems, [
    "error outside any test: ./b_test.ts",
    "a file without tests: ./c_test.ts",
  ]);
});
