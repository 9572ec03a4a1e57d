// `mayfly ping` finds a server that was moved by MAYFLY_PORT, as a container's health check has to.

import assert from "node:assert/strict";
import { freePort, runMayfly, startServer } from "../support/server.ts";

Deno.test("mayfly ping takes the port from MAYFLY_PORT, and --port before it", async () => {
  await using server = await startServer();
  const [right, wrong] = [String(server.port), String(freePort())];
  const found = await runMayfly(["ping"], { env: { MAYFLY_PORT: right } });
  assert.deepEqual([found.code, found.stdout], [0, "PONG\n"], found.stderr);
  const lost = await runMayfly(["ping"], { env: { MAYFLY_PORT: wrong } });
  assert.equal(lost.code, 1, "nobody listens there");
  const told = await runMayfly(["ping", "--port", right], { env: { MAYFLY_PORT: wrong } });
  assert.equal(told.code, 0, told.stderr);
});
