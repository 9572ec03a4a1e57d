// The ring on one thread: every length at every place, cursors that wrap, credit, and what a consumer sees.
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
