// The lines of parseRequests(): inline commands, text, and what is refused.
import assert from "node:assert/strict";
import fc from "fast-check";
import { STYLE_INLINE, STYLE_RESP, STYLE_TEXT } from "../../src/protocol/request_batch.ts";
import {
  INLINE_REPLY_RESP,
  INLINE_REPLY_TEXT,
  type ParseLimits,
} from "../../src/protocol/request_parser.ts";
import {
  fromLatin1,
  latin1,
  LIMITS,
  parseEveryWay,
  parseInPieces,
  ParsingConnection,
  resp,
} from "../support/parsing_connection.ts";

/** The arguments of the one command in `text`, which must be whole and of the given style. */
function one(text: string, style: number, limits: ParseLimits = LIMITS): readonly string[] {
  const outcome = parseEveryWay(text, limits);
  assert.equal(outcome.error, null, JSON.stringify(text));
  assert.equal(outcome.leftBytes, 0);
  assert.equal(outcome.commands.length, 1, JSON.stringify(text));
  assert.equal(outcome.commands[0].style, style);
  return outcome.commands[0].args;
}

const inline = (line: string) => one(`${line}\r\n`, STYLE_INLINE);
const text = (line: string) => one(`${line}\n`, STYLE_TEXT);

Deno.test("parseRequests() splits inline commands at blanks", () => {
  assert.deepEqual(inline("PING"), ["PING"]);
  assert.deepEqual(inline("  set  key\tvalue \v\f "), ["set", "key", "value"]);
  assert.deepEqual(inline("SET k a\rb"), ["SET", "k", "a", "b"]);
  assert.deepEqual(inline("SET k EX 5"), ["SET", "k", "EX", "5"]);
  assert.deepEqual(inline("SET \0 \xff\x80"), ["SET", "\0", "\xff\x80"]);
  assert.deepEqual(inline("a\\nb"), ["a\\nb"]);
});

Deno.test("parseRequests() unquotes inline arguments as redis-cli quotes them", () => {
  assert.deepEqual(inline("SET \"a b\" 'c d'"), ["SET", "a b", "c d"]);
  assert.deepEqual(inline(String.raw`"\x00\xfF\x4a" "\n\r\t\b\a\\\"\q"`), [
    "\x00\xff\x4a",
    '\n\r\t\b\x07\\"q',
  ]);
  assert.deepEqual(inline(String.raw`"\xg0" "\x4" "\x"`), ["xg0", "x4", "x"]);
  assert.deepEqual(inline(String.raw`'it\'s' 'a\nb' '\x41' 'c"d'`), [
    "it's",
    "a\\nb",
    "\\x41",
    'c"d',
  ]);
  assert.deepEqual(inline(`SET "" ''`), ["SET", "", ""]);
  assert.deepEqual(inline(`foo"bar baz"`), ["foobar baz"]);
  assert.deepEqual(inline(`"a"\t'b'`), ["a", "b"]);
});

Deno.test("parseRequests() gives any bytes back that were quoted for an inline command", () => {
  const bytes = fc.uint8Array({ maxLength: 40 }).map(fromLatin1);
  const quote = (value: string) =>
    `"${
      value.replace(/[^ !#-[\]-~]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`)
    }"`;
  fc.assert(
    fc.property(fc.array(bytes, { minLength: 1, maxLength: 6 }), fc.nat(300), (args, cut) => {
      const input = latin1(`${args.map(quote).join(" ")}\r\nPING\r\n`);
      const { commands } = parseInPieces(input, [cut % input.length]);
      assert.deepEqual(commands.map((command) => command.args), [args, ["PING"]]);
    }),
    { numRuns: 300 },
  );
});

Deno.test("parseRequests() refuses unbalanced quotes, and keeps the commands before them", () => {
  for (const line of [`"a`, `'a`, `"a"b`, `'a'b`, `"`, `x"y`, String.raw`"a\"`, `"a\\`, `'a\\'`]) {
    const outcome = parseEveryWay(`PING\r\nGET ${line}\r\nPING\r\n`);
    assert.equal(outcome.error, "unbalanced quotes in request", line);
    assert.equal(outcome.errorStyle, STYLE_INLINE);
    assert.deepEqual(outcome.commands, [{ style: STYLE_INLINE, args: ["PING"] }]);
  }
});

