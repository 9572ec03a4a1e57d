// How a client is served when it, or another, asks for it to be otherwise: paused, silent, without a trace.

import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { readInfo, until } from "../support/server_numbers.ts";

Deno.test("CLIENT PAUSE holds commands of all workers until CLIENT UNPAUSE, and loses none", async () => {
  await using server = await startServer({ workers: 2 });
  using control = await connect(server.port);
  const clients = await Promise.all(Array.from({ length: 16 }, () => connect(server.port)));
  assert.equal(plain(await control.command("CLIENT", "PAUSE", "60000")), "+OK");
  const replies = clients.map((client, i) =>
    client.pipeline([["SET", `k${i}`, "v"], ["GET", `k${i}`], ["INCR", "n"]])
  );
  let answered = 0;
  for (const reply of replies) void reply.then(() => answered++);
  // CLIENT itself goes on: each of these is a round trip in which the others could have been answered.
  for (let i = 0; i < 20; i++) await control.command("CLIENT", "GETNAME");
  assert.equal(answered, 0);
  assert.equal(plain(await control.command("CLIENT", "UNPAUSE")), "+OK");
  const numbers: number[] = [];
  for (const reply of replies) {
    const [set, get, incr] = (await reply).map(plain);
    assert.deepEqual([set, get], ["+OK", "v"]);
    numbers.push(incr as number);
  }
  assert.deepEqual(numbers.sort((a, b) => a - b), clients.map((_, i) => i + 1));
  for (const client of clients) client.close();
});

Deno.test("CLIENT PAUSE holds lines with quotes and escapes, and they mean the same afterwards", async () => {
  await using server = await startServer();
  using control = await connect(server.port);
  using client = await connect(server.port);
  await control.command("CLIENT", "PAUSE", "60000");
  const lines = ['CLIENT SETNAME "held-back"', `SET "a b" "x\\x00\\"y\\n"`, `SET c 'd e'`];
  await client.send(`${lines.join("\r\n")}\r\nGET "a b"\r\nGET c\r\n`);
  await until(
    "the first line has run",
    async () => String(plain(await control.command("CLIENT", "LIST"))),
    (list) => list.includes("name=held-back"),
  );
  // While they wait they are looked at again and again.
  for (let i = 0; i < 20; i++) await control.command("CLIENT", "GETNAME");
  await control.command("CLIENT", "UNPAUSE");
  for (const expected of ["+OK", "+OK", "+OK", 'x\0"y\n', "d e"]) {
    assert.equal(plain(await client.reply()), expected);
  }
});

Deno.test("CLIENT PAUSE holds a large value that arrives meanwhile, whole", async () => {
  await using server = await startServer();
  using control = await connect(server.port);
  using writer = await connect(server.port);
  const large = new Uint8Array(3 * 1024 * 1024).map((_, i) => (i * 2654435761) >>> 24);
  await control.command("CLIENT", "PAUSE", "60000");
  const replies = writer.pipeline([["SET", "large", large], ["GET", "large"], ["PING"]]);
  for (let i = 0; i < 50; i++) await control.command("CLIENT", "GETNAME");
  await control.command("CLIENT", "UNPAUSE");
  const [set, value, ping] = await replies;
  assert.deepEqual([plain(set), plain(ping)], ["+OK", "+PONG"]);
  assert.deepEqual(value, large);
});

Deno.test("CLIENT PAUSE WRITE lets reads through and ends by itself", async () => {
  await using server = await startServer();
  using control = await connect(server.port);
  using writer = await connect(server.port);
  using reader = await connect(server.port);
  await control.command("SET", "k", "old");
  await control.command("CLIENT", "PAUSE", "300", "WRITE");
  const writes = writer.pipeline([["GET", "k"], ["SET", "k", "new"], ["FLUSHDB"], ["GET", "k"]]);
  assert.equal(plain(await reader.command("GET", "k")), "old");
  assert.deepEqual((await writes).map(plain), ["old", "+OK", "+OK", null]);
});

