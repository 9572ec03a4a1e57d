// The store as a cache of a fixed number of entries: what the plain caches are compared with, by the same traces.
import {
  clockKindOf,
  EVICTION_POLICIES,
  type EvictionPolicy,
} from "../../src/eviction_policies.ts";
import { accessStamp, Evictor } from "../../src/store/store.ts";
import type { PlainCache } from "./plain_caches.ts";
import { openStore, type StoreAccess } from "./store_access.ts";

const VALUE = new Uint8Array(8);
const NOW_MS = 1_700_000_000_000;

export interface StoreCache {
  readonly use: PlainCache;
  readonly access: StoreAccess;
}

/** A store of four shards that lets one entry go for each that comes beyond `capacity`. */
export function storeCache(
  policy: EvictionPolicy,
  capacity: number,
  isAdmitting = false,
): StoreCache {
  const access = openStore({ shardCount: 4, maxmemoryBytes: 64 * 2 ** 20 });
  const { store } = access, number = EVICTION_POLICIES.indexOf(policy);
  const evictor = new Evictor(store, null), kind = clockKindOf(number, isAdmitting);
  evictor.begin(number, NOW_MS, isAdmitting);
  if (isAdmitting) store.shards.forEach((shard) => evictor.runAhead(shard));
  let size = 0;
  const use: PlainCache = (name) => {
    const key = access.key(`key:${name}`), shard = access.shardOf(key);
    const stamp = accessStamp(kind, store.accessClock.at(NOW_MS), isAdmitting);
    store.lockChange(shard);
    const isThere = store.find(shard, key, NOW_MS, stamp) !== 0;
    if (!isThere && size >= capacity) size -= evictor.evict(shard, 1);
    store.unlockChange(shard);
    if (isThere) return true;
    if (!access.putKey(key, VALUE, { clock: stamp, expiresAtMs: NOW_MS + 1e9 })) {
      throw new Error("no memory for what fits");
    }
    size++;
    return false;
  };
  return { use, access };
}
