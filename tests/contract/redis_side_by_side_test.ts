// Sends the same calls to redis-server and to mayfly and compares the replies byte for byte.
import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import { type Reply, Status } from "../support/reply_parser.ts";
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
  if (!call.startsWith("?")) return raw;
  const sorted = (reply: Reply): unknown =>
    Array.isArray(reply)
      ? reply.map(sorted).map((each) => JSON.stringify(each)).sort()
      : reply instanceof Uint8Array
      ? new TextDecoder("latin1").decode(reply)
      : reply instanceof Status
      ? `+${reply.text}`
      : reply;
  return sorted(parsed(raw));
}

Deno.test({
  name: "mayfly replies as redis-server does to the calls of its commands",
  ...needs("redis-server"),
  fn: async (t) => {
    await using redis = await startRedis();
    await using mayfly = await startServer({ workers: 2, flags: ["--max-clients", "10000"] });
    for (const [group, calls] of Object.entries(CALL_GROUPS)) {
      await t.step(group, async () => {
        using expectedFrom = await connect(redis.port);
        using actualFrom = await connect(mayfly.port);
        await rawReply(expectedFrom, "FLUSHALL");
        await rawReply(actualFrom, "FLUSHALL");
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
      });
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
