// Sends the same calls to redis-server and to mayfly and compares the replies byte for byte.
import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import { MapReply, type Reply, SetReply, Status, VerbatimReply } from "../support/reply_parser.ts";
import { ReplyParser } from "../support/reply_parser.ts";
import { connect, encodeCommand, type RespClient } from "../support/resp_client.ts";
import { startRedis } from "../support/redis_server.ts";
import { startServer } from "../support/server.ts";
import { type Call, CALL_GROUPS, DIFFERENCES, wordsOf } from "./redis_calls.ts";

const END_MARK = "end-of-reply-5b7c";
const END_BYTES = `$${END_MARK.length}\r\n${END_MARK}\r\n`;
const ABOUT = 2000;

/** The raw reply, as Latin-1: everything before that of an ECHO sent behind the call. */
async function rawReply(client: RespClient, call: Call): Promise<string> {
  await client.send(encodeCommand(wordsOf(call)));
  await client.send(encodeCommand(["ECHO", END_MARK]));
  const bytes = await client.readRaw(END_BYTES);
  return new TextDecoder("latin1").decode(bytes.subarray(0, bytes.length - END_BYTES.length));
}

function parsed(raw: string): Reply {
  const parser = new ReplyParser();
  parser.push(Uint8Array.from(raw, (char) => char.charCodeAt(0)));
  const reply = parser.next();
  assert.notEqual(reply, undefined, `half a reply: ${JSON.stringify(raw)}`);
  return reply!;
}

/** What of a raw reply has to be equal. */
function comparable(call: Call, raw: string): unknown {
  // Sets have no order, wherever they stand.
  if (!call.startsWith("?") && !raw.includes("~")) return raw;
  const isOrdered = !call.startsWith("?");
  const inOrder = (items: unknown[]) => items.map((each) => JSON.stringify(each)).sort();
  const sorted = (reply: Reply): unknown =>
    Array.isArray(reply)
      ? isOrdered ? reply.map(sorted) : inOrder(reply.map(sorted))
      : reply instanceof SetReply
      ? ["~", ...inOrder(reply.items.map(sorted))]
      : reply instanceof MapReply
      ? ["%", ...(isOrdered ? reply.items.map(sorted) : inOrder(reply.items.map(sorted)))]
      : reply instanceof VerbatimReply
      ? ["=", new TextDecoder("latin1").decode(reply.bytes)]
      : reply instanceof Uint8Array
      ? new TextDecoder("latin1").decode(reply)
      : reply instanceof Status
      ? `+${reply.text}`
      : reply;
  return sorted(parsed(raw));
}

/** Sends each call to both over one connection each; throws with all that differ. */
async function compareGroup(
  redisPort: number,
  mayflyPort: number,
  version: string,
  calls: readonly Call[],
): Promise<void> {
  using expectedFrom = await connect(redisPort);
  using actualFrom = await connect(mayflyPort);
  for (const client of [expectedFrom, actualFrom]) {
    await rawReply(client, "FLUSHALL");
    await rawReply(client, `HELLO ${version}`);
  }
  const wrong: string[] = [];
  for (const [index, call] of calls.entries()) {
    const [expected, actual] = await Promise.all([
      rawReply(expectedFrom, call),
      rawReply(actualFrom, call),
    ]);
    if (call.startsWith("~")) {
      const away = Math.abs(Number(parsed(expected)) - Number(parsed(actual)));
      if (away <= ABOUT) continue;
    } else {
      try {
        assert.deepEqual(comparable(call, actual), comparable(call, expected));
        continue;
      } catch (error) {
        if (!(error instanceof assert.AssertionError)) throw error;
      }
    }
    wrong.push(
      `${index} ${call}\n  redis  ${JSON.stringify(expected)}\n` +
        `  mayfly ${JSON.stringify(actual)}`,
    );
  }
  assert.equal(wrong.length, 0, `\n${wrong.join("\n")}`);
}

Deno.test({
  name: "mayfly replies as redis-server does to the calls of its commands",
  ...needs("redis-server"),
  fn: async (t) => {
    await using redis = await startRedis();
    await using mayfly = await startServer({ workers: 2, flags: ["--max-clients", "10000"] });
    for (const version of ["2", "3"]) {
      for (const [group, calls] of Object.entries(CALL_GROUPS)) {
        await t.step(`${group} in RESP${version}`, async () => {
          await compareGroup(redis.port, mayfly.port, version, calls);
        });
      }
    }
    await t.step("calls with a reason to differ do", async () => {
      using expectedFrom = await connect(redis.port);
      using actualFrom = await connect(mayfly.port);
      for (const [call, reason] of Object.entries(DIFFERENCES)) {
        // redis-server would end; its reply is none.
        const expected = call.startsWith("SHUTDOWN") ? "" : await rawReply(expectedFrom, call);
        const actual = await rawReply(actualFrom, call);
        assert.notEqual(actual, expected, `${call} does not differ any more (${reason})`);
      }
    });
  },
});

Deno.test("the calls are at least 600, and each that differs has a reason", () => {
  const calls = Object.values(CALL_GROUPS).flat();
  assert.ok(calls.length >= 600, `${calls.length} calls`);
  for (const [call, reason] of Object.entries(DIFFERENCES)) assert.ok(reason.length > 0, call);
});
