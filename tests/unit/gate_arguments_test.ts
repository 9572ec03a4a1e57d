// What `deno task test` takes: a word too many must not start the whole gate.

import assert from "node:assert/strict";
import { readGateArguments } from "../../tools/gate_arguments.ts";

Deno.test("readGateArguments() takes a mode alone", () => {
  for (const mode of ["quick", "test", "ok"]) assert.deepEqual(readGateArguments([mode]), { mode });
});

Deno.test("readGateArguments() gives the help for --help and -h wherever they stand", () => {
  for (const args of [["test", "--help"], ["--help"], ["ok", "x", "-h"]]) {
    const asked = readGateArguments(args);
    assert.ok("text" in asked && asked.isHelp);
    assert.match(asked.text, /^usage: deno task quick\|test\|ok/);
  }
});

Deno.test("readGateArguments() names what it does not know instead of running everything", () => {
  const cases = [[["test", "tests/unit"], "tests/unit"], [["fast"], "fast"], [
    [],
    "nothing",
  ]] as const;
  for (const [args, wrong] of cases) {
    const asked = readGateArguments(args);
    assert.ok("text" in asked && !asked.isHelp);
    assert.match(asked.text, new RegExp(`^cannot run the gate: received ${wrong}\nusage: `));
  }
});
