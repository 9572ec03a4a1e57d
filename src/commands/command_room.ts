// Room for what commands need, in memory and in the log: asked for before the locks, and made between two tries.
//
// Takes no lock that its caller holds: entries are let go shard by shard, with nothing held meanwhile.
import * as errors from "../errors.ts";
import { BY_FREQUENCY, clockKindOf } from "../eviction_policies.ts";
import type { EffectLog } from "../log/effects.ts";
import { COUNTER, type WorkerMetrics } from "../metrics.ts";
import { accessStamp, Evictor, NO_HASH, setCounting, type Shard } from "../store/store.ts";
import { type CommandRow, hasArity } from "./command_row.ts";
import type { CommandContext, Finish } from "./context.ts";
import { effectBytes } from "./effect_bytes.ts";
import { EvictionLog } from "./eviction_log.ts";

/** For the running command of one worker. */
export class CommandRoom {
  readonly evictor: Evictor;
  /** Null without a log. */
  readonly evictionLog: EvictionLog | null;

  readonly #context: CommandContext;
  readonly #effects: EffectLog | null;
  readonly #metrics: WorkerMetrics;

  constructor(context: CommandContext, effects: EffectLog | null, metrics: WorkerMetrics) {
    this.#context = context;
    this.#effects = effects;
    this.#metrics = metrics;
    this.evictionLog = effects === null ? null : new EvictionLog(effects);
    this.evictor = new Evictor(context.store, this.evictionLog);
    context.staging.evictor = this.evictor;
  }

  /** The moment of what comes, for eviction; gives the stamp that accesses leave on entries. */
  begin(nowMs: number): number {
    const { store, services: { settings } } = this.#context;
    const { evictionPolicy, isAdmitting } = settings;
    const kind = clockKindOf(evictionPolicy, isAdmitting);
    if (kind === BY_FREQUENCY) setCounting(settings.lfuLogFactor, settings.lfuDecayMinutes, nowMs);
    this.evictor.begin(evictionPolicy, nowMs, isAdmitting);
    if (this.evictionLog !== null) {
      this.evictionLog.nowMs = nowMs;
      this.evictionLog.keptBytes = 0;
    }
    return accessStamp(kind, store.accessClock.at(nowMs), isAdmitting);
  }

  // ---- in the log -----------------------------------------------------------------------------------

  /** The most that the effects of the running command take there. */
  get logBytes(): number {
    const c = this.#context;
    return effectBytes(c.batch, c.first, c.argCount);
  }

  /** What the object that it copies or moves takes there beside that. */
  copiedBytes(row: CommandRow): number {
    const c = this.#context;
    return hasArity(row, c.argCount) ? c.copiedBytes(row.firstKey, c.session.database) : 0;
  }

  /** A change found too little room there for what it would tell: asks for it. False: there is none. */
  admitMore(): boolean {
    const c = this.#context, effects = this.#effects!;
    const bytes = c.needsLogBytes + this.logBytes;
    c.needsLogBytes = 0;
    // Seldom: what was asked for before the locks has become too little, or is known by the handler alone.
    effects.admitBlocking(bytes, c.nowMs);
    if (!effects.isTooLong(bytes)) return true;
    c.wantedBytes = bytes;
    return this.reclaim();
  }

  // ---- in memory ------------------------------------------------------------------------------------

  /** Puts the large values among the command's arguments into blocks; false: refused, the reply is written. */
  stageArguments(row: CommandRow): boolean {
    const c = this.#context;
    if (c.staging.stageArguments(c.batch, row, c.first, c.argCount, c.nowMs)) return true;
    c.staging.discard();
    c.reply.mark();
    this.refuse();
    return false;
  }

  /** Lets entries of a shard go, whose lock is held, for a change of one key; `tries` counts from 0. */
  makeUnderLock(shard: Shard, row: CommandRow, tries: number): boolean {
    const { evictor } = this, c = this.#context;
    // What it writes to is not what has to go for it: a large hash may be most of its shard.
    evictor.sparedHash = c.batch.argHash[c.first + row.firstKey];
    const isMade = evictor.makeRoom(shard, tries);
    evictor.sparedHash = NO_HASH;
    return isMade;
  }

  /** Makes room in all shards for a change of one key, which goes itself only where nothing else does. */
  reclaimBeside(row: CommandRow): boolean {
    const { evictor } = this, c = this.#context;
    evictor.sparedHash = c.batch.argHash[c.first + row.firstKey];
    const isMade = this.reclaim();
    evictor.sparedHash = NO_HASH;
    return isMade || this.reclaim();
  }

  /** Makes room in all shards; false: there is none to make. */
  reclaim(): boolean {
    const c = this.#context, { logBytes } = this;
    // Its own effects will need what it was granted: removals must leave that.
    if (this.evictionLog !== null) this.evictionLog.keptBytes = logBytes;
    const bytes = Math.max(logBytes, c.wantedBytes);
    c.wantedBytes = 0;
    const beganMs = performance.now(), isMade = c.staging.reclaim(c.nowMs, bytes);
    if (this.evictor.isOn) {
      const tookMs = performance.now() - beganMs;
      c.services.latencyEvents.note("eviction-cycle", tookMs, c.nowMs);
    }
    return isMade;
  }

  /** Takes the reply back: the error takes its place. */
  refuse(): void {
    this.#context.reply.rewind();
    this.#context.reply.error(errors.OUT_OF_MEMORY);
    this.#metrics.counters[COUNTER.outOfMemory]++;
  }
}

/** Resolves when the log may have room again; who waits for it asks anew. */
export function roomMade(effects: EffectLog): Promise<Finish> {
  return effects.whenRoom().then(() => () => {});
}