Deno.test("parseRequests() is silent about empty lines", () => {
  for (const empty of ["\r\n", "\n", "  \t\r\n", "  \t\n", "\n\r\n\n\r\n"]) {
    const outcome = parseEveryWay(`${empty}${resp("PING")}${empty}`);
    assert.deepEqual(outcome.commands, [{ style: STYLE_RESP, args: ["PING"] }]);
    assert.equal(outcome.leftBytes, 0);
  }
});

Deno.test("parseRequests() takes a line of the limit and refuses a longer one, whole or not", () => {
  const limits = { ...LIMITS, inlineBytesMax: 100 };
  const key = "k".repeat(96);
  assert.deepEqual(one(`GET ${key}\n`, STYLE_TEXT, limits), ["GET", key]);
  assert.deepEqual(one(`GET ${key.slice(1)}\r\n`, STYLE_INLINE, limits), ["GET", key.slice(1)]);
  for (const line of [`GET ${key}k`, `GET ${key}k\n`, `GET ${key}\r\n`, `GET ${key.repeat(9)}`]) {
    const outcome = parseEveryWay(`PING\n${line}`, limits);
    assert.equal(outcome.error, "too big inline request");
    assert.equal(outcome.commands.length, 1);
  }
  const pending = parseEveryWay(`GET ${key}`, limits);
  assert.deepEqual([pending.error, pending.leftBytes], [null, 100]);

  const connection = new ParsingConnection();
  const mebibyte = latin1("x".repeat(1 << 20));
  for (let at = 0; at < mebibyte.length; at += 1000) {
    connection.feed(mebibyte.subarray(at, at + 1000));
  }
  assert.equal(connection.outcome.error, "too big inline request");
  assert.ok(connection.parserCalls <= 66, `${connection.parserCalls} calls`);
});

Deno.test("parseRequests() closes without a word when a browser speaks", () => {
  for (const line of ["POST / HTTP/1.1\r\n", "post x\n", "Host: localhost\r\n", "hOsT:x\r\n"]) {
    const outcome = parseEveryWay(`PING\r\n${line}SET a b\r\n`);
    assert.equal(outcome.closed, true, line);
    assert.equal(outcome.error, null);
    assert.deepEqual(outcome.commands, [{ style: STYLE_INLINE, args: ["PING"] }]);
  }
  assert.equal(parseEveryWay(`POST ${"x".repeat(70_000)}`).closed, true);
  for (const line of ["POSTS a\r\n", "GET POST \r\n", "Hosts:\r\n", "POS\r\n", "POST\r\n"]) {
    assert.equal(parseEveryWay(line).closed, false, line);
    assert.equal(parseEveryWay(line).commands.length, 1);
  }
});

Deno.test("parseRequests() splits text at blanks and knows no quotes", () => {
  assert.deepEqual(text("GET a"), ["GET", "a"]);
  assert.deepEqual(text("  MGET \t a  b\tc "), ["MGET", "a", "b", "c"]);
  assert.deepEqual(text(`GET "a`), ["GET", `"a`]);
  assert.deepEqual(text("GET \0\xff\x80\rx"), ["GET", "\0\xff\x80\rx"]);
  assert.deepEqual(text("SETEX k 5 v w"), ["SETEX", "k", "5", "v", "w"]);
});

Deno.test("parseRequests() takes the rest of a text line for the value of SET and PUT", () => {
  assert.deepEqual(text("SET a hello world"), ["SET", "a", "hello world"]);
  assert.deepEqual(text(" set \t a  two  blanks  "), ["set", "a", " two  blanks  "]);
  assert.deepEqual(text(`SET a "x" 'y' \\n`), ["SET", "a", `"x" 'y' \\n`]);
  assert.deepEqual(text("SET a\tb"), ["SET", "a", "b"]);
  assert.deepEqual(text("SET a "), ["SET", "a", ""]);
  assert.deepEqual(text("SET a"), ["SET", "a"]);
  assert.deepEqual(text("SET"), ["SET"]);
  assert.deepEqual(text("PUT b 2"), ["PUT", "b", "2"]);
  assert.deepEqual(text("put b v EX 10"), ["put", "b", "v EX 10"]);
});

