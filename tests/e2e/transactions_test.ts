// Transactions over real servers: whole for every other client, kept whole by the log, over HTTP and WebSocket too.
import assert from "node:assert/strict";
import { connect, ErrorReply, plain, type Reply, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";

const ACCOUNTS = 40;
const TRANSFERS = 300;
const SUM = ACCOUNTS * 100;
const WAIT_MS = 10_000;
/** A cache that is full soon, and lets nothing go. */
const FULL_FLAGS = ["--maxmemory", "16mb", "--maxmemory-policy", "noeviction"];

Deno.test("transfers with WATCH of clients of all workers keep the sum that readers with EXEC see", async () => {
  await using server = await startServer({ workers: 3 });
  using setUp = await connect(server.port);
  const names = Array.from({ length: ACCOUNTS }, (_, i) => `account:${i}`);
  await setUp.command("MSET", ...names.flatMap((name) => [name, "100"]));
  let isDone = false, refused = 0, sums = 0;
  const transfer = async (seed: number) => {
    using client = await connect(server.port);
    let state = seed;
    const next = (below: number) => (state = (state * 48271) % 2147483647) % below;
    for (let done = 0; done < TRANSFERS;) {
      const from = `account:${next(ACCOUNTS)}`, to = `account:${next(ACCOUNTS)}`;
      if (from === to) continue;
      const [, a, b] = await client.pipeline([["WATCH", from, to], ["GET", from], ["GET", to]]);
      const [left, right] = [Number(plain(a)), Number(plain(b))];
      const replies = await client.pipeline([
        ["MULTI"],
        ["SET", from, String(left - 1)],
        ["SET", to, String(right + 1)],
        ["EXEC"],
      ]);
      if (replies[3] === null) refused++;
      else done++;
    }
  };
  const watchSum = async () => {
    using client = await connect(server.port);
    while (!isDone) {
      const replies = await client.pipeline([["MULTI"], ...names.map((name) => ["GET", name]), [
        "EXEC",
      ]]);
      const values = plain(replies.at(-1)!) as string[];
      assert.equal(values.reduce((sum, value) => sum + Number(value), 0), SUM);
      sums++;
    }
  };
  const readers = Promise.all([watchSum(), watchSum()]);
  await Promise.all([1, 22, 333, 4444, 55555, 666666].map(transfer)).finally(() => isDone = true);
  await readers;
  assert.ok(refused > 0, "no two transfers ever met");
  assert.ok(sums > 0);
});

Deno.test("WATCH notices expiry, and the changes of another worker's clients", async () => {
  await using server = await startServer({ workers: 2 });
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect(server.port)));
  try {
    const [one, ...others] = clients;
    for (const other of others) {
      await one.command("SET", "k", "v");
      await one.command("WATCH", "k");
      await other.command("APPEND", "k", "w");
      const replies = await one.pipeline([["MULTI"], ["SET", "k", "lost"], ["EXEC"]]);
      assert.equal(replies[2], null);
      assert.equal(plain(await other.command("GET", "k")), "vw");
    }
    await one.command("SET", "k", "v", "PX", "60");
    await one.command("WATCH", "k");
    const deadlineMs = performance.now() + WAIT_MS;
    while (plain(await others[0].command("EXISTS", "k")) === 1) {
      assert.ok(performance.now() < deadlineMs);
    }
    const replies = await one.pipeline([["MULTI"], ["PING"], ["EXEC"]]);
    assert.equal(replies[2], null);
  } finally {
    for (const client of clients) client.close();
  }
});

