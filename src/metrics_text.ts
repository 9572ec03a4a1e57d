// All numbers of a snapshot as text for Prometheus, in its own format or as OpenMetrics; a pure function.
//
// Names and units as prometheus.io recommends: base units, totals end in `_total`, one name per thing with labels
// for what of it. In OpenMetrics a family of counters is named without that suffix, and the text ends in `# EOF`.
import type { DurationHistogram, LogNumbers, MetricsSnapshot } from "./metrics_snapshot.ts";

export type MetricsFormat = "prometheus" | "openmetrics";

/** The content type of each format. */
export const METRICS_CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** The format that a request's Accept header asks for. */
export function metricsFormat(accept: string | null | undefined): MetricsFormat {
  return accept?.includes("application/openmetrics-text") ? "openmetrics" : "prometheus";
}

type Labels = Readonly<Record<string, string | number>>;
type Value = readonly [labels: Labels, value: number];

interface Family {
  /** Without `_total`, `_info`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram" | "info" | "summary";
  readonly help: string;
  readonly values?: readonly Value[];
  readonly histograms?: readonly (readonly [labels: Labels, histogram: DurationHistogram])[];
  /** Of a summary without quantiles. */
  readonly sums?: readonly (readonly [labels: Labels, sum: number, count: number])[];
}

/** Metrics text of a snapshot; ends in a line end. */
export function metricsText(snapshot: MetricsSnapshot, format: MetricsFormat): string {
  const lines = families(snapshot).flatMap((family) => familyLines(family, format));
  if (format === "openmetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function familyLines(family: Family, format: MetricsFormat): string[] {
  const { name, type, help, values = [], histograms = [], sums = [] } = family;
  if (values.length + histograms.length + sums.length === 0) return [];
  const suffix = type === "counter" ? "_total" : type === "info" ? "_info" : "";
  const isOpen = format === "openmetrics";
  const headName = isOpen ? name : `${name}${suffix}`;
  const headType = type === "info" && !isOpen ? "gauge" : type;
  const unit = /_(seconds|bytes)$/.exec(name)?.[1];
  const lines = [`# HELP ${headName} ${help}`, `# TYPE ${headName} ${headType}`];
  if (isOpen && unit !== undefined) lines.push(`# UNIT ${headName} ${unit}`);
  for (const [labels, value] of values) lines.push(sample(`${name}${suffix}`, labels, value));
  for (const [labels, { edgesS, counts, count, sumS }] of histograms) {
    edgesS.forEach((edge, i) => {
      lines.push(sample(`${name}_bucket`, { ...labels, le: numberText(edge) }, counts[i]));
    });
    lines.push(sample(`${name}_bucket`, { ...labels, le: "+Inf" }, count));
    lines.push(sample(`${name}_sum`, labels, sumS), sample(`${name}_count`, labels, count));
  }
  for (const [labels, sum, count] of sums) {
    lines.push(sample(`${name}_sum`, labels, sum), sample(`${name}_count`, labels, count));
  }
  return lines;
}

function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) =>
    `${label}="${escaped(String(text))}"`
  );
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${numberText(value)}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return String(value);
}

function counter(name: string, help: string, ...values: readonly Value[]): Family {
  return { name, type: "counter", help, values };
}

function gauge(name: string, help: string, ...values: readonly Value[]): Family {
  return { name, type: "gauge", help, values };
}

const ALONE: Labels = {};

