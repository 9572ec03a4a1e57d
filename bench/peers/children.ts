// Every process that the benchmark starts, so that none outlives it; knows a process's id and
// output, not its purpose.

const STDERR_CHARACTERS_MAX = 4096;
const STDOUT_CHARACTERS_MAX = 1 << 20;
const TERM_GRACE_MS = 5000;

/** A started process; `end` stops it by its id and waits until it is gone. */
export interface Child {
  readonly pid: number;
  readonly exited: Promise<Deno.CommandStatus>;
  /** The last few kilobytes of standard error, for error texts. */
  stderrTail(): string;
  /** All of standard output once the process has ended. */
  stdoutText(): Promise<string>;
  /** Resolves with the first line of standard output, or null when the process ends without one. */
  firstLine(): Promise<string | null>;
  /** Closes standard input, which the load generator's `hold` mode takes as its end. */
  closeStdin(): Promise<void>;
  end(signal?: Deno.Signal): Promise<void>;
}

const running = new Map<number, Deno.ChildProcess>();

/** Kills by id whatever is still running. Safe in a signal handler: it waits for nothing. */
export function killChildren(): void {
  for (const child of running.values()) {
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended between the look and the kill.
    }
  }
  running.clear();
}

/**
 * Starts `command` with its output read all the time (a full pipe would stop it) and kept within
 * bounds.
 */
export function startChild(
  command: string,
  args: readonly string[],
  options: { cwd?: string; keepStdout?: boolean; stdin?: boolean } = {},
): Child {
  const process = new Deno.Command(command, {
    args: [...args],
    stdin: options.stdin === true ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  }).spawn();
  running.set(process.pid, process);
  const exited = process.status.then((status) => {
    running.delete(process.pid);
    return status;
  });

  let stderr = "";
  const stderrRead = drain(process.stderr, (text) => {
    stderr = (stderr + text).slice(-STDERR_CHARACTERS_MAX);
  });
  let stdout = "";
  let lineFound: (line: string | null) => void;
  const line = new Promise<string | null>((resolve) => lineFound = resolve);
  const stdoutRead = drain(process.stdout, (text) => {
    if (options.keepStdout !== true) return;
    if (stdout.length < STDOUT_CHARACTERS_MAX) stdout += text;
    const end = stdout.indexOf("\n");
    if (end >= 0) lineFound(stdout.slice(0, end));
  }).then(() => lineFound(null));

  return {
    pid: process.pid,
    exited,
    stderrTail: () => stderr.trim(),
    stdoutText: async () => {
      await Promise.all([stdoutRead, stderrRead]);
      return stdout;
    },
    firstLine: () => line,
    closeStdin: () => process.stdin.close().catch(() => {}),
    end: async (signal: Deno.Signal = "SIGTERM") => {
      if (!running.has(process.pid)) return;
      try {
        process.kill(signal);
      } catch {
        // It ended on its own.
      }
      const hard = setTimeout(() => {
        try {
          process.kill("SIGKILL");
        } catch {
          // It ended within the grace.
        }
      }, TERM_GRACE_MS);
      await exited;
      clearTimeout(hard);
    },
  };
}

/**
 * Runs a command to its end within `secondsMax` and gives its standard output; throws with its
 * error text otherwise.
 */
export async function runChild(
  command: string,
  args: readonly string[],
  secondsMax: number,
  cwd?: string,
): Promise<string> {
  const child = startChild(command, args, {
    keepStdout: true,
    ...(cwd === undefined ? {} : { cwd }),
  });
  const name = command.slice(command.lastIndexOf("/") + 1);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    void child.end("SIGKILL");
  }, secondsMax * 1000);
  try {
    const status = await child.exited;
    const text = await child.stdoutText();
    if (timedOut) throw new Error(`${name}: no end within ${secondsMax} s`);
    if (!status.success) {
      throw new Error(
        `${name}: exit code ${status.code}: ${child.stderrTail() || text.slice(-500)}`,
      );
    }
    return text;
  } finally {
    clearTimeout(timer);
  }
}

async function drain(
  stream: ReadableStream<Uint8Array>,
  take: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  try {
    for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
  } catch {
    // The pipe broke with the process; `exited` tells the rest.
  }
}
