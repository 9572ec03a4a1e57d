// A small log broken at every byte and cut at every length: recovery never gives a wrong state, and never throws.
import assert from "node:assert/strict";
import { readFrameHeader } from "../../src/log/frame.ts";
import { recover } from "../../src/log/recovery.ts";
import { FILE_HEADER_BYTES } from "../../src/log/segment.ts";
import { DirectoryWriter } from "../../src/log/directory_writer.ts";
import { EffectWriter } from "../../src/log/effect_writer.ts";
import { ByteDisk } from "../support/byte_disk.ts";
import { LogMaker, put, SERVER_ID, StateModel, writeEffect } from "../support/log_maker.ts";
import { randomFrom } from "../support/store_access.ts";

interface FrameAt {
  readonly offset: number;
  readonly end: number;
  /** Groups of the whole log before this frame. */
  readonly before: number;
  readonly syncedSequence: number;
}

/** Three segments' worth of effects of each kind; several frames, not all of them confirmed by a later one. */
function makeLog(disk: ByteDisk): LogMaker {
  const log = new LogMaker(disk);
  log.group(put("a", "1"), put("b", "2", 1_790_000_000_000));
  log.group(put("c", new Uint8Array(40).fill(255), 0, 3));
  log.sync();
  log.group({ kind: "expire", database: 0, key: "a", expiresAtMs: 1_790_000_000_001 });
  log.sync();
  log.writer.rotate();
  log.group({ kind: "remove", database: 0, key: "b" });
  log.group(put("d", "x".repeat(100)));
  log.sync();
  log.group({ kind: "databases", table: Uint8Array.from({ length: 16 }, (_, i) => 15 - i) });
  log.sync();
  log.group({ kind: "flush", database: 3 });
  log.write();
  log.group(put("e", "last"));
  log.write();
  return log;
}

function framesOf(bytes: Uint8Array, groupsBefore: number): FrameAt[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    found: FrameAt[] = [];
  let before = groupsBefore;
  for (let offset = FILE_HEADER_BYTES; offset + 48 <= bytes.length;) {
    const header = readFrameHeader(view, offset);
    if (header === null) break;
    const end = offset + 48 + header.payloadBytes;
    found.push({ offset, end, before, syncedSequence: header.syncedSequence });
    before += header.groups;
    offset = end;
  }
  return found;
}

interface Outcome {
  readonly state: string | null;
  readonly cutOffset: number | null;
  readonly error: string;
}

function recovered(disk: ByteDisk): Outcome {
  const model = new StateModel(), result = recover(disk, model);
  if ("error" in result) return { state: null, cutOffset: null, error: result.error };
  return { state: model.toString(), cutOffset: result.ok.cut?.offset ?? null, error: "" };
}

/** What a flip in the log's last file must come to: the whole state, a cut before the frame, or a refusal. */
function checkLastFile(
  outcome: Outcome,
  at: number,
  frames: FrameAt[],
  states: string[],
): "refused" | "cut" {
  const label = `byte ${at}`;
  if (at < FILE_HEADER_BYTES) {
    assert.match(outcome.error, /is damaged at offset/, label);
    return "refused";
  }
  const i = frames.findIndex((frame) => at < frame.end);
  const hit = frames[i]!;
  const confirmed = Math.max(0, ...frames.slice(i + 1).map((frame) => frame.syncedSequence));
  if (confirmed >= hit.before + 1) {
    assert.match(outcome.error, new RegExp(`offset ${hit.offset}: .*synced`), label);
    return "refused";
  }
  assert.equal(outcome.error, "", label);
  assert.equal(outcome.cutOffset, hit.offset, label);
  assert.equal(outcome.state, states[hit.before], label);
  return "cut";
}

const FLIPS = [1, 2, 4, 8, 16, 32, 64, 128, 0xff];
const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);

for (const isClosed of [false, true]) {
  const how = isClosed ? "closed in order" : "left by a crash";

  Deno.test(`recover() refuses or cuts a log ${how} whatever byte of it is flipped`, () => {
    const disk = new ByteDisk(), log = makeLog(disk);
    if (isClosed) log.writer.close();
    const [first, last] = disk.list().sort();
    assert.deepEqual(disk.list().length, 2);
    assert.equal(recovered(disk).state, log.states.at(-1));
    const frames = framesOf(disk.bytesOf(last), 3);
    assert.equal(frames.at(-1)!.end, disk.bytesOf(last).length);
    const happened = { refused: 0, cut: 0 };
    for (const name of [first, last]) {
      const whole = disk.bytesOf(name);
      for (let at = 0; at < whole.length; at++) {
        for (const flip of FLIPS) {
          const bytes = whole.slice();
          bytes[at] ^= flip;
          const outcome = recovered(disk.with(name, bytes));
          if (name === last) happened[checkLastFile(outcome, at, frames, log.states)]++;
          else assert.match(outcome.error, /is damaged at offset \d+: .*wal repair/, `byte ${at}`);
        }
      }
    }
    // Both ends of the log are there: what later frames confirm, and what nothing does.
    assert.ok(happened.refused > 1000 && happened.cut > 200, JSON.stringify(happened));
  });

  Deno.test(`recover() gives a prefix of a log ${how} whatever length it is cut to`, () => {
    const disk = new ByteDisk(), log = makeLog(disk);
    if (isClosed) log.writer.close();
    const [first, last] = disk.list().sort(), whole = disk.bytesOf(last);
    const frames = framesOf(whole, 3);
    for (let length = 0; length <= whole.length; length++) {
      const outcome = recovered(disk.with(last, whole.slice(0, length)));
      if (length < FILE_HEADER_BYTES) {
        assert.match(outcome.error, /damaged at offset 0: only \d+ bytes long/, `length ${length}`);
        continue;
      }
      const cut = frames.find((frame) => length < frame.end);
      assert.equal(outcome.error, "", `length ${length}`);
      assert.equal(outcome.state, cut ? log.states[cut.before] : log.states.at(-1));
      const isTorn = cut !== undefined && length > cut.offset &&
        whole.subarray(cut.offset, length).some((byte) => byte !== 0);
      assert.equal(outcome.cutOffset, isTorn ? cut.offset : null, `length ${length}`);
    }
    const before = disk.bytesOf(first);
    for (let length = 0; length < before.length; length++) {
      const outcome = recovered(disk.with(first, before.slice(0, length)));
      assert.notEqual(outcome.error, "", `first file, length ${length}`);
    }
    assert.match(recovered(disk.without(first)).error, /a file of the log is missing/);
  });
}

