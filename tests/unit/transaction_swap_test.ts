// EXEC of large values while another client's SWAPDB comes between their blocks and its locks: one worker's engine.
import assert from "node:assert/strict";
import { EnginePath } from "../support/engine_path.ts";

const VALUE_BYTES = 20_000;

Deno.test("EXEC stores large values where their keys lie, when SWAPDB comes before its locks", () => {
  const path = new EnginePath(), { store, services: { settings } } = path.engine;
  const stage = store.stage.bind(store);
  const value = (key: number) => String.fromCharCode(97 + key).repeat(VALUE_BYTES);
  let toSwap = 0;
  store.stage = (shard, lengthBytes) => {
    const block = stage(shard, lengthBytes);
    if (--toSwap === 0) settings.swapDatabases(0, 5);
    return block;
  };
  // With one key or another the shard stays the same by chance.
  for (let key = 0; key < 12; key += 3) {
    toSwap = 1 + key % 2;
    const lines = [
      "MULTI",
      `SET k${key} ${value(key)}`,
      `MSET k${key + 1} ${value(key + 1)} k${key + 2} ${value(key + 2)}`,
      "EXEC",
    ];
    const replies = lines.map((line) => path.replies(`${line}\r\n`)).join("");
    assert.equal(replies, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n");
    assert.ok(toSwap <= 0, "nothing came between");
    for (const each of [key, key + 1, key + 2]) {
      const reply = path.longReplies(new TextEncoder().encode(`GET k${each}\r\n`));
      assert.equal(reply, `$${VALUE_BYTES}\r\n${value(each)}\r\n`);
    }
  }
  assert.equal(path.replies("FLUSHALL\r\n"), "+OK\r\n");
  assert.equal(store.totals().pageBytes, 0);
});
