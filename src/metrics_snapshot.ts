// All numbers of the server at one moment, as those who tell them want them; plain data without behaviour.

/** A histogram of times in seconds: how many were at most as long as each edge, and all of them together. */
export interface DurationHistogram {
  readonly edgesS: readonly number[];
  /** By edge, those of smaller edges included. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sumS: number;
}

export interface CommandNumbers {
  readonly name: string;
  /** Calls that ran without error, that ended in one, that were not let run. */
  readonly ok: number;
  readonly failed: number;
  readonly rejected: number;
  readonly durations: DurationHistogram;
}

export interface NamespaceNumbers {
  /** Empty for keys without one. */
  readonly name: string;
  readonly hits: number;
  readonly misses: number;
  readonly keys: number;
  readonly bytes: number;
}

export interface WorkerNumbers {
  readonly connections: number;
  /** Worst lateness of the event loop in the last second, and all lateness over all looks at it. */
  readonly loopLagMaxS: number;
  readonly loopLagSumS: number;
  readonly loopLagCount: number;
}

/** What the log tells; null where nothing is kept on disk. */
export interface LogNumbers {
  readonly batches: number;
  readonly records: number;
  readonly writtenBytes: number;
  readonly fsyncDurations: DurationHistogram;
  readonly unsyncedBytes: number;
  readonly unsyncedAgeS: number;
  /** Of the last snapshot that was finished; null before the first. */
  readonly snapshotDurationS: number | null;
  readonly snapshotAgeS: number | null;
}

/** Totals are since the start, or since CONFIG RESETSTAT. */
export interface MetricsSnapshot {
  readonly version: string;
  readonly runId: string;
  readonly startedAtS: number;
  readonly uptimeS: number;
  readonly cpuUserS: number;
  readonly cpuSystemS: number;
  readonly commands: readonly CommandNumbers[];
  readonly errorKinds: readonly (readonly [kind: string, count: number])[];
  readonly hits: number;
  readonly misses: number;
  readonly expired: number;
  readonly expiry: {
    /** How late expired keys are removed, the part of all keys that waits for it, and the time that goes into it. */
    readonly lagS: number;
    readonly stalePart: number;
    readonly sweepS: number;
    readonly slicesCut: number;
    /** Keys and bytes that expire within so many seconds. */
    readonly forecast: readonly {
      readonly seconds: number;
      readonly keys: number;
      readonly bytes: number;
    }[];
  };
  readonly evicted: number;
  /** Of the evicted, those that were not admitted; and entries that were, in the place of another. */
  readonly rejected: number;
  readonly admitted: number;
  readonly databases: readonly {
    readonly number: number;
    readonly keys: number;
    readonly expiring: number;
  }[];
  readonly memory: {
    readonly usedBytes: number;
    readonly limitBytes: number;
    readonly indexBytes: number;
    readonly freeSlotBytes: number;
    readonly freePageBytes: number;
    readonly admissionBytes: number;
    /** Values that lie compressed, and by how much less they take so. */
    readonly compressedValues: number;
    readonly compressedSavedBytes: number;
    readonly rssBytes: number;
    readonly inputBufferBytes: number;
    readonly outputBufferBytes: number;
  };
  readonly connections: {
    readonly now: number;
    readonly limit: number;
    readonly monitors: number;
    readonly accepted: number;
    readonly rejected: number;
    readonly droppedSlow: number;
    readonly droppedIdle: number;
  };
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly protocolErrors: number;
  readonly outOfMemory: number;
  readonly passwordFailures: number;
  readonly slowCommands: number;
  readonly monitorLinesLeftOut: number;
  readonly batches: number;
  readonly writeGroups: number;
  readonly writesGrouped: number;
  readonly workers: readonly WorkerNumbers[];
  readonly shards: readonly {
    readonly keys: number;
    readonly pageBytes: number;
    readonly lockWaits: number;
    readonly readRetries: number;
  }[];
  readonly namespaces: readonly NamespaceNumbers[];
  readonly log: LogNumbers | null;
}
