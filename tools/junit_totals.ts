// Counts the tests of one `deno test` run from its JUnit report, its printed output and its exit
// code. Pure: it must not know files, processes or which folder the tests came from.

/** What one `deno test` process left behind. `junit` is null where no report was written. */
export interface TestRun {
  readonly junit: string | null;
  readonly stdout: string;
  readonly exitCode: number;
  /** True where the process was ended because it took too long. */
  readonly timedOut: boolean;
  /** True where a skipped test counts as failed (`CI=true`). */
  readonly skipsFail: boolean;
}

/** Tests by outcome; `problems` are failures that no test stands for, one line each. */
export interface TestTotals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  readonly problems: readonly string[];
}

interface TestCase {
  readonly file: string;
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
}

/**
 * Totals of a run. A step inside a test is part of its test, except that a skipped step is a skip.
 * Whatever could hide a red test counts as one failure: no report, no tests, a file without tests,
 * a module that threw, a time-out, a non-zero exit that no test explains.
 */
export function junitTotals(run: TestRun): TestTotals {
  const cases = run.junit === null ? [] : testCases(run.junit);
  const counted = cases.filter((one) => one.outcome === "skipped" || !isStep(one, cases));
  const passed = counted.filter((one) => one.outcome === "passed").length;
  const redCount = counted.filter((one) => one.outcome === "failed").length;
  const skipped = counted.filter((one) => one.outcome === "skipped")
    .map((one) => `${one.file}: ${one.name}`);

  const problems: string[] = [];
  if (run.timedOut) problems.push("the test process ran out of time and was ended");
  else if (run.junit === null) problems.push("the test process wrote no report");
  else if (!/<\/testsuites>\s*$/.test(run.junit)) problems.push("the report is cut off");
  else if (cases.length === 0) problems.push("no tests found");
  problems.push(...lines(run.stdout, /^(\S.*) \(uncaught error\)$/gm, "error outside any test:"));
  problems.push(...lines(run.stdout, /^running 0 tests from (.+)$/gm, "a file without tests:"));
  if (run.exitCode !== 0 && redCount === 0 && problems.length === 0) {
    problems.push(`exit code ${run.exitCode} that no test explains`);
  }
  const skipsThatFail = run.skipsFail ? skipped.length : 0;
  return { passed, failed: redCount + problems.length + skipsThatFail, skipped, problems };
}

function testCases(junit: string): TestCase[] {
  const found: TestCase[] = [];
  const pattern =
    /<testcase name="([^"]*)" classname="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  for (const [, name = "", file = "", body = ""] of junit.matchAll(pattern)) {
    const outcome = /<(?:failure|error)\b/.test(body)
      ? "failed"
      : /<skipped\b/.test(body)
      ? "skipped"
      : "passed";
    found.push({ file: unescapeXml(file), name: unescapeXml(name), outcome });
  }
  return found;
}

/** Deno names a step `<test> > <step>`; a title may hold ` > ` too, so the test itself must exist. */
function isStep(one: TestCase, all: readonly TestCase[]): boolean {
  return all.some((other) => other.file === one.file && one.name.startsWith(`${other.name} > `));
}

/** Each line once: Deno prints the same heading under ERRORS and under FAILURES. */
function lines(text: string, pattern: RegExp, prefix: string): string[] {
  return [...new Set([...text.matchAll(pattern)].map((match) => `${prefix} ${match[1]}`))];
}

function unescapeXml(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'").replaceAll("&amp;", "&");
}
