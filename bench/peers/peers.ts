// How each server of the comparison is found, started and asked for its version; knows no workload.
import { type Child, runChild, startChild } from "./children.ts";
import type { Protocol } from "./requests.ts";
import { serveTaskArguments } from "../../tools/serve_task.ts";

/** What a workload may ask of a server beyond the defaults. */
export interface StartOptions {
  readonly workers: number;
  readonly clientsMax?: number;
  readonly valueBytesMax?: number;
}

export interface Peer {
  /** `mayfly`, `redis`, `valkey`, `memcached`; a second mayfly checkout is `mayfly-2`. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly version: string;
  start(options: StartOptions): Promise<RunningServer>;
}

export interface RunningServer {
  readonly peer: Peer;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

const START_MS_MAX = 20_000;
const PROBE_GAP_MS = 50;
const VERSION_SECONDS_MAX = 10;
// Below the range that the kernel draws clients' ports from, so that ten thousand clients cannot
// take one.
const PORT_MIN = 20_000;
const PORT_COUNT = 10_000;
const PORT_TRIES_MAX = 100;
const MEMCACHED_MEGABYTES = 4096;

/** A port of 127.0.0.1 on which nothing listens. */
export function freePort(): number {
  for (let i = 0; i < PORT_TRIES_MAX; i++) {
    const port = PORT_MIN + Math.floor(Math.random() * PORT_COUNT);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(
    `Cannot find a free port: ${PORT_TRIES_MAX} tries from ${PORT_MIN} on were taken`,
  );
}

/**
 * mayfly from each of the directories, and every other server that is installed. Throws when a
 * directory has no mayfly.
 */
export async function findPeers(
  mayflyDirs: readonly string[],
  scratchDir: string,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const [i, dir] of mayflyDirs.entries()) {
    peers.push(await mayflyPeer(i === 0 ? "mayfly" : `mayfly-${i + 1}`, Deno.realPathSync(dir)));
  }
  for (const name of ["redis", "valkey"]) {
    const version = await versionOf(`${name}-server`);
    if (version !== null) peers.push(redisPeer(name, version, scratchDir));
  }
  const version = await versionOf("memcached");
  if (version !== null) peers.push(memcachedPeer(version));
  return peers;
}

/** The version that `<command> --version` prints, or null when the command is not installed. */
async function versionOf(command: string): Promise<string | null> {
  try {
    const text = await runChild(command, ["--version"], VERSION_SECONDS_MAX);
    return /\d+\.\d+(\.\d+)?/.exec(text)?.[0] ?? text.trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function mayflyPeer(name: string, dir: string): Promise<Peer> {
  const args = serveTaskArguments(Deno.readTextFileSync(`${dir}/deno.json`));
  const peer: Peer = {
    name,
    protocol: "resp",
    version: await gitVersion(dir),
    start: async (options) => {
      const flags = ["--persistence", "off", "--workers", `${options.workers}`];
      if (options.clientsMax !== undefined) flags.push("--max-clients", `${options.clientsMax}`);
      if (options.valueBytesMax !== undefined) {
        flags.push("--max-value-bytes", `${options.valueBytesMax}`);
      }
      const port = freePort();
      flags.push("--port", `${port}`, "--http-port", `${freePort()}`);
      return await running(
        peer,
        port,
        startChild(Deno.execPath(), [...args, ...flags], { cwd: dir }),
      );
    },
  };
  return peer;
}

async function gitVersion(dir: string): Promise<string> {
  try {
    const git = (...args: string[]) => runChild("git", ["-C", dir, ...args], VERSION_SECONDS_MAX);
    const commit = (await git("rev-parse", "--short=12", "HEAD")).trim();
    return (await git("status", "--porcelain")).trim() === ""
      ? commit
      : `${commit} with local changes`;
  } catch {
    return "no commit";
  }
}

function redisPeer(name: string, version: string, scratchDir: string): Peer {
  const peer: Peer = {
    name,
    protocol: "resp",
    version,
    start: async (options) => {
      const port = freePort();
      const flags = [
        "--port",
        `${port}`,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
      ];
      flags.push("--dir", scratchDir, "--daemonize", "no");
      if (options.clientsMax !== undefined) flags.push("--maxclients", `${options.clientsMax}`);
      return await running(peer, port, startChild(`${name}-server`, flags));
    },
  };
  return peer;
}

function memcachedPeer(version: string): Peer {
  const peer: Peer = {
    name: "memcached",
    protocol: "memcached",
    version,
    start: async (options) => {
      const port = freePort();
      const flags = ["-l", "127.0.0.1", "-p", `${port}`, "-U", "0", "-t", `${options.workers}`];
      flags.push("-m", `${MEMCACHED_MEGABYTES}`, "-c", `${options.clientsMax ?? 1024}`);
      // Room for the item's own header above the value.
      if (options.valueBytesMax !== undefined) {
        flags.push("-I", `${Math.ceil(options.valueBytesMax / 1024) + 1024}k`);
      }
      // It refuses to run as root without being told to.
      if (Deno.uid() === 0) flags.push("-u", "root");
      return await running(peer, port, startChild("memcached", flags));
    },
  };
  return peer;
}

async function running(peer: Peer, port: number, child: Child): Promise<RunningServer> {
  let exitCode: number | null = null;
  void child.exited.then((status) => exitCode = status.code);
  const giveUpMs = performance.now() + START_MS_MAX;
  while (!(await answers(port, peer.protocol))) {
    if (exitCode !== null) {
      throw new Error(
        `${peer.name} ended with ${exitCode} before it answered: ${
          child.stderrTail() || "it said nothing"
        }`,
      );
    }
    if (performance.now() > giveUpMs) {
      await child.end("SIGKILL");
      throw new Error(
        `${peer.name} did not answer within ${START_MS_MAX} ms: ${child.stderrTail()}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PROBE_GAP_MS));
  }
  return { peer, port, pid: child.pid, stop: () => child.end() };
}

// True once the server answers that it is ready; `-LOADING` and the like count as no.
async function answers(port: number, protocol: Protocol): Promise<boolean> {
  let socket: Deno.TcpConn;
  try {
    socket = await Deno.connect({ hostname: "127.0.0.1", port });
  } catch {
    return false;
  }
  const timer = setTimeout(() => socket.close(), 1000);
  try {
    const probe = protocol === "resp" ? "*1\r\n$4\r\nPING\r\n" : "version\r\n";
    await socket.write(new TextEncoder().encode(probe));
    const buffer = new Uint8Array(256);
    const bytes = await socket.read(buffer) ?? 0;
    const reply = new TextDecoder().decode(buffer.subarray(0, bytes));
    return reply.startsWith(protocol === "resp" ? "+PONG" : "VERSION");
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    try {
      socket.close();
    } catch {
      // The timer closed it.
    }
  }
}
