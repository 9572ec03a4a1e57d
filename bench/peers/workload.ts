// What a group of workloads is and what it is given; knows none of them.
import { machineTicks, processCpuUs, processRssBytes, stealPercent } from "./process_cpu.ts";
import type { Peer, RunningServer, StartOptions } from "./peers.ts";

/** Everything that may be measured; each name carries its unit. */
export type Metric =
  | "throughputPerS"
  | "latencyUsP50"
  | "latencyUsP99"
  | "cpuUsPerOp"
  | "missPercent"
  | "errors"
  | "unsentLate"
  | "stealPercent"
  | "emptyRssBytes"
  | "bytesPerKey"
  | "refillGrowthRatio"
  | "bytesPerConnection"
  | "p99RatioToAlone"
  | "p99UsAboveAlone"
  | "expiredWithinMs"
  | "largeRoundTripsPerS";

/** The figures of one workload on one server in one alternation (`run` counts from 1). */
export interface Sample {
  readonly run: number;
  readonly group: string;
  readonly workload: string;
  readonly server: string;
  /** What made the load: `redis-benchmark` or `generator`. */
  readonly driver: string;
  readonly figures: Readonly<Partial<Record<Metric, number>>>;
}

/** Counts and times, full or toy. */
export interface Sizes {
  readonly runs: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  readonly clients: number;
  readonly keys: number;
  readonly manyKeys: number;
  /** Hashes that are read and written, and those of which the memory is measured. */
  readonly hashes: number;
  readonly manyHashes: number;
  readonly mgetKeys: number;
  readonly idleConnections: number;
  readonly largeBytes: number;
  /**
   * The pause before resident memory is read, in which a server tidies up after the last request.
   */
  readonly settleMs: number;
}

export interface Bench {
  readonly sizes: Sizes;
  readonly peers: readonly Peer[];
  record(sample: Sample): void;
  /** A server that failed or replied wrongly; its group goes on with the others. */
  fail(server: string, workload: string, error: unknown): void;
  say(text: string): void;
}

export interface WorkloadGroup {
  readonly name: string;
  readonly summary: string;
  run(bench: Bench): Promise<void>;
}

/** CPU of the server and steal of the machine while `work` ran. */
export interface Used {
  readonly cpuUs: number;
  readonly stealPercent: number;
}

/** Runs `work` and tells what the server used meanwhile. */
export async function measured<T>(
  server: RunningServer,
  work: () => Promise<T>,
): Promise<[T, Used]> {
  const ticks = machineTicks();
  const cpuUs = processCpuUs(server.pid);
  const result = await work();
  const used = {
    cpuUs: processCpuUs(server.pid) - cpuUs,
    stealPercent: stealPercent(ticks, machineTicks()),
  };
  return [result, used];
}

/** Resident memory of the server after a pause of `settleMs`, bytes. */
export async function settledRssBytes(server: RunningServer, settleMs: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  return processRssBytes(server.pid);
}

/**
 * Starts the server for `work` and stops it whatever happens; a failure is recorded, not thrown.
 */
export async function withServer(
  bench: Bench,
  peer: Peer,
  workload: string,
  options: StartOptions,
  work: (server: RunningServer) => Promise<void>,
): Promise<void> {
  let server: RunningServer | null = null;
  try {
    server = await peer.start(options);
    await work(server);
  } catch (error) {
    bench.fail(peer.name, workload, error);
  } finally {
    await server?.stop();
  }
}
