// Four real threads on one store: no torn value, no lost update, final state equal to each writer's model,
// invariants afterwards. MAYFLY_SIM_SECONDS and MAYFLY_SIM_SEED set duration and seed; with
// MAYFLY_SIM_BREAK=confirm readers skip their check, and the simulation must turn red.
import assert from "node:assert/strict";
import { createStoreMemory, type StoreMemory } from "../../src/store/store.ts";
import { StoreAccess } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";
import { readValue } from "./checked_value.ts";
import {
  COUNTER_KEYS,
  type LoadMix,
  type LoadReport,
  type LoadTask,
} from "./shared_memory_load.ts";

const THREADS = 4;
/** A thread that is this late goes in circles. */
const HANG_MS = 30_000;
const EVERYTHING = ["reads", "pairReads", "increments", "blockReads", "chunkReads", "bulkPhases"];
const SECONDS = Number(Deno.env.get("MAYFLY_SIM_SECONDS") ?? 5);
const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);
const BREAK = Deno.env.get("MAYFLY_SIM_BREAK") === "confirm" ? "confirm" : "";

/** Duration, fault and mix of one run. */
type Plan = Pick<LoadTask, "durationMs" | "broken" | "mix">;

async function simulate(memory: StoreMemory, plan: Plan): Promise<LoadReport[]> {
  const timers: ReturnType<typeof setTimeout>[] = [];
  const url = new URL("./shared_memory_worker.ts", import.meta.url);
  const workers = Array.from({ length: THREADS }, () => new Worker(url, { type: "module" }));
  try {
    return await Promise.all(
      workers.map((worker, thread) =>
        new Promise<LoadReport>((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = (event) => {
            event.preventDefault();
            reject(new Error(`seed ${SEED}, thread ${thread}: ${event.message}`));
          };
          const late = new Error(`seed ${SEED}, thread ${thread} does not end`);
          timers.push(setTimeout(() => reject(late), plan.durationMs + HANG_MS));
          const task: LoadTask = { ...plan, memory, seed: SEED, thread, threads: THREADS };
          worker.postMessage(task);
        })
      ),
    );
  } finally {
    timers.forEach((timer) => clearTimeout(timer));
    for (const worker of workers) worker.terminate();
  }
}

function newMemory(maxmemoryBytes: number, shardCount = 4): StoreMemory {
  // Few shards, so that threads meet; locks start just below a wrap of their count.
  return createStoreMemory({
    maxmemoryBytes,
    maxValueBytes: 2 ** 20,
    shardCount,
    lockStart: -4_000,
  });
}

function sum(reports: LoadReport[], what: string): number {
  return reports.reduce((total, report) => total + (report.counts[what] ?? 0), 0);
}

function checkEnd(access: StoreAccess, reports: LoadReport[], label: string): void {
  const { store } = access;
  const found = reports.flatMap((report) => report.examples);
  const offences = reports.reduce((total, report) => total + report.offences, 0);
  assert.equal(offences, 0, `${label}: ${offences} offences, as ${found.join("; ")}`);
  for (let number = 0; number < COUNTER_KEYS; number++) {
    const total = reports.reduce((added, report) => added + report.added[number], 0);
    const text = new TextDecoder().decode(access.get(`counter-${number}`) ?? new Uint8Array(0));
    assert.equal(Number(text), total, `${label}: counter ${number}`);
  }
  for (const [name, key, state] of reports.flatMap((report) => report.own)) {
    const value = access.get(name);
    assert.equal(value?.length ?? -1, state?.length ?? -1, `${label}: ${name}`);
    if (value && state) {
      assert.equal(readValue(value, key, value.length), state.counter, `${label}: ${name}`);
    }
  }
  const census = checkInvariants(store);
  assert.equal(census.stagedBlocks + census.deadBlocks + store.totals().pinnedBlocks, 0, label);
}

/** Runs, each with its part of the time and what must have happened in it. */
const RUNS: readonly {
  mix: LoadMix;
  maxmemoryMib: number;
  shardCount: number;
  part: number;
  happened: readonly string[];
}[] = [
  { mix: "all", maxmemoryMib: 64, shardCount: 4, part: 0.4, happened: EVERYTHING },
  { mix: "all", maxmemoryMib: 6, shardCount: 2, part: 0.2, happened: [...EVERYTHING, "refused"] },
  { mix: "churn", maxmemoryMib: 8, shardCount: 2, part: 0.25, happened: ["ownReads", "puts"] },
  { mix: "blocks", maxmemoryMib: 8, shardCount: 2, part: 0.15, happened: ["blockReads", "puts"] },
];

for (const { mix, maxmemoryMib, shardCount, part, happened } of RUNS) {
  const name = `four threads (${mix}, ${maxmemoryMib} MiB) lose and tear nothing: ` +
    "readers store into clocks alone";
  Deno.test(name, async () => {
    const memory = newMemory(maxmemoryMib * 2 ** 20, shardCount), access = new StoreAccess(memory);
    const label = `MAYFLY_SIM_SEED=${SEED}, ${mix}, ${maxmemoryMib} MiB`;
    console.log(label);
    const durationMs = SECONDS * 1_000 * part;
    const reports = await simulate(memory, { durationMs, broken: BREAK, mix });
    const names = new Set(reports.flatMap((report) => Object.keys(report.counts)));
    const counts = [...names].sort().map((name) => `${name} ${sum(reports, name)}`).join(", ");
    const totals = access.store.totals();
    console.log(`${counts}, moved ${totals.recordsMoved}, expired ${totals.expired}`);
    checkEnd(access, reports, label);
    for (const what of happened) assert.ok(sum(reports, what) > 0, `${label}: no ${what}`);
    if (SECONDS >= 5 && mix !== "blocks") {
      assert.ok(totals.recordsMoved > 0, `${label}: none moved`);
    }
  });
}

for (const broken of ["", "confirm"] as const) {
  const what = broken === "" ? "finds nothing" : "turns red";
  Deno.test(`the simulation ${what} on hot keys when readers skip ${broken || "no"} check`, async () => {
    const memory = newMemory(64 * 2 ** 20), label = `MAYFLY_SIM_SEED=${SEED}`;
    const reports = await simulate(memory, { durationMs: 1_000, broken, mix: "hot" });
    const offences = reports.reduce((total, report) => total + report.offences, 0);
    console.log(`${label}: ${offences} offences in ${sum(reports, "reads")} reads`);
    assert.ok(sum(reports, "reads") > 100, `${label}: ${sum(reports, "reads")} reads`);
    assert.equal(offences > 0, broken !== "", `${label}: ${offences} offences`);
    checkInvariants(new StoreAccess(memory).store);
  });
}
