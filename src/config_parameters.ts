// What CONFIG GET and CONFIG SET show and change, under Redis's names and with Redis's error texts;
// it knows settings and start configuration, and nothing of patterns, replies or connections.

import { type Config } from "./config.ts";
import {
  CLIENT_OUTPUT_BYTES_MIN,
  CLIENTS_MAX_BOUND,
  type FlagName,
  LFU_NUMBER_MAX,
  MAXMEMORY_BYTES_MIN,
  parseDecayTime,
  SECONDS_MAX,
} from "./config_flags.ts";
import {
  ADMISSIONS,
  EVICTION_POLICIES,
  LFU_DECAY_AUTO,
  LFU_DECAY_BY_TURNOVER,
} from "./eviction_policies.ts";
import {
  COMPACT_BYTES_MIN,
  COMPACT_PERCENT,
  COMPRESS_BYTES_MAX,
  COMPRESS_BYTES_MIN,
  SLOW_LOG_ENTRIES_MAX,
} from "./limits.ts";
import { parseMemorySize } from "./memory_size.ts";
import { type Settings } from "./settings.ts";
import { formatTtlRules } from "./ttl_rules.ts";

const WITHOUT_LOG = "the server was started with --persistence off";

/** What can be changed of the log while the server runs. */
export interface LogSettings {
  fsync: number;
  intervalMs: number;
  compactBytesMin: number;
  compactPercent: number;
}

/** Redis's words for the policies, in the order of theirs here. */
const FSYNC_REDIS = ["always", "everysec", "no"];
const FSYNC_NAMES = ["always", "interval", "never"];
const FSYNC_NEVER = 2;

export interface Parameter {
  readonly name: string;
  readonly get: () => string;
  /** The value in the flag's own words, for CONFIG REWRITE, where they are not those of `get()`. */
  readonly flagText?: () => string;
  /** The flag of the same setting, if it can change while the server runs. */
  readonly flag?: FlagName;
  /** Applies `text`, or changes nothing and returns why. Absent: fixed at start. */
  readonly set?: (text: string) => string | null;
}

const INT32_MAX = 2 ** 31 - 1;
/** Bits of a record's database number. */
const DATABASE_COUNT = 16;
/** Levels of Redis that have another name here. */
const LEVEL_ALIASES: Readonly<Record<string, string>> = { verbose: "info", notice: "info" };

/**
 * Every parameter, sorted by nothing in particular. `maxmemoryBytesCeiling` is the most that the
 * memory reserved at start can hold; CONFIG SET maxmemory stops there. `log` is null without persistence.
 */
