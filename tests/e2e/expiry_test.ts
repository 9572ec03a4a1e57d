// Expiry as clients see it: a storm of keys that expire at one moment, what is told of it, times by rule, and all of
// that with a log under it and the server killed.
import assert from "node:assert/strict";
import { DataDirectory } from "../support/data_directory.ts";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { infoNumber, readInfo, readStats, until } from "../support/server_numbers.ts";

const STORM_KEYS = 30_000;
const BATCH = 1000;

/** Stores keys that all expire at one moment, which it gives and which is still to come; 0: it came too soon. */
async function fillStorm(client: RespClient, count: number, inMs: number): Promise<number> {
  const atMs = Date.now() + inMs, value = "x".repeat(64);
  for (let from = 0; from < count; from += BATCH) {
    const batch = Array.from(
      { length: BATCH },
      (_, i) => ["SET", `storm:${from + i}`, value, "PXAT", String(atMs)],
    );
    for (const reply of await client.pipeline(batch)) {
      if (plain(reply) !== "+OK") return 0;
    }
  }
  return Date.now() < atMs ? atMs : 0;
}

/** The same on a machine of any speed: with twice the time where it was not enough. */
async function storm(client: RespClient, count: number): Promise<number> {
  for (let inMs = 2000; inMs <= 16_000; inMs *= 2) {
    const atMs = await fillStorm(client, count, inMs);
    if (atMs !== 0) return atMs;
  }
  throw new Error(`${count} keys were not stored within 16 s`);
}

const size = async (client: RespClient) => plain(await client.command("DBSIZE")) as number;

for (const workers of [1, 4]) {
  Deno.test(`keys that expire together are gone soon, from ${workers} workers, and others stay`, async () => {
    await using server = await startServer({ workers, flags: ["--maxmemory", "256mb"] });
    using client = await connect(server.port);
    using reader = await connect(server.port);
    const others = Array.from({ length: 500 }, (_, i) => `other:${i}`);
    await client.pipeline(others.map((key, i) => ["SET", key, key, ...i % 2 ? ["EX", "900"] : []]));
    const atMs = await storm(client, STORM_KEYS);
    const full = await readInfo(client), before = full.number("expired_keys");
    const isRunning = { value: true };
    const reading = (async () => {
      for (let i = 0; isRunning.value; i++) {
        const key = others[i % others.length];
        assert.equal(plain(await reader.command("GET", key)), key);
        const beganMs = Date.now();
        const found = plain(await reader.command("GET", `storm:${i * 7 % STORM_KEYS}`));
        if (beganMs > atMs) assert.equal(found, null, "a value that has expired");
      }
    })();
    await until("the storm is over", () => size(client), (count) => count === others.length);
    isRunning.value = false;
    await reading;
    const info = await readInfo(client);
    assert.equal(info.number("expired_keys") - before, STORM_KEYS);
    const used = info.number("used_memory"), usedBefore = full.number("used_memory");
    assert.ok(used < usedBefore / 2, `${used} of ${usedBefore} bytes are still in use`);
    assert.ok(info.number("expire_cycle_cpu_milliseconds") > 0);
    for (const key of others) assert.equal(plain(await client.command("GET", key)), key);
    // A quiet second later nothing is late any more, and nothing waits.
    await until("no lag", () => infoNumber(client, "expiry_lag_ms"), (ms) => ms === 0);
    assert.equal(await infoNumber(client, "expired_stale_perc"), 0);
  });
}

Deno.test("EXPIRY FORECAST, STATS, INFO and /metrics foretell the same", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  const ttls: [number, number][] = [[300, 5], [200, 30], [100, 300], [50, 3000], [25, 90_000]];
  for (const [count, seconds] of ttls) {
    await client.pipeline(
      Array.from({ length: count }, (_, i) => ["SET", `${seconds}:${i}`, "v", "EX", `${seconds}`]),
    );
  }
  await client.command("SET", "without", "v");
  const told = plain(await client.command("EXPIRY", "FORECAST")) as unknown[];
  const keys = (from: unknown[]) =>
    from.flatMap((each, i) => i % 2 ? [(each as unknown[])[1]] : []);
  assert.deepEqual(told.filter((_, i) => i % 2 === 0), ["1s", "10s", "1m", "10m", "1h"]);
  assert.deepEqual(keys(told), [0, 300, 500, 600, 650]);
  type Forecast = Record<string, { keys: number; bytes: number }>;
  const stats = await until(
    "the estimate is made",
    async () => (await readStats(client)).expiry_forecast as Forecast,
    (forecast) => forecast["1h"].keys === 650,
  );
  assert.deepEqual(Object.keys(stats), ["1s", "10s", "1m", "10m", "1h"]);
  assert.ok(stats["1h"].bytes > 650 * 32 && stats["1h"].bytes < 650 * 200);
  assert.match((await readInfo(client)).text("expiring_within_1m"), /^keys=\d+,bytes=\d+$/);
  const metrics = await (await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)).text();
  assert.match(metrics, /^mayfly_expiring_soon_keys\{within="3600"\} 650$/m);
  assert.match(metrics, /^mayfly_expiry_lag_seconds /m);
  assert.match(
    String(plain(await client.command("EXPIRY", "NONSENSE"))),
    /^-ERR unknown subcommand/,
  );
});

