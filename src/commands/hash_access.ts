// What commands do with hashes: one object per context, `c.hash`, which speaks of arguments and of replies.
//
// It positions itself at a field and then says what is there, see `hash_reading.ts`, or changes it. All changes of one
// command are told to the log together by `commit()`. It takes no lock and reads no clock.
import { hashPairTooLong, OUT_OF_MEMORY, WRONG_TYPE } from "../errors.ts";
import { HASH_FIELD_BYTES_MAX } from "../limits.ts";
import { entries, INLINE_VALUE_BYTES_MAX, KEEP_EXPIRY, TYPE_HASH } from "../store/store.ts";
import type { CommandContext } from "./context.ts";
import { EXPIRES, GONE, HashChanges, MADE, SET } from "./hash_changes.ts";
import { HashReading, LOG_BYTES_PER_FIELD } from "./hash_reading.ts";
import { PaddedBytes } from "./padded_bytes.ts";

export { KEEP_EXPIRY };

/** A field of a hash that is made as a whole, and when it expires, in ms since 1970; 0 for never. */
export interface WholeField {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
  readonly expiresAtMs: number;
}

/** Parts of a large hash are of many sizes while they grow, and each size takes pages of its own. */
const PART_CLASSES_BYTES = 1_048_576;
/** Of the key that a hash is moved from: that it is gone. */
const LOG_BYTES_BESIDE = 64;

/** Its changes are made under the shard's lock for changes. */
export class HashAccess extends HashReading {
  readonly #changes: HashChanges;
  /** Whether room was made that `commit()` has to end. */
  #hasRoom = false;
  /** A name and a value that a handler made. */
  readonly #name = new PaddedBytes();
  readonly #value = new PaddedBytes();

  constructor(c: CommandContext) {
    super(c);
    this.#changes = new HashChanges(c);
  }

  /**
   * As `find()`, for a change: what has expired is removed first, fields too, and nothing is counted. A hash that is
   * absent is made by the first `set()`.
   */
  findForChange(keyIndex: number): number {
    const c = this.c, hash = this.hash;
    this.isThere = false;
    this.isNew = false;
    this.#changes.clear();
    const ref = c.findForChange(keyIndex);
    if (ref === 0) return 0;
    if (c.type !== TYPE_HASH) {
      c.reply.error(WRONG_TYPE);
      return -1;
    }
    const { hash: keyHash } = c.key(keyIndex);
    hash.openForChange(c.shard, ref, c.shard.slot, keyHash, c.nowMs);
    if (hash.isDue) {
      hash.reap();
      c.ref = hash.ref;
      if (hash.fieldCount === 0) {
        // It had gone already, as far as anybody could see: that is not logged.
        entries.removeAt(c.shard, hash.slot, hash.ref);
        return c.ref = 0;
      }
    }
    this.isThere = true;
    return c.ref;
  }

