// Values far above what a slot holds, in and out of a real server: whole, never mixed with what was
// written meanwhile, and their memory given back whatever becomes of client and command.

import assert from "node:assert/strict";
import { assertSameBytes, payload } from "../support/payload.ts";
import { connect, encodeCommand, plain, type RespClient } from "../support/resp_client.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { infoNumber, readInfo, until, untilInfo } from "../support/server_numbers.ts";

const MIB = 1 << 20;
const LARGEST = 64 * MIB;
const TIMEOUT_MS = 30_000;

let server: RunningServer;
let client: RespClient;
/** Pages of the one small entry that keeps each shard's page in use through all tests. */
let pagesBefore: number;

Deno.test.beforeAll(async () => {
  server = await startServer({
    workers: 1,
    flags: ["--maxmemory", "1gb", "--enable-debug-command", "yes"],
  });
  client = await connect(server.port, { timeoutMs: TIMEOUT_MS });
  pagesBefore = await infoNumber(client, "used_memory_pages");
});

Deno.test.afterAll(async () => {
  client.close();
  assert.equal(await server.stop(), 0, server.output().stderr);
});

/** Empties the store and asserts that every page came back and no block is held by anybody. */
async function assertNothingLeaks(): Promise<void> {
  assert.equal(plain(await client.command("FLUSHALL")), "+OK");
  await untilInfo(client, "pinned_blocks", 0);
  await untilInfo(client, "used_memory_pages", pagesBefore);
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test(name, async () => {
    await fn();
    await assertNothingLeaks();
  });
}

test("SET and GET carry 64 MiB whole", async () => {
  const value = payload(LARGEST, 1);
  assert.equal(plain(await client.command("SET", "big", value)), "+OK");
  assert.equal(plain(await client.command("STRLEN", "big")), LARGEST);
  assertSameBytes(await client.command("GET", "big"), value);
  assert.ok(await infoNumber(client, "used_memory") < LARGEST * 1.1, "one copy in the store");
});

test("SET takes its options behind a large value", async () => {
  const value = payload(3 * MIB, 2);
  assert.equal(plain(await client.command("SET", "k", value, "EX", "10")), "+OK");
  const ttl = plain(await client.command("PTTL", "k")) as number;
  assert.ok(ttl > 5000 && ttl <= 10_000, `PTTL ${ttl}`);
  assertSameBytes(await client.command("GET", "k"), value);
  const next = payload(2 * MIB, 3);
  assertSameBytes(await client.command("SET", "k", next, "XX", "GET", "KEEPTTL"), value);
  assertSameBytes(await client.command("GET", "k"), next);
  assert.ok(plain(await client.command("PTTL", "k")) as number > 0);
});

test("a large value that its command does not store leaves no page behind", async () => {
  assert.equal(plain(await client.command("SET", "k", "old")), "+OK");
  const pages = await infoNumber(client, "used_memory_pages");
  // Above 64 KiB a value may be received straight into pages, below it is copied there when it is whole.
  for (const bytes of [5 * MIB, 20_000]) {
    const value = payload(bytes, 4);
    assert.equal(plain(await client.command("SET", "k", value, "NX")), null);
    assert.equal(plain(await client.command("SET", "none", value, "XX")), null);
    assert.equal(plain(await client.command("SETNX", "k", value)), 0);
    assert.equal(plain(await client.command("SET", "k", value, "EX", "0")), EXPIRE_ERROR);
    assert.equal(plain(await client.command("SET", "k", value, "NOPE")), "-ERR syntax error");
    assert.equal(plain(await client.command("SETEX", "k", "x", value)), NOT_AN_INTEGER);
    assert.match(
      String(plain(await client.command("NOSUCH", "k", value))),
      /^-ERR unknown command/,
    );
    assert.match(String(plain(await client.command("PUT", "k", value, "more"))), /wrong number/);
    assert.equal(plain(await client.command("MSET", "k", value, "odd")), MSET_ARITY);
    assert.equal(await infoNumber(client, "used_memory_pages"), pages);
    assert.equal(plain(await client.command("GET", "k")), "old");
  }
});
const EXPIRE_ERROR = "-ERR invalid expire time in 'set' command";
const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";

