// Hit ratios of each policy on the same traces, beside plain caches and, where installed, redis-server: a table, an SVG.
//
// deno task bench:policies [--svg FOLDER]. MAYFLY_BENCH_TOY=1 makes the traces short enough to see that it works.
import type { EvictionPolicy } from "../../src/eviction_policies.ts";
import { findProgram } from "../../tests/support/needs.ts";
import {
  hitRatio,
  plainLfu,
  plainLru,
  plainSieve,
  plainTinyLfu,
} from "../../tests/support/plain_caches.ts";
import { startRedis } from "../../tests/support/redis_server.ts";
import { connect, plain, type RespClient } from "../../tests/support/resp_client.ts";
import { storeCache } from "../../tests/support/store_cache.ts";
import {
  loopTrace,
  newestTrace,
  onceTrace,
  pagesTrace,
  scanTrace,
  shiftingTrace,
  zipfTrace,
} from "../../tests/support/traces.ts";
import { SCHEMES } from "../peers/chart.ts";
import { ratioChart, type RatioRow } from "./ratio_chart.ts";

const IS_TOY = Deno.env.get("MAYFLY_BENCH_TOY") === "1";
const OPTIONS = IS_TOY
  ? { keys: 10_000, length: 20_000, seed: 1 }
  : { keys: 100_000, length: 400_000, seed: 1 };
const TRACES: Readonly<Record<string, Int32Array>> = {
  "Zipf 0.8": zipfTrace(0.8, OPTIONS),
  "Zipf 1.0": zipfTrace(1, OPTIONS),
  "Zipf 1.0, scans": scanTrace(1, OPTIONS),
  "Zipf 0.8, shifting": shiftingTrace(0.8, OPTIONS),
  "loops": loopTrace(OPTIONS),
  "half used once": onceTrace(OPTIONS),
  "the newest": newestTrace(OPTIONS),
};
/** Of the keys; a cache of one in a hundred asks for entries enough to be sampled. */
const PARTS = [0.01, 0.1];
/** What the picture shows; the table has both. */
const DRAWN_PART = 0.1;
const OURS: readonly (readonly [title: string, policy: EvictionPolicy, isAdmitting: boolean])[] = [
  ["lru", "allkeys-lru", false],
  ["lfu", "allkeys-lfu", false],
  ["sieve", "allkeys-sieve", false],
  ["lru+tinylfu", "allkeys-lru", true],
  ["sieve+tinylfu", "allkeys-sieve", true],
];
const PLAIN = { LRU: plainLru, LFU: plainLfu, SIEVE: plainSieve, "W-TinyLFU": plainTinyLfu };
/** What O'Neil and others print of LRU for their trace of 1000 pages (see `pagesTrace()`), by buffers. */
const PRINTED_LRU: readonly (readonly [buffers: number, ratio: number])[] = [
  [40, 0.53],
  [100, 0.63],
  [200, 0.72],
];
/** Accesses of one round trip: what misses twice within it counts as one miss. */
const BLOCK = 32;
/** Tries to find the limit at which Redis holds so many entries, give or take that part. */
const LIMIT_TRIES_MAX = 10, LIMIT_PART = 0.02;
const VALUE = "x".repeat(64);

