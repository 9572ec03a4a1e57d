// Real threads append to one ring while another takes from it, across every wrap: nothing is lost, doubled or torn,
// and each producer's groups keep their order. MAYFLY_SIM_SEED sets the seed, MAYFLY_SIM_GROUPS how long it runs.
import assert from "node:assert/strict";
import { createRingMemory, Ring, unitsOf } from "../../src/log/ring.ts";
import { groupOf } from "./checked_group.ts";
import type { RingTask } from "./ring_worker.ts";

const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);
const GROUPS = Number(Deno.env.get("MAYFLY_SIM_GROUPS") ?? 20_000);
const PRODUCERS = 3;
/** Small, so that it fills and wraps thousands of times. */
const RING_BYTES = 8192;
const GROUP_BYTES_MAX = 600;
const HANG_MS = 60_000;

interface Producers {
  readonly done: Promise<number[]>;
  /** What a thread threw, to be seen while this one takes from the ring. */
  readonly isOver: () => boolean;
  end(): void;
}

function startProducers(memory: SharedArrayBuffer): Producers {
  const url = new URL("./ring_worker.ts", import.meta.url);
  const workers = Array.from({ length: PRODUCERS }, () => new Worker(url, { type: "module" }));
  let over = 0;
  const done = Promise.all(
    workers.map((worker, producer) =>
      new Promise<number>((resolve, reject) => {
        worker.onmessage = ({ data }) => {
          over++;
          resolve(data.waited);
        };
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(`seed ${SEED}, producer ${producer}: ${event.message}`));
        };
        const task: RingTask = {
          memory,
          producer,
          groups: GROUPS,
          groupBytesMax: GROUP_BYTES_MAX,
          seed: SEED,
        };
        worker.postMessage(task);
      })
    ),
  );
  return {
    done,
    isOver: () => over === PRODUCERS,
    end: () => workers.forEach((worker) => worker.terminate()),
  };
}

/** Takes what is published, in batches as the log's writer does; gives the groups taken. */
function takeBatch(ring: Ring, next: number[], label: string): number {
  const head = ring.head;
  let cursor = head, groups = 0;
  for (;;) {
    if (cursor === ring.tail) break;
    const lengthBytes = ring.groupAt(cursor);
    if (lengthBytes < 0) break;
    const units = unitsOf(lengthBytes), bytes = new Uint8Array(units * 8);
    ring.copy(cursor, (cursor + units) | 0, bytes, 0);
    const view = new DataView(bytes.buffer), producer = view.getUint32(8, true);
    const place = `${label}, at ${cursor}`;
    assert.ok(producer < PRODUCERS, `${place}: producer ${producer}`);
    assert.equal(view.getUint32(12, true), next[producer], `${place}: producer ${producer}`);
    const expected = groupOf(producer, next[producer]++, lengthBytes);
    for (let i = 0; i < lengthBytes; i++) {
      if (bytes[8 + i] !== expected[i]) assert.fail(`${place}: byte ${i} of ${lengthBytes}`);
    }
    // Any library skips what pads a group.
    for (let i = 8 + lengthBytes; i < bytes.length; i++) assert.equal(bytes[i], 0xc0, place);
    cursor = (cursor + units) | 0;
    groups++;
  }
  if (groups > 0) ring.consume(cursor);
  return groups;
}

/** Where the cursors begin, in units of 8 bytes. */
const STARTS: readonly { readonly name: string; readonly cursorStart: number }[] = [
  { name: "just below 2^31 units", cursorStart: 2 ** 31 - 64 },
  { name: "just below 2^32 units", cursorStart: 2 ** 32 - 64 },
];

for (const { name, cursorStart } of STARTS) {
  Deno.test(`Ring loses, doubles and tears nothing between threads from cursors ${name}`, async () => {
    const memory = createRingMemory(RING_BYTES, cursorStart), ring = new Ring(memory);
    const label = `MAYFLY_SIM_SEED=${SEED}`, next = Array.from({ length: PRODUCERS }, () => 0);
    const producers = startProducers(memory), endMs = performance.now() + HANG_MS;
    let failure: unknown = null, taken = 0, batches = 0;
    producers.done.catch((error) => failure = error);
    try {
      while (taken < GROUPS * PRODUCERS) {
        assert.ok(performance.now() < endMs, `${label}: ${taken} groups, then nothing`);
        if (failure !== null) throw failure;
        const groups = takeBatch(ring, next, label);
        taken += groups;
        if (groups > 0) batches++;
        // The messages of the threads come while this one waits.
        if (groups === 0 || batches % 64 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
      const waits = await producers.done;
      assert.deepEqual(next, next.map(() => GROUPS), label);
      assert.ok(ring.isEmpty, label);
      assert.ok(ring.bytes.every((byte) => byte === 0), "what was consumed is zero");
      // All credit came back: the ring takes as much as at its start, and no more.
      assert.ok(ring.takeCredit(ring.capacityUnits), label);
      assert.ok(!ring.takeCredit(1), label);
      const wrapped = ((ring.head - (cursorStart | 0)) | 0) / ring.capacityUnits;
      assert.ok(wrapped > GROUPS / 1000, `${label}: only ${wrapped} laps`);
      assert.ok(waits.some((each) => each > 0), `${label}: the ring was never full`);
    } finally {
      producers.end();
    }
  });
}
