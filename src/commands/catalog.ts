// COMMAND and its subcommands: the table of commands as client libraries read it.
import { SYNTAX } from "../errors.ts";
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import * as R from "./command_row.ts";
import { type CommandRow, hasArity } from "./command_row.ts";
import { writeArguments } from "./argument_docs.ts";
import { COMMAND_FACTS, type CommandFacts } from "./command_facts.ts";
import { runSubcommand } from "./container.ts";
import type { CommandContext } from "./context.ts";
import { globMatches, PATTERN_BYTES_MAX } from "./glob.ts";
import { NO_KEY } from "./row_parts.ts";

/** All rows, and those of a container by its name. */
export interface Catalog {
  readonly rows: readonly CommandRow[];
  readonly subcommands: ReadonlyMap<string, readonly CommandRow[]>;
}

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
      name: "command|getkeys",
      arity: -4,
      since: "2.8.13",
      summary: "Return the keys among the arguments of a command",
      run: (c) => getKeys(c, catalog(), false),
    },
    {
      ...ROW,
      name: "command|getkeysandflags",
      arity: -4,
      since: "7.0.0",
      summary: "Return the keys among the arguments of a command, and what is done to them",
      run: (c) => getKeys(c, catalog(), true),
    },
    {
      ...ROW,
      name: "command|list",
      arity: -2,
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

/** COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern] */
function list(c: CommandContext, { rows, subcommands }: Catalog): void {
  let names = rows.map((row) => row.name);
  if (c.argCount > 2) {
    const all = [...rows, ...[...subcommands.values()].flat()].map((row) => row.name);
    if (c.argCount !== 5 || !c.argIs(2, "FILTERBY")) return c.reply.error(SYNTAX);
    if (c.argIs(3, "MODULE")) names = [];
    else if (c.argIs(3, "ACLCAT")) {
      const category = c.argText(4).toLowerCase();
      names = all.filter((name) => factsOf(name).categories.split(" ").includes(category));
    } else if (c.argIs(3, "PATTERN")) {
      const pattern = c.argBytes(4);
      if (pattern.length > PATTERN_BYTES_MAX) return c.reply.error(SYNTAX);
      names = all.filter((name) => globMatches(pattern, encoder.encode(name), true));
    } else return c.reply.error(SYNTAX);
  }
  c.reply.array(names.length);
  for (const name of names) c.reply.bulkText(name);
}

/** A key among the arguments of a command, and what is done to it. */
interface KeyArgument {
  readonly index: number;
  readonly flags: readonly string[];
}

/** COMMAND GETKEYS command [arg ...], COMMAND GETKEYSANDFLAGS command [arg ...] */
function getKeys(c: CommandContext, catalog: Catalog, withFlags: boolean): void {
  const row = commandAt(c, catalog);
  if (row === null) return c.reply.error("ERR Invalid command specified");
  const facts = factsOf(row.name), count = c.argCount - 2;
  if (facts.keys === undefined) return c.reply.error("ERR The command has no key arguments");
  if (!hasArity(row, count)) {
    return c.reply.error("ERR Invalid number of arguments specified for command");
  }
  const keys = facts.keys.flatMap((text) => keyArguments(c, row.name, text, count));
  c.reply.array(keys.length);
  for (const { index, flags } of keys) {
    if (withFlags) c.reply.array(2);
    c.reply.bulk(c.bytes, c.argStart(2 + index), c.argEnd(2 + index));
    if (withFlags) writeStatuses(c.reply, flags);
  }
}

/** The row of the command that is named from argument 2 on, with its subcommand. */
function commandAt(c: CommandContext, { rows, subcommands }: Catalog): CommandRow | null {
  const name = c.argText(2).toLowerCase(), among = subcommands.get(name);
  if (among !== undefined && c.argCount > 3) {
    const asked = `${name}|${c.argText(3).toLowerCase()}`;
    return among.find((row) => row.name === asked) ?? null;
  }
  return rows.find((row) => row.name === name) ?? null;
}

function keyArguments(
  c: CommandContext,
  name: string,
  text: string,
  count: number,
): KeyArgument[] {
  const { first, last, step, flags } = parseKeySpecification(text);
  const keys: KeyArgument[] = [], end = last < 0 ? count + last : first + last;
  const actual = flags.includes("variable_flags") ? flagsByArguments(c, name, count) : flags;
  for (let index = first; index <= end; index += step) keys.push({ index, flags: actual });
  return keys;
}

/** What SET and BITFIELD do to their key depends on their options. */
function flagsByArguments(c: CommandContext, name: string, count: number): readonly string[] {
  const has = (...words: string[]) =>
    Array.from({ length: count }, (_, i) => i + 2).some((i) =>
      words.some((word) => c.argIs(i, word))
    );
  if (name === "set") return has("GET") ? ["RW", "access", "update"] : ["OW", "update"];
  return has("SET", "INCRBY") ? ["RW", "access", "update"] : ["RO", "access"];
}

function parseKeySpecification(
  text: string,
): { first: number; last: number; step: number; flags: readonly string[] } {
  const [first, last, step, ...flags] = text.split(" ");
  return { first: Number(first), last: Number(last), step: Number(step), flags };
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
    const { complexity, arguments: all } = factsOf(row.name);
    const more = [complexity !== undefined, all !== undefined, subcommands.length > 0];
    reply.map(3 + more.filter((isThere) => isThere).length);
    reply.bulkText("summary");
    reply.bulkText(row.summary);
    reply.bulkText("since");
    reply.bulkText(row.since);
    reply.bulkText("group");
    reply.bulkText(row.group);
    if (complexity !== undefined) {
      reply.bulkText("complexity");
      reply.bulkText(complexity);
    }
    if (all !== undefined) {
      reply.bulkText("arguments");
      writeArguments(reply, all);
    }
    if (subcommands.length === 0) continue;
    reply.bulkText("subcommands");
    writeDocs(reply, subcommands, catalog);
  }
}

