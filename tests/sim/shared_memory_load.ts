// What one thread of the simulation does to the shared store, and what it knows to be true of it.
//
// A broken promise is counted and told, not thrown.
import type { KeyRange, Store, StoreMemory } from "../../src/store/store.ts";
import { entries, record } from "../../src/store/store.ts";
import { OptimisticReader, type Placed, type ReaderFault } from "./optimistic_reader.ts";
import { type Random, randomFrom, StoreAccess, valueRange } from "../support/store_access.ts";
import { checkChunks, CHUNK_BYTES, readValue, writeChunk, writeValue } from "./checked_value.ts";

/**
 * `all`: everything the store can do. `hot`: every second thread writes two large values, the others read
 * them; `blocks`: the same with blocks. `churn`: all of them make and remove entries of every size, so that
 * pages are taken, emptied and given back all the time.
 */
export type LoadMix = "all" | "hot" | "blocks" | "churn";

/** What a thread is told. */
export interface LoadTask {
  readonly memory: StoreMemory;
  readonly seed: number;
  readonly thread: number;
  readonly threads: number;
  readonly durationMs: number;
  /** Leaves out one of the reader's checks, to show that its absence is found. */
  readonly broken: ReaderFault;
  readonly mix: LoadMix;
}

/** What a thread gives back. */
export interface LoadReport {
  offences: number;
  /** The first few, in words. */
  examples: string[];
  /** Of each counter key, what this thread added in all. */
  added: number[];
  /** Of each key that only this thread writes: counter and length, or null if it was removed. */
  own: [name: string, key: number, state: { counter: number; length: number } | null][];
  counts: Record<string, number>;
}

export const SHARED_KEYS = 24, COUNTER_KEYS = 8, PAIR_KEYS = 6, CHUNK_KEYS = 4;
const OWN_KEYS = 150, BULK_KEYS = 3_000;
const EXAMPLES_MAX = 5;
const CHUNKED_BYTES_MAX = 200_000;
/** So that numbers of keys never meet. */
const SHARED = 1_000_000, PAIR = 2_000_000, CHUNKED = 3_000_000, OWN = 4_000_000;

export class SharedMemoryLoad {
  readonly #access: StoreAccess;
  readonly #store: Store;
  readonly #random: Random;
  readonly #reader: OptimisticReader;
  readonly #value = new Uint8Array(CHUNKED_BYTES_MAX + 200_000);
  readonly #second = new Uint8Array(CHUNKED_BYTES_MAX + 200_000);
  readonly #keys = new Map<string, KeyRange>();
  readonly #seen = new Map<number, number>();
  readonly #report: LoadReport;
  readonly #own = new Map<string, LoadReport["own"][number]>();
  readonly #chunkNumber: number[] = new Array<number>(CHUNK_KEYS).fill(0);
  #counter = 0;
  #bulkPhase = 0;
  #steps = 0;

