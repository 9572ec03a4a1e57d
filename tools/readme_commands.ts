// The README's table of commands, out of the rows, their facts and the calls that differ from Redis's; `--write` puts
// it between its markers.
import { syntaxOf } from "../src/commands/argument_docs.ts";
import { COMMAND_FACTS } from "../src/commands/command_facts.ts";
import type { CommandRow } from "../src/commands/command_row.ts";
import { ROWS, SUBCOMMANDS } from "../src/commands/table.ts";
import { DIFFERENCES } from "../tests/contract/redis_calls.ts";

const BEGIN = "<!-- commands:begin -->";
const END = "<!-- commands:end -->";
const GROUPS = [
  "string",
  "bitmap",
  "hash",
  "generic",
  "transactions",
  "connection",
  "server",
  "cluster",
] as const;
const TITLES: Readonly<Record<typeof GROUPS[number], string>> = {
  string: "strings",
  bitmap: "bits",
  hash: "hashes",
  generic: "keys",
  transactions: "transactions",
  connection: "connection",
  server: "server",
  cluster: "cluster (answered as by a server that is in none)",
};
/** Rows of mayfly's own, which Redis does not have. */
const OWN_VERSION = /^0\./;

/** The whole table, Markdown. */
export function commandTable(): string {
  const lines = ["| command | arguments | what it does |", "|---|---|---|"];
  for (const group of GROUPS) {
    lines.push(`| **${TITLES[group]}** | | |`);
    const rows = ROWS.filter((row) => row.group === group);
    for (const row of rows.sort((a, b) => a.name < b.name ? -1 : 1)) {
      const subcommands = SUBCOMMANDS.get(row.name);
      if (group === "cluster") continue;
      if (subcommands === undefined) lines.push(line(row));
      else lines.push(...subcommands.map(line));
    }
    if (group === "cluster") {
      const names = rows.map((row) => code(row.name.toUpperCase())).join(", ");
      lines.push(`| ${names} | | \`-ERR This instance has cluster support disabled\` |`);
    }
  }
  return lines.join("\n");
}

/** Calls that Redis 7.0 answers otherwise, with why: what the tests hold mayfly to. */
export function differenceTable(): string {
  const byReason = new Map<string, string[]>();
  for (const [call, reason] of Object.entries(DIFFERENCES)) {
    const shown = call.length > 60 ? `${call.slice(0, 57)}...` : call;
    byReason.set(reason, [...byReason.get(reason) ?? [], code(shown)]);
  }
  return [
    "| call | why its reply differs |",
    "|---|---|",
    ...[...byReason].map(([reason, calls]) => `| ${calls.join(", ")} | ${escaped(reason)} |`),
  ].join("\n");
}

/** The README with both tables between the markers. Throws where a marker is missing. */
export function withTables(readme: string): string {
  const begin = readme.indexOf(BEGIN), end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`Cannot find ${BEGIN} before ${END} in the README`);
  const tables =
    `${commandTable()}\n\nWhat Redis 7.0 answers otherwise, by the tests' own list:\n\n${differenceTable()}`;
  return `${readme.slice(0, begin)}${BEGIN}\n${tables}\n${readme.slice(end)}`;
}

function line(row: CommandRow): string {
  const name = row.name.replace("|", " ").toUpperCase();
  const own = OWN_VERSION.test(row.since) ? " (not in Redis)" : "";
  const syntax = syntaxOf(COMMAND_FACTS[row.name].arguments ?? []);
  return `| ${code(name)}${own} | ${syntax === "" ? "" : code(syntax)} | ${escaped(row.summary)} |`;
}

function code(text: string): string {
  return `\`${escaped(text)}\``;
}

function escaped(text: string): string {
  return text.replaceAll("|", "\\|");
}

if (import.meta.main && Deno.args[0] === "--write") {
  const path = new URL("../README.md", import.meta.url).pathname;
  await Deno.writeTextFile(path, withTables(await Deno.readTextFile(path)));
}