  /**
   * Makes sure that the pairs of field and value from argument `from` on, `count` of them, find room, so that a command
   * is not stopped midway; `expires`: they will have a moment of expiry. False: the error is the reply (a pair is too
   * long), or there is no memory; return without another reply. To be called after `findForChange()`, with the same key.
   * For a large hash memory is taken ahead of need, so that other threads cannot take it meanwhile: `commit()` gives back
   * what is left of it. Where it has free slots alone, of many sizes, the look at them is an estimate: should the command
   * stop midway, what is stored then stays, and is told to the log.
   */
  admitPairs(keyIndex: number, from: number, count: number, expires = false): boolean {
    const c = this.c, { argStart, argEnd, view } = c.batch, hash = this.hash;
    const first = c.first + from, end = first + count * 2;
    let words = 0, wordsEach = 0;
    for (let at = first; at < end; at += 2) {
      const nameBytes = argEnd[at] - argStart[at], valueBytes = argEnd[at + 1] - argStart[at + 1];
      if (!this.#isShort(nameBytes, c.argLength(at + 1 - c.first))) return false;
      const each = hash.wordsFor(nameBytes, valueBytes, expires);
      words += each;
      if (each > wordsEach) wordsEach = each;
    }
    if (!this.isThere) return this.#make(keyIndex, words);
    if (hash.hasRoom(words)) return true;
    words = 0;
    for (let at = first; at < end; at += 2) {
      const valueBytes = argEnd[at + 1] - argStart[at + 1];
      words += hash.wordsToSet(view, argStart[at], argEnd[at], valueBytes, expires);
    }
    return this.#admit(words, wordsEach, count);
  }

  /** The same for moments of expiry of the fields named by `count` arguments from `from` on. */
  admitFields(_keyIndex: number, from: number, count: number): boolean {
    if (!this.isThere) return true;
    const c = this.c, { argStart, argEnd, view } = c.batch, hash = this.hash;
    let words = 0, wordsEach = 0;
    for (let at = c.first + from; at < c.first + from + count; at++) {
      if (!hash.find(view, argStart[at], argEnd[at])) continue;
      const { valueBytes } = hash.place;
      const each = hash.wordsToSet(view, argStart[at], argEnd[at], valueBytes, true);
      words += each;
      if (each > wordsEach) wordsEach = each;
    }
    return this.#admit(words, wordsEach, count);
  }

  #admit(words: number, wordsEach: number, fields: number): boolean {
    if (words === 0) return true;
    this.#hasRoom = this.hash.makeRoom(words, wordsEach, fields);
    return this.#hasRoom || this.#wantMemory(words * 4);
  }

