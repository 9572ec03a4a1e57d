// What a server without replicas, cluster, scripts and modules answers to commands about them.
import { CLUSTER_DISABLED, DEBUG_REFUSED, SYNTAX, wrongSubcommand } from "../errors.ts";
import { TYPE_HASH } from "../store/store.ts";
import { REDIS_VERSION, VERSION } from "../version.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import { runSubcommand } from "./container.ts";
import type { CommandContext } from "./context.ts";
import { debugProtocol } from "./debug_protocol.ts";
import { idleS } from "./entry_clock.ts";
import { NO_KEY } from "./row_parts.ts";

/** A worker that does nothing for longer would be taken for dead. */
const SLEEP_S_MAX = 20;

/** ROLE */
function role(c: CommandContext): void {
  c.reply.array(3);
  c.reply.bulkText("master");
  c.reply.integer(0);
  c.reply.array(0);
}

function clusterDisabled(c: CommandContext): void {
  c.reply.error(CLUSTER_DISABLED);
}

/** FUNCTION FLUSH [ASYNC | SYNC], SCRIPT FLUSH [ASYNC | SYNC]: there is nothing to empty. */
function flushNothing(refusal: string): (c: CommandContext) => void {
  return (c) => {
    if (c.argCount === 2 || (c.argCount === 3 && (c.argIs(2, "ASYNC") || c.argIs(2, "SYNC")))) {
      c.reply.ok();
    } else c.reply.error(`ERR ${refusal} SYNC|ASYNC option`);
  };
}

/** FUNCTION FLUSH [ASYNC | SYNC] */
function functionFlush(c: CommandContext): void {
  if (c.argCount > 3) c.reply.error(wrongSubcommand("FUNCTION", c.argText(1)));
  else flushNothing("FUNCTION FLUSH only supports")(c);
}

/** SCRIPT EXISTS sha1 [sha1 ...] */
function scriptExists(c: CommandContext): void {
  c.reply.array(c.argCount - 2);
  for (let i = 2; i < c.argCount; i++) c.reply.integer(0);
}

/** FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE] */
function functionList(c: CommandContext): void {
  for (let i = 2; i < c.argCount; i++) {
    if (c.argIs(i, "WITHCODE")) continue;
    if (!c.argIs(i, "LIBRARYNAME")) return c.reply.error(`ERR Unknown argument ${c.argText(i)}`);
    if (++i === c.argCount) return c.reply.error("ERR library name argument was not given");
  }
  c.reply.array(0);
}

/** LOLWUT [VERSION version]: the wings of a mayfly, by a rule of Wolfram's, from the time of day. */
function lolwut(c: CommandContext): void {
  if (c.argCount > 1 && c.argIs(1, "VERSION") && c.argCount >= 3) {
    const version = c.argInteger(2);
    if (version !== version) return c.failNotInteger();
  }
  c.reply.verbatim(
    `${wings(Math.floor(c.nowMs / 1000))}\nRedis ver. ${REDIS_VERSION}, mayfly ${VERSION}\n`,
  );
}

function wings(seed: number): string {
  const width = 33, rows = 12, rule = [30, 90, 110, 150][seed % 4];
  let cells = Array.from(
    { length: width },
    (_, i) => i === width - 1 ? 1 : (seed >> (i % 16)) & i & 1,
  );
  const lines: string[] = [];
  for (let row = 0; row < rows; row++) {
    const half = cells.map((cell, i) => cell === 1 && i > row ? ":" : " ").join("");
    lines.push(`${half}|${[...half].reverse().join("")}`.trimEnd());
    cells = cells.map((cell, i) =>
      (rule >> (((cells[i - 1] ?? 0) << 2) | (cell << 1) | (cells[i + 1] ?? 0))) & 1
    );
  }
  return `${lines.join("\n")}\n`;
}

/** Whether DEBUG is there for the client. */
export function isDebugAllowed({ services, session }: CommandContext): boolean {
  const { enablesDebug } = services.config;
  return enablesDebug === "yes" || (enablesDebug === "local" && services.isLocal(session.address));
}

/** DEBUG, for those who asked for it at the start. */
function debug(c: CommandContext): void {
  if (!isDebugAllowed(c)) c.reply.error(DEBUG_REFUSED);
  else runSubcommand(c, "debug", DEBUG_SUBCOMMANDS);
}

/** DEBUG SLEEP seconds: this worker stands still, with all its clients. */
function sleep(c: CommandContext): void {
  const seconds = Number(c.argText(2));
  if (!(seconds >= 0)) return c.reply.error("ERR value is not a valid float");
  const word = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(word, 0, 0, Math.min(seconds, SLEEP_S_MAX) * 1000);
  c.reply.ok();
}

/** DEBUG SET-ACTIVE-EXPIRE 0 | 1: whether what has expired is removed before anybody asks for it. */
function setActiveExpire(c: CommandContext): void {
  const value = c.argInteger(2);
  if (value !== 0 && value !== 1) return c.reply.error(SYNTAX);
  c.services.settings.isActiveExpire = value === 1;
  c.reply.ok();
}

/** DEBUG OBJECT key */
function debugObject(c: CommandContext): void {
  c.peekLocked(2, () => {
    if (c.ref === 0) return c.reply.error("ERR no such key");
    c.reply.status(
      `Value at:0x${(c.ref * 8).toString(16)} refcount:1 encoding:${
        c.type === TYPE_HASH ? "hash" : "raw"
      } serializedlength:${c.valueBytes} ` +
        `lru:${c.store.accessClockOf(c.shard)} lru_seconds_idle:${idleS(c)} ` +
        `shard:${c.shard.number} bytes:${c.store.bytesOf(c.shard, c.ref)}`,
    );
  });
}

