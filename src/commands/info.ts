// INFO: the server in sections of `name:value` lines, with Redis's names where they mean the same.
import { DATABASES, type Store } from "../store/store.ts";
import { ADMISSIONS, EVICTION_POLICIES } from "../eviction_policies.ts";
import { REDIS_VERSION, VERSION } from "../version.ts";
import { ProcessState } from "../settings.ts";
import type { CommandContext } from "./context.ts";
import type { Services } from "./services.ts";
import { FSYNC_NAMES, type LogNumber } from "../log/log_board.ts";
import { type ExpiryNumbers, expiryNumbers } from "./expiry_numbers.ts";
import { lastSaveS } from "./persistence_commands.ts";
import { namespaceNumbers } from "./collect.ts";
import { perWorker } from "./stats.ts";

/** Name and value of one line; a value holds no line end. */
export type InfoLine = readonly [name: string, value: string | number];

interface Source {
  readonly services: Services;
  readonly store: Store;
  readonly nowMs: number;
}

const RATE_INTERVAL_MS_MIN = 100;

/** Sections in the order in which they are told, by their titles. */
const SECTIONS: Readonly<Record<string, (source: Source) => InfoLine[]>> = {
  Server: serverLines,
  Clients: clientLines,
  Memory: memoryLines,
  // Client libraries look for `loading` and `role` before they send anything.
  Persistence: persistenceLines,
  Stats: statsLines,
  Expiry: expirySettingLines,
  Replication: replicationLines,
  CPU: cpuLines,
  Errorstats: ({ services }) =>
    services.metrics.errorKinds().map(([kind, count]) => [`errorstat_${kind}`, `count=${count}`]),
  Commandstats: commandLines,
  Latencystats: latencyLines,
  Namespaces: namespaceLines,
  Cluster: () => [["cluster_enabled", 0]],
  Keyspace: keyspaceLines,
};
export const SECTION_TITLES: readonly string[] = Object.keys(SECTIONS);
/** Long ones, which are told only if asked for. */
const ON_DEMAND: ReadonlySet<string> = new Set(["Commandstats", "Latencystats", "Namespaces"]);
const ASKS_ALL = /^(?:all|everything)$/;

/** INFO [section ...] */
export function replyInfo(c: CommandContext): void {
  const asked: string[] = [];
  for (let i = 1; i < c.argCount; i++) asked.push(c.argText(i));
  const source = { services: c.services, store: c.store, nowMs: c.nowMs };
  const titles = wantedTitles(asked);
  c.reply.verbatim(infoText(titles.map((title) => [title, SECTIONS[title](source)])));
}

/** The sections that the words ask for, in any case: none asks for the usual ones, unknown ones for nothing. */
export function wantedTitles(asked: readonly string[]): string[] {
  const words = asked.map((word) => word.toLowerCase());
  if (words.some((word) => ASKS_ALL.test(word))) return [...SECTION_TITLES];
  const asksUsual = words.length === 0 || words.includes("default");
  return SECTION_TITLES.filter((title) =>
    words.includes(title.toLowerCase()) || (asksUsual && !ON_DEMAND.has(title))
  );
}

/** `# Title`, its lines, and an empty line between two sections. */
export function infoText(
  sections: readonly (readonly [title: string, lines: readonly InfoLine[]])[],
): string {
  return sections.map(([title, lines]) =>
    `# ${title}\r\n${lines.map(([name, value]) => `${name}:${value}\r\n`).join("")}`
  ).join("\r\n");
}

