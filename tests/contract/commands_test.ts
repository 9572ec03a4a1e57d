// The commands of the table over every protocol, and what takes more than a call and its reply.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, ErrorReply, plain, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { CASES, textLine } from "./command_cases.ts";

const BIG = 3_000_000;
const WAIT_MS = 10_000;

Deno.test("commands give the replies of their cases over RESP and as lines of text", async (t) => {
  await using server = await startServer({ workers: 2 });
  for (const { name, calls, inText } of CASES) {
    await t.step(`${name}, RESP`, async () => {
      using client = await connect(server.port);
      await client.command("FLUSHALL");
      for (const [args, reply] of calls) {
        assert.deepEqual(plain(await client.command(...args)), reply, args.join(" "));
      }
    });
    await t.step(`${name}, RESP in one pipeline`, async () => {
      using client = await connect(server.port);
      await client.command("FLUSHALL");
      const replies = await client.pipeline(calls.map(([args]) => args));
      assert.deepEqual(replies.map(plain), calls.map(([, reply]) => reply));
    });
    if (inText === false) continue;
    await t.step(`${name}, text`, async () => {
      using client = await connect(server.port);
      await client.command("FLUSHALL");
      for (const [args, reply, text] of calls) {
        await client.send(`${args.join(" ")}\n`);
        const line = new TextDecoder().decode(await client.readRaw("\n"));
        assert.equal(line, `${text ?? textLine(reply)}\n`, args.join(" "));
      }
    });
  }
});

Deno.test("a text session answers line by line as the README shows", async () => {
  await using server = await startServer();
  using client = await connect(server.port);
  await client.send(
    'SET a hello world EX 10\nGET a\nPUT b 2 EX 5\nMGET a b c\nDEL b\nGET b\n\nSET m {"score": 0.95} ' +
      "EX 3600\nGET m\nTTL m\nINCR n\nDELETE n\nFOO\nSET k EX 5\nGET k\n",
  );
  await client.closeWrite();
  assert.equal(
    new TextDecoder().decode(await client.readToEnd()),
    'OK\nhello world\nOK\nhello world 2 EX 5 (nil)\nOK\n(nil)\nOK\n{"score": 0.95}\n3600\n1\nOK\n' +
      "ERROR: Unknown command\nOK\nEX 5\n",
  );
});

/** Bytes that tell where in the value they stand. */
function pattern(bytes: number, seed: number): Uint8Array {
  const value = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) value[i] = (i * 31 + seed + (i >>> 8)) & 0xff;
  return value;
}

async function equalBulk(client: RespClient, key: string, value: Uint8Array): Promise<void> {
  const reply = await client.command("GET", key);
  assert.ok(reply instanceof Uint8Array);
  assert.equal(reply.length, value.length);
  assert.ok(Buffer.from(reply).equals(value), `${key} differs`);
}