export function listParameters(
  settings: Settings,
  config: Config,
  maxmemoryBytesCeiling: number,
  log: LogSettings | null,
): readonly Parameter[] {
  return [
    {
      name: "maxmemory",
      flag: "maxmemory",
      get: () => String(settings.maxmemoryBytes),
      // 0 is no limit in Redis; here it is the default, as on the command line.
      set: (text) =>
        setMemory(text, MAXMEMORY_BYTES_MIN, maxmemoryBytesCeiling, (bytes) => {
          settings.maxmemoryBytes = bytes === 0
            ? Math.min(config.maxmemoryDefaultBytes, maxmemoryBytesCeiling)
            : bytes;
        }, true),
    },
    {
      name: "maxmemory-policy",
      flag: "maxmemory-policy",
      get: () => EVICTION_POLICIES[settings.evictionPolicy],
      set: (text) => {
        const policy = (EVICTION_POLICIES as readonly string[]).indexOf(text.toLowerCase());
        if (policy < 0) {
          return `argument(s) must be one of the following: ${EVICTION_POLICIES.join(", ")}`;
        }
        settings.evictionPolicy = policy;
        return null;
      },
    },
    {
      name: "admission",
      flag: "admission",
      get: () => ADMISSIONS[settings.admission],
      set: (text) => {
        const admission = (ADMISSIONS as readonly string[]).indexOf(text.toLowerCase());
        if (admission < 0) {
          return `argument(s) must be one of the following: ${ADMISSIONS.join(", ")}`;
        }
        settings.admission = admission;
        return null;
      },
    },
    {
      name: "lfu-log-factor",
      flag: "lfu-log-factor",
      get: () => String(settings.lfuLogFactor),
      set: (text) => setNumber(text, 0, LFU_NUMBER_MAX, (factor) => settings.lfuLogFactor = factor),
    },
    {
      name: "lfu-decay-time",
      flag: "lfu-decay-time",
      get: () => {
        const minutes = settings.lfuDecayMinutes;
        return minutes === LFU_DECAY_BY_TURNOVER ? LFU_DECAY_AUTO : String(minutes);
      },
      set: (text) => {
        const minutes = parseDecayTime(text);
        if (minutes === undefined) {
          return `argument must be between 0 and ${LFU_NUMBER_MAX} inclusive, or ${LFU_DECAY_AUTO}`;
        }
        settings.lfuDecayMinutes = minutes;
        return null;
      },
    },
    {
      name: "maxclients",
      flag: "max-clients",
      get: () => String(settings.clientsMax),
      set: (text) => setNumber(text, 1, CLIENTS_MAX_BOUND, (count) => settings.clientsMax = count),
    },
    {
      name: "timeout",
      flag: "idle-timeout",
      get: () => String(settings.idleTimeoutS),
      set: (text) => setNumber(text, 0, SECONDS_MAX, (s) => settings.idleTimeoutS = s),
    },
    {
      name: "write-timeout",
      flag: "write-timeout",
      get: () => String(settings.writeTimeoutS),
      set: (text) => setNumber(text, 1, 86_400, (s) => settings.writeTimeoutS = s),
    },
    {
      name: "proto-max-bulk-len",
      flag: "max-value-bytes",
      get: () => String(settings.valueBytesMax),
      // The store was laid out for the start's limit: it may shrink, and return there.
      set: (text) =>
        setMemory(text, 1, config.valueBytesMax, (bytes) => settings.valueBytesMax = bytes),
    },
    {
      name: "client-output-bytes-max",
      flag: "client-output-bytes-max",
      get: () => String(settings.clientOutputBytesMax),
      set: (text) =>
        setMemory(text, CLIENT_OUTPUT_BYTES_MIN, 1024 ** 4, (bytes) => {
          settings.clientOutputBytesMax = bytes;
        }),
    },
    {
      name: "loglevel",
      flag: "log-level",
      get: () => settings.logLevel,
      set: (text) => {
        const asked = LEVEL_ALIASES[text.toLowerCase()] ?? text.toLowerCase();
        switch (asked) {
          case "debug":
          case "info":
          case "warning":
          case "error":
            settings.logLevel = asked;
            return null;
        }
        return "argument(s) must be one of the following: " +
          "debug, verbose, info, notice, warning, error";
      },
    },
    {
      name: "slowlog-log-slower-than",
      get: () => String(settings.slowLogSlowerThanUs),
      set: (text) =>
        setNumber(text, -1, Number.MAX_SAFE_INTEGER, (us) => settings.slowLogSlowerThanUs = us),
    },
    {
      name: "slowlog-max-len",
      get: () => String(settings.slowLogEntriesMax),
      set: (text) =>
        setNumber(text, 0, SLOW_LOG_ENTRIES_MAX, (count) => settings.slowLogEntriesMax = count),
    },
    {
      name: "latency-monitor-threshold",
      get: () => String(settings.latencyThresholdMs),
      set: (text) =>
        setNumber(text, 0, Number.MAX_SAFE_INTEGER, (ms) => settings.latencyThresholdMs = ms),
    },
    {
      name: "default-ttl",
      flag: "default-ttl",
      get: () => String(settings.defaultTtlS),
      set: (text) => setNumber(text, 0, SECONDS_MAX, (s) => settings.defaultTtlS = s),
    },
    {
      name: "ttl-jitter",
      flag: "ttl-jitter",
      get: () => String(settings.ttlJitterPercent),
      set: (text) => setNumber(text, 0, 100, (percent) => settings.ttlJitterPercent = percent),
    },
    // Under the name that it has since Redis 7, and the one before.
    ...["listpack", "ziplist"].flatMap((kind): Parameter[] => [
      {
        name: `hash-max-${kind}-entries`,
        get: () => String(settings.hashListpackFieldsMax),
        set: (text) => setNumber(text, 0, INT32_MAX, (n) => settings.hashListpackFieldsMax = n),
      },
      {
        name: `hash-max-${kind}-value`,
        get: () => String(settings.hashListpackBytesMax),
        set: (text) => setMemory(text, 0, INT32_MAX, (n) => settings.hashListpackBytesMax = n),
      },
    ]),
    fixed("ttl-rule", formatTtlRules(config.ttlRules)),
    {
      name: "active-expire-effort",
      flag: "active-expire-effort",
      get: () => String(settings.activeExpireEffort),
      set: (text) => setNumber(text, 1, 10, (effort) => settings.activeExpireEffort = effort),
    },
    {
      name: "compress-min-bytes",
      flag: "compress-min-bytes",
      get: () => String(settings.compressMinBytes),
      set: (text) => {
        const apply = (bytes: number) => settings.compressMinBytes = bytes;
        return setMemory(text, COMPRESS_BYTES_MIN, COMPRESS_BYTES_MAX, apply, true);
      },
    },
    // Times are always kept: they cost nothing that can be measured.
    only("latency-tracking", "yes", "argument(s) must be one of the following: yes"),
    only(
      "latency-tracking-info-percentiles",
      "50 99 99.9",
      "this build tells the percentiles 50 99 99.9",
    ),
    fixed("port", config.port),
    fixed("bind", config.hosts.join(" ")),
    fixed("protected-mode", config.protectedMode ? "yes" : "no"),
    // Nobody is told the password, not even whether there is one.
    fixed("requirepass", ""),
    fixed("databases", DATABASE_COUNT),
    // Snapshots are made as the log grows, not by a schedule.
    only("save", "", "snapshots follow the log's length: use BGSAVE for one now"),
    log === null
      ? only("appendonly", "no", WITHOUT_LOG)
      : only("appendonly", "yes", "persistence is chosen at start: --persistence off"),
    {
      name: "appendfsync",
      flag: "fsync",
      get: () => FSYNC_REDIS[log?.fsync ?? FSYNC_NEVER],
      flagText: () => log === null ? config.fsync : FSYNC_NAMES[log.fsync],
      set: (text) => {
        const name = text.toLowerCase();
        const policy = Math.max(FSYNC_REDIS.indexOf(name), FSYNC_NAMES.indexOf(name));
        if (policy < 0) {
          return "argument(s) must be one of the following: always, everysec, no";
        }
        if (log === null) return WITHOUT_LOG;
        log.fsync = policy;
        return null;
      },
    },
    {
      name: "fsync-interval-ms",
      flag: "fsync-interval-ms",
      get: () => String(log?.intervalMs ?? config.fsyncIntervalMs),
      set: (text) =>
        log === null ? WITHOUT_LOG : setNumber(text, 1, 10_000, (ms) => log.intervalMs = ms),
    },
    {
      name: "auto-aof-rewrite-percentage",
      get: () => String(log?.compactPercent ?? COMPACT_PERCENT),
      set: (text) =>
        log === null
          ? WITHOUT_LOG
          : setNumber(text, 0, 1_000_000, (percent) => log.compactPercent = percent),
    },
    {
      name: "auto-aof-rewrite-min-size",
      get: () => String(log?.compactBytesMin ?? COMPACT_BYTES_MIN),
      set: (text) =>
        log === null
          ? WITHOUT_LOG
          : setMemory(text, 0, 2 ** 50, (bytes) => log.compactBytesMin = bytes),
    },
    fixed("dir", config.dataDir),
    fixed("dbfilename", "snapshot"),
    fixed("appendfilename", "wal"),
    fixed("io-threads", config.workerCount),
    fixed("workers", config.workerCount),
    fixed("max-key-bytes", config.keyBytesMax),
    fixed("inline-reply", config.inlineReply),
    fixed("log-format", config.logFormat),
    fixed("enable-debug-command", config.enablesDebug),
    fixed("text-dialect", config.textDialect),
    fixed("unixsocket", config.unixSocket ?? ""),
    fixed("unixsocketperm", config.unixSocketMode?.toString(8) ?? "0"),
  ];
}

