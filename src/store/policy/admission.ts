// Whether a new entry may stay when another would have to go for it: the admission of W-TinyLFU; knows no policy.
//
// As in the paper (Einziger, Friedman, Manes, ACM Transactions on Storage 13, 2017), what is new has a small window to
// itself; who leaves it stays only if it is estimated to be used more often than the one that the policy would let go,
// and else goes in its place. So keys that are used once pass through a hundredth of the memory and leave the rest as
// it is. What differs from the paper:
//   - the main part is kept by the policy that holds, which samples: with `allkeys-lru` the victim is the one used
//     longest ago of those among 16 that are not protected, which stands for the paper's segmented list;
//   - the window is a queue and not a list by recency. Who was used meanwhile is counted, and so is admitted;
//   - a candidate's first use is counted when it leaves the window: until then nobody asks, and a SET costs no more;
//   - entries have sizes, and it is memory that has to be made: one entry goes for each call, whatever its size.
import { clearWindow, isWindowFull, leaveWindow } from "../admission_window.ts";
import { ADDED_AT_ONCE } from "../access_clock.ts";
import { slotOfHash } from "../bucket_index.ts";
import {
  clearSketch,
  countUse,
  estimateUses,
  isSketchDue,
  tendSketch,
} from "../frequency_sketch.ts";
import * as L from "../layout.ts";
import { expiresAtMsOf, isExpired } from "../record.ts";
import type { Shard } from "../shard.ts";
import type { EvictionState } from "./eviction_state.ts";

/** Who left the window and is gone by another way is passed, so many times in a row. */
const CANDIDATES_TRIED = 16;

/** Whether the shard counts uses, so that `contest()` can be asked. */
export function isAdmitting(shard: Shard): boolean {
  return shard.words[L.ADDED_MASK] === 0;
}

/** Makes the shard count uses, or stop it; the caller holds its lock for changes. */
export function setAdmitting(shard: Shard, isOn: boolean): void {
  if (isOn) {
    clearSketch(shard.sketch, shard.words[L.ENTRIES], shard.sketchBlocksMax);
    clearWindow(shard);
  }
  shard.words[L.ADDED_MASK] = isOn ? 0 : ADDED_AT_ONCE - 1;
}

/** Whether `tendAdmission()` has something to do; without lock. */
export function isAdmissionDue(shard: Shard): boolean {
  return isSketchDue(shard.sketch, shard.words[L.ENTRIES], shard.sketchBlocksMax);
}

/** A bounded piece of the sketch's growing and ageing; the caller holds the shard's lock for changes. */
export function tendAdmission(shard: Shard): void {
  tendSketch(shard.sketch, shard.words[L.ENTRIES], shard.sketchBlocksMax);
}

/**
 * The slot of who goes: of `victim`, which the policy chose, or of the entry that has to leave the window, if it is not
 * used more often. What has expired goes in any case, and with `onlyExpiring` nobody who has no end goes.
 */
export function contest(
  shard: Shard,
  state: EvictionState,
  victim: number,
  onlyExpiring: boolean,
  nowMs: number,
): number {
  const { buckets } = shard, entries = shard.words[L.ENTRIES];
  if (isExpired(shard, buckets[victim + L.BUCKET_REFS], nowMs)) return victim;
  for (let tries = 0; tries < CANDIDATES_TRIED && isWindowFull(shard, entries); tries++) {
    const hash = leaveWindow(shard);
    countUse(shard, hash);
    const slot = slotOfHash(shard, hash);
    if (slot === 0) continue;
    if (slot === victim) return victim;
    if (onlyExpiring && expiresAtMsOf(shard, buckets[slot + L.BUCKET_REFS]) === 0) continue;
    if (estimateUses(shard, hash) > estimateUses(shard, buckets[victim])) {
      state.noteAdmitted();
      return victim;
    }
    state.noteRejected();
    return slot;
  }
  return victim;
}