Deno.test("parseRequests() strips an expiry off SET's value while a value remains", () => {
  assert.deepEqual(text("SET a hello world EX 10"), ["SET", "a", "hello world", "EX", "10"]);
  assert.deepEqual(text(`SET m {"score": 0.95} EX 3600`), [
    "SET",
    "m",
    `{"score": 0.95}`,
    "EX",
    "3600",
  ]);
  for (const option of ["EX", "px", "ExAt", "PXAT"]) {
    assert.deepEqual(text(`set k v ${option} 5`), ["set", "k", "v", option, "5"]);
  }
  for (const option of ["TTL", "ttl", "Ttl"]) {
    const args = text(`SET k v ${option} 5`);
    assert.deepEqual([args[2], args[3].toUpperCase(), args[4]], ["v", "EX", "5"]);
  }
  assert.deepEqual(text("SET k v  EX \t 5"), ["SET", "k", "v ", "EX", "5"]);
  assert.deepEqual(text("SET k v EX -5"), ["SET", "k", "v", "EX", "-5"]);
  assert.deepEqual(text("SET k v EX 99999999999999999999"), [
    "SET",
    "k",
    "v",
    "EX",
    "99999999999999999999",
  ]);
  assert.deepEqual(text("SET k v EX 5 PX 6"), ["SET", "k", "v EX 5", "PX", "6"]);
});

Deno.test("parseRequests() leaves in SET's value what is no expiry behind a value", () => {
  const values = [
    ...["EX 5", "TTL 5", " EX 5", "EX", "5", "v EX", "v EX 5x", "v EX x5", "v EX5", "vEX 5"],
    ...["v EX 5 ", "v EX +5", "v EX -", "v EX 5.0", "v EXX 5", "v PTTL 5", "v TT 5", "v E 5"],
    ...["v EXAX 5", "v KEEPTTL", "v NX", "-5", " 5", "v 5", "v -5", ""],
  ];
  for (const value of values) {
    assert.deepEqual(text(`SET k ${value}`), ["SET", "k", value]);
    assert.deepEqual(text(`PUT k ${value}`), ["PUT", "k", value]);
  }
});

Deno.test("parseRequests() keeps every byte but LF in the value of a text line", () => {
  const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
  const value = all.replace("\n", "");
  assert.deepEqual(text(`PUT k ${value}`), ["PUT", "k", value]);
  const key = value.replace(/[\t ]/g, "");
  assert.deepEqual(text(`GET ${key}`), ["GET", key]);
});

Deno.test("parseRequests() lets the protocols take turns on one connection", () => {
  const outcome = parseEveryWay(`GET a\n${resp("GET", "b")}GET "c d"\r\nSET e f g\n\r\nPING\r\n`);
  assert.deepEqual(outcome.commands, [
    { style: STYLE_TEXT, args: ["GET", "a"] },
    { style: STYLE_RESP, args: ["GET", "b"] },
    { style: STYLE_INLINE, args: ["GET", "c d"] },
    { style: STYLE_TEXT, args: ["SET", "e", "f g"] },
    { style: STYLE_INLINE, args: ["PING"] },
  ]);
});

Deno.test("parseRequests() takes lines for the one style that is set", () => {
  const asResp = { ...LIMITS, inlineReply: INLINE_REPLY_RESP } as const;
  const asText = { ...LIMITS, inlineReply: INLINE_REPLY_TEXT } as const;
  for (const end of ["\n", "\r\n"]) {
    assert.deepEqual(one(`SET a "b c"${end}`, STYLE_INLINE, asResp), ["SET", "a", "b c"]);
    assert.deepEqual(one(`SET a "b c"${end}`, STYLE_TEXT, asText), ["SET", "a", `"b c"`]);
  }
  const long = latin1("x".repeat(65_537));
  assert.equal(parseInPieces(long, [], asText).errorStyle, STYLE_TEXT);
  assert.equal(parseInPieces(long, [], asResp).errorStyle, STYLE_INLINE);
});
