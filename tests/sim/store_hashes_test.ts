// Hashes against a model: random operations, small to large and back, invariants of the whole store after each phase.
import assert from "node:assert/strict";
import fc from "fast-check";
import { Evictor } from "../../src/store/store.ts";
import { ALLKEYS_RANDOM } from "../../src/eviction_policies.ts";
import { bytesOf, HashModel } from "../support/hash_model.ts";
import { openStore, randomFrom, valueRange } from "../support/store_access.ts";
import { nameRange } from "../support/store_hashes.ts";
import { checkInvariants } from "../support/store_invariants.ts";

const SMALL_STORE = { maxmemoryBytes: 7 * 2 ** 20, shardCount: 1 };

/** An entry of no words is the first of its heap, by itself and after the heap was closed up. */
const EMPTY_FIRST: [Uint8Array, Uint8Array, string][] = [
  [new Uint8Array(0), new Uint8Array(0), "set"],
  [bytesOf("field:1"), new Uint8Array(900), "set"],
  [bytesOf("field:1"), new Uint8Array(1_300), "set"],
  [new Uint8Array(0), new Uint8Array(0), "set"],
  [bytesOf("field:1"), new Uint8Array(9), "set"],
];

/** Large for a moment: the order in which its fields came is not known afterwards. */
const LARGE_THEN_SMALL: [Uint8Array, Uint8Array, string][] = [
  [new Uint8Array(1), new Uint8Array(0), "set"],
  [bytesOf("field:4"), new Uint8Array(8_020), "set"],
  [bytesOf("field:0"), new Uint8Array(136), "set"],
  [bytesOf("field:4"), new Uint8Array(0), "remove"],
];

Deno.test("set() keeps any names and values, and the order of a small hash", () => {
  const access = openStore(SMALL_STORE);
  let number = 0;
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.oneof(
            fc.uint8Array({ maxLength: 40 }),
            fc.uint8Array({ minLength: 28, maxLength: 34 }),
            fc.nat(20).map((n) => bytesOf(`field:${n}`)),
          ),
          fc.oneof(
            fc.uint8Array({ maxLength: 20 }),
            fc.uint8Array({ minLength: 120, maxLength: 132 }),
            fc.nat(15_000).map((n) => new Uint8Array(n).fill(n)),
          ),
          fc.constantFrom("set", "set", "set", "remove", "expire", "persist", "keep"),
        ),
        { maxLength: 60 },
      ),
      (steps) => {
        const model = new HashModel(access, `hash:${number++}`);
        for (const [field, value, what] of steps) {
          if (what === "remove") model.remove(field);
          else if (what === "expire") model.expire(field, 5_000 + value.length);
          else if (what === "persist") model.expire(field, 0);
          else assert.ok(model.set(field, value, what === "keep" ? -1 : 0));
        }
        model.compare(0, true);
        checkInvariants(access.store);
        access.remove(`hash:${number - 1}`);
      },
    ),
    { numRuns: 100, examples: [[EMPTY_FIRST], [LARGE_THEN_SMALL]] },
  );
  checkInvariants(access.store);
});

Deno.test("set() and remove() make a small hash large, larger and small again", () => {
  const access = openStore(SMALL_STORE), random = randomFrom(7);
  for (const count of [60, 200, 9_000]) {
    const model = new HashModel(access, `hash of ${count}`);
    for (let i = 0; i < count; i++) {
      assert.ok(model.set(bytesOf(`field:${i}`), random.bytes(random.below(40)), 0));
    }
    model.compare(0);
    const census = checkInvariants(access.store);
    assert.equal(census.fields, count);
    // Overwritten with values of other lengths, so that entries move within segments and out of them.
    for (let i = 0; i < count; i++) {
      assert.ok(
        model.set(bytesOf(`field:${random.below(count)}`), random.bytes(random.below(300)), 0),
      );
    }
    model.compare(0);
    checkInvariants(access.store);
    for (let i = 0; i < count; i++) {
      model.remove(bytesOf(`field:${i}`));
      if (i % Math.ceil(count / 8) === 0) {
        model.compare(0);
        checkInvariants(access.store);
      }
    }
    model.compare(0);
    assert.equal(checkInvariants(access.store).entries, 0);
  }
});

