// `deno task bench:http`: mayfly's hottest routes beside a bare handler over a Map, by wrk, alternating.
//
//   deno task bench:http [--rounds 5] [--seconds 2] [--only mget]
//
// Both run with one thread for JavaScript; wrk shares the machine, so compare within a run.
import { Command } from "commander";
import { wholeNumber } from "../../src/cli/client_options.ts";
import { freePort, startServer } from "../../tests/support/server.ts";
import { findProgram } from "../../tests/support/needs.ts";
import { permissionFlags, readServeTask } from "../../tools/serve_task.ts";
import { killChildren, runChild, startChild } from "../peers/children.ts";
import { describeMachine } from "../peers/machine.ts";
import { processCpuUs } from "../peers/process_cpu.ts";
import { median } from "../peers/statistics.ts";

const CONNECTIONS = 32;
const KEYS = 100;
const VALUE = "x".repeat(64);
const MS_PER = { us: 0.001, ms: 1, s: 1000 } as const;
const ROUNDS_MAX = 99;
const SECONDS_MAX = 60;

const keyOf = (index: number) => `key:${String(index).padStart(10, "0")}`;

interface Workload {
  readonly name: string;
  readonly path: string;
  readonly body?: string;
  /** Where the bare handler answers the same; null to compare keys per second with mayfly's own GET /get. */
  readonly barePath: string | null;
  readonly keysPerRequest: number;
}

const put = JSON.stringify({ key: keyOf(0), value: VALUE });
const mget = JSON.stringify({ keys: Array.from({ length: KEYS }, (_, i) => keyOf(i)) });
const getPath = `/get?key=${keyOf(0)}`, keyPath = `/v1/keys/${keyOf(0)}`;
const WORKLOADS: readonly Workload[] = [
  { name: "GET /get?key=", path: getPath, barePath: getPath, keysPerRequest: 1 },
  { name: "GET /v1/keys/{key}", path: keyPath, barePath: keyPath, keysPerRequest: 1 },
  {
    name: "the same, bare without its headers",
    path: keyPath,
    barePath: keyPath.replace("/v1/", "/v0/"),
    keysPerRequest: 1,
  },
  { name: "POST /put", path: "/put", body: put, barePath: "/put", keysPerRequest: 1 },
  {
    name: `POST /v1/mget of ${KEYS}`,
    path: "/v1/mget",
    body: mget,
    barePath: null,
    keysPerRequest: KEYS,
  },
];

interface Measured {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
}

/** One run of wrk against a route. Throws if any answer was not a success. */
async function measure(
  port: number,
  pid: number,
  path: string,
  scriptPath: string,
  seconds: number,
): Promise<Measured> {
  const before = processCpuUs(pid);
  const text = await runChild("wrk", [
    ...["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--latency", "-s", scriptPath],
    `http://127.0.0.1:${port}${path}`,
  ], seconds + 10);
  const cpuUs = processCpuUs(pid) - before;
  const failed = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(text);
  if (failed !== null) throw new Error(`${path}: ${failed[0]}`);
  const requests = Number(/(\d+) requests in/.exec(text)![1]);
  const [, p99, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(text)!;
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)![1]),
    p99Ms: Number(p99) * MS_PER[unit as keyof typeof MS_PER],
    cpuUs: cpuUs / requests,
  };
}

function medians(all: readonly Measured[]): Measured {
  return {
    perSecond: median(all.map((each) => each.perSecond)),
    p99Ms: median(all.map((each) => each.p99Ms)),
    cpuUs: median(all.map((each) => each.cpuUs)),
  };
}

const told = ({ perSecond, p99Ms, cpuUs }: Measured) =>
  `${Math.round(perSecond)}/s, p99 ${p99Ms.toFixed(2)} ms, ${cpuUs.toFixed(1)} µs of CPU`;

async function run(rounds: number, seconds: number, only: string): Promise<void> {
  if (findProgram("wrk") === null) throw new Error("wrk is not on PATH: apt-get install wrk");
  const machine = describeMachine();
  console.log(
    `${machine.cpu}, ${machine.cores} cores, Deno ${machine.deno}, wrk, ${rounds} rounds`,
  );
  const folder = await Deno.makeTempDir({ prefix: "mayfly_http_bench_" });
  const barePort = freePort();
  const bare = startChild(Deno.execPath(), [
    ...["run", "--no-config", "--allow-net"],
    // The engine is set as the server's is.
    ...permissionFlags(readServeTask()).filter((flag) => flag.startsWith("--v8-flags=")),
    ...[new URL("./bare_handler.ts", import.meta.url).pathname, String(barePort)],
  ]);
  try {
    await using server = await startServer({ workers: 1 });
    const entries = Array.from({ length: KEYS }, (_, i) => ({ key: keyOf(i), value: VALUE }));
    await post(`http://127.0.0.1:${server.httpPort}/v1/mset`, JSON.stringify({ entries }));
    await post(`http://127.0.0.1:${barePort}/put`, put);
    await Deno.writeTextFile(`${folder}/get.lua`, "");
    for (const [index, { name, path, body, barePath, keysPerRequest }] of WORKLOADS.entries()) {
      if (!name.includes(only)) continue;
      const scriptPath = `${folder}/${index}.lua`;
      await Deno.writeTextFile(
        scriptPath,
        body === undefined
          ? ""
          : `wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\nwrk.body = '${body}'\n`,
      );
      const ours: Measured[] = [], theirs: Measured[] = [];
      for (let round = 0; round < rounds; round++) {
        ours.push(await measure(server.httpPort, server.pid, path, scriptPath, seconds));
        theirs.push(
          barePath === null
            ? await measure(server.httpPort, server.pid, getPath, `${folder}/get.lua`, seconds)
            : await measure(barePort, bare.pid, barePath, scriptPath, seconds),
        );
      }
      const our = medians(ours), their = medians(theirs);
      console.log(`${name}\n  mayfly ${told(our)}`);
      const ratio = median(ours.map((each, i) => each.perSecond / theirs[i].perSecond));
      if (barePath === null) {
        const keys = our.perSecond * keysPerRequest;
        console.log(`  ${Math.round(keys)} keys/s\n  GET /get ${told(their)}`);
        console.log(`  ${(ratio * keysPerRequest).toFixed(1)} times its keys per second`);
        continue;
      }
      const p99Ratio = median(ours.map((each, i) => each.p99Ms / theirs[i].p99Ms));
      const cpuRatio = median(ours.map((each, i) => each.cpuUs / theirs[i].cpuUs));
      console.log(`  bare   ${told(their)}`);
      console.log(
        `  throughput ${ratio.toFixed(2)}, p99 ${p99Ratio.toFixed(2)}, CPU ${
          cpuRatio.toFixed(2)
        } of the bare one`,
      );
    }
  } finally {
    killChildren();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Tries until the server listens, for five seconds. */
async function post(url: string, body: string): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      const headers = { "content-type": "application/json" };
      const response = await fetch(url, { method: "POST", headers, body });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`${url}: ${response.status}`);
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

await new Command("bench:http")
  .description("Measures HTTP beside a bare handler of the same answers.")
  .option("--rounds <count>", "runs of each, alternating", wholeNumber(1, ROUNDS_MAX), 5)
  .option("--seconds <count>", "length of a run", wholeNumber(1, SECONDS_MAX), 2)
  .option("--only <text>", "only workloads with that in their name", "")
  .action((options: { rounds: number; seconds: number; only: string }) =>
    run(options.rounds, options.seconds, options.only)
  )
  .parseAsync(Deno.args, { from: "user" });