Deno.test("a transaction with large values stores and gives them whole", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  const big = (byte: number, length: number) => new Uint8Array(length).fill(byte);
  const values = [big(1, 5_000_000), big(2, 17_000), big(3, 70_000), big(4, 300)];
  const replies = await client.pipeline([
    ["MULTI"],
    ...values.map((value, i) => ["SET", `big:${i}`, value]),
    ["MSET", "m1", values[1], "m2", values[3]],
    ["APPEND", "big:0", values[3]],
    ["COPY", "big:0", "copy"],
    ["GET", "big:0"],
    ["EXEC"],
  ]);
  const results = replies.at(-1) as Uint8Array[];
  assert.deepEqual(results.slice(0, 7).map(plain), [
    "+OK",
    "+OK",
    "+OK",
    "+OK",
    "+OK",
    5_000_300,
    1,
  ]);
  assert.deepEqual(results[7].length, 5_000_300);
  assert.deepEqual(results[7].subarray(5_000_000), values[3]);
  for (const [i, value] of values.entries()) {
    const got = await client.command("GETRANGE", `big:${i}`, "0", String(value.length - 1));
    assert.deepEqual(got, value);
  }
  assert.equal((await client.command("GET", "copy") as Uint8Array).length, 5_000_300);
  // What is dropped gives its memory back.
  const before = await numberOf(client, "memory", "used_memory");
  await client.pipeline([["MULTI"], ["SET", "other", values[0]], ["DISCARD"]]);
  using gone = await connect(server.port);
  await gone.pipeline([["MULTI"], ["SET", "other", values[0]]]);
  gone.close();
  const deadlineMs = performance.now() + WAIT_MS;
  while (await numberOf(client, "memory", "used_memory") > before) {
    assert.ok(performance.now() < deadlineMs);
  }
});

