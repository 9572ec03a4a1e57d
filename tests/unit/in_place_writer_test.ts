// The worker that writes the log in its own thread: what it takes over, hands back, and leaves to the log's thread.
import assert from "node:assert/strict";
import { IN_PLACE_SYNC_MS_MAX } from "../../src/limits.ts";
import {
  FSYNC_ALWAYS,
  FSYNC_INTERVAL,
  ROLE_OF_LOG,
  ROLE_OF_WORKERS,
} from "../../src/log/log_board.ts";
import { InPlaceWriter } from "../../src/log/in_place_writer.ts";
import { recover } from "../../src/log/recovery.ts";
import { LOG_FAILED, LOG_WORKING } from "../../src/log/ring.ts";
import { LogMaker, put, StateModel } from "../support/log_maker.ts";
import { SimulatedDisk } from "../support/simulated_disk.ts";

const SEGMENT_BYTES_MAX = 4000;

function start() {
  const disk = new SimulatedDisk(), maker = new LogMaker(disk, 1, SEGMENT_BYTES_MAX);
  const { ring } = maker;
  ring.giveRole();
  ring.fsync = FSYNC_ALWAYS;
  const inPlace = [0, 1].map((i) =>
    new InPlaceWriter(disk, ring, ROLE_OF_WORKERS + i, SEGMENT_BYTES_MAX)
  );
  return { disk, maker, ring, inPlace };
}

function asLog(maker: LogMaker, run: () => void): void {
  maker.ring.waitForRole(ROLE_OF_LOG);
  maker.writer.takeOver();
  run();
  maker.ring.giveRole();
}

Deno.test("InPlaceWriter goes on where the last writer ended, whoever that was, over segments", () => {
  const { disk, maker, ring, inPlace } = start();
  for (let i = 0; i < 200; i++) {
    maker.group(put(`key:${i % 17}`, `value ${i}`.repeat(i % 5)));
    // A machine that is busy makes any disk slow.
    ring.setNumber("syncMsMean", 0);
    if (i % 7 === 6) asLog(maker, () => maker.sync());
    else if (!inPlace[i % 2].write()) asLog(maker, () => maker.sync());
    assert.ok(ring.isSynced(ring.tail), `group ${i}`);
    if (i % 60 === 59) asLog(maker, () => maker.writer.rotate());
    inPlace[i % 2].tidy();
  }
  asLog(maker, () => maker.writer.close());
  const { number } = ring, inPlaceCount = number.call(ring, "syncsInPlace");
  assert.ok(inPlaceCount > 150, `only ${inPlaceCount} were written in place`);
  assert.ok(disk.list().length > 3, "no segment was full");
  const found = new StateModel();
  assert.ok("ok" in recover(disk, found, () => {}));
  assert.equal(found.toString(), maker.states.at(-1));
});

Deno.test("InPlaceWriter leaves it to others while one writes, the policy is another or the disk is slow", () => {
  const { maker, ring, inPlace: [inPlace] } = start();
  maker.group(put("a", "1"));
  const isWritten = (): boolean => inPlace.write() || ring.isSynced(ring.tail);
  for (const role of [ROLE_OF_LOG, ROLE_OF_WORKERS + 1]) {
    assert.ok(ring.takeRole(role));
    assert.ok(!isWritten());
    assert.equal(ring.role, role, "a role that another has stays");
    ring.giveRole();
  }
  ring.fsync = FSYNC_INTERVAL;
  assert.ok(!inPlace.isFast && !isWritten());
  ring.fsync = FSYNC_ALWAYS;
  ring.setNumber("syncMsMean", IN_PLACE_SYNC_MS_MAX);
  assert.ok(!inPlace.isFast && !isWritten());
  ring.setNumber("syncMsMean", IN_PLACE_SYNC_MS_MAX / 2);
  asLog(maker, () => maker.writer.close());
  maker.group(put("a", "2"));
  assert.ok(!isWritten(), "no segment is open");
});

Deno.test("InPlaceWriter leaves large values to the log's thread, and what lies behind them", () => {
  const { maker, ring, inPlace: [inPlace] } = start();
  maker.group(put("a", "1"));
  const before = ring.tail, group = new Uint8Array(16);
  assert.ok(ring.takeCredit(2));
  ring.append(group, new DataView(group.buffer), 8, true);
  maker.group(put("b", "1"));
  ring.setNumber("syncMsMean", 0);
  assert.ok(inPlace.write(), "what lies before is written");
  assert.equal(ring.synced, before);
  assert.ok(!inPlace.write());
  assert.equal(ring.head, before);
});

for (const what of ["write", "sync"] as const) {
  Deno.test(`InPlaceWriter fails the log when the disk fails a ${what}, and tells nobody that it is kept`, () => {
    const { disk, maker, ring, inPlace: [inPlace] } = start();
    maker.group(put("a", "1"));
    ring.setNumber("syncMsMean", 0);
    for (let i = 0; i < 5; i++) {
      maker.group(put("b", String(i)));
      ring.setNumber("syncMsMean", 0);
      assert.ok(inPlace.write());
    }
    ring.setNumber("syncMsMean", 0);
    const { synced, failures } = ring, kept = ring.number("sequence");
    maker.group(put("a", "2"));
    disk.fault = (operation) =>
      operation === what ? { error: new Error("Input/output error") } : null;
    assert.ok(!inPlace.write());
    assert.equal(ring.synced, synced);
    assert.equal(ring.failures, failures + 1);
    assert.equal(ring.state, LOG_FAILED);
    assert.equal(ring.reason, "Input/output error");
    assert.ok(ring.hasFailedInPlace, "the log's thread is to begin anew");
    disk.fault = () => null;
    assert.ok(!inPlace.write(), "nothing is written before that");
    ring.waitForRole(ROLE_OF_LOG);
    assert.ok(!maker.writer.takeOver() && !ring.hasFailedInPlace, "nothing is expected of it");
    maker.writer.reopen();
    assert.ok(ring.number("segmentFirst") > kept, "numbers go on behind what is on disk");
    assert.ok(!ring.isSynced(ring.tail));
    maker.writer.serveAgain();
    ring.giveRole();
    assert.equal(ring.state, LOG_WORKING);
    assert.ok(ring.isSynced(ring.tail), "nobody waits for what the failure took");
    maker.group(put("a", "3"));
    ring.setNumber("syncMsMean", 0);
    assert.ok(inPlace.write());
    assert.ok(ring.isSynced(ring.tail));
  });
}
