// Commands that are a family of subcommands: picks the one that is asked for; knows none of them.
import { unknownSubcommand, wrongArity } from "../errors.ts";
import { type CommandRow, hasArity } from "./command_row.ts";
import type { CommandContext } from "./context.ts";

const HELP_SUMMARY = "    Print this help.";

/**
 * Runs the subcommand that argument 1 names, in any case, after its arity was checked. `rows` are named
 * `container|subcommand` and count the container's name in their arity.
 */
export function runSubcommand(
  c: CommandContext,
  container: string,
  rows: readonly CommandRow[],
): void {
  const asked = `${container}|${c.argText(1).toLowerCase()}`;
  const row = rows.find((each) => each.name === asked);
  if (row !== undefined) {
    if (hasArity(row, c.argCount)) row.run(c);
    else c.reply.error(wrongArity(row.name));
  } else if (!c.argIs(1, "HELP")) {
    c.reply.error(unknownSubcommand(c.argText(1), container.toUpperCase()));
  } else if (c.argCount !== 2) c.reply.error(wrongArity(`${container}|help`));
  else replyHelp(c, container, rows);
}

/** Lines in the shape of Redis's: a heading, then each subcommand with what it does, indented. */
function replyHelp(
  c: CommandContext,
  container: string,
  rows: readonly CommandRow[],
): void {
  const lines = [
    `${container.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
  ];
  for (const row of rows) {
    lines.push(row.name.slice(container.length + 1).toUpperCase(), `    ${row.summary}.`);
  }
  lines.push("HELP", HELP_SUMMARY);
  c.reply.array(lines.length);
  for (const line of lines) c.reply.status(line);
}
