// The catalogue's facts: each row has them, none is left over, and they agree with what the engine locks.

import assert from "node:assert/strict";
import { COMMAND_FACTS } from "../../src/commands/command_facts.ts";
import * as R from "../../src/commands/command_row.ts";
import { ROWS, SUBCOMMANDS } from "../../src/commands/table.ts";

const ALL = [...ROWS, ...[...SUBCOMMANDS.values()].flat()];

Deno.test("COMMAND_FACTS has every row and subcommand, and no other", () => {
  assert.deepEqual(Object.keys(COMMAND_FACTS).sort(), ALL.map((row) => row.name).sort());
});

Deno.test("COMMAND_FACTS calls exactly those commands writes that change entries", () => {
  const WITHOUT_KEYS = new Set(["flushall", "flushdb", "swapdb"]);
  for (const row of ROWS) {
    const changes = row.kind === R.CHANGE || row.kind === R.CHANGE_EACH ||
      row.kind === R.CHANGE_ALL;
    const isWrite = COMMAND_FACTS[row.name].flags.split(" ").includes("write");
    assert.equal(isWrite, changes || WITHOUT_KEYS.has(row.name), row.name);
  }
});

Deno.test("COMMAND_FACTS names the same keys as the rows that the engine locks", () => {
  for (const row of ROWS) {
    if (row.kind === R.KEYLESS || row.name === "object") continue;
    const keys = (COMMAND_FACTS[row.name].keys ?? []).map((text) => text.split(" ").map(Number));
    const ends = keys.map(([first, last]) => last < 0 ? last : first + last);
    assert.equal(Math.min(...keys.map(([first]) => first)), row.firstKey, row.name);
    assert.equal(ends.some((end) => end < 0) ? -1 : Math.max(...ends), row.lastKey, row.name);
  }
});
