// Numbers with a fraction as Redis 7 writes them in replies: C's `%.17g`; knows no protocol.

const DIGITS = 17;
/** `%g` turns to an exponent below this one, JavaScript's toPrecision() below −6. */
const EXPONENT_MIN = -4;

/** Seventeen digits, less the zeros at their end; `inf`, `-inf`, `nan` for what is no number. */
export function formatDouble(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) {
    return Object.is(value, -0) ? "-0" : `${value}`;
  }
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const [mantissa, exponent] = value.toExponential(DIGITS - 1).split("e");
  const power = Number(exponent);
  if (power >= EXPONENT_MIN && power < DIGITS) {
    return withoutZeros(value.toFixed(DIGITS - 1 - power));
  }
  const digits = String(Math.abs(power)).padStart(2, "0");
  return `${withoutZeros(mantissa)}e${power < 0 ? "-" : "+"}${digits}`;
}

function withoutZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
