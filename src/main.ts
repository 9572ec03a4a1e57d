// The process's entry: command line to Config, proof of the ports, shared memories, workers, signals
// and exit codes. It takes no shard lock, never blocks once it serves, and knows no protocol.

import { readPasswordFile } from "./cli/password_file.ts";
import { readConfigText, writeConfigText } from "./cli/config_store.ts";
import { hostAndPort, probePorts } from "./cli/port_probe.ts";
import { freeUnixSocket } from "./cli/unix_socket.ts";
import { runTool, TOOLS } from "./cli/tools.ts";
import { type Config, parseConfig } from "./config.ts";
import { rewriteConfigFile } from "./config_file.ts";
import { isTerminal, readEnvironment, readHostFacts, writeStderr, writeStdout } from "./host.ts";
import {
  COMPACT_BYTES_MIN,
  COMPACT_PERCENT,
  RING_BYTES_MIN,
  RING_BYTES_PER_WORKER,
} from "./limits.ts";
import { type DirectoryLock, lockDirectory } from "./log/disk.ts";
import { ASK_STOP, FSYNC_NAMES, ROLE_OF_WORKERS } from "./log/log_board.ts";
import { createRingMemory, Ring } from "./log/ring.ts";
import { openLogOutput } from "./log_output.ts";
import { LogThreads } from "./log_threads.ts";
import { Logger, singleLine } from "./logger.ts";
import { formatMemorySize } from "./memory_size.ts";
import { createMetricsMemory } from "./metrics.ts";
import { createSettingsMemory, Settings } from "./settings.ts";
import { createStoreMemory } from "./store/store.ts";
import { EXIT_BROKEN_INVARIANT, EXIT_ENVIRONMENT, Supervisor } from "./supervisor.ts";

const EXIT_USAGE = 2;
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;
/**
 * CONFIG SET maxmemory may go up to this many times the start's value: the shards reserve address
 * space for at least that much.
 */
const MAXMEMORY_GROWTH_MAX = 2;

/** Refuses to start with one line on standard error. */
function refuse(text: string, exitCode: number): never {
  writeStderr(`mayfly: ${singleLine(text)}\n`);
  Deno.exit(exitCode);
}

/** The configuration with its password read, or the end of the process. */
function readConfig(): Config {
  const parsed = parseConfig(Deno.args, readEnvironment(), readHostFacts(), readConfigText);
  if ("print" in parsed) {
    writeStdout(parsed.print);
    Deno.exit(0);
  }
  if ("error" in parsed) refuse(parsed.error, EXIT_USAGE);
  if (parsed.ok.requirepassFile === null) return parsed.ok;
  const password = readPasswordFile(parsed.ok.requirepassFile);
  if ("error" in password) refuse(password.error, EXIT_ENVIRONMENT);
  return { ...parsed.ok, requirepass: password.ok };
}

async function serve(): Promise<void> {
  const startedAtMs = Date.now();
  const asked = readConfig();
  const probed = probePorts(asked.hosts, asked.port);
  if ("error" in probed) refuse(probed.error, EXIT_ENVIRONMENT);
  if (asked.unixSocket !== null) {
    const taken = await freeUnixSocket(asked.unixSocket);
    if (taken !== null) refuse(taken, EXIT_ENVIRONMENT);
  }
  const { hosts, port } = probed.ok;
  const config: Config = { ...asked, hosts, port, httpPort: probeHttpPort(asked.httpPort, hosts) };

  const settingsMemory = createSettingsMemory(config);
  const settings = new Settings(settingsMemory);
  const writeRecord = openLogOutput(config.logFormat, writeStderr);
  const logger = new Logger({
    source: "main",
    lowestLevel: () => settings.logLevel,
    emit: writeRecord,
  });
  for (const host of probed.ok.skipped) {
    logger.info(`not listening on ${host}: the machine lacks this address family`);
  }

  const memory = reserveMemory(config);
  const ring = openRing(config);
  let log: LogThreads | null = null;
  const supervisor: Supervisor = new Supervisor({
    spawn: (name) => new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name }),
    start: {
      config,
      settingsMemory,
      ...memory,
      ringMemory: ring?.memory ?? null,
      maxmemoryBytesCeiling: MAXMEMORY_GROWTH_MAX * config.maxmemoryBytes,
      startedAtMs,
      runId: createRunId(),
    },
    settings,
    logger,
    writeRecord,
    end: Deno.exit,
    waitsForLoad: ring !== null,
    beforeEnd: () => log?.stop() ?? Promise.resolve(true),
    ...ring === null ? {} : {
      snapshot: () => log?.snapshot() ?? Promise.resolve("starting"),
      waitsForDisk: (workerIndex: number) => ring.role === ROLE_OF_WORKERS + workerIndex,
    },
    rewriteConfig: (values) => {
      if (config.configPath === null) {
        throw new Error("The server is running without a config file");
      }
      const read = readConfigText(config.configPath);
      if ("error" in read) throw new Error(`Rewriting config file: ${read.error}`);
      writeConfigText(
        config.configPath,
        rewriteConfigFile(read.ok, values, String(config.maxmemoryDefaultBytes)),
      );
      logger.info("the file of settings was rewritten");
    },
  });
  stopOnSignals(supervisor);
  if (ring !== null) {
    log = new LogThreads({
      config,
      ringMemory: ring.memory,
      askStop: () => ring.ask(ASK_STOP),
      settingsMemory,
      storeMemory: memory.storeMemory,
      spawn: spawnLogThread,
      logger,
      onLoaded: () => supervisor.loaded(),
      onFailed: (text, environment) =>
        supervisor.fail(text, environment ? EXIT_ENVIRONMENT : EXIT_BROKEN_INVARIANT),
      showProgress: isTerminal() ? (line) => writeStderr(`\r\x1b[K${line}`) : null,
    });
  }
  await supervisor.start();
  logger.info(readyLine(config));
  if (config.listensBeyondLoopback && config.requirepass === "") {
    logger.warning(
      config.protectedMode
        ? "no password is set: clients from other machines are refused (protected mode)"
        : "no password is set and protected mode is off: every machine that reaches the port is served",
    );
  }
}

