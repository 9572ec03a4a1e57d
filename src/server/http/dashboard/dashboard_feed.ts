// What an open dashboard is told, as texts of JSON: facts, samples of the history, and how things are now; it reads
// shared memory, runs no command and so leaves no trace in the numbers that it tells. It must not know a socket.
import { namespaceNumbers } from "../../../commands/collect.ts";
import type { Services } from "../../../commands/services.ts";
import {
  mergeSlowLogs,
  type SlowLogAnswer,
  type SlowLogQuestion,
} from "../../../commands/slow_log.ts";
import {
  FAMILIES,
  HEAT_EXPONENT_FIRST,
  History,
  type Sample,
  SAMPLE_FIELDS,
} from "../../../history.ts";
import {
  DASHBOARD_SAMPLES_PER_MESSAGE,
  DASHBOARD_SLOW_COMMANDS,
  HISTORY_SAMPLES,
} from "../../../limits.ts";
import type { Store } from "../../../store/store.ts";
import { VERSION } from "../../../version.ts";

const decoder = new TextDecoder();

export class DashboardFeed {
  readonly #services: Services;
  readonly #store: Store;
  readonly #history: History;

  constructor(services: Services, store: Store) {
    this.#services = services;
    this.#store = store;
    this.#history = new History(services.metrics.memory.history);
  }

  /** What stays as it is until the server ends. */
  facts(): string {
    const { config, runId, startedAtMs, ring } = this.#services;
    return JSON.stringify({
      version: VERSION,
      runId,
      startedAtMs,
      workerCount: config.workerCount,
      hasLog: ring !== null,
      hasKeyBrowser: !config.isDashboardReadonly,
      families: FAMILIES,
      heatExponentFirst: HEAT_EXPONENT_FIRST,
      samplesMax: HISTORY_SAMPLES,
    });
  }

  /** The first samples after the moment, oldest first, as many as one message takes. */
  samplesAfter(afterMs: number): Sample[] {
    return this.#history.since(afterMs, DASHBOARD_SAMPLES_PER_MESSAGE);
  }

  /** `[name, value]` of every parameter, as CONFIG GET tells them. */
  parameters(): string {
    return JSON.stringify(this.#services.parameters.map(({ name, get }) => [name, get()]));
  }

  /** The newest slow commands of all workers, newest first. Rejects where a worker does not answer in time. */
  async slowCommands(): Promise<string> {
    const { bus, metrics, settings } = this.#services;
    const question: SlowLogQuestion = {
      before: metrics.nextSlowLogNumber,
      newest: DASHBOARD_SLOW_COMMANDS,
      resets: false,
    };
    const answers = await bus.ask<SlowLogAnswer>("slow-log", question);
    const { count, entries } = mergeSlowLogs(
      answers,
      DASHBOARD_SLOW_COMMANDS,
      settings.slowLogEntriesMax,
    );
    return JSON.stringify({
      count,
      slowerThanUs: settings.slowLogSlowerThanUs,
      entries: entries.map(({ number, atS, durationUs, args, address, clientName }) => ({
        number,
        atS,
        durationUs,
        args: args.map((bytes) => decoder.decode(bytes)),
        address,
        clientName,
      })),
    });
  }

  /** Totals and states of this moment; the page makes rates of the totals. */
  now(nowMs: number, notReadyReason: string | null): string {
    const { metrics, settings, ring } = this.#services, totals = this.#store.totals();
    return JSON.stringify({
      atMs: nowMs,
      notReadyReason,
      clientsMax: settings.clientsMax,
      memory: {
        usedBytes: totals.usedBytes,
        indexBytes: totals.indexBytes,
        freeSlotBytes: totals.freeSlotBytes,
        freePageBytes: totals.freePageBytes,
        limitBytes: settings.maxmemoryBytes,
        rssBytes: this.#services.residentBytes(),
        inputBytes: metrics.counter("inputBytesNow"),
        outputBytes: metrics.counter("outputBytesNow"),
      },
      workers: Array.from({ length: metrics.workerCount }, (_, worker) => ({
        commands: metrics.counterOf("commands", worker),
        connections: metrics.counterOf("connectionsNow", worker),
        loopLagMsMax: metrics.counterOf("loopLagMsMaxNow", worker),
      })),
      shards: this.#store.shardNumbers(),
      namespaces: namespaceNumbers(this.#services),
      log: ring === null ? null : {
        unsyncedBytes: ring.number("unsyncedBytes"),
        snapshotAtMs: ring.number("snapshots") > 0 ? ring.number("snapshotAtMs") : null,
      },
    });
  }
}

/** Samples as columns, by field: the names are told once, and long decimals are cut. */
export function sampleColumns(samples: readonly Sample[]): string {
  const columns: Record<string, unknown> = {};
  for (const field of SAMPLE_FIELDS) columns[field] = samples.map((each) => short(each[field]));
  columns.families = FAMILIES.map((_, i) => samples.map(({ families }) => short(families[i])));
  columns.heat = samples.map(({ heat }) => heat.map(short));
  return JSON.stringify(columns);
}

function short(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 100) / 100;
}
