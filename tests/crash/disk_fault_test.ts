// A disk that fails at any operation, for a while, under log, rotation and snapshot: writes stop, the cure comes by
// itself, and whatever power cut falls before, during or after it, what was promised is there.
//
// MAYFLY_POWER_CUT_SEEDS says how many lives are gone through (2), MAYFLY_CRASH_SEED the first of them.

import assert from "node:assert/strict";
import { LOG_WORKING } from "../../src/log/ring.ts";
import { type Operation, SimulatedDisk, Stopped } from "../support/simulated_disk.ts";
import { check, openSmallStore, Promises, SimulatedLog } from "../support/simulated_log.ts";
import { type Random, randomFrom } from "../support/store_access.ts";

const SEEDS = Number(Deno.env.get("MAYFLY_POWER_CUT_SEEDS") ?? "2");
const FIRST_SEED = Number(
  Deno.env.get("MAYFLY_CRASH_SEED") ?? Math.floor(Math.random() * 2 ** 31),
);
const STEPS = 50;
/** Tries of a cure, each one step of log or keeper, once the disk works again. */
const CURES_MAX = 10;
const CHECKED = openSmallStore();

const FAULTS: readonly { readonly text: string; readonly isFor: (what: Operation) => boolean }[] = [
  {
    text: "No space left on device (os error 28)",
    isFor: (what) => what === "write" || what === "create",
  },
  { text: "Input/output error (os error 5)", isFor: () => true },
  { text: "Input/output error (os error 5) on sync", isFor: (what) => what.startsWith("sync") },
];

interface Trial {
  readonly seed: number;
  /** The disk fails from this operation on, for so many. */
  readonly failsAt: number;
  readonly failsFor: number;
  readonly stopAt: number;
}

/** A life with one trouble; gives how often the log failed. */
function live(disk: SimulatedDisk, promises: Promises, trial: Trial, random: Random): number {
  const kind = FAULTS[random.below(FAULTS.length)];
  disk.stopAt = trial.stopAt;
  disk.fault = (what) => {
    const since = disk.operations - trial.failsAt;
    if (since < 0 || since >= trial.failsFor || !kind.isFor(what)) return null;
    return { error: new Error(kind.text), doneBytes: random.below(2) * random.below(60) };
  };
  let log: SimulatedLog | null = null;
  try {
    try {
      log = SimulatedLog.start(disk, randomFrom(trial.seed), promises, openSmallStore());
    } catch (error) {
      // The start is refused while the disk fails, and tried again.
      if (error instanceof Stopped || !(error as Error).message.includes("os error")) throw error;
      disk.fault = () => null;
      log = SimulatedLog.start(disk, randomFrom(trial.seed), promises, openSmallStore());
    }
    for (let step = 0; step < STEPS; step++) log.step();
    disk.fault = () => null;
    for (let i = 0; i < CURES_MAX && log.ring.state !== LOG_WORKING; i++) log.step();
    assert.equal(log.ring.state, LOG_WORKING, "the log is not cured on a disk that works again");
    log.command();
    log.close();
    assert.equal(promises.synced, promises.last, "a log that was closed keeps everything");
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    log?.noteSynced();
  }
  return log?.ring.failures ?? 0;
}

/** Runs a trial and looks at what power cuts leave of it. */
function trying(trial: Trial): { operations: number; failures: number } {
  const disk = new SimulatedDisk(), promises = new Promises();
  const random = randomFrom(trial.seed ^ (trial.failsAt * 7919));
  try {
    const failures = live(disk, promises, trial, random);
    const { operations } = disk;
    disk.restart();
    for (const kept of [0, 5, 10]) check(disk.afterPowerCut(random, kept), promises, CHECKED);
    check(disk, promises, CHECKED);
    return { operations, failures };
  } catch (error) {
    const message = `${JSON.stringify(trial)}: ${(error as Error).message}`;
    throw new Error(message, { cause: error });
  }
}

Deno.test("the log loses nothing that was promised when the disk fails at any operation", () => {
  let failures = 0, trials = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const { operations } = trying({ seed, failsAt: Infinity, failsFor: 0, stopAt: Infinity });
    for (let failsAt = 1; failsAt <= operations; failsAt++) {
      const random = randomFrom(seed + failsAt), failsFor = 1 + random.below(2) * random.below(12);
      const trial = { seed, failsAt, failsFor };
      failures += trying({ ...trial, stopAt: Infinity }).failures;
      failures += trying({ ...trial, stopAt: failsAt + 1 + random.below(30) }).failures;
      trials += 2;
    }
  }
  console.log(`seed ${FIRST_SEED}: ${trials} lives, ${failures} failures of the log`);
  assert.ok(failures > 0, "no fault met the log");
});
