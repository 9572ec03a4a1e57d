// Logs what eviction lets go: as removals, so that a restart does not bring it back.
import type { EffectKey, EffectLog } from "../log/effects.ts";
import { record, type Shard, type VictimSink } from "../store/store.ts";

/** What a removal takes beside its key. */
const REMOVAL_BYTES = 64;
/** Room that is waited for: enough for some removals. */
const AWAITED_BYTES = 65_536;

interface Key extends EffectKey {
  hash: number;
  database: number;
  view: DataView;
  start: number;
  end: number;
}

export class EvictionLog implements VictimSink {
  /** Room that the running command was granted for its own effects, which removals must leave. */
  keptBytes = 0;
  /** What removals may add to a group that has a bound: EXEC's. */
  budgetBytes = Infinity;
  nowMs = 0;

  readonly #effects: EffectLog;
  /** By shard: keys are read from where they lie. */
  readonly #views: DataView[] = [];
  readonly #key: Key = {
    hash: 0,
    database: 0,
    view: new DataView(new ArrayBuffer(8)),
    start: 0,
    end: 0,
  };

  constructor(effects: EffectLog) {
    this.#effects = effects;
  }

  admits(keyBytes: number): boolean {
    const bytes = REMOVAL_BYTES + keyBytes;
    // EXEC was granted room for so much of it beforehand.
    if (this.budgetBytes !== Infinity) return bytes <= this.budgetBytes;
    return this.#effects.admitBeside(this.keptBytes, bytes, this.nowMs);
  }

  removing(shard: Shard, ref: number, hash: number): void {
    const key = this.#key;
    key.view = this.#views[shard.number] ??= new DataView(shard.u8.buffer);
    key.hash = hash;
    key.database = record.databaseOf(shard, ref);
    key.start = record.keyStartOf(shard, ref);
    key.end = key.start + record.keyBytesOf(shard, ref);
    this.budgetBytes -= REMOVAL_BYTES + key.end - key.start;
    this.#effects.remove(shard.number, key);
  }

  publish(): void {
    this.#effects.publish();
  }

  awaitRoom(): void {
    this.#effects.admitBlocking(this.keptBytes + AWAITED_BYTES, this.nowMs);
  }
}