Deno.test("set() keeps many fields of the largest size", () => {
  const access = openStore(SMALL_STORE),
    model = new HashModel(access, "hash"),
    random = randomFrom(3);
  for (let i = 0; i < 300; i++) {
    assert.ok(model.set(bytesOf(`field:${i}`), random.bytes(15_360 - 9 - random.below(3_000)), 0));
  }
  model.compare(0);
  checkInvariants(access.store);
  for (let i = 0; i < 300; i++) {
    assert.ok(model.set(bytesOf(`field:${i}`), random.bytes(random.below(15_000)), 9_000 + i));
  }
  model.compare(0);
  checkInvariants(access.store);
  for (let i = 0; i < 300; i += 2) model.remove(bytesOf(`field:${i}`));
  model.compare(9_100);
  checkInvariants(access.store);
});

Deno.test("fields expire by a clock, swept or met by a change, and the key goes with the last", () => {
  for (const count of [10, 100, 2_000]) {
    const access = openStore(SMALL_STORE), model = new HashModel(access, "hash");
    const random = randomFrom(count);
    for (let i = 0; i < count; i++) {
      const expiresAtMs = random.below(3) === 0 ? 0 : 1_000 + random.below(1_000);
      assert.ok(model.set(bytesOf(`field:${i}`), random.bytes(9), expiresAtMs, 500));
    }
    const shard = access.shardOf(access.key("hash"));
    for (let nowMs = 900; nowMs <= 2_100; nowMs += 50) {
      model.compare(nowMs);
      const isSwept = random.below(2) === 0;
      if (isSwept) {
        access.store.sweepAll(shard, nowMs);
        assert.ok(!access.store.isDue(shard, nowMs), "all that was due is gone");
        assert.equal(checkInvariants(access.store).fields, model.live(nowMs).length);
      }
      for (let i = 0; i < 5; i++) {
        const field = bytesOf(`field:${random.below(count)}`);
        model.expire(field, random.below(2) === 0 ? 0 : nowMs + random.below(400), nowMs);
      }
      checkInvariants(access.store);
    }
    for (let i = 0; i < count; i++) model.expire(bytesOf(`field:${i}`), 5_000, 2_100);
    access.store.sweepAll(shard, 5_000);
    assert.equal(checkInvariants(access.store).entries, 0);
  }
});

Deno.test("fields that were to expire, and are not any more, expire again in whatever form the hash is by then", () => {
  const access = openStore(SMALL_STORE), random = randomFrom(11);
  for (const [few, many] of [[20, 200], [200, 900], [300, 60], [100, 20]]) {
    const model = new HashModel(access, `from ${few} to ${many}`), value = () => random.bytes(9);
    const check = () => {
      model.compare(0);
      checkInvariants(access.store);
    };
    // Their entries keep the room for a moment, and none of the others has it.
    for (let i = 0; i < few; i++) assert.ok(model.set(bytesOf(`field:${i}`), value(), 5_000));
    for (let i = 0; i < few; i++) model.expire(bytesOf(`field:${i}`), 0);
    check();
    for (let i = few; i < many; i++) assert.ok(model.set(bytesOf(`field:${i}`), value(), 0));
    for (let i = few - 1; i >= many; i--) model.remove(bytesOf(`field:${i}`));
    check();
    for (let i = 0; i < many; i++) {
      model.expire(bytesOf(`field:${i}`), 6_000 + i);
      if (i % 16 === 0) check();
    }
    check();
  }
});

