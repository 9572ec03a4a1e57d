// Clients that do not read, or read late: all their replies arrive or they are dropped at a limit,
// logged and counted, and nobody else notices.

import assert from "node:assert/strict";
import { assertSameBytes, payload } from "../support/payload.ts";
import { connect, encodeCommand, plain, type RespClient } from "../support/resp_client.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { infoNumber, readInfo, until, untilInfo } from "../support/server_numbers.ts";

const MIB = 1 << 20;
/** More than the kernel keeps for a connection: 4 MiB of its sender's, 6 of its receiver's buffer. */
const BEYOND_KERNEL_BYTES = 16 * MIB;

/** Asks for `bytes` of replies in GETs of `valueBytes` each, and reads none of them. */
async function askMuch(client: RespClient, key: string, valueBytes: number, bytes: number) {
  const count = Math.ceil(bytes / valueBytes);
  await client.send(`GET ${key}\r\n`.repeat(count));
  return count;
}

/** The same key so many times. */
function keys(count: number): string[] {
  return Array.from({ length: count }, () => "k");
}

/** A worker's line reaches the log a moment after its counters. */
async function untilLogged(server: RunningServer, line: RegExp, times = 1): Promise<void> {
  await until(
    `${line} in the log ${times} times`,
    () => server.output().stderr,
    (text) => [...text.matchAll(new RegExp(line, "g"))].length === times,
  );
}

/** Longest of `count` round trips, in ms. */
async function slowestPingMs(client: RespClient, count: number): Promise<number> {
  let slowestMs = 0;
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    assert.equal(plain(await client.command("PING")), "+PONG");
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
  }
  return slowestMs;
}