/** What must not be collected as long as the process lives: the directory's lock. */
const heldToTheEnd: DirectoryLock[] = [];

/** The directory locked and the ring made; null without persistence. Or the end of the process. */
function openRing(
  { isPersistent, dataDir, workerCount, fsync, fsyncIntervalMs }: Config,
): Ring | null {
  if (!isPersistent) return null;
  const locked = lockDirectory(dataDir);
  if ("error" in locked) refuse(locked.error, EXIT_ENVIRONMENT);
  heldToTheEnd.push(locked.ok);
  const wanted = Math.max(RING_BYTES_MIN, workerCount * RING_BYTES_PER_WORKER);
  const ring = new Ring(createRingMemory(2 ** Math.ceil(Math.log2(wanted))));
  ring.fsync = FSYNC_NAMES.indexOf(fsync);
  ring.intervalMs = fsyncIntervalMs;
  ring.compactBytesMin = COMPACT_BYTES_MIN;
  ring.compactPercent = COMPACT_PERCENT;
  return ring;
}

/** The paths stand here in full, so that `deno compile` finds them. */
function spawnLogThread(name: "log" | "keeper"): Worker {
  const options = { type: "module", name } as const;
  return name === "log"
    ? new Worker(new URL("./log_worker.ts", import.meta.url), options)
    : new Worker(new URL("./keeper.ts", import.meta.url), options);
}

/** The port for HTTP on the hosts that TCP has, or the end of the process. */
function probeHttpPort(port: number | null, hosts: readonly string[]): number | null {
  if (port === null) return null;
  const probed = probePorts(hosts, port, Deno.listen, "--http-port");
  if ("error" in probed) refuse(probed.error, EXIT_ENVIRONMENT);
  return probed.ok.port;
}

function reserveMemory(config: Config): { storeMemory: unknown; metricsMemory: unknown } {
  const { maxmemoryBytes, valueBytesMax, workerCount } = config;
  try {
    return {
      storeMemory: createStoreMemory({ maxmemoryBytes, maxValueBytes: valueBytesMax }),
      metricsMemory: createMetricsMemory(workerCount),
    };
  } catch (error) {
    // What V8 throws when the system grants no address space.
    if (!(error instanceof RangeError)) throw error;
    const size = formatMemorySize(maxmemoryBytes);
    refuse(
      `cannot reserve memory for --maxmemory ${size}: ${error.message}; choose less`,
      EXIT_ENVIRONMENT,
    );
  }
}

/** `ready: 127.0.0.1:6379, [::1]:6379, HTTP on port 7171, 1 worker, maxmemory 11.7 GiB` */
function readyLine(config: Config): string {
  const { hosts, port, httpPort, unixSocket, workerCount, maxmemoryBytes } = config;
  const addresses = [
    ...hosts.map((host) => hostAndPort(host, port)),
    ...unixSocket === null ? [] : [unixSocket],
    ...httpPort === null ? [] : [`HTTP on port ${httpPort}`],
  ].join(", ");
  const workers = `${workerCount} worker${workerCount === 1 ? "" : "s"}`;
  return `ready: ${addresses}, ${workers}, maxmemory ${formatMemorySize(maxmemoryBytes)}`;
}

/** The first signal stops in order, the second at once. */
function stopOnSignals(supervisor: Supervisor): void {
  let received = 0;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      if (++received > 1) Deno.exit(128 + SIGNAL_NUMBERS[signal]);
      supervisor.stop(signal);
    });
  }
}

function createRunId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A mistake of this program: one line, and the exit code that tells it from the user's. */
function stopBroken(error: unknown): never {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const denied = error instanceof Deno.errors.NotCapable;
  refuse(text, denied ? EXIT_ENVIRONMENT : EXIT_BROKEN_INVARIANT);
}

addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  stopBroken(event.reason);
});
addEventListener("error", (event) => {
  event.preventDefault();
  stopBroken(event.error ?? event.message);
});

/** Client tools of the executable, which end by themselves. */
async function runClientTool(): Promise<void> {
  const end = await runTool(Deno.args, {
    print: writeStdout,
    progress: isTerminal() ? (line) => writeStderr(`\r\x1b[K${line}`) : null,
  });
  if (end.error !== undefined) refuse(end.error, end.exitCode);
  Deno.exit(end.exitCode);
}

const run = TOOLS.includes(Deno.args[0]) ? runClientTool : serve;
run().catch(stopBroken);
