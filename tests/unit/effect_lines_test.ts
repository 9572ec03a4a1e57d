// The log's text mode: lines lead back to the bytes they came from, and what is wrong with a line is said.
import assert from "node:assert/strict";
import { readEffectLine, writeEffectLine } from "../../src/log/effect_lines.ts";
import { EffectReader } from "../../src/log/effect_reader.ts";
import { EffectWriter } from "../../src/log/effect_writer.ts";
import { type Effect, field, put, writeEffect } from "../support/log_maker.ts";

const LIMITS = { keyBytesMax: 300, valueBytesMax: 4 * 2 ** 20, fieldBytesMax: 15_000 };

function lineOf(bytes: Uint8Array, sequence: number): string {
  const reader = new EffectReader(bytes);
  assert.equal(reader.next(0, bytes.length), bytes.length, reader.error);
  let line = "";
  writeEffectLine(reader, bytes, sequence, (text) => line += text);
  return line;
}

function bytesOf(effect: Effect): Uint8Array {
  const writer = new EffectWriter(16);
  writeEffect(writer, effect);
  return writer.bytes.slice(0, writer.length);
}

const FIELDS = [
  field("", ""),
  field("a", 'quoted "v"', 1_790_000_000_000),
  field("é😀", new Uint8Array([0xff, 0])),
  field("long", "v".repeat(14_000), 2 ** 53 - 1),
];

const EFFECTS: readonly Effect[] = [
  put("", ""),
  put("k", 'quotes " and \\ and\nline ends, é, 😀, \u0000, \ufeff', 1_790_000_000_000, 15),
  put("\ufeffmark", new Uint8Array([0xef, 0xbb, 0xbf, 0x61])),
  put("bytes", new Uint8Array([0xff, 0, 0xc0])),
  put("half", new Uint8Array([0xe2, 0x82])),
  // Pieces end within a character, and within base64's threes.
  put("long", `x${"é".repeat(900_000)}`),
  put("longBytes", new Uint8Array(2_000_001).fill(0xfe)),
  { kind: "range", database: 1, key: "k", offset: 70_000, value: new Uint8Array([0xff, 1]) },
  { kind: "remove", database: 3, key: "gone" },
  { kind: "expire", database: 0, key: "k", expiresAtMs: 2 ** 53 - 1 },
  { kind: "putHash", database: 0, key: "h", expiresAtMs: 0, fields: FIELDS },
  { kind: "putHash", database: 5, key: "h", expiresAtMs: 9, fields: FIELDS.slice(0, 1) },
  { kind: "mergeFields", database: 0, key: "h", expiresAtMs: 2 ** 41, fields: FIELDS },
  { kind: "setFields", database: 0, key: "h", fields: FIELDS },
  { kind: "removeFields", database: 0, key: "h", names: ["", "a", 'q"'] },
  {
    kind: "expireFields",
    database: 0,
    key: "h",
    fields: [{ name: "a", expiresAtMs: 0 }, { name: "", expiresAtMs: 2 ** 42 }],
  },
  { kind: "flush", database: -1 },
  { kind: "databases", table: Uint8Array.from({ length: 16 }, (_, i) => 15 - i) },
];

Deno.test("readEffectLine() gives the bytes that writeEffectLine() was given, for every kind of effect", () => {
  for (const effect of EFFECTS) {
    const bytes = bytesOf(effect), line = lineOf(bytes, 7), writer = new EffectWriter(16);
    assert.ok(line.endsWith("}\n") && line.indexOf("\n") === line.length - 1);
    assert.equal(JSON.parse(line).sequence, 7);
    assert.equal(readEffectLine(line, writer, LIMITS), 7);
    assert.deepEqual(writer.bytes.subarray(0, writer.length), bytes);
  }
});

Deno.test("writeEffectLine() writes what the documents show", () => {
  const wanted = [
    [
      put("k", "v"),
      '{"sequence":7,"effect":"put","database":0,"key":"k","expiresAtMs":0,"type":"string","value":"v"}',
    ],
    [
      { kind: "remove", database: 2, key: "k" },
      '{"sequence":7,"effect":"remove","database":2,"key":"k"}',
    ],
    [
      put("k", new Uint8Array([255]), 9),
      '{"sequence":7,"effect":"put","database":0,"key":"k","expiresAtMs":9,"type":"string","value":{"base64":"/w=="}}',
    ],
    [
      { kind: "expire", database: 0, key: "k", expiresAtMs: 5 },
      '{"sequence":7,"effect":"expire","database":0,"key":"k","expiresAtMs":5}',
    ],
    [{ kind: "flush", database: -1 }, '{"sequence":7,"effect":"flush","database":-1}'],
    [
      {
        kind: "putHash",
        database: 0,
        key: "h",
        expiresAtMs: 0,
        fields: [field("f", "v"), field("g", new Uint8Array([255]), 1_790_000_000_000)],
      },
      '{"sequence":7,"effect":"put","database":0,"key":"h","expiresAtMs":0,"type":"hash","fields":[' +
      '{"name":"f","value":"v"},{"name":"g","expiresAtMs":1790000000000,"value":{"base64":"/w=="}}]}',
    ],
    [
      { kind: "setFields", database: 0, key: "h", fields: [field("f", "v")] },
      '{"sequence":7,"effect":"setFields","database":0,"key":"h","fields":[{"name":"f","value":"v"}]}',
    ],
    [
      { kind: "removeFields", database: 0, key: "h", names: ["f", "g"] },
      '{"sequence":7,"effect":"removeFields","database":0,"key":"h","fields":["f","g"]}',
    ],
    [
      { kind: "expireFields", database: 0, key: "h", fields: [{ name: "f", expiresAtMs: 0 }] },
      '{"sequence":7,"effect":"expireFields","database":0,"key":"h","fields":[{"name":"f","expiresAtMs":0}]}',
    ],
    [
      {
        kind: "mergeFields",
        database: 0,
        key: "h",
        expiresAtMs: 5,
        fields: [field("f", "v")],
      },
      '{"sequence":7,"effect":"mergeFields","database":0,"key":"h","expiresAtMs":5,"fields":[{"name":"f","value":"v"}]}',
    ],
  ] as const;
  for (const [effect, line] of wanted) assert.equal(lineOf(bytesOf(effect), 7), `${line}\n`);
});

