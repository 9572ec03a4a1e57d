// CRC-64 as Redis's files have it: Jones's polynomial, reflected, no inversion. Two halves, because numbers have 53 bits.

const POLYNOMIAL = 0x95ac9329ac4bc9b5n; // 0xad93d23594c935a9 with its bits reversed

const low = new Int32Array(256), high = new Int32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
  low[byte] = Number(BigInt.asIntN(32, crc));
  high[byte] = Number(BigInt.asIntN(32, crc >> 32n));
}

/** The checksum of `bytes[start..end)`, from 0 on. */
export function crc64(bytes: Uint8Array, start: number, end: number): bigint {
  let l = 0, h = 0;
  for (let i = start; i < end; i++) {
    const entry = (l ^ bytes[i]) & 0xff;
    l = ((l >>> 8) | (h << 24)) ^ low[entry];
    h = (h >>> 8) ^ high[entry];
  }
  return (BigInt(h >>> 0) << 32n) | BigInt(l >>> 0);
}
