// Turns samples into a markdown page and a JSON document; knows no processes.
import { boundText, figuresByRun, type Judgement } from "./bars.ts";
import type { Machine } from "./machine.ts";
import { median, pairedRatio } from "./statistics.ts";
import type { Metric, Sample, Sizes } from "./workload.ts";

export interface Failure {
  readonly server: string;
  readonly workload: string;
  readonly text: string;
}

export interface Report {
  readonly startedAt: string;
  readonly durationS: number;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly sizes: Sizes;
  readonly stealPercent: number;
  readonly toy: boolean;
  readonly samples: readonly Sample[];
  readonly judgements: readonly Judgement[];
  readonly failures: readonly Failure[];
}

const REFERENCE = "redis";

/** Columns of the throughput tables: title, metric, and whether it is the ratio to Redis. */
const COLUMNS: readonly { title: string; metric: Metric; ratio: boolean; digits: number }[] = [
  { title: "ops/s", metric: "throughputPerS", ratio: false, digits: 0 },
  { title: "p50 µs", metric: "latencyUsP50", ratio: false, digits: 0 },
  { title: "p99 µs", metric: "latencyUsP99", ratio: false, digits: 0 },
  { title: "CPU µs/op", metric: "cpuUsPerOp", ratio: false, digits: 2 },
  { title: "CPU to Redis", metric: "cpuUsPerOp", ratio: true, digits: 2 },
  { title: "ops/s to Redis", metric: "throughputPerS", ratio: true, digits: 2 },
  { title: "p99 to Redis", metric: "latencyUsP99", ratio: true, digits: 2 },
  { title: "bytes/key", metric: "bytesPerKey", ratio: false, digits: 1 },
  { title: "bytes/key to Redis", metric: "bytesPerKey", ratio: true, digits: 2 },
  { title: "empty RSS bytes", metric: "emptyRssBytes", ratio: false, digits: 0 },
  { title: "refilled to fresh", metric: "refillGrowthRatio", ratio: false, digits: 2 },
  { title: "bytes/connection", metric: "bytesPerConnection", ratio: false, digits: 0 },
  { title: "p99 to alone", metric: "p99RatioToAlone", ratio: false, digits: 2 },
  { title: "p99 above alone µs", metric: "p99UsAboveAlone", ratio: false, digits: 0 },
  { title: "all expired ms", metric: "expiredWithinMs", ratio: false, digits: 0 },
  { title: "large round trips/s", metric: "largeRoundTripsPerS", ratio: false, digits: 2 },
  { title: "misses %", metric: "missPercent", ratio: false, digits: 2 },
  { title: "errors", metric: "errors", ratio: false, digits: 0 },
  { title: "not sent, late", metric: "unsentLate", ratio: false, digits: 0 },
  { title: "steal %", metric: "stealPercent", ratio: false, digits: 1 },
];

/**
 * The samples of one group as a markdown table, medians over the runs; columns that nobody filled
 * are left out.
 */
export function groupTable(samples: readonly Sample[], group: string): string {
  const own = samples.filter((sample) => sample.group === group);
  const columns = COLUMNS.filter(({ metric }) =>
    own.some((sample) => sample.figures[metric] !== undefined)
  );
  const rows: string[][] = [];
  for (const workload of new Set(own.map((sample) => sample.workload))) {
    const rowsOfWorkload = own.filter((sample) => sample.workload === workload);
    for (const server of new Set(rowsOfWorkload.map((sample) => sample.server))) {
      const driver = rowsOfWorkload.find((sample) => sample.server === server)!.driver;
      const runs = rowsOfWorkload.filter((sample) => sample.server === server).length;
      rows.push([
        workload,
        server,
        driver,
        String(runs),
        ...columns.map(({ metric, ratio, digits }) => {
          const ours = figuresByRun(own, server, workload, metric);
          const theirs = figuresByRun(own, REFERENCE, workload, metric);
          return number(ratio ? pairedRatio(ours, theirs) : median([...ours.values()]), digits);
        }),
      ]);
    }
  }
  return table(
    ["workload", "server", "driver", "runs", ...columns.map(({ title }) => title)],
    rows,
  );
}

/** The bars beside what was measured. */
export function barTable(judgements: readonly Judgement[]): string {
  return table(
    ["workload", "server", "bar", "bound", "measured", "verdict"],
    judgements.map(({ server, bar, verdict, figures }) => [
      bar.workload,
      server,
      bar.text,
      boundText(bar),
      figures.map((figure) => number(figure, Math.abs(figure) < 100 ? 2 : 0)).join(" or "),
      verdict,
    ]),
  );
}

/** The page: machine and versions, bars, the groups' tables unless left out, failures. */
export function markdownReport(report: Report, withGroups = true): string {
  const { machine, sizes } = report;
  const gib = (machine.memoryBytes / 2 ** 30).toFixed(1);
  const versions = Object.entries(report.versions).map(([name, version]) => `${name} ${version}`)
    .join(", ");
  const parts = [
    `# Load benchmark beside peers, ${report.startedAt}${
      report.toy ? " (toy size: no figure here means anything)" : ""
    }`,
    `Machine: ${machine.cpu}, ${machine.cores} cores, ${gib} GiB, Linux ${machine.kernel}. ` +
    `Versions: deno ${machine.deno}, ${versions}. Clients run on the same machine.`,
    `Medians of ${sizes.runs} alternating runs of ${sizes.seconds} s (ratios: median of the ratios ` +
    `within each run), ${sizes.clients} clients; steal ${report.stealPercent.toFixed(1)} % over ` +
    `${
      report.durationS.toFixed(0)
    } s. CPU is user and system time of all the server's threads. memcached is driven ` +
    `by another generator than the others where the driver column says so: compare its CPU, not ` +
    `its ops/s.`,
  ];
  if (report.judgements.length > 0) parts.push("## Bars", barTable(report.judgements));
  const groups = withGroups ? new Set(report.samples.map((sample) => sample.group)) : [];
  for (const group of groups) {
    parts.push(`## ${group}`, groupTable(report.samples, group));
  }
  if (report.failures.length > 0) {
    parts.push(
      "## Failures",
      report.failures.map(({ server, workload, text }) => `- ${server}, ${workload}: ${text}`).join(
        "\n",
      ),
    );
  }
  return parts.join("\n\n") + "\n";
}

function number(figure: number, digits: number): string {
  return Number.isFinite(figure) ? figure.toFixed(digits) : "";
}

// Padded, so that the same text reads well in a terminal.
function table(header: readonly string[], rows: readonly string[][]): string {
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i].length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join(
    "\n",
  );
}