Deno.test("server answers 300,000 GETs of 500 bytes sent before the first reply is read", async () => {
  await using server = await startServer({ workers: 1, flags: ["--maxmemory", "2gb"] });
  using other = await connect(server.port);
  using client = await connect(server.port, { timeoutMs: 60_000 });
  const value = payload(500, 3), count = 300_000;
  assert.equal(plain(await client.command("SET", "k", value)), "+OK");
  await client.send("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(count));
  await until(
    "every GET has run",
    () => infoNumber(other, "keyspace_hits"),
    (hits) => hits === count,
    60_000,
  );
  const head = new TextEncoder().encode("$500\r\n");
  const reply = new Uint8Array(head.length + 502);
  reply.set(head);
  reply.set(value, head.length);
  reply.set([13, 10], head.length + 500);
  for (let left = count; left > 0;) {
    const group = Math.min(left, 2000);
    const expected = new Uint8Array(group * reply.length);
    for (let i = 0; i < group; i++) expected.set(reply, i * reply.length);
    assertSameBytes(await client.readRaw(expected.length), expected, `replies, ${left} left`);
    left -= group;
  }
  assert.equal(plain(await client.command("PING")), "+PONG");
  await untilInfo(other, "clients_output_buffer_bytes", 0);
  assert.equal(await infoNumber(other, "client_output_buffer_limit_disconnections"), 0);
});

Deno.test("server drops a client that stopped reading at its limit and serves the others", async () => {
  await using server = await startServer({
    workers: 1,
    flags: ["--client-output-bytes-max", "4mb", "--maxmemory", "1gb"],
  });
  using other = await connect(server.port);
  assert.equal(plain(await other.command("SET", "k", payload(10_000, 1))), "+OK");
  for (let round = 1; round <= 3; round++) {
    using client = await connect(server.port);
    const asked = askMuch(client, "k", 10_000, 4 * BEYOND_KERNEL_BYTES).catch(() => {});
    assert.ok(await slowestPingMs(other, 50) < 1000);
    await untilInfo(other, "client_output_buffer_limit_disconnections", round);
    await asked;
  }
  await untilInfo(other, "connected_clients", 1);
  // What was dropped is off the count: it would make the limit for all clients drop innocent ones.
  await untilInfo(other, "clients_output_buffer_bytes", 0);
  assert.ok(await infoNumber(other, "clients_query_buffer_bytes") < 100_000);
  await untilLogged(server, /client dropped: replies of \d+ bytes were not read/, 3);
});

Deno.test("server drops a client whose write made no progress for --write-timeout", async () => {
  await using server = await startServer({
    workers: 1,
    flags: ["--write-timeout", "1", "--maxmemory", "1gb"],
  });
  using other = await connect(server.port);
  assert.equal(plain(await other.command("SET", "k", payload(10_000, 1))), "+OK");
  using stalled = await connect(server.port);
  using idle = await connect(server.port);
  await askMuch(stalled, "k", 10_000, BEYOND_KERNEL_BYTES);
  await untilInfo(other, "client_output_buffer_limit_disconnections", 1);
  await untilLogged(server, /client dropped: no reply was read for 1 s/);
  await untilInfo(other, "clients_output_buffer_bytes", 0);
  assert.equal(plain(await idle.command("PING")), "+PONG");
});

Deno.test("server closes idle clients after --idle-timeout and no others", async () => {
  await using server = await startServer({
    workers: 1,
    flags: ["--idle-timeout", "1", "--maxmemory", "1gb"],
  });
  using busy = await connect(server.port);
  using idle = await connect(server.port);
  using sender = await connect(server.port);
  using reader = await connect(server.port, { timeoutMs: 20_000 });
  const value = payload(200_000, 2), large = payload(24 * MIB, 5);
  assert.equal(plain(await busy.command("SET", "large", large)), "+OK");
  await reader.send("GET large\r\n");
  await sender.send("*3\r\n$3\r\nSET\r\n$4\r\nslow\r\n$200000\r\n");
  assert.equal(plain(await idle.command("PING")), "+PONG");
  const startMs = performance.now();
  // One sends a value in pieces and one reads a reply in pieces, both for longer than the limit.
  const readParts: Uint8Array[] = [await reader.readRaw(`$${large.length}\r\n`)];
  const pieces = 14;
  for (let piece = 0; piece < pieces; piece++) {
    await sender.send(value.subarray(piece * 10_000, (piece + 1) * 10_000));
    readParts.push(await reader.readRaw(MIB));
    assert.equal(plain(await busy.command("PING")), "+PONG");
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.ok(performance.now() - startMs > 3000);
  await idle.ended(100); // long since
  await sender.send(value.subarray(pieces * 10_000));
  await sender.send("\r\n");
  assert.equal(plain(await sender.reply()), "+OK");
  readParts.push(await reader.readRaw(large.length - pieces * MIB));
  let at = 0;
  for (const part of readParts.slice(1)) {
    assertSameBytes(part, large.subarray(at, at + part.length));
    at += part.length;
  }
  using other = await connect(server.port); // the busy one may have been idle by now
  assertSameBytes(await other.command("GET", "slow"), value);
  const info = await readInfo(other);
  assert.ok(info.number("client_idle_disconnections") > 0);
  assert.equal(info.number("client_output_buffer_limit_disconnections"), 0);
});

Deno.test("server checks the limit while it runs what one read brought", async () => {
  await using server = await startServer({
    workers: 1,
    flags: ["--client-output-bytes-max", "1mb", "--maxmemory", "1gb"],
  });
  using other = await connect(server.port);
  assert.equal(plain(await other.command("SET", "k", payload(16_000, 1))), "+OK");
  const before = await infoNumber(other, "used_memory_rss");
  for (let round = 1; round <= 3; round++) {
    using client = await connect(server.port);
    // The first fill the reads up to 64 KiB; one of those holds 9,000 GETs, whose replies take 150 MB.
    const requests = "PING\r\n".repeat(60_000) + "GET k\r\n".repeat(40_000);
    await client.send(requests).catch(() => {});
    await untilInfo(other, "client_output_buffer_limit_disconnections", round);
  }
  const grown = await infoNumber(other, "used_memory_rss") - before;
  assert.ok(grown < 80 * MIB, `RSS grew by ${grown}`);
});

for (
  const [what, before, after] of [
    ["one command", [], []],
    ["EXEC", [["MULTI"]], [["EXEC"]]],
    ["EXEC that goes on behind it", [["MULTI"]], [["MGET", ...keys(100_000)], ["EXEC"]]],
    ["a client that wants none", [["CLIENT", "REPLY", "OFF"], ["MULTI"]], [["EXEC"]]],
  ] as const
) {
  Deno.test(`server gathers no more than a client may leave unread: ${what}`, async () => {
    const flags = ["--client-output-bytes-max", "16mb", "--maxmemory", "1gb"];
    await using server = await startServer({ workers: 1, flags });
    using other = await connect(server.port);
    using client = await connect(server.port);
    await other.command("SET", "k", payload(10_000, 1));
    const bytesBefore = await infoNumber(other, "used_memory_rss");
    const commands = [...before, ["MGET", ...keys(100_000)], ...after, ["SET", "done", "1"]];
    // What comes behind the command may find the connection closed.
    for (const command of commands) await client.send(encodeCommand(command)).catch(() => {});
    if (what === "a client that wants none") {
      await until("SET has run", () => other.command("EXISTS", "done"), (count) => count === 1);
    } else {
      await client.ended();
      assert.equal(await infoNumber(other, "client_output_buffer_limit_disconnections"), 1);
      await untilLogged(server, /client dropped: replies of \d+ bytes were not read/);
    }
    const grown = await infoNumber(other, "used_memory_rss") - bytesBefore;
    assert.ok(
      grown < 300 * MIB,
      `grown by ${Math.round(grown / MIB)} MiB for a gigabyte asked for`,
    );
  });
}

Deno.test("server gives others their turn between the slow commands of a pipeline", async () => {
  const flags = ["--enable-debug-command", "yes"];
  await using server = await startServer({ workers: 1, flags });
  using slow = await connect(server.port, { timeoutMs: 30_000 });
  using other = await connect(server.port);
  const sleeps = 40;
  await slow.send("DEBUG SLEEP 0.05\r\n".repeat(sleeps) + "SET done 1\r\n");
  await slow.readRaw("+OK\r\n");
  assert.equal(plain(await other.command("GET", "done")), null, "before the pipeline's end");
  assert.equal(plain(await other.command("PING")), "+PONG");
  for (let reply = 1; reply <= sleeps; reply++) assert.equal(plain(await slow.reply()), "+OK");
  assert.equal(plain(await other.command("GET", "done")), "1");
});

Deno.test("server's memory stays bounded under 200 clients with 1 MiB of unread replies each", async () => {
  await using server = await startServer({ workers: 1, flags: ["--maxmemory", "2gb"] });
  using other = await connect(server.port);
  const valueBytes = 8192, each = MIB, count = 200;
  assert.equal(plain(await other.command("SET", "k", payload(valueBytes, 1))), "+OK");
  const before = await readInfo(other);
  const clients = await Promise.all(Array.from({ length: count }, () => connect(server.port)));
  try {
    const asked = await Promise.all(clients.map((c) => askMuch(c, "k", valueBytes, each)));
    const commands = asked.reduce((total, one) => total + one, 0);
    await until(
      "all have run",
      () => infoNumber(other, "keyspace_hits"),
      (hits) => hits === commands,
    );
    assert.ok(await slowestPingMs(other, 50) < 1000);
    const info = await readInfo(other);
    const waiting = info.number("clients_output_buffer_bytes");
    assert.equal(info.number("connected_clients"), count + 1);
    assert.ok(waiting <= count * each * 1.25, `${waiting} bytes wait for ${count} clients`);
    const grown = info.number("used_memory_rss") - before.number("used_memory_rss");
    assert.ok(grown < count * each * 1.5, `RSS grew by ${grown} for ${count} MiB of replies`);
  } finally {
    for (const client of clients) client.close();
  }
  await untilInfo(other, "connected_clients", 1);
  await untilInfo(other, "clients_output_buffer_bytes", 0);
});

Deno.test("server keeps all clients' replies below their limit and drops none that reads", async () => {
  // A quarter of 16 MiB for all clients: 300 writes under way at once hold more than that in buffers.
  await using server = await startServer({ workers: 1, flags: ["--maxmemory", "16mb"] });
  using other = await connect(server.port);
  const clients = await Promise.all(Array.from({ length: 300 }, () => connect(server.port)));
  try {
    for (let round = 0; round < 5; round++) {
      const replies = await Promise.all(clients.map((client) => client.command("PING")));
      assert.ok(replies.every((reply) => plain(reply) === "+PONG"));
    }
    assert.equal(await infoNumber(other, "client_output_buffer_limit_disconnections"), 0);
    assert.equal(plain(await other.command("SET", "k", payload(10_000, 1))), "+OK");
    await Promise.allSettled(clients.slice(0, 20).map((c) => askMuch(c, "k", 10_000, 12 * MIB)));
    await until(
      "some were dropped, and what is left is below 4 MiB",
      () => readInfo(other),
      (info) =>
        info.number("client_output_buffer_limit_disconnections") > 0 &&
        info.number("clients_output_buffer_bytes") <= 4 * MIB,
    );
    const readers = await Promise.all(clients.slice(20).map((client) => client.command("PING")));
    assert.ok(readers.every((reply) => plain(reply) === "+PONG"));
  } finally {
    for (const client of clients) client.close();
  }
});
