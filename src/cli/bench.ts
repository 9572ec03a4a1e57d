// `mayfly bench`: measures any RESP server with closed loops of clients; knows nothing of the server's inside.
import { Command, InvalidArgumentError } from "commander";
import { createMetricsMemory, Metrics, WorkerMetrics } from "../metrics.ts";
import {
  addClientOptions,
  type ClientOptions,
  clientPassword,
  type ClientSocket,
  clientTarget,
  encodeRequest,
  openClient,
  wholeNumber,
  writeAll,
} from "./client_options.ts";
import { ReplyScanner } from "./reply_scanner.ts";

interface BenchOptions extends ClientOptions {
  readonly clients: number;
  readonly requests: number;
  readonly pipeline: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly command: readonly Kind[];
  readonly json: boolean;
}

const KINDS = ["set", "get", "mget", "incr", "ping"] as const;
type Kind = typeof KINDS[number];

const MGET_KEYS = 10;
const READ_BYTES = 65_536;
const PROGRESS_MS = 250;
const PERCENTILES = [0.5, 0.95, 0.99, 0.999] as const;

/** What one command came to. Times in µs, of a pipeline's whole round trip. */
export interface BenchResult {
  readonly command: Kind;
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly errors: number;
  readonly firstError: string;
  readonly misses: number;
  readonly latencyUs: Readonly<Record<"p50" | "p95" | "p99" | "p99.9" | "max", number>>;
}

/** Where the tool writes: results, and a line of progress if somebody watches. */
export interface BenchOutput {
  print(text: string): void;
  readonly progress: ((line: string) => void) | null;
}

/** The command; throws in one line if the server cannot be reached, or any reply was an error. */
export function benchCommand(output: BenchOutput): Command {
  return addClientOptions(new Command("bench"))
    .description("Measure a server: throughput and percentiles of each command.")
    .option("--clients <count>", "connections at the same time", wholeNumber(1, 10_000), 50)
    .option("--requests <count>", "requests of each command", wholeNumber(1, 1e9), 100_000)
    .option(
      "--pipeline <count>",
      "requests that each client sends at once",
      wholeNumber(1, 10_000),
      1,
    )
    .option("--keys <count>", "different keys, chosen at random", wholeNumber(1, 1e9), 100_000)
    .option("--value-bytes <count>", "length of values", wholeNumber(1, 512 * 1024 ** 2), 64)
    .option(
      "--command <names>",
      `what to measure, parted by commas: ${KINDS.join(", ")}`,
      parseKinds,
      ["set", "get"],
    )
    .option("--json", "print a line of JSON for each command", false)
    .action(async (options: BenchOptions) => {
      const password = clientPassword(options);
      let errors = 0, firstError = "";
      for (const kind of options.command) {
        const result = await measure(kind, options, password, output.progress);
        output.print(options.json ? `${JSON.stringify(result)}\n` : describe(result, options));
        errors += result.errors;
        firstError ||= result.firstError;
      }
      if (errors > 0) throw new Error(`${errors} replies were errors, the first: ${firstError}`);
    });
}

function parseKinds(text: string): Kind[] {
  return text.split(",").map((name) => {
    const kind = KINDS.find((each) => each === name.trim().toLowerCase());
    if (kind === undefined) {
      throw new InvalidArgumentError(`It knows ${KINDS.join(", ")}.`);
    }
    return kind;
  });
}

