// Turns command line and environment into a checked Config; it is pure: host facts, arguments and
// variables come in, a value or one line of error goes out, and nothing is read, printed or ended.

import { Argument, Command, CommanderError, Option } from "commander";
import {
  environmentName,
  type Flag,
  FLAG_NAMES,
  type FlagName,
  FLAGS,
  type LogLevel,
  MAXMEMORY_BYTES_MAX,
  MAXMEMORY_BYTES_MIN,
  WORKERS_MAX,
} from "./config_flags.ts";
import { type FileSettings, parseConfigFile } from "./config_file.ts";
import type { Admission, EvictionPolicy } from "./eviction_policies.ts";
import { isLoopback } from "./loopback.ts";
import type { TtlRule } from "./ttl_rules.ts";
import { VERSION } from "./version.ts";

/** What main read from the machine. `memoryBytes`: the cgroup's grant if there is one, else all. */
export interface HostFacts {
  readonly coreCount: number;
  readonly memoryBytes: number;
}

/** Everything that is decided at start. Plain data: it is sent to the workers as it is. */
export interface Config {
  readonly hosts: readonly string[];
  readonly port: number;
  readonly workerCount: number;
  readonly maxmemoryBytes: number;
  readonly evictionPolicy: EvictionPolicy;
  readonly admission: Admission;
  readonly lfuLogFactor: number;
  /** -1: by the cache's turnover. */
  readonly lfuDecayMinutes: number;
  /** What a maxmemory of 0 stands for. */
  readonly maxmemoryDefaultBytes: number;
  /** 0 is for ever. */
  readonly defaultTtlS: number;
  readonly ttlRules: readonly TtlRule[];
  readonly ttlJitterPercent: number;
  readonly activeExpireEffort: number;
  /** 0: no value is compressed. */
  readonly compressMinBytes: number;
  readonly clientsMax: number;
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  /** 0 is never. */
  readonly idleTimeoutS: number;
  readonly clientOutputBytesMax: number;
  readonly writeTimeoutS: number;
  /** Empty: no password. Never shown, logged or told by CONFIG GET. */
  readonly requirepass: string;
  /** Where main is to read the password; `-` is standard input. */
  readonly requirepassFile: string | null;
  /** The file of settings, null if there is none. */
  readonly configPath: string | null;
  readonly protectedMode: boolean;
  /** True if any of the hosts is not a loopback address. */
  readonly listensBeyondLoopback: boolean;
  readonly textDialect: "mem-kv" | "hld";
  /** Path of the unix socket that worker 0 serves, and its mode; null for none, and for the umask's. */
  readonly unixSocket: string | null;
  readonly unixSocketMode: number | null;
  readonly enablesDebug: "no" | "local" | "yes";
  readonly inlineReply: "auto" | "resp" | "text";
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
  /** Null: no HTTP. */
  readonly httpPort: number | null;
  /** Origins whose pages may use HTTP besides the server's own; `*` is any. */
  readonly httpOrigins: readonly string[];
  /** Whether the dashboard shows numbers alone, and no keys. */
  readonly isDashboardReadonly: boolean;
  readonly dataDir: string;
  /** Whether entries are kept over a restart. */
  readonly isPersistent: boolean;
  readonly fsync: "always" | "interval" | "never";
  readonly fsyncIntervalMs: number;
}

/** `print` is the whole text that --help or --version asks for; `error` is one line without a prefix. */
export type ParsedConfig =
  | { readonly ok: Config }
  | { readonly print: string }
  | { readonly error: string };

type Values = { [Name in FlagName]: Exclude<ReturnType<typeof FLAGS[Name]["parse"]>, undefined> };

/** Gives the text of the file that --config names. */
export type ReadFile = (path: string) => { readonly ok: string } | { readonly error: string };

/**
 * Flags win over variables, variables over the file, that over defaults; an empty variable counts as not given.
 */