const hasRedis = findProgram("redis-server") !== null;
const rows: (RatioRow & { part: number })[] = [];
for (const [name, trace] of Object.entries(TRACES)) {
  for (const part of PARTS) {
    const wanted = Math.round(OPTIONS.keys * part), values = new Map<string, number>();
    let capacity = wanted;
    for (const policy of hasRedis ? ["allkeys-lru", "allkeys-lfu"] : []) {
      const { ratio, keys } = await redisRatio(policy, wanted, trace);
      values.set(`Redis ${policy.slice(8)}`, ratio);
      // All others get what its LRU holds.
      if (policy === "allkeys-lru") capacity = keys;
    }
    for (const [title, policy, isAdmitting] of OURS) {
      const { use } = storeCache(policy, capacity, isAdmitting);
      values.set(`mayfly ${title}`, hitRatio(use, trace));
    }
    for (const [title, make] of Object.entries(PLAIN)) {
      values.set(`exact ${title}`, hitRatio(make(capacity), trace));
    }
    rows.push({ name: `${name}, ${capacity} entries`, part, values });
    console.log(
      `${name}, ${capacity} entries: ` +
        [...values].map(([title, ratio]) => `${title} ${(ratio * 100).toFixed(2)}`).join("  "),
    );
  }
}
const pages = pagesTrace({ keys: 1000, length: IS_TOY ? 30_000 : 300_000, seed: OPTIONS.seed });
console.log("\nPages by the 80-20 law, as in the paper on LRU-K:");
for (const [buffers, printed] of PRINTED_LRU) {
  const values = OURS.map(([title, policy, isAdmitting]) =>
    `mayfly ${title} ${(hitRatio(storeCache(policy, buffers, isAdmitting).use, pages)).toFixed(3)}`
  );
  const exact = hitRatio(plainLru(buffers), pages).toFixed(3);
  console.log(`${buffers} buffers: printed ${printed}  exact LRU ${exact}  ${values.join("  ")}`);
}
const titles = [...rows[0].values.keys()];
console.log(`\n| trace, size of the cache | ${titles.join(" | ")} |`);
console.log(`|---|${titles.map(() => "---|").join("")}`);
for (const { name, values } of rows) {
  const cells = titles.map((title) => ((values.get(title) ?? 0) * 100).toFixed(1));
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}
const folder = Deno.args[0] === "--svg" ? Deno.args[1] : undefined;
if (folder !== undefined) {
  for (const scheme of SCHEMES) {
    const chart = ratioChart(rows.filter(({ part }) => part === DRAWN_PART).map(served), scheme);
    await Deno.writeTextFile(`${folder}/policies-${scheme}.svg`, chart);
  }
}

/** The row without the plain caches. */
function served({ name, values }: RatioRow): RatioRow {
  return { name, values: new Map([...values].filter(([title]) => !title.startsWith("exact"))) };
}

/** Redis's hit ratio with memory for about `wanted` entries, and how many it held in the end. */
async function redisRatio(
  policy: string,
  wanted: number,
  trace: Int32Array,
): Promise<{ ratio: number; keys: number }> {
  await using server = await startRedis();
  using client = await connect(server.port);
  await client.command("CONFIG", "SET", "maxmemory-policy", policy);
  // Redis counts tables and buffers of connections too, so it is tried out which limit holds so many entries.
  const emptyBytes = await usedBytes(client);
  await fill(client, "sample", wanted);
  const filledBytes = await usedBytes(client), perKey = (filledBytes - emptyBytes) / wanted;
  let limit = filledBytes;
  for (let tries = 0; tries < LIMIT_TRIES_MAX; tries++) {
    await client.command("CONFIG", "SET", "maxmemory", String(Math.round(limit)));
    await fill(client, `sample:${tries}`, wanted * 2);
    const keys = plain(await client.command("DBSIZE")) as number;
    if (Math.abs(keys - wanted) <= wanted * LIMIT_PART) break;
    limit += (wanted - keys) * perKey;
  }
  await client.command("FLUSHALL");
  let hits = 0;
  for (let at = 0; at < trace.length; at += BLOCK) {
    const block = trace.subarray(at, at + BLOCK);
    const found = await client.pipeline([...block].map((key) => ["GET", `key:${key}`]));
    const missing = new Set<number>();
    block.forEach((key, i) => {
      if (plain(found[i]) !== null || missing.has(key)) hits++;
      else missing.add(key);
    });
    if (missing.size > 0) {
      await client.pipeline([...missing].map((key) => ["SET", `key:${key}`, VALUE]));
    }
  }
  return { ratio: hits / trace.length, keys: plain(await client.command("DBSIZE")) as number };
}

async function fill(client: RespClient, prefix: string, count: number): Promise<void> {
  for (let at = 0; at < count; at += BLOCK) {
    const length = Math.min(BLOCK, count - at);
    await client.pipeline(
      Array.from({ length }, (_, i) => ["SET", `${prefix}:${at + i}`, VALUE]),
    );
  }
}

async function usedBytes(client: RespClient): Promise<number> {
  const info = String(plain(await client.command("INFO", "memory")));
  return Number(/used_memory:(\d+)/.exec(info)![1]);
}
