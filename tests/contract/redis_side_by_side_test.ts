// Sends the same calls to redis-server and to mayfly and compares the replies byte for byte.
import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import { MapReply, type Reply, SetReply, Status, VerbatimReply } from "../support/reply_parser.ts";
import { ReplyParser } from "../support/reply_parser.ts";
import { connect, encodeCommand, type RespClient } from "../support/resp_client.ts";
import { startRedis } from "../support/redis_server.ts";
import { startServer } from "../support/server.ts";
import {
  NOT_IN_TRANSACTIONS,
  type Transaction,
  TRANSACTION_DIFFERENCES,
  TRANSACTIONS,
} from "./calls_transactions.ts";
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

/** Whether a call may be compared as the only one of a transaction. */
function mayBeQueued(call: Call): boolean {
  const words = call.replace(/^[~?]/, "").toUpperCase();
  return !Object.keys(NOT_IN_TRANSACTIONS).some((each) => words.startsWith(each)) &&
    !/^(?:RESET|QUIT|MULTI|EXEC|DISCARD|WATCH)\b/.test(words);
}

/** Throws with all that differ. */
async function compareTransactions(
  redisPort: number,
  mayflyPort: number,
  version: string,
  transactions: readonly Transaction[],
): Promise<void> {
  const wrong = await differences(redisPort, mayflyPort, version, transactions);
  assert.equal(wrong.length, 0, `${wrong.length} differ\n${wrong.join("\n")}`);
}

/** Sends the commands of each transaction to both, one by one; gives all whose replies differ. */
async function differences(
  redisPort: number,
  mayflyPort: number,
  version: string,
  transactions: readonly Transaction[],
): Promise<string[]> {
  using redis = await connect(redisPort);
  using redisOther = await connect(redisPort);
  using mayfly = await connect(mayflyPort);
  using mayflyOther = await connect(mayflyPort);
  for (const client of [redis, redisOther, mayfly, mayflyOther]) {
    await client.command("FLUSHALL");
    await client.command("HELLO", version);
  }
  const wrong: string[] = [];
  for (const transaction of transactions) {
    for (const [step, call] of transaction.entries()) {
      const isOther = call.startsWith("@ "), words = wordsOf(call.replace(/^@ /, ""));
      const [expected, actual] = await Promise.all([
        (isOther ? redisOther : redis).command(...words),
        (isOther ? mayflyOther : mayfly).command(...words),
      ]);
      const isLoose = transaction.some((each) => /^[~?]/.test(each));
      if (isLoose ? isAlike(actual, expected) : isSame(actual, expected)) continue;
      wrong.push(
        `${transaction.join(" ;; ")} at ${step}\n  redis  ${Deno.inspect(expected)}\n` +
          `  mayfly ${Deno.inspect(actual)}`,
      );
    }
  }
  return wrong;
}

/** Equal but for the order within sets. */
function isSame(actual: Reply, expected: Reply): boolean {
  try {
    assert.deepEqual(inOrder(actual), inOrder(expected));
    return true;
  } catch (error) {
    if (error instanceof assert.AssertionError) return false;
    throw error;
  }
}

function inOrder(reply: Reply): unknown {
  if (reply instanceof SetReply) return ["~", ...reply.items.map(shown).sort()];
  if (reply instanceof MapReply) return ["%", ...reply.items.map(inOrder)];
  return Array.isArray(reply) ? reply.map(inOrder) : reply;
}

/** For numbers that pass and arrays without order: the same kinds, as many of them. */
function isAlike(actual: Reply, expected: Reply): boolean {
  if (typeof actual === "number" && typeof expected === "number") {
    return Math.abs(actual - expected) <= ABOUT;
  }
  if (actual instanceof MapReply && expected instanceof MapReply) {
    return isSame(new SetReply(pairsOf(actual)), new SetReply(pairsOf(expected)));
  }
  if (!Array.isArray(actual) || !Array.isArray(expected)) return isSame(actual, expected);
  if (actual.length !== expected.length) return false;
  if (isSame(new SetReply(actual), new SetReply(expected))) return true;
  return actual.every((each, i) => isAlike(each, expected[i]));
}

function pairsOf({ items }: MapReply): Reply[] {
  return Array.from({ length: items.length / 2 }, (_, i) => [items[i * 2], items[i * 2 + 1]]);
}

function shown(reply: Reply): string {
  return Deno.inspect(inOrder(reply), { depth: 10, iterableLimit: 1e6 });
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
    for (const version of ["2", "3"]) {
      for (const [group, transactions] of Object.entries(TRANSACTIONS)) {
        await t.step(`${group} in RESP${version}`, async () => {
          await compareTransactions(redis.port, mayfly.port, version, transactions);
        });
      }
      for (const [group, calls] of Object.entries(CALL_GROUPS)) {
        await t.step(`${group} within MULTI in RESP${version}`, async () => {
          const transactions = calls.filter(mayBeQueued).map((call) => ["MULTI", call, "EXEC"]);
          await compareTransactions(redis.port, mayfly.port, version, transactions);
        });
      }
    }
    await t.step("transactions with a reason to differ do", async () => {
      for (const [transaction, reason] of TRANSACTION_DIFFERENCES) {
        const found = await differences(redis.port, mayfly.port, "2", [transaction]);
        assert.notEqual(found.length, 0, `${transaction} does not differ any more (${reason})`);
      }
    });
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

Deno.test("the calls are at least 3300, and each that differs has a reason", () => {
  const calls = Object.values(CALL_GROUPS).flat();
  assert.ok(calls.length >= 3300, `${calls.length} calls`);
  const steps = Object.values(TRANSACTIONS).flat(2);
  assert.ok(steps.length >= 2000, `${steps.length} commands of transactions`);
  for (const [call, reason] of Object.entries(DIFFERENCES)) assert.ok(reason.length > 0, call);
});
