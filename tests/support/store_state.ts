// All that a store holds, as text that can be compared with that of another store, or of a model.
import assert from "node:assert/strict";
import { DATABASES, record } from "../../src/store/store.ts";
import { field, put, StateModel } from "./log_maker.ts";
import { type StoreAccess } from "./store_access.ts";
import { StoreHashes } from "./store_hashes.ts";

/** What a replay leaves of a hash whose last field it removes: one that expired long ago. */
export const GONE_MS = 1;

/** All entries of the store, as the model writes them. */
export function stateOf(access: StoreAccess, table: Uint8Array | null): string {
  const { store } = access, hashes = new StoreHashes(access);
  const model = new StateModel();
  model.table = table;
  for (const shard of store.shards) {
    const found: { database: number; key: Uint8Array; expiresAtMs: number }[] = [];
    let cursor = 0;
    do {
      cursor = store.walk(shard, cursor, 32, (_, ref) => {
        const start = record.keyStartOf(shard, ref);
        const key = shard.u8.slice(start, start + record.keyBytesOf(shard, ref));
        const expiresAtMs = record.expiresAtMsOf(shard, ref);
        found.push({ database: record.databaseOf(shard, ref), key, expiresAtMs });
      });
    } while (cursor !== 0);
    for (const { database, key, expiresAtMs } of found) {
      assert.ok(database < DATABASES);
      const name = new TextDecoder().decode(key), fields = hashes.get(access.key(key, database));
      if (fields === null) {
        model.apply(put(name, access.get(key, 0, database)!, expiresAtMs, database));
        continue;
      }
      const told = [...fields].map(([each, { value, expiresAtMs }]) =>
        field(each, value, expiresAtMs)
      ).filter((each) => each.expiresAtMs !== GONE_MS);
      model.apply({ kind: "putHash", database, key: name, expiresAtMs, fields: told });
    }
  }
  return model.toString();
}
