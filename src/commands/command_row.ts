// The shape of a row of the command table: what a command is called, takes, touches, and what runs it.
import type { CommandContext } from "./context.ts";

/** How the engine runs a command: what it locks for it, and what of it runs how often. */
export const KEYLESS = 0;
/** Reads one key; runs without lock and perhaps more than once, so it only reads and replies. */
export const READ = 1;
/** Changes one key; runs once under its shard's lock (again after memory was made, see `put()`). */
export const CHANGE = 2;
/** Reads several keys, `each()` per key; atomic in groups of `KEYS_PER_GROUP`. */
export const READ_EACH = 3;
/** Changes several keys, `each()` per key; atomic in groups of `KEYS_PER_GROUP`. */
export const CHANGE_EACH = 4;
/** Changes several keys at once, with all their shards locked. */
export const CHANGE_ALL = 5;
export type Kind =
  | typeof KEYLESS
  | typeof READ
  | typeof CHANGE
  | typeof READ_EACH
  | typeof CHANGE_EACH
  | typeof CHANGE_ALL;

/** Allowed before AUTH. */
export const NO_AUTH = 1;
/** May need memory: refused when there is none. */
export const DENY_OOM = 2;
/** Answered while the server is still loading. */
export const LOADING = 4;
/** Takes a time that grows with its arguments or the number of keys: timed by itself. */
export const SLOW = 8;
/** For administrators. */
export const ADMIN = 16;

/** Appends to a value: a large result is built outside the lock when the handler asks for it. */
export const APPENDS = 32;

/** Asks other threads and replies later: EXEC asks before it takes its locks. */
export const ASKS = 64;

/** Not let into a transaction. */
export const NO_MULTI = 128;

/** Stores what its first key holds elsewhere, which is told to the log as a whole, however long it is. */
export const COPIES = 256;

/** The field that argument 2 names. */
export const ONE_FIELD = 1;
export const ALL_FIELDS = 2;

export type CommandGroup =
  | "string"
  | "bitmap"
  | "hash"
  | "generic"
  | "connection"
  | "server"
  | "cluster"
  | "transactions";

export interface CommandRow {
  /** Lower case; `command|subcommand` for one that a container holds. */
  readonly name: string;
  /** Arguments with the name counted; below 0: at least that many. */
  readonly arity: number;
  readonly kind: Kind;
  readonly flags: number;
  /** Key specification: first and last key (below 0: from the end) and the step between; 0,0,0: none. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  /** Argument that is stored as a value and may be large; 0: none; −1: every second one, from 2. */
  readonly valueArgument: number;
  /** What of the hash at argument 1 is loaded ahead with it: ONE_FIELD or ALL_FIELDS. */
  readonly loadsAhead?: typeof ONE_FIELD | typeof ALL_FIELDS;
  readonly group: CommandGroup;
  /** Version of Redis that has it since; of mayfly for its own. */
  readonly since: string;
  readonly summary: string;
  /** Replies; for the kinds `*_EACH` it runs last, after all keys. */
  readonly run: (c: CommandContext) => void;
  /** For CHANGE_ALL: runs before the locks are taken, and may name a key of another database; false: it replied. */
  readonly prepare?: (c: CommandContext) => boolean;
  /** For the kinds `*_EACH`: runs first, with the number of keys. */
  readonly begin?: (c: CommandContext, keys: number) => void;
  /** For the kinds `*_EACH`: runs for the key at argument `index`. */
  readonly each?: (c: CommandContext, index: number) => void;
}

const WRITES_WITHOUT_KEY: ReadonlySet<string> = new Set(["flushdb", "flushall", "swapdb"]);

/** Whether the command may change entries, so that its effects are logged. */
export function isWrite({ kind, name }: CommandRow): boolean {
  return kind === CHANGE || kind === CHANGE_EACH || kind === CHANGE_ALL ||
    WRITES_WITHOUT_KEY.has(name);
}

/** Whether so many arguments, the name counted, are right for the command. */
export function hasArity({ arity }: Pick<CommandRow, "arity">, argCount: number): boolean {
  return arity > 0 ? argCount === arity : argCount >= -arity;
}

/** Index of the last key among `argCount` arguments, the name counted. */
export function lastKeyOf({ lastKey }: CommandRow, argCount: number): number {
  return lastKey < 0 ? argCount + lastKey : Math.min(lastKey, argCount - 1);
}
