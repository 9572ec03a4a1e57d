// How much the effects of a command may take in the log: a bound that is asked for before anything is locked.
import { KEY_BYTES_BOUND } from "../config_flags.ts";
import type { RequestBatch } from "../protocol/request_batch.ts";
import { INLINE_VALUE_BYTES_MAX } from "../store/store.ts";

/** What an effect takes beside the arguments of its command: heads, and a value that is not among them. */
const EFFECT_BYTES_PER_ARGUMENT = 32;
const EFFECT_BYTES_PER_COMMAND = INLINE_VALUE_BYTES_MAX + 256;
/** Commands whose arguments are longer than this are looked at closer for what their effects take. */
const EFFECT_BYTES_GUESSED_MAX = 262_144;

/** The most that the effects of a command with these arguments of the batch take in the log. */
export function effectBytes(batch: RequestBatch, first: number, argCount: number): number {
  const { argStart, argEnd } = batch;
  const fixed = argCount * EFFECT_BYTES_PER_ARGUMENT + EFFECT_BYTES_PER_COMMAND;
  const bytes = argEnd[first + argCount - 1] - argStart[first];
  if (bytes <= EFFECT_BYTES_GUESSED_MAX) return bytes + fixed;
  // Large values are referred to, not copied. What may be a key is copied, however long.
  let sum = 0;
  for (let at = first; at < first + argCount; at++) {
    const length = argEnd[at] - argStart[at];
    if (length <= KEY_BYTES_BOUND) sum += length;
  }
  return sum + fixed;
}

/** Commands whose effects hold nothing but their arguments and a number. */
const SHORT: ReadonlySet<string> = new Set(
  ("set setnx setex psetex getset getex getdel mset msetnx put del unlink delete incr decr incrby decrby " +
    "expire pexpire expireat pexpireat persist flushdb flushall swapdb " +
    "hset hmset hsetnx hdel hincrby hexpire hpexpire hexpireat hpexpireat hpersist hgetex hgetdel hsetex")
    .split(" "),
);
const SHORT_EFFECT_BYTES = 320;

/** The same for a command among others in a group, which may be many. */
export function queuedEffectBytes(
  batch: RequestBatch,
  first: number,
  argCount: number,
  name: string,
): number {
  const bytes = effectBytes(batch, first, argCount);
  return SHORT.has(name) ? bytes - EFFECT_BYTES_PER_COMMAND + SHORT_EFFECT_BYTES : bytes;
}
