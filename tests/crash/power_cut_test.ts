// A crash at every operation of log, rotation and snapshot, on a disk that loses and reorders what was not synced.
//
// MAYFLY_POWER_CUT_SEEDS says how many lives are gone through (2), MAYFLY_CRASH_SEED the first of them.

import assert from "node:assert/strict";
import { SimulatedDisk, Stopped } from "../support/simulated_disk.ts";
import { check, openSmallStore, Promises, SimulatedLog } from "../support/simulated_log.ts";
import { type Random, randomFrom } from "../support/store_access.ts";

const SEEDS = Number(Deno.env.get("MAYFLY_POWER_CUT_SEEDS") ?? "2");
const FIRST_SEED = Number(
  Deno.env.get("MAYFLY_CRASH_SEED") ?? Math.floor(Math.random() * 2 ** 31),
);
const STEPS = 50;
/** How much of what was not synced a power cut keeps, in tenths: nothing, some, all of it. */
const KEPT_OF_TEN = [0, 5, 8, 10];

/** Stores are slow to make: these two are emptied and used again. */
const SECOND = openSmallStore();
const THIRD = openSmallStore();

/** A server's life on the disk, until it is stopped. */
function live(disk: SimulatedDisk, random: Random, promises: Promises, steps: number): void {
  let log: SimulatedLog | null = null;
  try {
    // Not one of those below: what is in the ring as it stops keeps its memory for good.
    log = SimulatedLog.start(disk, random, promises, openSmallStore());
    for (let step = 0; step < steps; step++) log.step();
    log.close();
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    log?.noteSynced();
  }
}

function copyOf(promises: Promises): Promises {
  const copy = new Promises();
  for (const [sequence, model] of promises.models) copy.models.set(sequence, model);
  copy.last = promises.last;
  copy.synced = promises.synced;
  return copy;
}

/** What a crash left starts; what a second server then promises outlives a second crash. */
function goOn(disk: SimulatedDisk, seed: number, promises: Promises): void {
  const random = randomFrom(seed);
  const log = SimulatedLog.start(disk, random, promises, SECOND);
  // What the start has read is told to clients: it is promised now.
  promises.synced = promises.last;
  check(disk.afterPowerCut(random, 0), promises, THIRD);
  log.command();
  log.command();
  log.sync();
  for (const kept of [0, 8]) check(disk.afterPowerCut(random, kept), promises, THIRD);
}

function tell(seed: number, n: number, what: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw new Error(`seed ${seed}, operation ${n}, ${what}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

Deno.test("recover() finds what was promised after a crash at any operation", () => {
  let crashes = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const whole = new SimulatedDisk(), promises = new Promises();
    live(whole, randomFrom(seed), promises, STEPS);
    check(whole.afterPowerCut(randomFrom(seed), 0), promises, THIRD);
    assert.equal(promises.synced, promises.last, "a log that was closed keeps everything");
    const operations = whole.operations;
    for (let n = 1; n <= operations; n++) {
      const disk = new SimulatedDisk(), promises = new Promises(), cuts = randomFrom(seed + n);
      disk.stopAt = n;
      tell(seed, n, "before the crash", () => live(disk, randomFrom(seed), promises, STEPS));
      disk.restart();
      for (const kept of KEPT_OF_TEN) {
        tell(seed, n, `power cut that keeps ${kept} of 10`, () => {
          const left = disk.afterPowerCut(cuts, kept);
          goOn(left, seed, copyOf(promises));
        });
        crashes++;
      }
      tell(seed, n, "kill, then a power cut", () => goOn(disk, seed, copyOf(promises)));
    }
  }
  console.log(`seed ${FIRST_SEED}: ${crashes} power cuts`);
});