/**
 * CONFIG SET: applies all pairs of name and value or none. Names count in any case. Returns `null`,
 * or Redis's error text without its leading `ERR`.
 */
export function setParameters(
  parameters: readonly Parameter[],
  pairs: readonly (readonly [name: string, value: string])[],
): string | null {
  const chosen: Parameter[] = [];
  for (const [name] of pairs) {
    const parameter = parameters.find((candidate) => candidate.name === name.toLowerCase());
    if (parameter === undefined) {
      return `Unknown option or number of arguments for CONFIG SET - '${name}'`;
    }
    if (parameter.set === undefined) return failed(name, "can't set immutable config");
    if (chosen.includes(parameter)) return failed(name, "duplicate parameter");
    chosen.push(parameter);
  }
  const earlier = chosen.map((parameter) => parameter.get());
  for (let i = 0; i < chosen.length; i++) {
    const reason = chosen[i]!.set!(pairs[i]![1]);
    if (reason === null) continue;
    for (let done = i - 1; done >= 0; done--) chosen[done]!.set!(earlier[done]!);
    return failed(pairs[i]![0], reason);
  }
  return null;
}

function failed(name: string, reason: string): string {
  return `CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;
}

function fixed(name: string, value: string | number): Parameter {
  const text = String(value);
  return { name, get: () => text };
}

/** A parameter that takes the one value which this build can have. */
function only(name: string, value: string, refusal: string): Parameter {
  return { name, get: () => value, set: (text) => text.toLowerCase() === value ? null : refusal };
}

function setNumber(
  text: string,
  min: number,
  max: number,
  apply: (value: number) => void,
): string | null {
  if (!/^-?\d{1,19}$/.test(text)) return "argument couldn't be parsed into an integer";
  return applyWithin(Number(text), min, max, apply);
}

function setMemory(
  text: string,
  min: number,
  max: number,
  apply: (bytes: number) => void,
  zeroIsDefault = false,
): string | null {
  const bytes = parseMemorySize(text);
  if (bytes === null) return "argument must be a memory value";
  if (zeroIsDefault && bytes === 0) {
    apply(0);
    return null;
  }
  return applyWithin(bytes, min, max, apply);
}

function applyWithin(
  value: number,
  min: number,
  max: number,
  apply: (value: number) => void,
): string | null {
  if (value < min || value > max) return `argument must be between ${min} and ${max} inclusive`;
  apply(value);
  return null;
}
