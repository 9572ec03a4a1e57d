// `mayfly ping` and `mayfly bench` as processes against real servers: what they print and how they end.

import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { freePort, runMayfly, startServer } from "../support/server.ts";

Deno.test("mayfly ping ends with 0 where a server serves, with 1 and a line where none does", async () => {
  await using server = await startServer();
  const good = await runMayfly(["ping", "--port", String(server.port)]);
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, "PONG\n", ""]);
  const bad = await runMayfly(["ping", "--port", String(freePort())]);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /^mayfly: cannot reach 127\.0\.0\.1:\d+: Connection refused[^\n]*\n$/);
  const wrong = await runMayfly(["ping", "--port", "abc"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /whole number from 1 to 65535/);
});

Deno.test("mayfly ping gives up on a server that says nothing, after --timeout", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const end = await runMayfly(["ping", "--port", String(port), "--timeout", "200"]);
  listener.close();
  assert.equal(end.code, 1);
  assert.match(end.stderr, /did not answer within 200 ms/);
});

Deno.test("mayfly ping takes its password from a file, and is refused without it", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "secret\n");
  await using server = await startServer({ env: { MAYFLY_REQUIREPASS: "secret" } });
  const port = String(server.port);
  const without = await runMayfly(["ping", "--port", port]);
  assert.equal(without.code, 1);
  assert.match(without.stderr, /NOAUTH/);
  assert.equal((await runMayfly(["ping", "--port", port, "--password-file", path])).code, 0);
  await Deno.remove(path);
});

Deno.test("mayfly bench sends exactly what was asked for and tells throughput and percentiles", async () => {
  await using server = await startServer();
  using client = await connect(server.port);
  const arguments_ = ["--port", String(server.port), "--clients", "7", "--requests", "1003"];
  const end = await runMayfly([
    "bench",
    ...arguments_,
    "--pipeline",
    "10",
    "--command",
    "set,incr,mget",
    "--keys",
    "50",
    "--json",
  ]);
  assert.equal(end.code, 0, end.stderr);
  const results = end.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(results.map(({ command, requests, errors }) => [command, requests, errors]), [
    ["set", 1003, 0],
    ["incr", 1003, 0],
    ["mget", 1003, 0],
  ]);
  for (const { perSecond, latencyUs } of results) {
    assert.ok(perSecond > 0);
    assert.ok(latencyUs.p50 > 0 && latencyUs.p50 <= latencyUs["p99.9"] * 1.02);
  }
  const keys = plain(await client.command("KEYS", "bench:counter:*")) as string[];
  const counts = plain(await client.command("MGET", ...keys)) as string[];
  assert.equal(counts.reduce((total, count) => total + Number(count), 0), 1003);
  const people = await runMayfly(["bench", ...arguments_, "--command", "ping"]);
  assert.match(
    people.stdout,
    /^ping: \d+ requests per second \(1003 in .*7 clients.*\)\n {2}p50 .* max/,
  );
});

Deno.test("mayfly bench ends with 1 and the first error where replies are errors", async () => {
  await using server = await startServer({ env: { MAYFLY_REQUIREPASS: "secret" } });
  const end = await runMayfly(["bench", "--port", String(server.port), "--requests", "10"]);
  assert.equal(end.code, 1);
  assert.match(end.stderr, /10 replies were errors, the first: .*NOAUTH|20 replies were errors/);
});
