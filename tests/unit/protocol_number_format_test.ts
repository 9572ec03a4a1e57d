// Integers to bytes and back at their edges.
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  INTEGER_BYTES_MAX,
  parseBigInteger,
  parseInteger,
  writeBigInteger,
  writeInteger,
} from "../../src/protocol/number_format.ts";
import { fromLatin1, latin1 } from "../support/parsing_connection.ts";

const BIG_EDGES = [
  ...[0n, 1n, -1n, 9n, 10n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)],
  ...Array.from({ length: 19 }, (_, i) => 10n ** BigInt(i)),
].flatMap((value) => [value - 1n, value, value + 1n, -value - 1n, -value, 1n - value])
  .filter((value) => value >= -(2n ** 63n) && value < 2n ** 63n);

const WRONG = [
  ...[
    "",
    "-",
    "+1",
    " 1",
    "1 ",
    "01",
    "-01",
    "-0",
    "00",
    "1a",
    "a",
    "1.0",
    "1e3",
    "--1",
    "1-",
    "0x1",
  ],
  ...["\0", "1\0", "/", ":", "9:", "9223372036854775808", "-9223372036854775809", "1".repeat(40)],
  ...["18446744073709551616", "99999999999999999999", "1234567890123456:", "12345678:0123456789"],
];

function read<T>(parse: (bytes: Uint8Array, start: number, end: number) => T, text: string): T {
  // Digits all around, so that a reader beyond its range is found out.
  return parse(latin1(`77${text}77`), 2, 2 + text.length);
}

function write<T extends number | bigint>(
  writer: (bytes: Uint8Array, position: number, value: T) => number,
  value: T,
): string {
  const bytes = new Uint8Array(INTEGER_BYTES_MAX + 4).fill(120);
  const end = writer(bytes, 2, value);
  assert.equal(bytes[1], 120);
  assert.equal(bytes[end], 120);
  return fromLatin1(bytes.subarray(2, end));
}

Deno.test("parseInteger() reads every safe integer and refuses the rest", () => {
  for (const value of BIG_EDGES) {
    const number = Number(value);
    const expected = Number.isSafeInteger(number) ? number : NaN;
    assert.ok(Object.is(read(parseInteger, `${value}`), expected), `${value}`);
  }
  for (const text of WRONG) assert.ok(Number.isNaN(read(parseInteger, text)), JSON.stringify(text));
});

Deno.test("parseBigInteger() reads all 64-bit integers and refuses the rest", () => {
  for (const value of BIG_EDGES) assert.equal(read(parseBigInteger, `${value}`), value);
  for (const text of WRONG) assert.equal(read(parseBigInteger, text), null, JSON.stringify(text));
});

Deno.test("writeInteger() writes what String() would", () => {
  for (const value of BIG_EDGES) {
    const number = Number(value);
    if (Number.isSafeInteger(number)) assert.equal(write(writeInteger, number), String(number));
  }
  assert.equal(write(writeInteger, -0), "0");
  fc.assert(fc.property(fc.maxSafeInteger(), (value) => {
    assert.equal(write(writeInteger, value), String(value));
    assert.equal(read(parseInteger, String(value)), value);
  }));
  for (const value of [NaN, 1.5, Infinity, 2 ** 53]) {
    assert.throws(() => write(writeInteger, value), RangeError);
  }
});

Deno.test("writeBigInteger() writes what String() would", () => {
  for (const value of BIG_EDGES) assert.equal(write(writeBigInteger, value), String(value));
  assert.throws(() => write(writeBigInteger, 2n ** 63n), RangeError);
});
