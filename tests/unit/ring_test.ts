// The ring: every length at every place, cursors that wrap, credit, what a consumer sees, and whom it waits for.
import assert from "node:assert/strict";
import { createRingMemory, Ring, unitsOf } from "../../src/log/ring.ts";

const RING_BYTES = 4096;

function group(lengthBytes: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes + 8);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i + 1, 31) + seed;
  return bytes;
}

for (const cursorStart of [0, 2 ** 31 - 64, 2 ** 32 - 64]) {
  Deno.test(`Ring gives back groups of every length across its end, from cursor ${cursorStart}`, () => {
    const ring = new Ring(createRingMemory(RING_BYTES, cursorStart));
    assert.equal(ring.head, cursorStart | 0);
    // Lengths that share no factor with the ring: each meets every place, the split ones too.
    for (
      let round = 0, lengthBytes = 1;
      round < 2000;
      round++, lengthBytes = lengthBytes % 97 + 1
    ) {
      const bytes = group(lengthBytes, round), units = unitsOf(lengthBytes);
      assert.ok(ring.takeCredit(units));
      const seen = ring.tail;
      assert.equal(ring.append(bytes, new DataView(bytes.buffer), lengthBytes, false), units);
      assert.equal(ring.groupAt(seen), lengthBytes, `round ${round}`);
      assert.ok(!ring.isSynced(ring.tail));
      const copied = new Uint8Array(units * 8);
      ring.copy(seen, ring.tail, copied, 0);
      assert.deepEqual(copied.subarray(8, 8 + lengthBytes), bytes.subarray(0, lengthBytes));
      assert.ok(copied.subarray(8 + lengthBytes).every((byte) => byte === 0xc0), `round ${round}`);
      ring.consume(ring.tail);
      ring.setSynced(ring.head);
      assert.ok(ring.isSynced(ring.tail) && ring.isEmpty);
      assert.equal(ring.groupAt(ring.head), -1, "an earlier lap's bytes look like nothing");
    }
  });
}

Deno.test("Ring takes no more than its bytes, and as much again once they are consumed", () => {
  const ring = new Ring(createRingMemory(RING_BYTES, 2 ** 31 - 3)), bytes = group(120, 1);
  const view = new DataView(bytes.buffer), units = unitsOf(120);
  for (let lap = 0; lap < 3; lap++) {
    let groups = 0;
    while (ring.takeCredit(units)) {
      ring.append(bytes, view, 120, false);
      groups++;
    }
    assert.equal(groups, Math.floor(RING_BYTES / 8 / units));
    let cursor = ring.head;
    for (let i = 0; i < groups; i++) {
      assert.equal(ring.groupAt(cursor), 120);
      cursor = (cursor + units) | 0;
    }
    assert.equal(cursor, ring.tail);
    ring.consume(cursor);
  }
  assert.ok(ring.takeCredit(RING_BYTES / 8));
  assert.ok(!ring.takeCredit(1));
});

/** What a thread that gathers `units` found, while `append()` is called with a group at a time. */
async function gathered(
  units: number,
  timeoutMs: number,
  append: (one: () => void) => Promise<void>,
): Promise<{ foundUnits: number; tookMs: number }> {
  const memory = createRingMemory(RING_BYTES, 2 ** 31 - 5), ring = new Ring(memory);
  const url = new URL("ring_gather_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const found = new Promise<{ foundUnits: number; tookMs: number }>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
  });
  worker.postMessage({ memory, units, timeoutMs });
  const bytes = group(8, 1), view = new DataView(bytes.buffer);
  await append(() => {
    assert.ok(ring.takeCredit(unitsOf(8)));
    ring.append(bytes, view, 8, false);
    ring.wake();
  });
  const result = await found;
  worker.terminate();
  return result;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
/** Nobody waits so long: whoever does was not woken. */
const FOR_EVER_MS = 60_000;

Deno.test("Ring.gather() is woken by the group that makes it enough, and by none before", async () => {
  const enough = unitsOf(8) * 10;
  const { foundUnits, tookMs } = await gathered(enough, FOR_EVER_MS, async (one) => {
    for (let i = 0; i < 10; i++) {
      one();
      await pause(20);
    }
  });
  assert.equal(foundUnits, enough);
  assert.ok(tookMs < FOR_EVER_MS / 2, `${tookMs} ms`);
});

Deno.test("Ring.gather() gives up after its time, and waits for nothing that is there", async () => {
  const late = await gathered(unitsOf(8) * 10, 50, (one) => Promise.resolve(one()));
  assert.equal(late.foundUnits, unitsOf(8));
  const ring = new Ring(createRingMemory(RING_BYTES));
  assert.ok(ring.takeCredit(unitsOf(8)));
  const bytes = group(8, 1);
  ring.append(bytes, new DataView(bytes.buffer), 8, false);
  ring.gather(0, FOR_EVER_MS);
  ring.gather(unitsOf(8), FOR_EVER_MS);
  assert.equal(ring.inFlightUnits, unitsOf(8));
});
