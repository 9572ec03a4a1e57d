// CONFIG and its subcommands: the parameters by Redis's names.
import { setParameters } from "../config_parameters.ts";
import { MAXMEMORY_WHILE_LOADING, NO_CONFIG_FILE, SYNTAX } from "../errors.ts";
import { ProcessState } from "../settings.ts";
import { ADMIN, ASKS, type CommandRow, KEYLESS, LOADING, SLOW } from "./command_row.ts";
import { runSubcommand } from "./container.ts";
import type { CommandContext } from "./context.ts";
import { globMatches, PATTERN_BYTES_MAX } from "./glob.ts";
import { NO_KEY } from "./row_parts.ts";

const encoder = new TextEncoder();

/** CONFIG GET pattern [pattern ...]; a plain name comes back as it was written. */
function get(c: CommandContext): void {
  const patterns: Uint8Array[] = [], plain = new Map<string, string>();
  for (let i = 2; i < c.argCount; i++) {
    if (c.argLength(i) > PATTERN_BYTES_MAX) continue;
    const text = c.argText(i);
    if (/[*?[]/.test(text)) patterns.push(c.argBytes(i));
    else plain.set(text.toLowerCase(), text);
  }
  const chosen = c.services.parameters.filter(({ name }) => {
    const bytes = encoder.encode(name);
    return plain.has(name) || patterns.some((pattern) => globMatches(pattern, bytes, true));
  });
  c.reply.map(chosen.length);
  for (const parameter of chosen) {
    c.reply.bulkText(plain.get(parameter.name) ?? parameter.name);
    c.reply.bulkText(parameter.get());
  }
}

/** CONFIG SET parameter value [parameter value ...], all or none */
function set(c: CommandContext): void {
  if ((c.argCount & 1) !== 0) return c.reply.error(SYNTAX);
  const pairs: [string, string][] = [];
  for (let i = 2; i < c.argCount; i += 2) pairs.push([c.argText(i), c.argText(i + 1)]);
  const { parameters, settings } = c.services;
  // What is loaded may be more than maxmemory until the end: the account has no limit then, and none must be set.
  const isLoading = settings.state === ProcessState.STARTING;
  if (isLoading && pairs.some(([name]) => name.toLowerCase() === "maxmemory")) {
    return c.reply.error(MAXMEMORY_WHILE_LOADING);
  }
  const reason = setParameters(parameters, pairs);
  if (reason !== null) return c.reply.error(`ERR ${reason}`);
  // The store's account is what limits memory; the setting is what was asked for.
  if (!isLoading && c.store.account.limitBytes !== settings.maxmemoryBytes) {
    c.store.account.limitBytes = settings.maxmemoryBytes;
  }
  c.reply.ok();
}

/** CONFIG RESETSTAT */
function resetStatistics(c: CommandContext): void {
  c.park(
    c.services.bus.ask("reset-statistics", null).then(
      () => (reply) => reply.ok(),
      (error: Error) => (reply) => reply.error(`ERR ${error.message}`),
    ),
  );
}

/** CONFIG REWRITE: what may have changed since the start, into the file of --config. */
function rewrite(c: CommandContext): void {
  const { config, parameters, bus } = c.services;
  if (config.configPath === null) return c.reply.error(NO_CONFIG_FILE);
  const values = new Map<string, string>();
  for (const { flag, get, flagText = get } of parameters) {
    if (flag !== undefined) values.set(flag, flagText());
  }
  c.park(
    bus.ask("rewrite-config", values).then(
      () => (reply) => reply.ok(),
      (error: Error) => (reply) => reply.error(`ERR ${error.message}`),
    ),
  );
}

const ROW = {
  kind: KEYLESS,
  flags: LOADING | SLOW | ADMIN,
  group: "server",
  since: "2.0.0",
  ...NO_KEY,
} as const;

export const CONFIG_SUBCOMMANDS: readonly CommandRow[] = [
  {
    ...ROW,
    flags: ROW.flags | ASKS,
    name: "config|resetstat",
    arity: 2,
    summary: "Count from zero again what INFO tells",
    run: resetStatistics,
  },
  {
    ...ROW,
    flags: ROW.flags | ASKS,
    name: "config|rewrite",
    arity: 2,
    since: "2.8.0",
    summary: "Write what was changed into the file that the server was started with",
    run: rewrite,
  },
  {
    ...ROW,
    name: "config|get",
    arity: -3,
    summary: "Return parameters that match the given patterns, and their values",
    run: get,
  },
  {
    ...ROW,
    name: "config|set",
    arity: -4,
    summary: "Set parameters to the given values",
    run: set,
  },
];

export const CONFIG_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "config",
    arity: -2,
    summary: "Commands about the configuration",
    run: (c) => runSubcommand(c, "config", CONFIG_SUBCOMMANDS),
  },
];