export function parseConfig(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  facts: HostFacts,
  readFile: ReadFile = () => ({ error: "--config cannot be read here" }),
): ParsedConfig {
  const line = readCommandLine(argv);
  if (!("texts" in line)) return line;
  const path = line.texts.get("config") ?? environment[environmentName("config")] ?? "";
  let file: FileSettings = new Map();
  if (path !== "") {
    const read = readFile(path);
    if ("error" in read) return read;
    const parsed = parseConfigFile(read.ok);
    if ("error" in parsed) return { error: `${quoted(path)}, ${parsed.error}` };
    file = parsed.ok;
  }

  const values: Partial<Record<FlagName, unknown>> = {};
  const given = new Set<FlagName>();
  for (const name of FLAG_NAMES) {
    const flag: Flag<unknown> = FLAGS[name] as Flag<unknown>;
    const fromLine = line.texts.get(name);
    const variable = environmentName(name);
    const fromEnvironment = environment[variable] || undefined;
    const fromFile = file.get(name);
    const text = fromLine ?? fromEnvironment ?? fromFile?.text ?? flag.fallback;
    if (text === null) continue;
    const source = fromLine !== undefined
      ? `--${name}`
      : fromEnvironment !== undefined || fromFile === undefined
      ? variable
      : `${quoted(path)}, line ${fromFile.line}: ${name}`;
    if (fromLine ?? fromEnvironment ?? fromFile) given.add(name);
    if (fromLine !== undefined && flag.commandLineRefusal !== undefined) {
      return { error: `--${name} ${flag.commandLineRefusal}` };
    }
    const value = text === "" ? undefined : flag.parse(text);
    if (value === undefined) {
      const received = name === "requirepass" ? "" : `: received ${quoted(text)}`;
      return { error: `${source} must be ${flag.accepts}${received}` };
    }
    const refusal = flag.refusal?.(value) ?? null;
    if (refusal !== null) return { error: `${source} ${refusal}` };
    values[name] = value;
  }
  if (given.has("requirepass") && given.has("requirepass-file")) {
    return { error: "MAYFLY_REQUIREPASS and --requirepass-file are both given: give one of them" };
  }
  if (values.port === values["http-port"] && values.port !== 0) {
    return { error: `--port and --http-port are both ${values.port}: give two ports` };
  }
  return { ok: toConfig(values as Partial<Values> & DefaultedValues, facts) };
}

type DefaultedValues = Omit<
  Values,
  | "config"
  | "http-cors"
  | "ttl-rule"
  | "unix-socket"
  | "unix-socket-perm"
  | "workers"
  | "requirepass"
  | "requirepass-file"
>;

function toConfig(
  values: Partial<Values> & DefaultedValues,
  facts: HostFacts,
): Config {
  const maxmemoryDefaultBytes = Math.min(
    MAXMEMORY_BYTES_MAX,
    Math.max(MAXMEMORY_BYTES_MIN, Math.floor(facts.memoryBytes / 2)),
  );
  return {
    hosts: values.host,
    port: values.port,
    workerCount: values.workers ?? Math.min(WORKERS_MAX, Math.max(1, facts.coreCount - 1)),
    maxmemoryBytes: values.maxmemory === 0 ? maxmemoryDefaultBytes : values.maxmemory,
    maxmemoryDefaultBytes,
    evictionPolicy: values["maxmemory-policy"],
    admission: values.admission,
    lfuLogFactor: values["lfu-log-factor"],
    lfuDecayMinutes: values["lfu-decay-time"],
    defaultTtlS: values["default-ttl"],
    ttlRules: values["ttl-rule"] ?? [],
    ttlJitterPercent: values["ttl-jitter"],
    activeExpireEffort: values["active-expire-effort"],
    compressMinBytes: values["compress-min-bytes"],
    clientsMax: values["max-clients"],
    keyBytesMax: values["max-key-bytes"],
    valueBytesMax: values["max-value-bytes"],
    idleTimeoutS: values["idle-timeout"],
    clientOutputBytesMax: values["client-output-bytes-max"],
    writeTimeoutS: values["write-timeout"],
    configPath: values.config ?? null,
    requirepass: values.requirepass ?? "",
    requirepassFile: values["requirepass-file"] ?? null,
    protectedMode: values["protected-mode"] === "yes",
    listensBeyondLoopback: !values.host.every(isLoopback),
    inlineReply: values["inline-reply"],
    textDialect: values["text-dialect"],
    unixSocket: values["unix-socket"] ?? null,
    unixSocketMode: values["unix-socket-perm"] ?? null,
    enablesDebug: values["enable-debug-command"],
    logLevel: values["log-level"],
    logFormat: values["log-format"],
    httpPort: values["http-port"] === "off" ? null : values["http-port"],
    httpOrigins: values["http-cors"] ?? [],
    isDashboardReadonly: values["dashboard-readonly"] === "yes",
    dataDir: values["data-dir"],
    isPersistent: values.persistence === "on",
    fsync: values.fsync,
    fsyncIntervalMs: values["fsync-interval-ms"],
  };
}

