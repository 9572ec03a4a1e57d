// Small reads beside one client that writes and reads the largest values in a loop; knows no bars.
import { loadKeys } from "./key_loader.ts";
import { generateLoad, LOAD_DEFAULTS, type LoadSpec, wrongReplies } from "./load_generator.ts";
import type { Peer } from "./peers.ts";
import { type Bench, measured, withServer, type WorkloadGroup } from "./workload.ts";

const SMALL_KEY_BYTES = 64;
const SMALL_VALUE_BYTES = 64;
// Far below what any of the servers can do: the question is how long a large value makes a small
// one wait.
const SMALL_RATE_PER_S = 5000;
const LARGE_EXTRA_SECONDS = 1;

export const LARGE_GROUP: WorkloadGroup = {
  name: "large",
  summary: "GETs of 64-byte keys beside one client that writes and reads 64 MiB values",
  run: async (bench) => {
    for (let run = 1; run <= bench.sizes.runs; run++) {
      for (const peer of bench.peers) await measurePeer(bench, peer, run);
    }
  },
};

async function measurePeer(bench: Bench, peer: Peer, run: number): Promise<void> {
  const { sizes } = bench;
  const options = { workers: 1, valueBytesMax: sizes.largeBytes };
  await withServer(bench, peer, "large", options, async (server) => {
    const small: LoadSpec = {
      ...LOAD_DEFAULTS,
      mode: "paced",
      port: server.port,
      protocol: peer.protocol,
      connections: sizes.clients,
      keyCount: sizes.keys,
      keyBytes: SMALL_KEY_BYTES,
      valueBytes: SMALL_VALUE_BYTES,
      ratePerS: SMALL_RATE_PER_S,
      warmSeconds: sizes.warmSeconds,
      seconds: sizes.seconds,
    };
    await loadKeys(small, {
      first: 0,
      count: sizes.keys,
      keyBytes: SMALL_KEY_BYTES,
      valueBytes: SMALL_VALUE_BYTES,
    });
    const large: LoadSpec = {
      ...small,
      mode: "large",
      connections: 1,
      valueBytes: sizes.largeBytes,
      warmSeconds: 0,
      seconds: sizes.warmSeconds + sizes.seconds + LARGE_EXTRA_SECONDS,
    };
    const [[reads, writes], used] = await measured(
      server,
      () => Promise.all([generateLoad(small), generateLoad(large)]),
    );
    const wrong = wrongReplies(reads, 1, 0) ?? wrongReplies(writes, 1, 0);
    if (wrong !== null) throw new Error(wrong);
    bench.record({
      run,
      group: "large",
      workload: "large",
      server: peer.name,
      driver: "generator",
      figures: {
        throughputPerS: reads.operations / reads.seconds,
        latencyUsP50: reads.latencyUsP50,
        latencyUsP99: reads.latencyUsP99,
        errors: reads.errors + reads.stalled,
        unsentLate: reads.late,
        largeRoundTripsPerS: writes.operations / writes.seconds,
        stealPercent: used.stealPercent,
      },
    });
  });
}