function hashLine(effect: string, fields: unknown, rest: Record<string, unknown> = {}): string {
  return JSON.stringify({ sequence: 1, effect, database: 0, key: "h", fields, ...rest });
}

Deno.test("readEffectLine() says what is wrong with a line", () => {
  const good = {
    sequence: 1,
    effect: "put",
    database: 0,
    key: "k",
    expiresAtMs: 0,
    type: "string",
    value: "v",
  };
  const table = Array.from({ length: 16 }, (_, i) => i);
  const cases: readonly (readonly [string, RegExp])[] = [
    ["{", /no JSON/],
    ["[]", /no JSON object/],
    ["null", /no JSON object/],
    [JSON.stringify({ ...good, sequence: -1 }), /"sequence"/],
    [JSON.stringify({ ...good, sequence: 1.5 }), /"sequence"/],
    [JSON.stringify({ ...good, effect: "append" }), /"effect" is none of/],
    [JSON.stringify({ ...good, database: 16 }), /"database" .*0 to 15/],
    [JSON.stringify({ ...good, key: 5 }), /"key" is neither/],
    [JSON.stringify({ ...good, key: "k".repeat(301) }), /"key" has 301 bytes, at most 300/],
    [JSON.stringify({ ...good, key: { base64: "*" } }), /"key" is neither/],
    [JSON.stringify({ ...good, value: { base64: "/w" } }), /"value" is neither/],
    [JSON.stringify({ ...good, value: { base64: "/w==", x: 1 } }), /"value" is neither/],
    ['{"sequence":1,"effect":"remove","database":0,"key":"\\ud800"}', /"key" is neither/],
    [JSON.stringify({ ...good, value: "v".repeat(4 * 2 ** 20 + 1) }), /"value" has 4194305 bytes/],
    [JSON.stringify({ ...good, expiresAtMs: -1 }), /"expiresAtMs"/],
    [JSON.stringify({ ...good, type: "" }), /"type" is not one of: string, hash/],
    [JSON.stringify({ ...good, type: "list" }), /"type" is not one of: string, hash/],
    [JSON.stringify({ ...good, type: "hash" }), /no field "value"/],
    [hashLine("put", [], { expiresAtMs: 0, type: "hash" }), /"fields" is no list/],
    [hashLine("put", [["f", "v"]], { expiresAtMs: 0, type: "hash" }), /"fields" is no JSON/],
    [hashLine("put", [{ name: "f" }], { expiresAtMs: 0, type: "hash" }), /field's "value"/],
    [hashLine("setFields", "f"), /"fields" is no list/],
    [hashLine("setFields", [null]), /"fields" is no JSON object/],
    [hashLine("setFields", [{ name: 5, value: "" }]), /field's "name"/],
    [hashLine("setFields", [{ name: "f", value: "", expiresAtMs: -1 }]), /"expiresAtMs"/],
    [hashLine("setFields", [{ name: "f", value: "", ttl: 1 }]), /field has no "ttl"/],
    [hashLine("setFields", [{ name: "f", value: "v".repeat(15_000) }]), /15001 bytes, at most/],
    [hashLine("setFields", [{ name: "f", value: "" }], { expiresAtMs: 0 }), /"expiresAtMs"/],
    [hashLine("removeFields", [{ name: "f" }]), /field's "name"/],
    [hashLine("expireFields", [{ name: "f" }]), /field's "expiresAtMs"/],
    [hashLine("expireFields", [{ name: "f", expiresAtMs: 0, value: "" }]), /has no "value"/],
    [hashLine("mergeFields", [{ name: "f", value: "" }]), /"expiresAtMs"/],
    [JSON.stringify({ ...good, ttl: 5 }), /no field "ttl"/],
    ['{"sequence":1,"effect":"flush","database":-2}', /-1 to 15/],
    ['{"sequence":1,"effect":"flush","database":0,"key":"k"}', /no field "key"/],
    [JSON.stringify({ sequence: 1, effect: "databases", table: table.slice(1) }), /"table"/],
    [JSON.stringify({ sequence: 1, effect: "databases", table: table.with(0, 1) }), /"table"/],
  ];
  for (const [line, wanted] of cases) {
    const problem = readEffectLine(line, new EffectWriter(16), LIMITS);
    assert.match(String(problem), wanted, line.slice(0, 100));
  }
});