Deno.test("commands treat large values as they do small ones", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  const one = pattern(BIG, 1), two = pattern(BIG + 77, 2), small = pattern(100, 3);

  assert.equal(await client.command("STRLEN", "v"), 0);
  assert.equal(plain(await client.command("SET", "v", one)), "+OK");
  await equalBulk(client, "v", one);
  assert.equal(await client.command("STRLEN", "v"), BIG);
  assert.deepEqual(await client.command("GETSET", "v", two), one);
  assert.deepEqual(await client.command("SET", "v", small, "GET", "EX", "100"), two);
  assert.equal(await client.command("TTL", "v"), 100);
  await equalBulk(client, "v", small);
  assert.deepEqual(await client.command("SET", "v", one, "GET", "KEEPTTL"), small);
  assert.equal(await client.command("TTL", "v"), 100);
  assert.ok(await client.command("INCR", "v") instanceof ErrorReply);
  assert.equal(await client.command("SETNX", "v", two), 0);
  assert.equal(await client.command("SETNX", "w", two), 1);
  assert.equal(plain(await client.command("SETEX", "x", "50", one)), "+OK");
  const block = pattern(200_000, 7), other = pattern(200_000, 8);
  assert.equal(plain(await client.command("SET", "z", block)), "+OK");
  assert.equal(await client.command("SET", "z", one, "IFEQ", other), null);
  await equalBulk(client, "z", block);
  assert.equal(plain(await client.command("SET", "z", one, "IFEQ", block)), "+OK");
  await equalBulk(client, "z", one);
  assert.equal(
    plain(await client.command("SET", "z", small, "IFEQ", one)),
    "-ERR IFEQ compares with at most 262144 bytes",
  );
  assert.equal(await client.command("DEL", "z"), 1);
  assert.deepEqual(await client.command("MGET", "v", "nosuch", "w", "x"), [one, null, two, one]);
  assert.equal(plain(await client.command("MSET", "v", two, "y", small, "w", one)), "+OK");
  assert.deepEqual(await client.command("MGET", "v", "y", "w"), [two, small, one]);
  assert.deepEqual(await client.command("GETDEL", "v"), two);
  assert.equal(await client.command("GET", "v"), null);

  let whole = new Uint8Array(0);
  for (const part of [small, one, small, pattern(16_384, 4), pattern(1, 5), two]) {
    const next = new Uint8Array(whole.length + part.length);
    next.set(whole);
    next.set(part, whole.length);
    whole = next;
    assert.equal(await client.command("APPEND", "a", part), whole.length);
    await equalBulk(client, "a", whole);
  }
  assert.equal(await client.command("DEL", "a", "w", "x", "y"), 4);
  assert.match(String(plain(await client.command("INFO", "memory"))), /\r\npinned_blocks:0\r\n/);
});

Deno.test("APPEND stops at the longest value", async () => {
  await using server = await startServer({ flags: ["--max-value-bytes", "100000"] });
  using client = await connect(server.port);
  assert.equal(await client.command("APPEND", "a", pattern(60_000, 1)), 60_000);
  assert.equal(
    plain(await client.command("APPEND", "a", pattern(40_001, 1))),
    "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
  );
  assert.equal(await client.command("APPEND", "a", pattern(40_000, 1)), 100_000);
});

Deno.test("without memory SET GET and GETSET keep the old value and reply OOM alone", async () => {
  await using server = await startServer({
    workers: 1,
    flags: ["--maxmemory-policy", "noeviction"],
  });
  using client = await connect(server.port);
  const old = pattern(200_000, 1);
  await client.command("SET", "block", old);
  await client.command("SET", "inline", "old");
  await client.command("SET", "n", "5");
  const before = String(plain(await client.command("CONFIG", "GET", "maxmemory")));
  const least = String(16 * 1024 * 1024);
  assert.equal(plain(await client.command("CONFIG", "SET", "maxmemory", least)), "+OK", before);
  // Fill what is left with values of every size that the calls below ask for.
  const sizes = [1_000_000, 65_536, 4_000, 100, 1];
  for (const size of sizes) {
    for (let i = 0, full = false; !full && i < 400_000; i += 100) {
      const calls = Array.from(
        { length: 100 },
        (_, j) => ["SET", `f:${size}:${i + j}`, "x".repeat(size)],
      );
      full = (await client.pipeline(calls)).some((reply) => reply instanceof ErrorReply);
    }
  }
  const oom = "-OOM command not allowed when used memory > 'maxmemory'.";
  const large = pattern(300_000, 2);
  const replies = await client.pipeline([
    ["GETSET", "block", large],
    ["SET", "block", large, "GET"],
    ["GETSET", "inline", large],
    ["MSET", "inline", large, "block", large],
    ["APPEND", "inline", large],
    ["GET", "inline"],
    ["INCR", "n"],
    ["PING"],
  ]);
  assert.deepEqual(replies.slice(0, 5).map(plain), [oom, oom, oom, oom, oom]);
  assert.deepEqual(replies.slice(5).map(plain), ["old", 6, "+PONG"]);
  await equalBulk(client, "block", old);
  // What was refused holds nothing: no pin, no page.
  assert.match(String(plain(await client.command("INFO", "memory"))), /\r\npinned_blocks:0\r\n/);
  assert.equal(plain(await client.command("FLUSHALL")), "+OK");
  assert.equal(plain(await client.command("SET", "block", large)), "+OK");
});

