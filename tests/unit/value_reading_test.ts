// Commands that read a large value beside the lock: they answer, and let every block go, also after an error.
import assert from "node:assert/strict";
import { EnginePath } from "../support/engine_path.ts";

const CASES: readonly (readonly [line: string, reply: string])[] = [
  ["SETBIT big 160000 1", ":0\r\n"],
  ["SETRANGE other 20000 x", ":20001\r\n"],
  ["BITCOUNT big", ":1\r\n"],
  ["BITCOUNT big 0 -2", ":0\r\n"],
  ["BITCOUNT big 160000 160000 BIT", ":1\r\n"],
  ["BITPOS big 1", ":160000\r\n"],
  ["BITPOS big 1 0 -2", ":-1\r\n"],
  ["BITPOS other 1 20000", ":160001\r\n"],
  ["GETBIT big 160000", ":1\r\n"],
  ["LCS big other WRONG", "-ERR syntax error\r\n"],
  [
    "LCS big other LEN",
    "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n",
  ],
  ["SET short x", "+OK\r\n"],
  ["LCS other short", "$1\r\nx\r\n"],
  ["LCS short other LEN", ":1\r\n"],
  [
    "LCS other other WITHMATCHLEN IDX LEN",
    "-ERR If you want both the length and indexes, please just use IDX.\r\n",
  ],
  ["BITCOUNT big x 1", "-ERR value is not an integer or out of range\r\n"],
  ["DEL big other", ":2\r\n"],
];

Deno.test("commands that read large values beside the lock leave no block pinned", () => {
  const path = new EnginePath();
  for (const [line, reply] of CASES) {
    assert.equal(path.replies(`${line}\r\n`), reply, line);
    assert.equal(path.engine.store.totals().pinnedBlocks, 0, `${line} left a pin`);
  }
  const totals = path.engine.store.totals();
  const fresh = new EnginePath();
  fresh.replies("SET short x\r\n");
  assert.equal(
    totals.usedBytes,
    fresh.engine.store.totals().usedBytes,
    "memory was not given back",
  );
});
