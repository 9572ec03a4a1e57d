// Several workers on one port and one store: what one wrote all see, whole, and each knows of the
// connections of the others.

import assert from "node:assert/strict";
import { connect, encodeCommand, plain, type RespClient } from "../support/resp_client.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { readInfo, readStats, until } from "../support/server_numbers.ts";

const WORKERS = 2;
const POOL = 8 * WORKERS;

let server: RunningServer;
/** Enough connections that both workers have some, but once in 2^38. */
let pool: RespClient[];

Deno.test.beforeAll(async () => {
  server = await startServer({ workers: WORKERS, flags: ["--maxmemory", "1gb"] });
  pool = await Promise.all(Array.from({ length: 40 }, () => connect(server.port)));
});

Deno.test.afterAll(async () => {
  for (const client of pool) client.close();
  assert.equal(await server.stop(), 0, server.output().stderr);
});

async function clientsPerWorker(client: RespClient): Promise<number[]> {
  const info = await readInfo(client);
  return Array.from({ length: WORKERS }, (_, i) => info.number(`worker${i}_clients`));
}

Deno.test("workers share the connections of one port and INFO shows how", async () => {
  const counts = await until(
    "INFO counts every connection",
    () => clientsPerWorker(pool[0]!),
    (each) => each.reduce((total, one) => total + one, 0) === pool.length,
  );
  assert.ok(counts.every((count) => count > 0), `per worker: ${counts}`);
  assert.deepEqual((await readStats(pool[0]!)).connections_per_worker, counts);
  assert.equal((await readInfo(pool[0]!)).number("connected_clients"), pool.length);
});

Deno.test("workers serve over a few hundred connections; the kernel shares pools out at random", async () => {
  const base = await clientsPerWorker(pool[0]!);
  const spreads: string[] = [];
  const totals = new Array<number>(WORKERS).fill(0);
  let uneven = 0;
  for (let round = 0; round < 20; round++) {
    const clients = await Promise.all(Array.from({ length: POOL }, () => connect(server.port)));
    const counts = await until(
      "INFO counts the pool",
      async () => (await clientsPerWorker(pool[0]!)).map((count, i) => count - base[i]!),
      (each) => each.reduce((total, one) => total + one, 0) === POOL,
    );
    counts.forEach((count, i) => totals[i]! += count);
    if (Math.max(...counts) > 2 * Math.min(...counts)) uneven++;
    spreads.push(counts.join("/"));
    for (const client of clients) client.close();
    await until(
      "they have gone",
      () => clientsPerWorker(pool[0]!),
      (each) => each.every((count, i) => count === base[i]),
    );
  }
  console.log(`pools of ${POOL} over ${WORKERS} workers: ${spreads.join(" ")}; total ${totals}`);
  console.log(`${uneven} of 20 were worse than 2 to 1`);
  assert.ok(totals.every((total) => total > 20 * POOL / 8), `per worker: ${totals}`);
});

Deno.test("a value set through one connection is seen by all others", async () => {
  for (let round = 0; round < 50; round++) {
    const writer = pool[round % pool.length]!;
    assert.equal(plain(await writer.command("SET", "seen", String(round))), "+OK");
    const seen = await Promise.all(pool.map((client) => client.command("GET", "seen")));
    assert.ok(seen.every((value) => plain(value) === String(round)), `round ${round}`);
  }
  await Promise.all(
    pool.map((client) => client.pipeline(Array.from({ length: 500 }, () => ["INCR", "counted"]))),
  );
  assert.equal(plain(await pool[0]!.command("GET", "counted")), String(pool.length * 500));
  assert.equal(plain(await pool[1]!.command("FLUSHDB")), "+OK");
  const sizes = await Promise.all(pool.map((client) => client.command("DBSIZE")));
  assert.ok(sizes.every((size) => plain(size) === 0));
});

Deno.test("CLIENT LIST shows the connections of all workers, whoever is asked", async () => {
  await Promise.all(pool.map((c, i) => c.command("CLIENT", "SETNAME", `pool-${i}`)));
  const lists = await Promise.all(pool.map((client) => client.command("CLIENT", "LIST")));
  for (const list of lists) {
    const lines = String(plain(list)).trimEnd().split("\n");
    assert.equal(lines.length, pool.length);
    const ids = lines.map((line) => Number(/^id=(\d+) /.exec(line)?.[1]));
    assert.equal(new Set(ids).size, ids.length, "ids are unique over the workers");
    for (const [i, client] of pool.entries()) {
      const line = lines.find((one) => one.includes(`addr=127.0.0.1:${client.localPort} `));
      assert.match(String(line), new RegExp(` name=pool-${i} `));
    }
  }
});

Deno.test("CLIENT KILL ends a connection of any worker", async () => {
  const victims = await Promise.all(Array.from({ length: POOL }, () => connect(server.port)));
  try {
    const ids = await Promise.all(victims.map((client) => client.command("CLIENT", "ID")));
    for (const [i, victim] of victims.entries()) {
      const killed = await pool[0]!.command("CLIENT", "KILL", "ID", String(plain(ids[i]!)));
      assert.equal(plain(killed), 1);
      await victim.ended();
    }
    const gone = await pool[0]!.command("CLIENT", "KILL", "ID", String(plain(ids[0]!)));
    assert.equal(plain(gone), 0);
    assert.equal(plain(await pool[0]!.command("PING")), "+PONG");
  } finally {
    for (const victim of victims) victim.close();
  }
});