Deno.test("recover() finds the end of a log that was filled ahead, and cuts what is not zero there", () => {
  const disk = new ByteDisk(), log = makeLog(disk), last = disk.list().sort().at(-1)!;
  const whole = disk.bytesOf(last), filled = new Uint8Array(whole.length + 4096);
  filled.set(whole);
  const outcome = recovered(disk.with(last, filled));
  assert.deepEqual([outcome.state, outcome.cutOffset], [log.states.at(-1), null]);
  for (let at = whole.length; at < filled.length; at += 509) {
    const bytes = filled.slice();
    bytes[at] = 1;
    const torn = recovered(disk.with(last, bytes));
    assert.deepEqual([torn.state, torn.cutOffset], [log.states.at(-1), whole.length]);
  }
  // A frame of the segment that the file was before, whole and in sequence, is no frame of this one.
  const other = new ByteDisk();
  makeLog(other);
  const old = framesOf(other.bytesOf(last), 3).at(-1)!;
  filled.set(other.bytesOf(last).subarray(old.offset, old.end), whole.length);
  const stale = recovered(disk.with(last, filled));
  assert.deepEqual([stale.state, stale.cutOffset], [log.states.at(-1), whole.length]);
});

Deno.test("recover() refuses a snapshot whatever byte of it is flipped, whatever length it is cut to", () => {
  const disk = new ByteDisk(), writer = new DirectoryWriter({ disk, serverId: SERVER_ID });
  const effects = [put("a", "1"), put("b", new Uint8Array(30).fill(254), 1_790_000_000_000, 2)];
  const model = new StateModel();
  for (const effect of effects) {
    const gathered = new EffectWriter(256);
    writeEffect(gathered, effect);
    writer.snapshotGroup(gathered.bytes.subarray(0, gathered.length));
    model.apply(effect);
  }
  writer.beginLog(9);
  writer.finish();
  const [name] = disk.list(), whole = disk.bytesOf(name);
  assert.equal(recovered(disk).state, model.toString());
  for (let at = 0; at < whole.length; at++) {
    for (const flip of FLIPS) {
      const bytes = whole.slice();
      bytes[at] ^= flip;
      const outcome = recovered(disk.with(name, bytes));
      assert.match(outcome.error, /is damaged at offset \d+: .*wal repair/, `byte ${at}`);
    }
    const cut = recovered(disk.with(name, whole.slice(0, at)));
    assert.match(cut.error, /is damaged at offset \d+/, `length ${at}`);
  }
});

Deno.test("recover() gives a prefix or refuses where pieces of a log are zero, moved or made up", () => {
  const disk = new ByteDisk(), log = makeLog(disk), random = randomFrom(SEED);
  const last = disk.list().sort().at(-1)!, whole = disk.bytesOf(last);
  const frames = framesOf(whole, 3);
  let refused = 0, cut = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = whole.slice(), label = `MAYFLY_SIM_SEED=${SEED}, round ${round}`;
    // As pages that reach the disk in any order: whole words of 8 bytes, as frames lie.
    const at = random.below(whole.length / 8) * 8, count = 8 + random.below(12) * 16;
    const from = random.below(whole.length / 8) * 8;
    if (round % 3 === 0) bytes.fill(0, at, at + count);
    else if (round % 3 === 1) bytes.copyWithin(at, from, from + count);
    else bytes.set(random.bytes(Math.min(count, whole.length - at)), at);
    const outcome = recovered(disk.with(last, bytes));
    if (outcome.state === null) {
      refused++;
      assert.match(outcome.error, /is damaged at offset \d+/, label);
      continue;
    }
    const groups = log.states.indexOf(outcome.state);
    // The first file's groups are confirmed by the second being there.
    assert.ok(groups >= 3, `${label}: no state of this log, or too early: ${outcome.state}`);
    if (groups < log.states.length - 1) {
      cut++;
      // Pages that never reached a file filled ahead are zeros there: its end, and no tear.
      const { offset } = frames.find((frame) => frame.before === groups)!;
      const isEmpty = bytes.subarray(offset).every((byte) => byte === 0);
      assert.equal(outcome.cutOffset, isEmpty ? null : offset, label);
    }
  }
  assert.ok(refused > 50 && cut > 50, `${refused} refused, ${cut} cut`);
});
