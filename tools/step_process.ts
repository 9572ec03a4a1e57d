// Runs one step of the gate as a process of its own group, with a time limit and bounded output.
// It must not know what the step checks or how its result is counted.

/** How a step's process ended. `output` is standard output and error as they came. */
export interface StepOutcome {
  readonly exitCode: number;
  readonly output: string;
  readonly timedOut: boolean;
}

/** A step prints a few kilobytes; what runs wild is cut here instead of filling the memory. */
const OUTPUT_BYTES_MAX = 8 << 20;

const running = new Set<number>();

/**
 * Runs this Deno with `args` for at most `timeoutMs`, then kills it with every process it started.
 * Extra environment variables come in `env`. Never throws for a step that fails.
 */
export async function runStep(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<StepOutcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true, // its own process group, so that servers which a test left behind end with it
  }).spawn();
  running.add(child.pid);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child.pid);
  }, timeoutMs);
  const collected: Uint8Array[] = [];
  const room = { bytes: OUTPUT_BYTES_MAX };
  const drained = Promise.all([
    drain(child.stdout, collected, room),
    drain(child.stderr, collected, room),
  ]);
  const status = await child.status;
  clearTimeout(timer);
  killGroup(child.pid); // stray children would hold the pipes open, and `drained` with them
  running.delete(child.pid);
  await drained;
  const text = await new Blob(collected as BlobPart[]).text();
  const cut = room.bytes <= 0 ? `\n[output cut after ${OUTPUT_BYTES_MAX} bytes]\n` : "";
  return { exitCode: status.code, output: text + cut, timedOut };
}

/** Ends every step that is still running, for the runner's own signal handlers. */
export function killRunningSteps(): void {
  for (const pid of running) killGroup(pid);
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof TypeError) return;
    if (error instanceof Error && /ESRCH|No such process/.test(error.message)) return;
    throw error;
  }
}

async function drain(
  stream: ReadableStream<Uint8Array>,
  into: Uint8Array[],
  room: { bytes: number },
): Promise<void> {
  for await (const chunk of stream) {
    if (room.bytes > 0) into.push(chunk.subarray(0, room.bytes));
    room.bytes -= chunk.byteLength;
  }
}
