// What commands do with one field of a hash that lies where look-ahead saw it: nearly all of what they do in pipelines.
//
// Each function gives up, with nothing done, where key or field have to be looked up; the command then opens the hash.
import { hashes, record } from "../store/store.ts";
import type { CommandContext } from "./context.ts";

/** In the place of a value's length: the field has to be looked up. */
export const UNSEEN = -1;

/**
 * Length in bytes of the value of the field named by argument `fieldIndex`, after noting access and hit; UNSEEN if it has
 * to be looked up. `c.shard.valueStart` is the first byte of the value.
 */
export function seenValueBytes(c: CommandContext, keyIndex: number, fieldIndex: number): number {
  const { argStart, argEnd, argSlot, argHash, view } = c.batch;
  const at = c.first + keyIndex, fieldAt = c.first + fieldIndex, hash = argHash[at];
  const shard = c.store.shardOf(hash), slot = argSlot[at];
  const ref = hashes.hintedField(
    shard,
    hash,
    c.session.database,
    view,
    argStart[at],
    argEnd[at],
    slot,
    argStart[fieldAt],
    argEnd[fieldAt],
    argSlot[fieldAt],
  );
  if (ref === 0 || record.isExpired(shard, ref, c.nowMs)) return UNSEEN;
  c.store.noteAccess(shard, slot, c.readClock);
  c.hits++;
  c.shard = shard;
  return hashes.shortValueBytes(shard.i32[shard.fieldSlot]);
}

/** Replies with that value; false if it has to be looked up. */
export function replySeenField(c: CommandContext, keyIndex: number, fieldIndex: number): boolean {
  const bytes = seenValueBytes(c, keyIndex, fieldIndex);
  if (bytes < 0) return false;
  const { shard } = c;
  c.reply.bulkWords(shard.i32, shard.u8, shard.valueStart, bytes);
  return true;
}

/**
 * Stores argument `valueIndex` in the field named by argument `fieldIndex`, which has a value that takes as many words;
 * it is told to the log and to those who watch the key. False, and nothing done, if it is not so.
 */
export function overwriteSeenField(
  c: CommandContext,
  keyIndex: number,
  fieldIndex: number,
  valueIndex: number,
): boolean {
  const { argStart, argEnd, argSlot, argHash, view } = c.batch;
  const at = c.first + keyIndex, fieldAt = c.first + fieldIndex, valueAt = c.first + valueIndex;
  const hash = argHash[at], shard = c.store.shardOf(hash), slot = argSlot[at];
  const start = argStart[fieldAt], end = argEnd[fieldAt];
  const ref = hashes.hintedField(
    shard,
    hash,
    c.session.database,
    view,
    argStart[at],
    argEnd[at],
    slot,
    start,
    end,
    argSlot[fieldAt],
  );
  if (ref === 0 || record.isExpired(shard, ref, c.nowMs)) return false;
  const valueStart = argStart[valueAt], valueEnd = argEnd[valueAt];
  if (!hashes.overwriteHinted(shard, view, valueStart, valueEnd)) return false;
  c.store.noteAccess(shard, slot, c.accessClock);
  c.store.noteChange(shard, hash);
  const { effects } = c;
  if (effects !== null) {
    effects.fields(shard.number, c.key(keyIndex), 1);
    effects.field(view, start, end, 0, view, valueStart, valueEnd);
  }
  return true;
}
