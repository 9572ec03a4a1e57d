// What MEMORY tells of holes, and that they are closed: by MEMORY PURGE, and by the work in the background.
import assert from "node:assert/strict";
import { EnginePath } from "../support/engine_path.ts";

const KEYS = 160_000, BATCH = 320, VALUE = "v".repeat(160);

/** A store of which four in five entries were removed again, here and there. */
function sparsePath(): EnginePath {
  const path = new EnginePath();
  for (let at = 0; at < KEYS; at += BATCH) {
    const keys = Array.from({ length: BATCH }, (_, i) => at + i);
    path.replies(keys.map((key) => `SET key:${key} ${VALUE}\r\n`).join(""));
  }
  for (let at = 0; at < KEYS; at += BATCH) {
    const keys = Array.from({ length: BATCH }, (_, i) => at + i).filter((key) => key % 5 !== 0);
    path.replies(`DEL ${keys.map((key) => `key:${key}`).join(" ")}\r\n`);
  }
  return path;
}

function allocatorNumber(path: EnginePath, name: string): number {
  const text = path.replies("MEMORY MALLOC-STATS\r\n");
  return Number(new RegExp(`^${name}: (\\d+)`, "m").exec(text)![1]);
}

/** Every entry is still there and whole. */
function checkLeft(path: EnginePath): void {
  for (let key = 0; key < KEYS; key += 5 * 97) {
    assert.equal(path.replies(`GET key:${key}\r\n`), `$${VALUE.length}\r\n${VALUE}\r\n`);
  }
  assert.equal(path.replies("DBSIZE\r\n"), `:${KEYS / 5}\r\n`);
}

Deno.test("MEMORY PURGE closes the holes that MEMORY DOCTOR and MALLOC-STATS tell of", () => {
  const path = sparsePath();
  assert.match(path.replies("MEMORY DOCTOR\r\n"), /\d+ % of used memory are holes between entries/);
  const used = allocatorNumber(path, "usedBytes"), holes = allocatorNumber(path, "freeSlotBytes");
  assert.ok(holes > used / 2, `${holes} of ${used}`);
  assert.equal(path.replies("MEMORY PURGE\r\n"), "+OK\r\n");
  const left = allocatorNumber(path, "usedBytes");
  assert.ok(left < used * 0.4, `${left} of ${used}`);
  assert.ok(allocatorNumber(path, "freeSlotBytes") < left / 4);
  assert.equal(allocatorNumber(path, "freePageBytes") >= used - left - 2 ** 20, true);
  assert.doesNotMatch(path.replies("MEMORY DOCTOR\r\n"), /holes/);
  checkLeft(path);
});

Deno.test("makeRoomAhead() closes holes in pieces while nobody needs the memory", () => {
  const path = sparsePath(), { shards } = path.engine.store;
  const used = allocatorNumber(path, "usedBytes");
  let turns = 0;
  for (let before = Infinity; turns < 1000; turns++) {
    for (const shard of shards) path.engine.makeRoomAhead(shard);
    if (turns % 50 !== 49) continue;
    const now = allocatorNumber(path, "usedBytes");
    if (now === before) break;
    before = now;
  }
  const left = allocatorNumber(path, "usedBytes");
  assert.ok(left < used * 0.4, `${left} of ${used} after ${turns} turns`);
  checkLeft(path);
});
