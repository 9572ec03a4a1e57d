// What one thread of the simulation does to hashes that all threads share, and to some that are its own.
//
// A broken promise is counted and told, not thrown.
import {
  entries,
  type Hash,
  type KeyRange,
  type Shard,
  type Store,
} from "../../src/store/store.ts";
import type { StoreMemory } from "../../src/store/store.ts";
import { bytesOf, HashModel } from "../support/hash_model.ts";
import { type Random, randomFrom, StoreAccess, valueRange } from "../support/store_access.ts";
import { readValue, writeValue } from "./checked_value.ts";

/** What a thread is told; `skipsConfirm` leaves out the reader's check, to show that its absence is found. */
export interface HashTask {
  readonly memory: StoreMemory;
  readonly seed: number;
  readonly thread: number;
  readonly durationMs: number;
  readonly skipsConfirm: boolean;
}

export interface HashReport {
  offences: number;
  /** The first few, in words. */
  examples: string[];
  counts: Record<string, number>;
}

const SHARED_HASHES = 4, OWN_HASHES = 3;
/** Of a shared hash: half of the fields are written in pairs, both of one moment. */
const SMALL_FIELDS = 16, LARGE_FIELDS = 2_000;
const READ_TRIES_MAX = 20;
const EXAMPLES_MAX = 5;
const BYTES_MAX = 400;

export class HashLoad {
  readonly #access: StoreAccess;
  readonly #store: Store;
  readonly #hash: Hash;
  readonly #random: Random;
  readonly #own: HashModel[] = [];
  readonly #keys: KeyRange[] = [];
  readonly #first = new Uint8Array(16_384);
  readonly #second = new Uint8Array(16_384);
  readonly #report: HashReport = { offences: 0, examples: [], counts: {} };
  #counter = 0;

  constructor(readonly task: HashTask) {
    this.#access = new StoreAccess(task.memory);
    this.#store = this.#access.store;
    this.#hash = this.#store.createHash();
    this.#random = randomFrom(task.seed * 1_000 + task.thread);
    for (let i = 0; i < OWN_HASHES; i++) {
      this.#own.push(new HashModel(this.#access, `own ${task.thread} ${i}`));
    }
    for (let i = 0; i < SHARED_HASHES; i++) this.#keys.push(this.#access.key(`shared ${i}`));
  }

  run(): HashReport {
    const endMs = performance.now() + this.task.durationMs;
    for (let step = 0; step % 64 !== 0 || performance.now() < endMs; step++) this.#step();
    for (const model of this.#own) this.#compareOwn(model);
    return this.#report;
  }

  #step(): void {
    const random = this.#random;
    if (this.task.skipsConfirm) {
      // One hash for all, and nothing else: a torn read is met often enough to be met in any run.
      if (random.below(2) === 0) this.#readPair(0);
      else this.#writePair(0);
      return;
    }
    const kind = random.below(1000), number = random.below(SHARED_HASHES);
    if (kind < 450) this.#readPair(number);
    else if (kind < 650) this.#writePair(number);
    else if (kind < 950) this.#changeOwn(this.#own[random.below(OWN_HASHES)]);
    else if (kind < 970) this.#walk(number);
    else if (kind < 972) this.#removeShared(number);
    else if (kind === 999) this.#store.reclaim(Date.now());
    else this.#removePair(number);
  }