/** Bytes as Redis writes them for people: `512B`, `1.50K`, `2.00G`. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let value = bytes / 1024, unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)}${"KMGTP"[unit]}`;
}

function serverLines({ services, nowMs }: Source): InfoLine[] {
  const { config, settings } = services;
  const uptimeS = Math.max(0, Math.floor((nowMs - services.startedAtMs) / 1000));
  return [
    ["redis_version", REDIS_VERSION],
    ["redis_mode", "standalone"],
    ["mayfly_version", VERSION],
    ["os", services.systemName],
    ["arch_bits", 64],
    ["process_id", services.processId],
    ["run_id", services.runId],
    ["tcp_port", config.port],
    ["server_time_usec", Math.floor(nowMs) * 1000],
    ["uptime_in_seconds", uptimeS],
    ["uptime_in_days", Math.floor(uptimeS / 86_400)],
    ["io_threads_active", config.workerCount > 1 ? 1 : 0],
    ["workers", config.workerCount],
    ["log_level", settings.logLevel],
  ];
}

function clientLines({ services }: Source): InfoLine[] {
  const { metrics, settings } = services;
  return [
    ["connected_clients", settings.connectedClients],
    ["maxclients", settings.clientsMax],
    ["blocked_clients", 0],
    ["clients_query_buffer_bytes", metrics.counter("inputBytesNow")],
    ["clients_output_buffer_bytes", metrics.counter("outputBytesNow")],
    ...perWorker(services).map((count, worker): InfoLine => [`worker${worker}_clients`, count]),
  ];
}

function memoryLines({ services, store }: Source): InfoLine[] {
  const { metrics } = services;
  const totals = store.totals(), rssBytes = services.residentBytes();
  const buffers = metrics.counter("inputBytesNow") + metrics.counter("outputBytesNow");
  return [
    ["used_memory", totals.usedBytes],
    ["used_memory_human", humanBytes(totals.usedBytes)],
    ["used_memory_rss", rssBytes],
    ["used_memory_rss_human", humanBytes(rssBytes)],
    ["maxmemory", services.settings.maxmemoryBytes],
    ["maxmemory_human", humanBytes(services.settings.maxmemoryBytes)],
    ["maxmemory_policy", EVICTION_POLICIES[services.settings.evictionPolicy]],
    ["admission", ADMISSIONS[services.settings.admission]],
    [
      "mem_fragmentation_ratio",
      (totals.usedBytes === 0 ? 0 : rssBytes / totals.usedBytes).toFixed(2),
    ],
    ["mem_allocator", "mayfly-slab"],
    ["used_memory_index", totals.indexBytes],
    ["used_memory_pages", totals.pageBytes],
    ["used_memory_free_slots", totals.freeSlotBytes],
    ["free_page_bytes", totals.freePageBytes],
    ["pinned_blocks", totals.pinnedBlocks],
    ["compressed_values", totals.compressedValues],
    ["compressed_saved_bytes", totals.compressedSavedBytes],
    ["records_moved", totals.recordsMoved],
    // Beside used_memory, not in it: buffers of connections, counts of uses, and what the runtime itself takes.
    ["buffers_bytes", buffers],
    ["admission_bytes", totals.admissionBytes],
    [
      "runtime_bytes",
      Math.max(
        0,
        rssBytes - totals.usedBytes - totals.freePageBytes - buffers - totals.admissionBytes,
      ),
    ],
  ];
}

function statsLines({ services, store, nowMs }: Source): InfoLine[] {
  const { metrics } = services;
  const commands = metrics.counter("commands");
  return [
    ["total_connections_received", metrics.counter("connectionsAccepted")],
    ["total_commands_processed", commands],
    ["instantaneous_ops_per_sec", commandRate(commands, nowMs)],
    ["total_net_input_bytes", metrics.counter("bytesIn")],
    ["total_net_output_bytes", metrics.counter("bytesOut")],
    ["rejected_connections", metrics.counter("connectionsRejected")],
    ["expired_keys", store.totals().expired],
    ...expiryLines(expiryNumbers(metrics, store, nowMs)),
    ["evicted_keys", store.totals().evicted],
    ["admission_rejected_keys", store.totals().rejected],
    ["admission_admitted_keys", store.totals().admitted],
    ["keyspace_hits", metrics.counter("hits")],
    ["keyspace_misses", metrics.counter("misses")],
    ["total_error_replies", metrics.counter("errors")],
    ["protocol_errors", metrics.counter("protocolErrors")],
    ["acl_access_denied_auth", metrics.counter("passwordFailures")],
    ["out_of_memory_replies", metrics.counter("outOfMemory")],
    ["client_output_buffer_limit_disconnections", metrics.counter("connectionsDroppedSlow")],
    ["client_idle_disconnections", metrics.counter("connectionsDroppedIdle")],
    ["read_retries", metrics.counter("readRetries")],
    ["read_locks", metrics.counter("readLocks")],
    ["lock_waits", store.shardNumbers().reduce((sum, { lockWaits }) => sum + lockWaits, 0)],
    ["event_loop_lag_ms_max", worstLoopLagMs(services).toFixed(3)],
    ["slow_commands", metrics.counter("slowCommands")],
    ["monitors", metrics.monitors],
    ["monitor_lines_left_out", metrics.counter("monitorLinesLeftOut")],
    ["write_groups", metrics.counter("writeGroups")],
    ["writes_grouped", metrics.counter("writesGrouped")],
  ];
}

function expiryLines({ stalePart, lagMs, sweepMs, slicesCut }: ExpiryNumbers): InfoLine[] {
  return [
    ["expired_stale_perc", (stalePart * 100).toFixed(2)],
    ["expired_time_cap_reached_count", slicesCut],
    ["expire_cycle_cpu_milliseconds", Math.round(sweepMs)],
    ["expiry_lag_ms", Math.round(lagMs)],
  ];
}

/** What decides how long keys live and when they go, and how many go soon: an estimate where there are many. */
function expirySettingLines({ services, store, nowMs }: Source): InfoLine[] {
  const { config, metrics, settings } = services;
  return [
    ["active_expire", settings.isActiveExpire ? 1 : 0],
    ["active_expire_effort", settings.activeExpireEffort],
    ["default_ttl_seconds", settings.defaultTtlS],
    ["ttl_jitter_percent", settings.ttlJitterPercent],
    ["ttl_rules", config.ttlRules.length],
    ...config.ttlRules.map(({ prefix, seconds }, i): InfoLine => [
      `ttl_rule${i}`,
      `prefix=${JSON.stringify(prefix)},seconds=${seconds}`,
    ]),
    ...expiryNumbers(metrics, store, nowMs).forecast.map(({ horizon, keys, bytes }): InfoLine => [
      `expiring_within_${horizon}`,
      `keys=${keys},bytes=${bytes}`,
    ]),
  ];
}

