// The shard's lock and the sequence in it: wraps, readers' checks, waiters, exactness under real threads.
import assert from "node:assert/strict";
import * as L from "../../src/store/layout.ts";
import {
  beginRead,
  confirmRead,
  lockChange,
  lockReading,
  unlockChange,
  unlockReading,
} from "../../src/store/shard_lock.ts";
import { openStore } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";
import { type LockTask, SIGNS } from "./store_lock_worker.ts";

const HANG_MS = 30_000;

function header(start: number): Int32Array<SharedArrayBuffer> {
  const words = new Int32Array(new SharedArrayBuffer(L.HEADER_WORDS * 4));
  words[L.LOCK] = start;
  return words;
}

/** Runs the task on `threads` workers; gives how often a holder was disturbed. */
async function runThreads(threads: number, task: LockTask): Promise<number> {
  const timers: ReturnType<typeof setTimeout>[] = [];
  const url = new URL("./store_lock_worker.ts", import.meta.url);
  const workers = Array.from({ length: threads }, () => new Worker(url, { type: "module" }));
  try {
    const results = await Promise.all(
      workers.map((worker) =>
        new Promise<number>((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data.disturbed);
          worker.onerror = (event) => {
            event.preventDefault();
            reject(new Error(event.message));
          };
          timers.push(setTimeout(() => reject(new Error("a thread does not end")), HANG_MS));
          worker.postMessage(task);
        })
      ),
    );
    return results.reduce((sum, each) => sum + each, 0);
  } finally {
    timers.forEach((timer) => clearTimeout(timer));
    for (const worker of workers) worker.terminate();
  }
}

/** Just below, at and past each wrap of the count. */
const STARTS = [0, -4, -8, 2 ** 31 - 4, 2 ** 31 - 8, -(2 ** 31)];

Deno.test("confirmRead() tells changes apart across the wraps of the count", () => {
  for (const start of STARTS) {
    const words = header(start);
    for (let change = 1; change <= 5; change++) {
      const begun = beginRead(words);
      assert.ok(confirmRead(words, begun));
      lockChange(words);
      assert.equal(confirmRead(words, begun), false, "while changing");
      const within = beginRead(words);
      assert.equal(confirmRead(words, within), false, "begun while changing");
      unlockChange(words);
      assert.equal(confirmRead(words, begun), false, "after the change");
      assert.equal(confirmRead(words, within), false, "begun while changing, ended after");
      assert.equal(words[L.LOCK], (start + 4 * change) | 0);
    }
  }
});

Deno.test("lockReading() leaves reads without lock undisturbed, on either side of it", () => {
  for (const start of STARTS) {
    const words = header(start), before = beginRead(words);
    lockReading(words);
    assert.ok(confirmRead(words, before), "taken during the read");
    const within = beginRead(words);
    assert.ok(confirmRead(words, within), "held all the time");
    unlockReading(words);
    assert.ok(confirmRead(words, before) && confirmRead(words, within), "released during the read");
    assert.equal(words[L.LOCK], start);
    lockChange(words);
    unlockChange(words);
    assert.ok(!confirmRead(words, before) && !confirmRead(words, within));
  }
});

Deno.test("a store works the same when its locks start just below a wrap", () => {
  for (const lockStart of STARTS) {
    const access = openStore({ shardCount: 1, lockStart });
    for (let i = 0; i < 50; i++) assert.ok(access.put(`${i}`, new Uint8Array(i)));
    for (let i = 0; i < 50; i++) assert.equal(access.get(`${i}`)?.length, i);
    checkInvariants(access.store);
  }
});

Deno.test("lockChange() and lockReading() of four threads keep a plain counter exact", async () => {
  const words = header(-400), counter = new SharedArrayBuffer(64), rounds = 200_000;
  const disturbed = await runThreads(4, {
    words: words.buffer,
    counter,
    rounds,
    readingEvery: 3,
  });
  assert.equal(new Int32Array(counter)[0], 4 * rounds);
  assert.equal(disturbed, 0);
  assert.equal(words[L.WAITERS], 0);
  assert.equal(words[L.LOCK], (-400 + 4 * 4 * (rounds - Math.floor(rounds / 3))) | 0);
});

for (
  const [what, lock, unlock] of [
    ["unlockChange", lockChange, unlockChange],
    ["unlockReading", lockReading, unlockReading],
  ] as const
) {
  Deno.test(`${what}() wakes who waits, long before the waiter's own time is over`, async () => {
    const words = header(0), counter = new SharedArrayBuffer(64);
    const tookMs: number[] = [];
    for (let round = 0; round < 3; round++) {
      lock(words);
      const isDone = runThreads(1, { words: words.buffer, counter, rounds: 1, readingEvery: 2 });
      for (let polls = 0; Atomics.load(words, L.WAITERS) === 0; polls++) {
        assert.ok(polls < 10_000, "nobody waits");
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      // The waiter has said that it waits; a little later it does.
      await new Promise((resolve) => setTimeout(resolve, 5));
      const startedMs = performance.now();
      unlock(words);
      await isDone;
      tookMs.push(performance.now() - startedMs);
    }
    assert.equal(new Int32Array(counter)[0], 3);
    // Who is not woken sleeps for a second.
    const shortestMs = Math.min(...tookMs);
    assert.ok(shortestMs < 500, `woken after ${tookMs.map(Math.round)} ms`);
  });
}

Deno.test("lockChange() waits for all of many waiters in turn", async () => {
  const words = header(0), counter = new SharedArrayBuffer(64);
  lockChange(words);
  const isDone = runThreads(3, { words: words.buffer, counter, rounds: 2_000, readingEvery: 2 });
  for (let polls = 0; Atomics.load(words, L.WAITERS) < 3; polls++) {
    assert.ok(polls < 10_000, `${words[L.WAITERS]} wait`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.equal(new Int32Array(counter)[0], 0, "nobody came in");
  unlockChange(words);
  assert.equal(await isDone, 0);
  assert.equal(new Int32Array(counter)[0], 6_000);
  assert.equal(words[L.WAITERS], 0);
});

Deno.test("lockChange() bears being woken in vain again and again", async () => {
  // As when others are quicker each time: only a lock that nobody releases may stop a thread.
  const words = header(0), counter = new SharedArrayBuffer(64);
  lockChange(words);
  const isDone = runThreads(1, { words: words.buffer, counter, rounds: 1, readingEvery: 2 });
  isDone.catch(() => {}); // met below; it must not end the test before that
  let woken = 0;
  for (let polls = 0; woken < 100; polls++) {
    assert.ok(polls < 10_000, `woken ${woken} times only`);
    woken += Atomics.notify(words, L.LOCK, 1);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  unlockChange(words);
  await isDone;
  assert.equal(new Int32Array(counter)[0], 1);
});

Deno.test("whileWaiting() is heard of, again and again, while another thread holds the lock", async () => {
  const words = header(0), counter = new SharedArrayBuffer(64), counts = new Int32Array(counter);
  lockChange(words);
  const isDone = runThreads(1, { words: words.buffer, counter, rounds: 1, readingEvery: 2 });
  for (let polls = 0; Atomics.load(counts, SIGNS) < 2; polls++) {
    assert.ok(polls < 2_000, `${counts[SIGNS]} signs`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(counts[0], 0, "it waits still");
  unlockChange(words);
  await isDone;
});