Deno.test("CLIENT LIST and CLIENT KILL reach the clients of every worker", async () => {
  await using server = await startServer({ workers: 3 });
  const clients: RespClient[] = [];
  try {
    for (let i = 0; i < 12; i++) {
      const client = await connect(server.port);
      clients.push(client);
      assert.equal(plain(await client.command("CLIENT", "SETNAME", `c${i}`)), "+OK");
    }
    const ids = await Promise.all(clients.map((client) => client.command("CLIENT", "ID")));
    assert.equal(new Set(ids).size, 12);
    const list = String(plain(await clients[0].command("CLIENT", "LIST")));
    assert.ok(list.endsWith("\n"));
    const lines = list.trimEnd().split("\n");
    assert.equal(lines.length, 12);
    clients.forEach((client, i) => {
      const line = lines.find((each) => each.includes(` name=c${i} `))!;
      assert.ok(line.startsWith(`id=${ids[i]} addr=127.0.0.1:${client.localPort} `), line);
    });
    const two = String(
      plain(await clients[0].command("CLIENT", "LIST", "ID", `${ids[5]}`, `${ids[2]}`)),
    );
    assert.match(two, /^id=\d+ .* name=c5 .*\nid=\d+ .* name=c2 .*\n$/);
    assert.equal(plain(await clients[0].command("CLIENT", "LIST", "TYPE", "pubsub")), "");
    const info = String(plain(await clients[3].command("CLIENT", "INFO")));
    assert.match(info, new RegExp(`^id=${ids[3]} .* name=c3 .* cmd=client\\|info .*\\n$`));

    assert.equal(await clients[0].command("CLIENT", "KILL", "ID", `${ids[7]}`), 1);
    await clients[7].ended(WAIT_MS);
    const address = `127.0.0.1:${clients[8].localPort}`;
    assert.equal(plain(await clients[0].command("CLIENT", "KILL", address)), "+OK");
    await clients[8].ended(WAIT_MS);
    assert.equal(plain(await clients[0].command("CLIENT", "KILL", address)), "-ERR No such client");
    assert.equal(await clients[0].command("CLIENT", "KILL", "MAXAGE", "100000"), 0);
    // All but the one that asks; then itself, after its reply, in the middle of a pipeline.
    assert.equal(await clients[0].command("CLIENT", "KILL", "TYPE", "normal"), 9);
    for (const client of clients.slice(1)) await client.ended(WAIT_MS);
    assert.equal(plain(await clients[0].command("PING")), "+PONG");
    assert.equal(await clients[0].command("CLIENT", "KILL", "ID", `${ids[0]}`, "SKIPME", "no"), 1);
    await clients[0].ended(WAIT_MS);
  } finally {
    for (const client of clients) client.close();
  }
});

Deno.test("parked commands keep the order of a pipeline's replies", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  const replies = await client.pipeline([
    ["SET", "a", "1"],
    ["CLIENT", "LIST"],
    ["GET", "a"],
    ["CLIENT", "KILL", "1.2.3.4:5"],
    ["CLIENT", "LIST", "ID", "abc"],
    ["INCR", "a"],
  ]);
  const [ok, list, got, kill, bad, sum] = replies.map(plain);
  assert.deepEqual([ok, got, kill, bad, sum], [
    "+OK",
    "1",
    "-ERR No such client",
    "-ERR Invalid client ID",
    2,
  ]);
  assert.match(String(list), /^id=/);
});

Deno.test("QUIT answers OK and closes, whatever follows it", async () => {
  await using server = await startServer();
  using client = await connect(server.port);
  await client.send("*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n");
  assert.equal(new TextDecoder().decode(await client.readToEnd(WAIT_MS)), "+OK\r\n");
  using text = await connect(server.port);
  await text.send("PING\nQUIT\nPING\n");
  assert.equal(new TextDecoder().decode(await text.readToEnd(WAIT_MS)), "PONG\nOK\n");
});

Deno.test("SHUTDOWN ends the server with exit code 0 and without a reply", async () => {
  for (const args of [["SHUTDOWN"], ["shutdown", "nosave", "now", "force"]]) {
    await using server = await startServer({ workers: 2 });
    using client = await connect(server.port);
    await client.send(`${args.join(" ")}\r\n`);
    assert.equal((await client.readToEnd(WAIT_MS)).length, 0);
    assert.equal(await server.exit(WAIT_MS), 0);
  }
});

