// Hashes: commands on them as fast as servers go, 16 requests per batch, and what one costs in memory; knows no bars.
import { fieldName, hashKey, type HashShape, loadHashes, requireHashes } from "./hash_loader.ts";
import { pacedBenchmark } from "./paced_benchmark.ts";
import type { RunningServer } from "./peers.ts";
import { findRedisBenchmark } from "./redis_benchmark.ts";
import { type Bench, settledRssBytes, withServer, type WorkloadGroup } from "./workload.ts";

const FIELDS = 20;
const FIELDS_WIDE = 50;
const VALUE = "w0000000";
const PIPELINE = 16;
const FIRST_OPERATIONS = 20_000;
const KEY = "hash:__rand_int__";
/** A field in the middle: no server finds it first. */
const MIDDLE = fieldName(FIELDS >> 1);

/** Word by word, as redis-benchmark sends them. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  hset: ["HSET", KEY, MIDDLE, VALUE],
  hget: ["HGET", KEY, MIDDLE],
  hmget: [
    "HMGET",
    "wide:__rand_int__",
    ...Array.from({ length: FIELDS_WIDE }, (_, field) => fieldName(field)),
  ],
  hgetall: ["HGETALL", KEY],
};

export const HASH_GROUP: WorkloadGroup = {
  name: "hashes",
  summary: "HSET, HGET and HGETALL on hashes of 20 fields, HMGET of 50 fields, 16 requests per " +
    "batch, one worker; memory per hash of 20 fields of 8 bytes with values of 8 bytes",
  run: async (bench) => {
    await runCommands(bench);
    for (let run = 1; run <= bench.sizes.runs; run++) {
      for (const peer of bench.peers) {
        if (peer.protocol !== "resp") continue;
        await withServer(bench, peer, "hashes memory", { workers: 1 }, async (server) => {
          const bytesPerKey = await bytesPerHash(bench, server);
          record(bench, server, run, "memory", "generator", { bytesPerKey });
        });
      }
    }
  },
};

/** All servers live side by side, idle but for the one whose turn it is. */
async function runCommands(bench: Bench): Promise<void> {
  const executable = await findRedisBenchmark();
  if (executable === null) {
    for (const { name } of bench.peers) {
      bench.fail(name, "hashes", new Error("redis-benchmark is not installed"));
    }
    return;
  }
  const shapes = ["hash", "wide"].map((name): HashShape => ({
    name,
    count: bench.sizes.hashes,
    fields: name === "wide" ? FIELDS_WIDE : FIELDS,
  }));
  let servers: RunningServer[] = [];
  const attempt = async (server: RunningServer, workload: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      bench.fail(server.peer.name, workload, error);
      servers = servers.filter((other) => other !== server);
      await server.stop();
    }
  };
  try {
    for (const peer of bench.peers) {
      if (peer.protocol !== "resp") continue;
      try {
        servers.push(await peer.start({ workers: 1 }));
      } catch (error) {
        bench.fail(peer.name, "hashes", error);
      }
    }
    const checkAll = async (load: boolean) => {
      for (const server of servers) {
        await attempt(server, "hashes", async () => {
          for (const shape of shapes) {
            if (load) await loadHashes(server.port, shape);
            await requireHashes(server.port, shape);
          }
        });
      }
    };
    await checkAll(true);
    for (let run = 1; run <= bench.sizes.runs; run++) {
      for (const command of Object.keys(COMMANDS)) {
        for (const server of servers) {
          await attempt(server, `hashes ${command}`, () => {
            return measure(bench, executable, server, command, run);
          });
        }
      }
    }
    await checkAll(false);
  } finally {
    for (const server of servers) await server.stop();
  }
}

async function measure(
  bench: Bench,
  executable: string,
  server: RunningServer,
  command: string,
  run: number,
): Promise<void> {
  const { clients, hashes, warmSeconds, seconds } = bench.sizes;
  const figures = await pacedBenchmark(executable, server, {
    clients,
    pipeline: PIPELINE,
    keyCount: hashes,
    valueBytes: VALUE.length,
    command: COMMANDS[command],
  }, {
    firstOperations: FIRST_OPERATIONS,
    // The first run compiles the server's hot path; later ones only fill the caches again.
    warmSeconds: run === 1 ? warmSeconds : warmSeconds / 3,
    seconds,
  });
  record(bench, server, run, command, "redis-benchmark", figures);
}

async function bytesPerHash(bench: Bench, server: RunningServer): Promise<number> {
  const shape = { name: "hash", count: bench.sizes.manyHashes, fields: FIELDS };
  const empty = await settledRssBytes(server, bench.sizes.settleMs);
  await loadHashes(server.port, shape);
  const bytes = (await settledRssBytes(server, bench.sizes.settleMs) - empty) / shape.count;
  await requireHashes(server.port, shape);
  bench.say(
    `${server.peer.name}: ${hashKey(shape, 0)} and its like take ${Math.round(bytes)} bytes`,
  );
  return bytes;
}

function record(
  bench: Bench,
  { peer }: RunningServer,
  run: number,
  what: string,
  driver: string,
  figures: Parameters<Bench["record"]>[0]["figures"],
): void {
  const workload = `hashes ${what}`;
  bench.record({ run, group: "hashes", workload, server: peer.name, driver, figures });
}