/** Of all workers, in the last second. */
function worstLoopLagMs({ metrics }: Services): number {
  let worst = 0;
  for (let i = 0; i < metrics.workerCount; i++) {
    worst = Math.max(worst, metrics.counterOf("loopLagMsMaxNow", i));
  }
  return worst;
}

/** Redis's names where they mean the same; its RDB is our snapshot, its AOF our log. */
function persistenceLines({ services, nowMs }: Source): InfoLine[] {
  const { ring, settings } = services;
  const isLoading = settings.state === ProcessState.STARTING;
  const of = (name: LogNumber) => ring?.number(name) ?? 0;
  const runningSinceMs = of("snapshotRunningSinceMs");
  const runningS = runningSinceMs === 0 ? -1 : Math.floor((nowMs - runningSinceMs) / 1000);
  const isOk = of("snapshots") === 0 && of("snapshotOk") === 0 && ring?.state === 0 ||
    of("snapshotOk") === 1 || ring === null;
  const unsyncedSinceMs = of("unsyncedSinceMs"), syncs = of("syncs");
  return [
    ["loading", isLoading ? 1 : 0],
    ["async_loading", 0],
    ...isLoading ? [["loading_loaded_perc", of("loadPercent").toFixed(2)] as const] : [],
    // A snapshot covers what lies before its sequence.
    [
      "rdb_changes_since_last_save",
      Math.max(0, of("sequence") - Math.max(0, of("snapshotSequence") - 1)),
    ],
    ["rdb_bgsave_in_progress", runningSinceMs === 0 ? 0 : 1],
    ["rdb_last_save_time", lastSaveS({ services })],
    ["rdb_last_bgsave_status", isOk ? "ok" : "err"],
    ["rdb_last_bgsave_time_sec", of("snapshots") === 0 ? -1 : Math.round(of("snapshotMs") / 1000)],
    ["rdb_current_bgsave_time_sec", runningS],
    ["rdb_saves", of("snapshots")],
    ["rdb_last_load_keys_loaded", of("loadedEntries")],
    ["aof_enabled", ring === null ? 0 : 1],
    ["aof_rewrite_in_progress", runningSinceMs === 0 ? 0 : 1],
    ["aof_rewrite_scheduled", 0],
    ["aof_last_bgrewrite_status", isOk ? "ok" : "err"],
    ["aof_last_write_status", ring === null || !ring.isFailed ? "ok" : "err"],
    ["persistence", ring === null ? "off" : "on"],
    ...ring === null ? [] : [
      ["aof_current_size", of("sizeBytes") + of("segmentBytes")],
      ["aof_base_size", of("snapshotBytes")],
      ["aof_pending_bio_fsync", unsyncedSinceMs === 0 ? 0 : 1],
      ["log_fsync", FSYNC_NAMES[ring.fsync]],
      ["log_sequence", of("sequence")],
      ["log_synced_sequence", of("syncedSequence")],
      ["log_frames", of("frames")],
      ["log_bytes", of("bytes")],
      ["log_syncs", syncs],
      ["log_syncs_in_place", of("syncsInPlace")],
      ["log_sync_usec_avg", syncs === 0 ? 0 : Math.round((of("syncMsTotal") / syncs) * 1000)],
      ["log_sync_usec_last", Math.round(of("syncMsLast") * 1000)],
      [
        "log_unsynced_age_ms",
        unsyncedSinceMs === 0 ? 0 : Math.max(0, Math.round(nowMs - unsyncedSinceMs)),
      ],
      ["log_failures", of("failures")],
      ...ring.isFailed ? [["log_error", ring.reason] as const] : [],
      ["log_load_usec", Math.round(of("loadMs") * 1000)],
      ["log_cut_bytes", of("cutBytes")],
      ["snapshot_sequence", of("snapshotSequence")],
      ["snapshot_bytes", of("snapshotBytes")],
      ["snapshot_entries", of("snapshotEntries")],
      ["snapshot_usec", Math.round(of("snapshotMs") * 1000)],
    ] as InfoLine[],
  ];
}

