// STATS: what the server did and how fast, as one line of JSON; it reads counters and changes nothing.
import { ADMISSIONS } from "../eviction_policies.ts";
import { type Latency, STATS_EDGES_MS } from "../histogram.ts";
import { DATABASES, type Store } from "../store/store.ts";
import { VERSION } from "../version.ts";
import { expiryNumbers } from "./expiry_numbers.ts";
import type { Services } from "./services.ts";

const MIB = 1024 ** 2;

/** The JSON that STATS replies with; times are service times inside the server, in µs. */
export function statsJson(services: Services, store: Store, nowMs: number): string {
  const { metrics } = services;
  const latency = metrics.latency();
  const totals = store.totals(), expiry = expiryNumbers(metrics, store, nowMs);
  let keys = 0, expiring = 0;
  for (let database = 0; database < DATABASES; database++) {
    const counts = store.entryCounts(database);
    keys += counts.entries;
    expiring += counts.expiring;
  }
  return JSON.stringify({
    ...requestStats(
      metrics.counter("hits"),
      metrics.counter("misses"),
      metrics.counter("commands"),
    ),
    ...latencyStats(latency),
    batch_avg_size: ratio(metrics.counter("writesGrouped"), metrics.counter("writeGroups")),
    pipeline_avg_size: ratio(metrics.counter("commands"), metrics.counter("batches")),
    read_retries: metrics.counter("readRetries"),
    read_locks: metrics.counter("readLocks"),
    keys,
    keys_with_expiry: expiring,
    expired_keys: totals.expired,
    expiry_lag_ms: round(expiry.lagMs),
    expired_stale_percent: round(expiry.stalePart * 100),
    expiry_forecast: Object.fromEntries(
      expiry.forecast.map(({ horizon, keys, bytes }) => [horizon, { keys, bytes }]),
    ),
    password_failures: metrics.counter("passwordFailures"),
    evicted_keys: totals.evicted,
    admission: ADMISSIONS[services.settings.admission],
    admission_rejected_keys: totals.rejected,
    admission_admitted_keys: totals.admitted,
    out_of_memory_replies: metrics.counter("outOfMemory"),
    compressed_values: totals.compressedValues,
    compressed_saved_bytes: totals.compressedSavedBytes,
    used_memory_bytes: totals.usedBytes,
    maxmemory_bytes: services.settings.maxmemoryBytes,
    used_memory_mb: round(totals.usedBytes / MIB),
    rss_bytes: services.residentBytes(),
    connections: services.settings.connectedClients,
    connections_per_worker: perWorker(services),
    long_chains: totals.longChains,
    workers: metrics.workerCount,
    uptime_seconds: Math.max(0, Math.floor((nowMs - services.startedAtMs) / 1000)),
    version: VERSION,
  });
}

/** Hits and misses are counted per key read, requests per command. */
export function requestStats(hits: number, misses: number, commands: number) {
  return {
    cache_hits: hits,
    cache_misses: misses,
    total_requests: commands,
    hit_rate: round(hits + misses === 0 ? 0 : hits / (hits + misses) * 100),
  };
}

/**
 * The histogram's buckets are disjoint and sum up to the commands that were timed: `<5ms` holds those from 1 ms
 * to below 5 ms. `p99_tail_events` counts the commands that took longer than the 99th percentile.
 */
export function latencyStats(latency: Latency) {
  const histogram: Record<string, number> = {};
  let fromMs = 0;
  for (const edgeMs of STATS_EDGES_MS) {
    histogram[`<${edgeMs}ms`] = latency.countBetween(fromMs, edgeMs);
    fromMs = edgeMs;
  }
  histogram[`>=${fromMs}ms`] = latency.countBetween(fromMs, Infinity);
  const p50Us = latency.percentileUs(0.5), p99Us = latency.percentileUs(0.99);
  return {
    avg_latency_us: round(latency.averageUs),
    p50_latency_us: round(p50Us),
    p95_latency_us: round(latency.percentileUs(0.95)),
    p99_latency_us: round(p99Us),
    p50_less_than_1ms: p50Us < 1000,
    // A bucket's middle stands for it: above the middle is above the bucket.
    p99_tail_events: latency.timed === 0 ? 0 : latency.countBetween(p99Us / 1000 * 1.001, Infinity),
    histogram,
  };
}

/** Connections that each worker serves now. */
export function perWorker({ metrics }: Pick<Services, "metrics">): number[] {
  return Array.from(
    { length: metrics.workerCount },
    (_, worker) => metrics.counterOf("connectionsNow", worker),
  );
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : round(part / whole);
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
