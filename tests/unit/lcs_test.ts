// LCS over values of all forms: what it pins to look at is let go, also where the values were read more than once.
import assert from "node:assert/strict";
import { EnginePath } from "../support/engine_path.ts";
import { randomFrom } from "../support/store_access.ts";

Deno.test("LCS of a large value and a compressed one lets go of both", () => {
  const path = new EnginePath(null, ["--compress-min-bytes", "512"]);
  // Too much for a record however it is compressed.
  const random = randomFrom(3);
  const letters = Array.from({ length: 40_000 }, () => String.fromCharCode(65 + random.below(58)));
  const large = letters.join("").replaceAll("\\", "x");
  path.replies(`SET large ${large}\r\n`);
  path.replies(`SET packed ${"ab".repeat(500)}\r\n`);
  assert.match(path.replies("INFO memory\r\n"), /compressed_values:1\r/);
  for (const command of ["LCS large packed LEN", "LCS packed large LEN", "LCS large large LEN"]) {
    assert.match(path.replies(`${command}\r\n`), /^:\d+|^-ERR/, command);
    assert.equal(path.engine.store.totals().pinnedBlocks, 0, command);
  }
});
