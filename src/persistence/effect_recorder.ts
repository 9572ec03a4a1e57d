// Puts the effects of commands into the log's ring: reads from the store what each change came to.
//
// Effects are gathered in a buffer of the worker's own and go into the ring as one group with `publish()`, before
// the locks are released. Large values are not copied: they are pinned, and the log's writer reads them where
// they lie. Credit is taken beforehand, in pieces large enough for many commands.
import { CREDIT_LOOK_MS, RECORDER_CREDIT_BYTES, UNSYNCED_MS_MAX } from "../limits.ts";
import type { EffectKey, EffectLog } from "../log/effects.ts";
import { EffectWriter } from "../log/effect_writer.ts";
import {
  EFFECT_OVERHEAD_BYTES,
  EXPIRE_FIELDS,
  FIELD_OVERHEAD_BYTES,
  REMOVE_FIELDS,
  SET_FIELDS,
} from "../log/record.ts";
import { SHORT_BYTES_END, stringEffectBytes, writeStringEffect } from "../log/string_effect.ts";
import { FSYNC_INTERVAL } from "../log/log_board.ts";
import { type Ring, type RingPart, unitsOf } from "../log/ring.ts";
import { piecesOf } from "../piecewise_bytes.ts";
import {
  INLINE_VALUE_BYTES_MAX,
  record,
  type Shard,
  type Store,
  TYPE_HASH,
} from "../store/store.ts";
import { GroupCarrier } from "./group_carrier.ts";
import { HashEffects } from "./hash_effects.ts";
import { encodeParts, PART_BYTES, PARTS_HEAD_BYTES } from "./ring_parts.ts";

const BUFFER_BYTES = 65_536;
const BUFFER_BYTES_KEPT_MAX = 4 * 1024 * 1024;

export class EffectRecorder implements EffectLog {
  /** Groups that went into the ring, for those who ask whether a batch changed anything. */
  published = 0;

  readonly #store: Store;
  readonly #ring: Ring;
  readonly #hashes: HashEffects;
  #writer = new EffectWriter(BUFFER_BYTES);
  #parts: RingPart[] = [];
  #creditUnits = 0;
  /** What `published` was when the log's writer was last woken. */
  #settledGroups = 0;
  /** Memory for a group that is too long for the ring. */
  readonly #carrier: GroupCarrier;
  readonly #partsBytes: number;
  readonly #isWrittenInPlace: () => boolean;

  /** `isWrittenInPlace`: whether who waits for the log writes it, so that its own thread need not be woken. */
  constructor(store: Store, ring: Ring, isWrittenInPlace: () => boolean = () => false) {
    this.#store = store;
    this.#ring = ring;
    this.#isWrittenInPlace = isWrittenInPlace;
    this.#hashes = new HashEffects(store.createHash());
    this.#carrier = new GroupCarrier(store);
    this.#partsBytes = ring.capacityBytes / 4;
  }

