// One shard's memory as a worker sees it: the views, made once, and what the last look-up found.
import { type AccessClock, ADDED_AT_ONCE } from "./access_clock.ts";
import type { Account } from "./account.ts";
import { windowWords } from "./admission_window.ts";
import { boundLevels } from "./expiry_index.ts";
import { sketchBlocksMax, sketchEnd } from "./frequency_sketch.ts";
import * as L from "./layout.ts";
import { WATCH_TABLE_BYTES } from "./watch_table.ts";

/** The shared memory of one shard; can be posted to another thread. */
export interface ShardMemory {
  /** The header's words, then the buckets. */
  readonly buckets: SharedArrayBuffer;
  /** The index of expiry. */
  readonly bounds: SharedArrayBuffer;
  readonly pages: SharedArrayBuffer;
  readonly arena: SharedArrayBuffer;
  readonly watches: SharedArrayBuffer;
  /** How often keys were used, and which came last: touched only under `--admission`. */
  readonly admission: SharedArrayBuffer;
}

/**
 * Reserves the memory of one shard: an arena of `arenaBytes` (a power of two, at most 1 GiB), an index of
 * half of that, which holds more entries than the arena can. Throws RangeError if address space runs out.
 */
export function createShardMemory(arenaBytes: number): ShardMemory {
  const bucketCount = arenaBytes / 128;
  const memory: ShardMemory = {
    buckets: new SharedArrayBuffer((L.BUCKET_BASE + bucketCount * L.BUCKET_WORDS) * 4),
    bounds: new SharedArrayBuffer(L.ALIGN_BYTES + boundLevels(bucketCount)[3] * 8),
    pages: new SharedArrayBuffer((arenaBytes / L.PAGE_BYTES) * L.PAGE_WORDS * 4),
    arena: new SharedArrayBuffer(L.ALIGN_BYTES + arenaBytes + L.ARENA_SLACK_BYTES),
    watches: new SharedArrayBuffer(WATCH_TABLE_BYTES),
    admission: new SharedArrayBuffer((sketchEnd(arenaBytes) + windowWords(arenaBytes)) * 4),
  };
  const header = new Int32Array(memory.buckets);
  header[L.BUCKETS] = L.BUCKETS_AT_START;
  header[L.HIGH_MASK] = L.BUCKETS_AT_START * 2 - 1;
  header[L.OVERFLOW_LOW] = bucketCount;
  header[L.ADDED_MASK] = ADDED_AT_ONCE - 1;
  return memory;
}

export class Shard {
  /** The header; the same view as `buckets`, so that a look-up touches one object less. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly buckets: Int32Array<SharedArrayBuffer>;
  /** When each entry was last read, in its bucket; the only thing a reader without lock stores into. */
  readonly clocks: Uint16Array<SharedArrayBuffer>;
  /** Moments in ms by bucket, and above them; where the levels above begin. */
  readonly bounds: Float64Array<SharedArrayBuffer>;
  readonly boundsFirst: number;
  readonly boundsSecond: number;
  readonly boundsThird: number;
  readonly pages: Int32Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;
  /** See `watch_table.ts`. */
  readonly watches: Int32Array<SharedArrayBuffer>;
  /** See `frequency_sketch.ts` and `admission_window.ts`. */
  readonly sketch: Int32Array<SharedArrayBuffer>;
  readonly sketchBlocksMax: number;
  readonly window: Int32Array<SharedArrayBuffer>;
  /** Turn a torn bucket number or reference into one that lies in the view. */
  readonly bucketMask: number;
  readonly unitMask: number;
  readonly pageCount: number;

  /** Set by `find()`: word of the entry found; or of the empty slot where it would go, 0 if none is left. */
  slot = 0;
  /** Set by `find()` when it found nothing: the last bucket of the chain. */
  lastBucket = 0;
  /** Set by `sweepExpired()`: how late the first of the entries was that it removed, in ms. */
  lateMs = 0;
  /** Set by `hintedRecord()`: first byte of the value found. */
  valueStart = 0;
  /** Set by `hintedField()`: word of the slot of the field found. */
  fieldSlot = 0;
  /** Set by `seenField()`: first word of the entry that is likely the field's, 0 for none. */
  entryWord = 0;
  /** What this thread took from the account ahead of need, for the change that it is about, in the account's units. */
  grantedUnits = 0;
  /** Uses that this thread counted in the sketch and has not told of. */
  usesUntold = 0;

  /** `addressShift`: the bits of a hash that choose the shard; those above choose the bucket. */
  constructor(
    readonly number: number,
    readonly addressShift: number,
    readonly account: Account,
    readonly accessClock: AccessClock,
    memory: ShardMemory,
  ) {
    this.buckets = new Int32Array(memory.buckets);
    this.words = this.buckets;
    this.clocks = new Uint16Array(memory.buckets);
    this.bounds = new Float64Array(memory.bounds, L.ALIGN_BYTES);
    this.pages = new Int32Array(memory.pages);
    this.i32 = new Int32Array(memory.arena);
    this.f64 = new Float64Array(memory.arena);
    this.u8 = new Uint8Array(memory.arena);
    this.view = new DataView(memory.arena);
    this.watches = new Int32Array(memory.watches);
    this.bucketMask = (this.buckets.length - L.BUCKET_BASE) / L.BUCKET_WORDS - 1;
    [this.boundsFirst, this.boundsSecond, this.boundsThird] = boundLevels(this.bucketMask + 1);
    const arenaBytes = memory.arena.byteLength - L.ALIGN_BYTES - L.ARENA_SLACK_BYTES;
    this.sketch = new Int32Array(memory.admission, 0, sketchEnd(arenaBytes));
    this.sketchBlocksMax = sketchBlocksMax(arenaBytes);
    this.window = new Int32Array(memory.admission, sketchEnd(arenaBytes) * 4);
    this.unitMask = arenaBytes / 8 - 1;
    // The last page is never used: references begin at 6, so those at its end would not survive the mask.
    this.pageCount = arenaBytes / L.PAGE_BYTES - 1;
  }
}
