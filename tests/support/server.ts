// Starts the real server as a process of its own, with the permissions of the `serve` task, on a
// free port, and ends it. It must not know what the server answers, except that it answers PING.

import { connect, plain } from "./resp_client.ts";
import { permissionFlags, readServeTask, ROOT } from "./serve_task.ts";

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 20_000;
const PROBE_TIMEOUT_MS = 1_000;
const PROBE_PAUSE_MS = 20;
/** Another process may take the free port between our look and the server's bind. */
const PORT_TRIES_MAX = 3;
/** Per stream; beyond it the oldest text goes. */
const OUTPUT_CHARS_MAX = 1 << 20;

export interface ServerOptions {
  /** Added after `--port`, `--persistence off` and `--http-port`; a later flag wins. */
  readonly flags?: readonly string[];
  /** Added to this process's environment less its own `MAYFLY_*` variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** `--workers`. */
  readonly workers?: number;
  /** A port instead of a free one. */
  readonly port?: number;
  /** Where to knock; the server's own default hosts hold 127.0.0.1. */
  readonly hostname?: string;
  /** Main module, for the launcher's own tests. */
  readonly mainPath?: string;
}

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Starts a server and waits, at most 20 s, until it answers PING with anything but LOADING.
 * Throws with the server's output where it ends or stays silent.
 */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  for (let attempt = 1;; attempt++) {
    const port = options.port ?? freePort(), httpPort = freePort();
    const workers = options.workers === undefined ? [] : ["--workers", String(options.workers)];
    const args = ["serve", "--port", String(port), "--persistence", "off"];
    const http = ["--http-port", String(httpPort)];
    const process = new MayflyProcess(
      [...args, ...http, ...workers, ...options.flags ?? []],
      options,
    );
    const server = new RunningServer(process, port, httpPort);
    const problem = await untilReady(server, process, options.hostname ?? "127.0.0.1");
    if (problem === null) return server;
    await server.kill();
    const { stdout, stderr } = server.output();
    const portTaken = /in use|taken/i.test(stderr + stdout);
    if (options.port === undefined && portTaken && attempt < PORT_TRIES_MAX) continue;
    throw new Error(`Cannot start the server: ${problem}\nstderr:\n${stderr}\nstdout:\n${stdout}`);
  }
}

/**
 * Runs the executable to its end, for flags that make it print or refuse: `runMayfly(["--help"])`.
 * After `timeoutMs` it is killed and this throws with the output.
 */
export async function runMayfly(
  args: readonly string[],
  options: Pick<ServerOptions, "env" | "mainPath"> & { readonly timeoutMs?: number } = {},
): Promise<Output & { readonly code: number }> {
  const process = new MayflyProcess(args, options);
  const timeoutMs = options.timeoutMs ?? START_TIMEOUT_MS;
  const code = await process.exitWithin(timeoutMs);
  if (code !== null) return { code, ...process.output() };
  process.signal("SIGKILL");
  await process.exit;
  throw new Error(
    `mayfly ${args.join(" ")} did not end within ${timeoutMs} ms\n` +
      JSON.stringify(process.output()),
  );
}

/** A server that answered. Use with `await using server = await startServer()`. */
export class RunningServer {
  readonly port: number;
  /** Free when the server was started. */
  readonly httpPort: number;
  readonly pid: number;
  readonly #process: MayflyProcess;
  /** Whether the test itself asked how the server ended. */
  #exitSeen = false;

  constructor(process: MayflyProcess, port: number, httpPort: number) {
    this.#process = process;
    this.httpPort = httpPort;
    this.pid = process.pid;
    this.port = port;
  }

  /** SIGTERM; gives the exit code. Throws with the output where it has not ended after 20 s. */
  async stop(): Promise<number> {
    this.#process.signal("SIGTERM");
    return await this.exit(STOP_TIMEOUT_MS);
  }

