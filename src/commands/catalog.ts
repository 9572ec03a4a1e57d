// COMMAND and its subcommands: the table of commands as client libraries read it.
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import { runSubcommand } from "./container.ts";
import type { CommandContext } from "./context.ts";
import { NO_KEY } from "./row_parts.ts";

/** All rows, and those of a container by its name. */
export interface Catalog {
  readonly rows: readonly CommandRow[];
  readonly subcommands: ReadonlyMap<string, readonly CommandRow[]>;
}

/** Rows that change entries and name none. */
const CHANGES_WHOLE = new Set(["flushdb", "flushall"]);
const ROW = { kind: R.KEYLESS, flags: R.LOADING | R.SLOW, group: "server", ...NO_KEY } as const;

/** The rows of COMMAND itself; `catalog` is asked when they run, because it holds them too. */
export function catalogRows(
  catalog: () => Catalog,
): { row: CommandRow; subcommands: CommandRow[] } {
  const subcommands: CommandRow[] = [
    {
      ...ROW,
      name: "command|count",
      arity: 2,
      since: "2.8.13",
      summary: "Return the number of commands",
      run: (c) => c.reply.integer(catalog().rows.length),
    },
    {
      ...ROW,
      name: "command|list",
      arity: 2,
      since: "7.0.0",
      summary: "Return the names of all commands",
      run: (c) => list(c, catalog()),
    },
    {
      ...ROW,
      name: "command|info",
      arity: -2,
      since: "2.8.13",
      summary: "Return details about the named commands, or about all",
      run: (c) => info(c, catalog()),
    },
    {
      ...ROW,
      name: "command|docs",
      arity: -2,
      since: "7.0.0",
      summary: "Return what the named commands do, or what all do",
      run: (c) => docs(c, catalog()),
    },
  ];
  const row: CommandRow = {
    ...ROW,
    name: "command",
    arity: -1,
    since: "2.8.13",
    summary: "Return details about all commands",
    run: (c) => {
      if (c.argCount === 1) replyAll(c, catalog());
      else runSubcommand(c, "command", subcommands);
    },
  };
  return { row, subcommands };
}

function replyAll(c: CommandContext, catalog: Catalog): void {
  c.reply.array(catalog.rows.length);
  for (const row of catalog.rows) writeRow(c.reply, row, catalog.subcommands.get(row.name) ?? []);
}

function list(c: CommandContext, { rows }: Catalog): void {
  c.reply.array(rows.length);
  for (const row of rows) c.reply.bulkText(row.name);
}

function info(c: CommandContext, catalog: Catalog): void {
  if (c.argCount === 2) return replyAll(c, catalog);
  c.reply.array(c.argCount - 2);
  for (let i = 2; i < c.argCount; i++) {
    const row = named(catalog, c.argText(i));
    if (row === null) c.reply.nil();
    else writeRow(c.reply, row, catalog.subcommands.get(row.name) ?? []);
  }
}

/** Names that are unknown are left out, as in Redis. */
function docs(c: CommandContext, catalog: Catalog): void {
  const chosen: CommandRow[] = [];
  for (let i = 2; i < c.argCount; i++) {
    const row = named(catalog, c.argText(i));
    if (row !== null) chosen.push(row);
  }
  writeDocs(c.reply, c.argCount === 2 ? catalog.rows : chosen, catalog);
}

function named({ rows, subcommands }: Catalog, text: string): CommandRow | null {
  const name = text.toLowerCase(), container = name.split("|", 1)[0];
  const among = name === container ? rows : subcommands.get(container) ?? [];
  return among.find((row) => row.name === name) ?? null;
}

function writeDocs(reply: ReplyWriter, rows: readonly CommandRow[], catalog: Catalog): void {
  reply.map(rows.length);
  for (const row of rows) {
    const subcommands = catalog.subcommands.get(row.name) ?? [];
    reply.bulkText(row.name);
    reply.map(subcommands.length > 0 ? 4 : 3);
    reply.bulkText("summary");
    reply.bulkText(row.summary);
    reply.bulkText("since");
    reply.bulkText(row.since);
    reply.bulkText("group");
    reply.bulkText(row.group);
    if (subcommands.length === 0) continue;
    reply.bulkText("subcommands");
    writeDocs(reply, subcommands, catalog);
  }
}

