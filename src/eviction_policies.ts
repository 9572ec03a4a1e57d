// The policies by which a full cache chooses what to let go: names and numbers; knows no entry.

/** In the order of their numbers, which stand in the shared settings. */
export const EVICTION_POLICIES = [
  "noeviction",
  "allkeys-lru",
  "volatile-lru",
  "allkeys-lfu",
  "volatile-lfu",
  "allkeys-random",
  "volatile-random",
  "volatile-ttl",
  "allkeys-sieve",
] as const;
export type EvictionPolicy = typeof EVICTION_POLICIES[number];

export const NO_EVICTION = 0;
export const ALLKEYS_LRU = 1;
export const VOLATILE_LRU = 2;
export const ALLKEYS_LFU = 3;
export const VOLATILE_LFU = 4;
export const ALLKEYS_RANDOM = 5;
export const VOLATILE_RANDOM = 6;
export const VOLATILE_TTL = 7;
export const ALLKEYS_SIEVE = 8;

/** Whether a new entry has to show that it is used more often than what would go for it; numbers in this order. */
export const ADMISSIONS = ["none", "tinylfu"] as const;
export type Admission = typeof ADMISSIONS[number];

/** How slowly counts of uses grow, where nobody says otherwise, and that they decay with the cache's turnover. */
export const LFU_LOG_FACTOR_START = 1;
export const LFU_DECAY_BY_TURNOVER = -1;
/** The same in words, in the place of minutes. */
export const LFU_DECAY_AUTO = "auto";

/** What the 16 bits beside each entry of the index hold: when it was used, how often, or whether. */
export const BY_RECENCY = 0;
export const BY_FREQUENCY = 1;
export const BY_VISITS = 2;
/** When, and whether since it came: recency under admission. */
export const BY_SEGMENT = 3;

/** `isAdmitting`: see `isAdmissionOf()`. */
export function clockKindOf(policy: number, isAdmitting: boolean): number {
  if (isAdmitting && (policy === ALLKEYS_LRU || policy === VOLATILE_LRU)) return BY_SEGMENT;
  if (policy === ALLKEYS_LFU || policy === VOLATILE_LFU) return BY_FREQUENCY;
  return policy === ALLKEYS_SIEVE ? BY_VISITS : BY_RECENCY;
}

/** Whether uses are counted under a policy: where nothing goes, or a TTL has the last word, they need not be. */
export function isAdmissionOf(policy: number, admission: number): boolean {
  return admission !== 0 && policy !== NO_EVICTION && policy !== VOLATILE_TTL;
}

/** Whether only entries that expire one day are let go. */
export function isVolatile(policy: number): boolean {
  return policy === VOLATILE_LRU || policy === VOLATILE_LFU || policy === VOLATILE_RANDOM ||
    policy === VOLATILE_TTL;
}