test("a large value goes to the database that a SELECT before it chose", async () => {
  const value = payload(MIB, 5);
  const replies = await client.pipeline([["SELECT", "3"], ["SET", "k", value], ["SELECT", "0"]]);
  assert.deepEqual(replies.map(plain), ["+OK", "+OK", "+OK"]);
  assert.equal(plain(await client.command("EXISTS", "k")), 0);
  const [, got] = await client.pipeline([["SELECT", "3"], ["GET", "k"], ["SELECT", "0"]]);
  assertSameBytes(got, value);
});

test("a client that goes while it sends 64 MiB leaves nothing behind", async () => {
  for (const sentBytes of [100_000, 10 * MIB, LARGEST - 1, LARGEST, LARGEST + 1]) {
    {
      using gone = await connect(server.port);
      await gone.send(`*3\r\n$3\r\nSET\r\n$4\r\ngone\r\n$${LARGEST}\r\n`);
      const whole = new Uint8Array(LARGEST + 1).fill(13, LARGEST);
      await gone.send(whole.subarray(0, sentBytes));
    }
    await untilInfo(client, "connected_clients", 1);
    await untilInfo(client, "used_memory_pages", pagesBefore);
  }
  assert.equal(plain(await client.command("EXISTS", "gone")), 0);
});

test("a client that is killed while it sends 64 MiB leaves nothing behind", async () => {
  using victim = await connect(server.port);
  const id = String(plain(await victim.command("CLIENT", "ID")));
  await victim.send(`*3\r\n$3\r\nSET\r\n$4\r\ngone\r\n$${LARGEST}\r\n${"v".repeat(MIB)}`);
  await until(
    "it has begun",
    () => infoNumber(client, "used_memory_pages"),
    (n) => n > pagesBefore,
  );
  assert.equal(plain(await client.command("CLIENT", "KILL", "ID", id)), 1);
  await victim.ended();
  await untilInfo(client, "used_memory_pages", pagesBefore);
});

test("a client that goes while it reads 64 MiB lets the value go", async () => {
  const value = payload(LARGEST, 6);
  assert.equal(plain(await client.command("SET", "big", value)), "+OK");
  {
    using gone = await connect(server.port);
    await gone.send("GET big\r\n");
    await gone.readRaw(MIB);
    assert.equal(await infoNumber(client, "pinned_blocks"), 1);
    assert.equal(plain(await client.command("DEL", "big")), 1);
  }
  await untilInfo(client, "pinned_blocks", 0);
  await untilInfo(client, "used_memory_pages", pagesBefore);
});

test("a slow reader gets the old value whole while its key is overwritten and deleted", async () => {
  const old = payload(LARGEST, 7);
  assert.equal(plain(await client.command("SET", "big", old)), "+OK");
  using slow = await connect(server.port, { timeoutMs: TIMEOUT_MS });
  await slow.send("GET big\r\nSTRLEN big\r\n");
  const parts = [await slow.readRaw(`$${LARGEST}\r\n`), await slow.readRaw(1000)];
  for (let seed = 8; seed < 11; seed++) { // what is freed by mistake would be written over
    assert.equal(plain(await client.command("SET", "big", payload(LARGEST, seed))), "+OK");
    parts.push(await slow.readRaw(4 * MIB));
  }
  assert.equal(plain(await client.command("APPEND", "big", "tail")), LARGEST_REFUSED);
  assert.equal(plain(await client.command("DEL", "big")), 1);
  assert.equal(plain(await client.command("SET", "other", payload(LARGEST, 11))), "+OK");
  const read = parts.slice(1).reduce((total, part) => total + part.length, 0);
  parts.push(await slow.readRaw(LARGEST - read));
  let at = 0;
  for (const part of parts.slice(1)) {
    assertSameBytes(part, old.subarray(at, at + part.length), `part at ${at}`);
    at += part.length;
  }
  assert.equal(new TextDecoder().decode(await slow.readRaw(2)), "\r\n");
  assert.equal(typeof plain(await slow.reply()), "number");
});
const LARGEST_REFUSED = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";

