// A thread of the simulation of a store that is full: writes whatever sizes, reads without lock, lets entries go.
import { clockKindOf, EVICTION_POLICIES, isAdmissionOf } from "../../src/eviction_policies.ts";
import { accessStamp, Evictor, type StoreMemory } from "../../src/store/store.ts";
import { randomFrom, StoreAccess } from "../support/store_access.ts";
import { readValue, writeValue } from "./checked_value.ts";
import { OptimisticReader } from "./optimistic_reader.ts";

export interface EvictionTask {
  readonly memory: StoreMemory;
  readonly seed: number;
  readonly durationMs: number;
}

export interface EvictionReport {
  readonly offences: readonly string[];
  readonly written: number;
  readonly hits: number;
  readonly refused: number;
}

const KEYS = 30_000, VALUE_BYTES_MAX = 60_000, OFFENCES_MAX = 5;
const NOW_MS = Date.now(), LATER_MS = NOW_MS + 1e9;
/** Letting go in the write's own shard, then in all of them. */
const TRIES_MAX = 8, RECLAIMS_MAX = 20;
const SIZES = [20, 200, 1000, 8000, VALUE_BYTES_MAX];

const scope = self as unknown as {
  onmessage: (event: MessageEvent<EvictionTask>) => void;
  postMessage(message: EvictionReport): void;
};

scope.onmessage = ({ data: { memory, seed, durationMs } }) => {
  const access = new StoreAccess(memory), { store } = access, random = randomFrom(seed);
  const evictor = new Evictor(store, null),
    reader = new OptimisticReader(store, random, "", () => {});
  const value = new Uint8Array(VALUE_BYTES_MAX + 8), offences: string[] = [];
  let written = 0, hits = 0, refused = 0;
  const endMs = performance.now() + durationMs;
  for (let step = 0; step % 64 !== 0 || performance.now() < endMs; step++) {
    // Policy and admission change while the threads run, and with them what the clocks mean.
    const policy = 1 + Math.floor(step / 5000) % (EVICTION_POLICIES.length - 1);
    const isAdmitting = isAdmissionOf(policy, Math.floor(step / 9000) % 2);
    evictor.begin(policy, NOW_MS, isAdmitting);
    const number = random.below(KEYS), key = access.key(`key:${number}`);
    const shard = access.shardOf(key);
    if (step % 3 !== 0) {
      const length = reader.read(key, value);
      if (length < 0) continue;
      hits++;
      const counter = readValue(value, number, length);
      if (typeof counter === "string" && offences.length < OFFENCES_MAX) {
        offences.push(`key ${number}: ${counter}`);
      }
      continue;
    }
    const length = 1 + random.below(SIZES[Math.floor(step / 3000) % SIZES.length]);
    writeValue(value, number, step, length);
    const clock = accessStamp(
      clockKindOf(policy, isAdmitting),
      store.accessClock.at(NOW_MS),
      isAdmitting,
    );
    const bytes = value.slice(0, length);
    let isStored = false;
    for (let tries = 0; tries < TRIES_MAX + RECLAIMS_MAX; tries++) {
      isStored = access.putKey(key, bytes, { clock, expiresAtMs: LATER_MS + step });
      if (isStored) break;
      if (tries >= TRIES_MAX) {
        evictor.reclaim(length);
        continue;
      }
      store.lockChange(shard);
      evictor.makeRoom(shard, tries);
      store.unlockChange(shard);
    }
    if (isStored) written++;
    else refused++;
    if (step % 16 === 0) evictor.runAhead(store.shards[random.below(store.shards.length)]);
  }
  scope.postMessage({ offences, written, hits, refused });
};
