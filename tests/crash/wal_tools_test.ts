// `mayfly wal` on directories that are torn and damaged: what it says, and what repair saves, at every place.
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { DirectoryDisk } from "../../src/log/disk.ts";
import { FRAME_HEADER_BYTES, readFrameHeader } from "../../src/log/frame.ts";
import { recover } from "../../src/log/recovery.ts";
import { FILE_HEADER_BYTES, FORMAT_VERSION } from "../../src/log/segment.ts";
import { LogMaker, put, StateModel } from "../support/log_maker.ts";
import { runHere } from "../support/tool_run.ts";

const FIRST = "wal-0000000000000001.log";
const SECOND = "wal-0000000000000004.log";

/** Two segments of six groups, and the states they lead to. Every frame but the last is confirmed. */
function makeLog(path: string): string[] {
  Deno.mkdirSync(path);
  const log = new LogMaker(new DirectoryDisk(path));
  for (let i = 1; i <= 3; i++) {
    log.group(put(`k${i}`, "v".repeat(i)), put("last", String(i)));
    log.sync();
  }
  log.writer.rotate();
  for (let i = 4; i <= 6; i++) {
    log.group({ kind: "remove", database: 0, key: `k${i - 3}` }, put("last", String(i)));
    log.sync();
  }
  return log.states;
}

function stateOf(path: string): string {
  const model = new StateModel(), result = recover(new DirectoryDisk(path), model);
  assert.ok("ok" in result, JSON.stringify(result));
  return model.toString();
}

/** How many frames, of one group each, end before the byte. */
function framesBefore(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer);
  let frames = 0;
  for (let offset = FILE_HEADER_BYTES; offset < at; frames++) {
    offset += FRAME_HEADER_BYTES + readFrameHeader(view, offset)!.payloadBytes;
    if (offset > at) break;
  }
  return frames;
}

function change(path: string, edit: (bytes: Uint8Array) => Uint8Array): void {
  Deno.writeFileSync(path, edit(Deno.readFileSync(path)));
}

