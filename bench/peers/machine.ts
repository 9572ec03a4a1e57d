// Names the machine a benchmark ran on; knows nothing of servers.

/** What a reader needs to judge a figure by. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly deno: string;
}

/**
 * Reads the machine's description; the CPU model is "unknown" where /proc/cpuinfo does not name
 * one.
 */
export function describeMachine(): Machine {
  const model = /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"));
  return {
    cpu: model === null ? "unknown" : model[1].trim(),
    cores: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    kernel: Deno.osRelease(),
    deno: Deno.version.deno,
  };
}