  /** Makes the hash of an absent key, for `commit()` to link; false: no memory. */
  #make(keyIndex: number, words: number): boolean {
    const c = this.c, key = c.key(keyIndex), shard = c.store.shardOf(key.hash);
    if (!this.hash.prepare(shard, key, words, c.openExpiry(keyIndex), c.nowMs)) {
      return this.#wantMemory(words * 4);
    }
    this.isNew = true;
    return true;
  }

  #isShort(nameBytes: number, valueBytes: number): boolean {
    if (nameBytes + valueBytes <= HASH_FIELD_BYTES_MAX) return true;
    this.c.reply.error(hashPairTooLong(nameBytes + valueBytes, HASH_FIELD_BYTES_MAX));
    return false;
  }

  /**
   * Stores the pairs of field and value from argument `from` on, `count` of them, if the hash has all these fields in this
   * order, and each new value takes as many words as the old one; else false, and nothing is done. A third of what it takes
   * to admit and set them.
   */
  overwritePairs(from: number, count: number): boolean {
    if (!this.isThere) return false;
    const { batch: { argStart, argEnd, view }, first } = this.c, hash = this.hash;
    const begin = first + from, end = begin + count * 2;
    hash.seeFirst();
    for (let at = begin; at < end; at += 2) {
      if (
        !hash.seeNext(view, argStart[at], argEnd[at]) ||
        !hash.fitsSeen(argEnd[at + 1] - argStart[at + 1])
      ) {
        hash.seeFirst();
        return false;
      }
    }
    hash.seeFirst();
    for (let at = begin; at < end; at += 2) {
      hash.seeNext(view, argStart[at], argEnd[at]);
      hash.overwriteSeen(view, argStart[at + 1], argEnd[at + 1]);
      this.#noteDone(SET, at - first, at + 1 - first, 0);
    }
    return true;
  }

  /**
   * Stores argument `valueIndex` in the field named by argument `fieldIndex`, which expires at `expiresAtMs` (0: never,
   * KEEP_EXPIRY: as now). Gives 1 if the field is new, 0 if it was there; −1: no memory, or the pair is too long and the
   * error is the reply: call `commit()` and return without reply.
   */
  set(keyIndex: number, fieldIndex: number, valueIndex: number, expiresAtMs: number): number {
    const c = this.c, { bytes, view, argStart } = c.batch, at = c.first + valueIndex;
    const valueBytes = c.argLength(valueIndex);
    return this.#set(
      keyIndex,
      fieldIndex,
      valueIndex,
      bytes,
      view,
      argStart[at],
      argStart[at] + valueBytes,
      expiresAtMs,
    );
  }

  /** The same with a value that a handler made. */
  setBytes(
    keyIndex: number,
    fieldIndex: number,
    value: Uint8Array,
    expiresAtMs: number,
  ): number {
    // One that is too long is refused before it is read.
    const { bytes, view } = this.#value.set(value.subarray(0, HASH_FIELD_BYTES_MAX));
    return this.#set(keyIndex, fieldIndex, MADE, bytes, view, 0, value.length, expiresAtMs);
  }

  #set(
    keyIndex: number,
    fieldIndex: number,
    valueIndex: number,
    bytes: Uint8Array,
    view: DataView,
    valueStart: number,
    valueEnd: number,
    expiresAtMs: number,
  ): number {
    const c = this.c, { batch } = c, at = c.first + fieldIndex, hash = this.hash;
    const start = batch.argStart[at], end = batch.argEnd[at];
    if (!this.#isShort(end - start, valueEnd - valueStart)) return -1;
    if (!this.isOpen) {
      const words = hash.wordsFor(end - start, valueEnd - valueStart, expiresAtMs > 0);
      if (!this.#make(keyIndex, words)) return -1;
    }
    const result = hash.set(
      batch.view,
      start,
      end,
      bytes,
      view,
      valueStart,
      valueEnd,
      expiresAtMs,
    );
    if (result < 0) {
      c.isOutOfMemory = true;
      this.#discard();
    } else this.#noteDone(SET, fieldIndex, valueIndex, hash.place.expiresAtMs);
    return result;
  }

  /** Removes the field named by argument `fieldIndex`; false if there is none. */
  remove(fieldIndex: number): boolean {
    if (!this.isOpen) return false;
    const { batch, first } = this.c, at = first + fieldIndex;
    if (!this.hash.remove(batch.view, batch.argStart[at], batch.argEnd[at])) return false;
    this.#noteDone(GONE, fieldIndex, 0, 0);
    return true;
  }

  /** Sets when the field named by argument `fieldIndex`, which is there, expires, 0: never. False: no memory, as `set()`'s −1. */
  setFieldExpiry(fieldIndex: number, expiresAtMs: number): boolean {
    if (!this.isOpen) return true;
    const { batch, first } = this.c, at = first + fieldIndex, start = batch.argStart[at];
    const result = this.hash.setExpiry(batch.view, start, batch.argEnd[at], expiresAtMs);
    if (result < 0) {
      this.c.isOutOfMemory = true;
      this.#discard();
      return false;
    }
    if (result > 0) this.#noteDone(EXPIRES, fieldIndex, 0, expiresAtMs);
    return true;
  }

  /**
   * Gives the key a hash of these fields in the place of whatever it had, which is told as one effect; `expiresAtMs`: of
   * the key. False: the error is the reply, or there is no memory; return without another reply.
   */
  putWhole(keyIndex: number, fields: readonly WholeField[], expiresAtMs: number): boolean {
    const c = this.c, hash = this.hash;
    let words = 0;
    for (const { name, value, expiresAtMs } of fields) {
      if (!this.#isShort(name.length, value.length)) return false;
      words += hash.wordsFor(name.length, value.length, expiresAtMs !== 0);
    }
    if (!this.#hasLogRoom(words * 4 + fields.length * LOG_BYTES_PER_FIELD)) return false;
    const key = c.key(keyIndex), shard = c.store.shardOf(key.hash);
    this.isNew = hash.prepare(shard, key, words, expiresAtMs, c.nowMs);
    if (!this.isNew) return this.#wantMemory(words * 4);
    for (const field of fields) {
      const name = this.#name.set(field.name), value = this.#value.set(field.value);
      const result = hash.set(
        name.view,
        0,
        field.name.length,
        value.bytes,
        value.view,
        0,
        field.value.length,
        field.expiresAtMs,
      );
      if (result < 0) {
        this.#discard();
        return this.#wantMemory(words * 4);
      }
    }
    this.#link(keyIndex);
    return true;
  }

  /**
   * Stores at argument `toIndex` a copy of the hash that `c.findForChange()` found; `expiresAtMs`: of the key. False: no
   * memory, return without reply.
   */
  putCopy(toIndex: number, expiresAtMs: number): boolean {
    const c = this.c, from = c.shard, ref = c.ref, bytes = this.logBytes();
    if (!this.#hasLogRoom(bytes)) return false;
    const key = c.key(toIndex), shard = c.store.shardOf(key.hash);
    this.isNew = this.hash.prepareCopy(from, ref, shard, key, expiresAtMs, c.nowMs);
    if (!this.isNew) return this.#wantMemory(bytes);
    this.#link(toIndex);
    return true;
  }

  /** There is no memory for a change that takes about so many bytes. */
  #wantMemory(bytes: number): false {
    this.c.isOutOfMemory = true;
    this.c.wantedBytes = bytes > INLINE_VALUE_BYTES_MAX ? bytes + PART_CLASSES_BYTES : bytes;
    return false;
  }

  /** Whether the log has room for a whole hash of so many bytes; if not, the command runs again once it has. */
  #hasLogRoom(bytes: number): boolean {
    const c = this.c;
    if (c.effects === null) return true;
    // With it a key, and another that is told to be gone.
    const keyBytes = c.argLength(1) + c.argLength(2) + LOG_BYTES_BESIDE;
    if (c.effects.hasRoomFor(bytes + keyBytes)) return true;
    // Within EXEC nothing can be waited for any more; room was asked for before.
    if (c.isInTransaction) c.reply.error(OUT_OF_MEMORY);
    else {
      c.isOutOfMemory = true;
      c.needsLogBytes = bytes;
    }
    return false;
  }

  /**
   * Ends the changes of a command: a hash without fields goes, and all is told to the log and to those who watch the
   * key. To be called once by each handler that changed anything; without a change it does nothing.
   */
  commit(keyIndex: number): void {
    const c = this.c, hash = this.hash;
    if (this.isNew) {
      if (hash.fieldCount === 0) this.#discard();
      else this.#link(keyIndex);
      return;
    }
    if (this.#hasRoom) {
      this.#hasRoom = false;
      hash.endRoom();
    }
    if (this.#changes.isEmpty) return;
    c.ref = hash.ref;
    const { shard } = hash;
    if (hash.fieldCount === 0) {
      entries.removeAt(shard, hash.slot, hash.ref);
      this.isThere = false;
      c.ref = 0;
      c.effects?.remove(shard.number, c.key(keyIndex));
    } else {
      const key = c.key(keyIndex);
      shard.slot = hash.slot;
      c.store.noteAccess(shard, hash.slot, c.accessClock);
      c.store.noteChange(shard, key.hash);
      if (c.effects !== null) this.#changes.tell(keyIndex, hash);
    }
    this.#changes.clear();
  }

  /** The field is positioned at, unless it is gone. A hash that is new is told as a whole. */
  #noteDone(what: number, fieldIndex: number, valueIndex: number, expiresAtMs: number): void {
    if (!this.isNew) this.#changes.note(what, fieldIndex, valueIndex, expiresAtMs);
  }

  /** The key's hash was made: it is its own from now on, and told as a whole. */
  #link(keyIndex: number): void {
    const c = this.c, hash = this.hash, key = c.key(keyIndex);
    hash.link(key, c.accessClock);
    this.isNew = false;
    this.isThere = true;
    this.#changes.clear();
    c.ref = hash.ref;
    c.shard = hash.shard;
    hash.shard.slot = hash.slot;
    c.effects?.put(hash.shard.number, c.key(keyIndex));
  }

  /** A hash that was made will not be used: the key is as it was. */
  #discard(): void {
    if (!this.isNew) return;
    this.hash.discard();
    this.isNew = false;
  }
}