Deno.test("EXEC is whole after kill −9, and its values come back", async () => {
  const directory = await Deno.makeTempDir({ prefix: "mayfly-transactions-" });
  try {
    const flags = ["--persistence", "on", "--fsync", "always", "--data-dir", directory];
    const server = await startServer({ workers: 2, flags });
    const known: number[] = await Promise.all(Array.from({ length: 4 }, async (_, writer) => {
      let known = 0;
      try {
        using client = await connect(server.port);
        for (let i = 1;; i++) {
          const keys = Array.from({ length: 20 }, (_, k) => ["SET", `w${writer}:${k}`, String(i)]);
          const large = new Uint8Array(30_000).fill(i & 255);
          const replies = await client.pipeline([
            ["MULTI"],
            ...keys,
            ["SET", `w${writer}:large`, large],
            ["INCR", `w${writer}:count`],
            ["EXEC"],
          ]);
          assert.equal((replies.at(-1) as unknown[]).length, 22);
          known = i;
          if (i === 60 && writer === 0) await server.kill();
        }
      } catch (error) {
        assert.ok(!(error instanceof assert.AssertionError), String(error));
      }
      return known;
    }));
    await using again = await startServer({ workers: 2, flags });
    using client = await connect(again.port);
    for (const [writer, last] of known.entries()) {
      const keys = Array.from({ length: 20 }, (_, k) => `w${writer}:${k}`);
      const values = plain(await client.command("MGET", ...keys, `w${writer}:count`)) as string[];
      assert.equal(new Set(values).size, 1, `part of a transaction: ${values}`);
      const kept = Number(values[0]);
      assert.ok(kept >= last, `${kept} kept of ${last} acknowledged`);
      const large = await client.command("GET", `w${writer}:large`) as Uint8Array;
      assert.deepEqual(large, new Uint8Array(30_000).fill(kept & 255));
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("EXEC answers with what other threads know, in the order of its commands", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  using other = await connect(server.port);
  await other.command("CLIENT", "SETNAME", "other");
  // What a busy machine made slow, the server's first command perhaps, is nobody's answer.
  await client.command("CONFIG", "SET", "slowlog-log-slower-than", "-1");
  await client.command("SLOWLOG", "RESET");
  const replies = await client.pipeline([
    ["MULTI"],
    ["SET", "a", "1"],
    ["CLIENT", "LIST"],
    ["SLOWLOG", "LEN"],
    ["GET", "a"],
    ["CLIENT", "KILL", "nobody:1"],
    ["CONFIG", "RESETSTAT"],
    ["INFO", "clients"],
    ["EXEC"],
    ["PING"],
  ]);
  const [set, list, len, get, kill, reset, info] = plain(replies.at(-2)!) as string[];
  assert.match(list, /name=other /);
  assert.match(info, /^# Clients/);
  assert.deepEqual([set, len, get, kill, reset], ["+OK", 0, "1", "-ERR No such client", "+OK"]);
  assert.equal(plain(replies.at(-1)!), "+PONG");
});

Deno.test("CLIENT LIST shows who is in a transaction and what is watched", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  using looker = await connect(server.port);
  await client.command("CLIENT", "SETNAME", "me");
  const line = async () => {
    const lines = (plain(await looker.command("CLIENT", "LIST")) as string).split("\n");
    return lines.find((each) => each.includes(" name=me "))!;
  };
  assert.match(await line(), / flags=N .* multi=-1 watch=0 /);
  await client.pipeline([["WATCH", "a", "b", "a"], ["MULTI"], ["GET", "a"], ["SET", "b", "1"]]);
  assert.match(await line(), / flags=x .* multi=2 watch=2 .* cmd=set /);
  await client.command("EXEC");
  assert.match(await line(), / flags=N .* multi=-1 watch=0 .* cmd=exec /);
});

Deno.test("a list of commands over HTTP may hold a transaction, which ends with the request", async () => {
  await using server = await startServer({ workers: 1 });
  const post = async (body: unknown) => {
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/v1/command`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return await response.json();
  };
  assert.deepEqual(
    await post([["MULTI"], ["SET", "a", 1], ["INCR", "a"], ["MGET", "a", "b"], ["EXEC"]]),
    [
      { result: "OK" },
      { result: "QUEUED" },
      { result: "QUEUED" },
      { result: "QUEUED" },
      { result: ["OK", 2, ["2", null]] },
    ],
  );
  assert.deepEqual(await post([["WATCH", "a"], ["MULTI"], ["SET", "a", "lost"]]), [
    { result: "OK" },
    { result: "OK" },
    { result: "QUEUED" },
  ]);
  assert.deepEqual(await post(["GET", "a"]), { result: "2" });
  assert.match(JSON.stringify(await post(["EXEC"])), /EXEC without MULTI/);
  using client = await connect(server.port);
  assert.deepEqual(
    plain((await client.pipeline([["MULTI"], ["GET", "a"], ["EXEC"]])).at(-1)!),
    ["2"],
  );
});

Deno.test("a client of WebSocket has its own transactions", async () => {
  await using server = await startServer({ workers: 1 });
  const open = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.httpPort}/ws`);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    let answer: (value: unknown) => void = () => {};
    socket.onmessage = ({ data }) => answer(JSON.parse(data).result);
    const ask = (...command: string[]) =>
      new Promise((resolve) => {
        answer = resolve;
        socket.send(JSON.stringify({ command }));
      });
    return { socket, ask };
  };
  const one = await open(), two = await open();
  assert.equal(await one.ask("WATCH", "k"), "OK");
  assert.equal(await one.ask("MULTI"), "OK");
  assert.equal(await two.ask("SET", "k", "two"), "OK");
  assert.equal(await one.ask("SET", "k", "one"), "QUEUED");
  assert.equal(await one.ask("EXEC"), null);
  assert.equal(await one.ask("MULTI"), "OK");
  assert.equal(await one.ask("GET", "k"), "QUEUED");
  assert.deepEqual(await one.ask("EXEC"), ["two"]);
  for (const { socket } of [one, two]) {
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
  }
});

Deno.test("without memory EXEC refuses large values whole, and answers OOM for what finds none", async () => {
  await using server = await startServer({ workers: 1, flags: FULL_FLAGS });
  using client = await connect(server.port);
  const value = new Uint8Array(6_000_000).fill(7);
  assert.equal(plain(await client.command("SET", "first", value)), "+OK");
  const replies = await client.pipeline([
    ["MULTI"],
    ["SET", "small", "1"],
    ["MSET", "a", value, "b", value],
    ["EXEC"],
    ["EXISTS", "small", "a", "b"],
  ]);
  assert.match(plain(replies[3]) as string, /^-EXECABORT Transaction discarded because of: OOM /);
  assert.equal(plain(replies[4]), 0);
  assert.equal(plain(await client.command("SET", "small", "1")), "+OK");
});

Deno.test("a full cache answers OOM within EXEC, and its server goes on", async () => {
  await using server = await startServer({ workers: 2, flags: FULL_FLAGS });
  using client = await connect(server.port);
  const value = new Uint8Array(12_000).fill(1);
  for (let i = 0; i < 3000; i++) {
    const reply = plain(await client.command("SET", `fill:${i}`, value)) as string;
    if (reply !== "+OK") break;
  }
  const replies = await client.pipeline([
    ["MULTI"],
    ...Array.from({ length: 50 }, (_, i) => ["SET", `more:${i}`, value]),
    ["APPEND", "fill:0", new Uint8Array(60_000)],
    ["COPY", "fill:0", "copy"],
    ["GET", "fill:1"],
    ["DEL", "fill:1"],
    ["EXEC"],
  ]);
  const results = replies.at(-1) as unknown[];
  assert.equal(results.length, 54);
  const stored = results.slice(0, 50).filter((each) => !(each instanceof ErrorReply));
  assert.ok(stored.length < 50, "the cache was not full");
  assert.deepEqual(results[52], value);
  assert.equal(results[53], 1);
  assert.equal(plain(await client.command("SET", "fill:1", value)), "+OK");
  using other = await connect(server.port);
  assert.equal(plain(await other.command("PING")), "+PONG");
});

Deno.test("EXEC over a full cache lets old entries go, as single commands do", async () => {
  const directory = await Deno.makeTempDir({ prefix: "mayfly-transactions-" });
  try {
    const flags = ["--maxmemory", "16mb", "--maxmemory-policy", "allkeys-lru"];
    flags.push("--persistence", "on", "--data-dir", directory);
    await using server = await startServer({ workers: 2, flags });
    // EXEC lets go only what lies in the shards that it holds, and others take what was let go before: in a cache this
    // small that is, rarely, not enough.
    let writes = 0, refused = 0, aborted = 0;
    const fill = async (writer: number) => {
      using client = await connect(server.port);
      for (let round = 0; round < 60; round++) {
        const length = [100, 3000, 12_000, 40_000][round % 4];
        const value = new Uint8Array(length).fill(round);
        const key = (i: number) => `w${writer}:${round}:${i}`;
        const replies = await client.pipeline([
          ["MULTI"],
          ...Array.from({ length: 40 }, (_, i) => ["SET", key(i), value]),
          ["MSET", key(100), value, key(101), value, key(102), value],
          ["APPEND", key(103), value],
          ["EXEC"],
        ]);
        const results = replies.at(-1) as unknown[] | ErrorReply;
        if (results instanceof ErrorReply) {
          assert.match(plain(results) as string, /^-EXECABORT .* OOM /, `round ${round}`);
          aborted++;
          continue;
        }
        assert.equal(results.length, 42);
        for (const [i, each] of results.entries()) {
          const reply = plain(each as Reply);
          writes++;
          if (typeof reply === "string" && reply.startsWith("-OOM ")) refused++;
          else assert.equal(reply, i < 41 ? "+OK" : length);
        }
      }
    };
    await Promise.all([1, 2, 3].map(fill));
    assert.ok(refused < writes / 1000, `${refused} of ${writes} writes found no memory`);
    assert.ok(aborted <= 2, `${aborted} of 180 transactions found no memory`);
    using client = await connect(server.port);
    assert.ok(await numberOf(client, "stats", "evicted_keys") > 0, "the cache was not full");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

async function numberOf(client: RespClient, section: string, name: string): Promise<number> {
  const info = plain(await client.command("INFO", section)) as string;
  return Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)![1]);
}
