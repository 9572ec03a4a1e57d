// Entity tags of values: a checksum of the bytes, the same in every worker and after a restart.

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Set by `entityTag()`: whether the bytes are ASCII. */
export let taggedAscii = false;

/**
 * The tag of `bytes[start..end)`, quoted as in the header. After cyrb53 (bryc): two multiplicative hashes of 32 bits
 * that are mixed at the end, beside the length. It tells versions of a value apart, it is no signature.
 */
export function entityTag(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let h1 = 0xdeadbeef, h2 = 0x41c6ce57, all = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    all |= byte;
    h1 = Math.imul(h1 ^ byte, 0x9e3779b1);
    h2 = Math.imul(h2 ^ byte, 0x5f356495);
  }
  taggedAscii = all < 128;
  h1 = Math.imul(h1 ^ (h1 >>> 16), 0x85ebca6b) ^ Math.imul(h2 ^ (h2 >>> 13), 0xc2b2ae35);
  h2 = Math.imul(h2 ^ (h2 >>> 16), 0x85ebca6b) ^ Math.imul(h1 ^ (h1 >>> 13), 0xc2b2ae35);
  return `"${hex(h1)}${hex(h2)}${hex(end - start)}"`;
}

/** Eight digits; `toString(16)` goes through the runtime and takes several times as long. */
function hex(word: number): string {
  return HEX[word >>> 24] + HEX[(word >>> 16) & 255] + HEX[(word >>> 8) & 255] + HEX[word & 255];
}

/** Whether a tag is among those of `If-Match` or `If-None-Match`; `*` is any. Weak tags are `isWeakEnough` or never. */
export function tagListHas(header: string, tag: string, isWeakEnough: boolean): boolean {
  if (header.trim() === "*") return true;
  for (const each of header.split(",")) {
    const given = each.trim();
    if (given === tag || (isWeakEnough && given === `W/${tag}`)) return true;
  }
  return false;
}
