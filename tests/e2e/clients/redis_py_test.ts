// The client library redis-py, where Python has it: a script asks, and says what was not as it should be.
import assert from "node:assert/strict";
import { needsPythonModule, pythonWith } from "../../support/needs.ts";
import { startServer } from "../../support/server.ts";

Deno.test({
  name: "redis-py's calls, pipelines and transactions get what they should",
  ...needsPythonModule("redis"),
  fn: async () => {
    await using server = await startServer({ workers: 2 });
    const script = new URL("redis_py_calls.py", import.meta.url).pathname;
    const { code, stdout, stderr } = await new Deno.Command(pythonWith("redis")!, {
      args: [script, String(server.port)],
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.equal(code, 0, text(stderr));
    assert.equal(text(stdout), "ok\n");
  },
});
