// EXPIRY: when keys expire, and how much that frees; and the estimate of it that is always at hand.
import { ForecastCounts, HORIZONS_S } from "../expiry_forecast.ts";
import {
  FORECAST_ENTRIES_PER_HOLD,
  FORECAST_ENTRIES_PER_PART,
  FORECAST_PARTS,
  FORECAST_TURN_MS,
} from "../limits.ts";
import type { Shard, Store } from "../store/store.ts";
import { KEYLESS, SLOW } from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import { runSubcommand } from "./container.ts";
import type { CommandContext, Finish } from "./context.ts";
import { NO_KEY, OWN_SINCE } from "./row_parts.ts";

/** Horizons up to here are looked at by themselves: entries so close are few, and all of them are found. */
const NEAR_HORIZONS = 2;

/** All entries that expire within the last horizon, counted in turns of FORECAST_TURN_MS. */
export async function countForecast(store: Store, nowMs: number): Promise<ForecastCounts> {
  const counts = new ForecastCounts(), untilMs = nowMs + HORIZONS_S.at(-1)! * 1000;
  let turnEndsMs = performance.now() + FORECAST_TURN_MS;
  for (const shard of store.shards) {
    // Counted again in each round: the shard may have grown.
    for (let bucket = 0, end = 1; bucket < end; end = store.bucketCount(shard)) {
      bucket = store.walkExpiring(
        shard,
        bucket,
        store.bucketCount(shard),
        untilMs,
        FORECAST_ENTRIES_PER_HOLD,
        (of, ref, expiresAtMs) => counts.add(expiresAtMs - nowMs, store.bytesOf(of, ref)),
      );
      if (performance.now() < turnEndsMs) continue;
      await new Promise((resolve) => setTimeout(resolve, 0));
      turnEndsMs = performance.now() + FORECAST_TURN_MS;
    }
  }
  return counts;
}

/**
 * The same from some of the entries: exact where they are few. The buckets of each shard, which the hash fills at
 * random, are cut into parts, because those that were split already hold half as much as the others; in each part it
 * looks at some, from `startPart` of it on (0 to 1), and scales up what it has seen. In steps of some tens of
 * microseconds, between which others may run.
 */
export function* forecastInSteps(
  store: Store,
  nowMs: number,
  startPart: number,
): Generator<void, ForecastCounts> {
  const counts = new ForecastCounts();
  const kinds = [[0, NEAR_HORIZONS], [NEAR_HORIZONS, HORIZONS_S.length]] as const;
  for (const shard of store.shards) {
    const buckets = store.bucketCount(shard);
    for (let part = 0; part < FORECAST_PARTS; part++) {
      const from = Math.floor(buckets * part / FORECAST_PARTS);
      const end = Math.floor(buckets * (part + 1) / FORECAST_PARTS);
      for (const [first, last] of kinds) {
        samplePart(store, shard, from, end, nowMs, startPart, first, last, counts);
        yield;
      }
    }
  }
  return counts;
}

/** Adds what the buckets `[from, end)` are taken to hold, for the horizons `[first, last)`. */
function samplePart(
  store: Store,
  shard: Shard,
  from: number,
  end: number,
  nowMs: number,
  startPart: number,
  first: number,
  last: number,
  counts: ForecastCounts,
): void {
  const seen = new ForecastCounts(), untilMs = nowMs + HORIZONS_S[last - 1] * 1000;
  const start = from + Math.floor((end - from) * startPart);
  const visit = (of: Shard, ref: number, expiresAtMs: number) =>
    seen.add(expiresAtMs - nowMs, store.bytesOf(of, ref), first, last);
  const most = FORECAST_ENTRIES_PER_PART;
  // From the start to the part's end, and if there was not enough, what lies before.
  let at = store.walkExpiring(shard, start, end, untilMs, most, visit), covered = at - start;
  if (at === end && start > from) {
    at = store.walkExpiring(shard, from, start, untilMs, most, visit);
    covered += at - from;
  }
  for (let i = first; i < last; i++) {
    counts.keys[i] += seen.keys[i] * (end - from) / covered;
    counts.bytes[i] += seen.bytes[i] * (end - from) / covered;
  }
}

/** The count that runs in this worker: whoever asks meanwhile is told the same. */
let running: Promise<ForecastCounts> | null = null;

/** EXPIRY FORECAST */
function forecast(c: CommandContext): void {
  running ??= countForecast(c.store, c.nowMs).finally(() => running = null);
  c.park(running.then((counts): Finish => (reply) => {
    const told = counts.told();
    reply.map(told.length);
    for (const { horizon, keys, bytes } of told) {
      reply.bulkText(horizon);
      reply.map(2);
      reply.bulkText("keys");
      reply.integer(keys);
      reply.bulkText("bytes");
      reply.integer(bytes);
    }
  }));
}

const ROW = { kind: KEYLESS, flags: SLOW, group: "server", ...NO_KEY } as const;

export const EXPIRY_SUBCOMMANDS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "expiry|forecast",
    arity: 2,
    since: OWN_SINCE,
    summary: "Return how many keys and bytes expire within 1 s, 10 s, 1 m, 10 m, 1 h",
    run: forecast,
  },
];

export const EXPIRY_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "expiry",
    arity: -2,
    since: OWN_SINCE,
    summary: "Commands about when keys expire",
    run: (c) => runSubcommand(c, "expiry", EXPIRY_SUBCOMMANDS),
  },
];
