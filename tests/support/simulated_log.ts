// Store, ring, log's writer and snapshots on a simulated disk, in one thread, with a model of what they hold.
//
// Commands are random entries, fields of hashes, removals, expiries, groups and flushes; the model keeps the state after each
// group, by its sequence, so that whatever a crash leaves can be compared. It knows no server. Longer than most files,
// because the model is changed where its command is made.

import assert from "node:assert/strict";
import { cleanUp } from "../../src/log/clean_up.ts";
import { LogWriter, makeSpare } from "../../src/log/log_writer.ts";
import { recover, type Recovered } from "../../src/log/recovery.ts";
import { InPlaceWriter } from "../../src/log/in_place_writer.ts";
import { ROLE_OF_LOG, ROLE_OF_WORKERS } from "../../src/log/log_board.ts";
import { createRingMemory, LOG_WORKING, Ring } from "../../src/log/ring.ts";
import { EffectRecorder } from "../../src/persistence/effect_recorder.ts";
import { EntryLoader } from "../../src/persistence/entry_loader.ts";
import { StoreParts } from "../../src/persistence/ring_parts.ts";
import { SnapshotKeeper } from "../../src/persistence/snapshot_keeper.ts";
import { record } from "../../src/store/store.ts";
import { type SimulatedDisk, Stopped } from "./simulated_disk.ts";
import { openStore, type Random, type StoreAccess, valueRange } from "./store_access.ts";
import { type HashField, type HashFields, nameRange, StoreHashes } from "./store_hashes.ts";

/** By key: value and expiry. */
type Model = ReadonlyMap<string, string>;

const KEYS = Array.from({ length: 12 }, (_, i) => `key:${i}`);
/** What a replay leaves of a hash whose last field it removes: one that expired long ago. */
const GONE_MS = 1;
/** So many fields lie in one piece; with more a hash gets a directory. */
const FEW_FIELDS = 20;
const MANY_FIELDS = 300;
const RING_BYTES = 1024 * 1024;
const GROUP_BYTES_MAX = 200_000;
/** Small enough that a few commands begin a new one. */
const SEGMENT_BYTES_MAX = 3000;
const SPARE_BYTES = 4096;
const SERVER_ID = new Uint8Array(16).fill(7);

/** What has been promised so far: the state after each group, and up to which one is on disk. */
export class Promises {
  readonly models = new Map<number, Model>([[0, new Map()]]);
  last = 0;
  synced = 0;
}

export class SimulatedLog {
  readonly ring = new Ring(createRingMemory(RING_BYTES, -3000));
  readonly writer: LogWriter;
  /** A worker's, which writes to the same segments. */
  readonly inPlace: InPlaceWriter;
  readonly keeper: SnapshotKeeper;
  readonly #recorder: EffectRecorder;
  readonly #hashes: StoreHashes;
  /** Groups whose sync is not known yet: their sequences, and where they end in the ring. */
  #open: { sequence: number; cursor: number }[] = [];
  #count = 0;

