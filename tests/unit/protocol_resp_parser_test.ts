// The RESP side of parseRequests(): whole and cut input, limits, errors, values that arrive out of line.
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BATCH_ARGUMENTS_SOFT_MAX,
  BATCH_COMMANDS_MAX,
  RequestBatch,
  STYLE_RESP,
} from "../../src/protocol/request_batch.ts";
import { parseRequests } from "../../src/protocol/request_parser.ts";
import {
  fromLatin1,
  latin1,
  LIMITS,
  parseEveryWay,
  parseInPieces,
  ParsingConnection,
  resp,
} from "../support/parsing_connection.ts";

const command = (...args: string[]) => ({ style: STYLE_RESP, args });
const ALL_BYTES = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");

function argsOf(text: string, limits = LIMITS): (readonly string[])[] {
  const { commands, error } = parseEveryWay(text, limits);
  assert.equal(error, null);
  return commands.map((each) => each.args);
}

Deno.test("parseRequests() takes RESP requests with arguments of every length and byte", () => {
  const values = ["", "x", ..."9 10 99 100 101 999 1000".split(" ").map((n) => "v".repeat(+n))];
  for (const value of [...values, ALL_BYTES, "\r\n", "\0", "$1\r\n*2\r\n"]) {
    const text = resp("GET", value) + resp(value) + resp("SET", value, value);
    assert.deepEqual(argsOf(text), [["GET", value], [value], ["SET", value, value]]);
  }
  const many = Array.from({ length: 120 }, (_, i) => `a${i}`);
  assert.deepEqual(argsOf(resp(...many) + resp("PING")), [many, ["PING"]]);
});

Deno.test("parseRequests() skips RESP requests without arguments", () => {
  assert.deepEqual(argsOf(`*0\r\n*-1\r\n*-100\r\n${resp("PING")}*0\r\n`), [["PING"]]);
});

