// Runs redis-benchmark (or Valkey's copy of it) and reads its figures; knows no servers beyond a
// port.
import { runChild } from "./children.ts";

export interface RedisBenchmarkSpec {
  readonly port: number;
  readonly clients: number;
  readonly pipeline: number;
  readonly operations: number;
  readonly keyCount: number;
  readonly valueBytes: number;
  /** `get` and `set` are its own tests; anything else is a command, word by word. */
  readonly command: "get" | "set" | readonly string[];
}

export interface RedisBenchmarkResult {
  readonly throughputPerS: number;
  readonly latencyUsP50: number;
  readonly latencyUsP99: number;
}

// After the name: rps, then avg, min, p50, p95, p99 and max latency in ms.
const COLUMNS_AFTER_NAME = 7;

/**
 * The figures of the last row of redis-benchmark's `--csv` output. They are counted from the right,
 * because the name in front is the whole command with whatever it contains. Throws when the output
 * is no such table.
 */
export function parseRedisBenchmarkCsv(text: string): RedisBenchmarkResult {
  const lines = text.trim().split("\n");
  const header = lines.findIndex((line) => line.startsWith('"test","rps"'));
  const cells = (lines.at(-1) ?? "").split(",").slice(-COLUMNS_AFTER_NAME)
    .map((cell) => Number(cell.replaceAll('"', "")));
  if (
    header < 0 || header === lines.length - 1 || cells.length < COLUMNS_AFTER_NAME ||
    cells.some(Number.isNaN)
  ) {
    throw new Error(`Cannot read redis-benchmark's table: received "${text.slice(0, 200)}"`);
  }
  return {
    throughputPerS: cells[0],
    latencyUsP50: cells[3] * 1000,
    latencyUsP99: cells[5] * 1000,
  };
}

let found: string | null | undefined;

/** The benchmark command that is installed, or null. */
export async function findRedisBenchmark(): Promise<string | null> {
  if (found !== undefined) return found;
  found = null;
  for (const command of ["redis-benchmark", "valkey-benchmark"]) {
    try {
      await runChild(command, ["--version"], 10);
      found = command;
      break;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return found;
}

/**
 * Runs it to its end within `secondsMax`. Throws when the server answers an error (it then exits
 * with 1).
 */
export async function runRedisBenchmark(
  executable: string,
  spec: RedisBenchmarkSpec,
  secondsMax: number,
): Promise<RedisBenchmarkResult> {
  const args = ["-h", "127.0.0.1", "-p", `${spec.port}`, "--csv"];
  args.push("-c", `${spec.clients}`, "-P", `${spec.pipeline}`, "-n", `${spec.operations}`);
  args.push("-r", `${spec.keyCount}`, "-d", `${spec.valueBytes}`);
  if (typeof spec.command === "string") args.push("-t", spec.command);
  else args.push(...spec.command);
  return parseRedisBenchmarkCsv(await runChild(executable, args, secondsMax));
}
