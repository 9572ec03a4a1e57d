// The store's hot operations one by one: hash, look-up, overwrite, put and remove, slots. No engine, no socket.
//
// MAYFLY_BENCH_TOY makes the tables small: then it only proves that the benches run.
import { allocateSlot, freeSlot } from "../src/store/arena.ts";
import { createStoreMemory, entries, type Hash, type KeyRange, Store } from "../src/store/store.ts";

const isToy = Deno.env.get("MAYFLY_BENCH_TOY") !== undefined;
const COUNTS = isToy ? [1_000, 10_000] : [100_000, 1_000_000];
/** Keys per call, so that the timer's own cost does not show; a power of two. */
const BATCH = isToy ? 16 : 1_024;
const KEY_BYTES = 16;
const PADDED_BYTES = KEY_BYTES + 4;

/** A store with `count` entries of 64 bytes, and keys in random order: one view, offsets for each. */
class Filled {
  readonly store: Store;
  readonly view: DataView;
  readonly key: KeyRange;
  readonly value = valueOf(64);
  readonly order: Int32Array;
  at = 0;

  constructor(readonly count: number) {
    this.store = new Store(
      createStoreMemory({
        maxmemoryBytes: 512 * 2 ** 20,
        maxValueBytes: 2 ** 20,
        hashKey: [11, 7],
      }),
    );
    // The second half of the keys is never stored.
    const bytes = new Uint8Array(count * 2 * PADDED_BYTES);
    for (let i = 0; i < count * 2; i++) {
      new TextEncoder().encodeInto(
        `key:${i}`.padEnd(KEY_BYTES, "-"),
        bytes.subarray(i * PADDED_BYTES),
      );
    }
    this.view = new DataView(bytes.buffer);
    this.key = { hash: 0, database: 0, view: this.view, start: 0, end: 0 };
    this.order = shuffled(count);
    for (let i = 0; i < count; i++) if (!this.put(i)) throw new Error(`refused at ${i}`);
  }

  /** Makes `key` the one of that number. */
  use(number: number): KeyRange {
    const { key } = this;
    key.start = number * PADDED_BYTES;
    key.end = key.start + KEY_BYTES;
    key.hash = this.store.hash(this.view, key.start, key.end, 0);
    return key;
  }

  next(): number {
    this.at = this.at + 1 === this.count ? 0 : this.at + 1;
    return this.order[this.at];
  }

  put(number: number): boolean {
    const { store } = this, key = this.use(number), shard = store.shardOf(key.hash);
    store.lockChange(shard);
    const isStored = entries.putString(shard, key, this.value, 0, 1);
    store.unlockChange(shard);
    return isStored;
  }

  remove(number: number): void {
    const { store } = this, key = this.use(number), shard = store.shardOf(key.hash);
    store.lockChange(shard);
    entries.removeFound(shard, store.findForChange(shard, key, 0));
    store.unlockChange(shard);
  }

  /** Looks up without lock; gives whether it was there. */
  find(number: number): boolean {
    const { store } = this, key = this.use(number), shard = store.shardOf(key.hash);
    const begun = store.beginRead(shard);
    const ref = store.find(shard, key, 1, 1);
    return store.confirmRead(shard, begun) && ref !== 0;
  }
}

function valueOf(bytes: number) {
  const buffer = new Uint8Array(bytes + 4).fill(0x76);
  return { bytes: buffer, view: new DataView(buffer.buffer), start: 0, end: bytes };
}

function shuffled(count: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  let state = 12345;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const j = state % (i + 1), kept = order[i];
    order[i] = order[j], order[j] = kept;
  }
  return order;
}

const filled = new Map<number, Filled>();
function filledWith(count: number): Filled {
  let found = filled.get(count);
  if (found === undefined) filled.set(count, found = new Filled(count));
  return found;
}

/** One call does BATCH operations: divide the time shown by that. */
function bench(
  name: string,
  count: number,
  operation: (table: Filled, number: number) => void,
): void {
  const table = filledWith(count);
  Deno.bench({ name: `${name}, ${count} keys (x${BATCH})`, group: name }, () => {
    for (let i = 0; i < BATCH; i++) operation(table, table.next());
  });
}

let hits = 0;
{
  const table = filledWith(COUNTS[0]);
  Deno.bench({ name: `hash 16 bytes (x${BATCH})`, group: "hash" }, () => {
    for (let i = 0; i < BATCH; i++) {
      hits ^= table.store.hash(table.view, i * PADDED_BYTES, i * PADDED_BYTES + KEY_BYTES, 0);
    }
  });
}
for (const count of COUNTS) {
  bench("find hit", count, (table, number) => {
    if (!table.find(number)) throw new Error(`key ${number} is missing`);
  });
}
for (const count of COUNTS) {
  bench("find miss", count, (table, number) => {
    if (table.find(number + count)) throw new Error(`key ${number + count} was never stored`);
  });
}
for (const count of COUNTS) {
  bench("put, overwrite in place", count, (table, number) => {
    if (!table.put(number)) throw new Error(`key ${number} was refused`);
  });
}
for (const count of COUNTS) {
  bench("put and remove", count, (table, number) => {
    if (!table.put(number + count)) throw new Error(`key ${number} was refused`);
    table.remove(number + count);
  });
}

