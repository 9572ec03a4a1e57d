// What a process has used (CPU of all its threads, resident memory) and what the host took away,
// from Linux's /proc; knows no servers.

// USER_HZ is 100 on every Linux that Deno runs on, whatever the kernel's own tick.
const TICK_US = 10_000;

/** User and system CPU time of all threads, in microseconds, from the text of /proc/<pid>/stat. */
export function cpuUsFromStat(statText: string): number {
  // The command name in parentheses may hold blanks and parentheses itself, so count the fields
  // after the last one.
  const fields = statText.slice(statText.lastIndexOf(")") + 2).trim().split(" ");
  const userTicks = Number(fields[11]);
  const systemTicks = Number(fields[12]);
  if (!Number.isInteger(userTicks) || !Number.isInteger(systemTicks)) {
    throw new Error(`Cannot read a process's CPU time: received "${statText.slice(0, 200)}"`);
  }
  return (userTicks + systemTicks) * TICK_US;
}

/** Resident bytes from the text of /proc/<pid>/status. */
export function rssBytesFromStatus(statusText: string): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(statusText);
  if (match === null) {
    throw new Error(`Cannot read a process's resident memory: received ${statusText.length} bytes`);
  }
  return Number(match[1]) * 1024;
}

/** Ticks of all cores together, from the first line of /proc/stat. */
export interface MachineTicks {
  readonly total: number;
  readonly steal: number;
}

/** `total` leaves out guest time, which the kernel already counts as user time. */
export function machineTicksFromStat(statText: string): MachineTicks {
  const ticks = statText.split("\n", 1)[0].trim().split(/\s+/).slice(1, 9).map(Number);
  if (ticks.length < 8 || ticks.some(Number.isNaN)) {
    throw new Error(`Cannot read the machine's ticks: received "${statText.slice(0, 100)}"`);
  }
  return { total: ticks.reduce((sum, tick) => sum + tick, 0), steal: ticks[7] };
}

/** Percent of the machine's time between two readings that the host gave to somebody else. */
export function stealPercent(before: MachineTicks, after: MachineTicks): number {
  const total = after.total - before.total;
  return total > 0 ? (after.steal - before.steal) / total * 100 : 0;
}

/** CPU used so far by a running process, microseconds. Throws when it is gone. */
export function processCpuUs(pid: number): number {
  return cpuUsFromStat(Deno.readTextFileSync(`/proc/${pid}/stat`));
}

/** Resident memory of a running process, bytes. Throws when it is gone. */
export function processRssBytes(pid: number): number {
  return rssBytesFromStatus(Deno.readTextFileSync(`/proc/${pid}/status`));
}

export function machineTicks(): MachineTicks {
  return machineTicksFromStat(Deno.readTextFileSync("/proc/stat"));
}
