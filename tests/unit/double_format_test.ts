// formatDouble() against figures that C's printf("%.17g") gave.
import assert from "node:assert/strict";
import { formatDouble } from "../../src/protocol/double_format.ts";

Deno.test("formatDouble() writes numbers as printf does with %.17g", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [-0, "-0"],
    [1, "1"],
    [-17, "-17"],
    [3.141, "3.141"],
    [0.1, "0.10000000000000001"],
    [90.808273315429688, "90.808273315429688"],
    [1e15, "1000000000000000"],
    [1e16, "10000000000000000"],
    [1e17, "1e+17"],
    [123456789012345680, "1.2345678901234568e+17"],
    [1e-4, "0.0001"],
    [1.5e-5, "1.5e-05"],
    [1e-7, "9.9999999999999995e-08"],
    [5e-324, "4.9406564584124654e-324"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
    [NaN, "nan"],
  ];
  for (const [value, text] of cases) assert.equal(formatDouble(value), text);
});
