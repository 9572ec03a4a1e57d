// Whether text in words of memory stands for itself in JSON, four bytes at once; knows no memory and no writer.

/** One bit or byte of each of a word's four. */
const HIGH_BITS = 0x80808080 | 0;
const ONES = 0x01010101;
const SPACES = ONES * 0x20;
const QUOTES = ONES * 0x22;
const BACKSLASHES = ONES * 0x5c;
/** Letters that stand for themselves. */
const LETTERS = ONES * 0x61;

/**
 * Bits to gather by `|` over all words of a text: `isPlain()` of them says whether all their bytes are ASCII of which
 * nothing is escaped in JSON. With `(x - ones) & ~x` as in Hacker's Delight, 6-1.
 */
export function specialBits(word: number): number {
  const quote = word ^ QUOTES, backslash = word ^ BACKSLASHES;
  return word | (word - SPACES) & ~word | (quote - ONES) & ~quote |
    (backslash - ONES) & ~backslash;
}

/** The same of a word of which only the lowest `count` bytes count, 1 to 3: behind a text anything may lie. */
export function lastSpecialBits(word: number, count: number): number {
  const behind = -1 << (count << 3);
  return specialBits((word & ~behind) | (LETTERS & behind));
}

export function isPlain(bits: number): boolean {
  return (bits & HIGH_BITS) === 0;
}
