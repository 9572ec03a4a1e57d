// Which keys of a shard somebody watches, and how often each was changed since; it knows no session.
//
// A table in shared memory, so that every worker's changes are noticed. A change looks at one word of the header,
// which counts the watches: without any it does no more. The caller holds the shard's lock in every function here.
import * as L from "./layout.ts";
import type { Shard } from "./shard.ts";

// bucket: 4 entries of 3 words: hash, sessions that watch it (0: free), changes (wraps)
const ENTRY_WORDS = 3;
const REFS = 1;
const CHANGES = 2;
const BUCKET_ENTRIES = 4;
const BUCKETS = 256;
const BUCKET_WORDS = BUCKET_ENTRIES * ENTRY_WORDS;
export const WATCH_TABLE_BYTES = BUCKETS * BUCKET_WORDS * 4;
/** No room in the key's bucket: every change of the shard then counts as one of the key. */
const WHOLE_SHARD = -1;
/** The bits of the lock word that count changes. */
const LOCK_COUNT_MASK = ~3;

/** What a watch began with; `hasChanged()` compares with it. */
export interface WatchMark {
  readonly slot: number;
  readonly changes: number;
}

/** Begins to watch the keys with this hash: nearly always one. */
export function addWatch(shard: Shard, hash: number): WatchMark {
  const { words, watches } = shard;
  words[L.WATCHES]++;
  const base = bucketOf(shard, hash);
  let slot = WHOLE_SHARD;
  for (let at = base; at < base + BUCKET_WORDS; at += ENTRY_WORDS) {
    if (watches[at + REFS] > 0 && watches[at] === hash) {
      slot = at;
      break;
    }
    if (slot === WHOLE_SHARD && watches[at + REFS] === 0) slot = at;
  }
  if (slot === WHOLE_SHARD) return { slot, changes: words[L.LOCK] & LOCK_COUNT_MASK };
  watches[slot] = hash;
  watches[slot + REFS]++;
  return { slot, changes: watches[slot + CHANGES] };
}

/** Ends what `addWatch()` began. */
export function removeWatch(shard: Shard, mark: WatchMark): void {
  shard.words[L.WATCHES]--;
  if (mark.slot !== WHOLE_SHARD) shard.watches[mark.slot + REFS]--;
}

/** Whether a key with the watched hash was changed since. */
export function hasChanged(shard: Shard, mark: WatchMark): boolean {
  return mark.slot === WHOLE_SHARD
    ? (shard.words[L.LOCK] & LOCK_COUNT_MASK) !== mark.changes
    : shard.watches[mark.slot + CHANGES] !== mark.changes;
}

/** A key with this hash was changed while somebody watches keys of the shard. */
export function noteChange(shard: Shard, hash: number): void {
  const watches = shard.watches, base = bucketOf(shard, hash);
  for (let at = base; at < base + BUCKET_WORDS; at += ENTRY_WORDS) {
    if (watches[at + REFS] > 0 && watches[at] === hash) {
      watches[at + CHANGES] = (watches[at + CHANGES] + 1) | 0;
      return;
    }
  }
}

function bucketOf(shard: Shard, hash: number): number {
  return ((hash >>> shard.addressShift) & (BUCKETS - 1)) * BUCKET_WORDS;
}