test("a reader of a value that grows by APPEND gets it as it was", async () => {
  const old = payload(20 * MIB + 5, 12), tail = payload(MIB, 13);
  assert.equal(plain(await client.command("SET", "big", old)), "+OK");
  using slow = await connect(server.port, { timeoutMs: TIMEOUT_MS });
  await slow.send("GET big\r\n");
  await slow.readRaw(`$${old.length}\r\n`);
  for (let i = 1; i <= 5; i++) {
    const bytes = old.length + i * (MIB + 1);
    assert.equal(plain(await client.command("APPEND", "big", tail)), bytes - 1);
    assert.equal(plain(await client.command("APPEND", "big", "x")), bytes);
  }
  assertSameBytes(await slow.readRaw(old.length), old);
});

test("APPEND builds several MiB in steps of any size and in one go", async () => {
  const whole = payload(5 * MIB, 14);
  const steps = [1, 100, 16_000, 500, 16_384, 1, 65_535, 65_536, 100_000, 262_144, 262_145, MIB];
  let at = 0;
  for (const step of steps) {
    const reply = await client.command("APPEND", "steps", whole.subarray(at, at + step));
    at += step;
    assert.equal(plain(reply), at);
    assertSameBytes(await client.command("GET", "steps"), whole.subarray(0, at), `after ${step}`);
  }
  for (const first of [0, 1, 16_000, 17_000, 70_000]) {
    assert.equal(plain(await client.command("SET", "go", whole.subarray(0, first))), "+OK");
    const reply = await client.command("APPEND", "go", whole.subarray(first));
    assert.equal(plain(reply), whole.length);
    assertSameBytes(await client.command("GET", "go"), whole, `from ${first}`);
  }
  assert.equal(plain(await client.command("APPEND", "absent", whole)), whole.length);
  assertSameBytes(await client.command("GETDEL", "absent"), whole);
});

test("MSET and MGET carry several large values beside small ones", async () => {
  const sizes = [3 * MIB, 10, 100_000, 16_384, 16_385, 0, 70_000, MIB];
  const values = sizes.map((size, i) => payload(size, 20 + i));
  const pairs = values.flatMap((value, i) => [`m${i}`, value]);
  for (let round = 0; round < 2; round++) {
    assert.equal(plain(await client.command("MSET", ...pairs)), "+OK");
    const keys = [...sizes.map((_, i) => `m${i}`), "absent"];
    const got = await client.command("MGET", ...keys) as unknown[];
    assert.equal(got.length, keys.length);
    values.forEach((value, i) => assertSameBytes(got[i], value, keys[i]));
    assert.equal(got.at(-1), null);
  }
  assert.equal(plain(await client.command("MSET", ...pairs, "odd")), MSET_ARITY);
});
const MSET_ARITY = "-ERR wrong number of arguments for 'mset' command";

test("MSET of 1,500 values of 20,000 bytes is gathered without copying it over and over", async () => {
  const value = payload(20_000, 29), keys = Array.from({ length: 1500 }, (_, i) => `g${i}`);
  const startMs = performance.now();
  assert.equal(plain(await client.command("MSET", ...keys.flatMap((key) => [key, value]))), "+OK");
  // 30 MB, copied at each of 1,500 arguments, would be 22 GB: more than ten times as long.
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < 3000, `took ${tookMs} ms`);
  for (const got of await client.pipeline(keys.map((key) => ["GET", key]))) {
    assertSameBytes(got, value);
  }
});

