// Takes a sample of all numbers each second for the history, and looks at some of the entries for the sizes of
// namespaces and for what expires; one worker does it for all, in turns that its clients hardly notice.
import { ForecastBoard } from "../expiry_forecast.ts";
import { bucketAbove, Latency } from "../histogram.ts";
import { FAMILIES, HEAT_BUCKETS, HEAT_EXPONENT_FIRST, History, type Sample } from "../history.ts";
import {
  CENSUS_ENTRIES_PER_SAMPLE,
  CENSUS_ENTRIES_PER_STEP,
  HISTORY_SAMPLE_MS,
  SAMPLE_REST_MS,
  SAMPLE_TURN_MS,
} from "../limits.ts";
import { type LogNumber, SYNC_TIME_EXPONENT_MIN } from "../log/log_board.ts";
import { type Counter } from "../metrics.ts";
import { CensusBoard, NamespaceEstimate } from "../namespace_census.ts";
import { namespaceBytes } from "../namespace_metrics.ts";
import { DATABASES, type Store } from "../store/store.ts";
import { FAMILY_OF } from "./command_numbers.ts";
import { forecastInSteps } from "./expiry_commands.ts";
import type { Services } from "./services.ts";

/** Counters whose rate is told, with the sample's field. */
const RATES: readonly (readonly [Counter, keyof Sample])[] = [
  ["commands", "commandsPerS"],
  ["hits", "hitsPerS"],
  ["misses", "missesPerS"],
  ["errors", "errorsPerS"],
  ["bytesIn", "bytesInPerS"],
  ["bytesOut", "bytesOutPerS"],
];
const ALL_DATABASES = -1;
const NO_TIMES = new Float64Array(0);
const decoder = new TextDecoder();

/** Samples until the function that it gives is called. */
export function startSampling(services: Services, store: Store, nowMs: () => number): () => void {
  const history = new History(services.metrics.memory.history);
  const sampler = new Sampler(services, store);
  const census = new Census(services, store);
  const forecast = new ForecastBoard(services.metrics.memory.forecast);
  sampler.take(nowMs());
  function* estimate(): Generator<void> {
    yield* census.inSteps(nowMs());
    forecast.write(yield* forecastInSteps(store, nowMs(), Math.random()));
  }
  let steps: Generator<void> | null = null, turn: ReturnType<typeof setTimeout> | undefined;
  const work = () => {
    const endMs = performance.now() + SAMPLE_TURN_MS;
    while (steps !== null && performance.now() < endMs) if (steps.next().done) steps = null;
    if (steps !== null) turn = setTimeout(work, SAMPLE_REST_MS);
  };
  const timer = setInterval(() => {
    history.add(sampler.take(nowMs()));
    // Where shards are many the estimate takes longer than that: then it is made less often.
    if (steps !== null) return;
    steps = estimate();
    turn = setTimeout(work, SAMPLE_REST_MS);
  }, HISTORY_SAMPLE_MS);
  return () => {
    clearInterval(timer);
    clearTimeout(turn);
  };
}

/** Turns totals into rates, each against the sample before. */
export class Sampler {
  readonly #before = new Map<string, number>();
  #histogram: Float64Array | null = null;
  #syncTimes: Float64Array = NO_TIMES;
  #atMs = 0;

  constructor(readonly services: Services, readonly store: Store) {}

