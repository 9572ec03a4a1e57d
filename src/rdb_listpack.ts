// The elements of a listpack, the packed list in which Redis keeps and sends small hashes; it only reads.
//
// total bytes, 4 | elements, 2 | element* | 0xff      element: encoding and bytes, then its own length, for walks back

const HEADER_BYTES = 6;
const END = 0xff;

/** All elements where they lie, integers as their decimal text; null for bytes that are no listpack. */
export function listpackElements(bytes: Uint8Array): Uint8Array[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - 1, elements: Uint8Array[] = [];
  if (end < HEADER_BYTES || view.getUint32(0, true) !== bytes.length || bytes[end] !== END) {
    return null;
  }
  let at = HEADER_BYTES;
  while (at < end) {
    const first = bytes[at];
    let headBytes = 1, textBytes = -1, number = 0n;
    if (first < 0x80) number = BigInt(first);
    else if (first < 0xc0) textBytes = first & 0x3f;
    else if (at + 2 > end) return null;
    else if (first < 0xe0) {
      headBytes = 2;
      number = BigInt.asIntN(13, BigInt(((first & 0x1f) << 8) | bytes[at + 1]));
    } else if (first < 0xf0) {
      headBytes = 2;
      textBytes = ((first & 0x0f) << 8) | bytes[at + 1];
    } else if (first === 0xf0) {
      headBytes = 5;
      if (at + headBytes > end) return null;
      textBytes = view.getUint32(at + 1, true);
    } else if (first <= 0xf4) {
      const size = [2, 3, 4, 8][first - 0xf1];
      headBytes = 1 + size;
      if (at + headBytes > end) return null;
      for (let i = size; i > 0; i--) number = (number << 8n) | BigInt(bytes[at + i]);
      number = BigInt.asIntN(size * 8, number);
    } else return null;
    const entryBytes = headBytes + Math.max(0, textBytes);
    if (at + entryBytes + backBytes(entryBytes) > end) return null;
    const start = at + headBytes;
    elements.push(
      textBytes < 0 ? encoder.encode(String(number)) : bytes.subarray(start, start + textBytes),
    );
    at += entryBytes + backBytes(entryBytes);
  }
  return elements;
}

/** How many bytes the length behind an element takes. */
function backBytes(entryBytes: number): number {
  if (entryBytes <= 127) return 1;
  if (entryBytes < 16_383) return 2;
  if (entryBytes < 2_097_151) return 3;
  return entryBytes < 268_435_455 ? 4 : 5;
}

const encoder = new TextEncoder();