Deno.test("mayfly wal verify ends with 3 where the log is torn, and repair leaves the tear out", async () => {
  const folder = Deno.makeTempDirSync(), data = `${folder}/data`, states = makeLog(data);
  const whole = Deno.statSync(`${data}/${SECOND}`).size;
  change(`${data}/${SECOND}`, (bytes) => Uint8Array.of(...bytes, 77, 70, 70, 82, 1));
  const verify = await runHere("wal", "verify", data);
  assert.equal(verify.code, 3);
  assert.match(verify.stdout, new RegExp(`not whole at offset ${whole}, 5 bytes follow`));
  assert.match(verify.error, new RegExp(`${SECOND} is torn at offset ${whole}.* the 5 bytes`));
  const repair = await runHere("wal", "repair", data, `${folder}/new`);
  assert.equal(repair.code, 0, repair.error);
  assert.match(repair.stdout, /left out: wal-0{15}4\.log: 5 bytes from offset/);
  assert.equal((await runHere("wal", "verify", `${folder}/new`)).code, 0);
  assert.equal(stateOf(`${folder}/new`), states[6]);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("mayfly wal repair saves what lies before the damage, wherever that is, and changes nothing", async () => {
  const folder = Deno.makeTempDirSync(), data = `${folder}/data`, states = makeLog(data);
  const files = [FIRST, SECOND].map((name) => Deno.readFileSync(`${data}/${name}`));
  let damaged = 0;
  for (const [i, name] of [FIRST, SECOND].entries()) {
    for (let at = 0; at < files[i].length; at += 11) {
      const broken = files[i].slice(), label = `${name}, byte ${at}`;
      broken[at] ^= 0xff;
      Deno.writeFileSync(`${data}/${name}`, broken);
      const verify = await runHere("wal", "verify", data);
      assert.ok(verify.code === 4 || verify.code === 3 && name === SECOND, label);
      if (verify.code === 4) {
        damaged++;
        assert.match(verify.error, new RegExp(`${name} is damaged at offset \\d+: `), label);
      }
      const into = `${folder}/new`, repair = await runHere("wal", "repair", data, into);
      assert.equal(repair.code, 0, label);
      assert.match(repair.stdout, new RegExp(`^left out: ${name}: `), label);
      assert.equal((await runHere("wal", "verify", into)).code, 0, label);
      const groups = (name === SECOND ? 3 : 0) + framesBefore(files[i], at);
      assert.match(repair.stdout, new RegExp(`, ${groups} of the log, `), label);
      assert.equal(stateOf(into), states[groups], label);
      assert.deepEqual(Deno.readFileSync(`${data}/${name}`), broken, label);
      Deno.removeSync(into, { recursive: true });
    }
    Deno.writeFileSync(`${data}/${name}`, files[i]);
  }
  assert.ok(damaged > 40);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("mayfly wal repair keeps the log behind a snapshot that is damaged: entries miss, none is wrong", async () => {
  const folder = Deno.makeTempDirSync(), data = `${folder}/data`, lines = `${folder}/lines`;
  // Values so long that each has a frame of its own.
  const value = "v".repeat(300_000);
  const snapshot = ["a", "b", "c"].map((key) =>
    JSON.stringify({ ...PUT, sequence: 0, key, value: `${value}${key}` })
  );
  const log = JSON.stringify({ ...PUT, sequence: 9, key: "later", value: "1" });
  Deno.writeTextFileSync(lines, [...snapshot, log].join("\n"));
  assert.equal((await runHere("wal", "load", lines, data)).code, 0);
  const name = "snapshot-0000000000000009.mfs";
  for (const [offset, kept] of [[20, ""], [500_000, "a"], [700_000, "ab"]] as const) {
    const whole = Deno.readFileSync(`${data}/${name}`);
    change(`${data}/${name}`, (bytes) => bytes.fill(7, offset, offset + 1));
    assert.equal((await runHere("wal", "verify", data)).code, 4);
    const into = `${folder}/new${offset}`, repair = await runHere("wal", "repair", data, into);
    assert.match(repair.stdout, /^left out: snapshot-0{15}9\.mfs: \d+ bytes from offset \d+ on: /);
    const model = new StateModel(), result = recover(new DirectoryDisk(into), model);
    assert.ok("ok" in result && result.ok.nextSequence === 10);
    const keys = [...model.entries.keys()].map((key) => key.slice(2)).sort();
    assert.deepEqual(keys, [...kept, "later"]);
    Deno.writeFileSync(`${data}/${name}`, whole);
  }
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("mayfly wal repair ends before a file that is missing, and takes a log whose beginning is", async () => {
  const folder = Deno.makeTempDirSync(), data = `${folder}/data`, states = makeLog(data);
  const last = "wal-0000000000000007.log";
  const log = new LogMaker(new DirectoryDisk(data), 7);
  log.group(put("beyond", "1"));
  log.sync();
  const second = Deno.readFileSync(`${data}/${SECOND}`);
  Deno.removeSync(`${data}/${SECOND}`);
  assert.match((await runHere("wal", "verify", data)).error, /a file of the log is missing/);
  const repair = await runHere("wal", "repair", data, `${folder}/new`);
  assert.match(repair.stdout, new RegExp(`^left out: ${last}: it begins with sequence 7, but 4`));
  assert.equal(stateOf(`${folder}/new`), states[3]);
  Deno.writeFileSync(`${data}/${SECOND}`, second);
  Deno.removeSync(`${data}/${FIRST}`);
  assert.equal((await runHere("wal", "verify", data)).code, 4);
  await runHere("wal", "repair", data, `${folder}/late`);
  const model = new StateModel(), result = recover(new DirectoryDisk(`${folder}/late`), model);
  assert.ok("ok" in result && result.ok.nextSequence === 8);
  assert.deepEqual([...model.entries.keys()].sort(), ["0:beyond", "0:last"]);
  Deno.removeSync(folder, { recursive: true });
});

const PUT = { effect: "put", database: 0, expiresAtMs: 0, type: "string" };

Deno.test("mayfly wal load names the line that is wrong, and leaves nothing that starts", async () => {
  const folder = Deno.makeTempDirSync(), lines = `${folder}/lines`, into = `${folder}/new`;
  const good = (sequence: number) => JSON.stringify({ ...PUT, sequence, key: "k", value: "v" });
  const cases: readonly (readonly [string | Uint8Array, RegExp])[] = [
    [`${good(1)}\n\n${good(2)}\n{`, /lines, line 4: it is no JSON/],
    [`${good(0)}\n${good(5)}\n${good(4)}\n`, /lines, line 3: sequence 4 comes after 5/],
    [`${good(5)}\n${good(0)}\n`, /lines, line 2: sequence 0 comes after 5/],
    [Uint8Array.of(...new TextEncoder().encode(good(1)), 10, 255, 10), /line 2: it is not UTF-8/],
  ];
  for (const [text, wanted] of cases) {
    Deno.writeFileSync(lines, typeof text === "string" ? new TextEncoder().encode(text) : text);
    const load = await runHere("wal", "load", lines, into);
    assert.equal(load.code, 1);
    assert.match(load.error, wanted);
    assert.deepEqual([...Deno.readDirSync(into)].map(({ name }) => name), ["LOCK"]);
  }
  Deno.writeTextFileSync(lines, good(1));
  assert.equal((await runHere("wal", "load", lines, into)).code, 0);
  const again = await runHere("wal", "load", lines, into);
  assert.deepEqual([again.code, /is not empty: it holds/.test(again.error)], [1, true]);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("mayfly wal load makes one group of the lines of a sequence, closes gaps, takes lines of any length", async () => {
  const folder = Deno.makeTempDirSync(), lines = `${folder}/lines`, into = `${folder}/new`;
  const line = (sequence: number, key: string, value = "v") =>
    JSON.stringify({ ...PUT, sequence, key, value });
  const long = "x".repeat(3_000_000);
  Deno.writeTextFileSync(
    lines,
    [line(3, "a"), line(3, "b"), line(7, "c", long), line(8, "d"), ""].join("\r\n"),
  );
  const load = await runHere("wal", "load", lines, into);
  assert.match(load.stdout, /3 groups of the log, next sequence 6\n$/, load.error);
  const model = new StateModel(), result = recover(new DirectoryDisk(into), model);
  assert.ok("ok" in result && result.ok.isClosed && result.ok.groups === 3);
  assert.deepEqual([...model.entries.keys()], ["0:a", "0:b", "0:c", "0:d"]);
  assert.equal((model.entries.get("0:c")!.value as Uint8Array).length, long.length);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("mayfly wal leaves alone what a newer mayfly wrote, and says so", async () => {
  const folder = Deno.makeTempDirSync(), data = `${folder}/data`;
  makeLog(data);
  const whole = Deno.readFileSync(`${data}/${FIRST}`);
  // A whole head of another version.
  change(`${data}/${FIRST}`, (bytes) => {
    const view = new DataView(bytes.buffer);
    view.setUint32(8, FORMAT_VERSION + 1, true);
    view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
    return bytes;
  });
  for (const args of [["verify", data], ["dump", data], ["repair", data, `${folder}/new`]]) {
    const end = await runHere("wal", ...args);
    assert.equal(end.code, 1, args[0]);
    assert.match(end.error, /newer mayfly|format version 2, this mayfly reads up to 1/, args[0]);
  }
  Deno.writeFileSync(`${data}/${FIRST}`, whole);
  // A whole frame with an effect of another kind, behind what is known.
  const log = new LogMaker(new DirectoryDisk(data), 7);
  log.effects(Uint8Array.of(0x92, 63, 0xc0));
  log.sync();
  for (const args of [["verify", data], ["repair", data, `${folder}/new`]]) {
    const end = await runHere("wal", ...args);
    assert.equal(end.code, 1, args[0]);
    assert.match(end.error, /newer mayfly/, args[0]);
  }
  assert.deepEqual([...Deno.readDirSync(`${folder}/new`)].map(({ name }) => name), ["LOCK"]);
  Deno.removeSync(folder, { recursive: true });
});