Deno.test("rules for times to live are told, changed at run time and rewritten", async () => {
  const flags = ["--ttl-rule", "a:*=60", "--ttl-rule", "b:*=0", "--default-ttl", "500"];
  await using server = await startServer({ flags });
  using client = await connect(server.port);
  const get = async (name: string) =>
    (plain(await client.command("CONFIG", "GET", name)) as string[])[1];
  assert.equal(await get("ttl-rule"), "a:*=60 b:*=0");
  assert.equal(await get("default-ttl"), "500");
  assert.equal(await get("active-expire-effort"), "1");
  const info = await readInfo(client);
  assert.equal(info.text("ttl_rule0"), 'prefix="a:",seconds=60');
  assert.equal(info.number("default_ttl_seconds"), 500);
  await client.command("MSET", "a:1", "v", "b:1", "v", "c", "v");
  const ttl = async (key: string) => plain(await client.command("TTL", key)) as number;
  assert.deepEqual([await ttl("a:1"), await ttl("b:1"), await ttl("c")], [60, -1, 500]);
  const set = async (...pairs: string[]) => plain(await client.command("CONFIG", "SET", ...pairs));
  assert.equal(await set("default-ttl", "0", "active-expire-effort", "10"), "+OK");
  assert.match(String(await set("active-expire-effort", "11")), /between 1 and 10/);
  assert.match(String(await set("ttl-jitter", "101")), /between 0 and 100/);
  assert.match(String(await set("ttl-rule", "x*=1")), /immutable/);
  await client.command("SET", "c", "v");
  assert.equal(await ttl("c"), -1);
  assert.equal((await readInfo(client)).number("active_expire_effort"), 10);
  const put = await fetch(`http://127.0.0.1:${server.httpPort}/v1/keys/a:2`, {
    method: "PUT",
    body: "v",
  });
  assert.ok(put.ok);
  await put.body?.cancel();
  assert.equal(await ttl("a:2"), 60);
});

Deno.test("after kill -9 every key has the moment that the rules and the jitter gave it", async () => {
  using data = new DataDirectory();
  const flags = [...data.flags("always"), "--default-ttl", "1000", "--ttl-jitter", "40"];
  const names = Array.from({ length: 200 }, (_, i) => `key:${i}`);
  const moments = async (client: RespClient) =>
    (await client.pipeline(names.map((name) => ["PEXPIRETIME", name]))).map(plain);
  const server = await startServer({ workers: 2, flags });
  let before: unknown[] = [];
  try {
    using client = await connect(server.port);
    await client.pipeline(
      names.map((name, i) => ["SET", name, "1", ...i % 3 ? ["EX", "700"] : []]),
    );
    await client.pipeline(names.slice(0, 40).map((name) => ["EXPIRE", name, "900"]));
    await client.pipeline(names.slice(20, 60).map((name) => ["INCR", name]));
    before = await moments(client);
  } finally {
    await server.kill();
  }
  assert.ok(new Set(before).size > 150, "moments are spread");
  await using again = await startServer({ workers: 2, flags });
  using client = await connect(again.port);
  assert.deepEqual(await moments(client), before);
});

Deno.test("a storm with a log under it and kill -9 in its midst brings nothing back that expired", async () => {
  using data = new DataDirectory();
  const flags = [...data.flags("always"), "--maxmemory", "256mb"];
  const count = 30_000, remade = Array.from({ length: 300 }, (_, i) => `storm:${i * 90}`);
  let kept: string[] = [];
  const server = await startServer({ workers: 2, flags });
  try {
    using client = await connect(server.port);
    await client.pipeline(
      Array.from(
        { length: 500 },
        (_, i) => ["SET", `other:${i}`, "o", ...i % 2 ? ["EX", "900"] : []],
      ),
    );
    await storm(client, count);
    // Some are kept from expiring: a replay must not drop them before it has met this.
    const persisted = (await client.pipeline(
      Array.from({ length: 100 }, (_, i) => ["PERSIST", `storm:${i * 90 + 1}`]),
    )).map(plain);
    kept = persisted.flatMap((reply, i) => reply === 1 ? [`storm:${i * 90 + 1}`] : []);
    await until("it has begun", () => size(client), (left) => left < count);
    // New lives, by commands that would leave parts of the old value.
    const made = await client.pipeline(
      remade.map((name, i) => i % 2 ? ["APPEND", name, "new"] : ["SETRANGE", name, "0", "new"]),
    );
    for (const reply of made) assert.equal(plain(reply), 3);
  } finally {
    await server.kill();
  }
  await using again = await startServer({ workers: 2, flags });
  using client = await connect(again.port);
  assert.equal(await size(client), 500 + kept.length + remade.length);
  for (const name of remade) assert.equal(plain(await client.command("GET", name)), "new");
  for (const name of kept) assert.equal(plain(await client.command("TTL", name)), -1);
});