function replicationLines({ services }: Source): InfoLine[] {
  return [
    ["role", "master"],
    ["connected_slaves", 0],
    ["master_failover_state", "no-failover"],
    ["master_replid", services.runId],
    ["master_replid2", "0".repeat(40)],
    ["master_repl_offset", 0],
    ["second_repl_offset", -1],
    ["repl_backlog_active", 0],
    ["repl_backlog_size", 0],
    ["repl_backlog_first_byte_offset", 0],
    ["repl_backlog_histlen", 0],
  ];
}

/** All threads together; nothing forks, so there are no children. */
function cpuLines({ services }: Source): InfoLine[] {
  const { user, system } = services.cpuSeconds();
  return [
    ["used_cpu_sys", system.toFixed(6)],
    ["used_cpu_user", user.toFixed(6)],
    ["used_cpu_sys_children", "0.000000"],
    ["used_cpu_user_children", "0.000000"],
  ];
}

/** Calls and times of every command that came, subcommands by themselves. */
function commandLines({ services }: Source): InfoLine[] {
  const { commandNames, metrics } = services, lines: InfoLine[] = [];
  commandNames.forEach((name, number) => {
    const totals = metrics.commands.totals(number);
    if (totals === null) return;
    const { calls, failed, rejected, meanNs } = totals, us = meanNs / 1000;
    lines.push([
      `cmdstat_${name}`,
      `calls=${calls},usec=${Math.round(us * calls)},usec_per_call=${us.toFixed(2)},` +
      `rejected_calls=${rejected},failed_calls=${failed}`,
    ]);
  });
  return lines;
}

/** Percentiles of every command that was timed, in µs. */
function latencyLines({ services }: Source): InfoLine[] {
  const { commandNames, metrics } = services, lines: InfoLine[] = [];
  commandNames.forEach((name, number) => {
    const latency = metrics.commands.latency(number);
    if (latency.timed === 0) return;
    const [p50, p99, p999] = [0.5, 0.99, 0.999].map((part) =>
      latency.percentileUs(part).toFixed(3)
    );
    lines.push([`latency_percentiles_usec_${name}`, `p50=${p50},p99=${p99},p99.9=${p999}`]);
  });
  return lines;
}

/** Look-ups, keys and bytes by the part of a key before its first `:`; estimates where there are many. */
function namespaceLines({ services }: Source): InfoLine[] {
  return namespaceNumbers(services).map(({ name, hits, misses, keys, bytes }, i) => [
    `namespace${i}`,
    `name=${JSON.stringify(name)},keys=${keys},bytes=${bytes},hits=${hits},misses=${misses}`,
  ]);
}

function keyspaceLines({ store, services }: Source): InfoLine[] {
  const lines: InfoLine[] = [];
  for (let database = 0; database < DATABASES; database++) {
    const { entries, expiring } = store.entryCounts(services.settings.databaseAt(database));
    if (entries > 0) lines.push([`db${database}`, `keys=${entries},expires=${expiring},avg_ttl=0`]);
  }
  return lines;
}

const rate = { atMs: 0, commands: 0, perSecond: 0 };

/** Commands per second since this worker was last asked: no timer runs for it. */
function commandRate(commands: number, nowMs: number): number {
  const elapsedMs = nowMs - rate.atMs;
  if (elapsedMs >= RATE_INTERVAL_MS_MIN) {
    rate.perSecond = rate.atMs === 0
      ? 0
      : Math.round((commands - rate.commands) * 1000 / elapsedMs);
    rate.atMs = nowMs;
    rate.commands = commands;
  }
  return rate.perSecond;
}
