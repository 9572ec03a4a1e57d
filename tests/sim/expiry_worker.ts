// A thread of the simulation of expiry: gives its own keys times, changes and reads them, and sweeps all shards.
//
// A key belongs to one thread, which so knows when it has to be there; the sweep takes those of all threads.
import { type StoreMemory } from "../../src/store/store.ts";
import { randomFrom, StoreAccess } from "../support/store_access.ts";

export interface ExpiryTask {
  readonly memory: StoreMemory;
  readonly durationMs: number;
  readonly seed: number;
  readonly thread: number;
}

export interface ExpiryReport {
  /** Keys without a TTL at the end. */
  readonly lasting: number;
  readonly swept: number;
  readonly found: number;
  readonly gone: number;
  /** What was wrong, at most a few. */
  readonly offences: readonly string[];
}

const OWN_KEYS = 3000;
const OFFENCES_MAX = 5;
const STEPS_PER_LOOK = 64;

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<ExpiryTask>) => void) | null;
  postMessage(report: ExpiryReport): void;
};

scope.onmessage = ({ data }) => scope.postMessage(run(data));

function run({ memory, durationMs, seed, thread }: ExpiryTask): ExpiryReport {
  const access = new StoreAccess(memory), { store } = access, random = randomFrom(seed + thread);
  const keys = Array.from({ length: OWN_KEYS }, (_, i) => access.key(`${thread}-${i}`));
  /** The moment of each key, 0 for never, −1 where it was removed. */
  const model = new Float64Array(OWN_KEYS).fill(-1), value = new Uint8Array(40);
  const offences: string[] = [];
  let swept = 0, found = 0, gone = 0;
  const offend = (what: string) => {
    if (offences.length < OFFENCES_MAX) offences.push(`thread ${thread}: ${what}`);
  };
  /** Another thread's sweep may go by a later moment than this one's step. */
  const check = (i: number, atMs: number, beforeMs: number, isThere: boolean) => {
    const afterMs = Date.now();
    if (isThere && atMs !== 0 && atMs <= beforeMs) offend(`key ${i}: there when expired`);
    if (!isThere && (atMs === 0 || atMs > afterMs)) {
      offend(`key ${i}: gone with ${atMs - afterMs} ms left`);
    }
  };
  const ttlMs = () => {
    const kind = random.below(10);
    return kind < 6 ? 1 + random.below(40) : kind < 9 ? 1 + random.below(2000) : 3_600_000;
  };
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs) {
    for (let step = 0; step < STEPS_PER_LOOK; step++) {
      const i = random.below(OWN_KEYS), key = keys[i], kind = random.below(100);
      const beforeMs = Date.now(), atMs = model[i];
      if (kind < 45) {
        const expiresAtMs = kind < 4 ? 0 : beforeMs + ttlMs();
        // Two sizes, so that some are written in place and some are moved.
        const bytes = value.subarray(0, kind & 1 ? 8 : 40);
        if (access.putKey(key, bytes, { expiresAtMs })) model[i] = expiresAtMs;
        else offend("no memory");
      } else if (kind < 55) {
        const expiresAtMs = kind < 47 ? 0 : beforeMs + ttlMs();
        const isThere = access.expire(`${thread}-${i}`, expiresAtMs, beforeMs);
        check(i, atMs, beforeMs, isThere);
        model[i] = isThere ? expiresAtMs : -1;
      } else if (kind < 60) {
        access.removeKey(key, beforeMs);
        model[i] = -1;
      } else if (kind < 64) {
        const shard = store.shards[random.below(store.shards.length)];
        swept += store.sweep(shard, 1 + random.below(200), beforeMs);
      } else {
        const isThere = access.getKey(key, beforeMs) !== null;
        check(i, atMs, beforeMs, isThere);
        if (isThere) found++;
        else gone++;
      }
    }
  }
  return {
    lasting: model.filter((atMs) => atMs === 0).length,
    swept,
    found,
    gone,
    offences,
  };
}
