// Sizes as people write and read them.

import assert from "node:assert/strict";
import { formatMemorySize, parseMemorySize } from "../../src/memory_size.ts";

Deno.test("parseMemorySize() follows Redis's units in any case", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["123", 123],
    ["7b", 7],
    ["1k", 1000],
    ["1kb", 1024],
    ["3m", 3_000_000],
    ["100mb", 104_857_600],
    ["2g", 2_000_000_000],
    ["2GB", 2_147_483_648],
    ["1Kb", 1024],
    ["9007199254740991", 2 ** 53 - 1],
  ];
  for (const [text, bytes] of cases) assert.equal(parseMemorySize(text), bytes, text);
});

Deno.test("parseMemorySize() gives null for what Redis refuses and past 2^53 - 1", () => {
  const refused = ["", " ", "mb", "-1", "+1", "1.5gb", "1tb", "1 mb", "1mbb", "0x10", "1e3", "1\n"];
  const tooLarge = ["9007199254740992", "9007199254740991kb", "99999999999999999999"];
  for (const text of [...refused, ...tooLarge, "1constructor", "1__"]) {
    assert.equal(parseMemorySize(text), null, JSON.stringify(text));
  }
});

Deno.test("formatMemorySize() takes the largest unit and at most one decimal", () => {
  const cases: [number, string][] = [
    [0, "0 bytes"],
    [1023, "1023 bytes"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [64 * 1024 ** 2, "64 MiB"],
    [1024 ** 2 - 1, "1 MiB"],
    [12_562_792_448, "11.7 GiB"],
    [1024 ** 4, "1 TiB"],
  ];
  for (const [bytes, text] of cases) assert.equal(formatMemorySize(bytes), text);
});
