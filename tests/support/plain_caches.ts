// Caches written plainly, as the textbooks and papers have them: what the store's policies are measured against.

/** Gives whether the key was there; it is afterwards. */
export type PlainCache = (key: number) => boolean;

/** Exactly by recency: a Map keeps the order. */
export function plainLru(capacity: number): PlainCache {
  const entries = new Map<number, true>();
  return (key) => {
    const isThere = entries.delete(key);
    if (!isThere && entries.size >= capacity) entries.delete(entries.keys().next().value!);
    entries.set(key, true);
    return isThere;
  };
}

interface Node {
  readonly key: number;
  isVisited: boolean;
  older: Node | null;
  newer: Node | null;
}

/** SIEVE as in Algorithm 1 of Zhang and others, "SIEVE is Simpler than LRU", NSDI 2024. */
export function plainSieve(capacity: number): PlainCache {
  const nodes = new Map<number, Node>();
  let newest: Node | null = null, oldest: Node | null = null, hand: Node | null = null;
  const evict = () => {
    let node = hand ?? oldest!;
    while (node.isVisited) {
      node.isVisited = false;
      node = node.newer ?? oldest!;
    }
    hand = node.newer;
    if (node.newer === null) newest = node.older;
    else node.newer.older = node.older;
    if (node.older === null) oldest = node.newer;
    else node.older.newer = node.newer;
    nodes.delete(node.key);
  };
  return (key) => {
    const found = nodes.get(key);
    if (found !== undefined) {
      found.isVisited = true;
      return true;
    }
    if (nodes.size >= capacity) evict();
    const node: Node = { key, isVisited: false, older: newest, newer: null };
    if (newest !== null) newest.newer = node;
    newest = node;
    oldest ??= node;
    nodes.set(key, node);
    return false;
  };
}

/** Exactly by how often a key was used since it came, the longest unused first among equals. */
export function plainLfu(capacity: number): PlainCache {
  const counts = new Map<number, number>(), byCount = new Map<number, Map<number, true>>();
  let least = 1;
  const place = (key: number, count: number) => {
    counts.set(key, count);
    let same = byCount.get(count);
    if (same === undefined) byCount.set(count, same = new Map());
    same.set(key, true);
  };
  const take = (key: number, count: number) => {
    const same = byCount.get(count)!;
    same.delete(key);
    if (same.size === 0) byCount.delete(count);
  };
  return (key) => {
    const count = counts.get(key);
    if (count !== undefined) {
      take(key, count);
      place(key, count + 1);
      return true;
    }
    if (counts.size >= capacity) {
      while (!byCount.has(least)) least++;
      const victim: number = byCount.get(least)!.keys().next().value!;
      take(victim, least);
      counts.delete(victim);
    }
    place(key, 1);
    least = 1;
    return false;
  };
}

/** As the paper on TinyLFU has it: counts end there, and are halved after so many accesses per entry. */
const COUNT_MAX = 15, SAMPLE_PER_ENTRY = 10;

/**
 * W-TinyLFU as in Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", 2017: a window of
 * one in a hundred by recency, a segmented list of which four in five are protected, and exact counts for a sketch.
 */
export function plainTinyLfu(capacity: number): PlainCache {
  const windowMax = Math.max(1, Math.round(capacity / 100)), mainMax = capacity - windowMax;
  const protectedMax = Math.floor(mainMax * 0.8);
  const recent = new Map<number, true>(), probation = new Map<number, true>();
  const kept = new Map<number, true>(), counts = new Map<number, number>();
  const countOf = (key: number) => counts.get(key) ?? 0;
  const oldest = (list: Map<number, true>): number => list.keys().next().value!;
  let uses = 0;
  const count = (key: number) => {
    counts.set(key, Math.min(COUNT_MAX, countOf(key) + 1));
    if (++uses < capacity * SAMPLE_PER_ENTRY) return;
    uses = Math.floor(uses / 2);
    for (const [each, many] of counts) {
      if (many < 2) counts.delete(each);
      else counts.set(each, many >>> 1);
    }
  };
  return (key) => {
    count(key);
    if (recent.delete(key)) recent.set(key, true);
    else if (kept.delete(key)) kept.set(key, true);
    else if (probation.delete(key)) {
      kept.set(key, true);
      if (kept.size > protectedMax) {
        const demoted = oldest(kept);
        kept.delete(demoted);
        probation.set(demoted, true);
      }
    } else {
      recent.set(key, true);
      if (recent.size <= windowMax) return false;
      const candidate = oldest(recent);
      recent.delete(candidate);
      if (probation.size + kept.size >= mainMax) {
        const list = probation.size > 0 ? probation : kept, victim = oldest(list);
        if (countOf(candidate) <= countOf(victim)) return false;
        list.delete(victim);
      }
      probation.set(candidate, true);
      return false;
    }
    return true;
  };
}

/** The part of a trace's accesses that found their key, from 0 to 1. */
export function hitRatio(cache: PlainCache, trace: Int32Array): number {
  let hits = 0;
  for (const key of trace) if (cache(key)) hits++;
  return hits / trace.length;
}
