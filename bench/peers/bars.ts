// The figures that mayfly must reach, and the judgement on measured ones; knows no servers and
// starts nothing.
import { median, pairedRatio } from "./statistics.ts";
import type { Metric, Sample } from "./workload.ts";

/**
 * One demand. `against` compares with that server, paired run by run; without it the figure itself
 * is judged.
 */
export interface Condition {
  readonly metric: Metric;
  readonly against?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** A demand on one workload; any one of its conditions is enough. */
export interface Bar {
  readonly group: string;
  readonly workload: string;
  readonly text: string;
  readonly anyOf: readonly Condition[];
}

const KIB = 1024;

function toRedis(
  group: string,
  workload: string,
  text: string,
  metric: Metric,
  bound: { atMost: number } | { atLeast: number },
): Bar {
  return { group, workload, text, anyOf: [{ metric, against: "redis", ...bound }] };
}

function plain(group: string, workload: string, text: string, metric: Metric, atMost: number): Bar {
  return { group, workload, text, anyOf: [{ metric, atMost }] };
}

export const BARS: readonly Bar[] = [
  toRedis("pipeline", "pipeline get", "CPU per GET to Redis's", "cpuUsPerOp", { atMost: 0.7 }),
  toRedis("pipeline", "pipeline set", "CPU per SET to Redis's", "cpuUsPerOp", { atMost: 0.65 }),
  ...["get", "set"].flatMap((command) => {
    const workload = `nopipe ${command}`;
    const name = command.toUpperCase();
    return [
      toRedis("nopipe", workload, `CPU per ${name} to Redis's`, "cpuUsPerOp", { atMost: 1.05 }),
      toRedis("nopipe", workload, `${name} throughput to Redis's`, "throughputPerS", {
        atLeast: 1,
      }),
      toRedis("nopipe", workload, `${name} p99 to Redis's`, "latencyUsP99", { atMost: 1.1 }),
    ];
  }),
  toRedis("two_workers", "two_workers get", "GET throughput to Redis's", "throughputPerS", {
    atLeast: 1.4,
  }),
  toRedis("two_workers", "two_workers set", "SET throughput to Redis's", "throughputPerS", {
    atLeast: 1.4,
  }),
  toRedis("mget", "mget", "CPU per MGET to Redis's", "cpuUsPerOp", { atMost: 0.6 }),
  toRedis("memory", "memory", "memory per key to Redis's", "bytesPerKey", { atMost: 0.75 }),
  plain("memory", "memory", "empty server, bytes", "emptyRssBytes", 120 * KIB * KIB),
  plain("memory", "memory", "refilled growth to fresh growth", "refillGrowthRatio", 1.25),
  ...["incr", "mset", "getrange", "setbit", "expire"].map((command) =>
    toRedis(
      "commands",
      `commands ${command}`,
      `CPU per ${command.toUpperCase()} to Redis's`,
      "cpuUsPerOp",
      {
        atMost: 0.8,
      },
    )
  ),
  ...[["hset", 0.8], ["hget", 0.8], ["hmget", 0.7], ["hgetall", 0.8]].map(([command, atMost]) =>
    toRedis(
      "hashes",
      `hashes ${command}`,
      `CPU per ${String(command).toUpperCase()} to Redis's`,
      "cpuUsPerOp",
      { atMost: Number(atMost) },
    )
  ),
  toRedis("hashes", "hashes memory", "memory per hash of 20 fields to Redis's", "bytesPerKey", {
    atMost: 1,
  }),
  plain(
    "connections",
    "connections beside idle",
    "bytes per idle connection",
    "bytesPerConnection",
    12 * KIB,
  ),
  {
    group: "connections",
    workload: "connections beside idle",
    text: "GET p99 beside idle ones to that without, or µs above it",
    anyOf: [
      { metric: "p99RatioToAlone", atMost: 1.5 },
      { metric: "p99UsAboveAlone", atMost: 200 },
    ],
  },
  plain(
    "connections",
    "connections once a second",
    "errors at one command a second each",
    "errors",
    0,
  ),
  ...["expiry storm", "expiry storm again"].flatMap((workload) => [
    plain(
      "expiry",
      workload,
      "GET p99 while a million keys expire to that before",
      "p99RatioToAlone",
      1.5,
    ),
    plain("expiry", workload, "all of them removed within, ms", "expiredWithinMs", 3000),
  ]),
  plain("large", "large", "GET p99 beside 64 MiB values, µs", "latencyUsP99", 5000),
];

/**
 * What became of a bar for one mayfly: `missing` when its workload was not run or one side failed.
 */
export interface Judgement {
  readonly server: string;
  readonly bar: Bar;
  readonly verdict: "met" | "missed" | "missing";
  /** The figure for each condition, in order. */
  readonly figures: readonly number[];
}

/** The figures of one metric, by alternation. */
export function figuresByRun(
  samples: readonly Sample[],
  server: string,
  workload: string,
  metric: Metric,
): Map<number, number> {
  const figures = new Map<number, number>();
  for (const sample of samples) {
    const figure = sample.figures[metric];
    if (sample.server === server && sample.workload === workload && figure !== undefined) {
      figures.set(sample.run, figure);
    }
  }
  return figures;
}

/**
 * Judges one server against every bar whose group was run. Errors are judged by their highest
 * count, not their median.
 */
export function judge(
  samples: readonly Sample[],
  server: string,
  groups: readonly string[],
): Judgement[] {
  return BARS.filter((bar) => groups.includes(bar.group)).map((bar) => {
    const figures = bar.anyOf.map((condition) => {
      const ours = figuresByRun(samples, server, bar.workload, condition.metric);
      if (condition.against !== undefined) {
        const theirs = figuresByRun(samples, condition.against, bar.workload, condition.metric);
        return pairedRatio(ours, theirs);
      }
      if (condition.metric === "errors") return ours.size === 0 ? NaN : Math.max(...ours.values());
      return median([...ours.values()]);
    });
    const met = bar.anyOf.some((condition, i) => holds(condition, figures[i]));
    const verdict = figures.every(Number.isNaN) ? "missing" : met ? "met" : "missed";
    return { server, bar, verdict, figures };
  });
}

function holds(condition: Condition, figure: number): boolean {
  if (Number.isNaN(figure)) return false;
  return figure <= (condition.atMost ?? Infinity) && figure >= (condition.atLeast ?? -Infinity);
}

/** `≤ 0.7`, or `≤ 1.5 or ≤ 200`. */
export function boundText(bar: Bar): string {
  return bar.anyOf.map(({ atMost, atLeast }) =>
    atMost !== undefined ? `≤ ${atMost}` : `≥ ${atLeast}`
  ).join(" or ");
}
