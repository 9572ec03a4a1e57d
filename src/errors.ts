// Texts of errors that clients see, code first, as Redis 7.0 words them.

export const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
export const NOT_AN_INTEGER = "ERR value is not an integer or out of range";
export const NO_OVERFLOW = "ERR increment or decrement would overflow";
export const SYNTAX = "ERR syntax error";
export const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
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

export function valueTooLong(bytes: number, bytesMax: number): string {
  return `ERR value is too long: ${bytes} bytes, at most ${bytesMax}`;
}

export const DECREMENT_OVERFLOW = "ERR decrement would overflow";
export const NOT_AUTHENTICATED_HELLO =
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time";
export const NO_SUCH_CLIENT = "ERR No such client";
export const BAD_CLIENT_NAME =
  "ERR Client names cannot contain spaces, newlines or special characters.";
