// How effects and groups of effects lie in ring, log and snapshot: the numbers of their kinds, heads; knows no file.
//
//   effect   [1, database, key, type, expiresAtMs, value]   the whole entry; never expires: 0
//            [2, database, key]                             removed
//            [3, database, key, expiresAtMs]                expires then; 0: never
//            [4, database]                                  emptied; −1: all databases
//            [5, table]                                     16 bytes: which database each number means
//            [6, database, key, offset, bytes]              written into the value there, zeros before if it was shorter
//            [16, database, key, [name, expiresAtMs, value, ...]]   fields set in a hash that was there
//            [17, database, key, [name, ...]]               fields removed, not all of them
//            [18, database, key, [name, expiresAtMs, ...]]  fields expire then
//            [19, database, key, expiresAtMs, [name, expiresAtMs, value, ...]]
//                                                           in snapshots: some fields of a hash, which begins with them
//   group    d6 47 l0 l1  l2 l3 c0 c0   effects   c0 ... to the next 8 bytes
//
// Keys, values, names of fields and the table are `bin`; the value of a hash (type 2) is one that holds MessagePack
// itself: name, expiresAtMs, value, name, and so on. A group's head is MessagePack too, a fixext of 4 bytes with the
// length of its effects (little endian) and two nils, so that any library reads a log; it is 8 bytes long and never zero
// in its first word, so that the ring publishes a group by storing it. Kinds 16 to 63 are reserved for collections.
// A moment is a uint64 that a float64 holds exactly, as the store does: it may lie beyond 2^53.

export const PUT = 1;
export const REMOVE = 2;
export const EXPIRE = 3;
export const FLUSH = 4;
export const DATABASES = 5;
export const RANGE = 6;
export const SET_FIELDS = 16;
export const REMOVE_FIELDS = 17;
export const EXPIRE_FIELDS = 18;
export const MERGE_FIELDS = 19;

/** Type of a put's value, as the store numbers them. */
export const VALUE_STRING = 1;
export const VALUE_HASH = 2;

export const GROUP_HEAD_BYTES = 8;
/** First word of a group's head, less the low half of its length. */
const GROUP_WORD = 0x47d6;
/** The same for a group with parts elsewhere, which is met in the ring only. */
const PARTS_WORD = 0x52d6;
const NILS = 0xc0c0;
export const NIL = 0xc0;
/** What an effect takes at most beside its key and value. */
export const EFFECT_OVERHEAD_BYTES = 32;
/** What a field of a hash takes at most beside its name and value. */
export const FIELD_OVERHEAD_BYTES = 19;

/** First bytes of what effects are made of. */
export const ARRAY_0 = 0x90, ARRAY_6 = 0x96, ARRAY_16 = 0xdc, ARRAY_32 = 0xdd;
export const BIN_8 = 0xc4, BIN_16 = 0xc5, BIN_32 = 0xc6;
export const UINT_32 = 0xce, UINT_64 = 0xcf;
export const MINUS_ONE = 0xff;
/** Between the halves of a moment. */
export const HIGH = 2 ** 32;

export function groupFirstWord(lengthBytes: number, hasParts: boolean): number {
  return (hasParts ? PARTS_WORD : GROUP_WORD) | (lengthBytes << 16);
}

export function groupSecondWord(lengthBytes: number): number {
  return (lengthBytes >>> 16) | (NILS << 16);
}

/** Length of a group's effects from its two words, −1 if they are no group's. */
export function groupBytes(first: number, second: number): number {
  const kind = first & 0xffff;
  if (kind !== GROUP_WORD && kind !== PARTS_WORD || second >>> 16 !== NILS) return -1;
  return (first >>> 16) + (second & 0xffff) * 65_536;
}

export function hasParts(first: number): boolean {
  return (first & 0xffff) === PARTS_WORD;
}
