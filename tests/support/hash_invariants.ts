// What must hold of one hash in shared memory: segments word by word, the directory, its counts, parts and moments.
//
// It decodes the words itself and trusts no counter; only the keyed hash of names and the table of classes are the store's own.
import { CLASS_UNITS } from "../../src/store/arena.ts";
import * as L from "../../src/store/layout.ts";
import type { Shard, Store } from "../../src/store/store.ts";

/** What a hash came to: fields, words of entries and slots, the earliest moment that a field expires, 0 for none. */
export interface HashCensus {
  fields: number;
  words: number;
  earliestMs: number;
}

/** Throws if the segment at word `base`, `capacity` words long, is not sound; `name()` is called with each name. */
export function checkSegment(
  shard: Shard,
  base: number,
  capacity: number,
  where: string,
  name: (bytes: Uint8Array) => void,
): HashCensus {
  const i32 = shard.i32, count = i32[base] & 0xffff, heap = i32[base] >>> 16;
  const dead = i32[base + 1] & 0xffff, expires = (i32[base + 1] & 0x10000) !== 0;
  const bound = expires ? moment(i32, base + 2) : 0;
  const slots = base + (expires ? 4 : 2);
  const fail = (what: string): never => {
    throw new Error(`${where}: ${what}`);
  };
  if ((i32[base + 1] >>> 17) !== 0) fail(`flags ${i32[base + 1] >>> 16}`);
  if (slots - base + count + heap > capacity) {
    fail(`${count} fields and ${heap} words of heap in ${capacity} words`);
  }
  let live = 0, earliestMs = 0;
  const taken = new Uint8Array(heap);
  for (let index = 0; index < count; index++) {
    const slot = i32[slots + index], place = slot & 0xfff, at = `${where}: field ${index}`;
    if (place > heap) throw new Error(`${at}: at ${place} of ${heap}`);
    let word = base + capacity - place, nameBytes = (slot >>> 20) & 31, valueBytes = slot >>> 25;
    const first = word;
    if (nameBytes === 31) {
      const head = i32[word++];
      nameBytes = head & 0x3fff;
      valueBytes = (head >>> 14) & 0x3fff;
      if ((head & (1 << 28)) !== 0) {
        if (!expires) throw new Error(`${at}: room for a moment, and none in the segment`);
        const expiresAtMs = moment(i32, word);
        word += 2;
        if (expiresAtMs !== 0) {
          if (bound === 0 || bound > expiresAtMs) {
            throw new Error(`${at}: expires at ${expiresAtMs}, the segment says ${bound}`);
          }
          if (earliestMs === 0 || expiresAtMs < earliestMs) earliestMs = expiresAtMs;
        }
      }
    }
    const bytes = shard.u8.slice(word * 4, word * 4 + nameBytes);
    const padded = (nameBytes + 3) & ~3;
    for (let i = nameBytes; i < padded; i++) {
      if (shard.u8[word * 4 + i] !== 0) throw new Error(`${at}: name not padded with zeros`);
    }
    name(bytes);
    const words = word - first + padded / 4 + Math.ceil(valueBytes / 4);
    // One without name and value takes no words, and lies nowhere if nothing lies behind it.
    if (place < 1 && words > 0) throw new Error(`${at}: at ${place} of ${heap}`);
    live += words;
    for (let i = 0; i < words; i++) {
      const from = heap - place + i;
      if (taken[from] !== 0) throw new Error(`${at}: its words are another's, too`);
      taken[from] = 1;
    }
  }
  if (heap - dead !== live) fail(`${live} live words found, ${heap} less ${dead} stored`);
  return { fields: count, words: live + count, earliestMs };
}

/**
 * Throws if the hash that `ref` refers to is not sound. `claim` is called with each of its parts, and throws for one that
 * is not live or is another's.
 */
