// The steps of the gate in their order: what each runs, how long it may take, which run holds it.
// Pure: it must not start anything, and learns from its caller which folders hold files.

/** `quick` while working, `test` before a commit, `ok` before a release. */
export const MODES = ["quick", "test", "ok"] as const;
export type Mode = (typeof MODES)[number];

/** One step. `tests` steps are counted test by test, all others as one. */
export interface Step {
  readonly name: string;
  readonly args: readonly string[];
  readonly tests: boolean;
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, string>>;
}

/** A step that cannot run yet, and why. */
export interface MissingStep {
  readonly name: string;
  readonly reason: string;
}

/** Time limits are several times what a step takes on two shared cores: they catch hangs. */
const CHECK_TIMEOUT_MS = 180_000;
const UNIT_TIMEOUT_MS = 480_000;
const TESTS_TIMEOUT_MS = 600_000;
const BENCH_TIMEOUT_MS = 600_000;

/** The benches read this and run at a size that proves they work, not how fast. */
const TOY_ENV = { MAYFLY_BENCH_TOY: "1" };

const SOURCE_FOLDERS = ["src", "tests", "bench", "tools"];
const TEST_FOLDERS: readonly { readonly path: string; readonly from: Mode }[] = [
  { path: "tests/unit", from: "quick" }, // the layout test is one of these
  { path: "tests/contract", from: "test" },
  { path: "tests/e2e", from: "test" },
  { path: "tests/crash", from: "test" },
  { path: "tests/sim", from: "test" },
];

/**
 * The steps of `mode` that can run, and those that cannot. `filesIn(path, suffix)` tells whether a
 * folder (or one below it) holds a file whose name ends in `suffix`.
 */
export function gateSteps(
  mode: Mode,
  filesIn: (path: string, suffix: string) => boolean,
): { steps: Step[]; missing: MissingStep[] } {
  const steps: Step[] = [];
  const missing: MissingStep[] = [];
  const one = (name: string, args: string[], timeoutMs: number, env: Step["env"] = {}) =>
    steps.push({ name, args, tests: false, timeoutMs, env });
  const includes = (from: Mode) => MODES.indexOf(from) <= MODES.indexOf(mode);

  one("fmt", ["fmt", "--check"], CHECK_TIMEOUT_MS);
  one("lint", ["lint"], CHECK_TIMEOUT_MS);
  const folders = SOURCE_FOLDERS.filter((path) => filesIn(path, ".ts"));
  one("check", ["check", "--quiet", "--frozen", ...folders], CHECK_TIMEOUT_MS);

  for (const { path, from } of TEST_FOLDERS) {
    if (!includes(from)) continue;
    if (filesIn(path, "_test.ts")) {
      // Unit tests share nothing, and loading their modules takes longer than they do; the others start processes.
      const unit = path === "tests/unit";
      const args = ["test", "-A", "--frozen", "--no-check", ...(unit ? ["--parallel"] : []), path];
      const timeoutMs = unit ? UNIT_TIMEOUT_MS : TESTS_TIMEOUT_MS;
      steps.push({ name: path, args, tests: true, timeoutMs, env: {} });
    } else missing.push({ name: path, reason: "no *_test.ts file in it yet" });
  }
  if (!includes("ok")) return { steps, missing };

  if (filesIn("bench", "_bench.ts")) {
    one("bench", ["bench", "-A", "--frozen", "--no-check", "bench/"], BENCH_TIMEOUT_MS, TOY_ENV);
  } else missing.push({ name: "bench", reason: "no *_bench.ts file in bench/ yet" });
  if (filesIn("bench/peers", "main.ts")) {
    const args = ["run", "-A", "--frozen", "bench/peers/main.ts"];
    one("bench:peers", args, BENCH_TIMEOUT_MS, TOY_ENV);
  } else missing.push({ name: "bench:peers", reason: "no bench/peers/main.ts yet" });
  return { steps, missing };
}