Deno.test("parseRequests() gives the same for any split of any RESP requests", () => {
  const bytes = fc.uint8Array({ maxLength: 130 }).map(fromLatin1);
  const request = fc.array(bytes, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(
      fc.array(request, { maxLength: 8 }),
      fc.array(fc.nat(2000), { maxLength: 12 }),
      (requests, cuts) => {
        const input = latin1(requests.map((args) => resp(...args)).join(""));
        const ends = cuts.map((cut) => cut % (input.length + 1)).sort((a, b) => a - b);
        const outcome = parseInPieces(input, ends);
        assert.deepEqual(outcome.commands, requests.map((args) => command(...args)));
        assert.equal(outcome.leftBytes, 0);
        assert.equal(outcome.error, null);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("parseRequests() gives the same for whole and cut input of any kind", () => {
  const token = fc.constantFrom(
    ...["*1\r\n", "*2\r\n", "*", "$", "$3\r\nGET\r\n", "$0\r\n\r\n", "$-1\r\n", "\r", "\n", "\r\n"],
    ...["GET a", "SET a b EX 5", '"', "'", "\\x41", " ", "0", "7", "-", "x", "\0", "\xff", "POST "],
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
      parseEveryWay(tokens.join(""));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("parseRequests() names what is wrong with a RESP request, and keeps those before it", () => {
  const junk = "x".repeat(70_000);
  const cases: [string, string][] = [
    ["*1000000000\r\n", "invalid multibulk length"],
    ["*1048577\r\n", "invalid multibulk length"],
    ["*99999999999999999999\r\n", "invalid multibulk length"],
    ["*-99999999999999999999\r\n", "invalid multibulk length"],
    ["*\r\n", "invalid multibulk length"],
    ["*+1\r\n", "invalid multibulk length"],
    ["*01\r\n", "invalid multibulk length"],
    ["*-0\r\n", "invalid multibulk length"],
    ["* 1\r\n", "invalid multibulk length"],
    ["*a\r\n", "invalid multibulk length"],
    ["*:\r\n", "invalid multibulk length"],
    ["*1\rx$4\r\nPING\r\n", "invalid multibulk length"],
    ["*1\r\nPING\r\n", "expected '$', got 'P'"],
    ["*1\r\n\r\n", "expected '$', got '\\x0d'"],
    ["*1\r\n:1\r\n", "expected '$', got ':'"],
    ["*2\r\n$4\r\nECHO\r\n\0", "expected '$', got '\\x00'"],
    ["*1\r\n$-5\r\n", "invalid bulk length"],
    ["*1\r\n$-1\r\n", "invalid bulk length"],
    ["*1\r\n$99999999999\r\n", "invalid bulk length"],
    ["*1\r\n$67108865\r\n", "invalid bulk length"],
    ["*1\r\n$99999999999999999999999\r\n", "invalid bulk length"],
    ["*1\r\n$\r\n", "invalid bulk length"],
    ["*1\r\n$a\r\n", "invalid bulk length"],
    ["*1\r\n$1a\r\n", "invalid bulk length"],
    ["*1\r\n$a1\r\n", "invalid bulk length"],
    ["*1\r\n$04\r\nPING\r\n", "invalid bulk length"],
    ["*1\r\n$4\rxPING\r\n", "invalid bulk length"],
    ["*1\r\n$4\r\nPINGPONG\r\n", "expected CRLF after bulk"],
    ["*1\r\n$4\r\nPING\n\n", "expected CRLF after bulk"],
    ["*1\r\n$3\r\nPING\r\n", "expected CRLF after bulk"],
    ["*1\r\n$10\r\n0123456789abc", "expected CRLF after bulk"],
    ["*1\r\n$0\r\nx\r\n", "expected CRLF after bulk"],
  ];
  for (const [text, error] of cases) {
    const outcome = parseEveryWay(resp("GET", "k") + text);
    assert.equal(outcome.error, error, JSON.stringify(text));
    assert.equal(outcome.errorStyle, STYLE_RESP);
    assert.deepEqual(outcome.commands, [command("GET", "k")]);
  }
  for (const [text, error] of [[`*${junk}`, "mbulk"], [`*1\r\n$${junk}`, "bulk"]]) {
    const input = latin1(text);
    const tooBig = `too big ${error} count string`;
    assert.equal(parseInPieces(input, []).error, tooBig);
    assert.equal(parseInPieces(input, [1, 30, 60_000, 65_537, 65_545]).error, tooBig);
    // One byte below the limit more may still come, and then it is merely wrong.
    const edge = latin1(`${text.slice(0, text.indexOf("x") + 65_535)}\r\n`);
    assert.match(parseInPieces(edge, []).error ?? "", /^invalid (multi)?bulk length$/);
    assert.equal(parseInPieces(edge.subarray(0, -2), []).error, null);
  }
});

Deno.test("parseRequests() takes a bulk string of exactly the limit and refuses one byte more", () => {
  const limits = { ...LIMITS, bulkBytesMax: 50, argumentsMax: 3 };
  assert.deepEqual(argsOf(resp("x".repeat(50)), limits), [["x".repeat(50)]]);
  assert.equal(parseEveryWay(resp("x".repeat(51)), limits).error, "invalid bulk length");
  assert.deepEqual(argsOf(resp("a", "b", "c"), limits), [["a", "b", "c"]]);
  assert.equal(parseEveryWay(resp("a", "b", "c", "d"), limits).error, "invalid multibulk length");
});

Deno.test("parseRequests() grants little to a client that is not authenticated, one by one", () => {
  const limits = { ...LIMITS, authenticated: false };
  const ten = Array.from({ length: 10 }, (_, i) => `${i}`);
  assert.deepEqual(argsOf(resp(...ten) + resp("AUTH", "x".repeat(16_384)), limits).length, 2);
  const tooMany = parseEveryWay(resp(...ten, "11"), limits);
  assert.equal(tooMany.error, "unauthenticated multibulk length");
  const tooLong = parseEveryWay(resp("AUTH", "x".repeat(16_385)), limits);
  assert.equal(tooLong.error, "unauthenticated bulk length");
  assert.equal(parseEveryWay("*1\r\n$99999999999\r\n", limits).error, "invalid bulk length");

  const bytes = latin1(`${resp("AUTH", "p")}${resp(...ten, "11")}${" ".repeat(8)}`);
  const batch = new RequestBatch();
  batch.reset(bytes, new DataView(bytes.buffer));
  const end = parseRequests(batch, 0, bytes.length - 8, limits);
  assert.deepEqual([batch.commandCount, batch.error, batch.neededBytes], [1, null, 0]);
  batch.reset(bytes, new DataView(bytes.buffer));
  assert.equal(parseRequests(batch, end, bytes.length - 8, LIMITS), bytes.length - 8);
  assert.equal(batch.argCount, 11);
});

Deno.test("parseRequests() stops at a full batch and goes on from there", () => {
  const text = resp("PING").repeat(BATCH_COMMANDS_MAX + 5);
  const connection = new ParsingConnection();
  connection.feed(latin1(text));
  assert.equal(connection.commands.length, BATCH_COMMANDS_MAX + 5);
  assert.equal(connection.parserCalls, 2);

  const wide = resp(...Array.from({ length: BATCH_ARGUMENTS_SOFT_MAX - 1 }, () => "a"));
  const bytes = latin1(wide + resp("PING") + resp("PING") + " ".repeat(8));
  const batch = new RequestBatch();
  batch.reset(bytes, new DataView(bytes.buffer));
  const end = parseRequests(batch, 0, bytes.length - 8, LIMITS);
  assert.equal(end, bytes.length - 8 - resp("PING").length);
  assert.deepEqual([batch.commandCount, batch.neededBytes], [2, 0]);
});

Deno.test("parseRequests() costs no quadratic time for 100,000 arguments in small pieces", () => {
  for (const lengthBytes of [0, 3, 40]) {
    const args = Array.from({ length: 100_000 }, () => "v".repeat(lengthBytes));
    const input = latin1(resp(...args));
    const connection = new ParsingConnection();
    for (let start = 0; start < input.length; start += 100) {
      connection.feed(input.subarray(start, start + 100));
    }
    assert.equal(connection.commands.length, 1);
    assert.equal(connection.commands[0].args.length, 100_000);
    assert.equal(connection.commands[0].args[99_999], args[99_999]);
    // A few hundred calls while there is little to parse again, then a logarithm of them: not one per piece.
    const cost = connection.parserBytes / input.length;
    const seen =
      `${connection.parserCalls} calls, ${cost} times the input, values of ${lengthBytes}`;
    assert.ok(connection.parserCalls <= 1000 && cost < 100, seen);
  }
});

Deno.test("parseRequests() needs no memory for arguments that were only announced", () => {
  const bytes = latin1("*1048576\r\n$1\r\na\r\n" + " ".repeat(8));
  const batch = new RequestBatch();
  const before = batch.argStart.length;
  batch.reset(bytes, new DataView(bytes.buffer));
  assert.equal(parseRequests(batch, 0, bytes.length - 8, LIMITS), 0);
  assert.equal(batch.argStart.length, before);
  assert.equal(batch.neededBytes, 10 + 7 + 1);
});

Deno.test("parseRequests() asks for the rest of an announced bulk string, or for one byte more", () => {
  const batch = new RequestBatch();
  const needed = (text: string) => {
    const bytes = latin1(text + "\r\n".repeat(4));
    batch.reset(bytes, new DataView(bytes.buffer));
    parseRequests(batch, 0, text.length, LIMITS);
    return batch.neededBytes;
  };
  assert.equal(needed("*"), 2);
  assert.equal(needed("*12345"), 7);
  assert.equal(needed("*3\r\n"), 5);
  assert.equal(needed("*3\r\n$3\r\n"), 4 + 4 + 3 + 2);
  assert.equal(needed("*3\r\n$3\r\nSET\r\n$1000"), 4 + 9 + 6);
  assert.equal(needed("*3\r\n$3\r\nSET\r\n$1000\r\nab"), 4 + 9 + 7 + 1002);
  assert.equal(needed("*1\r\n$4\r\nPING\r"), 14);
  assert.equal(needed(resp("PING") + "*1\r\n$4\r\nPING"), 14);
  assert.equal(needed(resp("PING")), 0);

  // After many arguments, for the shortest that are missing, or an eighth of what is there.
  const many = (announced: number) => `*${announced}\r\n${"$1\r\na\r\n".repeat(2000)}`;
  assert.equal(needed(many(2010)), many(2010).length + 60);
  const eighth = many(9999).length + (many(9999).length >> 3);
  assert.equal(needed(many(9999)), eighth);
  assert.equal(needed(`${many(2010)}$50\r\n`), many(2010).length + 5 + 52 + 54);
});

Deno.test("parseRequests() reports a long bulk string that has not arrived, with what stands before", () => {
  const open = (text: string) => {
    const bytes = latin1(text + "        ");
    const batch = new RequestBatch();
    batch.stagedAt = -1;
    batch.reset(bytes, new DataView(bytes.buffer));
    const end = parseRequests(batch, 0, text.length, LIMITS);
    return { batch, bytes, end };
  };
  const before = resp("PING");
  const head = "*3\r\n$3\r\nSET\r\n$2\r\nke\r\n$16384\r\n";
  const { batch, bytes, end } = open(`${before}${head}abc`);
  assert.equal(end, before.length);
  assert.equal(batch.commandCount, 1);
  assert.equal(batch.argCount, 1);
  assert.equal(batch.openBulkArgument, 2);
  assert.equal(batch.openBulkStart, before.length + head.length);
  assert.equal(batch.openBulkBytes, 16_384);
  assert.equal(batch.neededBytes, head.length + 16_384 + 2);
  const argument = (i: number) =>
    fromLatin1(
      bytes.subarray(batch.argStart[batch.argCount + i], batch.argEnd[batch.argCount + i]),
    );
  assert.deepEqual([argument(0), argument(1)], ["SET", "ke"]);

  assert.equal(open("*3\r\n$3\r\nSET\r\n$2\r\nke\r\n$16383\r\nabc").batch.openBulkArgument, -1);
  assert.equal(open("*3\r\n$3\r\nSET\r\n$2\r\nke\r\n$16384\r").batch.openBulkArgument, -1);
  assert.equal(open(`${head}${"v".repeat(16_383)}`).batch.openBulkArgument, 2);
  assert.equal(open(`${head}${"v".repeat(16_384)}\r`).batch.openBulkArgument, -1);
  assert.equal(open("*1\r\n$20000\r\n").batch.openBulkArgument, 0);
});

Deno.test("parseRequests() takes a value that was received out of line for an empty range", () => {
  const head = "*4\r\n$3\r\nSET\r\n$2\r\nke\r\n$70000\r\n";
  const rest = `\r\n$2\r\nNX\r\n${resp("GET", "ke")}`;
  const base = "*1\r\n$4\r\nPING\r\n";
  for (const known of [`${base}${head}`, head]) {
    const batch = new RequestBatch();
    const text = known + rest;
    for (let to = known.length; to <= text.length; to++) {
      const bytes = latin1(text.slice(0, to) + "\r\n$0\r\n\r\n");
      batch.stagedAt = known.length;
      batch.reset(bytes, new DataView(bytes.buffer));
      const end = parseRequests(batch, 0, to, LIMITS);
      const commands = batch.commandCount - (known === head ? 0 : 1);
      assert.equal(batch.openBulkArgument, -1);
      if (to < known.length + 10) {
        assert.equal(commands, 0);
        assert.equal(batch.stagedArg, -1);
        assert.equal(end, known.length - head.length);
        assert.ok(batch.neededBytes > to - end && end + batch.neededBytes <= known.length + 10);
      } else {
        assert.equal(commands, to === text.length ? 2 : 1);
        const staged = batch.commandArg[batch.commandCount - commands] + 2;
        assert.equal(batch.stagedArg, staged);
        assert.equal(batch.argStart[staged], known.length);
        assert.equal(batch.argEnd[staged], known.length);
        assert.equal(
          fromLatin1(bytes.subarray(batch.argStart[staged + 1], batch.argEnd[staged + 1])),
          "NX",
        );
      }
    }
    const wrong = latin1(`${known}xx        `);
    batch.reset(wrong, new DataView(wrong.buffer));
    parseRequests(batch, 0, wrong.length - 8, LIMITS);
    assert.equal(batch.error, "expected CRLF after bulk");
  }
});
