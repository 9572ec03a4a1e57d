// Starts the project's own load generator in a process of its own and reads what it found; knows no
// servers beyond a port.
import { type Child, runChild, startChild } from "./children.ts";
import type { Protocol } from "./requests.ts";

/**
 * `closed`: every connection sends a batch, waits for its replies, sends the next. `paced`:
 * requests leave by the clock whether or not replies came. `hold`: connections are opened, answer
 * once and stay. `large`: one connection writes and reads one large value in a loop.
 */
export type LoadMode = "closed" | "paced" | "hold" | "large";

export interface LoadSpec {
  readonly mode: LoadMode;
  readonly protocol: Protocol;
  readonly port: number;
  readonly connections: number;
  /** Requests per batch, `closed` only. */
  readonly pipeline: number;
  readonly keyCount: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** Above 1 every request is an MGET of that many keys. */
  readonly keysPerGet: number;
  /** Percent of requests that are SETs. */
  readonly setPercent: number;
  /** Requests per second over all connections, `paced` only. */
  readonly ratePerS: number;
  /** Runs unrecorded first, then recorded. */
  readonly warmSeconds: number;
  readonly seconds: number;
}

export interface LoadResult {
  /** Requests answered while recording, and with the warm-up. */
  readonly operations: number;
  readonly operationsTotal: number;
  readonly seconds: number;
  readonly misses: number;
  /**
   * Values that arrived, with the warm-up's; with the misses they must make up every key that was
   * asked for.
   */
  readonly values: number;
  readonly errors: number;
  readonly firstError: string;
  readonly wrongLengths: number;
  /** Requests that were due and not sent because 64 on their connection had no answer: the server. */
  readonly stalled: number;
  /** Requests that were due and not sent because the generator itself came too late: the machine. */
  readonly late: number;
  readonly latencyUsP50: number;
  readonly latencyUsP99: number;
  readonly latencyUsMax: number;
  /** The same for as long a time as `seconds` before recording began, `paced` only; else 0. */
  readonly latencyUsP99Warm: number;
}

/** The fields of a plain run of GETs, to be overridden. */
export const LOAD_DEFAULTS = {
  connections: 50,
  pipeline: 1,
  keyBytes: 16,
  valueBytes: 64,
  keysPerGet: 1,
  setPercent: 0,
  ratePerS: 0,
  warmSeconds: 1,
  seconds: 3,
} as const;

// Opening ten thousand connections takes a few seconds; a server that hangs must not take minutes.
const START_SECONDS_MAX = 20;
const SLOWNESS_MAX = 10;

/** Runs the generator to its end. Throws with its error text when it fails. */
export async function generateLoad(spec: LoadSpec): Promise<LoadResult> {
  const secondsMax = START_SECONDS_MAX + SLOWNESS_MAX * (spec.warmSeconds + spec.seconds);
  return JSON.parse(
    await runChild(Deno.execPath(), clientArguments(spec), secondsMax),
  ) as LoadResult;
}

/**
 * Connections that stay open until `release`, which gives the number that the server closed
 * meanwhile.
 */
export interface HeldConnections {
  release(): Promise<number>;
}

/**
 * Opens `spec.connections` connections, each having been answered once. Throws when one cannot be.
 */
export async function holdConnections(spec: LoadSpec): Promise<HeldConnections> {
  const child: Child = startChild(Deno.execPath(), clientArguments(spec), {
    keepStdout: true,
    stdin: true,
  });
  const timer = setTimeout(() => void child.end("SIGKILL"), START_SECONDS_MAX * 1000);
  const line = await child.firstLine();
  clearTimeout(timer);
  if (line !== "ready") {
    await child.end("SIGKILL");
    throw new Error(
      `Cannot hold ${spec.connections} connections: ${child.stderrTail() || "no answer in time"}`,
    );
  }
  return {
    release: async () => {
      await child.closeStdin();
      const text = await child.stdoutText();
      await child.exited;
      const lost = Number(text.trim().split("\n")[1]);
      return Number.isInteger(lost) ? lost : spec.connections;
    },
  };
}

function clientArguments(spec: LoadSpec): string[] {
  const entry = new URL("./load_client.ts", import.meta.url).pathname;
  return ["run", "--no-prompt", "--allow-net", "--allow-read", entry, JSON.stringify(spec)];
}

/**
 * Why the replies to a run of nothing but GETs (or MGETs) are wrong, or null when each key got a
 * value of the right length or, where `missesMax` allows, none. A server that answers something
 * else quickly must not look fast.
 */
export function wrongReplies(
  result: LoadResult,
  keysPerGet: number,
  missesMax: number,
): string | null {
  const asked = result.operationsTotal * keysPerGet;
  const { values, misses, errors, wrongLengths } = result;
  if (errors === 0 && wrongLengths === 0 && misses <= missesMax && values + misses === asked) {
    return null;
  }
  const reason = result.firstError === "" ? "" : ` ("${result.firstError}")`;
  return `${asked} keys were asked for: ${values} values (${wrongLengths} of wrong length), ` +
    `${misses} misses, ${errors} errors${reason}`;
}