Deno.test("AUTH, HELLO and RESET open and close a server with a password", async () => {
  await using server = await startServer({ env: { MAYFLY_REQUIREPASS: "sesame" } });
  using client = await connect(server.port);
  const calls: [string[], string][] = [
    [["GET", "a"], "-NOAUTH Authentication required."],
    [["CLIENT", "ID"], "-NOAUTH Authentication required."],
    [["HELLO", "2"], "-NOAUTH HELLO must be called with the client already authenticated, "],
    [["AUTH", "wrong"], "-WRONGPASS invalid username-password pair or user is disabled."],
    [["AUTH", "other", "sesame"], "-WRONGPASS "],
    [["HELLO", "2", "AUTH", "default", "wrong", "SETNAME", "x"], "-WRONGPASS "],
    [["AUTH", "a", "b", "c"], "-ERR syntax error"],
    [["GET", "a"], "-NOAUTH "],
    [["AUTH", "sesame"], "+OK"],
    [["SET", "a", "1"], "+OK"],
    [["CLIENT", "GETNAME"], "null"],
    [["AUTH", "wrong"], "-WRONGPASS "],
    [["GET", "a"], "1"],
    [["RESET"], "+RESET"],
    [["GET", "a"], "-NOAUTH "],
    [["AUTH", "default", "sesame"], "+OK"],
    [["GET", "a"], "1"],
    [["CONFIG", "GET", "requirepass"], "requirepass,"],
  ];
  for (const [args, start] of calls) {
    const reply = String(plain(await client.command(...args)));
    assert.ok(reply.startsWith(start), `${args.join(" ")}: ${reply}`);
  }
  assert.ok(!server.output().stderr.includes("sesame"));
  using other = await connect(server.port);
  const hello = plain(
    await other.command("HELLO", "2", "AUTH", "default", "sesame", "SETNAME", "me"),
  );
  assert.ok(Array.isArray(hello));
  const fields = new Map(Array.from({ length: 7 }, (_, i) => [hello[i * 2], hello[i * 2 + 1]]));
  assert.equal(hello.length, 14);
  assert.ok(Number.isInteger(fields.get("id")));
  assert.deepEqual(
    [...fields].filter(([name]) => name !== "id"),
    [
      ["server", "redis"],
      ["version", "7.2.4"],
      ["proto", 2],
      ["mode", "standalone"],
      ["role", "master"],
      ["modules", []],
    ],
  );
  assert.equal(plain(await other.command("CLIENT", "GETNAME")), "me");
});

Deno.test("SCAN visits every key exactly once while nothing changes", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  using other = await connect(server.port);
  const names = Array.from({ length: 3000 }, (_, i) => `key:${i}`);
  await client.pipeline(names.map((name) => ["SET", name, "x"]));
  await client.command("SELECT", "1");
  await client.command("SET", "elsewhere", "x");
  const seen: string[] = [];
  let cursor = "0", steps = 0;
  do {
    const reply = plain(await other.command("SCAN", cursor, "COUNT", "50")) as [string, string[]];
    assert.match(reply[0], /^\d{1,16}$/);
    cursor = reply[0];
    seen.push(...reply[1]);
  } while (cursor !== "0" && ++steps < 10_000);
  assert.equal(cursor, "0");
  assert.deepEqual(seen.sort(), names.sort());
});

Deno.test("COMMAND tells every row in Redis's ten fields", async () => {
  await using server = await startServer();
  using client = await connect(server.port);
  const all = plain(await client.command("COMMAND")) as unknown[][];
  assert.equal(await client.command("COMMAND", "COUNT"), all.length);
  for (const row of all) {
    assert.equal(row.length, 10);
    const [name, arity, flags, first, last, step, categories, tips, keys, subcommands] = row;
    assert.match(String(name), /^[a-z_]+$/);
    for (const number of [arity, first, last, step]) assert.ok(Number.isInteger(number));
    for (const list of [flags, categories, tips, keys, subcommands]) assert.ok(Array.isArray(list));
    for (const status of flags as string[]) assert.match(status, /^\+[a-z_]+$/);
    for (const status of categories as string[]) assert.match(status, /^\+@[a-z]+$/);
    assert.equal((keys as unknown[]).length > 0, first !== 0);
  }
  const get = plain(await client.command("COMMAND", "INFO", "GET")) as unknown[][];
  assert.deepEqual(get, [all.find((row) => row[0] === "get")]);
  assert.deepEqual(get[0].slice(0, 7), [
    "get",
    2,
    ["+readonly", "+fast"],
    1,
    1,
    1,
    ["+@read", "+@string", "+@fast"],
  ]);
  const docs = plain(await client.command("COMMAND", "DOCS", "get", "nosuch")) as unknown[];
  assert.equal(docs.length, 2);
  assert.equal(docs[0], "get");
});