  #fieldsOf(number: number): number {
    return number % 2 === 0 ? SMALL_FIELDS : LARGE_FIELDS;
  }

  // ---- shared: fields 2i and 2i + 1 are written together, with one counter ----------------------------

  #writePair(number: number): void {
    const key = this.#keys[number], shard = this.#store.shardOf(key.hash), hash = this.#hash;
    const pair = this.#random.below(this.#fieldsOf(number) / 2) * 2, counter = ++this.#counter;
    this.#store.lockChange(shard);
    // Later than the moment at which the hash is opened: what has expired by then is not removed by its name.
    const nowMs = Date.now();
    const expiresAtMs = this.#random.below(4) === 0 ? nowMs + 1 + this.#random.below(200) : 0;
    const isNew = !this.#open(shard, key, nowMs);
    let isStored = !isNew || hash.prepare(shard, key, 200, 0, nowMs);
    const isMade = isNew && isStored;
    for (const field of [pair, pair + 1]) {
      if (!isStored) break;
      const bytes = this.#first.subarray(0, 16 + this.#random.below(BYTES_MAX));
      writeValue(bytes, number * 100_000 + pair, counter, bytes.length);
      isStored = this.#set(hash, `field:${field}`, bytes, expiresAtMs);
    }
    // Half a pair, for want of memory, is none.
    if (!isStored && !isMade && !isNew) this.#removeBoth(hash, pair);
    if (isMade) {
      if (isStored) hash.link(key, 0);
      else hash.discard();
    } else if (!isNew && hash.fieldCount === 0) entries.removeAt(shard, hash.slot, hash.ref);
    this.#store.unlockChange(shard);
    this.#count(isStored ? "writes" : "refused");
  }

  #removePair(number: number): void {
    const key = this.#keys[number], shard = this.#store.shardOf(key.hash), hash = this.#hash;
    const pair = this.#random.below(this.#fieldsOf(number) / 2) * 2;
    this.#store.lockChange(shard);
    if (this.#open(shard, key, Date.now())) {
      this.#removeBoth(hash, pair);
      if (hash.fieldCount === 0) entries.removeAt(shard, hash.slot, hash.ref);
      this.#count("removals");
    }
    this.#store.unlockChange(shard);
  }

  #removeBoth(hash: Hash, pair: number): void {
    for (const field of [pair, pair + 1]) {
      const name = valueRange(bytesOf(`field:${field}`));
      hash.remove(name.view, name.start, name.end);
    }
  }

  #removeShared(number: number): void {
    const key = this.#keys[number], shard = this.#store.shardOf(key.hash);
    this.#store.lockChange(shard);
    const ref = this.#store.findForChange(shard, key, Date.now());
    if (ref !== 0) entries.removeFound(shard, ref);
    this.#store.unlockChange(shard);
  }

  /** Opens a shared hash for changes, its expired fields removed; false if there is none. */
  #open(shard: Shard, key: KeyRange, nowMs: number): boolean {
    const hash = this.#hash, ref = this.#store.findForChange(shard, key, nowMs);
    if (ref === 0) return false;
    hash.openForChange(shard, ref, shard.slot, key.hash, nowMs);
    if (hash.reap() > 0) this.#count("reaps");
    if (hash.fieldCount > 0) return true;
    entries.removeAt(shard, hash.slot, hash.ref);
    return false;
  }

  #set(hash: Hash, field: string, value: Uint8Array, expiresAtMs: number): boolean {
    const name = valueRange(bytesOf(field)), range = valueRange(value);
    const { view, start, end } = name;
    const result = hash.set(
      view,
      start,
      end,
      range.bytes,
      range.view,
      range.start,
      range.end,
      expiresAtMs,
    );
    return result >= 0;
  }

  /** Both fields as of one moment, without lock: both are there with the same counter, or neither is. */
  #readPair(number: number): void {
    const key = this.#keys[number], { shard, begun } = this.#begin(key);
    const pair = this.#random.below(this.#fieldsOf(number) / 2) * 2;
    // A moment before all that expires in this run, or after it: both fields of a pair expire together.
    for (let tries = 0, at = begun; tries < READ_TRIES_MAX; tries++) {
      const first = this.#copy(shard, key, pair, this.#first);
      const second = this.#copy(shard, key, pair + 1, this.#second);
      if (!this.task.skipsConfirm && !this.#store.confirmRead(shard, at)) {
        at = this.#store.beginRead(shard);
        this.#count("repeats");
        continue;
      }
      this.#count("reads");
      if (first < 0 && second < 0) return;
      const one = first < 0 ? "absent" : readValue(this.#first, number * 100_000 + pair, first);
      const two = second < 0 ? "absent" : readValue(this.#second, number * 100_000 + pair, second);
      if (one !== two || typeof one === "string") {
        this.#offence(`pair ${pair} of shared ${number}: ${one}, ${two}`);
      }
      return;
    }
    this.#count("given up");
  }

  #begin(key: KeyRange): { shard: Shard; begun: number } {
    const shard = this.#store.shardOf(key.hash);
    return { shard, begun: this.#store.beginRead(shard) };
  }

  /** Length of the field's value, −1 if it is absent. What it gives is worth nothing before it is confirmed. */
  #copy(shard: Shard, key: KeyRange, field: number, target: Uint8Array): number {
    const hash = this.#hash, ref = this.#store.find(shard, key, 1, 1);
    if (ref === 0) return -1;
    hash.open(shard, ref, 1);
    const name = valueRange(bytesOf(`field:${field}`));
    if (!hash.find(name.view, name.start, name.end)) return -1;
    const { valueWord, valueBytes } = hash.place;
    target.set(shard.u8.subarray(valueWord * 4, valueWord * 4 + valueBytes));
    return valueBytes;
  }

  /** All fields under the lock for reading: as many as are counted, each with a whole value. */
  #walk(number: number): void {
    const key = this.#keys[number], shard = this.#store.shardOf(key.hash), hash = this.#hash;
    this.#store.lockReading(shard);
    const ref = this.#store.find(shard, key, 1, 1);
    if (ref !== 0) {
      hash.open(shard, ref, 1);
      let met = 0;
      for (hash.rewind(); hash.next(); met++) {
        const { nameWord, nameBytes, valueWord, valueBytes } = hash.place;
        const name = String.fromCharCode(...shard.u8.slice(nameWord * 4, nameWord * 4 + nameBytes));
        const pair = Number(name.slice(6)) & ~1;
        this.#first.set(shard.u8.subarray(valueWord * 4, valueWord * 4 + valueBytes));
        const found = readValue(this.#first, number * 100_000 + pair, valueBytes);
        if (typeof found === "string") this.#offence(`${name} of shared ${number}: ${found}`);
      }
      if (met !== hash.fieldCount) this.#offence(`${met} fields met, ${hash.fieldCount} counted`);
      this.#count("walks");
    }
    this.#store.unlockReading(shard);
  }

  // ---- own -------------------------------------------------------------------------------------------

  /** Some grow large and shrink, as fields are drawn from few or from many. */
  #changeOwn(model: HashModel): void {
    const random = this.#random, isLarge = random.below(40) !== 0;
    const field = bytesOf(`field:${random.below(isLarge ? 3_000 : 40)}`), kind = random.below(10);
    // In turns of a few thousand changes there is more added than removed, and the other way round.
    const removes = (this.#report.counts.own ?? 0) % 8_000 < 4_000 ? 3 : 7;
    if (kind < removes) model.remove(field);
    else if (kind === 9) model.expire(field, Date.now() + 1e9);
    else model.set(field, random.bytes(random.below(60)), 0);
    this.#count("own");
  }

  #compareOwn(model: HashModel): void {
    const shard = this.#access.shardOf(this.#access.key(model.name));
    this.#store.lockReading(shard);
    try {
      model.compare(0);
    } catch (error) {
      this.#offence(`${String(model.name)}: ${(error as Error).message}`);
    }
    this.#store.unlockReading(shard);
  }

  #count(what: string): void {
    this.#report.counts[what] = (this.#report.counts[what] ?? 0) + 1;
  }

  #offence(what: string): void {
    if (this.#report.offences++ < EXAMPLES_MAX) this.#report.examples.push(what);
  }
}