Deno.test("a hash whose fields have expired is made anew by the next change", () => {
  const access = openStore(SMALL_STORE), model = new HashModel(access, "hash");
  model.set(bytesOf("a"), bytesOf("1"), 1_000);
  model.set(bytesOf("b"), bytesOf("2"), 1_000);
  model.set(bytesOf("c"), bytesOf("3"), 0, 2_000);
  model.compare(2_000, true);
  assert.equal(model.fields.size, 1);
  assert.equal(checkInvariants(access.store).fields, 1);
});

Deno.test("scan() meets all fields that stay, while others come and go", () => {
  const access = openStore(SMALL_STORE),
    model = new HashModel(access, "hash"),
    random = randomFrom(5);
  for (let i = 0; i < 2_000; i++) model.set(bytesOf(`stays:${i}`), random.bytes(8), 0);
  for (let i = 0; i < 6_000; i++) model.set(bytesOf(`goes:${i}`), random.bytes(8), 0);
  const { store } = access,
    key = access.key("hash"),
    shard = access.shardOf(key),
    met = new Set<string>();
  const hash = store.createHash();
  let cursor = 0, steps = 0;
  do {
    hash.open(shard, store.find(shard, key, 0, 0), 0);
    cursor = hash.scan(cursor, 10, ({ shard: { u8 }, place: { nameWord, nameBytes } }) => {
      met.add(String.fromCharCode(...u8.subarray(nameWord * 4, nameWord * 4 + nameBytes)));
    });
    assert.ok(cursor >= 0 && cursor < 2 ** 32);
    // It shrinks in the first half of the scan, and grows in the second.
    for (let i = 0; i < 60; i++) {
      const field = bytesOf(`goes:${random.below(6_000)}`);
      if (steps < 100) model.remove(field);
      else model.set(field, random.bytes(8), 0);
    }
    steps++;
  } while (cursor !== 0);
  assert.ok(steps > 50, `${steps} steps`);
  for (let i = 0; i < 2_000; i++) assert.ok(met.has(`stays:${i}`), `stays:${i} was missed`);
  checkInvariants(store);
});

Deno.test("parts are moved out of sparse pages, and their owners find them", () => {
  const access = openStore({ maxmemoryBytes: 7 * 2 ** 20, shardCount: 1 }),
    random = randomFrom(11);
  const models: HashModel[] = [];
  for (let i = 0; i < 160; i++) {
    models.push(new HashModel(access, `hash:${i}`));
  }
  // In turns, so that their parts lie side by side.
  for (let field = 0; field < 300; field++) {
    for (const model of models) {
      assert.ok(model.set(bytesOf(`field:${field}`), new Uint8Array(24), 0));
    }
  }
  for (let i = 0; i < 160; i++) if (i % 4 !== 0) access.remove(`hash:${i}`);
  const [shard] = access.store.shards, before = access.store.totals().recordsMoved;
  for (let round = 0; round < 60; round++) {
    access.store.reclaim(0);
    const model = models[random.below(40) * 4];
    model.set(bytesOf(`field:${random.below(300)}`), random.bytes(random.below(60)), 0);
    if (round % 10 === 0) checkInvariants(access.store);
  }
  const moved = access.store.totals().recordsMoved - before;
  assert.ok(moved > 100, `${moved} records were moved`);
  for (let i = 0; i < 160; i += 4) models[i].compare(0);
  assert.equal(shard.words[4], 40);
  checkInvariants(access.store);
});