Deno.test("STATS is one line of JSON that counts what was done", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  await client.pipeline([["SET", "a", "1"], ["GET", "a"], ["GET", "a"], ["MGET", "a", "b"]]);
  await client.command("PING");
  const text = String(plain(await client.command("STATS")));
  assert.ok(!text.includes("\n"));
  const stats = JSON.parse(text);
  assert.equal(stats.cache_hits, 3);
  assert.equal(stats.cache_misses, 1);
  assert.equal(stats.hit_rate, 75);
  assert.ok(stats.total_requests >= 5, text);
  assert.equal(stats.keys, 1);
  assert.equal(stats.workers, 2);
  assert.equal(stats.connections_per_worker.length, 2);
  assert.deepEqual(Object.keys(stats.histogram), [
    "<1ms",
    "<5ms",
    "<10ms",
    "<50ms",
    "<100ms",
    ">=100ms",
  ]);
  for (const name of ["avg", "p50", "p95", "p99"]) {
    assert.ok(stats[`${name}_latency_us`] > 0, `${name}: ${text}`);
  }
  for (const name of ["p99_tail_events", "batch_avg_size", "uptime_seconds"]) {
    assert.equal(typeof stats[name], "number", name);
  }
  assert.equal(typeof stats.p50_less_than_1ms, "boolean");
});

Deno.test("INFO tells the facts that clients look for, section by section", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  await client.pipeline([["SET", "a", "1"], ["SET", "b", "1", "EX", "100"], ["GET", "a"]]);
  const text = String(plain(await client.command("INFO")));
  const fields = new Map(
    text.split("\r\n").filter((line) => line.includes(":")).map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  assert.equal(fields.get("redis_version"), "7.2.4");
  assert.equal(fields.get("tcp_port"), String(server.port));
  assert.equal(fields.get("process_id"), String(server.pid));
  assert.match(fields.get("run_id")!, /^[0-9a-f]{40}$/);
  assert.equal(fields.get("connected_clients"), "1");
  assert.equal(fields.get("db0"), "keys=2,expires=1,avg_ttl=0");
  assert.ok(Number(fields.get("used_memory")) > 0);
  assert.ok(Number(fields.get("used_memory_rss")) > Number(fields.get("used_memory")));
  assert.equal(fields.get("evicted_keys"), "0");
  assert.ok(Number(fields.get("total_net_input_bytes")) > 0);
  assert.ok(Number(fields.get("total_net_output_bytes")) > 0);
  const some = String(plain(await client.command("INFO", "KEYSPACE", "nosuch")));
  assert.equal(some, "# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=0\r\n");
});

Deno.test("CONFIG SET changes all of its parameters or none", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  const set = (...args: string[]) => client.command("CONFIG", "SET", ...args);
  assert.equal(plain(await set("timeout", "11", "maxclients", "500")), "+OK");
  assert.ok((await set("timeout", "12", "maxclients", "x")) instanceof ErrorReply);
  assert.ok((await set("timeout", "12", "nosuch", "1")) instanceof ErrorReply);
  assert.deepEqual(
    plain(await client.command("CONFIG", "GET", "timeou?", "maxclients")),
    ["maxclients", "500", "timeout", "11"],
  );
  assert.equal(plain(await set("maxmemory", "64mb")), "+OK");
  using other = await connect(server.port);
  assert.match(String(plain(await other.command("INFO", "memory"))), /\r\nmaxmemory:67108864\r\n/);
});