function families(s: MetricsSnapshot): Family[] {
  const { memory, connections, workers, shards, namespaces } = s;
  const hitsAndMisses = s.hits + s.misses;
  return [
    {
      name: "mayfly_build",
      type: "info",
      help: "The server's version.",
      values: [[{ version: s.version }, 1]],
    },
    gauge("mayfly_start_time_seconds", "When the server started, since 1970.", [
      ALONE,
      s.startedAtS,
    ]),
    gauge("mayfly_uptime_seconds", "Time since the server started.", [ALONE, s.uptimeS]),
    counter(
      "mayfly_cpu_seconds",
      "Time on processors, all threads.",
      [{ mode: "user" }, s.cpuUserS],
      [{ mode: "system" }, s.cpuSystemS],
    ),
    counter(
      "mayfly_commands",
      "Commands by what became of them; rejected ones were not let run.",
      ...s.commands.flatMap(({ name, ok, failed, rejected }): Value[] => [
        [{ command: name, result: "ok" }, ok],
        [{ command: name, result: "error" }, failed],
        [{ command: name, result: "rejected" }, rejected],
      ]),
    ),
    {
      name: "mayfly_command_duration_seconds",
      type: "histogram",
      help: "Service time of commands; of batches a sample is taken, scaled to all.",
      histograms: s.commands.filter(({ durations }) => durations.count > 0)
        .map(({ name, durations }) => [{ command: name }, durations]),
    },
    counter(
      "mayfly_error_replies",
      "Error replies by their first word.",
      ...s.errorKinds.map(([kind, count]): Value => [{ kind }, count]),
    ),
    counter("mayfly_keyspace_hits", "Look-ups of keys that were there.", [ALONE, s.hits]),
    counter("mayfly_keyspace_misses", "Look-ups of keys that were not there.", [ALONE, s.misses]),
    gauge("mayfly_hit_ratio", "Part of all look-ups that were hits.", [
      ALONE,
      hitsAndMisses === 0 ? 0 : s.hits / hitsAndMisses,
    ]),
    gauge(
      "mayfly_keys",
      "Keys by database.",
      ...s.databases.map(({ number, keys }): Value => [{ db: number }, keys]),
    ),
    gauge(
      "mayfly_expiring_keys",
      "Keys that have a moment at which they expire, by database.",
      ...s.databases.map(({ number, expiring }): Value => [{ db: number }, expiring]),
    ),
    counter("mayfly_expired_keys", "Keys removed because they had expired.", [ALONE, s.expired]),
    ...expiryFamilies(s.expiry),
    counter("mayfly_evicted_keys", "Keys removed to make room.", [ALONE, s.evicted]),
    counter(
      "mayfly_admission_rejected_keys",
      "New keys removed to make room, as used too seldom.",
      [
        ALONE,
        s.rejected,
      ],
    ),
    counter("mayfly_admission_admitted_keys", "New keys in whose place another was removed.", [
      ALONE,
      s.admitted,
    ]),
    gauge("mayfly_admission_bytes", "Memory of the counts of uses, beside that of entries.", [
      ALONE,
      memory.admissionBytes,
    ]),
    gauge("mayfly_compressed_values", "Values that lie compressed.", [
      ALONE,
      memory.compressedValues,
    ]),
    gauge("mayfly_compressed_saved_bytes", "What these values would take more if plain.", [
      ALONE,
      memory.compressedSavedBytes,
    ]),
    gauge("mayfly_memory_used_bytes", "Memory of entries and index.", [ALONE, memory.usedBytes]),
    gauge("mayfly_memory_limit_bytes", "What maxmemory allows.", [ALONE, memory.limitBytes]),
    gauge("mayfly_memory_index_bytes", "Memory of the index.", [ALONE, memory.indexBytes]),
    gauge("mayfly_memory_free_slot_bytes", "Freed room inside pages in use.", [
      ALONE,
      memory.freeSlotBytes,
    ]),
    gauge("mayfly_memory_free_page_bytes", "Pages that were used before and are free.", [
      ALONE,
      memory.freePageBytes,
    ]),
    gauge("mayfly_memory_resident_bytes", "Resident memory of the process.", [
      ALONE,
      memory.rssBytes,
    ]),
    gauge("mayfly_memory_fragmentation_ratio", "Resident memory over memory used.", [
      ALONE,
      memory.usedBytes === 0 ? 0 : memory.rssBytes / memory.usedBytes,
    ]),
    gauge(
      "mayfly_buffer_bytes",
      "Memory of connections' buffers.",
      [{ direction: "in" }, memory.inputBufferBytes],
      [{ direction: "out" }, memory.outputBufferBytes],
    ),
    gauge(
      "mayfly_connections",
      "Connections by the worker that serves them.",
      ...workers.map((worker, i): Value => [{ worker: i }, worker.connections]),
    ),
    gauge("mayfly_connections_limit", "Connections that are allowed.", [ALONE, connections.limit]),
    gauge("mayfly_monitors", "Connections in MONITOR mode.", [ALONE, connections.monitors]),
    counter("mayfly_connections_accepted", "Connections accepted.", [ALONE, connections.accepted]),
    counter("mayfly_connections_rejected", "Connections refused.", [ALONE, connections.rejected]),
    counter(
      "mayfly_connections_dropped",
      "Connections that the server ended.",
      [{ reason: "slow" }, connections.droppedSlow],
      [{ reason: "idle" }, connections.droppedIdle],
    ),
    counter("mayfly_network_received_bytes", "Bytes from clients.", [ALONE, s.receivedBytes]),
    counter("mayfly_network_sent_bytes", "Bytes to clients.", [ALONE, s.sentBytes]),
    counter("mayfly_protocol_errors", "Requests that could not be read.", [
      ALONE,
      s.protocolErrors,
    ]),
    counter("mayfly_out_of_memory_replies", "Writes refused for want of memory.", [
      ALONE,
      s.outOfMemory,
    ]),
    counter("mayfly_password_failures", "Wrong passwords, over all protocols.", [
      ALONE,
      s.passwordFailures,
    ]),
    counter("mayfly_slow_commands", "Commands that went into the slow log.", [
      ALONE,
      s.slowCommands,
    ]),
    counter("mayfly_monitor_lines_left_out", "Lines that MONITOR could not keep up with.", [
      ALONE,
      s.monitorLinesLeftOut,
    ]),
    counter("mayfly_batches", "Batches of commands that were read at once.", [ALONE, s.batches]),
    counter("mayfly_write_groups", "Groups of writes under one hold of a lock.", [
      ALONE,
      s.writeGroups,
    ]),
    counter("mayfly_grouped_writes", "Writes in such groups.", [ALONE, s.writesGrouped]),
    {
      name: "mayfly_event_loop_lag_seconds",
      type: "summary",
      help: "How late the event loop's timers were.",
      sums: workers.map((each, i) => [{ worker: i }, each.loopLagSumS, each.loopLagCount]),
    },
    gauge(
      "mayfly_event_loop_lag_max_seconds",
      "The worst lateness of the event loop in the last second.",
      ...workers.map((worker, i): Value => [{ worker: i }, worker.loopLagMaxS]),
    ),
    counter(
      "mayfly_shard_lock_waits",
      "How often somebody waited for the shard's lock.",
      ...shards.map((shard, i): Value => [{ shard: i }, shard.lockWaits]),
    ),
    counter(
      "mayfly_shard_read_retries",
      "How often a read was repeated because the shard changed.",
      ...shards.map((shard, i): Value => [{ shard: i }, shard.readRetries]),
    ),
    gauge(
      "mayfly_shard_keys",
      "Keys by shard.",
      ...shards.map((shard, i): Value => [{ shard: i }, shard.keys]),
    ),
    gauge(
      "mayfly_shard_page_bytes",
      "Pages in use by shard.",
      ...shards.map((shard, i): Value => [{ shard: i }, shard.pageBytes]),
    ),
    counter(
      "mayfly_namespace_hits",
      "Hits by namespace, the key up to its first colon; estimated, the most frequent ones.",
      ...namespaces.map(({ name, hits }): Value => [{ namespace: name }, hits]),
    ),
    counter(
      "mayfly_namespace_misses",
      "Misses by namespace; estimated.",
      ...namespaces.map(({ name, misses }): Value => [{ namespace: name }, misses]),
    ),
    gauge(
      "mayfly_namespace_keys",
      "Keys by namespace; estimated from a sample where there are many.",
      ...namespaces.map(({ name, keys }): Value => [{ namespace: name }, keys]),
    ),
    gauge(
      "mayfly_namespace_bytes",
      "Memory by namespace; estimated from a sample where there are many.",
      ...namespaces.map(({ name, bytes }): Value => [{ namespace: name }, bytes]),
    ),
    ...s.log === null ? [] : logFamilies(s.log),
  ];
}

