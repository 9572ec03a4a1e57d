// What a key costs in resident memory, fresh and after half of the keys were replaced by larger
// ones; knows no bars.
import { deleteKeys, type KeyRange, loadKeys } from "./key_loader.ts";
import type { Peer, RunningServer } from "./peers.ts";
import { KEY_BYTES, keyPicker } from "./requests.ts";
import { type Bench, settledRssBytes, withServer, type WorkloadGroup } from "./workload.ts";

const VALUE_BYTES = 64;
const REFILL_VALUE_BYTES = 100;

export const MEMORY_GROUP: WorkloadGroup = {
  name: "memory",
  summary: "resident memory per key at a million keys, and after replacing half by larger values",
  run: async (bench) => {
    for (let run = 1; run <= bench.sizes.runs; run++) {
      for (const peer of bench.peers) await measurePeer(bench, peer, run);
    }
  },
};

/**
 * One server is filled, half deleted and refilled; another gets the same final content straight
 * away.
 */
async function measurePeer(bench: Bench, peer: Peer, run: number): Promise<void> {
  const keys = bench.sizes.manyKeys;
  const half = keys >> 1;
  const original: KeyRange = {
    first: 0,
    count: keys,
    keyBytes: KEY_BYTES,
    valueBytes: VALUE_BYTES,
  };
  const refill: KeyRange = {
    ...original,
    first: keys,
    count: half,
    valueBytes: REFILL_VALUE_BYTES,
  };
  const deleted = randomHalf(keys);
  const survivors: KeyRange = { ...original, only: (index) => deleted[index] === 0 };
  const options = { workers: 1 };
  let emptyRssBytes = NaN, bytesPerKey = NaN, refilledBytes = NaN, freshBytes = NaN;

  await withServer(bench, peer, "memory", options, async (server) => {
    const empty = await settledRssBytes(server, bench.sizes.settleMs);
    emptyRssBytes = empty;
    await loadKeys(target(server), original);
    bytesPerKey = (await settledRssBytes(server, bench.sizes.settleMs) - empty) / keys;
    await deleteKeys(target(server), { ...original, only: (index) => deleted[index] === 1 });
    await loadKeys(target(server), refill);
    refilledBytes = await settledRssBytes(server, bench.sizes.settleMs) - empty;
  });
  if (Number.isNaN(refilledBytes)) return;
  await withServer(bench, peer, "memory", options, async (server) => {
    const empty = await settledRssBytes(server, bench.sizes.settleMs);
    await loadKeys(target(server), survivors);
    await loadKeys(target(server), refill);
    freshBytes = await settledRssBytes(server, bench.sizes.settleMs) - empty;
  });
  if (Number.isNaN(freshBytes)) return;
  bench.record({
    run,
    group: "memory",
    workload: "memory",
    server: peer.name,
    driver: "generator",
    figures: { emptyRssBytes, bytesPerKey, refillGrowthRatio: refilledBytes / freshBytes },
  });
}

// Marks exactly half of the keys, the same ones for every server: a shuffle with a fixed seed.
function randomHalf(keys: number): Uint8Array {
  const marks = new Uint8Array(keys).fill(1, 0, keys >> 1);
  const draw = keyPicker(0x1b873593, 0x1_0000_0000);
  for (let i = keys - 1; i > 0; i--) {
    const j = draw() % (i + 1);
    const mark = marks[i];
    marks[i] = marks[j];
    marks[j] = mark;
  }
  return marks;
}

function target(server: RunningServer): { port: number; protocol: "resp" | "memcached" } {
  return { port: server.port, protocol: server.peer.protocol };
}
