// The log's writer at its edges, on a directory in memory: places not published yet, and the file filled ahead.
import assert from "node:assert/strict";
import { ROLE_OF_LOG } from "../../src/log/log_board.ts";
import { LogWriter, makeSpare } from "../../src/log/log_writer.ts";
import { createRingMemory, Ring, unitsOf } from "../../src/log/ring.ts";
import { segmentName } from "../../src/log/segment.ts";
import { ByteDisk } from "../support/byte_disk.ts";

const GROUP = Uint8Array.of(0x92, 4, 0, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0);
const GROUP_BYTES = 3;
const SPARE_BYTES = 4096;

function open() {
  const disk = new ByteDisk(), ring = new Ring(createRingMemory(65_536));
  const writer = new LogWriter({
    disk,
    ring,
    parts: { pieces: () => assert.fail("no group has parts"), release() {} },
    serverId: new Uint8Array(16).fill(7),
    firstSequence: 1,
  });
  assert.ok(ring.takeRole(ROLE_OF_LOG));
  writer.open();
  const view = new DataView(GROUP.buffer), units = unitsOf(GROUP_BYTES);
  return {
    disk,
    ring,
    writer,
    /** Takes a place as a change does under its shard's lock; gives how to publish it. */
    reserve: () => {
      assert.ok(ring.takeCredit(units));
      const start = ring.reserve(units);
      return () => ring.fill(start, GROUP, view, GROUP_BYTES, false);
    },
  };
}

Deno.test("drainAll() says that a group behind one that is not published was not written", () => {
  const { ring, writer, reserve } = open();
  const early = reserve(), late = reserve();
  late();
  assert.equal(writer.drainAll(), false);
  assert.equal(writer.sequence, 1);
  assert.equal(ring.isEmpty, false);
  early();
  assert.equal(writer.drainAll(), true);
  assert.equal(writer.sequence, 3);
  assert.ok(writer.hasUnsynced);
});

Deno.test("drainAll() counts each place that was taken before it is called", () => {
  const { writer, reserve } = open();
  reserve()();
  assert.equal(writer.drainAll(), true);
  const later = reserve();
  assert.equal(writer.drainAll(), false);
  later();
  assert.equal(writer.drainAll(), true);
});

Deno.test("the spare becomes the next segment, is cut to what was written, and is used once", () => {
  const { disk, ring, writer, reserve } = open();
  reserve()();
  writer.drain();
  makeSpare(disk, SPARE_BYTES);
  writer.spareIsReady();
  assert.equal(ring.number("hasSpare"), 1);
  writer.rotate();
  assert.equal(ring.number("hasSpare"), 0);
  assert.ok(writer.isPrefilled);
  assert.equal(disk.bytesOf(segmentName(2)).length, SPARE_BYTES);
  reserve()();
  writer.drain();
  const { segmentBytes } = writer;
  writer.rotate();
  assert.equal(disk.bytesOf(segmentName(2)).length, segmentBytes);
  assert.equal(writer.isPrefilled, false);
});

Deno.test("after a failure the spare is not used, and asked for anew", () => {
  const { disk, ring, writer } = open();
  makeSpare(disk, SPARE_BYTES);
  writer.spareIsReady();
  ring.setFailed("the test says so");
  writer.abandon();
  assert.equal(ring.number("hasSpare"), 0);
  writer.reopen();
  assert.equal(writer.isPrefilled, false);
  assert.ok(disk.bytesOf(segmentName(2)).length < SPARE_BYTES);
});
