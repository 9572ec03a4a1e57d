// Counting and finding bits, against a string of zeros and ones, over whole and split values.
import assert from "node:assert/strict";
import fc from "fast-check";
import { countOnes, findBit } from "../../src/commands/bit_search.ts";
import { FlatBytes, type ValueBytes } from "../../src/commands/value_reading.ts";

/** Gives its bytes in pieces of at most that length, at odd addresses too. */
class Pieces implements ValueBytes {
  readonly lengthBytes: number;

  constructor(readonly bytes: Uint8Array, readonly pieceBytes: number) {
    this.lengthBytes = bytes.length;
  }

  piece(offset: number, bytesMax: number): Uint8Array {
    return this.bytes.subarray(offset, offset + Math.min(bytesMax, this.pieceBytes));
  }
}

const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 64 }),
  fc.array(fc.constantFrom(0, 0, 0, 255, 255, 255, 1, 128), { minLength: 1, maxLength: 64 })
    .map((each) => Uint8Array.from(each)),
);

Deno.test("countOnes() and findBit() agree with a string of bits", () => {
  fc.assert(
    fc.property(
      bytes,
      fc.integer({ min: 1, max: 9 }),
      fc.double({ noNaN: true, min: 0, max: 1 }),
      fc.double({ noNaN: true, min: 0, max: 1 }),
      (given, pieceBytes, a, b) => {
        const bits = Array.from(given, (byte) => byte.toString(2).padStart(8, "0")).join("");
        const from = Math.min(Math.floor(Math.min(a, b) * bits.length), bits.length - 1);
        const to = Math.max(from + 1, Math.floor(Math.max(a, b) * bits.length));
        for (const value of [new FlatBytes(given), new Pieces(given, pieceBytes)]) {
          const ones = bits.slice(from, to).replaceAll("0", "").length;
          assert.equal(countOnes(value, from, to), ones, `${bits} ${from} ${to}`);
          for (const wanted of [0, 1]) {
            const at = bits.slice(from, to).indexOf(`${wanted}`);
            const expected = at < 0 ? -1 : from + at;
            assert.equal(findBit(value, wanted, from, to), expected, `${bits} ${from} ${to}`);
          }
        }
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("countOnes() and findBit() throw for bits beyond the value instead of searching for ever", () => {
  for (const value of [new FlatBytes(Uint8Array.of(0)), new Pieces(Uint8Array.of(0), 1)]) {
    assert.throws(() => countOnes(value, 8, 9), RangeError);
    assert.throws(() => findBit(value, 1, 8, 9), RangeError);
  }
});

Deno.test("countOnes() counts words and the bytes around them", () => {
  const given = new Uint8Array(200_003).fill(0xff);
  for (const start of [0, 1, 2, 3]) {
    const value = new FlatBytes(given.subarray(start));
    assert.equal(countOnes(value, 3, value.lengthBytes * 8 - 2), value.lengthBytes * 8 - 5);
  }
});
