// A million keys that expire at the same moment beside clients that read others, and what a TTL costs in memory;
// knows no bars.
import { openKeyCount } from "./key_count.ts";
import { type KeyRange, loadKeys } from "./key_loader.ts";
import { generateLoad, LOAD_DEFAULTS, type LoadSpec, wrongReplies } from "./load_generator.ts";
import type { Peer, RunningServer } from "./peers.ts";
import { KEY_BYTES } from "./requests.ts";
import {
  type Bench,
  measured,
  settledRssBytes,
  withServer,
  type WorkloadGroup,
} from "./workload.ts";

const VALUE_BYTES = 64;
/** The moment of expiry lies so many times behind what loading should take, and so long behind its end. */
const LOAD_SLACK_FACTOR = 3;
const LOAD_SLACK_MS = 2000;
/** Recording begins this long before that moment; what it was before is told of as long a time as is recorded. */
const LEAD_MS = 100;
const GONE_MS_MAX = 60_000;
const POLL_MS = 20;
const DAY_MS = 86_400_000;

export const EXPIRY_GROUP: WorkloadGroup = {
  name: "expiry",
  summary: "GETs beside a million keys that expire at one moment; memory per key with a TTL",
  run: async (bench) => {
    for (let run = 1; run <= bench.sizes.runs; run++) {
      for (const peer of bench.peers) {
        // Others expire by the second and tell no count of what is left.
        if (peer.protocol !== "resp") continue;
        await measureStorms(bench, peer, run);
        await measureMemory(bench, peer, run, "expiry memory without TTL", 0);
        await measureMemory(bench, peer, run, "expiry memory with TTL", DAY_MS);
      }
    }
  },
};

/** Two storms at one server: what the first one runs is compiled meanwhile, beside the clients and on the same cores. */
async function measureStorms(bench: Bench, peer: Peer, run: number): Promise<void> {
  const { sizes } = bench;
  await withServer(bench, peer, "expiry storm", { workers: 1 }, async (server) => {
    const spec: LoadSpec = {
      ...LOAD_DEFAULTS,
      mode: "closed",
      port: server.port,
      protocol: peer.protocol,
      connections: sizes.clients,
      keyCount: sizes.keys,
      warmSeconds: sizes.warmSeconds,
      seconds: sizes.seconds,
    };
    const beganMs = performance.now();
    await loadKeys(spec, othersOf(bench));
    const msPerKey = (performance.now() - beganMs) / sizes.keys;
    const saturated = await generateLoad(spec);
    const half: LoadSpec = {
      ...spec,
      mode: "paced",
      ratePerS: Math.max(1, Math.round(saturated.operations / saturated.seconds / 2)),
    };
    for (const workload of ["expiry storm", "expiry storm again"]) {
      await measureStorm(bench, { run, server, workload, half, msPerKey });
    }
  });
}

interface Storm {
  readonly run: number;
  readonly server: RunningServer;
  readonly workload: string;
  /** The clients beside it, at half of what they saturate the server with. */
  readonly half: LoadSpec;
  readonly msPerKey: number;
}

async function measureStorm(bench: Bench, storm: Storm): Promise<void> {
  const { sizes } = bench, { run, server, workload, half } = storm;
  // The same run of the generator shows how it is before, beside as many keys: what a million of them cost the
  // processor's caches, and a generator that has run for seconds, is no storm.
  const aheadMs = sizes.seconds * 1000 + LEAD_MS;
  const atMs = Date.now() + sizes.manyKeys * storm.msPerKey * LOAD_SLACK_FACTOR + LOAD_SLACK_MS +
    aheadMs;
  await loadKeys(half, {
    ...othersOf(bench),
    first: sizes.keys,
    count: sizes.manyKeys,
    expiresAtMs: Math.round(atMs),
  });
  const leftMs = atMs - Date.now();
  if (leftMs < aheadMs) {
    throw new Error(`loading took ${Math.round(aheadMs - leftMs)} ms longer than foreseen`);
  }
  const [[beside, goneMs], used] = await measured(server, () =>
    Promise.all([
      generateLoad({ ...half, warmSeconds: (leftMs - LEAD_MS) / 1000 }),
      untilGone(server, sizes.keys, atMs),
    ]));
  const wrong = wrongReplies(beside, 1, 0);
  if (wrong !== null) throw new Error(wrong);
  bench.record({
    run,
    group: "expiry",
    workload,
    server: server.peer.name,
    driver: "generator",
    figures: {
      throughputPerS: beside.operations / beside.seconds,
      latencyUsP50: beside.latencyUsP50,
      latencyUsP99: beside.latencyUsP99,
      p99RatioToAlone: beside.latencyUsP99 / beside.latencyUsP99Warm,
      p99UsAboveAlone: beside.latencyUsP99 - beside.latencyUsP99Warm,
      expiredWithinMs: goneMs,
      errors: beside.errors + beside.stalled,
      unsentLate: beside.late,
      stealPercent: used.stealPercent,
    },
  });
}

function othersOf({ sizes }: Bench): KeyRange {
  return { first: 0, count: sizes.keys, keyBytes: KEY_BYTES, valueBytes: VALUE_BYTES };
}

/** How long after `atMs` the server holds `keys` keys and no more, in ms; asks before too, so that this is no difference. */
async function untilGone(server: RunningServer, keys: number, atMs: number): Promise<number> {
  const count = await openKeyCount(server.port);
  try {
    while (await count.ask() > keys || Date.now() < atMs) {
      if (Date.now() - atMs > GONE_MS_MAX) throw new Error("expired keys stay for a minute");
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return Date.now() - atMs;
  } finally {
    count.close();
  }
}

async function measureMemory(
  bench: Bench,
  peer: Peer,
  run: number,
  workload: string,
  ttlMs: number,
): Promise<void> {
  const { manyKeys, settleMs } = bench.sizes;
  await withServer(bench, peer, workload, { workers: 1 }, async (server) => {
    const empty = await settledRssBytes(server, settleMs);
    await loadKeys({ port: server.port, protocol: peer.protocol }, {
      first: 0,
      count: manyKeys,
      keyBytes: KEY_BYTES,
      valueBytes: VALUE_BYTES,
      ...ttlMs === 0 ? {} : { expiresAtMs: Date.now() + ttlMs },
    });
    const bytesPerKey = (await settledRssBytes(server, settleMs) - empty) / manyKeys;
    bench.record({
      run,
      group: "expiry",
      workload,
      server: peer.name,
      driver: "generator",
      figures: { bytesPerKey },
    });
  });
}
