// Finding a byte in a range of a buffer; knows no protocol.

/** Beyond this many bytes the native search is worth the view that it needs. */
const LOOP_BYTES = 48;

/** Offset of the first `value` in `bytes[from..to)`, or −1. */
export function findByte(bytes: Uint8Array, value: number, from: number, to: number): number {
  const near = Math.min(to, from + LOOP_BYTES);
  for (let i = from; i < near; i++) {
    if (bytes[i] === value) return i;
  }
  if (near >= to) return -1;
  const found = bytes.subarray(near, to).indexOf(value);
  return found < 0 ? -1 : near + found;
}
