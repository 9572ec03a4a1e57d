// Hashes in a store that is full of strings of other sizes: they grow into what eviction gives back, and stay.
import assert from "node:assert/strict";
import { EnginePath } from "../support/engine_path.ts";
import { checkInvariants } from "../support/store_invariants.ts";

const MAXMEMORY_BYTES = 16 * 2 ** 20;

function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

for (const valueBytes of [40, 500]) {
  Deno.test(`HSET of many pairs finds room among strings of ${valueBytes} bytes, and counts each as new`, () => {
    const flags = ["--maxmemory", String(MAXMEMORY_BYTES), "--maxmemory-policy", "allkeys-lru"];
    const path = new EnginePath(null, flags), value = "v".repeat(valueBytes);
    for (let i = 0; i < MAXMEMORY_BYTES / (valueBytes + 30) * 1.1; i++) {
      path.replies(command("SET", `key:${i}`, value));
    }
    let count = 0;
    for (let round = 0; round < 8; round++) {
      const words = ["HSET", "hash"];
      for (let i = 0; i < 400; i++) words.push(`field:${count++}`, "x".repeat(20));
      assert.equal(path.replies(command(...words)), ":400\r\n", `round ${round}`);
      for (let i = 0; i < 100; i++) path.replies(command("SET", `other:${round}:${i}`, value));
    }
    assert.equal(path.replies(command("HLEN", "hash")), `:${count}\r\n`);
    assert.ok(path.engine.store.totals().evicted > 0, "the store was full");
    checkInvariants(path.engine.store);
  });
}
