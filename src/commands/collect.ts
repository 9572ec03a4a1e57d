// Gathers all numbers of the server into one snapshot, from shared memory alone: no worker is stopped or asked.
import { bucketAbove, type Latency } from "../histogram.ts";
import { NAMESPACES_TOLD_MAX } from "../limits.ts";
import type { Counter } from "../metrics.ts";
import type {
  CommandNumbers,
  DurationHistogram,
  LogNumbers,
  MetricsSnapshot,
  NamespaceNumbers,
} from "../metrics_snapshot.ts";
import { CensusBoard } from "../namespace_census.ts";
import { DATABASES, type Store } from "../store/store.ts";
import { VERSION } from "../version.ts";
import { expiryNumbers } from "./expiry_numbers.ts";
import type { Services } from "./services.ts";

/** Edges of the times that are told: powers of two of ns, at which the histogram's own buckets end. */
const EDGE_EXPONENTS: readonly number[] = Array.from({ length: 22 }, (_, i) => 10 + i);
const DURATION_EDGES_S: readonly number[] = EDGE_EXPONENTS.map((exponent) => 2 ** exponent / 1e9);

/** The server's numbers at `nowMs`. */
export function collect(services: Services, store: Store, nowMs: number): MetricsSnapshot {
  const { metrics, settings } = services, totals = store.totals(), cpu = services.cpuSeconds();
  const counter = (name: Counter) => metrics.counter(name);
  const expiry = expiryNumbers(metrics, store, nowMs);
  return {
    version: VERSION,
    runId: services.runId,
    startedAtS: services.startedAtMs / 1000,
    uptimeS: Math.max(0, (nowMs - services.startedAtMs) / 1000),
    cpuUserS: cpu.user,
    cpuSystemS: cpu.system,
    commands: commandNumbers(services),
    errorKinds: metrics.errorKinds(),
    hits: counter("hits"),
    misses: counter("misses"),
    expired: totals.expired,
    expiry: {
      lagS: expiry.lagMs / 1000,
      stalePart: expiry.stalePart,
      sweepS: expiry.sweepMs / 1000,
      slicesCut: expiry.slicesCut,
      forecast: expiry.forecast,
    },
    evicted: totals.evicted,
    rejected: totals.rejected,
    admitted: totals.admitted,
    databases: databaseNumbers(services, store),
    memory: {
      usedBytes: totals.usedBytes,
      limitBytes: services.settings.maxmemoryBytes,
      indexBytes: totals.indexBytes,
      freeSlotBytes: totals.freeSlotBytes,
      freePageBytes: totals.freePageBytes,
      admissionBytes: totals.admissionBytes,
      compressedValues: totals.compressedValues,
      compressedSavedBytes: totals.compressedSavedBytes,
      rssBytes: services.residentBytes(),
      inputBufferBytes: counter("inputBytesNow"),
      outputBufferBytes: counter("outputBytesNow"),
    },
    connections: {
      now: settings.connectedClients,
      limit: settings.clientsMax,
      monitors: metrics.monitors,
      accepted: counter("connectionsAccepted"),
      rejected: counter("connectionsRejected"),
      droppedSlow: counter("connectionsDroppedSlow"),
      droppedIdle: counter("connectionsDroppedIdle"),
    },
    receivedBytes: counter("bytesIn"),
    sentBytes: counter("bytesOut"),
    protocolErrors: counter("protocolErrors"),
    outOfMemory: counter("outOfMemory"),
    passwordFailures: counter("passwordFailures"),
    slowCommands: counter("slowCommands"),
    monitorLinesLeftOut: counter("monitorLinesLeftOut"),
    batches: counter("batches"),
    writeGroups: counter("writeGroups"),
    writesGrouped: counter("writesGrouped"),
    workers: Array.from({ length: metrics.workerCount }, (_, worker) => ({
      connections: metrics.counterOf("connectionsNow", worker),
      loopLagMaxS: metrics.counterOf("loopLagMsMaxNow", worker) / 1000,
      loopLagSumS: metrics.counterOf("loopLagMs", worker) / 1000,
      loopLagCount: metrics.counterOf("loopLagSamples", worker),
    })),
    shards: store.shardNumbers().map(({ entries, ...rest }) => ({ keys: entries, ...rest })),
    namespaces: namespaceNumbers(services),
    log: logNumbers(services, nowMs),
  };
}