/** The texts given for each flag, or what to print, or the error in one line. */
function readCommandLine(
  argv: readonly string[],
): { texts: Map<FlagName, string> } | { print: string } | { error: string } {
  let printed = "";
  const program = new Command("mayfly")
    .description(
      "An in-memory key-value cache that speaks the Redis protocol, plain text and HTTP.",
    )
    .addArgument(new Argument("[command]", "what to do").choices(["serve"]).default("serve"))
    .addHelpText(
      "before",
      "Beside serve, the default: mayfly ping, mayfly bench, mayfly wal (each with --help).\n",
    )
    .version(`mayfly ${VERSION}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this text")
    .addHelpText(
      "after",
      "\nA flag on the command line wins over its environment variable, that over the file of --config.",
    )
    .exitOverride()
    // Without these, commander asks the terminal and the environment.
    .configureOutput({
      writeOut: (text) => void (printed += text),
      writeErr: () => {},
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  const options = FLAG_NAMES.map((name) => {
    const { placeholder, help, fallback, isRepeatable, alone } = FLAGS[name] as Flag<unknown>;
    const byDefault = fallback === null || fallback === "0" ? "" : `, default ${fallback}`;
    const option = new Option(
      `--${name} ${placeholder}`,
      `${help} [${environmentName(name)}${byDefault}]`,
    );
    if (isRepeatable === true) {
      option.argParser((text: string, before: string | undefined) =>
        before === undefined ? text : `${before} ${text}`
      );
    }
    if (alone !== undefined) option.preset(alone);
    program.addOption(option);
    return [name, option.attributeName()] as const;
  });
  try {
    program.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? { print: printed } : { error: oneLine(error) };
  }
  const opts = program.opts<Record<string, string | undefined>>();
  const texts = new Map<FlagName, string>();
  for (const [name, attribute] of options) {
    const text = opts[attribute];
    if (text !== undefined) texts.set(name, text);
  }
  return { texts };
}

/** Commander's text in one line, without the value of a mistyped `--requirepas=...`. */
function oneLine(error: CommanderError): string {
  const missing = /option '--([a-z-]+) /.exec(error.message);
  if (error.code === "commander.optionMissingArgument" && missing !== null) {
    const name = missing[1] as FlagName;
    const refusal = (FLAGS[name] as Flag<unknown>).commandLineRefusal;
    return refusal === undefined
      ? `--${name} needs a value: ${FLAGS[name].accepts}`
      : `--${name} ${refusal}`;
  }
  const text = error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ")
    .replace(/'(--?[^'=]*)=[^']*'/, "'$1'");
  if (error.code === "commander.unknownOption" || error.code === "commander.excessArguments") {
    return `${text}; mayfly --help lists the flags`;
  }
  return text;
}

/** Bounded and on one line, whatever was typed. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text);
}
