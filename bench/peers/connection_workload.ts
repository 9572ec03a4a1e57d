// Ten thousand connections: what an idle one costs, what they cost the active ones, and all of them
// speaking once a second; knows no bars.
import { loadKeys } from "./key_loader.ts";
import {
  generateLoad,
  holdConnections,
  LOAD_DEFAULTS,
  type LoadResult,
  type LoadSpec,
  wrongReplies,
} from "./load_generator.ts";
import type { Peer } from "./peers.ts";
import { KEY_BYTES } from "./requests.ts";
import {
  type Bench,
  measured,
  type Sample,
  settledRssBytes,
  type Used,
  withServer,
  type WorkloadGroup,
} from "./workload.ts";

const VALUE_BYTES = 64;
const SPARE_CLIENTS = 500;
const EACH_PER_S = 1;
const EACH_SECONDS_FACTOR = 3;

export const CONNECTION_GROUP: WorkloadGroup = {
  name: "connections",
  summary: "ten thousand idle connections, active ones beside them, ten thousand slow ones",
  run: async (bench) => {
    for (let run = 1; run <= bench.sizes.runs; run++) {
      for (const peer of bench.peers) await measurePeer(bench, peer, run);
    }
  },
};

async function measurePeer(bench: Bench, peer: Peer, run: number): Promise<void> {
  const { sizes } = bench;
  const options = { workers: 1, clientsMax: sizes.idleConnections + SPARE_CLIENTS };
  const record = (workload: string, figures: Sample["figures"]) =>
    bench.record({
      run,
      group: "connections",
      workload,
      server: peer.name,
      driver: "generator",
      figures,
    });

  await withServer(bench, peer, "connections", options, async (server) => {
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
    await loadKeys(spec, {
      first: 0,
      count: sizes.keys,
      keyBytes: KEY_BYTES,
      valueBytes: VALUE_BYTES,
    });
    // Half of what this server and the generator reach together: the generator, too, needs its
    // share of the machine.
    const [saturated, saturatedUsed] = await measured(server, () => generateLoad(spec));
    record("connections saturated", figuresOf(saturated, saturatedUsed));
    const half: LoadSpec = {
      ...spec,
      mode: "paced",
      ratePerS: Math.max(1, Math.round(saturated.operations / saturated.seconds / 2)),
    };
    const [alone, aloneUsed] = await measured(server, () => generateLoad(half));
    record("connections alone", figuresOf(alone, aloneUsed));

    const before = await settledRssBytes(server, sizes.settleMs);
    const held = await holdConnections({
      ...spec,
      mode: "hold",
      connections: sizes.idleConnections,
    });
    let lost = 0;
    let bytesPerConnection: number;
    let beside: LoadResult;
    let besideUsed: Used;
    try {
      const heldBytes = await settledRssBytes(server, sizes.settleMs) - before;
      bytesPerConnection = heldBytes / sizes.idleConnections;
      [beside, besideUsed] = await measured(server, () => generateLoad(half));
    } finally {
      lost = await held.release();
    }
    record("connections beside idle", {
      ...figuresOf(beside, besideUsed),
      errors: beside.errors + beside.stalled + lost,
      bytesPerConnection,
      p99RatioToAlone: beside.latencyUsP99 / alone.latencyUsP99,
      p99UsAboveAlone: beside.latencyUsP99 - alone.latencyUsP99,
    });

    await settledRssBytes(server, sizes.settleMs);
    const [each, eachUsed] = await measured(server, () =>
      generateLoad({
        ...spec,
        mode: "paced",
        connections: sizes.idleConnections,
        ratePerS: sizes.idleConnections * EACH_PER_S,
        seconds: sizes.seconds * EACH_SECONDS_FACTOR,
      }));
    record("connections once a second", figuresOf(each, eachUsed));
  });
}

function figuresOf(result: LoadResult, used: Used): Sample["figures"] {
  // Error replies are figures here, they have a bar; a reply of another kind is a failure.
  const wrong = result.errors > 0 ? null : wrongReplies(result, 1, 0);
  if (wrong !== null) throw new Error(wrong);
  return {
    throughputPerS: result.operations / result.seconds,
    latencyUsP50: result.latencyUsP50,
    latencyUsP99: result.latencyUsP99,
    cpuUsPerOp: used.cpuUs / result.operationsTotal,
    errors: result.errors + result.stalled,
    unsentLate: result.late,
    stealPercent: used.stealPercent,
  };
}