  /**
   * Makes sure that a group of at most `boundBytes` finds room. False if it has to be waited for
   * (`whenRoom()`); nothing is held meanwhile.
   */
  admit(boundBytes: number, nowMs: number): boolean {
    if (this.#isLate(nowMs)) return false;
    const wanted = Math.min(boundBytes, this.#partsBytes);
    // Without memory for it the command itself will find none: it is refused there.
    if (this.isTooLong(boundBytes) && !this.#carrier.stage(boundBytes + this.#writer.length)) {
      return true;
    }
    // Beside what is gathered and not published yet.
    const units = unitsOf(wanted + this.#writer.length);
    if (this.#takeUnits(units)) return true;
    this.#carrier.discard();
    return false;
  }

  hasRoomFor(boundBytes: number): boolean {
    const together = this.#writer.length + EFFECT_OVERHEAD_BYTES + boundBytes;
    if (together > this.#partsBytes) return this.#carrier.holds(together);
    // Credit is one subtraction, so it may be taken with a shard locked; it is not waited for.
    return this.#takeUnits(unitsOf(together));
  }

  admitBeside(keptBytes: number, boundBytes: number, nowMs: number): boolean {
    if (this.#isLate(nowMs)) return false;
    const together = this.#writer.length + boundBytes;
    // What no longer lies in the ring has memory of its own, which is for itself alone.
    if (together > this.#partsBytes) return false;
    const kept = keptBytes > this.#partsBytes ? PARTS_HEAD_BYTES + PART_BYTES : keptBytes;
    return this.#takeUnits(unitsOf(kept) + unitsOf(together));
  }

  #takeUnits(units: number): boolean {
    if (this.#creditUnits >= units) return true;
    const missing = Math.max(units - this.#creditUnits, RECORDER_CREDIT_BYTES / 8);
    if (!this.#ring.takeCredit(missing)) return false;
    this.#creditUnits += missing;
    return true;
  }

  whenRoom(): Promise<void> {
    return this.#ring.creditChanged(CREDIT_LOOK_MS);
  }

  admitBlocking(boundBytes: number, nowMs: number): void {
    while (!this.admit(boundBytes, nowMs)) this.#ring.waitForCredit(CREDIT_LOOK_MS);
  }

  /** A plain look, once per batch and write. */
  refusal(): string | null {
    return this.#ring.isFailed ? this.#ring.reason : null;
  }

  /** Whether a group of so many bytes is beyond what lies in the ring, and no memory was found for it. */
  isTooLong(boundBytes: number): boolean {
    return boundBytes > this.#partsBytes &&
      !this.#carrier.holds(boundBytes + this.#writer.length);
  }

  begin(): void {}

  end(): void {}

  put(shardNumber: number, key: EffectKey): void {
    const shard = this.#store.shards[shardNumber], writer = this.#writer;
    const ref = this.#find(shard, key), type = record.typeOf(shard, ref);
    if (type === TYPE_HASH) {
      this.#hashes.put(writer, shard, ref, 0);
      return;
    }
    // What is told was stored or changed just now, and only afterwards compressed.
    if (record.isCompressed(shard, ref)) throw new Error("a compressed value was to be logged");
    const valueBytes = record.valueBytesOf(shard, ref);
    const isBlock = record.isBlock(shard, ref);
    writer.reserve(EFFECT_OVERHEAD_BYTES + key.end - key.start + (isBlock ? 0 : valueBytes));
    writer.put(
      key.database,
      shard.i32,
      record.keyStartOf(shard, ref) >>> 2,
      key.end - key.start,
      type,
      record.expiresAtMsOf(shard, ref),
      valueBytes,
    );
    if (isBlock) this.#refer(shard, ref, 0, valueBytes);
    else writer.words(shard.i32, record.valueStartOf(shard, ref) >>> 2, valueBytes);
  }

  putString(
    database: number,
    keyView: DataView,
    keyStart: number,
    keyEnd: number,
    expiresAtMs: number,
    valueView: DataView,
    valueStart: number,
    valueEnd: number,
  ): void {
    const writer = this.#writer, ring = this.#ring;
    const keyBytes = keyEnd - keyStart, valueBytes = valueEnd - valueStart;
    // What was told before lies before it.
    const isShort = writer.length === 0 && keyBytes < SHORT_BYTES_END &&
      valueBytes < SHORT_BYTES_END;
    const lengthBytes = stringEffectBytes(keyBytes, expiresAtMs, valueBytes);
    const units = unitsOf(lengthBytes), isReserved = isShort && units <= this.#creditUnits;
    let start = 0;
    if (isReserved) {
      start = ring.reserve(units);
      const at = ring.placeOf(start, units);
      this.#creditUnits -= units;
      this.published++;
      if (at >= 0) {
        writeStringEffect(
          ring.view,
          at,
          at + units * 8 - 8,
          database,
          keyView,
          keyStart,
          keyEnd,
          expiresAtMs,
          valueView,
          valueStart,
          valueEnd,
        );
        ring.publish(start, lengthBytes);
        return;
      }
    }
    writer.reserve(EFFECT_OVERHEAD_BYTES + lengthBytes);
    writer.putString(
      database,
      keyView,
      keyStart,
      keyEnd,
      expiresAtMs,
      valueView,
      valueStart,
      valueEnd,
    );
    if (!isReserved) return;
    // Its place lies at both ends of the ring.
    ring.fill(start, writer.bytes, writer.view, writer.length, false);
    writer.length = 0;
  }

  range(shardNumber: number, key: EffectKey, from: number, to: number): void {
    const shard = this.#store.shards[shardNumber], writer = this.#writer, count = to - from;
    const ref = this.#find(shard, key), isBlock = record.isBlock(shard, ref);
    const isReferred = isBlock && count > INLINE_VALUE_BYTES_MAX;
    writer.reserve(EFFECT_OVERHEAD_BYTES + key.end - key.start + (isReferred ? 0 : count));
    writer.range(key, from, count);
    if (isReferred) this.#refer(shard, ref, from, count);
    else if (!isBlock) {
      const start = record.valueStartOf(shard, ref);
      writer.raw(shard.u8.subarray(start + from, start + to));
    } else {
      for (const piece of piecesOf(this.#store.blockOf(shard, ref), from, to)) writer.raw(piece);
    }
  }

  remove(_shardNumber: number, key: EffectKey): void {
    this.#writer.reserve(EFFECT_OVERHEAD_BYTES + key.end - key.start);
    this.#writer.remove(key);
  }

  expire(_shardNumber: number, key: EffectKey, expiresAtMs: number): void {
    this.#writer.reserve(EFFECT_OVERHEAD_BYTES + key.end - key.start);
    this.#writer.expire(key, expiresAtMs);
  }

  fields(_shardNumber: number, key: EffectKey, count: number): void {
    this.#beginFields(SET_FIELDS, key, count);
  }

  field(
    nameView: DataView,
    nameStart: number,
    nameEnd: number,
    expiresAtMs: number,
    valueView: DataView,
    valueStart: number,
    valueEnd: number,
  ): void {
    const writer = this.#writer;
    writer.reserve(FIELD_OVERHEAD_BYTES + nameEnd - nameStart + valueEnd - valueStart);
    writer.bin(nameView, nameStart, nameEnd);
    writer.moment(expiresAtMs);
    writer.bin(valueView, valueStart, valueEnd);
  }

  removeFields(_shardNumber: number, key: EffectKey, count: number): void {
    this.#beginFields(REMOVE_FIELDS, key, count);
  }

  fieldName(view: DataView, start: number, end: number): void {
    this.#writer.reserve(FIELD_OVERHEAD_BYTES + end - start);
    this.#writer.bin(view, start, end);
  }

  expireFields(_shardNumber: number, key: EffectKey, count: number): void {
    this.#beginFields(EXPIRE_FIELDS, key, count);
  }

  fieldExpiry(view: DataView, start: number, end: number, expiresAtMs: number): void {
    this.#writer.reserve(FIELD_OVERHEAD_BYTES + end - start);
    this.#writer.bin(view, start, end);
    this.#writer.moment(expiresAtMs);
  }

  #beginFields(kind: number, key: EffectKey, count: number): void {
    this.#writer.reserve(EFFECT_OVERHEAD_BYTES + key.end - key.start);
    this.#writer.fields(kind, key, count);
  }

  flush(database: number): void {
    this.#writer.reserve(EFFECT_OVERHEAD_BYTES);
    this.#writer.flush(database);
  }

  databases(table: Uint8Array): void {
    this.#writer.reserve(EFFECT_OVERHEAD_BYTES + table.length);
    this.#writer.databases(table);
  }

  /** All effects since the last call are one group; the locks of their shards are still held. */
  publish(): void {
    const writer = this.#writer;
    if (writer.length === 0) return;
    this.published++;
    if (this.#parts.length === 0 && writer.length <= this.#partsBytes) {
      this.#append(writer, false);
      writer.length = 0;
      return;
    }
    this.#publishParts();
  }

  /** After a batch: wakes the log's writer if there is something for it, lets go of what was not needed. */
  settle(): void {
    this.#carrier.discard();
    // A batch of reads wakes nobody: two wakes of a thread cost as much as the rest of such a batch.
    if (this.#settledGroups === this.published) return;
    this.#settledGroups = this.published;
    if (!this.#isWrittenInPlace()) this.#ring.wake();
  }

  /** Gives all credit back: the worker ends. */
  close(): void {
    this.#ring.giveCredit(this.#creditUnits);
    this.#creditUnits = 0;
  }

  /** Under `interval`, no more is taken on while a sync is far behind: a crash would lose more than was said. */
  #isLate(nowMs: number): boolean {
    const ring = this.#ring;
    if (ring.fsync !== FSYNC_INTERVAL) return false;
    const sinceMs = ring.number("unsyncedSinceMs");
    return sinceMs !== 0 && nowMs - sinceMs > UNSYNCED_MS_MAX + ring.intervalMs;
  }

  #append(writer: EffectWriter, isWithParts: boolean): void {
    const units = unitsOf(writer.length);
    if (units > this.#creditUnits) {
      throw new Error(`a group of ${units} units with credit for ${this.#creditUnits}`);
    }
    this.#creditUnits -= this.#ring.append(writer.bytes, writer.view, writer.length, isWithParts);
  }

  #publishParts(): void {
    const writer = this.#writer, parts = this.#parts;
    let carrier: RingPart | null = null;
    if (writer.length + PARTS_HEAD_BYTES + parts.length * PART_BYTES > this.#partsBytes) {
      carrier = this.#carrier.carry(writer.bytes.subarray(0, writer.length));
    }
    const head = new EffectWriter(
      PARTS_HEAD_BYTES + (parts.length + 1) * PART_BYTES + (carrier === null ? writer.length : 0),
    );
    encodeParts(head, carrier, parts);
    if (carrier === null) head.raw(writer.bytes.subarray(0, writer.length));
    this.#append(head, true);
    this.#parts = [];
    writer.length = 0;
    if (writer.bytes.length > BUFFER_BYTES_KEPT_MAX) this.#writer = new EffectWriter(BUFFER_BYTES);
  }

  #find(shard: Shard, key: EffectKey): number {
    const { hash, database, view, start, end } = key;
    const ref = record.findHinted(shard, hash, database, view, start, end, shard.slot);
    if (ref === 0) throw new Error(`a change of a key that shard ${shard.number} does not hold`);
    return ref;
  }

  #refer(shard: Shard, ref: number, offsetBytes: number, lengthBytes: number): void {
    const pinned = this.#store.pin(shard, ref);
    this.#parts.push({
      at: this.#writer.length,
      shardNumber: shard.number,
      firstPage: pinned.firstPage,
      offsetBytes,
      lengthBytes,
    });
  }
}