async function measure(
  kind: Kind,
  options: BenchOptions,
  password: string | null,
  progress: BenchOutput["progress"],
): Promise<BenchResult> {
  const memory = createMetricsMemory(1), times = new WorkerMetrics(memory, 0);
  const sockets = await Promise.all(
    Array.from({ length: options.clients }, () => open(options, password)),
  );
  const scanners = sockets.map(() => new ReplyScanner("resp", -1));
  let left = options.requests, done = 0, maxMs = 0;
  const make = requestMaker(kind, options);
  const startMs = performance.now();
  let toldMs = startMs;
  const client = async (socket: ClientSocket, scanner: ReplyScanner) => {
    const buffer = new Uint8Array(READ_BYTES);
    while (left > 0) {
      const count = Math.min(options.pipeline, left);
      left -= count;
      const sentMs = performance.now();
      await writeAll(socket, make(count));
      for (let awaited = count; awaited > 0;) {
        const bytes = await socket.read(buffer);
        if (bytes === null) throw new Error("the server closed a connection");
        awaited -= scanner.feed(buffer.subarray(0, bytes));
      }
      const nowMs = performance.now(), tookMs = nowMs - sentMs;
      // The histogram takes times for their shares: each request here has waited for all of them.
      times.observe(tookMs * 1e6 * count, count, 1);
      maxMs = Math.max(maxMs, tookMs);
      done += count;
      if (progress !== null && nowMs - toldMs >= PROGRESS_MS) {
        toldMs = nowMs;
        const perSecond = Math.round(done / (nowMs - startMs) * 1000);
        progress(
          `${kind}: ${Math.floor(done / options.requests * 100)} %, ${perSecond} per second`,
        );
      }
    }
  };
  try {
    await Promise.all(sockets.map((socket, i) => client(socket, scanners[i])));
  } finally {
    for (const socket of sockets) socket.close();
    progress?.("");
  }
  const seconds = (performance.now() - startMs) / 1000, latency = new Metrics(memory).latency();
  const [p50, p95, p99, p999] = PERCENTILES.map((part) => latency.percentileUs(part));
  return {
    command: kind,
    requests: done,
    seconds,
    perSecond: done / seconds,
    errors: scanners.reduce((total, { errors }) => total + errors, 0),
    firstError: scanners.find(({ firstError }) => firstError !== "")?.firstError ?? "",
    misses: scanners.reduce((total, { misses }) => total + misses, 0),
    latencyUs: { p50, p95, p99, "p99.9": p999, max: maxMs * 1000 },
  };
}

async function open(options: BenchOptions, password: string | null): Promise<ClientSocket> {
  let socket: ClientSocket;
  try {
    socket = await openClient(options);
  } catch (error) {
    const why = (error as Error).message.split("\n")[0];
    throw new Error(`cannot reach ${clientTarget(options)}: ${why}`, { cause: error });
  }
  if (password !== null) {
    const scanner = new ReplyScanner("resp", -1), buffer = new Uint8Array(1024);
    await writeAll(socket, encodeRequest(["AUTH", password]));
    for (let replies = 0; replies === 0;) {
      const bytes = await socket.read(buffer);
      if (bytes === null) throw new Error("the server closed a connection");
      replies = scanner.feed(buffer.subarray(0, bytes));
    }
    if (scanner.errors > 0) throw new Error(`AUTH was refused: ${scanner.firstError}`);
  }
  return socket;
}

/** Gives requests of `count` commands with keys at random. */
function requestMaker(kind: Kind, options: BenchOptions): (count: number) => Uint8Array {
  const value = "v".repeat(options.valueBytes);
  const key = () => `bench:${String(Math.floor(Math.random() * options.keys)).padStart(10, "0")}`;
  const words: Readonly<Record<Kind, () => string[]>> = {
    set: () => ["SET", key(), value],
    get: () => ["GET", key()],
    mget: () => ["MGET", ...Array.from({ length: MGET_KEYS }, key)],
    incr: () => ["INCR", `bench:counter:${Math.floor(Math.random() * options.keys)}`],
    ping: () => ["PING"],
  };
  return (count) => {
    if (count === 1) return encodeRequest(words[kind]());
    const parts = Array.from({ length: count }, () => encodeRequest(words[kind]()));
    const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  };
}

function describe(result: BenchResult, { clients, pipeline }: BenchOptions): string {
  const { command, requests, seconds, perSecond, errors, misses, latencyUs } = result;
  const times = Object.entries(latencyUs).map(([name, us]) =>
    `${name} ${(us / 1000).toFixed(3)} ms`
  );
  const extra = (misses > 0 ? `, ${misses} misses` : "") + (errors > 0 ? `, ${errors} errors` : "");
  return `${command}: ${Math.round(perSecond)} requests per second (${requests} in ` +
    `${seconds.toFixed(2)} s, ${clients} clients, pipeline ${pipeline}${extra})\n` +
    `  ${times.join(", ")}\n`;
}
