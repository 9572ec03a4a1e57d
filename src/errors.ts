// Texts of errors that clients see, code first, as Redis 7.0 words them.

export const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
export const NOT_AN_INTEGER = "ERR value is not an integer or out of range";
export const NO_OVERFLOW = "ERR increment or decrement would overflow";
export const SYNTAX = "ERR syntax error";
export const VALUE_DAMAGED = "ERR the compressed value of this key is damaged";
export const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
/** The log cannot be written: Redis's words for its own. */
export function logFailed(reason: string): string {
  return `MISCONF Errors writing to the AOF file: ${reason}`;
}
export const NO_AUTH = "NOAUTH Authentication required.";
export const WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";
export const NO_PASSWORD_SET =
  "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?";
export const NO_PROTOCOL = "NOPROTO unsupported protocol version";
export const LOADING = "LOADING Redis is loading the dataset in memory";
export const CLIENTS_MAX = "ERR max number of clients reached";
export const DATABASE_OUT_OF_RANGE = "ERR DB index is out of range";
export const STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

const NAME_SHOWN_MAX = 128;

/** `ERR wrong number of arguments for 'get' command`. */
export function wrongArity(name: string): string {
  return `ERR wrong number of arguments for '${name}' command`;
}

/** Names the command and the beginning of its arguments, each cut at 128 characters as Redis does. */
export function unknownCommand(name: string, args: readonly string[]): string {
  let shown = "";
  for (const arg of args) {
    if (shown.length >= NAME_SHOWN_MAX) break;
    shown += `'${arg.slice(0, NAME_SHOWN_MAX - shown.length)}' `;
  }
  return `ERR unknown command '${
    name.slice(0, NAME_SHOWN_MAX)
  }', with args beginning with: ${shown}`;
}

export function unknownSubcommand(name: string, container: string): string {
  return `ERR unknown subcommand '${name.slice(0, NAME_SHOWN_MAX)}'. Try ${container} HELP.`;
}

export function invalidExpire(name: string): string {
  return `ERR invalid expire time in '${name}' command`;
}

export function keyTooLong(bytes: number, bytesMax: number): string {
  return `ERR key is too long: ${bytes} bytes, at most ${bytesMax}`;
}

/** A field of a hash and its value lie together in one piece of memory. */
export function hashPairTooLong(bytes: number, bytesMax: number): string {
  return `ERR field and value are too long: ${bytes} bytes together, at most ${bytesMax}`;
}

export const DECREMENT_OVERFLOW = "ERR decrement would overflow";
export const NOT_AUTHENTICATED_HELLO =
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time";
export const NO_SUCH_CLIENT = "ERR No such client";
export const BAD_CLIENT_NAME =
  "ERR Client names cannot contain spaces, newlines or special characters.";
export const FIELD_NOT_AN_INTEGER = "ERR hash value is not an integer";
export const FIELD_NOT_A_FLOAT = "ERR hash value is not a float";
export const INFINITE_INCREMENT = "ERR value is NaN or Infinity";
export const OUT_OF_RANGE = "ERR value is out of range";
export const OUT_OF_LONG_RANGE =
  "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
/** Of the commands for the time to live of fields, as Redis 8 words them. */
export const NEGATIVE_EXPIRE = "ERR invalid expire time, must be >= 0";
export const FIELDS_MISSING =
  "ERR Mandatory argument FIELDS is missing or not at the right position";
export const FIELDS_NOT_COUNTED =
  "ERR The `numfields` parameter must match the number of arguments";
export const NO_FIELDS = "ERR Number of fields must be a positive integer";
export const NOT_A_FLOAT = "ERR value is not a valid float";
export const NOT_FINITE = "ERR increment would produce NaN or Infinity";
export const OFFSET_OUT_OF_RANGE = "ERR offset is out of range";
export const BIT_OFFSET = "ERR bit offset is not an integer or out of range";
export const BIT_VALUE = "ERR bit is not an integer or out of range";
export const BIT_ARGUMENT = "ERR The bit argument must be 1 or 0.";
export const BITOP_NOT_KEYS = "ERR BITOP NOT must be called with a single source key.";
export const BITFIELD_TYPE =
  "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
export const BITFIELD_OVERFLOW = "ERR Invalid OVERFLOW type specified";
export const BITFIELD_READ_ONLY = "ERR BITFIELD_RO only supports the GET subcommand";
export const LCS_NO_STRINGS = "ERR The specified keys must contain string values";
export const LCS_LEN_AND_IDX = "ERR If you want both the length and indexes, please just use IDX.";
export const LCS_TOO_LARGE =
  "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
export const NO_SUCH_KEY = "ERR no such key";
export const SAME_OBJECTS = "ERR source and destination objects are the same";
export const NO_LRU =
  "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
export const NO_LFU =
  "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
export const BUSY_KEY = "BUSYKEY Target key name already exists.";
export const BAD_PAYLOAD = "ERR DUMP payload version or checksum are wrong";
export const BAD_FORMAT = "ERR Bad data format";
export const CLUSTER_DISABLED = "ERR This instance has cluster support disabled";
export const DEBUG_REFUSED =
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.';
export const CACHING_WITHOUT_TRACKING =
  "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled";
export const TRACKING_UNSUPPORTED = "ERR Client tracking is not supported";
export const MAXMEMORY_WHILE_LOADING =
  "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - the server is still loading";
export const NO_CONFIG_FILE = "ERR The server is running without a config file";
export const COMPARISON_TOO_LONG = "ERR IFEQ compares with at most 262144 bytes";
export const TEXT_TOO_LONG = "ERR key or value is longer than 256 bytes";
export const NESTED_MULTI = "ERR MULTI calls can not be nested";
export const WATCH_INSIDE_MULTI = "ERR WATCH inside MULTI is not allowed";
export const EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI";
export const DISCARD_WITHOUT_MULTI = "ERR DISCARD without MULTI";
export const EXEC_ABORTED = "EXECABORT Transaction discarded because of previous errors.";
export const NOT_IN_MULTI = "ERR Command not allowed inside a transaction";
export const MONITOR_IN_MULTI = "ERR MONITOR isn't allowed for DENY BLOCKING client";
export const WATCHED_TOO_MANY = "ERR too many watched keys";

/** EXEC is refused for what one of its commands would be refused for. */
export function execAborted(reason: string): string {
  return `EXECABORT Transaction discarded because of: ${reason}`;
}

export function transactionTooLarge(bytesMax: number): string {
  return `ERR transaction is too large: more than ${bytesMax} bytes are queued`;
}

/** Redis's words where a subcommand that checks its own arguments was given too many or too few. */
export function wrongSubcommand(container: string, subcommand: string): string {
  return `ERR unknown subcommand or wrong number of arguments for '${subcommand}'. Try ${container} HELP.`;
}
