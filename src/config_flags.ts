// The one table of command-line flags: name, environment name, default, accepted values, help; it
// reads neither the command line nor the environment, config.ts does.

import {
  ADMISSIONS,
  EVICTION_POLICIES,
  LFU_DECAY_AUTO,
  LFU_DECAY_BY_TURNOVER,
  LFU_LOG_FACTOR_START,
} from "./eviction_policies.ts";
import { COMPRESS_BYTES_MAX, COMPRESS_BYTES_MIN } from "./limits.ts";
import { parseMemorySize } from "./memory_size.ts";
import { parseTtlRules, TTL_RULES_MAX } from "./ttl_rules.ts";

const MIB = 1024 ** 2;
export const MAXMEMORY_BYTES_MIN = 16 * MIB;
export const MAXMEMORY_BYTES_MAX = 1024 ** 4;
export const CLIENTS_MAX_BOUND = 1_000_000;
export const SECONDS_MAX = 2 ** 31 - 1;
export const KEY_BYTES_BOUND = 32_768; // With the longest value beside it, a record still fits a page.
export const VALUE_BYTES_BOUND = 512 * MIB; // Redis's own bound for a string.
export const CLIENT_OUTPUT_BYTES_MIN = MIB;
/** Threads beyond this are a mistake in a flag, not a machine. */
export const WORKERS_MAX = 128;
const HOSTS_MAX = 16;
const ORIGINS_MAX = 64;
/** The system's own bound is 107. */
const UNIX_PATH_BYTES_MAX = 100;
const PASSWORD_CHARACTERS_MAX = 512;

export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

export interface Flag<Value> {
  /** What stands for the value in the help text. */
  readonly placeholder: string;
  /** What is accepted, for the error line. */
  readonly accepts: string;
  /** The value, or `undefined` for a text that is not accepted. */
  readonly parse: (text: string) => Value | undefined;
  /** Text taken when the flag stands without a value; absent: it has to have one. */
  readonly alone?: string;
  /** Text taken when neither flag nor variable is given; `null` means that config.ts decides. */
  readonly fallback: string | null;
  readonly help: string;
  /** Why a well-formed value cannot be had in this build, or `null`. */
  readonly refusal?: (value: Value) => string | null;
  /** It may be given several times; the texts are joined by a blank. */
  readonly isRepeatable?: boolean;
  /** Why the flag must not stand on the command line, where every user of the machine reads it. */
  readonly commandLineRefusal?: string;
}

type Shape<Value> = Pick<Flag<Value>, "placeholder" | "accepts" | "parse">;

/** Redis's bound for both. */
export const LFU_NUMBER_MAX = 2 ** 31 - 1;