test("MGET carries thousands of large values in its replies' own memory", async () => {
  const value = payload(17_000, 30), count = 5000;
  assert.equal(plain(await client.command("SET", "v", value)), "+OK");
  const rssBefore = await infoNumber(client, "used_memory_rss");
  using reader = await connect(server.port, { timeoutMs: TIMEOUT_MS });
  const bulk = "$1\r\nv\r\n".repeat(count);
  await reader.send(`*${count + 1}\r\n$4\r\nMGET\r\n${bulk}`);
  let info = await readInfo(client);
  for (let i = 0; i < 500 && info.number("clients_output_buffer_bytes") === 0; i++) {
    info = await readInfo(client);
  }
  const waiting = info.number("clients_output_buffer_bytes");
  assert.ok(waiting > 0 && waiting < 2 * MIB, `${waiting} bytes`);
  assert.ok(info.number("used_memory_rss") - rssBefore < 100 * MIB);
  const got = await reader.reply() as unknown[];
  assert.equal(got.length, count);
  got.forEach((each, i) => assertSameBytes(each, value, `value ${i}`));
});

test("GETSET and GETDEL give the old large value back", async () => {
  const first = payload(2 * MIB, 31), second = payload(3 * MIB, 32);
  assert.equal(plain(await client.command("GETSET", "k", first)), null);
  assertSameBytes(await client.command("GETSET", "k", second), first);
  assertSameBytes(await client.command("GETSET", "k", "small"), second);
  assert.equal(plain(await client.command("GETSET", "k", first)), "small");
  assertSameBytes(await client.command("GETDEL", "k"), first);
  assert.equal(plain(await client.command("EXISTS", "k")), 0);
});

test("a large value expires like a small one", async () => {
  const value = payload(2 * MIB, 33);
  assert.equal(plain(await client.command("PSETEX", "brief", "60", value)), "+OK");
  assert.equal(plain(await client.command("SET", "brief too", value, "PX", "60")), "+OK");
  await untilInfo(client, "used_memory_pages", pagesBefore); // by the background sweep alone
  assert.deepEqual(plain(await client.command("MGET", "brief", "brief too")), [null, null]);
});

test("one read batch may hold large values between small commands", async () => {
  const value = payload(70_000, 34);
  const commands = Array.from({ length: 60 }, (_, i) => [
    ["SET", `k${i}`, value],
    ["GET", `k${i}`],
    ["INCR", "n"],
    ["APPEND", `k${i}`, value],
    ["STRLEN", `k${i}`],
  ]).flat();
  const replies = await client.pipeline(commands);
  for (let i = 0; i < 60; i++) {
    assert.equal(plain(replies[i * 5]!), "+OK");
    assertSameBytes(replies[i * 5 + 1], value);
    assert.equal(plain(replies[i * 5 + 2]!), i + 1);
    assert.equal(plain(replies[i * 5 + 3]!), 140_000);
    assert.equal(plain(replies[i * 5 + 4]!), 140_000);
  }
});

test("server goes on behind a large value where the commands after it let others have their turn", async () => {
  const value = payload(3 * MIB, 9), set = encodeCommand(["SET", "large", value]);
  using other = await connect(server.port);
  const after = ["DEBUG SLEEP 0.02", "GET large", "DEBUG SLEEP 0.02", "STRLEN large", "PING"];
  for (let round = 0; round < 3; round++) {
    // The value is under way before its end comes, together with all that follows it.
    const bytesBefore = await infoNumber(other, "total_net_input_bytes");
    await client.send(set.subarray(0, MIB));
    await until(
      "the value's first part has come",
      () => infoNumber(other, "total_net_input_bytes"),
      (bytes) => bytes - bytesBefore > MIB / 2,
    );
    const rest = new Uint8Array(set.length - MIB + 200);
    rest.set(set.subarray(MIB));
    const { written } = new TextEncoder().encodeInto(
      `${after.join("\r\n")}\r\n`,
      rest.subarray(set.length - MIB),
    );
    await client.send(rest.subarray(0, set.length - MIB + written));
    assert.equal(plain(await client.reply()), "+OK");
    assert.equal(plain(await client.reply()), "+OK");
    assertSameBytes(await client.reply() as Uint8Array, value);
    assert.equal(plain(await client.reply()), "+OK");
    assert.equal(plain(await client.reply()), value.length);
    assert.equal(plain(await client.reply()), "+PONG");
  }
});
