// GET of one key for a caller that has neither a batch nor a reply to write into: HTTP's hottest routes.
//
// It is the common case alone: a string that lies in its record, or nothing, on a server where nothing unusual goes
// on. Whatever else it meets it leaves to the engine, which then runs the command as every other. What the engine
// does for a batch takes twice as long as this look-up.
import type { Clock } from "../clock.ts";
import { clockKindOf } from "../eviction_policies.ts";
import { COUNTER, type WorkerMetrics } from "../metrics.ts";
import { isPlain, lastSpecialBits, specialBits } from "../plain_words.ts";
import { RequestBatch } from "../protocol/request_batch.ts";
import type { Session } from "../session.ts";
import { ProcessState } from "../settings.ts";
import {
  accessStamp,
  INLINE_VALUE_BYTES_MAX,
  record,
  type Store,
  TYPE_STRING,
} from "../store/store.ts";
import type { BatchAccounts } from "./batch_accounts.ts";
import { commandNumber } from "./command_numbers.ts";
import { CommandContext } from "./context.ts";
import type { Services } from "./services.ts";

/** What a look-up found: a value, no such key, or that it has to be run as a command. */
export const FOUND = 1;
export const MISSING = 0;
export const UNSURE = -1;

/** Where the key lies in the buffer, and how far the value is behind it: text of the caller's may stand around both. */
export const SINGLE_KEY_AT = 32;
const SINGLE_VALUE_GAP = 11;
/** Longer keys are rare. */
const KEY_BYTES_MAX = 256;
/** Room for text behind the value; and the store loads, and this stores, whole words. */
const SLACK_BYTES = 16;
const GET = commandNumber("get")!;
/** Characters that stand for something else in URLs, or have to be quoted in JSON: `"`, `%`, `&`, `+`, `?`, `\`. */
const IS_SPECIAL = new Uint8Array(128).fill(1, 0, 32);
for (const special of '"%&+?\\\x7f') IS_SPECIAL[special.charCodeAt(0)] = 1;

export class SingleReader {
  /** The key's bytes stand at SINGLE_KEY_AT. After FOUND the value is `bytes[start..end)`. */
  readonly bytes = new Uint8Array(
    SINGLE_KEY_AT + KEY_BYTES_MAX + SINGLE_VALUE_GAP + INLINE_VALUE_BYTES_MAX + SLACK_BYTES,
  );
  start = 0;
  end = 0;
  /** Whether the value stands for itself within quotation marks of JSON: ASCII, nothing to be escaped. */
  isPlain = false;
  /** When it ends, in ms since 1970, 0 for never; and the moment of the look-up. */
  expiresAtMs = 0;
  nowMs = 0;

  readonly #view = new DataView(this.bytes.buffer);
  readonly #batch = new RequestBatch();
  readonly #context: CommandContext;
  readonly #keyBytesMax: number;

  constructor(
    readonly store: Store,
    readonly services: Services,
    readonly clock: Clock,
    readonly metrics: WorkerMetrics,
    readonly accounts: BatchAccounts,
  ) {
    this.#context = new CommandContext(store, services, null);
    this.#keyBytesMax = Math.min(KEY_BYTES_MAX, services.config.keyBytesMax);
    this.#batch.reset(this.bytes, this.#view);
    this.#batch.argStart[0] = SINGLE_KEY_AT;
    this.#context.batch = this.#batch;
  }

  /**
   * Looks up the key that a URL has from `from` to its end, in the session's database. UNSURE, and nothing is noted,
   * unless all of it stands for itself, in URLs and in JSON.
   */
  look(session: Session, url: string, from: number): number {
    const length = url.length - from, { settings } = this.services, batch = this.#batch;
    if (length > this.#keyBytesMax || length <= 0) return UNSURE;
    const { bytes } = this;
    for (let i = 0; i < length; i++) {
      const code = url.charCodeAt(from + i);
      if (code > 127 || IS_SPECIAL[code] !== 0) return UNSURE;
      bytes[SINGLE_KEY_AT + i] = code;
    }
    const nowMs = this.clock.nowMs();
    if (
      settings.pauseEndsAtMs > nowMs || !session.isAuthenticated ||
      session.databaseVersion !== settings.databaseVersion ||
      settings.state === ProcessState.STARTING
    ) return UNSURE;
    const store = this.store, keyEnd = SINGLE_KEY_AT + length, { accounts } = this;
    const hash = store.hash(this.#view, SINGLE_KEY_AT, keyEnd, session.database);
    const shard = store.shardOf(hash), begun = store.beginRead(shard);
    if ((begun & 1) !== 0) return UNSURE;
    accounts.begin(nowMs);
    batch.argEnd[0] = keyEnd;
    batch.argHash[0] = hash;
    const c = this.#context;
    c.session = session;
    c.nowMs = nowMs;
    const { evictionPolicy, isAdmitting } = settings;
    const kind = clockKindOf(evictionPolicy, isAdmitting);
    c.readClock = accessStamp(kind, store.accessClock.at(nowMs), isAdmitting);
    const ref = c.find(0);
    const isHere = ref === 0 ||
      record.typeOf(shard, ref) === TYPE_STRING && !record.isElsewhere(shard, ref);
    if (ref !== 0 && isHere) this.#take(c, keyEnd + SINGLE_VALUE_GAP);
    if (!isHere || accounts.isEach || !store.confirmRead(shard, begun)) {
      accounts.cancel();
      return UNSURE;
    }
    this.nowMs = nowMs;
    const { counters } = this.metrics;
    counters[COUNTER.batches]++;
    counters[COUNTER.commands]++;
    counters[ref === 0 ? COUNTER.misses : COUNTER.hits]++;
    accounts.endSingle(GET, batch, ref !== 0);
    return ref === 0 ? MISSING : FOUND;
  }

  /** Copies what may be torn: lengths are cut to what lies in the view. */
  #take(c: CommandContext, to: number): void {
    const words = c.shard.i32, view = this.#view, start = record.valueStartOf(c.shard, c.ref);
    const room = Math.max(0, words.length * 4 - start);
    const length = Math.min(c.valueBytes, INLINE_VALUE_BYTES_MAX, room);
    let from = start >> 2, special = 0, at = 0;
    for (; at + 4 <= length; at += 4) {
      const word = words[from++];
      view.setInt32(to + at, word, true);
      special |= specialBits(word);
    }
    if (at < length) {
      const word = words[from];
      view.setInt32(to + at, word, true);
      special |= lastSpecialBits(word, length - at);
    }
    this.start = to;
    this.end = to + length;
    this.isPlain = isPlain(special);
    this.expiresAtMs = c.expiresAtMs;
  }
}
