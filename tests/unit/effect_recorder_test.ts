// The recorder of effects: when it wakes the log's writer, and what it has room for.
import assert from "node:assert/strict";
import { EffectWriter } from "../../src/log/effect_writer.ts";
import { createRingMemory, Ring } from "../../src/log/ring.ts";
import { EffectRecorder } from "../../src/persistence/effect_recorder.ts";
import { openStore, randomFrom, type StoreAccess } from "../support/store_access.ts";

const RING_BYTES = 2 ** 20;
/** Longer than a group that lies in the ring. */
const LONG_BYTES = RING_BYTES / 4 + 50_000;

function open(): { access: StoreAccess; ring: Ring; recorder: EffectRecorder } {
  const access = openStore({ shardCount: 2 }), ring = new Ring(createRingMemory(RING_BYTES));
  return { access, ring, recorder: new EffectRecorder(access.store, ring) };
}

/** Tells removals of so many bytes. */
function tell(recorder: EffectRecorder, access: StoreAccess, bytes: number): void {
  const key = access.key("k".repeat(1000));
  for (let told = 0; told < bytes; told += 1006) recorder.remove(0, key);
}

class CountingRing extends Ring {
  wakes = 0;

  override wake(): void {
    this.wakes++;
    super.wake();
  }
}

Deno.test("EffectRecorder.settle() wakes the log's writer for groups, and not for a batch of reads", () => {
  const ring = new CountingRing(createRingMemory(1_048_576));
  const recorder = new EffectRecorder(openStore().store, ring);
  recorder.settle();
  assert.equal(ring.wakes, 0, "nothing was published");
  assert.ok(recorder.admit(100, 0));
  recorder.flush(0);
  recorder.publish();
  recorder.settle();
  assert.equal(ring.wakes, 1);
  recorder.settle();
  assert.equal(ring.wakes, 1, "the writer was told already");
  recorder.close();
});

Deno.test("admit() makes memory for a group that is longer than the one it was asked for before", () => {
  const { access, recorder } = open(), before = access.store.account.usedBytes;
  // The first one was asked for and turned out to be short.
  assert.ok(recorder.admit(LONG_BYTES, 0));
  tell(recorder, access, 10_000);
  recorder.publish();
  assert.ok(recorder.admit(LONG_BYTES * 2, 0));
  assert.ok(!recorder.isTooLong(LONG_BYTES * 2));
  tell(recorder, access, LONG_BYTES * 2 - 2000);
  recorder.publish();
  assert.equal(recorder.published, 2);
  recorder.settle();
  assert.ok(access.store.account.usedBytes - before >= LONG_BYTES, "the log's writer has it");
});

Deno.test("hasRoomFor() says whether a put finds room with what was admitted, and takes credit where there is", () => {
  const { access, ring, recorder } = open();
  assert.ok(recorder.hasRoomFor(RING_BYTES / 8), "credit is taken at once");
  assert.ok(!recorder.hasRoomFor(LONG_BYTES), "memory is not");
  assert.ok(recorder.admit(LONG_BYTES + 1000, 0));
  assert.ok(recorder.hasRoomFor(LONG_BYTES));
  assert.ok(!recorder.hasRoomFor(LONG_BYTES + 2000));
  recorder.settle();
  assert.ok(!recorder.hasRoomFor(LONG_BYTES), "it was given back at the end of the batch");
  assert.equal(
    access.store.account.usedBytes,
    openStore({ shardCount: 2 }).store.account.usedBytes,
  );
  // All the ring's room is somebody else's.
  recorder.close();
  let units = ring.capacityUnits;
  while (units > 0) if (!ring.takeCredit(units)) units >>= 1;
  assert.ok(!recorder.hasRoomFor(1000));
});

/** A view of the bytes with what lies behind them in a request. */
function viewOf(bytes: Uint8Array): DataView {
  const longer = new Uint8Array(bytes.length + 4).fill(0xa5);
  longer.set(bytes);
  return new DataView(longer.buffer);
}

Deno.test("putString() leaves in the ring what a group of EffectWriter's bytes would, wherever it lies", () => {
  const random = randomFrom(7), store = openStore({ shardCount: 2 }).store;
  const direct = new Ring(createRingMemory(RING_BYTES, -1000));
  const usual = new Ring(createRingMemory(RING_BYTES, -1000));
  const recorder = new EffectRecorder(store, direct);
  assert.ok(usual.takeCredit(usual.capacityUnits));
  // Several times around, so that places at the ring's end are met; all lengths about the changes of heads.
  for (let i = 0; i < 20_000; i++) {
    const key = random.bytes(i % 300), value = random.bytes(random.below(3) === 0 ? i % 300 : 7);
    const expiresAtMs = i % 2 === 0 ? 0 : 2 ** 40 + random.below(2 ** 31), database = i % 16;
    const keyView = viewOf(key), valueView = viewOf(value);
    assert.ok(recorder.admit(1000, 0));
    recorder.putString(
      database,
      keyView,
      0,
      key.length,
      expiresAtMs,
      valueView,
      0,
      value.length,
    );
    recorder.publish();
    const writer = new EffectWriter(1000);
    writer.putString(
      database,
      keyView,
      0,
      key.length,
      expiresAtMs,
      valueView,
      0,
      value.length,
    );
    usual.append(writer.bytes, writer.view, writer.length, false);
    assert.equal(direct.tail, usual.tail, `${key.length} and ${value.length} bytes`);
    assert.equal(direct.groupAt(direct.head), writer.length);
    const units = (direct.tail - direct.head) | 0, found = new Uint8Array(units * 8);
    const expected = found.slice();
    direct.copy(direct.head, direct.tail, found, 0);
    usual.copy(usual.head, usual.tail, expected, 0);
    assert.deepEqual(found, expected, `${key.length} and ${value.length} bytes`);
    direct.consume(direct.tail);
    usual.consume(usual.tail);
    assert.ok(usual.takeCredit(units));
  }
});

Deno.test("putString() behind other effects is part of their group, in their order", () => {
  const { access, ring, recorder } = open(),
    key = access.key("k"),
    value = viewOf(new Uint8Array(3));
  assert.ok(recorder.admit(1000, 0));
  recorder.expire(0, key, 5);
  recorder.putString(0, key.view, key.start, key.end, 0, value, 0, 3);
  assert.equal(ring.isEmpty, true, "not before publish()");
  recorder.publish();
  const group = new Uint8Array(((ring.tail - ring.head) | 0) * 8);
  ring.copy(ring.head, ring.tail, group, 0);
  assert.deepEqual([...group.subarray(8, 11)], [0x94, 3, 0], "expire first");
});
