// Tests of the scanner that parts code from comments and strings.

import assert from "node:assert/strict";
import { splitSource } from "../../tools/source_text.ts";

const CASES: readonly [string, string, string][] = [
  ["a // b", "a     ", "a     "],
  ["a /* b\nc */ d", "a     \n     d", "a     \n     d"],
  ["x(\"b\", 'c')", "x(\" \", ' ')", "x(\"b\", 'c')"],
  ['"a\\"b" + c', '"    " + c', '"a\\"b" + c'],
  ["`a ${b} c` d", "`  ${b}  ` d", "`a ${b} c` d"],
  ["`a ${ { b: `c${d}` } }` e", "`  ${ { b: ` ${d}` } }` e", "`a ${ { b: `c${d}` } }` e"],
  ["x = /['\"`]\\/b/g; c", "x = /        /g; c", "x = /['\"`]\\/b/g; c"],
  ["a / b / 'c'", "a / b / ' '", "a / b / 'c'"],
  ["return /'/; // d", "return / /;     ", "return /'/;     "],
  ["'http://a' // b", "'        '     ", "'http://a'     "],
];

Deno.test("splitSource() keeps code in place and blanks comments and strings", () => {
  for (const [source, code, uncommented] of CASES) {
    const split = splitSource(source);
    assert.equal(split.code, code, source);
    assert.equal(split.uncommented, uncommented, source);
    assert.equal(split.code.length, source.length, source);
  }
});

Deno.test("splitSource() ends on sources that are cut off", () => {
  for (const source of ["'a", "`a", "`a ${", "/* a", "x = /a", '"\\', "`\\"]) {
    assert.equal(splitSource(source).code.split("\n").length, 1, source);
  }
});
