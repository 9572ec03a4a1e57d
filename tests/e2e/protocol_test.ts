// One connection's bytes however they are cut: the same replies for whole, single and random pieces,
// for RESP, inline and text in turn, and for a client that shuts its sending half.

import assert from "node:assert/strict";
import { payload } from "../support/payload.ts";
import { connect, encodeCommand, plain } from "../support/resp_client.ts";
import { type RunningServer, startServer } from "../support/server.ts";

let server: RunningServer;

Deno.test.beforeAll(async () => {
  server = await startServer({ workers: 1, flags: ["--maxmemory", "1gb"] });
});

Deno.test.afterAll(async () => {
  assert.equal(await server.stop(), 0, server.output().stderr);
});

const LATIN1 = new TextDecoder("latin1");
const large = payload(100_000, 1);
/** Each request with its reply; PX and the like are left out, so that a run repeats the one before. */
const DIALOGUE: readonly [request: string | Uint8Array, reply: string][] = [
  ["FLUSHALL\r\n", "+OK\r\n"],
  ["SET a hello world EX 100\n", "OK\n"],
  ["GET a\n", "hello world\n"],
  ["GET a\r\n", "$11\r\nhello world\r\n"],
  [encodeCommand(["GET", "a"]), "$11\r\nhello world\r\n"],
  ['SET "b c" "x\\x00\\r\\ny"\r\n', "+OK\r\n"],
  [encodeCommand(["GET", "b c"]), "$5\r\nx\0\r\ny\r\n"],
  ["\n", ""],
  ["\r\n", ""],
  ["*0\r\n", ""],
  [encodeCommand(["SET", "large", large]), "+OK\r\n"],
  [encodeCommand(["GET", "large"]), `$100000\r\n${LATIN1.decode(large)}\r\n`],
  ["STRLEN large\n", "100000\n"],
  ["MGET a none a\n", "hello world (nil) hello world\n"],
  ["MGET a none\r\n", "*2\r\n$11\r\nhello world\r\n$-1\r\n"],
  [encodeCommand(["INCR", "n"]), ":1\r\n"],
  ["INCR n\n", "2\n"],
  ["incr n\r\n", ":3\r\n"],
  [encodeCommand(["INCR", "a"]), "-ERR value is not an integer or out of range\r\n"],
  ["INCR a\n", "ERROR: value is not an integer or out of range\n"],
  ["FOO\n", "ERROR: Unknown command\n"],
  ["GET\r\n", "-ERR wrong number of arguments for 'get' command\r\n"],
  ["DEL a\n", "OK\n"],
  [encodeCommand(["DEL", "n", "none", "b c"]), ":2\r\n"],
  ["DELETE large\n", "OK\n"],
  ["DBSIZE\r\n", ":0\r\n"],
  ["DBSIZE\n", "0\n"],
  ["QUIT\r\n", "+OK\r\n"],
];

function bytesOf(parts: readonly (string | Uint8Array)[]): Uint8Array {
  const encoded = parts.map((p) => typeof p === "string" ? new TextEncoder().encode(p) : p);
  const whole = new Uint8Array(encoded.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of encoded) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const REQUESTS = bytesOf(DIALOGUE.map(([request]) => request));
const REPLIES = DIALOGUE.map(([, reply]) => reply).join("");

/** Sends the whole dialogue in pieces of the sizes that `nextSize` gives, and gives all replies. */
async function converse(nextSize: (at: number) => number): Promise<string> {
  using client = await connect(server.port, { timeoutMs: 30_000 });
  const replies = client.readToEnd(30_000);
  for (let at = 0; at < REQUESTS.length;) {
    const size = Math.max(1, nextSize(at));
    await client.send(REQUESTS.subarray(at, at + size));
    at += size;
  }
  return LATIN1.decode(await replies);
}

function assertReplies(actual: string): void {
  if (actual === REPLIES) return;
  let at = 0;
  while (actual[at] === REPLIES[at]) at++;
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 60), at + 60));
  assert.fail(`replies differ at ${at}: ${around(actual)} instead of ${around(REPLIES)}`);
}

Deno.test("server gives the same replies to whole input, styles mixed on one connection", async () => {
  assertReplies(await converse(() => REQUESTS.length));
});

Deno.test("server gives the same replies to input that comes byte by byte", async () => {
  const start = DIALOGUE.findIndex(([request]) => request.length > 100_000);
  const from = bytesOf(DIALOGUE.slice(0, start).map(([request]) => request)).length + 200;
  // The inside of the large value comes in one piece: 100,000 packets would tell nothing more.
  assertReplies(await converse((at) => at === from ? 99_000 : 1));
});

Deno.test("server gives the same replies to input cut at random", async () => {
  for (let round = 0; round < 30; round++) {
    let state = Math.floor(Math.random() * 2 ** 31) | 1;
    const seed = state;
    const next = (below: number) => {
      state = (Math.imul(state, 48_271) >>> 0) % 2_147_483_647;
      return state % below;
    };
    try {
      assertReplies(await converse(() => next(3) === 0 ? next(60_000) : next(20)));
    } catch (error) {
      throw new Error(`with seed ${seed}`, { cause: error });
    }
  }
});

Deno.test("server answers all of a pipeline whose client has shut its sending half", async () => {
  using client = await connect(server.port);
  const count = 20_000;
  assert.equal(plain(await client.command("SET", "k", "v".repeat(200))), "+OK");
  await client.send(`${"GET k\r\n".repeat(count)}DEL k\r\n`);
  await client.closeWrite();
  const one = `$200\r\n${"v".repeat(200)}\r\n`;
  const replies = LATIN1.decode(await client.readToEnd());
  assert.equal(replies.length, one.length * count + ":1\r\n".length);
  assert.ok(replies === `${one.repeat(count)}:1\r\n`);
});

Deno.test("server answers a parked command before the one behind it", async () => {
  using client = await connect(server.port);
  const replies = await client.pipeline([["SET", "k", "1"], ["CLIENT", "LIST"], ["INCR", "k"]]);
  assert.equal(plain(replies[0]!), "+OK");
  assert.match(String(plain(replies[1]!)), new RegExp(`^id=.*:${client.localPort} .*\n$`, "m"));
  assert.equal(plain(replies[2]!), 2);
});

Deno.test("server runs what stands before QUIT and nothing behind it", async () => {
  using client = await connect(server.port);
  await client.send("SET q 1\r\nINCR q\r\nQUIT\r\nINCR q\r\n");
  assert.equal(LATIN1.decode(await client.readToEnd()), "+OK\r\n:2\r\n+OK\r\n");
  using other = await connect(server.port);
  assert.equal(plain(await other.command("GET", "q")), "2");
});
