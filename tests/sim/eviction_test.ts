// Four real threads on one store that is full: no torn value, no write refused, invariants afterwards.
import assert from "node:assert/strict";
import { createStoreMemory } from "../../src/store/store.ts";
import { StoreAccess } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";
import type { EvictionReport, EvictionTask } from "./eviction_worker.ts";

const THREADS = 4, DURATION_MS = 4000, HANG_MS = 60_000;
const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);

Deno.test("four threads write to a full store and let entries go by every policy, and it stays whole", async () => {
  console.log(`seed ${SEED}`);
  const memory = createStoreMemory({
    maxmemoryBytes: 16 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    shardCount: 4,
  });
  const url = new URL("./eviction_worker.ts", import.meta.url);
  const workers = Array.from({ length: THREADS }, () => new Worker(url, { type: "module" }));
  const timers: ReturnType<typeof setTimeout>[] = [];
  try {
    const reports = await Promise.all(
      workers.map((worker, thread) =>
        new Promise<EvictionReport>((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = (event) => {
            event.preventDefault();
            reject(new Error(`seed ${SEED}, thread ${thread}: ${event.message}`));
          };
          const late = new Error(`seed ${SEED}, thread ${thread} does not end`);
          timers.push(setTimeout(() => reject(late), DURATION_MS + HANG_MS));
          const task: EvictionTask = { memory, seed: SEED + thread, durationMs: DURATION_MS };
          worker.postMessage(task);
        })
      ),
    );
    const { store } = new StoreAccess(memory);
    checkInvariants(store);
    const sum = (of: (report: EvictionReport) => number) =>
      reports.reduce((total, report) => total + of(report), 0);
    assert.deepEqual(reports.flatMap(({ offences }) => offences), []);
    assert.ok(sum(({ hits }) => hits) > 1000 && sum(({ written }) => written) > 1000);
    // Another thread may take, again and again, what one has made room for.
    assert.ok(sum(({ refused }) => refused) <= sum(({ written }) => written) / 1000, "refused");
    const { evicted, usedBytes, limitBytes } = store.totals();
    assert.ok(evicted > 1000);
    // The index grows past the limit where it must.
    assert.ok(usedBytes <= limitBytes * 1.05, `${usedBytes} of ${limitBytes}`);
  } finally {
    timers.forEach((timer) => clearTimeout(timer));
    for (const worker of workers) worker.terminate();
  }
});