function expiryFamilies(expiry: MetricsSnapshot["expiry"]): Family[] {
  return [
    gauge("mayfly_expiry_lag_seconds", "How late the oldest key was removed after it expired.", [
      ALONE,
      expiry.lagS,
    ]),
    gauge("mayfly_expired_stale_ratio", "Part of the keys that expired and wait for removal.", [
      ALONE,
      expiry.stalePart,
    ]),
    counter("mayfly_expiry_sweep_seconds", "Time that went into the removal of expired keys.", [
      ALONE,
      expiry.sweepS,
    ]),
    counter("mayfly_expiry_slices_cut", "Slices of that which ended with work left.", [
      ALONE,
      expiry.slicesCut,
    ]),
    gauge(
      "mayfly_expiring_soon_keys",
      "Keys that expire within so many seconds; estimated from a sample where there are many.",
      ...expiry.forecast.map(({ seconds, keys }): Value => [{ within: seconds }, keys]),
    ),
    gauge(
      "mayfly_expiring_soon_bytes",
      "Memory of keys that expire within so many seconds; estimated likewise.",
      ...expiry.forecast.map(({ seconds, bytes }): Value => [{ within: seconds }, bytes]),
    ),
  ];
}

function logFamilies(log: LogNumbers): Family[] {
  const { snapshotDurationS, snapshotAgeS } = log;
  return [
    counter("mayfly_log_batches", "Batches written to the log.", [ALONE, log.batches]),
    counter("mayfly_log_records", "Records written to the log.", [ALONE, log.records]),
    counter("mayfly_log_written_bytes", "Bytes written to the log.", [ALONE, log.writtenBytes]),
    {
      name: "mayfly_log_fsync_duration_seconds",
      type: "histogram",
      help: "Time that a sync of the log took.",
      histograms: [[ALONE, log.fsyncDurations]],
    },
    gauge("mayfly_log_unsynced_bytes", "Bytes of the log that are not on disk for certain.", [
      ALONE,
      log.unsyncedBytes,
    ]),
    gauge(
      "mayfly_log_unsynced_age_seconds",
      "Age of the oldest change that is not on disk for certain.",
      [
        ALONE,
        log.unsyncedAgeS,
      ],
    ),
    ...snapshotDurationS === null ? [] : [
      gauge("mayfly_snapshot_duration_seconds", "Time that the last snapshot took.", [
        ALONE,
        snapshotDurationS,
      ]),
    ],
    ...snapshotAgeS === null ? [] : [
      gauge("mayfly_snapshot_age_seconds", "Time since the last snapshot was finished.", [
        ALONE,
        snapshotAgeS,
      ]),
    ],
  ];
}
