// The gate: runs the steps of `quick`, `test` or `ok`, shows why a step is red and ends with
// `N passed, N failed` as the last line. It must not know what a step checks.

import { failureReport } from "./failure_report.ts";
import { readGateArguments } from "./gate_arguments.ts";
import { gateSteps, type Step } from "./gate_steps.ts";
import { junitTotals } from "./junit_totals.ts";
import { killRunningSteps, runStep } from "./step_process.ts";

const skipsFail = Deno.env.get("CI") === "true";
const total = { passed: 0, failed: 0 };
const STOOD_AT_LINES = 8;

/** Prints the last line and ends the process: 0 where something passed and nothing failed. */
function finish(): never {
  console.log(`${total.passed} passed, ${total.failed} failed`);
  Deno.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
}

function filesIn(path: string, suffix: string): boolean {
  try {
    for (const entry of Deno.readDirSync(path)) {
      if (entry.isFile && entry.name.endsWith(suffix)) return true;
      if (entry.isDirectory && filesIn(`${path}/${entry.name}`, suffix)) return true;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return false;
}

async function runOne(step: Step, reportPath: string): Promise<void> {
  const startedAtMs = Date.now();
  const args = step.tests ? [...step.args, `--junit-path=${reportPath}`] : step.args;
  const { exitCode, output, timedOut } = await runStep(args, step.env, step.timeoutMs);
  const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1);
  if (!step.tests) {
    const green = exitCode === 0 && !timedOut;
    total[green ? "passed" : "failed"]++;
    console.log(`${green ? "ok    " : "FAILED"} ${step.name} (${seconds} s)`);
    if (timedOut) console.log(`  ended after its limit of ${step.timeoutMs / 1000} s`);
    if (!green) console.log(output);
    return;
  }
  const junit = await Deno.readTextFile(reportPath).catch(() => null);
  const counts = junitTotals({ junit, stdout: output, exitCode, timedOut, skipsFail });
  total.passed += counts.passed;
  total.failed += counts.failed;
  const verdict = counts.failed === 0 ? "ok    " : "FAILED";
  console.log(
    `${verdict} ${step.name}: ${counts.passed} passed, ${counts.failed} failed, ` +
      `${counts.skipped.length} skipped (${seconds} s)`,
  );
  for (const reason of new Set(output.match(/^needs: .*$/gm))) console.log(`  ${reason}`);
  for (const title of counts.skipped) console.log(`  skipped: ${title}`);
  if (skipsFail && counts.skipped.length > 0) console.log("  with CI=true a skip is a failure");
  for (const problem of counts.problems) console.log(`  ${problem}`);
  if (counts.failed > 0) console.log(failureReport(output));
  if (timedOut) console.log(`  it stood at: ${lastLines(output)}`);
}

function lastLines(output: string): string {
  return output.trimEnd().split("\n").slice(-STOOD_AT_LINES).join("\n    ");
}

async function main(args: readonly string[]): Promise<never> {
  const asked = readGateArguments(args);
  if (!("mode" in asked)) {
    console.log(asked.text);
    if (asked.isHelp) Deno.exit(0);
    total.failed++;
    finish();
  }
  const folder = await Deno.makeTempDir({ prefix: "mayfly_gate_" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      killRunningSteps();
      Deno.removeSync(folder, { recursive: true });
      console.log(`ended by ${signal}`);
      total.failed++;
      finish();
    });
  }
  try {
    const { steps, missing } = gateSteps(asked.mode, filesIn);
    for (const [index, step] of steps.entries()) {
      await runOne(step, `${folder}/report_${index}.xml`);
    }
    for (const { name, reason } of missing) console.log(`left out ${name}: ${reason}`);
  } catch (error) {
    console.log("the runner itself failed:", error);
    total.failed++;
  }
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  finish();
}

await main(Deno.args);