  /** SIGKILL, and waits until the process is gone. */
  async kill(): Promise<void> {
    this.#exitSeen = true;
    this.#process.signal("SIGKILL");
    await this.#process.exit;
  }

  /** Waits for the server to end by itself, for SHUTDOWN and for faults; gives the exit code. */
  async exit(timeoutMs: number): Promise<number> {
    this.#exitSeen = true;
    const code = await this.#process.exitWithin(timeoutMs);
    if (code !== null) return code;
    await this.kill();
    const { stdout, stderr } = this.output();
    throw new Error(
      `The server did not end within ${timeoutMs} ms and was killed\n` +
        `stderr:\n${stderr}\nstdout:\n${stdout}`,
    );
  }

  /** What the server printed so far, the last 1 MiB of each stream; whole once it has ended. */
  output(): Output {
    return this.#process.output();
  }

  /**
   * Stops the server, unless the test did. Throws where it ended by itself with nobody asking, or
   * with a code other than 0: a server that dies must not pass unseen.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#exitSeen) return;
    const code = await this.stop();
    if (code !== 0) {
      throw new Error(`The server ended with exit code ${code}\n${this.output().stderr}`);
    }
  }
}

/** The process with its output; knows no port and no protocol. */
class MayflyProcess {
  readonly pid: number;
  /** Resolves once the process has ended and its output is read to the end. */
  readonly exit: Promise<number>;
  readonly #child: Deno.ChildProcess;
  readonly #output = { stdout: "", stderr: "" };
  #ended = false;

  constructor(args: readonly string[], options: Pick<ServerOptions, "env" | "mainPath">) {
    const inherited = Object.entries(Deno.env.toObject())
      .filter(([name]) => !name.startsWith("MAYFLY_"));
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        ...permissionFlags(readServeTask()),
        options.mainPath ?? `${ROOT}src/main.ts`,
        ...args,
      ],
      cwd: ROOT,
      clearEnv: true,
      // Any free port for HTTP: many servers run beside each other.
      env: {
        ...Object.fromEntries(inherited),
        NO_COLOR: "1",
        MAYFLY_HTTP_PORT: "0",
        ...options.env,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    const drained = Promise.all([
      this.#collect(this.#child.stdout, "stdout"),
      this.#collect(this.#child.stderr, "stderr"),
    ]);
    this.exit = this.#child.status.then(async ({ code }) => {
      this.#ended = true;
      await drained;
      return code;
    });
  }

  output(): Output {
    return { ...this.#output };
  }

  signal(name: Deno.Signal): void {
    if (this.#ended) return;
    try {
      this.#child.kill(name);
    } catch (error) {
      // It ended a moment ago and `exit` is about to tell.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** The exit code, or null after `timeoutMs`. */
  async exitWithin(timeoutMs: number): Promise<number | null> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), timeoutMs);
    });
    try {
      return await Promise.race([this.exit, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #collect(stream: ReadableStream<Uint8Array>, into: "stdout" | "stderr"): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const text = this.#output[into] + decoder.decode(chunk, { stream: true });
      this.#output[into] = text.slice(-OUTPUT_CHARS_MAX);
    }
  }
}

/** A port that nobody listens on at this moment. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Null once the server answers, else what went wrong. */
async function untilReady(
  server: RunningServer,
  process: MayflyProcess,
  hostname: string,
): Promise<string | null> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  let last = "never tried";
  while (performance.now() < deadlineMs) {
    const code = await process.exitWithin(PROBE_PAUSE_MS);
    if (code !== null) return `it ended with exit code ${code}`;
    try {
      using client = await connect(server.port, { hostname, timeoutMs: PROBE_TIMEOUT_MS });
      const reply = plain(await client.command("PING"));
      last = String(reply);
      if (!last.startsWith("-LOADING")) return null;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
  }
  return `it did not answer PING within ${START_TIMEOUT_MS} ms; last: ${last}`;
}
