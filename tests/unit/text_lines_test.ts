// Lines out of a stream: the same whatever pieces it comes in, and clear errors for what is no line of text.
import assert from "node:assert/strict";
import { LineError, type TextLine, textLines } from "../../src/cli/text_lines.ts";

/** Gives the bytes in pieces of at most so many. */
function reader(
  text: string | Uint8Array,
  pieceBytes: number,
): (into: Uint8Array) => number | null {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  let at = 0;
  return (into) => {
    if (at === bytes.length) return null;
    const piece = bytes.subarray(at, at + Math.min(pieceBytes, into.length));
    into.set(piece);
    at += piece.length;
    return piece.length;
  };
}

function linesOf(text: string | Uint8Array, pieceBytes: number): TextLine[] {
  return [...textLines(reader(text, pieceBytes), 2_000_000)];
}

Deno.test("textLines() gives the same lines in pieces of every size, with numbers and places", () => {
  const text = "one\n\nthré€ 😀\r\n\n\nlast";
  for (let pieceBytes = 1; pieceBytes < 30; pieceBytes++) {
    const lines = linesOf(text, pieceBytes);
    assert.deepEqual(lines.map((line) => line.text), text.split("\n"), `pieces of ${pieceBytes}`);
    assert.deepEqual(lines.map((line) => line.number), [1, 2, 3, 4, 5, 6]);
    assert.equal(lines[1].endBytes, 5);
  }
  assert.deepEqual(linesOf("", 10), []);
  assert.deepEqual(linesOf("a\n", 10).map((line) => line.text), ["a"]);
});

Deno.test("textLines() takes lines longer than its buffer, and many behind one another", () => {
  const lines = Array.from({ length: 50 }, (_, i) => String(i % 10).repeat(i * 20_011));
  assert.deepEqual(linesOf(lines.join("\n"), 65_536).map((line) => line.text), lines);
});

Deno.test("textLines() refuses a line that is too long, or not UTF-8, by its number", () => {
  const long = new Uint8Array(3_000_000).fill(97);
  long[1] = 10;
  const cases = [[long, /longer than 2000000/, 2], [Uint8Array.of(97, 10, 0xc3, 10), /UTF-8/, 2]];
  for (const [bytes, wanted, number] of cases as [Uint8Array, RegExp, number][]) {
    assert.throws(() => linesOf(bytes, 65_536), (error) => {
      assert.ok(error instanceof LineError && error.lineNumber === number);
      return wanted.test(error.message);
    });
  }
});
