// Tests of the test client's parser and sockets; the end-to-end tests rely on both.

import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteQueue } from "../support/byte_queue.ts";
import { ReplyParser } from "../support/reply_parser.ts";
import {
  connect,
  encodeCommand,
  ErrorReply,
  plain,
  type Reply,
  Status,
} from "../support/resp_client.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const STREAM = "+OK\r\n-ERR no\r\n:12\r\n:-9223372036854775808\r\n$-1\r\n*-1\r\n$0\r\n\r\n" +
  "$4\r\n\r\n\r\n\r\n*0\r\n*3\r\n*2\r\n:1\r\n*0\r\n$1\r\na\r\n*1\r\n*1\r\n$-1\r\n+\r\n";
const REPLIES: Reply[] = [
  new Status("OK"),
  new ErrorReply("ERR no"),
  12,
  -9223372036854775808n,
  null,
  null,
  bytes(""),
  bytes("\r\n\r\n"),
  [],
  [[1, []], bytes("a"), [[null]]],
  new Status(""),
];

function parse(chunks: Iterable<Uint8Array>): Reply[] {
  const parser = new ReplyParser();
  const replies: Reply[] = [];
  for (const chunk of chunks) {
    parser.push(chunk);
    for (let reply = parser.next(); reply !== undefined; reply = parser.next()) replies.push(reply);
  }
  assert.ok(parser.idle);
  return replies;
}

Deno.test("ReplyParser gives every kind of reply, whole and byte by byte", () => {
  const stream = bytes(STREAM);
  assert.deepStrictEqual(parse([stream]), REPLIES);
  assert.deepStrictEqual(parse([...stream].map((byte) => new Uint8Array([byte]))), REPLIES);
});

Deno.test("ReplyParser gives the same replies under any split", () => {
  const stream = bytes(STREAM);
  const cuts = fc.array(fc.nat(stream.length), { maxLength: 12 });
  fc.assert(fc.property(cuts, (at) => {
    const edges = [0, ...at.sort((a, b) => a - b), stream.length];
    const chunks = edges.slice(1).map((end, index) => stream.subarray(edges[index], end));
    assert.deepStrictEqual(parse(chunks), REPLIES);
  }));
});

Deno.test("ReplyParser refuses bytes that are not RESP2", () => {
  for (
    const broken of ["?\r\n", ":1a\r\n", ":\r\n", "$-2\r\n", "$x\r\n", "*-5\r\n", "$1\r\nabc\r\n"]
  ) {
    assert.throws(() => parse([bytes(broken)]), /Cannot parse reply/, broken);
  }
  assert.throws(() => parse([bytes("*1\r\n".repeat(40))]), /deeper/);
  assert.throws(() => parse([bytes("+" + "a".repeat(70_000))]), /no line end/);
});

Deno.test("ByteQueue gives back what was pushed under any order of takes", () => {
  const actions = fc.array(fc.tuple(fc.nat(9000), fc.nat(9000)), { maxLength: 20 });
  fc.assert(fc.property(actions, (pairs) => {
    const queue = new ByteQueue();
    let pushed = 0;
    let taken = 0;
    for (const [push, take] of pairs) {
      queue.push(Uint8Array.from({ length: push }, () => pushed++ % 251));
      for (const byte of queue.take(Math.min(take, queue.length))) {
        assert.equal(byte, taken++ % 251);
      }
      assert.equal(queue.length, pushed - taken);
    }
  }));
  const queue = new ByteQueue();
  queue.push(bytes("aab"));
  assert.equal(queue.indexOf(bytes("ab")), 1);
  assert.equal(queue.indexOf(bytes("ab"), 2), -1);
  assert.throws(() => queue.take(4), /holds 3/);
});

Deno.test("plain() turns replies into short values", () => {
  const expected = ["+OK", "-ERR no", 12, -9223372036854775808n, null, null, "", "\r\n\r\n"];
  assert.deepEqual(REPLIES.slice(0, 8).map(plain), expected);
  assert.deepEqual(plain(REPLIES[9]!), [[1, []], "a", [[null]]]);
  assert.throws(() => plain(new Uint8Array([0xff])), TypeError);
});

Deno.test("encodeCommand() writes an array of bulk strings with lengths in bytes", () => {
  const command = encodeCommand(["SET", "é", new Uint8Array([0, 13])]);
  assert.deepEqual(command, bytes("*3\r\n$3\r\nSET\r\n$2\r\né\r\n$2\r\n\0\r\r\n"));
});

/** Runs `serve` for the one connection that `use` makes. */
async function withPeer(
  serve: (conn: Deno.TcpConn) => Promise<void>,
  use: (port: number) => Promise<void>,
): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = listener.accept().then(async (conn) => {
    await serve(conn);
    conn.close();
  });
  await use(listener.addr.port);
  await served;
}

async function write(conn: Deno.TcpConn, text: string): Promise<void> {
  for (let rest = bytes(text); rest.length > 0;) rest = rest.subarray(await conn.write(rest));
}

Deno.test("RespClient sends commands and reads raw bytes and replies in turn", async () => {
  await withPeer(async (conn) => {
    const buffer = new Uint8Array(1024);
    const count = await conn.read(buffer);
    assert.deepEqual(buffer.subarray(0, count!), encodeCommand(["PING"]));
    await write(conn, "+PONG\r\nabcd\nefg:7\r\nrest");
  }, async (port) => {
    using client = await connect(port);
    assert.deepEqual(await client.command("PING"), new Status("PONG"));
    assert.deepEqual(await client.readRaw("\n"), bytes("abcd\n"));
    assert.deepEqual(await client.readRaw(3), bytes("efg"));
    assert.equal(await client.reply(), 7);
    assert.deepEqual(await client.readToEnd(), bytes("rest"));
    await client.ended();
    await assert.rejects(client.reply(), /server closed after 0 unread bytes/);
  });
});

Deno.test("RespClient goes on after a wait that timed out, losing nothing", async () => {
  const go = Promise.withResolvers<void>(), isWritten = Promise.withResolvers<void>();
  await withPeer(async (conn) => {
    await write(conn, "+half");
    isWritten.resolve();
    await go.promise;
    await write(conn, " and half\r\n");
  }, async (port) => {
    using client = await connect(port);
    await isWritten.promise;
    await assert.rejects(client.reply(50), /within the limit: the server sent 5 unread bytes/);
    await assert.rejects(client.readRaw("x", 1), /within the limit/);
    go.resolve();
    assert.deepEqual(await client.reply(), new Status("half and half"));
  });
});

Deno.test("RespClient reads while it writes in a pipeline larger than any socket buffer", async () => {
  const value = "v".repeat(200_000);
  await withPeer(async (conn) => {
    // Echoes as it reads, so it takes nothing more once its own replies are not taken.
    const buffer = new Uint8Array(1 << 20);
    for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
      for (let rest = buffer.subarray(0, count); rest.length > 0;) {
        rest = rest.subarray(await conn.write(rest));
      }
    }
  }, async (port) => {
    using client = await connect(port);
    const replies = await client.pipeline(Array.from({ length: 100 }, () => ["ECHO", value]));
    assert.equal(replies.length, 100);
    for (const reply of replies) assert.equal((reply as Uint8Array[])[1]!.length, value.length);
    await client.closeWrite();
    assert.deepEqual(await client.readToEnd(), bytes(""));
  });
});
