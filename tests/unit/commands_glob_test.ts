// Patterns against texts, as Redis 7.0 answers them; and the bound on their work.
import assert from "node:assert/strict";
import fc from "fast-check";
import { globMatches, PATTERN_BYTES_MAX } from "../../src/commands/glob.ts";

function bytes(latin1: string): Uint8Array {
  return Uint8Array.from(latin1, (char) => char.charCodeAt(0));
}

const CASES: readonly (readonly [pattern: string, matching: string[], others: string[]])[] = [
  ["", [""], ["a"]],
  ["a", ["a"], ["", "b", "ab", "A"]],
  ["*", ["a", "ab", "\n", "\xff"], [""]],
  ["**", ["a", "ab"], [""]],
  ["?", ["a", "*", "\x00"], ["", "ab"]],
  ["*?", ["a", "abc"], [""]],
  ["a*", ["a", "ab", "abc"], ["b", "ba", ""]],
  ["*a", ["a", "ba", "aa"], ["ab", ""]],
  ["*a*", ["a", "bab"], ["b"]],
  ["a*b*c", ["abc", "aXbXc", "abcbc"], ["ab", "acb", "abcX"]],
  ["a**b", ["ab", "aXb"], ["a", "b"]],
  ["h[ae]llo", ["hallo", "hello"], ["hillo", "hllo", "haello"]],
  ["h[^e]llo", ["hallo", "h^llo"], ["hello", "hllo"]],
  ["h[a-c]llo", ["hallo", "hbllo", "hcllo"], ["hdllo", "h-llo"]],
  ["h[c-a]llo", ["hallo", "hbllo", "hcllo"], ["hdllo"]],
  ["[a-]", ["a", "]", "^"], ["-", "@"]],
  ["[-a]", ["-", "a"], ["b"]],
  ["[a-b-d]", ["a", "b", "-", "d"], ["c"]],
  ["[\\]]", ["]"], ["\\", "a"]],
  ["[\\^a]", ["^", "a"], ["b"]],
  ["[]a]", [], ["]", "a", "]a]"]],
  ["[^]", ["a", "]", "^"], ["", "ab"]],
  ["[", [], ["[", "a", ""]],
  ["[abc", ["a", "b", "c"], ["[abc", "d"]],
  ["[^abc", ["d"], ["a"]],
  ["[a-", ["a", "-"], ["b"]],
  ["\\*", ["*"], ["a", "\\*"]],
  ["\\?\\[", ["?["], ["ab"]],
  ["\\a", ["a"], ["\\a"]],
  ["a\\", ["a\\"], ["a"]],
  ["\\\\", ["\\"], ["\\\\"]],
  ["*\xff", ["\xff", "a\xff"], ["\xfe"]],
  ["[\xf0-\xff]", ["\xf0", "\xf8"], ["a", "\x80"]],
  ["key:[0-9][0-9]", ["key:00", "key:42"], ["key:4", "key:4a"]],
];

Deno.test("globMatches() answers as Redis for a table of patterns", () => {
  for (const [pattern, matching, others] of CASES) {
    for (const text of matching) {
      assert.ok(globMatches(bytes(pattern), bytes(text)), `${pattern} takes ${text}`);
    }
    for (const text of others) {
      assert.ok(!globMatches(bytes(pattern), bytes(text)), `${pattern} does not take ${text}`);
    }
  }
});

Deno.test("globMatches() folds ASCII letters alone when told to ignore case", () => {
  const matches = (pattern: string, text: string) => globMatches(bytes(pattern), bytes(text), true);
  assert.ok(matches("MaxMem*", "maxmemory"));
  assert.ok(matches("[A-C]x", "bX"));
  assert.ok(matches("[a-c]x", "BX"));
  assert.ok(matches("[abc]", "B"));
  assert.ok(!matches("[\\A]", "a"), "an escaped byte in a class stands for itself");
  assert.ok(!matches("\xc0", "\xe0"));
  assert.ok(!matches("@", "`"));
});

Deno.test("globMatches() of stars and single letters agrees with a regular expression", () => {
  const part = fc.constantFrom("a", "b", "*", "?");
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 8 }),
      fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 12 }),
      (pattern, text) => {
        const source = pattern.map((each) => each === "*" ? ".*" : each === "?" ? "." : each);
        assert.equal(
          globMatches(bytes(pattern.join("")), bytes(text.join(""))),
          new RegExp(`^${source.join("")}$`).test(text.join("")),
        );
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("globMatches() does work of at most pattern times text for many stars", () => {
  const pattern = bytes("a*".repeat(PATTERN_BYTES_MAX / 2 - 1) + "b");
  const startMs = performance.now();
  assert.ok(!globMatches(pattern, bytes("a".repeat(4096))));
  const hard = bytes("*" + "a".repeat(2000) + "b");
  assert.ok(!globMatches(hard, bytes("a".repeat(10_000))));
  // 20 million steps: far below a second; trying every star again would outlast the machine.
  assert.ok(performance.now() - startMs < 5000);
});
