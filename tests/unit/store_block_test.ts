// Blocks: what is pinned stays as it was, whatever becomes of its key; every page comes back.
import assert from "node:assert/strict";
import * as L from "../../src/store/layout.ts";
import type { PinnedBlock } from "../../src/store/store.ts";
import { entries } from "../../src/store/store.ts";
import { openStore, randomFrom, type StoreAccess, valueRange } from "../support/store_access.ts";
import { checkInvariants } from "../support/store_invariants.ts";

function pin(access: StoreAccess, name: string): PinnedBlock {
  const key = access.key(name), shard = access.shardOf(key), { store } = access;
  store.lockReading(shard);
  const block = store.pin(shard, store.find(shard, key, 0, 0));
  store.unlockReading(shard);
  return block;
}

function read(block: PinnedBlock, pieceBytesMax: number): Uint8Array {
  const bytes = new Uint8Array(block.lengthBytes);
  for (let done = 0; done < bytes.length;) {
    const piece = block.piece(done, pieceBytesMax);
    assert.ok(piece.length > 0 && piece.length <= pieceBytesMax, `a piece of ${piece.length}`);
    bytes.set(piece, done);
    done += piece.length;
  }
  return bytes;
}

function usedPages(access: StoreAccess): number {
  return access.store.totals().pageBytes / L.PAGE_BYTES;
}

Deno.test("a pinned block keeps its bytes through overwrite, removal, append and flush", () => {
  const changes: ((access: StoreAccess) => void)[] = [
    (access) => assert.ok(access.put("k", randomFrom(2).bytes(150_000))),
    (access) => assert.ok(access.put("k", new Uint8Array(5))),
    (access) => assert.ok(access.remove("k")),
    (access) => assert.ok(access.append("k", randomFrom(3).bytes(200_000))),
    (access) => access.store.flush(-1),
    (access) => access.store.flush(0),
  ];
  for (const [number, change] of changes.entries()) {
    const access = openStore({ shardCount: 1 }), value = randomFrom(number).bytes(200_001);
    assert.ok(access.put("k", value));
    const first = pin(access, "k"), second = pin(access, "k");
    change(access);
    for (let i = 0; i < 40; i++) access.put(`other-${i}`, randomFrom(i).bytes(60_000));
    checkInvariants(access.store);
    assert.equal(access.store.totals().pinnedBlocks, 2);
    assert.deepEqual(read(first, 65_536), value, `change ${number}`);
    first.release();
    assert.deepEqual(read(second, 999), value, `change ${number}, second pin`);
    second.release();
    const census = checkInvariants(access.store);
    assert.equal(census.deadBlocks, 0);
    access.store.flush(-1);
    assert.equal(usedPages(access), 0, `change ${number}: pages left`);
    checkInvariants(access.store);
  }
});

Deno.test("piece() gives every byte once, backwards too, over pages that are not neighbours", () => {
  const access = openStore({ shardCount: 1 });
  for (let i = 0; i < 12; i++) assert.ok(access.put(`gap-${i}`, new Uint8Array(60_000)));
  for (let i = 0; i < 12; i += 2) assert.ok(access.remove(`gap-${i}`));
  const value = randomFrom(4).bytes(8 * L.PAGE_BYTES + 17);
  assert.ok(access.put("k", value));
  const block = pin(access, "k");
  for (const most of [1_000, L.PAGE_BYTES, 3 * L.PAGE_BYTES + 1, 2 ** 30]) {
    assert.deepEqual(read(block, most), value, `pieces of ${most}`);
  }
  for (let offset = value.length - 1; offset >= 0; offset -= 4_099) {
    const piece = block.piece(offset, 7);
    assert.deepEqual(
      [...piece],
      [...value.subarray(offset, offset + piece.length)],
      `at ${offset}`,
    );
  }
  block.release();
  checkInvariants(access.store);
});

Deno.test("stage() and discard() leave nothing behind, nor does a stage that is refused", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 4 * 2 ** 20 });
  const [shard] = access.store.shards;
  const staged = access.store.stage(shard, 1_000_000);
  assert.ok(staged);
  assert.equal(checkInvariants(access.store).stagedBlocks, 1);
  access.store.flush(-1); // what is being filled stays with its owner
  assert.equal(checkInvariants(access.store).stagedBlocks, 1);
  assert.equal(access.store.stage(shard, 3_500_000), null);
  assert.equal(usedPages(access), 16);
  staged.discard();
  staged.discard();
  assert.equal(usedPages(access), 0);
  checkInvariants(access.store);
  assert.ok(access.put("k", new Uint8Array(3_500_000)));
});

Deno.test("append() grows a block page by page, and a refused one leaves its value alone", () => {
  const access = openStore({ shardCount: 1, maxmemoryBytes: 4 * 2 ** 20 });
  const random = randomFrom(8);
  let value = random.bytes(16_000);
  assert.ok(access.put("k", value, { expiresAtMs: 99 }));
  let refused = 0;
  for (let i = 0; i < 60; i++) {
    const added = random.bytes(1 + random.below(150_000));
    if (!access.append("k", added)) {
      refused++;
      assert.deepEqual(access.get("k"), value, `append ${i} was refused`);
      checkInvariants(access.store);
      continue;
    }
    const longer = new Uint8Array(value.length + added.length);
    longer.set(value), longer.set(added, value.length);
    value = longer;
    assert.deepEqual(access.get("k"), value, `append ${i}`);
    checkInvariants(access.store);
  }
  assert.ok(refused > 0 && value.length > 2_000_000, `${refused} refused, ${value.length} bytes`);
  assert.deepEqual(access.store.entryCounts(0), { entries: 1, expiring: 1 });
  assert.ok(access.remove("k"));
  assert.equal(usedPages(access), 0);
});

Deno.test("discardPrepared() takes the record back and leaves the block to its owner", () => {
  const access = openStore({ shardCount: 1 }), { store } = access;
  const key = access.key("k"), shard = access.shardOf(key);
  const block = store.stage(shard, 100_000);
  assert.ok(block);
  store.lockChange(shard);
  const made = entries.prepareBlock(shard, key, block, 0);
  const small = entries.prepareString(shard, key, valueRange(new Uint8Array(9)), 5);
  assert.ok(made !== 0 && small !== 0);
  entries.discardPrepared(shard, made);
  entries.discardPrepared(shard, small);
  store.unlockChange(shard);
  assert.equal(checkInvariants(store).stagedBlocks, 1);
  block.discard();
  assert.equal(usedPages(access), 0);
  checkInvariants(store);
});