/** Namespaces by look-ups and by keys: those with the most look-ups first, then those with the most keys. */
export function namespaceNumbers({ metrics }: Pick<Services, "metrics">): NamespaceNumbers[] {
  const sizes = new CensusBoard(metrics.memory.census).read();
  const sizeOf = new Map(sizes.map((size) => [size.name, size]));
  const lookups = metrics.namespaces.top();
  const known = new Set(lookups.map(({ name }) => name));
  return [
    ...lookups.map(({ name, hits, misses }) => {
      const { keys = 0, bytes = 0 } = sizeOf.get(name) ?? {};
      return { name, hits, misses, keys, bytes };
    }),
    ...sizes.filter(({ name }) => !known.has(name))
      .map(({ name, keys, bytes }) => ({ name, hits: 0, misses: 0, keys, bytes })),
  ].slice(0, NAMESPACES_TOLD_MAX);
}

function commandNumbers({ commandNames, metrics }: Services): CommandNumbers[] {
  return commandNames.flatMap((name, number) => {
    const totals = metrics.commands.totals(number);
    if (totals === null) return [];
    const { calls, failed, rejected } = totals;
    const durations = durationHistogram(metrics.commands.latency(number));
    return [{ name, ok: Math.max(0, calls - failed), failed, rejected, durations }];
  });
}

/** Times as cumulative counts at DURATION_EDGES_S. */
export function durationHistogram(latency: Latency): DurationHistogram {
  let count = 0, bucket = 0;
  const counts = EDGE_EXPONENTS.map((exponent) => {
    for (const end = bucketAbove(exponent); bucket < end; bucket++) count += latency.counts[bucket];
    return count;
  });
  for (; bucket < latency.counts.length; bucket++) count += latency.counts[bucket];
  return { edgesS: DURATION_EDGES_S, counts, count, sumS: latency.sumNs / 1e9 };
}

/** What the log tells, null without one. Its buckets of time are those of DURATION_EDGES_S, and one more. */
function logNumbers({ ring }: Services, nowMs: number): LogNumbers | null {
  if (ring === null) return null;
  const times = ring.syncTimes(), sinceMs = ring.number("unsyncedSinceMs");
  let count = 0;
  const counts = DURATION_EDGES_S.map((_, i) => count += times[i]);
  count += times[times.length - 1];
  const durations = {
    edgesS: DURATION_EDGES_S,
    counts,
    count,
    sumS: ring.number("syncMsTotal") / 1000,
  };
  const hasSnapshot = ring.number("snapshots") > 0;
  return {
    batches: ring.number("frames"),
    records: ring.number("groups"),
    writtenBytes: ring.number("bytes"),
    fsyncDurations: durations,
    unsyncedBytes: ring.number("unsyncedBytes"),
    unsyncedAgeS: sinceMs === 0 ? 0 : Math.max(0, nowMs - sinceMs) / 1000,
    snapshotDurationS: hasSnapshot ? ring.number("snapshotMs") / 1000 : null,
    snapshotAgeS: hasSnapshot ? Math.max(0, nowMs - ring.number("snapshotAtMs")) / 1000 : null,
  };
}

function databaseNumbers({ settings }: Services, store: Store): MetricsSnapshot["databases"] {
  return Array.from({ length: DATABASES }, (_, number) => {
    const { entries, expiring } = store.entryCounts(settings.databaseAt(number));
    return { number, keys: entries, expiring };
  }).filter(({ number, keys }) => number === 0 || keys > 0);
}