function wholeNumber(placeholder: string, min: number, max: number): Shape<number> {
  return {
    placeholder,
    accepts: `a whole number from ${min} to ${max}`,
    parse: (text) => {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** As Redis's `lfu-decay-time`, or the word for what it has not. */
export function parseDecayTime(text: string): number | undefined {
  if (text.toLowerCase() === LFU_DECAY_AUTO) return LFU_DECAY_BY_TURNOVER;
  const minutes = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  return minutes >= 0 && minutes <= LFU_NUMBER_MAX ? minutes : undefined;
}

function memorySize(min: number, max: number, text: string, zeroIsDefault = false): Shape<number> {
  return {
    placeholder: "<size>",
    accepts: `a size ${text}${zeroIsDefault ? ", or 0 for the default" : ""}` +
      ` (bytes, or with a unit: k kb m mb g gb)`,
    parse: (size) => {
      const bytes = parseMemorySize(size);
      if (bytes === null) return undefined;
      return (bytes >= min && bytes <= max) || (zeroIsDefault && bytes === 0) ? bytes : undefined;
    },
  };
}

function oneOf<const Choice extends string>(choices: readonly Choice[]): Shape<Choice> {
  return {
    placeholder: `<${choices.join("|")}>`,
    accepts: choices.length === 2 ? choices.join(" or ") : `one of ${choices.join(", ")}`,
    parse: (text) => choices.find((choice) => choice === text),
  };
}

function parseHosts(text: string): readonly string[] | undefined {
  const hosts = text.split(",").map((host) => host.trim().replace(/^\[(.*)\]$/, "$1"));
  const wellFormed = hosts.every((host) =>
    /^[0-9a-z._-]{1,253}$/i.test(host) || /^[0-9a-f:.]{2,45}$/i.test(host)
  );
  return wellFormed && hosts.length <= HOSTS_MAX ? [...new Set(hosts)] : undefined;
}

/** As a browser writes them: scheme, host, and the port unless it is the scheme's own; in small letters. */
function parseOrigins(text: string): readonly string[] | undefined {
  const origins = text.split(",").map((origin) => origin.trim());
  const wellFormed = origins.every((origin) =>
    origin === "*" || (URL.canParse(origin) && new URL(origin).origin === origin)
  );
  return wellFormed && origins.length <= ORIGINS_MAX ? [...new Set(origins)] : undefined;
}

export const FLAGS = {
  config: {
    placeholder: "<path>",
    accepts: "the path of a file",
    parse: (text: string) => text.includes("\0") ? undefined : text,
    fallback: null,
    help: "file of settings, a line each: name value; flags and variables win over it",
  },
  host: {
    placeholder: "<addresses>",
    accepts: `one to ${HOSTS_MAX} addresses or names, parted by commas`,
    parse: parseHosts,
    fallback: "127.0.0.1,::1",
    help: "addresses to listen on; a family that the machine lacks is skipped",
  },
  port: {
    ...wholeNumber("<number>", 0, 65_535),
    fallback: "6379",
    help: "TCP port; 0 takes a free one and logs it",
  },
  workers: {
    ...wholeNumber("<count>", 1, WORKERS_MAX),
    fallback: null,
    help: "serving threads (default: one less than the cores, at least 1)",
  },
  maxmemory: {
    ...memorySize(MAXMEMORY_BYTES_MIN, MAXMEMORY_BYTES_MAX, "from 16mb to 1024gb", true),
    fallback: "0",
    help: "memory for entries; 0 is half of what the machine or its cgroup grants",
  },
  "maxmemory-policy": {
    ...oneOf(EVICTION_POLICIES),
    fallback: "allkeys-lru",
    help: "what goes when memory is full; noeviction refuses writes",
  },
  admission: {
    ...oneOf(ADMISSIONS),
    fallback: "none",
    help: "tinylfu: a new entry stays only if it is used more often than what would go for it",
  },
  "lfu-log-factor": {
    ...wholeNumber("<factor>", 0, LFU_NUMBER_MAX),
    fallback: String(LFU_LOG_FACTOR_START),
    help: "how slowly counts of uses grow under *-lfu policies",
  },
  "lfu-decay-time": {
    placeholder: "<minutes|auto>",
    accepts: `a whole number from 0 to ${LFU_NUMBER_MAX}, or ${LFU_DECAY_AUTO}`,
    parse: parseDecayTime,
    fallback: LFU_DECAY_AUTO,
    help: "after how long without use such a count loses one, 0 is never; auto: by the turnover",
  },
  "default-ttl": {
    ...wholeNumber("<seconds>", 0, SECONDS_MAX),
    fallback: "0",
    help: "time to live of keys that are stored without one; 0 is for ever",
  },
  "ttl-rule": {
    placeholder: "<prefix*=seconds>",
    accepts: `up to ${TTL_RULES_MAX} rules such as features:*=3600, each prefix once`,
    parse: parseTtlRules,
    fallback: null,
    isRepeatable: true,
    help: "the same for keys with a prefix, the longest one counts; may be given several times",
  },
  "ttl-jitter": {
    ...wholeNumber("<percent>", 0, 100),
    fallback: "0",
    help: "shorten each time to live by a random part, up to so much, against expiry storms",
  },
  "active-expire-effort": {
    ...wholeNumber("<effort>", 1, 10),
    fallback: "1",
    help: "how much of a busy worker's time may go into removing expired keys",
  },
  "compress-min-bytes": {
    ...memorySize(COMPRESS_BYTES_MIN, COMPRESS_BYTES_MAX, "from 512 to 64kb", true),
    fallback: "0",
    help:
      "compress values from this length up to 64kb, where that wins an eighth; 0 compresses none",
  },
  "max-clients": {
    ...wholeNumber("<count>", 1, CLIENTS_MAX_BOUND),
    fallback: "10000",
    help: "connections at the same time, over all workers",
  },
  "max-key-bytes": {
    ...wholeNumber("<bytes>", 1, KEY_BYTES_BOUND),
    fallback: "32768",
    help: `longest key, at most ${KEY_BYTES_BOUND}`,
  },
  "max-value-bytes": {
    ...memorySize(1, VALUE_BYTES_BOUND, "from 1 to 512mb"),
    fallback: "64mb",
    help: "longest value, at most 512mb",
  },
  "idle-timeout": {
    ...wholeNumber("<seconds>", 0, SECONDS_MAX),
    fallback: "0",
    help: "close a connection that has been silent for so long; 0 is never",
  },
  "client-output-bytes-max": {
    ...memorySize(CLIENT_OUTPUT_BYTES_MIN, 1024 ** 4, "from 1mb to 1024gb"),
    fallback: "256mb",
    help: "disconnect a client that leaves more replies than this unread",
  },
  "write-timeout": {
    ...wholeNumber("<seconds>", 1, 86_400),
    fallback: "60",
    help: "disconnect a client that takes no byte of a reply for so long",
  },
  requirepass: {
    placeholder: "<password>",
    accepts: `1 to ${PASSWORD_CHARACTERS_MAX} characters on one line`,
    parse: (text: string) => isPassword(text) ? text : undefined,
    fallback: null,
    help: "password for AUTH; from the environment only, a command line shows in ps",
    commandLineRefusal:
      "is refused on the command line, which every user sees in ps: use MAYFLY_REQUIREPASS or --requirepass-file",
  },
  "requirepass-file": {
    placeholder: "<path>",
    accepts: "the path of a file that holds the password",
    parse: (text: string) => text.includes("\0") ? undefined : text,
    fallback: null,
    help: "file that holds the password for AUTH, - is standard input",
  },
  "protected-mode": {
    ...oneOf(["yes", "no"]),
    fallback: "yes",
    help: "refuse remote clients while there is no password",
  },
  "inline-reply": {
    ...oneOf(["auto", "resp", "text"]),
    fallback: "auto",
    help: "answer to a line that is not RESP: by its line ending, always RESP, always text",
  },
  "text-dialect": {
    ...oneOf(["mem-kv", "hld"]),
    fallback: "mem-kv",
    help: "words of a miss and an error in text; hld takes keys and values of 256 bytes at most",
  },
  "unix-socket": {
    placeholder: "<path>",
    accepts: "a path of at most 100 bytes",
    parse: (text: string) =>
      text.includes("\0") || new TextEncoder().encode(text).length > UNIX_PATH_BYTES_MAX
        ? undefined
        : text,
    fallback: null,
    help: "listen on this unix socket too; worker 0 serves it",
  },
  "unix-socket-perm": {
    placeholder: "<mode>",
    accepts: "an octal mode such as 700",
    parse: (text: string) => /^[0-7]{3,4}$/.test(text) ? parseInt(text, 8) : undefined,
    fallback: null,
    help: "who may use the unix socket; without it as the umask says",
  },
  "enable-debug-command": {
    ...oneOf(["no", "local", "yes"]),
    fallback: "no",
    help: "allow DEBUG to nobody, to clients of this machine, to all",
  },
  "log-level": { ...oneOf(LOG_LEVELS), fallback: "info", help: "least level that is logged" },
  "log-format": {
    ...oneOf(["text", "json"]),
    fallback: "text",
    help: "log lines on standard error, for people or for machines",
  },
  "http-port": {
    placeholder: "<number|off>",
    accepts: "a whole number from 0 to 65535, or off",
    parse: (text: string) => text === "off" ? text : wholeNumber("<number>", 0, 65_535).parse(text),
    fallback: "7171",
    help: "port for HTTP and WebSocket; 0 takes a free one and logs it, off serves no HTTP",
  },
  "http-cors": {
    placeholder: "<origins>",
    accepts:
      `one to ${ORIGINS_MAX} origins such as https://app.example.org, parted by commas, or *`,
    parse: parseOrigins,
    fallback: null,
    help: "browser pages of these origins may use HTTP; without it only those of the server itself",
  },
  "dashboard-readonly": {
    ...oneOf(["no", "yes"]),
    placeholder: "[yes|no]",
    alone: "yes",
    fallback: "no",
    help: "leave the browser of keys out of the page at /",
  },
  "data-dir": {
    placeholder: "<path>",
    accepts: "the path of a directory",
    parse: (text: string) => text.includes("\0") ? undefined : text,
    fallback: "./data",
    help: "directory for log and snapshots; one server at a time",
  },
  persistence: {
    ...oneOf(["on", "off"]),
    fallback: "on",
    help: "keep entries over a restart",
  },
  fsync: {
    ...oneOf(["always", "interval", "never"]),
    fallback: "interval",
    help: "sync the log before each reply, at intervals, or when the system likes",
  },
  "fsync-interval-ms": {
    ...wholeNumber("<ms>", 1, 10_000),
    fallback: "100",
    help: "time between two syncs under --fsync interval: what a power cut may cost",
  },
} as const;

export type FlagName = keyof typeof FLAGS;
export const FLAG_NAMES = Object.keys(FLAGS) as readonly FlagName[];

/** `MAYFLY_MAX_KEY_BYTES` for `max-key-bytes`. */
export function environmentName(flagName: FlagName): string {
  return `MAYFLY_${flagName.toUpperCase().replaceAll("-", "_")}`;
}

/** True for a text that AUTH can carry as a password: 1 to 512 characters, none a line end or NUL. */
export function isPassword(text: string): boolean {
  return text.length >= 1 && text.length <= PASSWORD_CHARACTERS_MAX && !/[\r\n\0]/.test(text);
}
