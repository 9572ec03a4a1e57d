// BITFIELD and BITFIELD_RO through the engine, against a model that keeps the whole value as one number.
import assert from "node:assert/strict";
import fc from "fast-check";
import { EnginePath } from "../support/engine_path.ts";

const BYTES = 24;
type Overflow = "WRAP" | "SAT" | "FAIL";

interface Step {
  readonly name: "GET" | "SET" | "INCRBY";
  readonly isSigned: boolean;
  readonly bits: number;
  readonly offset: number;
  readonly operand: bigint;
  readonly overflow: Overflow;
}

/** The bits of a value of BYTES bytes, highest first. */
class Model {
  #all = 0n;

  run(step: Step): bigint | null {
    const { isSigned, bits, offset } = step, width = BigInt(bits);
    const shift = BigInt(BYTES * 8 - offset - bits), mask = ((1n << width) - 1n) << shift;
    const field = (this.#all & mask) >> shift;
    const old = isSigned && field >= 1n << (width - 1n) ? field - (1n << width) : field;
    if (step.name === "GET") return old;
    const operand = step.name === "SET" && !isSigned && step.operand < 0n
      ? step.operand + (1n << 64n)
      : step.operand;
    const wanted = step.name === "SET" ? operand : old + operand;
    const low = isSigned ? -(1n << (width - 1n)) : 0n, high = low + (1n << width) - 1n;
    let made = wanted;
    if (wanted < low || wanted > high) {
      if (step.overflow === "FAIL") return null;
      if (step.overflow === "SAT") made = wanted < low ? low : high;
      else made = ((wanted - low) % (1n << width) + (1n << width)) % (1n << width) + low;
    }
    this.#all = (this.#all & ~mask) | ((made << shift) & mask);
    return step.name === "SET" ? old : made;
  }
}

const operand = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -300n, max: 300n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, -1n, 0n, 1n),
);
const step: fc.Arbitrary<Step> = fc.record({
  name: fc.constantFrom("GET", "SET", "INCRBY"),
  isSigned: fc.boolean(),
  bits: fc.integer({ min: 1, max: 64 }),
  offset: fc.integer({ min: 0, max: BYTES * 8 - 64 }),
  operand,
  overflow: fc.constantFrom("WRAP", "SAT", "FAIL"),
}).map((each) => each.isSigned ? each : { ...each, bits: Math.min(63, each.bits) });

function words({ name, isSigned, bits, offset, operand, overflow }: Step): string {
  const field = `${name} ${isSigned ? "i" : "u"}${bits} ${offset}`;
  return name === "GET" ? field : `OVERFLOW ${overflow} ${field} ${operand}`;
}

Deno.test("BITFIELD agrees with a model over types, offsets and overflows", () => {
  const path = new EnginePath();
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const model = new Model();
      path.replies("DEL f\r\n");
      const expected = steps.map((each) => model.run(each));
      const text = `*${steps.length}\r\n` +
        expected.map((each) => each === null ? "$-1\r\n" : `:${each}\r\n`).join("");
      assert.equal(path.replies(`BITFIELD f ${steps.map(words).join(" ")}\r\n`), text);
      const reads = steps.map((each) => ({ ...each, name: "GET" as const }));
      const seen = reads.map((each) => `:${model.run(each)}\r\n`).join("");
      assert.equal(
        path.replies(`BITFIELD_RO f ${reads.map(words).join(" ")}\r\n`),
        `*${reads.length}\r\n${seen}`,
      );
    }),
    { numRuns: 600 },
  );
});
