// A number for each command and each subcommand, by which they are counted, with what is counted of it; it runs none.
import type { Family } from "../history.ts";
import { ARGUMENTS_TIMED_ALONE, KEYS_TIMED_ALONE } from "../limits.ts";
import { COMMAND_FACTS } from "./command_facts.ts";
import * as R from "./command_row.ts";
import { ROWS, SUBCOMMANDS } from "./table.ts";

/** Rows of the table first, by their index there; then all subcommands. */
const ALL: readonly R.CommandRow[] = [...ROWS, ...[...SUBCOMMANDS.values()].flat()];

/** `get`, `config|get`, by number. */
export const COMMAND_NAMES: readonly string[] = ALL.map((row) => row.name);

/** By number: arguments that a command takes, below 0: at least so many. */
export const ARITIES = Int16Array.from(ALL, (row) => row.arity);

const NUMBERS: ReadonlyMap<string, number> = new Map(COMMAND_NAMES.map((name, i) => [name, i]));

/** Undefined for a name that no command has; in lower case. */
export function commandNumber(name: string): number | undefined {
  return NUMBERS.get(name);
}

/** 1 for a row that has subcommands, which are counted in its place. */
export const IS_CONTAINER = Uint8Array.from(ROWS, (row) => SUBCOMMANDS.has(row.name) ? 1 : 0);

/** From how many arguments on a row's command is timed by itself. */
export const ALONE_FROM = Int32Array.from(ROWS, (row) => {
  if ((row.flags & R.SLOW) === 0) return ARGUMENTS_TIMED_ALONE;
  const growsWithKeys = row.kind === R.READ_EACH || row.kind === R.CHANGE_EACH ||
    row.name === "mset" || row.name === "msetnx";
  return growsWithKeys ? KEYS_TIMED_ALONE : 0;
});

/** By number: 1 for what LATENCY calls a fast command, as Redis's own flags have it. */
export const IS_FAST = Uint8Array.from(COMMAND_NAMES, (name) => hasFlag(name, "fast") ? 1 : 0);

/** By number: 1 for what MONITOR does not show. */
export const IS_UNWATCHED = Uint8Array.from(
  COMMAND_NAMES,
  (name) => hasFlag(name, "admin") || hasFlag(name, "skip_monitor") ? 1 : 0,
);

/** By number. */
export const FAMILY_OF: readonly Family[] = ALL.map((row) => {
  const name = row.name;
  if (/^(?:del|unlink|getdel|hdel|hgetdel)$/.test(name) || name.startsWith("flush")) {
    return "delete";
  }
  if (/expire|persist|^h?p?ttl$/.test(name)) return "expiry";
  if (row.group === "connection") return "connection";
  if (row.group === "server" || row.group === "cluster") return "server";
  if (row.group === "generic") return "keys";
  return hasFlag(name, "write") ? "write" : "read";
});

function hasFlag(name: string, flag: string): boolean {
  return COMMAND_FACTS[name].flags.split(" ").includes(flag);
}