  private constructor(
    readonly disk: SimulatedDisk,
    readonly access: StoreAccess,
    readonly random: Random,
    readonly promises: Promises,
    firstSequence: number,
  ) {
    const { store } = access;
    this.#recorder = new EffectRecorder(store, this.ring);
    this.#hashes = new StoreHashes(access);
    this.writer = new LogWriter({
      disk,
      ring: this.ring,
      parts: new StoreParts(store),
      serverId: SERVER_ID,
      firstSequence,
      segmentBytesMax: SEGMENT_BYTES_MAX,
    });
    const ring = this.ring;
    this.inPlace = new InPlaceWriter(disk, ring, ROLE_OF_WORKERS, SEGMENT_BYTES_MAX);
    this.keeper = new SnapshotKeeper({
      disk,
      store,
      serverId: SERVER_ID,
      nowMs: () => 0,
      table: () => new Uint8Array(16).map((_, i) => i),
      pause: () => {
        if (this.random.below(40) === 0) this.command();
        if (this.random.below(80) === 0) this.#asWriter(() => this.writer.drain());
      },
      onStanding: (_made, sequence) => ring.setNumber("snapshotSequence", sequence),
      log: {
        rotate: () =>
          this.#asWriter(() => {
            this.writer.drain();
            this.writer.rotate();
          }),
        sync: () =>
          this.#asWriter(() => {
            assert.ok(this.writer.drainAll());
            if (this.writer.hasUnsynced) this.writer.sync();
          }),
        get failures() {
          return ring.failures;
        },
        get reason() {
          return ring.reason;
        },
        get segmentFirst() {
          return ring.number("segmentFirst");
        },
      },
    });
  }

  /** Starts as the server does: recovers, cleans up, begins a segment. Throws unless what is found was promised. */
  static start(
    disk: SimulatedDisk,
    random: Random,
    promises: Promises,
    access: StoreAccess,
  ): SimulatedLog {
    const nextSequence = check(disk, promises, access, (found) => cleanUp(disk, found));
    // What was lost is not promised any more.
    for (const sequence of promises.models.keys()) {
      if (sequence >= nextSequence) promises.models.delete(sequence);
    }
    promises.last = nextSequence - 1;
    const log = new SimulatedLog(disk, access, random, promises, nextSequence);
    log.#inRole(() => log.writer.open());
    return log;
  }

  /** One random step of a server's life. */
  step(): void {
    const roll = this.random.below(100);
    if (this.ring.state !== LOG_WORKING) {
      // A spare that was begun before the failure.
      if (roll < 20) this.#prefill();
      this.heal();
    } else if (roll < 60) this.command();
    else if (roll < 75) this.#asWriter(() => this.writer.drain());
    else if (roll < 82) this.sync();
    else if (roll < 88) this.#writeInPlace();
    else if (roll < 94) this.snapshot();
    else this.#prefill();
    this.noteSynced();
  }

  sync(): void {
    this.#asWriter(() => {
      this.writer.drain();
      if (this.writer.hasUnsynced) this.writer.sync();
    });
    this.noteSynced();
  }

  /** What a worker does whose replies wait. */
  #writeInPlace(): void {
    if (this.random.below(4) === 0) this.inPlace.tidy();
    const before = this.ring.head, isWritten = this.inPlace.write();
    // It takes any error for the disk's.
    if (this.disk.operations >= this.disk.stopAt) throw new Stopped();
    this.noteSynced();
    const { head } = this.ring;
    assert.equal(isWritten, head !== before && this.ring.isSynced(head), "written is synced");
  }

  /** Why not, or null. */
  snapshot(): string | null {
    let reason: string | null;
    try {
      reason = this.keeper.snapshot();
    } catch (error) {
      if (error instanceof Stopped) throw error;
      reason = (error as Error).message;
    }
    try {
      if (reason !== null) this.keeper.tidy();
    } catch (error) {
      if (error instanceof Stopped) throw error;
    }
    return reason;
  }

  close(): void {
    this.#asWriter(() => {
      this.writer.drain();
      this.writer.close();
    });
    this.noteSynced();
  }

  /** As the log's thread and the keeper do after a failure. */
  heal(): void {
    const { ring, writer } = this;
    if (ring.hasFailedInPlace) this.#asWriter(() => {});
    if (!writer.isOpen) {
      try {
        this.#inRole(() => {
          writer.discard();
          writer.reopen();
        });
      } catch (error) {
        if (error instanceof Stopped) throw error;
      }
      // All that is in memory counts once a snapshot stands.
      this.promises.last = writer.sequence - 1;
      this.promises.models.set(this.promises.last, this.#state());
      this.#open = [];
      return;
    }
    if (this.snapshot() !== null) return;
    if (ring.number("snapshotSequence") < ring.number("segmentFirst")) return;
    this.#asWriter(() => writer.serveAgain());
    if (ring.state !== LOG_WORKING) return;
    assert.ok(ring.isSynced(ring.tail), "a reader waits for what the failure took");
    this.promises.synced = this.promises.last;
  }

  /** A random command, as one group; refused while the log has failed. */
  command(): void {
    if (this.ring.state !== LOG_WORKING) return;
    const { access, random } = this, recorder = this.#recorder;
    assert.ok(recorder.admit(GROUP_BYTES_MAX, 0), "no room in the ring");
    const roll = random.below(100), key = KEYS[random.below(KEYS.length)];
    if (roll < 35) this.#put(key);
    else if (roll < 50) this.#changeHash(key);
    else if (roll < 65) {
      if (!access.remove(key)) return;
      recorder.remove(0, access.key(key));
    } else if (roll < 80) {
      const expiresAtMs = random.below(2) * (1e12 + random.below(1e9));
      if (!access.expire(key, expiresAtMs)) return;
      recorder.expire(0, access.key(key), expiresAtMs);
    } else if (roll < 97) {
      for (let i = random.below(8); i >= 0; i--) this.#put(KEYS[random.below(KEYS.length)]);
    } else {
      access.store.flush(-1);
      recorder.flush(-1);
    }
    recorder.publish();
    const sequence = ++this.promises.last;
    this.promises.models.set(sequence, this.#state());
    this.#open.push({ sequence, cursor: this.ring.tail });
  }

  noteSynced(): void {
    while (this.#open.length > 0 && this.ring.isSynced(this.#open[0].cursor)) {
      this.promises.synced = this.#open.shift()!.sequence;
    }
  }

  #put(key: string): void {
    const { access, random } = this, kind = random.below(20);
    const bytes = kind === 0 ? 20_000 : kind < 3 ? 1000 : random.below(40);
    const value = new TextEncoder().encode(`${key}#${++this.#count}${"v".repeat(bytes)}`);
    const expiresAtMs = random.below(3) === 0 ? 1e12 + random.below(1e9) : 0;
    assert.ok(access.put(key, value, { expiresAtMs }), "no memory");
    const range = access.key(key);
    this.#recorder.put(access.shardOf(range).number, range);
  }

  /** What commands on fields do: a hash that is made is told whole, one that loses its last field is removed. */
  #changeHash(name: string): void {
    const { access, random } = this, hashes = this.#hashes, recorder = this.#recorder;
    const key = access.key(name), shard = access.shardOf(key).number, old = hashes.get(key);
    const names = old === null ? [] : [...old.keys()], roll = random.below(10);
    if (old === null || roll === 0) {
      const count = random.below(4) === 0 ? MANY_FIELDS : 1 + random.below(FEW_FIELDS);
      const fields = Array.from({ length: count }, () => this.#field());
      assert.ok(hashes.put(key, fields, random.below(2) * 1e12), "no memory");
      recorder.put(shard, key);
    } else if (roll < 6) {
      const fields = Array.from({ length: 1 + random.below(5) }, () => this.#field());
      assert.ok(hashes.set(key, fields), "no memory");
      recorder.fields(shard, key, fields.length);
      for (const { name } of fields) {
        const told = hashes.get(key)!.get(name)!,
          from = nameRange(name),
          to = valueRange(told.value);
        const { expiresAtMs } = told;
        recorder.field(from.view, from.start, from.end, expiresAtMs, to.view, to.start, to.end);
      }
    } else if (roll < 8) {
      const gone = names.filter(() => random.below(names.length > FEW_FIELDS ? 8 : 2) < 7);
      if (gone.length === 0) gone.push(names[0]);
      if (hashes.remove(key, gone) === 0) return recorder.remove(shard, key);
      recorder.removeFields(shard, key, gone.length);
      for (const each of gone) {
        const { view, start, end } = nameRange(each);
        recorder.fieldName(view, start, end);
      }
    } else {
      const each = names[random.below(names.length)], range = nameRange(each);
      const expiresAtMs = random.below(2) * (1e12 + random.below(1e9));
      assert.ok(hashes.expire(key, each, expiresAtMs));
      recorder.expireFields(shard, key, 1);
      recorder.fieldExpiry(range.view, range.start, range.end, expiresAtMs);
    }
  }

  #field(): HashField {
    const { random } = this, bytes = random.below(30) === 0 ? 3000 : random.below(20);
    const expiresAtMs = random.below(4) === 0 ? 1e12 + random.below(1e9) : 0;
    const name = `field ${random.below(MANY_FIELDS * 2)}`;
    return { name, expiresAtMs, value: random.bytes(bytes) };
  }

  #prefill(): void {
    if (this.ring.number("hasSpare") !== 0) return;
    try {
      makeSpare(this.disk, SPARE_BYTES);
    } catch (error) {
      if (error instanceof Stopped) throw error;
      return;
    }
    this.#asWriter(() => {
      this.writer.spareIsReady();
      if (!this.writer.isPrefilled) this.writer.adoptSpare();
    });
  }

  #state(): Model {
    return stateOf(this.access);
  }

  /** What the log's thread does, and what it does when the disk fails; always answers. */
  #asWriter(run: () => void): boolean {
    if (!this.writer.isOpen) {
      this.#inRole(() => this.writer.discard());
      return true;
    }
    this.#inRole(() => {
      if (!this.writer.takeOver()) return;
      try {
        run();
      } catch (error) {
        if (error instanceof Stopped || error instanceof assert.AssertionError) throw error;
        this.noteSynced();
        this.writer.abandon();
        this.ring.setFailed((error as Error).message);
      }
    });
    return true;
  }

  #inRole(run: () => void): void {
    this.ring.waitForRole(ROLE_OF_LOG);
    try {
      run();
    } finally {
      this.ring.giveRole();
    }
  }
}

