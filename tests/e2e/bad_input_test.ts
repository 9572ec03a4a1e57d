// What the server does with input that is wrong, hostile or at its limits: a clear error, the end of
// that connection alone, and nothing left behind.

import assert from "node:assert/strict";
import { assertSameBytes, payload } from "../support/payload.ts";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { infoNumber, readStats, untilInfo } from "../support/server_numbers.ts";

const KEY_BYTES_MAX = 100;
const VALUE_BYTES_MAX = 200_000;

let server: RunningServer;
/** Lives through all tests: what is wrong on other connections must not touch it. */
let witness: RespClient;

Deno.test.beforeAll(async () => {
  server = await startServer({
    workers: 1,
    flags: [
      ...["--max-key-bytes", String(KEY_BYTES_MAX), "--max-value-bytes", String(VALUE_BYTES_MAX)],
      ...["--maxmemory", "1gb"],
    ],
  });
  witness = await connect(server.port);
});

Deno.test.afterAll(async () => {
  assert.equal(plain(await witness.command("PING")), "+PONG");
  witness.close();
  assert.equal(await server.stop(), 0, server.output().stderr);
});

const latin1 = (bytes: Uint8Array) => String.fromCharCode(...bytes.subarray(0, 4096));

const MIB_LINE = "x".repeat(1 << 20);
const PROTOCOL_ERRORS: readonly [what: string, input: string, reply: string][] = [
  ["an announcement of 1,000,000,000 arguments", "*1000000000\r\n", "invalid multibulk length"],
  ["a count of arguments that is no number", "*x\r\n", "invalid multibulk length"],
  ["a negative bulk length", "*2\r\n$3\r\nGET\r\n$-5\r\nhello\r\n", "invalid bulk length"],
  ["a bulk length of 100 GB", "*2\r\n$3\r\nGET\r\n$99999999999\r\n", "invalid bulk length"],
  [
    "a bulk length past 2^53",
    "*2\r\n$3\r\nGET\r\n$99999999999999999999\r\n",
    "invalid bulk length",
  ],
  [
    "a bulk length one past the limit",
    `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${VALUE_BYTES_MAX + 1}\r\n`,
    "invalid bulk length",
  ],
  [
    "a bulk longer than announced",
    "*2\r\n$3\r\nGET\r\n$3\r\nhello\r\n",
    "expected CRLF after bulk",
  ],
  ["a bulk that LF alone ends", "*2\r\n$3\r\nGET\r\n$1\r\na\n\n", "expected CRLF after bulk"],
  [
    "a large bulk longer than announced",
    `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n${"v".repeat(100_002)}\r\n`,
    "expected CRLF after bulk",
  ],
  ["something else than a bulk", "*2\r\n$3\r\nGET\r\n:1\r\n", "expected '$', got ':'"],
  ["a line of 1 MiB without an end", MIB_LINE, "too big inline request"],
  ["a line of 1 MiB with its end", `${MIB_LINE}\r\n`, "too big inline request"],
  ["a count of 1 MiB", `*${"1".repeat(1 << 20)}\r\n`, "too big mbulk count string"],
  ["a double quote that is never closed", 'SET k "half\r\n', "unbalanced quotes in request"],
  ["a single quote that is never closed", "SET k 'half\r\n", "unbalanced quotes in request"],
  ["a letter right behind a closing quote", 'SET k "v"x\r\n', "unbalanced quotes in request"],
];

for (const [what, input, reply] of PROTOCOL_ERRORS) {
  Deno.test(`server answers and closes that connection alone on ${what}`, async () => {
    const before = await infoNumber(witness, "protocol_errors");
    using client = await connect(server.port);
    // Valid commands before the error are answered, those after it are not.
    const sent = client.send(`PING\r\n${input}PING\r\n`).catch(() => {});
    assert.equal(latin1(await client.readToEnd()), `+PONG\r\n-ERR Protocol error: ${reply}\r\n`);
    await sent;
    assert.equal(await infoNumber(witness, "protocol_errors"), before + 1);
    assert.equal(plain(await witness.command("EXISTS", "k")), 0);
  });
}

for (const input of ["POST / HTTP/1.1\r\n", "Host: localhost:6379\r\n", "post / HTTP/1.1\n"]) {
  Deno.test(`server closes without a word on ${JSON.stringify(input)}`, async () => {
    using client = await connect(server.port);
    const sent = client.send(`${input}SET tricked 1\r\n`).catch(() => {});
    assert.equal(latin1(await client.readToEnd()), "");
    await sent;
    assert.equal(plain(await witness.command("EXISTS", "tricked")), 0);
  });
}

