// Compression of values on real servers: over RESP and HTTP, switched on and off, with several workers, after a kill.
import assert from "node:assert/strict";
import { DataDirectory, wholeState } from "../support/data_directory.ts";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { infoNumber, readStats } from "../support/server_numbers.ts";
import { randomFrom } from "../support/store_access.ts";
import { sentence } from "../support/text_value.ts";

const SEED = Number(Deno.env.get("MAYFLY_CRASH_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const ON = ["--compress-min-bytes", "512"];

function texts(count: number, bytes: number): string[] {
  const random = randomFrom(SEED);
  return Array.from({ length: count }, () => sentence(random, bytes));
}

async function setAll(client: RespClient, values: readonly string[]): Promise<void> {
  for (const [i, value] of values.entries()) {
    assert.equal(plain(await client.command("SET", `key:${i}`, value)), "+OK");
  }
}

const compressedValues = (client: RespClient) => infoNumber(client, "compressed_values");

Deno.test("values that lie compressed take less memory and come out of RESP and HTTP as they went in", async () => {
  await using server = await startServer({ workers: 2, flags: ON });
  using client = await connect(server.port);
  const [short, long, longest] = [1500, 30_000, 100_000].map((bytes) => texts(1, bytes)[0]);
  const url = (key: string) => `http://127.0.0.1:${server.httpPort}/v1/keys/${key}`;
  const noise = randomFrom(SEED).bytes(4000), zeros = "0".repeat(60_000);
  const all: Record<string, string> = { short, long, longest, zeros, tiny: "{}" };
  for (const [key, value] of Object.entries(all)) {
    const response = await fetch(url(key), { method: "PUT", body: value });
    assert.equal(response.status, 201);
    const tag = response.headers.get("etag");
    const got = await fetch(url(key));
    assert.equal(await got.text(), value, key);
    assert.equal(got.headers.get("etag"), tag, key);
    const known = await fetch(url(key), { headers: { "if-none-match": tag! } });
    assert.equal(known.status, 304, key);
    await known.body?.cancel();
    const head = await fetch(url(key), { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), String(value.length), key);
    assert.equal(plain(await client.command("GET", key)), value, key);
    assert.equal(plain(await client.command("STRLEN", key)), value.length);
  }
  await client.command("SET", "noise", noise);
  assert.deepEqual(await client.command("GET", "noise"), noise);
  // What does not become short enough for a record stays as it is: the longest text, and noise.
  assert.equal(await compressedValues(client), 3);
  const saved = await infoNumber(client, "compressed_saved_bytes");
  assert.ok(saved > 60_000 && saved < 91_500, `${saved} bytes`);
  const usage = Number(plain(await client.command("MEMORY", "USAGE", "zeros")));
  assert.ok(usage < 300, `zeros take ${usage} bytes`);
  const stats = await readStats(client);
  assert.equal(stats.compressed_values, 3);
  assert.equal(stats.compressed_saved_bytes, saved);
  const metrics = await (await fetch(url("").replace("/v1/keys/", "/metrics"))).text();
  assert.match(metrics, /^mayfly_compressed_values 3$/m);
  assert.match(metrics, new RegExp(`^mayfly_compressed_saved_bytes ${saved}$`, "m"));
  // A condition on the tag of a compressed value.
  const tag = (await fetch(url("short"), { method: "HEAD" })).headers.get("etag")!;
  const wrong = await fetch(url("short"), {
    method: "PUT",
    body: "x",
    headers: { "if-match": '"x"' },
  });
  assert.equal(wrong.status, 412);
  await wrong.body?.cancel();
  const right = await fetch(url("short"), {
    method: "PUT",
    body: long,
    headers: { "if-match": tag },
  });
  assert.equal(right.status, 204);
  const json = (path: string, body: unknown) =>
    fetch(`http://127.0.0.1:${server.httpPort}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }).then((response) => response.json());
  const keys = ["short", "long", "nosuch", "longest", "tiny"];
  const values = [long, long, null, longest, "{}"];
  assert.deepEqual(await json("/v1/mget", { keys }), { values });
  assert.deepEqual(plain(await client.command("MGET", ...keys)), values);
  const entries = [{ key: "a", value: short }, { key: "b", value: long, ttl: 60 }];
  assert.deepEqual(await json("/v1/mset", { entries }), { stored: 2 });
  assert.deepEqual(await json("/v1/command", ["GETRANGE", "b", 9, 99]), {
    result: long.slice(9, 100),
  });
  assert.equal(await compressedValues(client), 5);
  assert.equal(plain(await client.command("FLUSHALL")), "+OK");
  assert.equal(await compressedValues(client), 0);
  assert.equal(await infoNumber(client, "compressed_saved_bytes"), 0);
});

Deno.test("CONFIG SET compress-min-bytes holds from the next write on, and refuses what makes no sense", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  const set = async (text: string) =>
    plain(await client.command("CONFIG", "SET", "compress-min-bytes", text));
  const values = texts(20, 2000), others = texts(20, 1000);
  await setAll(client, values);
  assert.equal(await compressedValues(client), 0);
  assert.equal(await set("1500"), "+OK");
  assert.deepEqual(plain(await client.command("CONFIG", "GET", "compress-min-bytes")), [
    "compress-min-bytes",
    "1500",
  ]);
  await setAll(client, others);
  assert.equal(await compressedValues(client), 0, "they are shorter");
  await setAll(client, values);
  assert.equal(await compressedValues(client), 20);
  assert.equal(await set("0"), "+OK");
  await setAll(client, values.slice(0, 5));
  assert.equal(await compressedValues(client), 15);
  const keys = values.map((_, i) => `key:${i}`);
  assert.deepEqual(plain(await client.command("MGET", ...keys)), values);
  assert.match(String(await set("511")), /between 512 and 65536/);
  assert.match(String(await set("lots")), /memory value/);
});

Deno.test("clients of three workers that write, change and read the same compressed values see whole ones", async () => {
  await using server = await startServer({ workers: 3, flags: ON });
  const KEYS = 4, values = texts(KEYS, 3000), longs = texts(KEYS, 25_000);
  const isWhole = (i: number, found: string) =>
    [values[i], longs[i]].some((base) =>
      found.startsWith(base) && /^(\+tail)*$/.test(found.slice(base.length))
    );
  const endsAt = performance.now() + 3000;
  let reads = 0;
  const worker = async (number: number) => {
    using client = await connect(server.port);
    const random = randomFrom(SEED + number);
    while (performance.now() < endsAt) {
      const i = random.below(KEYS), key = `key:${i}`;
      switch (random.below(7)) {
        case 0:
          await client.command("SET", key, values[i]);
          break;
        case 1:
          await client.command("SET", key, longs[i]);
          break;
        case 2:
          assert.equal(typeof plain(await client.command("APPEND", key, "+tail")), "number");
          break;
        case 3: {
          const all = plain(
            await client.command("MGET", ...values.map((_, each) => `key:${each}`)),
          ) as string[];
          all.forEach((value, each) => assert.ok(isWhole(each, value), `key ${each}`));
          break;
        }
        default: {
          const value = plain(await client.command("GET", key)) as string | null;
          assert.ok(value !== null && isWhole(i, value), `${value?.length} bytes of key ${i}`);
          reads++;
        }
      }
    }
  };
  using first = await connect(server.port);
  for (const [i, value] of values.entries()) await first.command("SET", `key:${i}`, value);
  await Promise.all(Array.from({ length: 6 }, (_, number) => worker(number)));
  assert.ok(reads > 50, `${reads} reads`);
  assert.equal(await infoNumber(first, "pinned_blocks"), 0);
  assert.equal(plain(await first.command("FLUSHALL")), "+OK");
  assert.equal(await compressedValues(first), 0);
});

Deno.test("what was compressed is there after a kill, in servers with compression and without", async () => {
  using data = new DataDirectory();
  const flags = data.flags("always");
  const values = texts(60, 2500), changed = values.map((value) => `${value}+tail`);
  let state: string[];
  {
    const server = await startServer({ workers: 2, flags: [...flags, ...ON] });
    using client = await connect(server.port);
    await setAll(client, values);
    assert.equal(await compressedValues(client), 60);
    for (let i = 0; i < 20; i++) await client.command("APPEND", `key:${i}`, "+tail");
    for (let i = 20; i < 30; i++) await client.command("RENAME", `key:${i}`, `moved:${i}`);
    await client.command("PEXPIREAT", "key:40", String(2 ** 42));
    await client.command("DEL", "key:50");
    assert.equal(await compressedValues(client), 39);
    state = await wholeState(server.port);
    await server.kill();
  }
  for (const [round, more] of [[0, []], [1, ON], [2, ON], [3, []]] as const) {
    const server = await startServer({ workers: 2, flags: [...flags, ...more] });
    using client = await connect(server.port);
    assert.deepEqual(await wholeState(server.port), state, `round ${round}`);
    // Of the log those that were changed in part stay plain; of a snapshot all are compressed.
    const count = await compressedValues(client);
    assert.equal(count, more.length === 0 ? 0 : round === 1 ? 39 : 59, `round ${round}`);
    assert.equal(plain(await client.command("GET", "key:0")), changed[0]);
    if (round === 1) assert.equal(plain(await client.command("COMPACT")), "+OK");
    await server.kill();
  }
});
