// The table of commands: every row, and the look-up of a row by name; what rows do is theirs.
import { BITFIELD_ROWS } from "./bitfield.ts";
import { BIT_ROWS } from "./bits.ts";
import { BITOP_ROWS } from "./bitop.ts";
import { catalogRows } from "./catalog.ts";
import { CLIENT_ROWS, CLIENT_SUBCOMMANDS } from "./client_commands.ts";
import { type CommandRow, KEYLESS } from "./command_row.ts";
import { CONFIG_ROWS, CONFIG_SUBCOMMANDS } from "./config_commands.ts";
import { CONNECTION_ROWS } from "./connection.ts";
import { COUNTER_ROWS } from "./counters.ts";
import { DUMP_ROWS } from "./dump.ts";
import { EXPIRY_ROWS, EXPIRY_SUBCOMMANDS } from "./expiry_commands.ts";
import { KEY_MOVE_ROWS } from "./key_moves.ts";
import { MEMORY_SUBCOMMANDS, OBJECT_ROWS, OBJECT_SUBCOMMANDS } from "./object_commands.ts";
import { HASH_COUNTER_ROWS } from "./hash_counters.ts";
import { HASH_EXPIRY_ROWS } from "./hash_expiry.ts";
import { HASH_SCAN_ROWS } from "./hash_scan.ts";
import { HASH_ROWS } from "./hashes.ts";
import { LATENCY_ROWS, LATENCY_SUBCOMMANDS } from "./latency_commands.ts";
import { LCS_ROWS } from "./lcs.ts";
import { KEY_ROWS } from "./keys.ts";
import { PERSISTENCE_ROWS } from "./persistence_commands.ts";
import { MONITOR_ROWS } from "./monitor_command.ts";
import { SCAN_ROWS } from "./scan.ts";
import { SERVER_ROWS } from "./server_commands.ts";
import { SLOW_LOG_ROWS, SLOW_LOG_SUBCOMMANDS } from "./slow_log_commands.ts";
import { STANDALONE_ROWS, STANDALONE_SUBCOMMANDS } from "./standalone_commands.ts";
import { STRING_RANGE_ROWS } from "./string_ranges.ts";
import { STRING_ROWS } from "./strings.ts";
import { TRANSACTION_ROWS } from "./transaction_commands.ts";

/** Finds the index of a row in `ROWS`. */
export { CommandLookup } from "./command_lookup.ts";

const catalog = catalogRows(() => ({ rows: ROWS, subcommands: SUBCOMMANDS }));

/**
 * What every row has, in one order: rows that differ in it would be objects of different shapes, and reading
 * their fields slow for every command.
 */
const ROW_SHAPE = {
  name: "",
  arity: 0,
  kind: KEYLESS,
  flags: 0,
  firstKey: 0,
  lastKey: 0,
  keyStep: 0,
  valueArgument: 0,
  run: () => {},
} as const;

/** All commands; a row's index is what `CommandLookup` finds. */
export const ROWS: readonly CommandRow[] = ([
  ...STRING_ROWS,
  ...COUNTER_ROWS,
  ...STRING_RANGE_ROWS,
  ...LCS_ROWS,
  ...BIT_ROWS,
  ...BITOP_ROWS,
  ...BITFIELD_ROWS,
  ...HASH_ROWS,
  ...HASH_COUNTER_ROWS,
  ...HASH_EXPIRY_ROWS,
  ...HASH_SCAN_ROWS,
  ...KEY_ROWS,
  ...KEY_MOVE_ROWS,
  ...EXPIRY_ROWS,
  ...OBJECT_ROWS,
  ...DUMP_ROWS,
  ...SCAN_ROWS,
  ...CONNECTION_ROWS,
  ...TRANSACTION_ROWS,
  ...CLIENT_ROWS,
  ...CONFIG_ROWS,
  ...SERVER_ROWS,
  ...PERSISTENCE_ROWS,
  ...SLOW_LOG_ROWS,
  ...LATENCY_ROWS,
  ...MONITOR_ROWS,
  ...STANDALONE_ROWS,
  catalog.row,
] as CommandRow[]).map((row) => ({ ...ROW_SHAPE, ...row }));

/** Rows of subcommands by the name of their container; its row runs them. */
export const SUBCOMMANDS: ReadonlyMap<string, readonly CommandRow[]> = new Map([
  ["client", CLIENT_SUBCOMMANDS],
  ["config", CONFIG_SUBCOMMANDS],
  ["object", OBJECT_SUBCOMMANDS],
  ["memory", MEMORY_SUBCOMMANDS],
  ["slowlog", SLOW_LOG_SUBCOMMANDS],
  ["latency", LATENCY_SUBCOMMANDS],
  ["expiry", EXPIRY_SUBCOMMANDS],
  ...STANDALONE_SUBCOMMANDS,
  ["command", catalog.subcommands],
]);