/** Hashes of 20 fields, or one with `fields`; names and values of 8 bytes, all found by the key's look-up first. */
class FilledHashes {
  readonly store = new Store(
    createStoreMemory({ maxmemoryBytes: 512 * 2 ** 20, maxValueBytes: 2 ** 20, hashKey: [11, 7] }),
  );
  readonly hash: Hash = this.store.createHash();
  readonly view: DataView;
  readonly key: KeyRange;
  readonly value = valueOf(8);
  readonly order: Int32Array;
  at = 0;

  constructor(readonly keys: number, readonly fields: number) {
    const count = Math.max(keys, fields), bytes = new Uint8Array(count * PADDED_BYTES);
    for (let i = 0; i < count; i++) {
      new TextEncoder().encodeInto(`f${i}`.padEnd(8, "-"), bytes.subarray(i * PADDED_BYTES));
    }
    this.view = new DataView(bytes.buffer);
    this.key = { hash: 0, database: 0, view: this.view, start: 0, end: 0 };
    this.order = shuffled(keys === 1 ? fields : keys);
    for (let key = 0; key < keys; key++) {
      for (let field = 0; field < fields; field++) this.set(key, field);
    }
  }

  next(): number {
    this.at = this.at + 1 === this.order.length ? 0 : this.at + 1;
    return this.order[this.at];
  }

  #use(number: number): KeyRange {
    const { key } = this;
    key.start = number * PADDED_BYTES;
    key.end = key.start + 8;
    key.hash = this.store.hash(this.view, key.start, key.end, 0);
    return key;
  }

  set(number: number, field: number): void {
    const { store, hash, value, view } = this, key = this.#use(number);
    const shard = store.shardOf(key.hash), start = field * PADDED_BYTES;
    store.lockChange(shard);
    const ref = store.findForChange(shard, key, 0);
    if (ref === 0) hash.prepare(shard, key, 8, 0, 0);
    else hash.openForChange(shard, ref, shard.slot, key.hash, 0);
    hash.set(view, start, start + 8, value.bytes, value.view, 0, 8, 0);
    if (ref === 0) hash.link(key, 1);
    store.unlockChange(shard);
  }

  find(number: number, field: number): boolean {
    const { store, hash, view } = this, key = this.#use(number), shard = store.shardOf(key.hash);
    const begun = store.beginRead(shard), start = field * PADDED_BYTES;
    hash.open(shard, store.find(shard, key, 1, 1), 1);
    return hash.find(view, start, start + 8) && store.confirmRead(shard, begun);
  }

  /** All fields of one hash, in the order in which they were written. */
  findAll(number: number): boolean {
    const { store, hash, view } = this, key = this.#use(number), shard = store.shardOf(key.hash);
    const begun = store.beginRead(shard);
    hash.open(shard, store.find(shard, key, 1, 1), 1);
    let isFound = true;
    for (let start = 0; start < this.fields * PADDED_BYTES; start += PADDED_BYTES) {
      if (!hash.find(view, start, start + 8)) isFound = false;
    }
    return isFound && store.confirmRead(shard, begun);
  }
}

{
  const small = new FilledHashes(isToy ? 100 : 20_000, 20);
  const large = new FilledHashes(1, isToy ? 1_000 : 100_000);
  const found = (isFound: boolean) => {
    if (!isFound) throw new Error("a field is missing");
  };
  Deno.bench({ name: `HGET, hashes of 20 fields (x${BATCH})`, group: "find hit" }, () => {
    for (let i = 0; i < BATCH; i++) found(small.find(small.next(), i % 20));
  });
  Deno.bench(
    { name: `HGET, a hash of ${large.fields} fields (x${BATCH})`, group: "find hit" },
    () => {
      for (let i = 0; i < BATCH; i++) found(large.find(0, large.next()));
    },
  );
  Deno.bench(
    { name: `HSET, hashes of 20 fields (x${BATCH})`, group: "put, overwrite in place" },
    () => {
      for (let i = 0; i < BATCH; i++) small.set(small.next(), i % 20);
    },
  );
  Deno.bench({
    name: `HSET, a hash of ${large.fields} fields (x${BATCH})`,
    group: "put, overwrite in place",
  }, () => {
    for (let i = 0; i < BATCH; i++) large.set(0, large.next());
  });
  Deno.bench({ name: `HMGET of 20 fields (x${BATCH / 4})`, group: "hash" }, () => {
    for (let i = 0; i < BATCH / 4; i++) found(small.findAll(small.next()));
  });
}
{
  const [shard] = filledWith(COUNTS[0]).store.shards, refs = new Int32Array(BATCH);
  Deno.bench({ name: `allocateSlot and freeSlot, 96 bytes (x${BATCH})`, group: "slots" }, () => {
    for (let i = 0; i < BATCH; i++) refs[i] = allocateSlot(shard, 12);
    for (let i = 0; i < BATCH; i++) freeSlot(shard, refs[i]);
  });
}