  /** The numbers since the last call; the first call's rates are those since the start. */
  take(nowMs: number): Sample {
    const { metrics, settings, commandNames } = this.services, totals = this.store.totals();
    const seconds = this.#atMs === 0 ? 1 : Math.max(0.001, (nowMs - this.#atMs) / 1000);
    this.#atMs = nowMs;
    const rate = (name: string, total: number) => {
      const change = total - (this.#before.get(name) ?? 0);
      this.#before.set(name, total);
      // CONFIG RESETSTAT in between: what was counted since.
      return (change < 0 ? total : change) / seconds;
    };
    const rates = Object.fromEntries(
      RATES.map(([counter, field]) => [field, rate(counter, metrics.counter(counter))]),
    );
    const families = FAMILIES.map(() => 0);
    commandNames.forEach((_, number) => {
      families[FAMILIES.indexOf(FAMILY_OF[number])] += metrics.commands.calls(number);
    });
    let lagMs = 0;
    for (let i = 0; i < metrics.workerCount; i++) {
      lagMs = Math.max(lagMs, metrics.counterOf("loopLagMsMaxNow", i));
    }
    return {
      ...rates as Pick<Sample, "commandsPerS" | "hitsPerS" | "missesPerS" | "errorsPerS">,
      ...rates as Pick<Sample, "bytesInPerS" | "bytesOutPerS">,
      ...this.#times(metrics.latency(), seconds),
      atMs: nowMs,
      expiredPerS: rate("expired", totals.expired),
      evictedPerS: rate("evicted", totals.evicted),
      keys: keyCount(this.store),
      usedBytes: totals.usedBytes,
      limitBytes: settings.maxmemoryBytes,
      rssBytes: this.services.residentBytes(),
      clients: settings.connectedClients,
      loopLagMsMax: lagMs,
      ...this.#log(rate),
      families: families.map((total, i) => rate(`family ${FAMILIES[i]}`, total)),
    };
  }

  /** What the log wrote; the longest sync is told by the upper edge of its bucket, twice too long at most. */
  #log(
    rate: (name: string, total: number) => number,
  ): Pick<
    Sample,
    "logFramesPerS" | "logRecordsPerS" | "logBytesPerS" | "syncUsMean" | "syncUsMax"
  > {
    const { ring } = this.services;
    const of = (name: LogNumber) => rate(`log ${name}`, ring?.number(name) ?? 0);
    const syncs = of("syncs"), syncMs = of("syncMsTotal"), times = ring?.syncTimes() ?? NO_TIMES;
    let longest = -1;
    for (let i = 0; i < times.length; i++) if (times[i] > (this.#syncTimes[i] ?? 0)) longest = i;
    this.#syncTimes = times;
    return {
      logFramesPerS: of("frames"),
      logRecordsPerS: of("groups"),
      logBytesPerS: of("bytes"),
      syncUsMean: syncs === 0 ? 0 : syncMs / syncs * 1000,
      syncUsMax: longest < 0 ? 0 : 2 ** (SYNC_TIME_EXPONENT_MIN + longest) / 1000,
    };
  }

  /** Percentiles and distribution of the commands since the last call. */
  #times(now: Latency, seconds: number): Pick<Sample, "p50Us" | "p95Us" | "p99Us" | "heat"> {
    const before = this.#histogram, change = now.counts.slice();
    this.#histogram = now.counts;
    let timed = 0;
    for (let i = 0; i < change.length; i++) {
      if (before !== null) change[i] = Math.max(0, change[i] - before[i]);
      timed += change[i];
    }
    const recent = new Latency(change, 0, timed);
    const heat: number[] = [];
    for (let i = 0, from = 0; i < HEAT_BUCKETS; i++) {
      const end = i === HEAT_BUCKETS - 1 ? change.length : bucketAbove(HEAT_EXPONENT_FIRST + i);
      let count = 0;
      for (; from < end; from++) count += change[from];
      heat.push(count / seconds);
    }
    return {
      p50Us: recent.percentileUs(0.5),
      p95Us: recent.percentileUs(0.95),
      p99Us: recent.percentileUs(0.99),
      heat,
    };
  }
}

/**
 * Looks at some hundred entries a second. A walk in the order of the index is a sample as good as any, because the
 * hash decides where an entry lies; where all entries fit one step the sizes are exact.
 */
export class Census {
  readonly #estimate = new NamespaceEstimate();
  readonly #board: CensusBoard;
  #cursor = 0;

  constructor(readonly services: Services, readonly store: Store) {
    this.#board = new CensusBoard(services.metrics.memory.census);
  }

  /** In steps of some tens of microseconds, between which others may run. */
  *inSteps(nowMs: number): Generator<void> {
    const store = this.store, keys = keyCount(store);
    const isWhole = keys <= CENSUS_ENTRIES_PER_SAMPLE;
    if (isWhole) this.#cursor = 0;
    this.#estimate.begin(isWhole);
    const visit = (key: Uint8Array<ArrayBuffer>, bytes: number) => {
      const count = namespaceBytes(key, 0, key.length);
      this.#estimate.add(decoder.decode(key.subarray(0, count)), bytes);
    };
    const stepsMax = CENSUS_ENTRIES_PER_SAMPLE / CENSUS_ENTRIES_PER_STEP * (isWhole ? 2 : 1);
    for (let steps = 0; steps < stepsMax; steps++) {
      this.#cursor = store.scan(
        this.#cursor,
        CENSUS_ENTRIES_PER_STEP,
        ALL_DATABASES,
        nowMs,
        (key, shard, ref) => visit(key, store.bytesOf(shard, ref)),
      );
      if (this.#cursor === 0) break;
      yield;
    }
    this.#board.write(this.#estimate.top(keys));
  }
}

function keyCount(store: Store): number {
  let keys = 0;
  for (let database = 0; database < DATABASES; database++) {
    keys += store.entryCounts(database).entries;
  }
  return keys;
}
