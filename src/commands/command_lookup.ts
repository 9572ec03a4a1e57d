// Finds the row of a command by its name as it lies in a request; knows no row's meaning.

/** Clears the bit that tells small ASCII letters from capitals, in each of four bytes. */
const FOLD = 0xdfdfdfdf | 0;
/** Words per place of the table: the first eight bytes of the name, its length, its row + 1 (0: free). */
const PLACE_WORDS = 4;

/**
 * An open-addressing table over folded names; at most a quarter full, so almost every look-up is one comparison of
 * three words. Folding maps other bytes than letters together too, so names that hold such are compared in full.
 */
export class CommandLookup {
  readonly #names: readonly string[];
  readonly #table: Int32Array;
  readonly #mask: number;
  readonly #shift: number;
  readonly #bytesMax: number;
  /** By row: from where on its name has to be compared byte by byte. */
  readonly #checkFrom: Int32Array;

  /** `names` are ASCII and differ in more than case; a name's index is its row. Throws for a name given twice. */
  constructor(names: readonly string[]) {
    this.#names = names.map((name) => name.toUpperCase());
    this.#bytesMax = Math.max(...names.map((name) => name.length));
    this.#checkFrom = Int32Array.from(names, (name) => /^[a-z]+$/i.test(name) ? 8 : 0);
    const bits = Math.ceil(Math.log2(names.length * 4)) + 1;
    this.#shift = 32 - bits;
    this.#mask = 2 ** bits - 1;
    this.#table = new Int32Array(2 ** bits * PLACE_WORDS);
    this.#names.forEach((name, row) => this.#insert(name, row));
  }

  /**
   * The row of the name `bytes[start..end)` in any case, −1 if there is none. `view` sees the same bytes and is
   * readable to 8 bytes past `end`.
   */
  find(view: DataView, bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length <= 0 || length > this.#bytesMax) return -1;
    let first = view.getInt32(start, true) & FOLD, second = 0;
    if (length < 4) first &= (1 << (length << 3)) - 1;
    else if (length > 4) {
      second = view.getInt32(start + 4, true) & FOLD;
      if (length < 8) second &= (1 << ((length - 4) << 3)) - 1;
    }
    const table = this.#table, mask = this.#mask;
    for (let place = placeOf(first, second, this.#shift);; place = (place + 1) & mask) {
      const at = place * PLACE_WORDS, row = table[at + 3] - 1;
      if (row < 0) return -1;
      if (table[at] !== first || table[at + 1] !== second || table[at + 2] !== length) continue;
      const from = this.#checkFrom[row];
      if (length <= from || this.#isRest(row, bytes, start, end, from)) return row;
    }
  }

  #isRest(row: number, bytes: Uint8Array, start: number, end: number, from: number): boolean {
    const name = this.#names[row];
    for (let i = from; i < end - start; i++) {
      let byte = bytes[start + i];
      if (byte >= 97 && byte <= 122) byte -= 32;
      if (byte !== name.charCodeAt(i)) return false;
    }
    return true;
  }

  #insert(name: string, row: number): void {
    const view = new DataView(new ArrayBuffer(Math.max(8, name.length)));
    for (let i = 0; i < name.length; i++) view.setUint8(i, name.charCodeAt(i));
    const first = view.getInt32(0, true) & FOLD, second = view.getInt32(4, true) & FOLD;
    let place = placeOf(first, second, this.#shift);
    for (let at = place * PLACE_WORDS; this.#table[at + 3] !== 0; at = place * PLACE_WORDS) {
      if (this.#names[this.#table[at + 3] - 1] === name) {
        throw new Error(`Cannot build the command table: ${name} is there twice`);
      }
      place = (place + 1) & this.#mask;
    }
    this.#table.set([first, second, name.length, row + 1], place * PLACE_WORDS);
  }
}

function placeOf(first: number, second: number, shift: number): number {
  return Math.imul(first ^ Math.imul(second, 0x85ebca6b), 0x9e3779b1) >>> shift;
}