Deno.test("server stores and gives back every byte in keys and values", async () => {
  using client = await connect(server.port);
  const bytes = Array.from({ length: 256 }, (_, byte) => new Uint8Array([107, byte, 58, byte]));
  const all = new Uint8Array(256).map((_, byte) => byte);
  await client.pipeline(bytes.map((key, i) => ["SET", key, new Uint8Array([...all, i])]));
  const values = await client.pipeline(bytes.map((key) => ["GET", key]));
  values.forEach((value, i) => assertSameBytes(value, new Uint8Array([...all, i]), `value ${i}`));
  const mget = await client.command("MGET", ...bytes) as Uint8Array[];
  mget.forEach((value, i) => assertSameBytes(value, new Uint8Array([...all, i]), `value ${i}`));
  assert.equal(plain(await client.command("DEL", ...bytes)), 256);
});

Deno.test("server takes an empty key, an empty value and empty commands", async () => {
  using client = await connect(server.port);
  assert.equal(plain(await client.command("SET", "", "of the empty key")), "+OK");
  assert.equal(plain(await client.command("GET", "")), "of the empty key");
  assert.equal(plain(await client.command("SET", "empty", "")), "+OK");
  assert.equal(plain(await client.command("GET", "empty")), "");
  assert.equal(plain(await client.command("STRLEN", "empty")), 0);
  assert.equal(plain(await client.command("DEL", "", "empty")), 2);
  await client.send("*0\r\n*-1\r\n\r\n  \r\n\nPING\r\n");
  assert.equal(plain(await client.reply()), "+PONG");
});

Deno.test("server takes a key at its limit and refuses one a byte longer", async () => {
  using client = await connect(server.port);
  const atLimit = "k".repeat(KEY_BYTES_MAX), past = "k".repeat(KEY_BYTES_MAX + 1);
  assert.equal(plain(await client.command("SET", atLimit, "v")), "+OK");
  assert.equal(plain(await client.command("GET", atLimit)), "v");
  const tooLong = `-ERR key is too long: ${KEY_BYTES_MAX + 1} bytes, at most ${KEY_BYTES_MAX}`;
  for (
    const command of [
      ["SET", past, "v"],
      ["GET", past],
      ["MGET", atLimit, past],
      ["MSET", "a", "1", past, "2"],
      ["DEL", atLimit, past],
      ["INCR", past],
      ["SET", past, "v".repeat(100_000)],
    ]
  ) assert.equal(plain(await client.command(...command)), tooLong, command[0]);
  assert.equal(plain(await client.command("EXISTS", atLimit, "a")), 1);
  assert.equal(plain(await client.command("DEL", atLimit)), 1);
});

Deno.test("server takes a value at its limit, and not by APPEND a byte more", async () => {
  using client = await connect(server.port);
  const value = payload(VALUE_BYTES_MAX, 1);
  assert.equal(plain(await client.command("SET", "limit", value)), "+OK");
  assertSameBytes(await client.command("GET", "limit"), value);
  assert.equal(
    plain(await client.command("APPEND", "limit", "x")),
    "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
  );
  assertSameBytes(await client.command("GETDEL", "limit"), value);
});

Deno.test("server takes another limit for values at run time, never above the start's", async () => {
  using client = await connect(server.port);
  const set = async (bytes: number) =>
    plain(await witness.command("CONFIG", "SET", "proto-max-bulk-len", String(bytes)));
  assert.match(String(await set(VALUE_BYTES_MAX + 1)), /^-ERR CONFIG SET failed .*must be between/);
  assert.equal(await set(1000), "+OK");
  try {
    assert.equal(plain(await client.command("SET", "k", "v".repeat(1000))), "+OK");
    await client.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1001\r\n");
    assert.equal(plain(await client.reply()), "-ERR Protocol error: invalid bulk length");
    await client.ended();
  } finally {
    assert.equal(await set(VALUE_BYTES_MAX), "+OK");
  }
  assert.equal(plain(await witness.command("SET", "k", "v".repeat(VALUE_BYTES_MAX))), "+OK");
  assert.equal(plain(await witness.command("DEL", "k")), 1);
});

Deno.test("server names an unknown command and its arguments, each cut at 128 characters", async () => {
  using client = await connect(server.port);
  const name = "n".repeat(100_000), arg = "a".repeat(100_000);
  assert.equal(
    plain(await client.command(name, arg, "b")),
    `-ERR unknown command '${"n".repeat(128)}', with args beginning with: '${"a".repeat(128)}' `,
  );
  assert.equal(
    plain(await client.command("a\r\nb\x00", "c\nd")),
    "-ERR unknown command 'a  b\x00', with args beginning with: 'c d' ",
  );
  assert.equal(
    plain(await client.command("FOO")),
    "-ERR unknown command 'FOO', with args beginning with: ",
  );
});

