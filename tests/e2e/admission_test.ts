// `--admission tinylfu` over a real server with two workers: what it refuses, how it is switched, what a restart finds.
import assert from "node:assert/strict";
import { DataDirectory } from "../support/data_directory.ts";
import { payload } from "../support/payload.ts";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { infoNumber } from "../support/server_numbers.ts";

const MIB = 1 << 20, VALUE = payload(1000, 3), HOT = 8000, BLOCK = 500;

async function each(
  client: RespClient,
  count: number,
  call: (i: number) => (string | Uint8Array)[],
): Promise<void> {
  for (let at = 0; at < count; at += BLOCK) {
    const calls = Array.from({ length: Math.min(BLOCK, count - at) }, (_, i) => call(at + i));
    for (const reply of await client.pipeline(calls)) {
      if (!(reply instanceof Uint8Array)) assert.equal(plain(reply) ?? "+OK", "+OK");
    }
  }
}

async function present(client: RespClient, prefix: string, count: number): Promise<number> {
  const keys = Array.from({ length: count }, (_, i) => `${prefix}:${i}`);
  return plain(await client.command("EXISTS", ...keys)) as number;
}

Deno.test("server with --admission tinylfu answers every SET, keeps what is used, and logs what it refuses", async () => {
  using data = new DataDirectory();
  const flags = [...data.flags("always"), "--maxmemory", String(16 * MIB)];
  const server = await startServer({ workers: 2, flags: [...flags, "--admission", "tinylfu"] });
  let left = 0;
  try {
    using client = await connect(server.port, { timeoutMs: 30_000 });
    await each(client, HOT, (i) => ["SET", `hot:${i}`, VALUE]);
    for (let round = 0; round < 4; round++) {
      await each(client, HOT, (i) => ["GET", `hot:${i}`]);
      await each(client, 500, (i) => ["SET", `warm:${round}:${i}`, VALUE]);
    }
    // Three turnovers of keys that nobody asks for: by recency alone nothing of the others would be left.
    await each(client, 40_000, (i) => ["SET", `once:${i}`, VALUE]);
    left = await present(client, "hot", HOT);
    assert.ok(left > HOT * 0.7, `${left} of ${HOT} that were used are left`);
    const rejected = await infoNumber(client, "admission_rejected_keys");
    const evicted = await infoNumber(client, "evicted_keys");
    assert.ok(rejected > 20_000 && rejected <= evicted, `${rejected} refused of ${evicted}`);
    assert.ok(await infoNumber(client, "used_memory") <= 16 * MIB * 1.01);
    assert.ok(await infoNumber(client, "admission_bytes") > 0);
    assert.equal(await infoNumber(client, "out_of_memory_replies"), 0);
    const stats = JSON.parse(String(plain(await client.command("STATS"))));
    assert.equal(stats.admission, "tinylfu");
    assert.ok(stats.admission_rejected_keys >= rejected);
    // An answer that comes after it: what was let go ahead of need is written.
    await client.command("SET", "last", "x");
    left = await present(client, "hot", HOT);
  } finally {
    await server.kill();
  }
  await using again = await startServer({ workers: 2, flags });
  using client = await connect(again.port, { timeoutMs: 30_000 });
  assert.equal(await infoNumber(client, "maxmemory"), 16 * MIB);
  const found = await present(client, "hot", HOT);
  // It may have to let some more go, because it packs what it loads otherwise.
  assert.ok(found <= left && found > left * 0.7, `${found} after the restart, ${left} before`);
  assert.ok(await present(client, "once", 30_000) < 5000, "what was refused is back");
});

Deno.test("CONFIG SET admission begins and ends it while a cache is full", async () => {
  await using server = await startServer({ workers: 2, flags: ["--maxmemory", String(16 * MIB)] });
  using client = await connect(server.port, { timeoutMs: 30_000 });
  const config = async (...words: string[]) => plain(await client.command("CONFIG", ...words));
  assert.deepEqual(await config("GET", "admission"), ["admission", "none"]);
  assert.match(
    String(await config("SET", "admission", "best")),
    /^-ERR CONFIG SET failed.*tinylfu/,
  );
  await each(client, 20_000, (i) => ["SET", `first:${i}`, VALUE]);
  assert.equal(await infoNumber(client, "admission_rejected_keys"), 0);
  assert.equal(await infoNumber(client, "admission_bytes"), 0);
  for (let round = 0, before = 0; round < 3; round++) {
    assert.equal(await config("SET", "admission", "tinylfu"), "+OK");
    await each(client, 20_000, (i) => ["SET", `on:${round}:${i}`, VALUE]);
    const rejected = await infoNumber(client, "admission_rejected_keys");
    // What is there when it begins was never counted, and goes first; what comes then is not better than another.
    assert.ok(rejected > before + 1000, `${rejected} in round ${round}, ${before} before`);
    before = rejected;
    assert.equal(await config("SET", "admission", "none"), "+OK");
    // Those that one worker ran before it saw that.
    const ended = await infoNumber(client, "admission_rejected_keys");
    await each(client, 20_000, (i) => ["SET", `off:${round}:${i}`, VALUE]);
    assert.equal(await infoNumber(client, "admission_rejected_keys"), ended);
    assert.ok(await present(client, `off:${round}`, 20_000) > 8000, "the newest are not kept");
  }
});
