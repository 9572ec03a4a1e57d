// LCS: the longest common subsequence of two strings, by dynamic programming (Wagner and Fischer, 1974).
import { LCS_LEN_AND_IDX, LCS_NO_STRINGS, LCS_TOO_LARGE, SYNTAX } from "../errors.ts";
import { joinPieces } from "../piecewise_bytes.ts";
import { type PinnedBlock, TYPE_STRING } from "../store/store.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { argPosition } from "./string_ranges.ts";
import { FlatBytes } from "./value_reading.ts";

const NOTHING = new FlatBytes(new Uint8Array(0));

/** The two values, copied while they are read, or pinned; used after the lock. */
const values: (FlatBytes | PinnedBlock)[] = [NOTHING, NOTHING];
/** All that was pinned: a value once for each time that the keys were read, as they are again where one is compressed. */
const pins: PinnedBlock[] = [];
let areStrings = true;

interface Options {
  readonly wantsLength: boolean;
  readonly wantsMatches: boolean;
  readonly wantsLengths: boolean;
  readonly lengthMin: number;
}

/** A run of equal bytes, in both values. */
interface Match {
  readonly a: number;
  readonly b: number;
  readonly length: number;
}

/** LCS key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN] */
function lcs(c: CommandContext): void {
  try {
    replyLcs(c);
  } finally {
    for (const pin of pins) pin.release();
    pins.length = 0;
    values.fill(NOTHING);
  }
}

function replyLcs(c: CommandContext): void {
  if (!areStrings) return c.reply.error(LCS_NO_STRINGS);
  const options = readOptions(c);
  if (options === null) return;
  const cells = (values[0].lengthBytes + 1) * (values[1].lengthBytes + 1);
  if (cells * 4 > c.services.settings.valueBytesMax) return c.reply.error(LCS_TOO_LARGE);
  const [a, b] = values.map((value) => joinPieces(value, 0, value.lengthBytes));
  const table = lengths(a, b);
  const length = table[cells - 1];
  if (options.wantsLength) return c.reply.integer(length);
  const matches: Match[] = [];
  const common = new Uint8Array(length);
  walkBack(a, b, table, common, matches);
  if (!options.wantsMatches) return c.reply.bulk(common, 0, length);
  const shown = matches.filter((match) => match.length >= options.lengthMin);
  c.reply.map(2);
  c.reply.bulkText("matches");
  c.reply.array(shown.length);
  for (const match of shown) {
    c.reply.array(options.wantsLengths ? 3 : 2);
    for (const start of [match.a, match.b]) {
      c.reply.array(2);
      c.reply.integer(start);
      c.reply.integer(start + match.length - 1);
    }
    if (options.wantsLengths) c.reply.integer(match.length);
  }
  c.reply.bulkText("len");
  c.reply.integer(length);
}

function begin(): void {
  areStrings = true;
}

function takeValue(c: CommandContext, index: number): void {
  values[index - 1] = NOTHING;
  if (index === 1) areStrings = true; // the group may run again
  if (c.find(index) === 0) return;
  if (c.type !== TYPE_STRING) areStrings = false;
  else if (c.openRead() >= 0) {
    const pin = c.pinFound();
    if (pin !== null) pins.push(pin);
    values[index - 1] = pin ?? new FlatBytes(c.valueCopy());
  }
}

function readOptions(c: CommandContext): Options | null {
  let wantsLength = false, wantsMatches = false, wantsLengths = false, lengthMin = 0;
  for (let i = 3; i < c.argCount; i++) {
    if (c.argIs(i, "IDX")) wantsMatches = true;
    else if (c.argIs(i, "LEN")) wantsLength = true;
    else if (c.argIs(i, "WITHMATCHLEN")) wantsLengths = true;
    else if (c.argIs(i, "MINMATCHLEN") && i + 1 < c.argCount) {
      lengthMin = argPosition(c, ++i);
      if (lengthMin !== lengthMin) {
        c.failNotInteger();
        return null;
      }
    } else {
      c.reply.error(SYNTAX);
      return null;
    }
  }
  if (wantsMatches && wantsLength) {
    c.reply.error(LCS_LEN_AND_IDX);
    return null;
  }
  return { wantsLength, wantsMatches, wantsLengths, lengthMin };
}

/** Length of the longest common subsequence of each two beginnings, row by row of `a`. */
function lengths(a: Uint8Array, b: Uint8Array): Uint32Array {
  const width = b.length + 1, table = new Uint32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i++) {
    const byte = a[i - 1], row = i * width;
    for (let j = 1; j <= b.length; j++) {
      const up = table[row - width + j], left = table[row + j - 1];
      table[row + j] = byte === b[j - 1] ? table[row - width + j - 1] + 1 : up > left ? up : left;
    }
  }
  return table;
}

/** Fills `common`, and `matches` from the last one to the first, as Redis lists them. */
function walkBack(
  a: Uint8Array,
  b: Uint8Array,
  table: Uint32Array,
  common: Uint8Array,
  matches: Match[],
): void {
  const width = b.length + 1;
  let i = a.length, j = b.length, at = common.length, length = 0;
  const close = () => {
    if (length > 0) matches.push({ a: i, b: j, length });
    length = 0;
  };
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) {
      common[--at] = a[i - 1];
      i--;
      j--;
      length++;
      continue;
    }
    close();
    if (table[(i - 1) * width + j] > table[i * width + j - 1]) i--;
    else j--;
  }
  close();
}

export const LCS_ROWS: readonly CommandRow[] = [
  {
    name: "lcs",
    arity: -3,
    kind: R.READ_EACH,
    flags: R.SLOW,
    firstKey: 1,
    lastKey: 2,
    keyStep: 1,
    valueArgument: 0,
    group: "string",
    since: "7.0.0",
    summary: "Find the longest common subsequence of two values",
    begin,
    each: takeValue,
    run: lcs,
  },
];