Deno.test("CLIENT REPLY OFF and SKIP leave out exactly the replies that they shall", async () => {
  await using server = await startServer();
  using client = await connect(server.port);
  const silent = [
    ["SET", "a", "1"],
    ["CLIENT", "REPLY", "OFF"],
    ["SET", "a", "2"],
    ["GET", "a"],
    ["GET", "a"],
    ["NOSUCH"],
    ["CLIENT", "LIST"],
    ["MGET", "a", "b"],
    ["CLIENT", "REPLY", "SKIP"],
    ["CLIENT", "REPLY", "ON"],
    ["GET", "a"],
    ["CLIENT", "REPLY", "SKIP"],
    ["GET", "a"],
    ["STRLEN", "a"],
    ["CLIENT", "REPLY", "SKIP"],
    ["SET", "a", "33"],
    ["APPEND", "a", "3"],
    ["CLIENT", "REPLY", "SKIP"],
    ["CLIENT", "LIST"],
    ["GET", "a"],
  ];
  for (const command of silent) {
    await client.send(
      `*${command.length}\r\n${command.map((w) => `$${w.length}\r\n${w}\r\n`).join("")}`,
    );
  }
  await client.send("*2\r\n$4\r\nECHO\r\n$3\r\nend\r\n");
  const replies: unknown[] = [];
  do replies.push(plain(await client.reply())); while (replies.at(-1) !== "end");
  assert.deepEqual(replies, ["+OK", "+OK", "2", 1, 3, "333", "end"]);
});

Deno.test("CLIENT NO-TOUCH leaves access times alone, other reads do not", async () => {
  await using server = await startServer();
  using client = await connect(server.port);
  await client.pipeline([["SET", "a", "1"], ["DUMP", "a"]]);
  const [, dump] = await client.pipeline([["PING"], ["DUMP", "a"]]);
  await client.pipeline([["RESTORE", "a", "0", dump as Uint8Array, "REPLACE", "IDLETIME", "500"]]);
  const idle = async () => plain(await client.command("OBJECT", "IDLETIME", "a")) as number;
  assert.ok(await idle() >= 500);
  await client.pipeline([["CLIENT", "NO-TOUCH", "ON"], ["GET", "a"], ["MGET", "a"], [
    "STRLEN",
    "a",
  ]]);
  assert.ok(await idle() >= 500, "NO-TOUCH");
  await client.pipeline([["CLIENT", "NO-TOUCH", "OFF"], ["GET", "a"]]);
  assert.ok(await idle() < 500, "a read");
});

Deno.test("CONFIG RESETSTAT counts from zero in all workers, and leaves what is so now", async () => {
  await using server = await startServer({ workers: 2 });
  const clients = await Promise.all(Array.from({ length: 12 }, () => connect(server.port)));
  for (const client of clients) {
    await client.pipeline([["GET", "nobody"], ["NOSUCH"], ["INCR", "x", "y"]]);
  }
  const before = await readInfo(clients[0]);
  assert.equal(before.number("keyspace_misses"), 12);
  assert.equal(before.text("errorstat_ERR"), "count=24");
  assert.equal(plain(await clients[0].command("CONFIG", "RESETSTAT")), "+OK");
  const after = await readInfo(clients[0]);
  assert.equal(after.number("keyspace_misses"), 0);
  assert.throws(() => after.text("errorstat_ERR"), /no line/);
  assert.equal(after.number("connected_clients"), 12);
  for (const client of clients) client.close();
});

Deno.test("DEBUG is refused unless it was allowed at the start", async () => {
  for (const [flag, isAllowed] of [["no", false], ["local", true], ["yes", true]] as const) {
    await using server = await startServer({ flags: ["--enable-debug-command", flag] });
    using client = await connect(server.port);
    const [reply] = await client.pipeline([["DEBUG", "SLEEP", "0"]]);
    assert.equal(plain(reply) === "+OK", isAllowed, flag);
  }
});

Deno.test("DEBUG SET-ACTIVE-EXPIRE 0 leaves expired keys where they are", async () => {
  await using server = await startServer({ flags: ["--enable-debug-command", "yes"] });
  using client = await connect(server.port);
  await client.command("DEBUG", "SET-ACTIVE-EXPIRE", "0");
  await client.pipeline(Array.from({ length: 100 }, (_, i) => ["SET", `k${i}`, "v", "PX", "1"]));
  await new Promise((resolve) => setTimeout(resolve, 500)); // sweeps would have come
  assert.equal(plain(await client.command("DBSIZE")), 100);
  assert.equal(plain(await client.command("GET", "k1")), null);
  await client.command("DEBUG", "SET-ACTIVE-EXPIRE", "1");
  for (let tries = 0; plain(await client.command("DBSIZE")) !== 0; tries++) {
    assert.ok(tries < 500, "expired keys stay");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