Deno.test("DEL, a string in its place, flush and eviction free all of a hash", () => {
  const access = openStore({ maxmemoryBytes: 2 ** 21, shardCount: 2 }), { store } = access;
  const empty = checkInvariants(store).liveSlotBytes;
  const fill = (name: string, database = 0, fields = 1_500) => {
    const model = new HashModel(access, name, database);
    for (let i = 0; i < fields; i++) {
      if (!model.set(bytesOf(`field:${i}`), new Uint8Array(40), 0)) return false;
    }
    return true;
  };
  const nothing = () => assert.equal(checkInvariants(store).liveSlotBytes, empty);
  assert.ok(fill("hash"));
  assert.ok(access.remove("hash"));
  nothing();
  assert.ok(fill("hash"));
  assert.ok(access.put("hash", bytesOf("a string")));
  assert.ok(access.remove("hash"));
  nothing();
  assert.ok(fill("hash", 3));
  assert.ok(fill("other", 4));
  store.flush(3);
  assert.equal(checkInvariants(store).entries, 1);
  store.flush(-1);
  nothing();
  const evictor = new Evictor(store, null);
  evictor.begin(ALLKEYS_RANDOM, 0, false);
  let refused = 0;
  for (let i = 0; i < 40; i++) {
    for (let tries = 0; !fill(`hash:${i}`) && tries < 20; tries++) {
      refused++;
      for (const shard of store.shards) {
        store.lockChange(shard);
        evictor.makeRoom(shard, tries);
        store.unlockChange(shard);
      }
      // What was made of it before memory ran out may be evicted or not.
      access.remove(`hash:${i}`);
    }
  }
  assert.ok(refused > 0, "memory ran out");
  checkInvariants(store);
  store.flush(-1);
  nothing();
});

Deno.test("a change that finds no memory leaves the hash as it was", () => {
  const access = openStore({ maxmemoryBytes: 3 * 2 ** 20, shardCount: 1 }), { store } = access;
  const random = randomFrom(2), models = [new HashModel(access, "a"), new HashModel(access, "b")];
  for (let i = 0; models[0].refused + models[1].refused < 300; i++) {
    const model = models[random.below(2)], field = bytesOf(`field:${random.below(i + 5)}`);
    const what = random.below(20);
    if (what === 0) model.remove(field);
    else if (what === 1) model.expire(field, 1_000 + random.below(100));
    else model.set(field, random.bytes(random.below(random.below(10) === 0 ? 3_000 : 60)), 0);
    if (i % 500 === 0) checkInvariants(store);
  }
  checkInvariants(store);
  for (const model of models) model.compare(0);
});

Deno.test("makeRoom() keeps memory for many fields, whatever other threads take before they are set", () => {
  const access = openStore(SMALL_STORE), { store } = access, random = randomFrom(11);
  const model = new HashModel(access, "large"), key = access.key("large"), { hash } = model;
  for (let i = 0; i < 2_000; i++) assert.ok(model.set(bytesOf(`field:${i}`), random.bytes(20), 0));
  const shard = store.shardOf(key.hash);
  for (let round = 0; round < 10; round++) {
    const fields = Array.from({ length: 400 }, (_, i) => ({
      name: nameRange(`more:${round}:${i}:${"n".repeat(random.below(30))}`),
      value: valueRange(random.bytes(random.below(i % 50 === 0 ? 3_000 : 200))),
    }));
    const each = fields.map(({ name, value }) =>
      hash.wordsFor(name.end - name.start, value.end - value.start, false)
    );
    store.lockChange(shard);
    const ref = store.findForChange(shard, key, 0);
    hash.openForChange(shard, ref, shard.slot, key.hash, 0);
    const words = each.reduce((sum, one) => sum + one, 0);
    assert.ok(hash.makeRoom(words, Math.max(...each), fields.length));
    let taken = 0;
    while (shard.account.take(1)) taken++;
    for (const { name, value } of fields) {
      const result = hash.set(
        name.view,
        name.start,
        name.end,
        value.bytes,
        value.view,
        value.start,
        value.end,
        0,
      );
      assert.equal(result, 1, `round ${round}`);
    }
    hash.endRoom();
    shard.account.give(taken);
    assert.equal(hash.fieldCount, 2_000 + (round + 1) * fields.length);
    store.unlockChange(shard);
    checkInvariants(store);
    assert.equal(shard.grantedUnits, 0);
  }
});
