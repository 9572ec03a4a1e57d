// The recorder of effects: when it wakes the log's writer.
import assert from "node:assert/strict";
import { createRingMemory, Ring } from "../../src/log/ring.ts";
import { EffectRecorder } from "../../src/persistence/effect_recorder.ts";
import { openStore } from "../support/store_access.ts";

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
