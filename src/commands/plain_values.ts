// The plain bytes of compressed values that the running command reads; it takes no lock and knows no command.
//
// A handler that meets a compressed value asks for it: a copy of what is stored is taken, and the handler returns
// without a reply. With no lock held, and what was read without one confirmed, the copies are decompressed, and the
// command runs again. It then finds them here, if the entries still hold the same bytes.
import { COMPRESS_BYTES_MAX, PLAIN_BYTES_PER_COMMAND } from "../limits.ts";
import { compressed, type Shard } from "../store/store.ts";
import { expandValue } from "../value_codec.ts";

interface PlainValue {
  readonly stored: Uint8Array;
  readonly plainBytes: number;
  /** Null: not decompressed yet. */
  plain: Uint8Array | null;
  isDamaged: boolean;
}

/** By shard and record: what lies elsewhere by then is asked for again. */
type Place = number;
const SHARD_STEP = 2 ** 31;
/** For most commands, so that they make no garbage. */
const SCRATCH_BYTES = 131_072;

export class PlainValues {
  /** Whether the command waits for values, and is to run again. */
  isAsked = false;
  /** Set for a command's last round, and within EXEC: values are decompressed when they are asked for. */
  isAtOnce = false;

  readonly #values = new Map<Place, PlainValue>();
  #plainBytes = 0;
  /** Where the first of them are decompressed to; made with the first. */
  #scratch: Uint8Array<ArrayBuffer> | null = null;
  #scratchUsed = 0;

  /** Whether anything is to be forgotten. */
  get isEmpty(): boolean {
    return this.#values.size === 0 && !this.isAtOnce;
  }

  /** The plain bytes of a compressed record; null if they were only asked for now, "damaged" or "too-much" if there are none. */
  of(shard: Shard, ref: number): Uint8Array | null | "damaged" | "too-much" {
    const place = shard.number * SHARD_STEP + ref, found = this.#values.get(place);
    if (found !== undefined && compressed.holdsBytes(shard, ref, found.stored)) {
      if (found.plain !== null) return found.plain;
      if (found.isDamaged) return "damaged";
      if (!this.isAtOnce) return null;
    }
    // A torn length may be anything.
    const plainBytes = Math.min(compressed.plainBytesOf(shard, ref), COMPRESS_BYTES_MAX);
    this.#plainBytes += plainBytes - (found?.plainBytes ?? 0);
    if (this.#plainBytes > PLAIN_BYTES_PER_COMMAND) {
      this.#plainBytes -= plainBytes;
      this.#values.delete(place);
      return "too-much";
    }
    const stored = compressed.storedCopy(shard, ref);
    const value: PlainValue = { stored, plainBytes, plain: null, isDamaged: false };
    this.#values.set(place, value);
    if (this.isAtOnce) {
      this.#expand(value);
      return value.plain ?? "damaged";
    }
    this.isAsked = true;
    return null;
  }

  /** Decompresses what was asked for; with no lock held. */
  expand(): void {
    for (const value of this.#values.values()) {
      if (value.plain === null && !value.isDamaged) this.#expand(value);
    }
    this.isAsked = false;
  }

  /** The command is done, or what was read for it may be torn. */
  forget(): void {
    this.isAsked = this.isAtOnce = false;
    this.#plainBytes = this.#scratchUsed = 0;
    this.#values.clear();
  }

  /** As `forget()`, but for what was decompressed: that is compared with the entry before it is used. */
  forgetAsked(): void {
    this.isAsked = false;
    for (const [place, { plain, plainBytes, isDamaged }] of this.#values) {
      if (plain !== null || isDamaged) continue;
      this.#values.delete(place);
      this.#plainBytes -= plainBytes;
    }
  }

  #expand(value: PlainValue): void {
    const scratch = this.#scratch ??= new Uint8Array(SCRATCH_BYTES);
    value.plain = expandValue(value.stored, scratch.subarray(this.#scratchUsed));
    value.isDamaged = value.plain === null;
    if (value.plain?.buffer === scratch.buffer) this.#scratchUsed += value.plain.length;
  }
}
