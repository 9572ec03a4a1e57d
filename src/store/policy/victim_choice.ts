// Which entry goes next, by each policy: a bounded search of a shard whose lock is held; removes nothing.
//
// A hand goes round the buckets of each shard. It looks at the next few entries, whose access clocks lie in the
// lines that it reads anyway, and lets the stalest of them go. Entries lie in the order of their hashes, so these are
// a random sample without repetition: 16 of them come within 0.1 points of the hit ratio of an exact list by
// recency, for four sequential lines per entry let go and no word of memory. Under admission (see `admission.ts`) an
// entry that was used since it came is protected: of a sample the others go first, and where these are fewer than a
// fifth, the stalest of the protected loses that. This is the paper's segmented list, sampled.
import {
  ALLKEYS_RANDOM,
  ALLKEYS_SIEVE,
  BY_SEGMENT,
  clockKindOf,
  isVolatile,
  VOLATILE_RANDOM,
  VOLATILE_TTL,
} from "../../eviction_policies.ts";
import { nextRandom, staleness, unprotect, UNPROTECTED } from "../access.ts";
import { nextBucketWord } from "../bucket_index.ts";
import { earliestExpiryMs, lowerBound, nextBucketUntil, takeDueBucket } from "../expiry_index.ts";
import { earliestFieldMs } from "../hash/field_expiry.ts";
import * as L from "../layout.ts";
import { expiresAtMsOf, typeOf } from "../record.ts";
import type { Shard } from "../shard.ts";
import { HAND } from "./eviction_state.ts";
import { chooseBySieve } from "./sieve_hand.ts";

/** Entries that are looked at for one that goes. */
const WINDOW = 16;
/** Of these, so many are to be without protection: a fifth, as in the paper. */
const UNPROTECTED_MIN = 3;
/** Buckets that are looked at for one that goes; where their records are read, each costs a few cache misses. */
const CHAINS_MAX = 256;
/** Buckets that are passed because nothing in them expires: the bounds of eight lie in one line. */
const CHAINS_PASSED_MAX = 65_536;
/** Tries to find what expires next, each of which raises a bound that was too early. */
const SOONEST_TRIES_MAX = 64;

/** What a choice goes by. */
export interface Choice {
  /** The policy's number. */
  policy: number;
  /** Whether uses are counted for admission. */
  isAdmitting: boolean;
  nowMs: number;
  /** The clock of accesses, and the stamp that an access would leave now. */
  tick: number;
  stamp: number;
}

/** The slot of the entry that goes next; 0 if none was found in a bounded search. */
export function chooseVictim(shard: Shard, state: Int32Array, by: Choice): number {
  const { words, buckets, clocks } = shard, { policy, stamp, nowMs } = by;
  const onlyExpiring = isVolatile(policy);
  if (onlyExpiring && earliestExpiryMs(shard) === 0) return 0;
  if (policy === VOLATILE_TTL) {
    const soonest = chooseSoonest(shard);
    // Where fields of hashes expire before any key does, the index of expiry leads to them only.
    if (soonest !== 0) return soonest;
  }
  const isSegmented = clockKindOf(policy, by.isAdmitting) === BY_SEGMENT;
  const isRandom = policy === ALLKEYS_RANDOM || policy === VOLATILE_RANDOM;
  const count = words[L.BUCKETS];
  if (policy === ALLKEYS_SIEVE) {
    return chooseBySieve(shard, state, by.tick);
  }
  let bucket = isRandom ? nextRandom() % count : state[HAND];
  let best = 0, bestScore = -Infinity, seen = 0;
  let isProtected = 0, stalest = 0, stalestScore = -1;
  for (let chains = 0, passed = 0; chains < CHAINS_MAX && seen < WINDOW; bucket++) {
    if (bucket >= count) bucket = 0;
    if (onlyExpiring) {
      // Where nothing expires, records are not looked at.
      const end = Math.min(count, bucket + CHAINS_PASSED_MAX - passed);
      const next = nextBucketUntil(shard, bucket, end, Infinity);
      passed += next - bucket;
      bucket = next;
      if (passed >= CHAINS_PASSED_MAX) break;
      if (bucket >= count) {
        bucket = -1;
        passed++;
        continue;
      }
    }
    chains++;
    let base = L.BUCKET_BASE + bucket * L.BUCKET_WORDS;
    for (; base !== 0; base = nextBucketWord(shard, base)) {
      for (let place = 0; place < L.BUCKET_SLOTS; place++) {
        const ref = buckets[base + place + L.BUCKET_REFS];
        if (ref === 0) break;
        let score: number;
        if (onlyExpiring) {
          const expiresAtMs = expiresAtMsOf(shard, ref);
          if (expiresAtMs === 0) continue;
          if (expiresAtMs <= nowMs) score = Infinity;
          else if (isRandom) score = nextRandom();
          else if (policy === VOLATILE_TTL) score = -expiresAtMs;
          else score = staleness(clocks[base * 2 + L.BUCKET_CLOCKS + place], stamp);
        } else if (isRandom) score = nextRandom();
        else score = staleness(clocks[base * 2 + L.BUCKET_CLOCKS + place], stamp);
        seen++;
        if (isSegmented && score < UNPROTECTED) {
          isProtected++;
          if (score > stalestScore) stalest = base + place, stalestScore = score;
        }
        if (score > bestScore) best = base + place, bestScore = score;
      }
    }
  }
  if (!isRandom) state[HAND] = bucket;
  if (stalest !== 0 && seen - isProtected < UNPROTECTED_MIN) unprotect(shard, stalest, stamp);
  return best;
}