export function checkHash(
  store: Store,
  shard: Shard,
  ref: number,
  keyHash: number,
  valueStart: number,
  claim: (part: number) => void,
): HashCensus {
  const i32 = shard.i32, names = new Set<string>(), top = valueStart / 4;
  const where = `shard ${shard.number}: hash ${ref}`;
  const nameOnce = (bytes: Uint8Array) => {
    const text = String.fromCharCode(...bytes);
    if (names.has(text)) throw new Error(`${where}: field ${JSON.stringify(text)} twice`);
    names.add(text);
  };
  if ((i32[ref * 2] & L.FLAG_DIRECTORY) === 0) {
    return checkSegment(shard, top, i32[ref * 2 + 1] >>> 2, where, nameOnce);
  }
  const segments = i32[top + 1], capacity = (i32[ref * 2 + 1] >>> 2) - 9;
  if (segments < 1 || Math.ceil(segments / 64) > capacity) {
    throw new Error(`${where}: ${segments} segments with room for ${capacity} leaves`);
  }
  const found: HashCensus = { fields: 0, words: 0, earliestMs: 0 };
  let units = 0;
  const part = (at: number, number: number): void => {
    claim(at);
    if ((i32[at * 2] & L.TYPE_MASK) !== L.TYPE_PART) throw new Error(`${where}: ${at} is no part`);
    if (i32[at * 2 + 2] !== keyHash) throw new Error(`${where}: part ${at} is another hash's`);
    if (i32[at * 2 + 3] !== number) {
      throw new Error(`${where}: part ${at} says ${i32[at * 2 + 3]}, it is ${number}`);
    }
    units += slotUnits(shard, at);
  };
  const high = 2 ** Math.ceil(Math.log2(segments + 1)) - 1;
  for (let number = 0; number < segments; number++) {
    const leaf = i32[top + 9 + (number >>> 6)];
    if (number % 64 === 0) part(leaf, -1 - number / 64);
    for (let at = i32[leaf * 2 + 5 + number % 64]; at !== 0; at = i32[at * 2 + 4]) {
      part(at, number);
      const words = (i32[at * 2 + 1] >>> 2) - 3;
      const census = checkSegment(shard, at * 2 + 5, words, `${where}: part ${at}`, (bytes) => {
        nameOnce(bytes);
        const view = new DataView(new ArrayBuffer(bytes.length + 8));
        new Uint8Array(view.buffer).set(bytes);
        const hash = store.hash(view, 0, bytes.length, 0);
        const low = hash & high, home = low < segments ? low : hash & (high >>> 1);
        if (home !== number) throw new Error(`${where}: a field of ${home} lies in ${number}`);
      });
      if (census.fields === 0) throw new Error(`${where}: part ${at} is empty`);
      found.fields += census.fields;
      found.words += census.words;
      found.earliestMs = earlier(found.earliestMs, census.earliestMs);
    }
  }
  for (
    const [what, stored, counted] of [
      ["fields", i32[top], found.fields],
      ["units of parts", i32[top + 2], units],
      ["words", i32[top + 3], found.words],
    ] as const
  ) {
    if (stored !== counted) {
      throw new Error(`${where}: ${what}: ${stored} stored, ${counted} found`);
    }
  }
  const bound = moment(i32, top + 4);
  if (found.earliestMs !== 0 && (bound === 0 || bound > found.earliestMs)) {
    throw new Error(`${where}: a field expires at ${found.earliestMs}, the hash says ${bound}`);
  }
  return found;
}

export function earlier(a: number, b: number): number {
  return a === 0 ? b : b === 0 ? a : Math.min(a, b);
}

function moment(i32: Int32Array, word: number): number {
  return (i32[word + 1] >>> 0) * 2 ** 32 + (i32[word] >>> 0);
}

function slotUnits(shard: Shard, ref: number): number {
  const page = Math.floor((ref - L.ARENA_BASE_UNITS) / L.PAGE_UNITS);
  return CLASS_UNITS[shard.pages[page * L.PAGE_WORDS + L.PAGE_KIND] - 1];
}
