// A read without lock over memory that is torn in every way: it ends, stays within the views and stores
// into nothing but the clock array.
import { isClock } from "../support/store_invariants.ts";
import assert from "node:assert/strict";
import * as L from "../../src/store/layout.ts";
import { hashes, INLINE_VALUE_BYTES_MAX, record, type Shard } from "../../src/store/store.ts";
import { bytesOf, HashModel } from "../support/hash_model.ts";
import { openStore, randomFrom, type StoreAccess, valueRange } from "../support/store_access.ts";

type Words = Int32Array | Float64Array | Uint8Array | Uint16Array;

/** The same array, but an index outside of it throws (as it is, it would only be slow for good). */
function guarded<T extends Words>(array: T, what: string, isWritable: boolean): T {
  const check = (property: string | symbol) => {
    if (typeof property === "symbol" || !/^[-\d.eE+]+$|^NaN$/.test(property)) return;
    const index = Number(property);
    if (!Number.isInteger(index) || index < 0 || index >= array.length) {
      throw new Error(`${what}[${property}] of ${array.length}`);
    }
  };
  return new Proxy(array, {
    get(target, property) {
      check(property);
      const value = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set(target, property, value) {
      check(property);
      if (!isWritable) throw new Error(`a reader stored into ${what}[${String(property)}]`);
      return Reflect.set(target, property, value, target);
    },
  });
}

/** Puts guards in the place of the shard's views. */
function guard(shard: Shard): void {
  Object.assign(shard, {
    buckets: guarded(shard.buckets, "buckets", false),
    clocks: guarded(shard.clocks, "clocks", true),
    pages: guarded(shard.pages, "pages", false),
    i32: guarded(shard.i32, "i32", false),
    f64: guarded(shard.f64, "f64", false),
    u8: guarded(shard.u8, "u8", false),
  });
}

function read(access: StoreAccess, name: string): void {
  const { store } = access, key = access.key(name), shard = access.shardOf(key);
  const loader = store.createLoader(1);
  loader.loadRecords(Int32Array.of(key.hash), new Int32Array(1), Int32Array.of(0), 1);
  const ref = store.find(shard, key, 1, 3);
  if (ref === 0) return;
  record.typeOf(shard, ref);
  record.isBlock(shard, ref);
  record.expiresAtMsOf(shard, ref);
  const length = Math.min(record.valueBytesOf(shard, ref), INLINE_VALUE_BYTES_MAX);
  const start = record.valueStartOf(shard, ref);
  assert.ok(start >= 0 && start + length <= shard.u8.length, `value at ${start}, ${length} bytes`);
}

/** Looks for the fields of a hash as look-ahead does, and by its hints and others; gives how many it found. */
function readHinted(access: StoreAccess, name: string): number {
  const { store } = access, { hash, database, view, start, end } = access.key(name);
  const shard = store.shardOf(hash), loader = store.createLoader(1);
  // An argument that is the key, and one that names a field.
  const argHash = Int32Array.of(hash, 0), slots = new Int32Array(2), at = Int32Array.of(0);
  loader.loadRecords(argHash, slots, at, 1);
  loader.loadHash(hash, slots[0]);
  let found = 0;
  for (let field = 0; field < 20; field++) {
    // Key and name of the field lie in one buffer, as in a request.
    const text = bytesOf(`field:${field}`), from = end + 8, to = from + text.length;
    const both = new Uint8Array(to + 8);
    both.set(new Uint8Array(view.buffer, 0, end));
    both.set(text, from);
    const request = new DataView(both.buffer);
    const starts = Int32Array.of(start, from), ends = Int32Array.of(end, to);
    loader.loadFields(argHash, slots, at, 1, request, starts, ends);
    for (const hint of [slots[1], field, -1, 2 ** 31 - 1]) {
      const ref = hashes.hintedField(
        shard,
        hash,
        database,
        request,
        start,
        end,
        slots[0],
        from,
        to,
        hint,
      );
      if (ref === 0) continue;
      found++;
      const bytes = hashes.shortValueBytes(shard.i32[shard.fieldSlot]);
      assert.ok(shard.valueStart >= 0 && shard.valueStart + bytes <= shard.u8.length);
    }
  }
  return found;
}

Deno.test("find() over torn memory ends, stays within its views and stores into clocks alone", () => {
  const seed = 404, random = randomFrom(seed);
  const access = openStore({ shardCount: 1, maxmemoryBytes: 2 ** 22, maxValueBytes: 0 });
  const [shard] = access.store.shards;
  const names = Array.from({ length: 2_000 }, (_, i) => `key-${i}`);
  for (const name of names) assert.ok(access.put(name, new Uint8Array(40)));
  const header = shard.words.slice(), buckets = shard.buckets.slice(), arena = shard.i32.slice();
  const { buckets: rawBuckets, i32: rawArena, words } = shard;
  guard(shard);
  let found = 0;
  for (let round = 0; round < 12; round++) {
    words.set(header), rawBuckets.set(buckets), rawArena.set(arena);
    const wild = () => [-1, 0, 2 ** 31 - 1, -(2 ** 31), random.below(2 ** 32) | 0][random.below(5)];
    if (round % 3 !== 1) {
      for (let i = 0; i < 8_000; i++) {
        // Hashes stay, so that the torn references beside them are followed.
        const base = L.BUCKET_BASE + random.below(header[L.BUCKETS]) * L.BUCKET_WORDS;
        const word = base + L.BUCKET_OVERFLOW + random.below(1 + L.BUCKET_SLOTS);
        // Some are right but for their highest bits: the key is found there.
        rawBuckets[word] = i % 2 === 0 ? wild() : rawBuckets[word] | (1 << (22 + random.below(10)));
      }
    }
    if (round % 3 !== 0) {
      words[L.BUCKETS] = wild(), words[L.HIGH_MASK] = wild();
      // Names stay in some words, lengths and the like do not.
      for (let i = 0; i < 20_000; i++) rawArena[random.below(200_000)] = wild();
    }
    const before = [words.slice(), rawBuckets.slice(), rawArena.slice()];
    for (const name of names) {
      read(access, name);
      if (shard.slot !== 0) found++;
    }
    for (const [number, now] of [words, rawBuckets, rawArena].entries()) {
      const changed = now.findIndex((word, at) =>
        word !== before[number][at] && (now === rawArena || !isClock(at))
      );
      assert.equal(changed, -1, `seed ${seed}: region ${number}, word ${changed}`);
    }
  }
  assert.ok(found > 0);
});

Deno.test("a hash over torn memory is read to an end, within its views, and nothing is stored", () => {
  const seed = 77, random = randomFrom(seed);
  const access = openStore({ shardCount: 1, maxmemoryBytes: 2 ** 22, maxValueBytes: 0 });
  const [shard] = access.store.shards, names: string[] = [];
  for (const [count, fields, expiring] of [[60, 20, 3], [60, 20, Infinity], [4, 500, 3]]) {
    for (let i = 0; i < count; i++) {
      const name = `hash of ${fields}, ${expiring}: ${i}`, model = new HashModel(access, name);
      names.push(name);
      for (let field = 0; field < fields; field++) {
        const value = new Uint8Array(random.below(200));
        model.set(bytesOf(`field:${field}`), value, field % expiring === 0 ? 5_000 + field : 0);
      }
    }
  }
  const arena = shard.i32.slice(), { i32: raw } = shard;
  const used = (L.ARENA_BASE_UNITS + shard.words[L.PAGE_BUMP] * L.PAGE_UNITS) * 2;
  guard(shard);
  const hash = access.store.createHash();
  let found = 0, hinted = 0;
  for (let round = 0; round < 8; round++) {
    raw.set(arena);
    const wild = () => [-1, 0, 2 ** 31 - 1, -(2 ** 31), random.below(2 ** 32) | 0][random.below(5)];
    for (let i = 0; i < 30_000; i++) {
      const word = random.below(used);
      // Keys stay in most records: what is torn is mostly what they lead to.
      raw[word] = random.below(2) === 0 ? wild() : raw[word] ^ (1 << random.below(32));
    }
    const before = raw.slice();
    for (const name of names) {
      hinted += readHinted(access, name);
      const key = access.key(name), ref = access.store.find(shard, key, 1, -1);
      if (ref === 0) continue;
      hash.open(shard, ref, 5_100);
      for (let field = 0; field < 20; field++) {
        const range = valueRange(bytesOf(`field:${field}`));
        if (!hash.find(range.view, range.start, range.end)) continue;
        found++;
        const { nameWord, nameBytes, valueWord, valueBytes } = hash.place;
        assert.ok(nameWord >= 0 && nameWord * 4 + nameBytes <= shard.u8.length);
        assert.ok(valueWord >= 0 && valueWord * 4 + valueBytes <= shard.u8.length);
      }
      if (hash.isLarge) continue;
      for (let index = 0; index < hash.plainCount; index++) hash.seeSlot(index);
      hash.liveCount();
      hash.random();
    }
    assert.equal(raw.findIndex((word, at) => word !== before[at]), -1, `seed ${seed}`);
  }
  assert.ok(found > 1_000, `${found} fields were found`);
  assert.ok(hinted > 30, `${hinted} fields were found by hints`);
});

Deno.test("find() ends on a chain that is a ring", () => {
  const access = openStore({ shardCount: 1 }), [shard] = access.store.shards;
  for (let bucket = 0; bucket <= shard.bucketMask; bucket++) {
    const base = L.BUCKET_BASE + bucket * L.BUCKET_WORDS;
    shard.buckets.fill(1, base, base + L.BUCKET_WORDS);
    shard.buckets[base + L.BUCKET_OVERFLOW] = bucket ^ 1;
  }
  for (let i = 0; i < 50; i++) {
    assert.equal(access.store.find(shard, access.key(`nobody-${i}`), 0, 0), 0);
  }
});

Deno.test("the last reference with the longest torn lengths lies within the arena's view", () => {
  for (const maxmemoryBytes of [2 ** 22, 2 ** 25]) {
    const [shard] = openStore({ shardCount: 1, maxmemoryBytes }).store.shards;
    const longest = shard.unitMask * 8 + L.RECORD_HEADER_BYTES + L.EXPIRY_BYTES + 65_536 +
      INLINE_VALUE_BYTES_MAX + 8;
    assert.ok(longest <= shard.u8.length, `${longest} of ${shard.u8.length}`);
    assert.ok(
      L.ARENA_BASE_UNITS + shard.pageCount * L.PAGE_UNITS - 1 <= shard.unitMask,
      "references fit",
    );
  }
});