/** The slot of the entry that was used longest ago among the next ones; 0 if none was found in a bounded search. */
export function chooseStalest(shard: Shard, state: Int32Array, tick: number): number {
  const { words, buckets, clocks } = shard, count = words[L.BUCKETS];
  let bucket = state[HAND], best = 0, bestAge = -1;
  for (let chains = 0, seen = 0; chains < CHAINS_MAX && seen < WINDOW; chains++, bucket++) {
    if (bucket >= count) bucket = 0;
    let base = L.BUCKET_BASE + bucket * L.BUCKET_WORDS;
    for (; base !== 0; base = nextBucketWord(shard, base)) {
      const first = base * 2 + L.BUCKET_CLOCKS;
      for (let place = 0; place < L.BUCKET_SLOTS; place++) {
        if (buckets[base + place + L.BUCKET_REFS] === 0) break;
        const age = (tick - clocks[first + place]) & 0xffff;
        if (age > bestAge) best = base + place, bestAge = age;
        seen++;
      }
    }
  }
  state[HAND] = bucket;
  return best;
}

/** The slot of the entry that expires next, found by the index of expiry; nearly always the very one. */
function chooseSoonest(shard: Shard): number {
  let best = 0;
  for (let tries = 0; tries < SOONEST_TRIES_MAX; tries++) {
    const earliestMs = earliestExpiryMs(shard);
    if (earliestMs === 0) return 0;
    const bucket = takeDueBucket(shard, earliestMs);
    if (bucket < 0) continue; // a bound of a whole part of the shard was too early
    let soonestMs = Infinity, fieldMs = Infinity;
    let base = L.BUCKET_BASE + bucket * L.BUCKET_WORDS;
    for (; base !== 0; base = nextBucketWord(shard, base)) {
      for (let slot = base; slot < base + L.BUCKET_SLOTS; slot++) {
        const ref = shard.buckets[slot + L.BUCKET_REFS];
        if (ref === 0) break;
        const expiresAtMs = expiresAtMsOf(shard, ref);
        if (expiresAtMs !== 0 && expiresAtMs < soonestMs) best = slot, soonestMs = expiresAtMs;
        if (typeOf(shard, ref) === L.TYPE_HASH) {
          fieldMs = Math.min(fieldMs, earliestFieldMs(shard, ref) || Infinity);
        }
      }
    }
    const boundMs = Math.min(soonestMs, fieldMs);
    if (boundMs === Infinity) continue;
    lowerBound(shard, bucket, boundMs);
    if (soonestMs === Infinity) continue;
    if (soonestMs <= earliestExpiryMs(shard)) break;
  }
  return best;
}