  constructor(readonly task: LoadTask) {
    this.#access = new StoreAccess(task.memory);
    this.#store = this.#access.store;
    this.#random = randomFrom(task.seed * 1_000 + task.thread);
    this.#report = {
      offences: 0,
      examples: [],
      added: new Array<number>(COUNTER_KEYS).fill(0),
      own: [],
      counts: {},
    };
    this.#reader = new OptimisticReader(
      this.#store,
      this.#random,
      task.broken,
      (what) => this.#count(what),
    );
  }

  run(): LoadReport {
    const endMs = performance.now() + this.task.durationMs;
    for (let step = 0; step % 64 !== 0 || performance.now() < endMs; step++) this.#step();
    this.#report.own = [...this.#own.values()];
    return this.#report;
  }

  #step(): void {
    const random = this.#random, kind = random.below(1000);
    const { mix, thread } = this.task;
    if (mix === "churn") this.#churn(kind);
    else if (mix !== "all") {
      const number = kind & 1, key = this.#key(`shared-${number}`);
      const blockBytes = kind < 700 ? 16_400 + kind : 100_000 + kind * 100;
      const length = mix === "hot" ? 12_000 + kind * 4 : blockBytes;
      if (thread % 2 === 1) this.#readShared(number);
      else this.#put(key, SHARED + number, ++this.#counter, length, 0);
    } else if (kind < 330) this.#readShared(random.below(SHARED_KEYS));
    else if (kind < 520) this.#writeShared(random.below(SHARED_KEYS));
    else if (kind < 620) this.#increment(random.below(COUNTER_KEYS));
    else if (kind < 700) this.#readPair(random.below(PAIR_KEYS));
    else if (kind < 760) this.#writePair(random.below(PAIR_KEYS));
    else if (kind < 840) this.#writeOwn(`own-${this.task.thread}-${random.below(OWN_KEYS)}`, 2_000);
    else if (kind < 920) this.#readOwn();
    else if (kind < 950) this.#appendChunks(random.below(CHUNK_KEYS));
    else if (kind < 980) this.#readChunks(random.below(CHUNK_KEYS));
    else if (kind < 983) this.#bulk();
    else if (kind < 985) this.#tidy();
    else this.#writeLarge();
  }

  // ---- operations -----------------------------------------------------------------------------------

  #readShared(number: number): void {
    const length = this.#reader.read(this.#key(`shared-${number}`), this.#value);
    if (length < 0) return this.#count("misses");
    this.#check("shared", readValue(this.#value, SHARED + number, length));
    this.#count("reads");
  }

  #writeShared(number: number): void {
    const key = this.#key(`shared-${number}`), random = this.#random;
    if (random.below(8) === 0) {
      this.#access.removeKey(key, Date.now());
      return;
    }
    // Half of them hot and long, so that a reader who does not check meets them half written.
    const length = random.below(2) === 0 ? 1_500 + random.below(500) : random.below(2_001);
    const expiresAtMs = random.below(6) === 0 ? Date.now() + random.below(20) : 0;
    this.#put(key, SHARED + number, ++this.#counter, length, expiresAtMs);
  }

  /** Reads, adds, writes, all in one change: nothing may be lost. The text's length varies. */
  #increment(number: number): void {
    const store = this.#store,
      key = this.#key(`counter-${number}`),
      shard = store.shardOf(key.hash);
    const delta = this.#random.below(1_000) - 300;
    store.lockChange(shard);
    const ref = store.findForChange(shard, key, Date.now());
    let before = 0;
    if (ref !== 0) {
      const start = record.valueStartOf(shard, ref);
      const text = shard.u8.slice(start, start + record.valueBytesOf(shard, ref));
      before = Number(new TextDecoder().decode(text));
    }
    const after = valueRange(
      new TextEncoder().encode(`${before + delta}`.padStart(1 + delta % 7 + 7)),
    );
    const isStored = entries.putString(shard, key, after, 0, 1);
    store.unlockChange(shard);
    if (isStored) this.#report.added[number] += delta;
    else this.#count("refused");
    this.#count("increments");
  }

  /** Two keys of different shards that always carry the same counter. */
  #writePair(number: number): void {
    const store = this.#store,
      [left, right] = this.#pair(number),
      low = left.shard,
      high = right.shard;
    const random = this.#random, key = PAIR + number;
    const lengths = [16 + random.below(600), 16 + random.below(600)];
    store.lockChange(low);
    store.lockChange(high);
    const ref = store.findForChange(low, left.key, 0);
    const counter = ref === 0 ? 0 : low.i32[(record.valueStartOf(low, ref) >> 2) + 1] + 1;
    writeValue(this.#value, key, counter, lengths[0]);
    writeValue(this.#second, key, counter, lengths[1]);
    // Both are prepared before either is seen, as MSET does it: all or nothing.
    const first = valueRange(this.#value.subarray(0, lengths[0]));
    const second = valueRange(this.#second.subarray(0, lengths[1]));
    const madeLeft = entries.prepareString(low, left.key, first, 0);
    const madeRight = madeLeft === 0 ? 0 : entries.prepareString(high, right.key, second, 0);
    if (madeRight !== 0) {
      entries.linkPrepared(low, left.key, madeLeft, null, 1);
      entries.linkPrepared(high, right.key, madeRight, null, 1);
    } else if (madeLeft !== 0) entries.discardPrepared(low, madeLeft);
    store.unlockChange(low);
    store.unlockChange(high);
    this.#count(madeRight !== 0 ? "pairs" : "refused");
  }

  #readPair(number: number): void {
    const lengths = this.#reader.readPair(this.#pair(number), this.#value, this.#second);
    if (lengths[0] < 0 && lengths[1] < 0) return;
    if (lengths[0] < 0 || lengths[1] < 0) return this.#offend("one half of a pair is missing");
    const counters = [
      this.#check("pair", readValue(this.#value, PAIR + number, lengths[0])),
      this.#check("pair", readValue(this.#second, PAIR + number, lengths[1])),
    ];
    if (counters[0] !== counters[1]) this.#offend(`halves of a pair differ: ${counters}`);
    else this.#notBackwards(PAIR + number, counters[0]);
    this.#count("pairReads");
  }

  #writeOwn(name: string, lengthMax: number, lengthMin = 16): void {
    const number = OWN + this.task.thread * 100_000 + this.#numberOf(name), random = this.#random;
    const key = this.#key(name);
    if (random.below(6) === 0) return this.#removeOwn(name);
    const counter = ++this.#counter, length = lengthMin + random.below(lengthMax - lengthMin + 1);
    if (this.#put(key, number, counter, length, 0)) {
      this.#own.set(name, [name, number, { counter, length }]);
    }
  }

  #removeOwn(name: string): void {
    const was = this.#own.get(name)?.[2] != null;
    const isRemoved = this.#access.removeKey(this.#key(name));
    if (isRemoved !== was) this.#offend(`removal of ${name}, there: ${was}`);
    this.#own.set(name, [name, 0, null]);
  }

  /** Somebody's own key: whole, and never older than it was seen before. */
  #readOwn(): void {
    const thread = this.#random.below(this.task.threads);
    const isLarge = this.#random.below(8) === 0;
    const name = isLarge
      ? `large-${thread}-${this.#random.below(6)}`
      : `own-${thread}-${this.#random.below(OWN_KEYS)}`;
    const number = OWN + thread * 100_000 + this.#numberOf(name);
    const length = this.#reader.read(this.#key(name), this.#value);
    const own = thread === this.task.thread ? this.#own.get(name)?.[2] ?? null : undefined;
    if (own !== undefined && length !== (own?.length ?? -1)) {
      this.#offend(`${name}: ${length} bytes read, ${own?.length} written`);
    }
    if (length < 0) return;
    const counter = this.#check(name, readValue(this.#value, number, length));
    this.#notBackwards(number, counter);
    this.#count("ownReads");
  }

  /** 17 KiB to 200 KiB: a block. */
  #writeLarge(): void {
    const name = `large-${this.task.thread}-${this.#random.below(6)}`;
    if (this.#random.below(3) === 0) this.#writeOwn(name, 200);
    else this.#writeOwn(name, this.#random.below(2) === 0 ? 200 * 1024 : 40_000);
  }

  /** Fills thousands of keys and removes them, with another size each time. */
  #bulk(): void {
    const phase = this.#bulkPhase++, sizes = [40, 100, 64, 200, 30];
    const count = 500;
    const isFilling = phase % 12 < 6, from = (phase % 6) * count;
    for (let i = from; i < from + count && i < BULK_KEYS; i++) {
      const name = `bulk-${this.task.thread}-${i}`, key = this.#key(name);
      const number = OWN + this.task.thread * 100_000 + this.#numberOf(name);
      if (isFilling) {
        const length = sizes[Math.floor(phase / 12) % sizes.length] + (i & 3),
          counter = ++this.#counter;
        if (this.#put(key, number, counter, length, 0)) {
          this.#own.set(name, [name, number, { counter, length }]);
        }
      } else if (i % 9 !== 0) {
        this.#access.removeKey(key);
        this.#own.set(name, [name, number, null]);
      }
    }
    this.#count("bulkPhases");
  }

  /** Mostly filling for some thousand steps, then mostly removing: sparse pages come about. */
  #churn(kind: number): void {
    const name = `own-${this.task.thread}-${this.#random.below(4_000)}`;
    if (kind < 30) this.#writeLarge();
    else if (kind < 100) this.#readOwn();
    else if (this.#steps++ % 12_000 < 6_000 || kind < 300) {
      const length = 100 + (kind & 1) * 100; // two classes only: many pages of each
      this.#writeOwn(name, length, length - 8);
    } else if (this.#own.get(name)?.[2] != null) this.#removeOwn(name);
  }

  #tidy(): void {
    const shards = this.#store.shards;
    if (this.#random.below(4) === 0) this.#store.reclaim(Date.now());
    else this.#store.sweep(shards[this.#random.below(shards.length)], 500, Date.now());
    this.#count("tidied");
  }

  #appendChunks(number: number): void {
    const key = this.#key(`chunks-${number}`);
    const bytes = new Uint8Array((1 + this.#random.below(300)) * CHUNK_BYTES),
      view = new DataView(bytes.buffer);
    const next = this.#chunkNumber[number];
    for (let at = 0, n = next; at < bytes.length; at += CHUNK_BYTES, n++) {
      writeChunk(view, at, CHUNKED + number, this.task.thread, n);
    }
    if (this.#lengthOf(key) > CHUNKED_BYTES_MAX) this.#access.removeKey(key);
    if (this.#access.appendKey(key, bytes)) this.#chunkNumber[number] += bytes.length / CHUNK_BYTES;
    else this.#count("refused");
    this.#count("appends");
  }

  #readChunks(number: number): void {
    const length = this.#reader.read(this.#key(`chunks-${number}`), this.#value);
    if (length < 0) return;
    const wrong = checkChunks(this.#value, length, CHUNKED + number);
    if (wrong !== null) this.#offend(`chunks: ${wrong}`);
    this.#count("chunkReads");
  }

  // ---- little things ----------------------------------------------------------------------------------

  #lengthOf(key: KeyRange): number {
    const store = this.#store, shard = store.shardOf(key.hash);
    store.lockReading(shard);
    const ref = store.find(shard, key, 0, 0);
    const length = ref === 0 ? 0 : record.valueBytesOf(shard, ref);
    store.unlockReading(shard);
    return length;
  }

  #put(
    key: KeyRange,
    number: number,
    counter: number,
    length: number,
    expiresAtMs: number,
  ): boolean {
    writeValue(this.#value, number, counter, length);
    const isStored = this.#access.putKey(key, this.#value.subarray(0, length), { expiresAtMs });
    this.#count(isStored ? "puts" : "refused");
    return isStored;
  }

  #key(name: string): KeyRange {
    let key = this.#keys.get(name);
    if (key === undefined) this.#keys.set(name, key = this.#access.key(name));
    return key;
  }

  /** Two keys of different shards, the lower shard first, the same for all threads. */
  #pair(number: number): [Placed, Placed] {
    const left = this.#key(`pair-${number}`), shard = this.#store.shardOf(left.hash);
    for (let i = 0; i < 100; i++) {
      const right = this.#key(`pair-${number}-${i}`), other = this.#store.shardOf(right.hash);
      if (other.number > shard.number) return [{ key: left, shard }, { key: right, shard: other }];
      if (other.number < shard.number) return [{ key: right, shard: other }, { key: left, shard }];
    }
    throw new Error("all keys lie in one shard");
  }

  #numberOf(name: string): number {
    const [kind, , number] = name.split("-");
    return Number(number) + (kind === "own" ? 0 : kind === "large" ? 10_000 : 20_000);
  }

  #check(what: string, read: number | string): number {
    if (typeof read === "number") return read;
    this.#offend(`${what}: ${read}`);
    return Number.MAX_SAFE_INTEGER;
  }

  #notBackwards(number: number, counter: number): void {
    if (counter === Number.MAX_SAFE_INTEGER) return; // told already
    if (counter < (this.#seen.get(number) ?? -1)) {
      this.#offend(`key ${number}: ${counter} after ${this.#seen.get(number)}`);
    }
    this.#seen.set(number, counter);
  }

  #offend(what: string): void {
    this.#report.offences++;
    if (this.#report.examples.length < EXAMPLES_MAX) this.#report.examples.push(what);
  }

  #count(what: string): void {
    this.#report.counts[what] = (this.#report.counts[what] ?? 0) + 1;
  }
}
