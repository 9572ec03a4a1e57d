// Four real threads on the hashes of one store: no torn field, no half of a pair, each thread's own hashes equal to its
// model, invariants afterwards. MAYFLY_SIM_SECONDS and MAYFLY_SIM_SEED set duration and seed.
import assert from "node:assert/strict";
import { createStoreMemory, type StoreMemory } from "../../src/store/store.ts";
import { StoreAccess } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";
import type { HashReport, HashTask } from "./hash_load.ts";

const THREADS = 4;
/** A thread that is this late goes in circles. */
const HANG_MS = 30_000;
const SECONDS = Number(Deno.env.get("MAYFLY_SIM_SECONDS") ?? 5);
const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);

async function simulate(
  memory: StoreMemory,
  durationMs: number,
  skipsConfirm: boolean,
): Promise<HashReport[]> {
  const timers: ReturnType<typeof setTimeout>[] = [];
  const url = new URL("./hash_worker.ts", import.meta.url);
  const workers = Array.from({ length: THREADS }, () => new Worker(url, { type: "module" }));
  try {
    return await Promise.all(
      workers.map((worker, thread) =>
        new Promise<HashReport>((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = (event) => {
            event.preventDefault();
            reject(new Error(`seed ${SEED}, thread ${thread}: ${event.message}`));
          };
          const late = new Error(`seed ${SEED}, thread ${thread} does not end`);
          timers.push(setTimeout(() => reject(late), durationMs + HANG_MS));
          const task: HashTask = { memory, seed: SEED, thread, durationMs, skipsConfirm };
          worker.postMessage(task);
        })
      ),
    );
  } finally {
    timers.forEach((timer) => clearTimeout(timer));
    for (const worker of workers) worker.terminate();
  }
}

function newMemory(maxmemoryBytes: number): StoreMemory {
  return createStoreMemory({
    maxmemoryBytes,
    maxValueBytes: 2 ** 20,
    shardCount: 2,
    lockStart: -4_000,
  });
}

function countsOf(reports: HashReport[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { counts } of reports) {
    for (const [what, count] of Object.entries(counts)) sums[what] = (sums[what] ?? 0) + count;
  }
  return sums;
}

for (
  const [maxmemoryMib, happened] of [
    [16, ["reads", "writes", "removals", "walks", "reaps", "own"]],
    [1, ["reads", "writes", "own", "refused"]],
  ] as const
) {
  Deno.test(`four threads tear and lose no field of a hash (${maxmemoryMib} MiB)`, async () => {
    const memory = newMemory(maxmemoryMib * 2 ** 20), { store } = new StoreAccess(memory);
    const label = `MAYFLY_SIM_SEED=${SEED}, ${maxmemoryMib} MiB`;
    const reports = await simulate(memory, SECONDS * 500, false), counts = countsOf(reports);
    console.log(`${label}: ${JSON.stringify(counts)}, moved ${store.totals().recordsMoved}`);
    const offences = reports.reduce((total, report) => total + report.offences, 0);
    const examples = reports.flatMap((report) => report.examples).join("; ");
    assert.equal(offences, 0, `${label}: ${offences} offences, as ${examples}`);
    checkInvariants(store);
    for (const what of happened) assert.ok((counts[what] ?? 0) > 0, `${label}: no ${what}`);
  });
}

Deno.test("the simulation with hashes turns red when readers skip their check", async () => {
  const reports = await simulate(newMemory(16 * 2 ** 20), 1_500, true);
  const offences = reports.reduce((total, report) => total + report.offences, 0);
  assert.ok(offences > 0, `MAYFLY_SIM_SEED=${SEED}: ${JSON.stringify(countsOf(reports))}`);
});
