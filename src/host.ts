// What the process learns from and tells the machine around it: cores, memory, environment
// variables, standard streams. The one file outside thread entries, cli and server that may use
// Deno's own functions for it; it must not know what the facts are used for.

import process from "node:process";
import { type HostFacts } from "./config.ts";
import { environmentName, FLAG_NAMES } from "./config_flags.ts";

export const processId: number = Deno.pid;

/** `Linux x86_64`, for INFO's `os`; with its release where the permission is granted. */
export function systemName(): string {
  const name = Deno.build.os === "linux" ? "Linux" : Deno.build.os;
  let release = "";
  try {
    release = ` ${Deno.osRelease()}`;
  } catch {
    // Without --allow-sys=osRelease the name alone has to do.
  }
  return `${name}${release} ${Deno.build.arch}`;
}

/** Resident bytes of the whole process, all threads. */
export function residentBytes(): number {
  return Deno.memoryUsage().rss;
}

/** Time that the whole process has had on processors, all threads. */
export function cpuSeconds(): { readonly user: number; readonly system: number } {
  const { user, system } = process.cpuUsage();
  return { user: user / 1e6, system: system / 1e6 };
}

/** Cores and memory that this process may use. Throws Deno's NotCapable without its permission. */
export function readHostFacts(): HostFacts {
  const totalBytes = Deno.systemMemoryInfo().total;
  return {
    coreCount: navigator.hardwareConcurrency,
    memoryBytes: grantedMemoryBytes(process.constrainedMemory(), totalBytes),
  };
}

/** The cgroup's limit where it is one: 0 and what lies above the machine's memory stand for none. */
export function grantedMemoryBytes(constrainedBytes: number, totalBytes: number): number {
  return constrainedBytes > 0 && constrainedBytes < totalBytes ? constrainedBytes : totalBytes;
}

/** The variables that flags may come from, and no others: serve may read only these. */
export function readEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(
    FLAG_NAMES.map(environmentName).map((name) => [name, Deno.env.get(name)]),
  );
}

/** Whether somebody watches standard error. */
export function isTerminal(): boolean {
  return Deno.stderr.isTerminal();
}

export function writeStdout(text: string): void {
  writeAll(Deno.stdout, text);
}

/** Whole lines come out whole: one write where the system takes it at once. */
export function writeStderr(text: string): void {
  writeAll(Deno.stderr, text);
}

const encoder = new TextEncoder();

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let rest = encoder.encode(text);
  try {
    while (rest.length > 0) {
      const written = stream.writeSync(rest);
      if (written <= 0) return;
      rest = rest.subarray(written);
    }
  } catch {
    // Nobody reads any more, or the disk below is full: that must not stop a server.
  }
}
