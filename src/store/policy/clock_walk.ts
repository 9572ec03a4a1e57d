// Keeps access clocks from wrapping: an entry that nobody used for 65,536 ticks must not look new.
//
// A walk goes round the buckets of a shard as the clock goes round, and makes cells younger that have come near the end
// of its range: to three quarters of it, which is older than anything that was used since. A round takes an eighth of
// the range, so that no cell is met too late; that is half a cache line for each entry added, or nothing to speak of
// where none is. Like a reader it takes no lock: what it may overwrite is an access that came in between.
import { BY_FREQUENCY } from "../../eviction_policies.ts";
import { accessStamp, kindOfMeaning, rejuvenated } from "../access.ts";
import { CHAIN_READ_MAX, nextBucketWord } from "../bucket_index.ts";
import * as L from "../layout.ts";
import type { Shard } from "../shard.ts";
import { CLOCK_MEANING, WALK_BUCKET, WALK_TICK } from "./eviction_state.ts";

const TICKS = 65_536;
/** Ticks of a round. Where counts decay by minutes, those of 48 periods are to be enough, and a tick is a second. */
const ROUND_TICKS = 8192;
const ROUND_TICKS_BY_FREQUENCY = 2048;
/** Looked at in one go: 64 KiB, some 20 µs. What is behind by more is caught up in the next turns. */
const BUCKETS_MAX = 1024;

/** Looks at the cells whose turn has come since the last call; `tick` is that of now. */
export function rejuvenateClocks(shard: Shard, state: Int32Array, tick: number): void {
  const kind = kindOfMeaning(state[CLOCK_MEANING]);
  if (kind < 0) return;
  const count = shard.words[L.BUCKETS], stamp = accessStamp(kind, tick, false);
  const round = kind === BY_FREQUENCY ? ROUND_TICKS_BY_FREQUENCY : ROUND_TICKS;
  // More than a round would be of no use.
  const passed = Math.min(round, (tick - state[WALK_TICK]) & (TICKS - 1));
  const due = Math.min(BUCKETS_MAX, Math.floor(passed * count / round));
  if (due === 0) return;
  let bucket = state[WALK_BUCKET];
  for (let i = 0; i < due; i++, bucket++) {
    if (bucket >= count) bucket = 0;
    rejuvenateChain(shard, bucket, stamp);
  }
  state[WALK_BUCKET] = bucket;
  // What is left of the ticks is for the next time.
  state[WALK_TICK] = tick - passed + Math.min(passed, Math.ceil(due * round / count));
}

function rejuvenateChain(shard: Shard, bucket: number, stamp: number): void {
  const { buckets, clocks } = shard;
  let base = L.BUCKET_BASE + bucket * L.BUCKET_WORDS;
  for (let length = 0; base !== 0 && length < CHAIN_READ_MAX; length++) {
    const first = base * 2 + L.BUCKET_CLOCKS;
    for (let place = 0; place < L.BUCKET_SLOTS; place++) {
      if (buckets[base + place + L.BUCKET_REFS] === 0) return;
      const cell = clocks[first + place], made = rejuvenated(cell, stamp);
      if (made !== cell) clocks[first + place] = made;
    }
    base = nextBucketWord(shard, base);
  }
}
