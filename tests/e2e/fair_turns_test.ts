// One client that never pauses, and others beside it: they are served in between.
import assert from "node:assert/strict";
import { flood } from "../support/flood.ts";
import { connect, encodeCommand, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";

const MIB = 1 << 20;

/** Calls until the flood has ended; gives how often it was answered meanwhile. */
async function answersDuring(flooding: Promise<void>, client: RespClient): Promise<number> {
  let isOver = false, answers = 0;
  const ended = flooding.finally(() => isOver = true);
  while (!isOver) {
    await client.command("PING");
    answers++;
  }
  await ended;
  return answers;
}

Deno.test("a client that sends a million commands without a pause lets others be answered in between", async () => {
  await using server = await startServer();
  await using client = await connect(server.port);
  const request = encodeCommand(["SET", "key", "x".repeat(100)]), times = 1_000_000;
  const replyBytes = "+OK\r\n".length;
  const answers = await answersDuring(
    flood({ port: server.port, request, times, replyBytes }),
    client,
  );
  // It has more than 2,000 buffers full to send.
  assert.ok(answers > 300, `${answers} answers during a million SETs`);
});

Deno.test("a client with large values lets others be answered while one comes and while one goes", async () => {
  await using server = await startServer();
  await using client = await connect(server.port);
  const value = new Uint8Array(32 * MIB).fill(120);
  const set = encodeCommand(["SET", "large", value]), times = 10;
  const port = server.port;
  const coming = await answersDuring(flood({ port, request: set, times, replyBytes: 5 }), client);
  const get = encodeCommand(["GET", "large"]);
  const replyBytes = `$${value.length}\r\n`.length + value.length + 2;
  const going = await answersDuring(flood({ port, request: get, times, replyBytes }), client);
  // Each value takes more than ten turns.
  assert.ok(
    coming > 100 && going > 100,
    `${coming} answers beside 10 SETs, ${going} beside 10 GETs`,
  );
});