export function openSmallStore(): StoreAccess {
  // Few shards: the runtime does not count shared memory, so thousands of stores are collected late.
  return openStore({ shardCount: 2, maxmemoryBytes: 4 * 2 ** 20, maxValueBytes: 2 ** 17 });
}

/** Recovers into the store, which is emptied before, and throws unless that is a state that was promised; changes nothing by itself. */
export function check(
  disk: SimulatedDisk,
  promises: Promises,
  access: StoreAccess,
  then: (recovered: Recovered["ok"]) => void = () => {},
): number {
  access.store.flush(-1);
  const recovered = recover(disk, new EntryLoader(access.store, 1024, 0));
  if ("error" in recovered) assert.fail(`the start is refused: ${recovered.error}`);
  const sequence = recovered.ok.nextSequence - 1;
  assert.ok(
    sequence >= promises.synced,
    `up to ${sequence} is there, up to ${promises.synced} was promised`,
  );
  const expected = promises.models.get(sequence);
  assert.ok(expected !== undefined, `sequence ${sequence} was never given`);
  assert.deepEqual(stateOf(access), expected, `state after sequence ${sequence}`);
  then(recovered.ok);
  return recovered.ok.nextSequence;
}

function stateOf(access: StoreAccess): Model {
  const state = new Map<string, string>(), hashes = new StoreHashes(access);
  for (const name of KEYS) {
    const key = access.key(name), fields = hashes.get(key);
    const text = fields === null ? textOf(access.get(name)) : textOfFields(fields);
    if (text === null) continue;
    const shard = access.shardOf(key);
    const expiresAtMs = record.expiresAtMsOf(shard, access.store.find(shard, key, 0, 0));
    state.set(name, `${text} until ${expiresAtMs}`);
  }
  return state;
}

function textOf(value: Uint8Array | null): string | null {
  return value === null ? null : new TextDecoder().decode(value);
}

/** Null: nothing that will not have gone by the end. */
function textOfFields(fields: HashFields): string | null {
  const lines: string[] = [];
  for (const [name, { value, expiresAtMs }] of fields) {
    if (expiresAtMs !== GONE_MS) lines.push(`${name}=${value.toBase64()} until ${expiresAtMs}`);
  }
  return lines.length === 0 ? null : lines.sort().join("\n");
}
