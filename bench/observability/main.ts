// `deno task bench:observability`: what a server spends on telling of itself, per operation over TCP.
//
//   deno task bench:observability [--pairs 9] [--operations 400000] [--clients 50]
//
// Two servers of this tree run side by side, and the load goes to one after the other. One counts and times its
// commands, keeps histograms, namespaces and history, and has a dashboard open all the time. The other has the two
// modules that do so replaced by silent ones through an import map: nothing else differs. CPU is that of all threads,
// user and system. The client shares the machine, so only the ratio within a pair is told, and the median of all.
import { Command } from "commander";
import { wholeNumber } from "../../src/cli/client_options.ts";
import { ROOT, serveTaskArguments } from "../../tools/serve_task.ts";
import { killChildren, startChild } from "../peers/children.ts";
import { describeMachine } from "../peers/machine.ts";
import { freePort } from "../peers/peers.ts";
import { processCpuUs } from "../peers/process_cpu.ts";
import { findRedisBenchmark, runRedisBenchmark } from "../peers/redis_benchmark.ts";
import { median } from "../peers/statistics.ts";

const PAIRS_MAX = 99;
const OPERATIONS_MAX = 100_000_000;
const CLIENTS_MAX = 1000;
const KEYS = 100_000;
const VALUE_BYTES = 64;
const RUN_SECONDS_MAX = 300;
const START_MS_MAX = 30_000;
const DASHBOARD_MS_MAX = 10_000;
/** What the issue allows. */
const BAR = 1.05;
/** By which modules of this folder those of the server are replaced. */
const SILENT: Readonly<Record<string, string>> = {
  "src/commands/batch_accounts.ts": "silent_accounts.ts",
  "src/commands/sampler.ts": "silent_sampler.ts",
};

interface Workload {
  readonly name: string;
  readonly command: "get" | "set";
  readonly pipeline: number;
  /** Part of `--operations`: single requests take about ten times as long. */
  readonly share: number;
}

const WORKLOADS: readonly Workload[] = [
  { name: "GET, pipeline 16", command: "get", pipeline: 16, share: 1 },
  { name: "SET, pipeline 16", command: "set", pipeline: 16, share: 1 },
  { name: "GET, no pipeline", command: "get", pipeline: 1, share: 0.15 },
];

interface Server {
  readonly port: number;
  readonly httpPort: number;
  readonly pid: number;
}

/** Starts a server of this tree, by the `serve` task's flags and, if given, with another configuration file. */
async function start(configPath: string | null): Promise<Server> {
  const port = freePort(), httpPort = freePort();
  const [run, ...rest] = serveTaskArguments(Deno.readTextFileSync(`${ROOT}deno.json`));
  const config = configPath === null ? [] : ["--config", configPath, "--lock", `${ROOT}deno.lock`];
  const flags = ["--persistence", "off", "--workers", "1"];
  const ports = ["--port", `${port}`, "--http-port", `${httpPort}`];
  const child = startChild(Deno.execPath(), [run, ...config, ...rest, ...flags, ...ports], {
    cwd: ROOT,
  });
  const giveUpMs = performance.now() + START_MS_MAX;
  while (!await isReady(httpPort)) {
    if (performance.now() > giveUpMs) {
      throw new Error(`no server within ${START_MS_MAX} ms: ${child.stderrTail()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { port, httpPort, pid: child.pid };
}

async function isReady(httpPort: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${httpPort}/readyz`);
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

/** The same configuration, with the silent modules in the place of the server's. */
async function silentConfig(folder: string): Promise<string> {
  const config = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const url = (path: string) => new URL(path, `file://${ROOT}`).href;
  for (const [module, silent] of Object.entries(SILENT)) {
    config.imports[url(module)] = url(`bench/observability/${silent}`);
  }
  const path = `${folder}/deno.json`;
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      unstable: config.unstable,
      compilerOptions: config.compilerOptions,
      imports: config.imports,
    }),
  );
  return path;
}