const ROW = { kind: R.KEYLESS, flags: R.LOADING, group: "server", ...NO_KEY } as const;
const CLUSTER = { ...ROW, group: "cluster", run: clusterDisabled } as const;

const DEBUG_SUBCOMMANDS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "debug|protocol",
    arity: 3,
    since: "6.0.0",
    summary: "Reply with an example of one kind of reply",
    run: debugProtocol,
  },
  {
    ...ROW,
    flags: R.LOADING | R.NO_MULTI,
    name: "debug|sleep",
    arity: 3,
    since: "1.0.0",
    summary: `Let this worker stand still for some seconds, at most ${SLEEP_S_MAX}`,
    run: sleep,
  },
  {
    ...ROW,
    name: "debug|set-active-expire",
    arity: 3,
    since: "1.0.0",
    summary: "Tell whether expired keys are removed in the background: 0 or 1",
    run: setActiveExpire,
  },
  {
    ...ROW,
    name: "debug|object",
    arity: 3,
    since: "1.0.0",
    summary: "Return where and how the value of a key lies",
    run: debugObject,
  },
];

const NAMED_CLUSTER: readonly (readonly [name: string, arity: number, since: string])[] = [
  ["addslots", -3, "3.0.0"],
  ["addslotsrange", -4, "7.0.0"],
  ["bumpepoch", 2, "3.0.0"],
  ["count-failure-reports", 3, "3.0.0"],
  ["countkeysinslot", 3, "3.0.0"],
  ["delslots", -3, "3.0.0"],
  ["delslotsrange", -4, "7.0.0"],
  ["failover", -2, "3.0.0"],
  ["flushslots", 2, "3.0.0"],
  ["forget", 3, "3.0.0"],
  ["getkeysinslot", 4, "3.0.0"],
  ["info", 2, "3.0.0"],
  ["keyslot", 3, "3.0.0"],
  ["links", 2, "7.0.0"],
  ["meet", -4, "3.0.0"],
  ["myid", 2, "3.0.0"],
  ["nodes", 2, "3.0.0"],
  ["replicas", 3, "5.0.0"],
  ["replicate", 3, "3.0.0"],
  ["reset", -2, "3.0.0"],
  ["saveconfig", 2, "3.0.0"],
  ["set-config-epoch", 3, "3.0.0"],
  ["setslot", -4, "3.0.0"],
  ["shards", 2, "7.0.0"],
  ["slaves", 3, "3.0.0"],
  ["slots", 2, "3.0.0"],
];

const CLUSTER_SUBCOMMANDS: readonly CommandRow[] = NAMED_CLUSTER.map(([name, arity, since]) => ({
  ...CLUSTER,
  name: `cluster|${name}`,
  arity,
  since,
  summary: "Answered with an error: this server is no part of a cluster",
}));

const FUNCTION_SUBCOMMANDS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "function|flush",
    arity: -2,
    since: "7.0.0",
    summary: "Delete all functions, of which there are none",
    run: functionFlush,
  },
  {
    ...ROW,
    name: "function|list",
    arity: -2,
    since: "7.0.0",
    summary: "Return the functions, of which there are none",
    run: functionList,
  },
];

const SCRIPT_SUBCOMMANDS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "script|exists",
    arity: -3,
    since: "2.6.0",
    summary: "Return which scripts are cached, which are none",
    run: scriptExists,
  },
  {
    ...ROW,
    name: "script|flush",
    arity: -2,
    since: "2.6.0",
    summary: "Forget all scripts, of which there are none",
    run: flushNothing("SCRIPT FLUSH only support"),
  },
];

function container(
  name: string,
  since: string,
  summary: string,
  subcommands: readonly CommandRow[],
  group: "server" | "cluster" = "server",
): CommandRow {
  const run = (c: CommandContext) => runSubcommand(c, name, subcommands);
  return { ...ROW, group, name, arity: -2, since, summary, run };
}

export const STANDALONE_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "role",
    arity: 1,
    since: "2.8.12",
    summary: "Tell the role of the server",
    run: role,
  },
  {
    ...ROW,
    name: "lolwut",
    arity: -1,
    since: "5.0.0",
    summary: "Draw something, and tell the version",
    run: lolwut,
  },
  {
    ...ROW,
    flags: R.LOADING | R.ADMIN | R.SLOW,
    name: "debug",
    arity: -2,
    since: "1.0.0",
    summary: "Commands for those who test servers and clients",
    run: debug,
  },
  container("cluster", "3.0.0", "Commands about clusters", CLUSTER_SUBCOMMANDS, "cluster"),
  container("function", "7.0.0", "Commands about functions", FUNCTION_SUBCOMMANDS),
  container("script", "2.6.0", "Commands about scripts", SCRIPT_SUBCOMMANDS),
  ...["readonly", "readwrite", "asking"].map((name) => ({
    ...CLUSTER,
    name,
    arity: 1,
    since: "3.0.0",
    summary: "Answered with an error: this server is no part of a cluster",
  })),
];

export const STANDALONE_SUBCOMMANDS: readonly (readonly [string, readonly CommandRow[]])[] = [
  ["debug", DEBUG_SUBCOMMANDS],
  ["cluster", CLUSTER_SUBCOMMANDS],
  ["function", FUNCTION_SUBCOMMANDS],
  ["script", SCRIPT_SUBCOMMANDS],
];