/** Redis 7's ten fields: name, arity, flags, first key, last key, step, categories, tips, keys, subcommands. */
function writeRow(reply: ReplyWriter, row: CommandRow, subcommands: readonly CommandRow[]): void {
  reply.array(10);
  reply.bulkText(row.name);
  reply.integer(row.arity);
  writeStatuses(reply, flagNames(row));
  reply.integer(row.firstKey);
  reply.integer(row.lastKey);
  reply.integer(row.keyStep);
  writeStatuses(reply, categoryNames(row));
  reply.array(0);
  writeKeySpecification(reply, row);
  reply.array(subcommands.length);
  for (const each of subcommands) writeRow(reply, each, []);
}

function writeStatuses(reply: ReplyWriter, names: readonly string[]): void {
  reply.array(names.length);
  for (const name of names) reply.status(name);
}

function changes(row: CommandRow): boolean {
  return row.kind === R.CHANGE || row.kind === R.CHANGE_EACH || row.kind === R.CHANGE_ALL ||
    CHANGES_WHOLE.has(row.name);
}

function reads(row: CommandRow): boolean {
  return row.kind === R.READ || row.kind === R.READ_EACH || row.name === "scan" ||
    row.name === "dbsize";
}

function flagNames(row: CommandRow): string[] {
  const names: [boolean, string][] = [
    [changes(row), "write"],
    [reads(row), "readonly"],
    [(row.flags & R.DENY_OOM) !== 0, "denyoom"],
    [(row.flags & R.ADMIN) !== 0, "admin"],
    [(row.flags & R.LOADING) !== 0, "loading"],
    [(row.flags & R.NO_AUTH) !== 0, "no_auth"],
    [(row.flags & R.SLOW) === 0, "fast"],
  ];
  return names.filter(([isSet]) => isSet).map(([, name]) => name);
}

function categoryNames(row: CommandRow): string[] {
  const group = row.group === "generic" ? "keyspace" : row.group;
  const names: [boolean, string][] = [
    [changes(row), "@write"],
    [reads(row), "@read"],
    [group !== "server", `@${group}`],
    [(row.flags & R.ADMIN) !== 0, "@admin"],
    [(row.flags & R.ADMIN) !== 0 || CHANGES_WHOLE.has(row.name), "@dangerous"],
    [(row.flags & R.SLOW) === 0, "@fast"],
    [(row.flags & R.SLOW) !== 0, "@slow"],
  ];
  return names.filter(([isSet]) => isSet).map(([, name]) => name);
}

/** One range of keys that begins at a fixed argument, or none. */
function writeKeySpecification(reply: ReplyWriter, row: CommandRow): void {
  if (row.firstKey === 0) return reply.array(0);
  reply.array(1);
  reply.map(3);
  reply.bulkText("flags");
  writeStatuses(reply, changes(row) ? ["RW", "UPDATE"] : ["RO", "ACCESS"]);
  reply.bulkText("begin_search");
  reply.map(2);
  reply.bulkText("type");
  reply.bulkText("index");
  reply.bulkText("spec");
  reply.map(1);
  reply.bulkText("index");
  reply.integer(row.firstKey);
  reply.bulkText("find_keys");
  reply.map(2);
  reply.bulkText("type");
  reply.bulkText("range");
  reply.bulkText("spec");
  reply.map(3);
  reply.bulkText("lastkey");
  // Counted from the first key, where it is not counted from the end.
  reply.integer(row.lastKey < 0 ? row.lastKey : row.lastKey - row.firstKey);
  reply.bulkText("keystep");
  reply.integer(row.keyStep);
  reply.bulkText("limit");
  reply.integer(0);
}
