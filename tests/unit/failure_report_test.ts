// What the gate shows of a red step.

import assert from "node:assert/strict";
import { failureReport } from "../../tools/failure_report.ts";

Deno.test("failureReport() keeps the errors and drops the titles of what passed", () => {
  const errors = " ERRORS \n\na => ./a_test.ts:1:6\nerror: Error: x\n";
  assert.equal(failureReport(`running 2 tests\nb ... ok (1ms)\na ... FAILED\n\n${errors}`), errors);
});

Deno.test("failureReport() keeps everything where the run ended without a list of errors", () => {
  const output = "running 2 tests\nb ... ok (1ms)\nMy ERRORS \npanicked at x.rs\n";
  assert.equal(failureReport(output), output);
});
