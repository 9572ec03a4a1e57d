// What the server says that entries take, against what the system says that the process has come to take.
import assert from "node:assert/strict";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { readInfo } from "../support/server_numbers.ts";

const FILLED_BYTES = 256 * 1024 * 1024;
const BATCH = 1000;
/** Most values have 1,000 bytes, so many of a hundred 64. */
const SHORT_PERCENT = 30;

/** Stores keys until `used_memory` has grown by so much; gives how many. */
async function fill(client: RespClient, growthBytes: number): Promise<number> {
  const short = "s".repeat(64), long = "l".repeat(1000);
  const endBytes = (await readInfo(client)).number("used_memory") + growthBytes;
  for (let from = 0;; from += BATCH) {
    const batch = Array.from(
      { length: BATCH },
      (_, i) => ["SET", `key:${from + i}`, i % 100 < SHORT_PERCENT ? short : long],
    );
    for (const reply of await client.pipeline(batch)) assert.equal(plain(reply), "+OK");
    if ((await readInfo(client)).number("used_memory") >= endBytes) return from + BATCH;
  }
}

Deno.test("used_memory and RSS of the process grow alike, within 10 %, from 256 MiB on", async () => {
  await using server = await startServer({ workers: 1, flags: ["--maxmemory", "1gb"] });
  const client = await connect(server.port, { timeoutMs: 60_000 });
  // What the runtime needs once commands run is no part of it.
  for (let round = 0; round < 20; round++) {
    const warm = Array.from({ length: BATCH }, (_, i) => ["SET", `key:${i}`, "w"]);
    await client.pipeline(warm);
  }
  const before = await readInfo(client);
  const keys = await fill(client, FILLED_BYTES), after = await readInfo(client);
  const growth = (name: string) => after.number(name) - before.number(name);
  const ratio = growth("used_memory_rss") / growth("used_memory");
  assert.ok(growth("used_memory") >= FILLED_BYTES);
  assert.ok(ratio > 0.9 && ratio < 1.1, `RSS grew ${ratio.toFixed(3)} times as much, ${keys} keys`);
  client.close();
});