Deno.test("server runs commands of 100,000 arguments", async () => {
  using client = await connect(server.port, { timeoutMs: 30_000 });
  const keys = Array.from({ length: 100_000 }, (_, i) => `many:${i}`);
  const pairs = keys.slice(0, 50_000).flatMap((key, i) => [key, String(i)]);
  assert.equal(plain(await client.command("MSET", ...pairs)), "+OK");
  const values = plain(await client.command("MGET", ...keys)) as (string | null)[];
  assert.equal(values.length, 100_000);
  values.forEach((value, i) => assert.equal(value, i < 50_000 ? String(i) : null));
  assert.equal(plain(await client.command("EXISTS", ...keys)), 50_000);
  assert.equal(plain(await client.command("DEL", ...keys)), 50_000);
  assert.equal(plain(await client.command("EXISTS", ...keys)), 0);
});

Deno.test("server forgets a client that left in the middle of a command", async () => {
  await untilInfo(witness, "connected_clients", 1);
  const queryBytes = await infoNumber(witness, "clients_query_buffer_bytes");
  const pages = await infoNumber(witness, "used_memory_pages");
  const halves = [
    "*",
    "*3\r\n$3\r\nSET\r\n$4\r\nha",
    "*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$5\r\nabc",
    `*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$150000\r\n${"v".repeat(120_000)}`,
    `*3\r\n$6\r\nAPPEND\r\n$4\r\nhalf\r\n$150000\r\n${"v".repeat(120_000)}`,
    `*4\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$70000\r\n${"v".repeat(70_000)}\r\n$2\r\nE`,
    'SET half "abc',
    "MSET half ",
  ];
  const clients = await Promise.all(halves.map(() => connect(server.port)));
  try {
    await Promise.all(clients.map((client, i) => client.send(halves[i]!)));
    await untilInfo(witness, "connected_clients", 1 + halves.length);
  } finally {
    for (const client of clients) client.close();
  }
  await untilInfo(witness, "connected_clients", 1);
  await untilInfo(witness, "clients_query_buffer_bytes", queryBytes);
  await untilInfo(witness, "used_memory_pages", pages);
  assert.equal(plain(await witness.command("EXISTS", "half")), 0);
});

/**
 * Keys of 8 blocks that share one murmur2 hash under any seed: each pair of 4-byte blocks ends in the
 * same state whichever of its two forms is taken (Aumasson and Bernstein, 2012).
 */
function murmurCollisions(bits: number): Uint8Array[] {
  const m = 0x5bd1e995, inverse = modularInverse(m);
  const unmix = (mixed: number) => { // inverse of k *= m; k ^= k >>> 24; k *= m
    let k = Math.imul(mixed, inverse);
    k ^= k >>> 24;
    return Math.imul(k, inverse) >>> 0;
  };
  // A difference of 2^31 in the mixed block passes h * m unchanged and is taken back by the next block.
  const first = [unmix(1), unmix((1 ^ 0x80000000) >>> 0)];
  const second = [unmix(2), unmix((2 ^ 0x80000000) >>> 0)];
  return Array.from({ length: 1 << bits }, (_, number) => {
    const view = new DataView(new ArrayBuffer(bits * 8));
    for (let bit = 0; bit < bits; bit++) {
      const form = (number >> bit) & 1;
      view.setUint32(bit * 8, first[form]!, true);
      view.setUint32(bit * 8 + 4, second[form]!, true);
    }
    return new Uint8Array(view.buffer);
  });
}

function modularInverse(odd: number): number {
  let x = odd; // Newton: each round doubles the correct low bits
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}

function murmur2(bytes: Uint8Array, seed: number): number {
  const m = 0x5bd1e995, view = new DataView(bytes.buffer);
  let h = seed ^ bytes.length;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    let k = Math.imul(view.getUint32(at, true), m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  h = Math.imul(h ^ (h >>> 13), m);
  return (h ^ (h >>> 15)) >>> 0;
}

Deno.test("server keeps short chains under keys that collide in murmur whatever its seed", async () => {
  const keys = murmurCollisions(12);
  for (const seed of [0, 1, 0x12345678, 0xdeadbeef]) {
    assert.equal(new Set(keys.map((key) => murmur2(key, seed))).size, 1, "they do collide");
  }
  using client = await connect(server.port);
  await client.pipeline(keys.map((key) => ["SET", key, "v"]));
  const values = await client.command("MGET", ...keys);
  assert.ok((plain(values) as string[]).every((value) => value === "v"));
  assert.equal((await readStats(client)).long_chains, 0);
  assert.equal(plain(await client.command("DEL", ...keys)), keys.length);
});