Deno.test("MGET never sees half of an MSET while both workers do nothing else", async () => {
  const count = 512, valueBytes = 8, group = 20, runMs = 3000;
  const keys = Array.from({ length: count }, (_, i) => `half:${i}`);
  const msets = ["a", "b", "c", "d"].map((letter) =>
    encodeCommand(["MSET", ...keys.flatMap((key) => [key, letter.repeat(valueBytes)])])
  );
  await pool[0]!.send(msets[0]!);
  assert.equal(plain(await pool[0]!.reply()), "+OK");
  const mget = encodeCommand(["MGET", ...keys]);
  const header = `*${count}\r\n`.length, stride = `$8\r\n`.length + valueBytes + 2;
  const replyBytes = header + count * stride;
  const deadlineMs = performance.now() + runMs;
  const writers = pool.slice(0, 6).map(async (client, w) => {
    while (performance.now() < deadlineMs) {
      for (let i = 0; i < group; i++) await client.send(msets[(w + i) % msets.length]!);
      const replies = await client.readRaw(group * "+OK\r\n".length);
      assert.equal(new TextDecoder().decode(replies), "+OK\r\n".repeat(group));
    }
  });
  let reads = 0;
  const readers = pool.slice(6, 12).map(async (client) => {
    while (performance.now() < deadlineMs) {
      for (let i = 0; i < group; i++) await client.send(mget);
      for (let i = 0; i < group; i++, reads++) {
        const reply = await client.readRaw(replyBytes);
        for (let at = header + stride; at < replyBytes; at++) {
          if (reply[at] !== reply[at - stride]) assert.fail(`read ${reads} is torn at ${at}`);
        }
      }
    }
  });
  await Promise.all([...writers, ...readers]);
  assert.ok(reads > 200, `${reads} reads`);
});

Deno.test("MGET never sees half of an MSET, and EXISTS never half of a DEL", async () => {
  const keys = Array.from({ length: 400 }, (_, i) => `both:${i}`);
  assert.equal(plain(await pool[0]!.command("FLUSHALL")), "+OK");
  let writing = true;
  // In pipelines, so that both workers are busy with them at the same time.
  const writers = pool.slice(0, 6).map(async (client, w) => {
    for (let round = 0; round < 12; round++) {
      const values = Array.from({ length: 8 }, (_, i) => `${w}:${round}:${"x".repeat(i * 9)}`);
      // Once a value that lies in a block.
      if (round === 6 && w === 0) values[7] = "y".repeat(20_000);
      const msets = values.map((value) => ["MSET", ...keys.flatMap((key) => [key, value])]);
      const replies = await client.pipeline([...msets, ["DEL", ...keys]]);
      assert.ok(replies.slice(0, -1).every((reply) => plain(reply) === "+OK"));
      assertAllOrNone(plain(replies.at(-1)!), keys.length, "DEL");
    }
  });
  let reads = 0;
  const readers = pool.slice(6, 14).map(async (client) => {
    const asked = Array.from({ length: 5 }, () => [["MGET", ...keys], ["EXISTS", ...keys]]).flat();
    while (writing) {
      const replies = await client.pipeline(asked);
      for (let i = 0; i < replies.length; i += 2) {
        const values = plain(replies[i]!) as (string | null)[];
        assert.equal(new Set(values).size, 1, "all keys hold one value");
        assertAllOrNone(plain(replies[i + 1]!), keys.length, "EXISTS");
        reads++;
      }
    }
  });
  try {
    await Promise.all([...writers, Promise.race([Promise.all(writers), ...readers])]);
  } finally {
    writing = false;
  }
  await Promise.all(readers);
  assert.ok(reads > 100, `${reads} reads`);
});

function assertAllOrNone(count: unknown, all: number, command: string): void {
  assert.ok(count === 0 || count === all, `${command} of ${count} of ${all} keys`);
}

Deno.test("SCAN gives every key whatever worker each step runs on", async () => {
  assert.equal(plain(await pool[0]!.command("FLUSHALL")), "+OK");
  const count = 5000;
  await pool[0]!.pipeline(Array.from({ length: count }, (_, i) => ["SET", `scan:${i}`, "v"]));
  const seen = new Set<string>();
  let cursor = "0";
  for (let step = 0; step < count; step++) {
    const client = pool[step % pool.length]!;
    const reply = plain(await client.command("SCAN", cursor, "COUNT", "50")) as [string, string[]];
    for (const key of reply[1]) seen.add(key);
    cursor = reply[0];
    if (cursor === "0") break;
    // The index grows meanwhile.
    await client.pipeline(Array.from({ length: 50 }, (_, i) => ["SET", `more:${step}:${i}`, "v"]));
  }
  assert.equal(cursor, "0");
  for (let i = 0; i < count; i++) assert.ok(seen.has(`scan:${i}`), `scan:${i}`);
});
