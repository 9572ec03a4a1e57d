// How the server ends: on signals and SHUTDOWN with everything answered and exit code 0, on a broken
// worker at once with its error and exit code 70.

import assert from "node:assert/strict";
import { assertSameBytes, payload } from "../support/payload.ts";
import { connect, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { infoNumber, until } from "../support/server_numbers.ts";
import { ROOT } from "../support/serve_task.ts";

const EXIT_MS_MAX = 10_000;
const MIB = 1 << 20;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`server sends every reply it owes on ${signal}, then closes and ends with 0`, async () => {
    await using server = await startServer({ workers: 2, flags: ["--maxmemory", "1gb"] });
    const value = payload(64 * MIB, 1), small = payload(500, 2), count = 30_000;
    using witness = await connect(server.port);
    using reader = await connect(server.port, { timeoutMs: 20_000 });
    using pipeliner = await connect(server.port, { timeoutMs: 20_000 });
    using idle = await connect(server.port);
    assert.equal(plain(await witness.command("SET", "big", value)), "+OK");
    assert.equal(plain(await witness.command("SET", "small", small)), "+OK");
    assert.equal(plain(await idle.command("PING")), "+PONG");
    await reader.send("GET big\r\n");
    await reader.readRaw(`$${value.length}\r\n`);
    await pipeliner.send("GET small\r\n".repeat(count));
    await until(
      "all GETs have run",
      () => infoNumber(witness, "keyspace_hits"),
      (hits) => hits === count + 1,
    );
    Deno.kill(server.pid, signal);
    await idle.ended(); // has nothing owed
    await until("no worker accepts any more", async () => {
      try {
        (await connect(server.port)).close();
        return false;
      } catch (error) {
        return error instanceof Deno.errors.ConnectionRefused;
      }
    }, (isRefused) => isRefused);
    assertSameBytes(await reader.readRaw(value.length), value);
    assert.equal((await reader.readToEnd()).length, 2);
    const reply = new Uint8Array([...new TextEncoder().encode("$500\r\n"), ...small, 13, 10]);
    for (let i = 0; i < count; i++) {
      assertSameBytes(await pipeliner.readRaw(reply.length), reply, `reply ${i}`);
    }
    await pipeliner.ended();
    assert.equal(await server.exit(EXIT_MS_MAX), 0);
    const { stderr } = server.output();
    assert.match(stderr, new RegExp(`stopping: ${signal}\n(?:.*\n)*.* stopped\n$`), stderr);
  });
}

Deno.test("server does not wait for ever for a client that never reads", async () => {
  await using server = await startServer({ workers: 1, flags: ["--maxmemory", "1gb"] });
  using client = await connect(server.port);
  assert.equal(plain(await client.command("SET", "k", payload(MIB, 1))), "+OK");
  await client.send("GET k\r\n".repeat(40));
  using witness = await connect(server.port);
  await until("all have run", () => infoNumber(witness, "keyspace_hits"), (hits) => hits === 40);
  assert.equal(await server.stop(), 0);
  assert.match(server.output().stderr, /stopped without waiting longer for 1 of 1 workers/);
});

Deno.test("SHUTDOWN ends the server with 0 and without a reply", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  using other = await connect(server.port);
  assert.equal(plain(await client.command("SHUTDOWN", "SAVE"))?.toString().slice(0, 4), "-ERR");
  assert.equal(plain(await client.command("SHUTDOWN", "NOPE")), "-ERR syntax error");
  assert.equal(plain(await other.command("PING")), "+PONG");
  await client.send("SET a 1\r\nSHUTDOWN NOSAVE\r\nSET a 2\r\n");
  assert.equal(new TextDecoder().decode(await client.readToEnd()), "+OK\r\n");
  assert.equal((await other.readToEnd()).length, 0);
  assert.equal(await server.exit(EXIT_MS_MAX), 0);
  assert.match(server.output().stderr, /stopping: SHUTDOWN\n/);
});

const FAULTS = [["FLUSHALL", "fault 4711 within a command"], ["FLUSHDB", "fault 4712 in a timer"]];

for (const [command, text] of FAULTS) {
  Deno.test(`server ends with 70 and the error of a worker with ${text}`, async () => {
    await using server = await startServer({
      workers: 2,
      mainPath: `${ROOT}tests/support/faulty_server.ts`,
    });
    using client = await connect(server.port);
    using other = await connect(server.port);
    assert.equal(plain(await client.command("SET", "a", "1")), "+OK");
    assert.equal(plain(await other.command("GET", "a")), "1");
    await client.send(`${command}\r\n`);
    assert.equal(await server.exit(EXIT_MS_MAX), 70);
    assert.match(server.output().stderr, new RegExp(`ERROR .*worker-\\d.*${text}`));
    await other.ended();
  });
}
