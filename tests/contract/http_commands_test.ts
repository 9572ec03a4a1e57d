// The commands of the table over HTTP and WebSocket: the same cases as over RESP and text, in JSON.
import assert from "node:assert/strict";
import { postCommand, SocketPeer } from "../support/http_client.ts";
import { startServer } from "../support/server.ts";
import { CASES, type Expected } from "./command_cases.ts";

/** A reply of RESP2 as JSON has it, within an answer. */
function result(reply: Expected): unknown {
  if (typeof reply === "string" && /^-[A-Z]/.test(reply)) return { error: reply.slice(1) };
  return { result: value(reply) };
}

function value(reply: Expected): unknown {
  if (typeof reply === "string") return reply.replace(/^\+/, "");
  return Array.isArray(reply) ? reply.map(value) : reply;
}

Deno.test("commands give the replies of their cases over /v1/command and /ws", async (t) => {
  await using server = await startServer({ workers: 2 });
  for (const { name, calls } of CASES) {
    const words = calls.map(([args]) => args);
    const expected = calls.map(([, reply]) => result(reply));
    await t.step(`${name}, /v1/command`, async () => {
      const replies = await postCommand(server.httpPort, [["FLUSHALL"], ...words]);
      assert.deepEqual((replies as unknown[]).slice(1), expected);
    });
    await t.step(`${name}, /ws`, async () => {
      await using peer = await SocketPeer.open(server.httpPort);
      peer.send({ command: ["FLUSHALL"] });
      assert.deepEqual(await peer.next(), { result: "OK" });
      // All in flight, answered in order.
      for (const [id, command] of words.entries()) peer.send({ id, command });
      for (const [id, reply] of expected.entries()) {
        assert.deepEqual(await peer.next(), { id, ...reply as object }, words[id].join(" "));
      }
    });
  }
});

Deno.test("commands that wait keep the order of replies over HTTP and WebSocket", async () => {
  await using server = await startServer({ workers: 2 });
  await using peer = await SocketPeer.open(server.httpPort);
  peer.send({ id: 1, command: ["CLIENT", "SETNAME", "me"] });
  peer.send({ id: 2, command: ["CLIENT", "LIST"] });
  peer.send({ id: 3, command: ["PING"] });
  assert.deepEqual(await peer.next(), { id: 1, result: "OK" });
  const list = await peer.next() as { id: number; result: string };
  assert.equal(list.id, 2);
  assert.match(list.result, / name=me /);
  assert.deepEqual(await peer.next(), { id: 3, result: "PONG" });
  const replies = await postCommand(server.httpPort, [
    ["SET", "a", "1"],
    ["CLIENT", "LIST"],
    ["INCR", "a"],
    ["CLIENT", "PAUSE", "150", "WRITE"],
    ["GET", "a"],
    ["INCR", "a"],
  ]) as { result: unknown }[];
  assert.deepEqual(
    replies.map(({ result }) => typeof result === "string" && result.length > 9 ? "list" : result),
    [
      "OK",
      "list",
      2,
      "OK",
      "2",
      3,
    ],
  );
});

Deno.test("CLIENT KILL ends a client of WebSocket, on whichever worker it is", async () => {
  await using server = await startServer({ workers: 2 });
  await using peer = await SocketPeer.open(server.httpPort);
  peer.send({ command: ["CLIENT", "ID"] });
  const { result: id } = await peer.next() as { result: number };
  assert.deepEqual(await postCommand(server.httpPort, ["CLIENT", "KILL", "ID", id]), { result: 1 });
  assert.equal(await peer.closed(), 1008);
});

Deno.test("the longest and deepest replies are JSON, with objects where there are maps", async () => {
  await using server = await startServer({ workers: 1 });
  const replies = await postCommand(server.httpPort, [
    ["COMMAND", "DOCS"],
    ["COMMAND"],
    ["CONFIG", "GET", "*"],
    ["MEMORY", "STATS"],
    ["INFO", "everything"],
    ["STATS"],
  ]) as { result: Record<string, unknown> }[];
  for (const reply of replies) assert.ok("result" in reply, JSON.stringify(reply).slice(0, 200));
  const [docs, table, config, memory] = replies.map(({ result }) => result);
  assert.equal((docs.set as { group: string }).group, "string");
  assert.ok(Array.isArray(table) && table.length > 50);
  assert.equal(config["maxclients"], "10000");
  assert.equal(typeof memory["keys.count"], "number");
});

Deno.test("MONITOR tells a client of /ws what others run, and ends with a request of HTTP", async () => {
  await using server = await startServer({ workers: 2 });
  const monitors = async () => {
    const { result } = await postCommand(server.httpPort, ["INFO", "stats"]) as { result: string };
    return /\r\nmonitors:(\d+)/.exec(result)?.[1];
  };
  assert.deepEqual(await postCommand(server.httpPort, ["MONITOR"]), { result: "OK" });
  assert.equal(await monitors(), "0");
  await using peer = await SocketPeer.open(server.httpPort);
  peer.send({ id: 1, command: ["MONITOR"] });
  assert.deepEqual(await peer.next(), { id: 1, result: "OK" });
  assert.equal(await monitors(), "1");
  await postCommand(server.httpPort, ["SET", "watched", "1"]);
  const seen: string[] = [];
  while (!seen.some((line) => /^\d+\.\d+ \[0 http\] "SET" "watched" "1"$/i.test(line))) {
    seen.push(...(await peer.next() as { monitor: string[] }).monitor);
  }
});
