// Four threads give keys times and sweep each other's: nothing is gone early, nothing stays, and the index of expiry
// is sound afterwards. MAYFLY_SIM_SECONDS and MAYFLY_SIM_SEED set duration and seed.
import assert from "node:assert/strict";
import { createStoreMemory } from "../../src/store/store.ts";
import { StoreAccess } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";
import type { ExpiryReport, ExpiryTask } from "./expiry_worker.ts";

const THREADS = 4;
const HANG_MS = 30_000;
const SECONDS = Number(Deno.env.get("MAYFLY_SIM_SECONDS") ?? 3);
const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);

async function simulate(task: Omit<ExpiryTask, "thread">): Promise<ExpiryReport[]> {
  const url = new URL("./expiry_worker.ts", import.meta.url);
  const workers = Array.from({ length: THREADS }, () => new Worker(url, { type: "module" }));
  const timers: ReturnType<typeof setTimeout>[] = [];
  try {
    return await Promise.all(
      workers.map((worker, thread) =>
        new Promise<ExpiryReport>((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = (event) => {
            event.preventDefault();
            reject(new Error(`seed ${SEED}, thread ${thread}: ${event.message}`));
          };
          const late = new Error(`seed ${SEED}, thread ${thread} does not end`);
          timers.push(setTimeout(() => reject(late), task.durationMs + HANG_MS));
          worker.postMessage({ ...task, thread });
        })
      ),
    );
  } finally {
    timers.forEach((timer) => clearTimeout(timer));
    for (const worker of workers) worker.terminate();
  }
}

Deno.test("four threads that sweep each other's keys lose none early and keep none late", async () => {
  // Few shards, so that threads meet; locks start just below a wrap of their count.
  const memory = createStoreMemory({
    maxmemoryBytes: 2 ** 25,
    maxValueBytes: 2 ** 20,
    shardCount: 4,
    lockStart: -4_000,
  });
  const reports = await simulate({ memory, durationMs: SECONDS * 1000, seed: SEED });
  const { store } = new StoreAccess(memory), label = `MAYFLY_SIM_SEED=${SEED}`;
  const sum = (what: "lasting" | "swept" | "found" | "gone") =>
    reports.reduce((total, report) => total + report[what], 0);
  console.log(`${label}: ${sum("swept")} swept, ${sum("found")} found, ${sum("gone")} gone`);
  assert.deepEqual(reports.flatMap(({ offences }) => offences), [], label);
  for (const what of ["lasting", "swept", "found", "gone"] as const) {
    assert.ok(sum(what) > 0, `${label}: none ${what}`);
  }
  checkInvariants(store);
  for (const shard of store.shards) store.sweepAll(shard, Date.now() + 7_200_000);
  const { entries, expiring } = store.entryCounts(0);
  assert.deepEqual([entries, expiring], [sum("lasting"), 0], label);
  checkInvariants(store);
});