/** Opens the dashboard's feed, and reads it until the process ends. Gives how many messages came. */
async function openDashboard(httpPort: number): Promise<() => number> {
  const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/ws`);
  let messages = 0;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no dashboard came")), DASHBOARD_MS_MAX);
    socket.onopen = () => socket.send('{"subscribe":"dashboard"}');
    socket.onerror = () => reject(new Error("the dashboard's feed cannot be opened"));
    socket.onmessage = () => {
      if (++messages < 2) return;
      clearTimeout(timer);
      resolve();
    };
  });
  return () => messages;
}

/** CPU of the server for each operation of a run, in µs. */
async function measure(
  program: string,
  server: Server,
  { command, pipeline, share }: Workload,
  options: Options,
): Promise<number> {
  const operations = Math.ceil(options.operations * share);
  const before = processCpuUs(server.pid);
  await runRedisBenchmark(program, {
    port: server.port,
    clients: options.clients,
    pipeline,
    operations,
    keyCount: KEYS,
    valueBytes: VALUE_BYTES,
    command,
  }, RUN_SECONDS_MAX);
  return (processCpuUs(server.pid) - before) / operations;
}

interface Options {
  readonly pairs: number;
  readonly operations: number;
  readonly clients: number;
}

async function run(options: Options): Promise<void> {
  const program = await findRedisBenchmark();
  if (program === null) throw new Error("neither redis-benchmark nor valkey-benchmark is on PATH");
  const machine = describeMachine();
  console.log(`${machine.cpu}, ${machine.cores} cores, Deno ${machine.deno}`);
  const folder = await Deno.makeTempDir({ prefix: "mayfly_observability_" });
  try {
    const telling = await start(null), silent = await start(await silentConfig(folder));
    await assertSilent(program, silent, options);
    const messages = await openDashboard(telling.httpPort);
    for (const workload of WORKLOADS) {
      // Both are filled and warm before the first pair.
      const load = { ...workload, command: "set", pipeline: 16, share: 1 } as const;
      for (const server of [telling, silent]) {
        await measure(program, server, load, options);
        await measure(program, server, workload, options);
      }
      const ratios: number[] = [], ours: number[] = [], theirs: number[] = [];
      for (let pair = 0; pair < options.pairs; pair++) {
        // Each begins every other pair: what drifts meanwhile meets both.
        const order = pair % 2 === 0 ? [telling, silent] : [silent, telling];
        const cpuUs = new Map<Server, number>();
        for (const server of order) {
          cpuUs.set(server, await measure(program, server, workload, options));
        }
        ours.push(cpuUs.get(telling)!);
        theirs.push(cpuUs.get(silent)!);
        ratios.push(cpuUs.get(telling)! / cpuUs.get(silent)!);
      }
      const ratio = median(ratios), sorted = ratios.toSorted((a, b) => a - b);
      console.log(
        `${workload.name}: telling ${median(ours).toFixed(2)} µs, silent ${
          median(theirs).toFixed(2)
        } µs of CPU; median of ${options.pairs} pairs ${ratio.toFixed(3)} (${
          sorted[0].toFixed(3)
        } to ${sorted.at(-1)!.toFixed(3)}), ${ratio <= BAR ? "within" : "above"} ${BAR}`,
      );
    }
    console.log(`the dashboard got ${messages()} messages meanwhile`);
  } finally {
    killChildren();
    await Deno.remove(folder, { recursive: true });
  }
}

/** A replacement that did not take place would compare a server with itself. */
async function assertSilent(program: string, server: Server, options: Options): Promise<void> {
  await measure(program, server, WORKLOADS[1], { ...options, operations: 1000 });
  const metrics = await (await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)).text();
  if (/^mayfly_commands_total\{command="set"[^}]*\} [1-9]/m.test(metrics)) {
    throw new Error("the silent server counts its commands: the import map was not used");
  }
}

const isToy = Deno.env.get("MAYFLY_BENCH_TOY") === "1";
await new Command("bench:observability")
  .description("Measures what counting, timing, sampling and an open dashboard cost per operation.")
  .option("--pairs <count>", "alternating pairs", wholeNumber(1, PAIRS_MAX), isToy ? 1 : 9)
  .option(
    "--operations <count>",
    "of each run with a pipeline",
    wholeNumber(1, OPERATIONS_MAX),
    isToy ? 2000 : 400_000,
  )
  .option("--clients <count>", "connections of the load", wholeNumber(1, CLIENTS_MAX), 50)
  .action((options: Options) => run(options))
  .parseAsync(Deno.args, { from: "user" });
Deno.exit(0);
