// One command sent by redis-benchmark for about as long as asked, with what the server used meanwhile; knows no table.
import type { RunningServer } from "./peers.ts";
import { type RedisBenchmarkSpec, runRedisBenchmark } from "./redis_benchmark.ts";
import { measured, type Sample } from "./workload.ts";

const OPERATIONS_MAX = 50_000_000;
const SECONDS_SLACK = 60;

export interface Pace {
  /** redis-benchmark counts in requests: this many first, then what its own pace makes of the times wanted. */
  readonly firstOperations: number;
  readonly warmSeconds: number;
  readonly seconds: number;
}

/** The figures of the run that counts, after one that finds the pace and one that warms the server up. */
export async function pacedBenchmark(
  executable: string,
  server: RunningServer,
  spec: Omit<RedisBenchmarkSpec, "port" | "operations">,
  { firstOperations, warmSeconds, seconds }: Pace,
): Promise<Sample["figures"]> {
  const operationsMin = spec.clients * spec.pipeline;
  const drive = (wanted: number) => {
    const operations = Math.min(OPERATIONS_MAX, Math.max(operationsMin, Math.round(wanted)));
    const secondsMax = warmSeconds + seconds + SECONDS_SLACK;
    return runRedisBenchmark(executable, { ...spec, port: server.port, operations }, secondsMax);
  };
  const first = await drive(firstOperations);
  const warm = await drive(first.throughputPerS * warmSeconds);
  const operations = Math.min(OPERATIONS_MAX, Math.round(warm.throughputPerS * seconds));
  const [result, used] = await measured(server, () => drive(operations));
  const ran = Math.max(operations, operationsMin);
  return { ...result, cpuUsPerOp: used.cpuUs / ran, stealPercent: used.stealPercent };
}