/** Redis 7's ten fields: name, arity, flags, first key, last key, step, categories, tips, keys, subcommands. */
function writeRow(reply: ReplyWriter, row: CommandRow, subcommands: readonly CommandRow[]): void {
  const facts = factsOf(row.name), range = keyRange(facts);
  reply.array(10);
  reply.bulkText(row.name);
  reply.integer(row.arity);
  writeStatuses(reply, words(facts.flags));
  for (const number of range) reply.integer(number);
  writeStatuses(reply, words(facts.categories).map((category) => `@${category}`));
  const tips = words(facts.tips ?? "");
  reply.set(tips.length);
  for (const tip of tips) reply.bulkText(tip);
  const keys = facts.keys ?? [];
  reply.set(keys.length);
  for (const text of keys) writeKeySpecification(reply, text);
  reply.set(subcommands.length);
  for (const each of subcommands) writeRow(reply, each, []);
}

/** First key, last key and step over all key specifications, as clients without them read it. */
function keyRange({ keys = [] }: CommandFacts): [number, number, number] {
  if (keys.length === 0) return [0, 0, 0];
  const all = keys.map(parseKeySpecification);
  const ends = all.map(({ first, last }) => last < 0 ? last : first + last);
  return [
    Math.min(...all.map(({ first }) => first)),
    ends.some((end) => end < 0) ? Math.min(...ends) : Math.max(...ends),
    all[0].step,
  ];
}

function writeStatuses(reply: ReplyWriter, names: readonly string[]): void {
  reply.set(names.length);
  for (const name of names) reply.status(name);
}

/** One range of keys that begins at a fixed argument. */
function writeKeySpecification(reply: ReplyWriter, text: string): void {
  const { first, last, step, flags } = parseKeySpecification(text);
  reply.map(3);
  reply.bulkText("flags");
  writeStatuses(reply, flags);
  reply.bulkText("begin_search");
  reply.map(2);
  reply.bulkText("type");
  reply.bulkText("index");
  reply.bulkText("spec");
  reply.map(1);
  reply.bulkText("index");
  reply.integer(first);
  reply.bulkText("find_keys");
  reply.map(2);
  reply.bulkText("type");
  reply.bulkText("range");
  reply.bulkText("spec");
  reply.map(3);
  reply.bulkText("lastkey");
  reply.integer(last);
  reply.bulkText("keystep");
  reply.integer(step);
  reply.bulkText("limit");
  reply.integer(0);
}

function words(text: string): string[] {
  return text === "" ? [] : text.split(" ");
}

/** Every row has facts: a test says so. */
function factsOf(name: string): CommandFacts {
  return COMMAND_FACTS[name];
}

const encoder = new TextEncoder();
