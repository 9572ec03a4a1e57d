// The workloads that drive servers as fast as they go: pipelined, unpipelined, two workers, MGET,
// mixed; knows no bars.
import { checkKeys, type KeyRange, loadKeys } from "./key_loader.ts";
import { generateLoad, LOAD_DEFAULTS, type LoadSpec, wrongReplies } from "./load_generator.ts";
import type { RunningServer } from "./peers.ts";
import { pacedBenchmark } from "./paced_benchmark.ts";
import { findRedisBenchmark } from "./redis_benchmark.ts";
import { KEY_BYTES } from "./requests.ts";
import { type Bench, measured, type Sample, type Sizes, type WorkloadGroup } from "./workload.ts";

type Command = "get" | "set" | "mget" | "mixed" | keyof typeof WORDS;

interface ThroughputGroup {
  readonly name: string;
  readonly summary: string;
  readonly workers: number;
  readonly pipeline: number;
  readonly commands: readonly Command[];
  readonly keys: "keys" | "manyKeys";
}

const VALUE_BYTES = 64;
const MIXED_SET_PERCENT = 10;
const PAIRS_PER_MSET = 10;
/** Commands that only redis-benchmark sends, word by word; keys are those that are there, or their own. */
const WORDS = {
  incr: ["INCR", "counter:__rand_int__"],
  mset: [
    "MSET",
    ...Array.from({ length: PAIRS_PER_MSET }, () => ["key:__rand_int__", "m".repeat(VALUE_BYTES)])
      .flat(),
  ],
  getrange: ["GETRANGE", "key:__rand_int__", "8", "39"],
  setbit: ["SETBIT", "bits:__rand_int__", "77", "1"],
  expire: ["EXPIRE", "key:__rand_int__", "3600"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

const CHECK_SECONDS = 0.2;
const MISS_PERCENT_MAX = 0.1;
const FIRST_OPERATIONS_PER_PIPELINE = 2000;

const GROUPS: readonly ThroughputGroup[] = [
  {
    name: "pipeline",
    summary: "GET and SET, 16 requests per batch, one worker",
    workers: 1,
    pipeline: 16,
    commands: ["get", "set"],
    keys: "keys",
  },
  {
    name: "nopipe",
    summary: "GET and SET, one request at a time, one worker",
    workers: 1,
    pipeline: 1,
    commands: ["get", "set"],
    keys: "keys",
  },
  {
    name: "two_workers",
    summary: "GET and SET, 16 requests per batch, two workers",
    workers: 2,
    pipeline: 16,
    commands: ["get", "set"],
    keys: "keys",
  },
  {
    name: "mget",
    summary: "MGET of 100 random keys out of a million, one worker",
    workers: 1,
    pipeline: 1,
    commands: ["mget"],
    keys: "manyKeys",
  },
  {
    name: "mixed",
    summary: "90 % GET, 10 % SET, 16 requests per batch, one worker, our generator for all",
    workers: 1,
    pipeline: 16,
    commands: ["mixed"],
    keys: "keys",
  },
  {
    name: "commands",
    summary: "INCR, MSET of 10, GETRANGE, SETBIT, EXPIRE, 16 requests per batch, one worker",
    workers: 1,
    pipeline: 16,
    commands: ["incr", "mset", "getrange", "setbit", "expire"],
    keys: "keys",
  },
];

export const THROUGHPUT_GROUPS: readonly WorkloadGroup[] = GROUPS.map((group) => ({
  name: group.name,
  summary: group.summary,
  run: (bench: Bench) => runGroup(group, bench),
}));

/**
 * All servers of a group live side by side, idle but for the one whose turn it is: A B A B, not A A
 * B B.
 */
async function runGroup(group: ThroughputGroup, bench: Bench): Promise<void> {
  const range: KeyRange = {
    first: 0,
    count: bench.sizes[group.keys],
    keyBytes: KEY_BYTES,
    valueBytes: VALUE_BYTES,
  };
  let servers: RunningServer[] = [];
  const drop = async (server: RunningServer, workload: string, error: unknown) => {
    bench.fail(server.peer.name, workload, error);
    servers = servers.filter((other) => other !== server);
    await server.stop();
  };
  try {
    for (const peer of bench.peers) {
      if (peer.protocol !== "resp" && group.commands.some((command) => command in WORDS)) continue;
      try {
        servers.push(await peer.start({ workers: group.workers }));
      } catch (error) {
        bench.fail(peer.name, group.name, error);
      }
    }
    for (const server of servers) {
      try {
        await loadKeys(target(server), range);
        await requireKeys(server, range, "own");
        if (group.commands.includes("mget")) await requireMget(server, range, bench.sizes);
      } catch (error) {
        await drop(server, group.name, error);
      }
    }
    for (let run = 1; run <= bench.sizes.runs; run++) {
      for (const command of group.commands) {
        for (const server of servers) {
          const workload = group.commands.length === 1 ? group.name : `${group.name} ${command}`;
          try {
            bench.record(await measure(group, command, server, range, bench, run, workload));
          } catch (error) {
            await drop(server, workload, error);
          }
        }
      }
    }
    for (const server of servers) {
      try {
        await requireKeys(server, range, "any");
      } catch (error) {
        await drop(server, group.name, error);
      }
    }
  } finally {
    for (const server of servers) await server.stop();
  }
}

async function measure(
  group: ThroughputGroup,
  command: Command,
  server: RunningServer,
  range: KeyRange,
  bench: Bench,
  run: number,
  workload: string,
): Promise<Sample> {
  const { sizes } = bench;
  // The first run compiles the server's hot path; later ones find it compiled and only fill the
  // caches again.
  const warmSeconds = run === 1 ? sizes.warmSeconds : sizes.warmSeconds / 3;
  const executable = server.peer.protocol === "resp" && command !== "mixed"
    ? await findRedisBenchmark()
    : null;
  const shared = { run, group: group.name, workload, server: server.peer.name };
  if (executable !== null) {
    const spec = {
      clients: sizes.clients,
      pipeline: group.pipeline,
      keyCount: range.count,
      valueBytes: VALUE_BYTES,
      command: command === "mget"
        ? mgetWords(sizes.mgetKeys)
        : command in WORDS
        ? WORDS[command as keyof typeof WORDS]
        : command as "get" | "set",
    };
    const firstOperations = FIRST_OPERATIONS_PER_PIPELINE * group.pipeline /
      (command === "mget" ? 20 : 1);
    const pace = { firstOperations, warmSeconds, seconds: sizes.seconds };
    const figures = await pacedBenchmark(executable, server, spec, pace);
    return { ...shared, driver: "redis-benchmark", figures };
  }
  if (command in WORDS) throw new Error("redis-benchmark is not installed");
  const spec: LoadSpec = {
    ...LOAD_DEFAULTS,
    mode: "closed",
    ...target(server),
    connections: sizes.clients,
    pipeline: group.pipeline,
    keyCount: range.count,
    keysPerGet: command === "mget" ? sizes.mgetKeys : 1,
    setPercent: command === "set" ? 100 : command === "mixed" ? MIXED_SET_PERCENT : 0,
    warmSeconds,
    seconds: sizes.seconds,
  };
  const [result, used] = await measured(server, () => generateLoad(spec));
  if (spec.setPercent === 0) {
    const wrong = wrongReplies(result, spec.keysPerGet, 0);
    if (wrong !== null) throw new Error(wrong);
  } else if (result.errors > 0 || result.wrongLengths > 0) {
    throw new Error(
      `${result.errors} errors ("${result.firstError}"), ` +
        `${result.wrongLengths} values of wrong length`,
    );
  }
  return {
    ...shared,
    driver: "generator",
    figures: {
      throughputPerS: result.operations / result.seconds,
      latencyUsP50: result.latencyUsP50,
      latencyUsP99: result.latencyUsP99,
      cpuUsPerOp: used.cpuUs / result.operationsTotal,
      missPercent: result.misses / (result.operationsTotal * spec.keysPerGet) * 100,
      stealPercent: used.stealPercent,
    },
  };
}

async function requireKeys(
  server: RunningServer,
  range: KeyRange,
  content: "own" | "any",
): Promise<void> {
  const { missPercent, wrong } = await checkKeys(target(server), range, content);
  if (missPercent > MISS_PERCENT_MAX || wrong > 0) {
    throw new Error(
      `of a sample of its keys ${missPercent} % were missing and ${wrong} had wrong values`,
    );
  }
}

// redis-benchmark looks at no reply but an error: our own generator first shows that MGET returns
// the values.
async function requireMget(server: RunningServer, range: KeyRange, sizes: Sizes): Promise<void> {
  const result = await generateLoad({
    ...LOAD_DEFAULTS,
    mode: "closed",
    ...target(server),
    connections: 1,
    keyCount: range.count,
    keysPerGet: sizes.mgetKeys,
    warmSeconds: 0,
    seconds: CHECK_SECONDS,
  });
  const wrong = wrongReplies(result, sizes.mgetKeys, 0);
  if (wrong !== null) throw new Error(wrong);
}

function mgetWords(keys: number): string[] {
  return ["MGET", ...Array.from({ length: keys }, () => "key:__rand_int__")];
}

function target(server: RunningServer): { port: number; protocol: "resp" | "memcached" } {
  return { port: server.port, protocol: server.peer.protocol };
}
