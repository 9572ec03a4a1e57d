// The put of a short string, written straight to where a group lies: what most writes of a cache come to.
//
// The bytes are those of `EffectWriter.putString()`; a test holds them to it. What is not key or value is written in
// whole words, and nothing is gathered elsewhere first.
import { ARRAY_6, BIN_8, HIGH, NIL, PUT, UINT_64, VALUE_STRING } from "./record.ts";

/** A key or value is shorter than this: its length is one byte. */
export const SHORT_BYTES_END = 256;
const HEAD_BYTES = 5;
const MIDDLE_BYTES = 4;
/** Of a moment, beside its first byte. */
const MOMENT_BYTES = 8;
const HEAD = ARRAY_6 | (PUT << 8) | (BIN_8 << 24);
const MIDDLE = VALUE_STRING | (BIN_8 << 16);
const MOMENT = VALUE_STRING | (UINT_64 << 8);

export function stringEffectBytes(
  keyBytes: number,
  expiresAtMs: number,
  valueBytes: number,
): number {
  return HEAD_BYTES + keyBytes + MIDDLE_BYTES + (expiresAtMs === 0 ? 0 : MOMENT_BYTES) + valueBytes;
}

/** Writes it at `at` of `into`, and nils from there on up to `end`. Views are readable to 3 bytes past an end. */
export function writeStringEffect(
  into: DataView,
  at: number,
  end: number,
  database: number,
  keyView: DataView,
  keyStart: number,
  keyEnd: number,
  expiresAtMs: number,
  valueView: DataView,
  valueStart: number,
  valueEnd: number,
): void {
  into.setInt32(at, HEAD | (database << 16), true);
  into.setUint8(at + 4, keyEnd - keyStart);
  at += HEAD_BYTES;
  const middle = at + keyEnd - keyStart;
  // What the last word has too much is written over.
  for (; keyStart < keyEnd; keyStart += 4, at += 4) {
    into.setInt32(at, keyView.getInt32(keyStart, true), true);
  }
  if (expiresAtMs === 0) {
    into.setInt32(middle, MIDDLE | ((valueEnd - valueStart) << 24), true);
    at = middle + MIDDLE_BYTES;
  } else {
    into.setInt16(middle, MOMENT, true);
    into.setUint32(middle + 2, Math.floor(expiresAtMs / HIGH));
    into.setUint32(middle + 6, expiresAtMs % HIGH);
    into.setInt16(middle + 10, BIN_8 | ((valueEnd - valueStart) << 8), true);
    at = middle + MIDDLE_BYTES + MOMENT_BYTES;
  }
  const whole = valueEnd - 3;
  for (; valueStart < whole; valueStart += 4, at += 4) {
    into.setInt32(at, valueView.getInt32(valueStart, true), true);
  }
  // Behind the end there may be another group.
  for (; valueStart < valueEnd; valueStart++) into.setUint8(at++, valueView.getUint8(valueStart));
  for (; at < end; at++) into.setUint8(at, NIL);
}
