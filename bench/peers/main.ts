// The command `deno task bench:peers`: options, the run of all groups, the report, the exit code;
// measures nothing itself.
import { groupChart, SCHEMES } from "./chart.ts";
import { Command, InvalidArgumentError } from "commander";
import { judge, type Judgement } from "./bars.ts";
import { killChildren } from "./children.ts";
import { describeMachine } from "./machine.ts";
import { findPeers } from "./peers.ts";
import { machineTicks, stealPercent } from "./process_cpu.ts";
import { type Failure, groupTable, markdownReport, type Report } from "./report.ts";
import type { Bench, Sample, Sizes } from "./workload.ts";
import { FULL_SIZES, selectGroups, TOY_SIZES, WORKLOAD_GROUPS } from "./workloads.ts";

const PROJECT_DIR = new URL("../..", import.meta.url).pathname;

interface Options {
  readonly only?: string;
  readonly peers?: string;
  readonly runs?: number;
  readonly seconds?: number;
  readonly mayflyDir: string[];
  readonly out: string;
  readonly minutesMax: number;
  readonly toy: boolean;
  readonly strict: boolean;
}

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("a number above zero is needed");
  return value;
};
const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError("a whole number above zero is needed");
  }
  return value;
};

function parseOptions(): Options {
  return new Command("bench:peers")
    .description(
      "Drives mayfly and every installed peer in turn and prints the bars beside the figures.",
    )
    .option(
      "--only <groups>",
      `comma-separated: ${WORKLOAD_GROUPS.map((group) => group.name).join(", ")}`,
    )
    .option(
      "--peers <servers>",
      "comma-separated: mayfly, redis, valkey, memcached (default: all installed)",
    )
    .option("--runs <count>", "alternating runs (default: 5)", count)
    .option("--seconds <seconds>", "length of one measurement (default: 3)", positive)
    .option(
      "--mayfly-dir <dir>",
      "a checkout of mayfly to run, repeatable (default: this one)",
      (dir: string, before: string[]) => [...before, dir],
      [] as string[],
    )
    .option("--out <dir>", "where the reports go", `${PROJECT_DIR}bench/results`)
    .option("--minutes-max <minutes>", "give up after this long", positive, 90)
    .option(
      "--toy",
      "tiny sizes, only to see that everything works",
      Deno.env.get("MAYFLY_BENCH_TOY") === "1",
    )
    .option("--strict", "exit with 1 when a bar is missed", false)
    .parse(["deno", "bench:peers", ...Deno.args])
    .opts<Options>();
}

/**
 * Runs the selected groups; the exit code is 1 when a server failed or replied wrongly, or, if
 * strict, missed a bar.
 */
async function runBench(options: Options, scratchDir: string): Promise<number> {
  const groups = selectGroups(options.only);
  const sizes: Sizes = {
    ...(options.toy ? TOY_SIZES : FULL_SIZES),
    ...(options.runs === undefined ? {} : { runs: options.runs }),
    ...(options.seconds === undefined ? {} : { seconds: options.seconds }),
  };
  const wanted = options.peers?.split(",").map((name) => name.trim());
  const dirs = options.mayflyDir.length > 0 ? options.mayflyDir : [PROJECT_DIR];
  const found = await findPeers(
    wanted === undefined || wanted.includes("mayfly") ? dirs : [],
    scratchDir,
  );
  const peers = found.filter(({ name }) =>
    wanted === undefined || name.startsWith("mayfly") || wanted.includes(name)
  );
  const absent = wanted?.filter((name) => !peers.some((peer) => peer.name === name)) ?? [];
  if (absent.length > 0) {
    throw new Error(`Cannot run ${absent.join(", ")}: not installed or unknown`);
  }
  console.log(`Servers: ${peers.map(({ name, version }) => `${name} ${version}`).join(", ")}`);

  const samples: Sample[] = [];
  const failures: Failure[] = [];
  const bench: Bench = {
    sizes,
    peers,
    record: (sample) => samples.push(sample),
    fail: (server, workload, error) => {
      const text = error instanceof Error ? error.message : String(error);
      failures.push({ server, workload, text });
      console.error(`FAILED ${server}, ${workload}: ${text}`);
    },
    say: (text) => console.log(text),
  };
  const startedAt = new Date().toISOString();
  const startMs = performance.now();
  const ticks = machineTicks();
  for (const group of groups) {
    bench.say(`\n${group.name}: ${group.summary}`);
    await group.run(bench);
    bench.say(groupTable(samples, group.name));
  }
  const judgements: Judgement[] = options.toy ? [] : peers
    .filter(({ name }) => name.startsWith("mayfly"))
    .flatMap(({ name }) => judge(samples, name, groups.map((group) => group.name)));
  const report: Report = {
    startedAt,
    durationS: (performance.now() - startMs) / 1000,
    machine: describeMachine(),
    versions: Object.fromEntries(peers.map(({ name, version }) => [name, version])),
    sizes,
    stealPercent: stealPercent(ticks, machineTicks()),
    toy: options.toy,
    samples,
    judgements,
    failures,
  };
  save(report, options.out);
  if (failures.length > 0) return 1;
  return options.strict && judgements.some(({ verdict }) => verdict !== "met") ? 1 : 0;
}

function save(report: Report, dir: string): void {
  // The groups' tables were printed as they came.
  console.log(`\n${markdownReport(report, false)}`);
  Deno.mkdirSync(dir, { recursive: true });
  const stem = `${dir}/${report.startedAt.replaceAll(/[:.]/g, "-")}${report.toy ? "-toy" : ""}`;
  Deno.writeTextFileSync(`${stem}.md`, markdownReport(report));
  Deno.writeTextFileSync(`${stem}.json`, JSON.stringify(report, null, 1) + "\n");
  for (const group of new Set(report.samples.map((sample) => sample.group))) {
    for (const scheme of SCHEMES) {
      const chart = groupChart(report, group, scheme);
      if (chart !== null) Deno.writeTextFileSync(`${stem}-${group}-${scheme}.svg`, chart);
    }
  }
  console.log(`Saved as ${stem}.md and .json, with a chart of each group in light and dark`);
}

if (import.meta.main) {
  const options = parseOptions();
  const scratchDir = Deno.makeTempDirSync({ prefix: "mayfly-bench-" });
  // Whatever ends the run, no server and no file of theirs outlives it.
  const end = (code: number) => {
    killChildren();
    Deno.removeSync(scratchDir, { recursive: true });
    Deno.exit(code);
  };
  const stop = (text: string, code: number) => {
    console.error(text);
    end(code);
  };
  Deno.addSignalListener("SIGINT", () => stop("Interrupted", 130));
  Deno.addSignalListener("SIGTERM", () => stop("Terminated", 143));
  setTimeout(
    () => stop(`Gave up after ${options.minutesMax} minutes`, 1),
    options.minutesMax * 60_000,
  );
  try {
    end(await runBench(options, scratchDir));
  } catch (error) {
    stop(error instanceof Error ? error.message : String(error), 1);
  }
}
