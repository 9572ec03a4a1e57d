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
const ROUNDS_MAX = 5;
const BREAK = Deno.env.get("MAYFLY_SIM_BREAK") === "confirm" ? "confirm" : "";

/** Duration, fault, mix and seed of one run. */
type Plan = Pick<LoadTask, "durationMs" | "broken" | "mix" | "seed">;

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
            reject(new Error(`seed ${plan.seed}, thread ${thread}: ${event.message}`));
          };
          const late = new Error(`seed ${plan.seed}, thread ${thread} does not end`);
          timers.push(setTimeout(() => reject(late), plan.durationMs + HANG_MS));
          const task: LoadTask = { ...plan, memory, thread, threads: THREADS };
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
    const all: LoadReport[] = [];
    let moved = 0, missing: string[] = [];
    // On cores that others use, the rare parts of the mix may not happen in one round: the next is twice as long.
    for (let round = 0; round < ROUNDS_MAX && (round === 0 || missing.length > 0); round++) {
      const memory = newMemory(maxmemoryMib * 2 ** 20, shardCount);
      const access = new StoreAccess(memory), seed = SEED + round;
      const label = `MAYFLY_SIM_SEED=${seed}, ${mix}, ${maxmemoryMib} MiB`;
      const durationMs = SECONDS * 1_000 * part * 2 ** round;
      console.log(label);
      const reports = await simulate(memory, { durationMs, broken: BREAK, mix, seed });
      const names = new Set(reports.flatMap((report) => Object.keys(report.counts)));
      const counts = [...names].sort().map((name) => `${name} ${sum(reports, name)}`).join(", ");
      const totals = access.store.totals();
      console.log(`${counts}, moved ${totals.recordsMoved}, expired ${totals.expired}`);
      checkEnd(access, reports, label);
      all.push(...reports);
      moved += totals.recordsMoved;
      missing = happened.filter((what) => sum(all, what) === 0);
      if (SECONDS >= 5 && mix !== "blocks" && moved === 0) missing.push("moved");
    }
    assert.deepEqual(
      missing,
      [],
      `MAYFLY_SIM_SEED=${SEED}: did not happen in ${ROUNDS_MAX} rounds`,
    );
  });
}

for (const broken of ["", "confirm"] as const) {
  const what = broken === "" ? "finds nothing" : "turns red";
  Deno.test(`the simulation ${what} on hot keys when readers skip ${broken || "no"} check`, async () => {
    const memory = newMemory(64 * 2 ** 20), label = `MAYFLY_SIM_SEED=${SEED}`;
    const reports = await simulate(memory, { durationMs: 1_000, broken, mix: "hot", seed: SEED });
    const offences = reports.reduce((total, report) => total + report.offences, 0);
    console.log(`${label}: ${offences} offences in ${sum(reports, "reads")} reads`);
    assert.ok(sum(reports, "reads") > 100, `${label}: ${sum(reports, "reads")} reads`);
    assert.equal(offences > 0, broken !== "", `${label}: ${offences} offences`);
    checkInvariants(new StoreAccess(memory).store);
  });
}
