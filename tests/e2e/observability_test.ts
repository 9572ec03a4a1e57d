// What several workers tell of their commands together: counts, slow log, latency, namespaces, and MONITOR.

import assert from "node:assert/strict";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { infoNumber, readInfo, ServerInfo, until, untilInfo } from "../support/server_numbers.ts";
import { type RunningServer, startServer } from "../support/server.ts";

const CLIENTS_MAX = 64;

/** Clients of one server, until each of its two workers has some. */
async function clientsOfBoth(server: RunningServer, control: RespClient): Promise<RespClient[]> {
  const clients: RespClient[] = [];
  while (clients.length < CLIENTS_MAX) {
    clients.push(await connect(server.port));
    const info = await readInfo(control);
    const onFirst = info.number("worker0_clients"), onSecond = info.number("worker1_clients");
    if (clients.length >= 8 && onFirst >= 2 && onSecond >= 2) return clients;
  }
  throw new Error(`all of ${CLIENTS_MAX} connections fell on one worker`);
}

async function section(client: RespClient, name: string): Promise<ServerInfo> {
  return new ServerInfo(plain(await client.command("INFO", name)) as string);
}

Deno.test("INFO commandstats counts each command of all workers once, and CONFIG RESETSTAT clears all", async () => {
  await using server = await startServer({ workers: 2 });
  using control = await connect(server.port);
  const clients = await clientsOfBoth(server, control);
  await Promise.all(clients.map(async (client, i) => {
    await client.pipeline(Array.from({ length: 100 }, (_, at) => ["SET", `k${i}:${at}`, "v"]));
    await client.pipeline([["GET", `k${i}:0`], ["GET", "absent"], ["INCR", `k${i}:0`], ["GET"]]);
  }));
  const stats = await section(control, "commandstats"), count = clients.length;
  assert.match(stats.text("cmdstat_set"), new RegExp(`^calls=${count * 100},.*failed_calls=0$`));
  assert.match(
    stats.text("cmdstat_get"),
    new RegExp(`^calls=${count * 2},.*rejected_calls=${count},failed_calls=0$`),
  );
  assert.match(stats.text("cmdstat_incr"), new RegExp(`^calls=${count},.*failed_calls=${count}$`));
  const histogram = plain(await control.command("LATENCY", "HISTOGRAM", "set")) as unknown[];
  assert.equal((histogram[1] as unknown[])[1], count * 100);
  assert.equal(plain(await control.command("CONFIG", "RESETSTAT")), "+OK");
  const after = plain(await control.command("INFO", "commandstats")) as string;
  assert.ok(!/cmdstat_(?:set|get|incr)/.test(after), after);
  assert.deepEqual(plain(await control.command("LATENCY", "HISTOGRAM", "set")), []);
  for (const client of clients) client.close();
});

Deno.test("SLOWLOG merges the workers' entries, newest first, and RESET empties all", async () => {
  await using server = await startServer({ workers: 2 });
  using control = await connect(server.port);
  const clients = await clientsOfBoth(server, control);
  await control.command("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "1000");
  await control.command("SLOWLOG", "RESET");
  for (const [i, client] of clients.entries()) await client.command("ECHO", `from-${i}`);
  await control.command("CONFIG", "SET", "slowlog-log-slower-than", "-1");
  const entries = plain(await control.command("SLOWLOG", "GET", "-1")) as unknown[][];
  const echoes = entries.filter((entry) => (entry[3] as string[])[0] === "ECHO");
  assert.deepEqual(
    echoes.map((entry) => (entry[3] as string[])[1]),
    clients.map((_, i) => `from-${i}`).reverse(),
  );
  const numbers = entries.map(([number]) => Number(number));
  assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => b - a));
  assert.equal(plain(await control.command("SLOWLOG", "LEN")), entries.length);
  await control.command("CONFIG", "SET", "slowlog-max-len", "3");
  assert.equal(plain(await control.command("SLOWLOG", "LEN")), 3);
  assert.deepEqual(
    (plain(await control.command("SLOWLOG", "GET", "2")) as unknown[][]).map(([number]) => number),
    numbers.slice(0, 2),
  );
  assert.equal(plain(await control.command("SLOWLOG", "RESET")), "+OK");
  assert.equal(plain(await control.command("SLOWLOG", "LEN")), 0);
  for (const client of clients) client.close();
});

Deno.test("SLOWLOG and LATENCY catch one slow command in the middle of a pipeline", async () => {
  await using server = await startServer({ flags: ["--enable-debug-command", "yes"] });
  using client = await connect(server.port);
  await client.command("CONFIG", "SET", "latency-monitor-threshold", "20");
  // So high that a machine with more to do does not make a quick command slow.
  await client.command("CONFIG", "SET", "slowlog-log-slower-than", "400000");
  // The first command of a server, which the test waited for, may have been slow by the default.
  await client.command("SLOWLOG", "RESET");
  const quick = Array.from({ length: 50 }, (_, i) => ["SET", `k${i}`, "v"]);
  await client.pipeline([...quick, ["DEBUG", "SLEEP", "0.5"], ...quick]);
  const entries = plain(await client.command("SLOWLOG", "GET")) as unknown[][];
  assert.deepEqual(entries.map((entry) => entry[3]), [["DEBUG", "SLEEP", "0.5"]]);
  assert.ok(Number(entries[0][2]) >= 500_000, String(entries[0]));
  const latest = plain(await client.command("LATENCY", "LATEST")) as unknown[][];
  const [, , ms, maxMs] = latest.find(([event]) => event === "command")!;
  assert.ok(Number(ms) >= 500 && maxMs === ms, String(latest));
  // The commands beside it did not take its time.
  const [, percentiles] = (plain(await client.command("INFO", "latencystats")) as string)
    .split("latency_percentiles_usec_set:");
  assert.ok(Number(/^p50=([\d.]+)/.exec(percentiles)![1]) < 50_000, percentiles);
  // Longer than between two looks at the loop.
  await client.command("DEBUG", "SLEEP", "0.3");
  const lag = await until(
    "the event loop's lag is noted",
    async () => plain(await client.command("LATENCY", "LATEST")) as unknown[][],
    (events) => events.some(([event]) => event === "event-loop"),
  );
  assert.ok(lag.length >= 2);
});

Deno.test("INFO namespaces tells look-ups, keys and bytes by the keys' first words, over all workers", async () => {
  await using server = await startServer({ workers: 2 });
  using control = await connect(server.port);
  const clients = await clientsOfBoth(server, control), count = clients.length;
  await Promise.all(clients.map(async (client, i) => {
    await client.pipeline([["SET", `bert:${i}`, "v".repeat(100)], ["SET", `gpt:${i}`, "v"]]);
    await client.pipeline([["GET", `bert:${i}`], ["GET", "bert:absent"], ["GET", `gpt:${i}`]]);
    await client.command("MGET", `gpt:${i}`, "llama:1", "bert:absent");
  }));
  await control.command("SET", "plain", "v");
  const info = await until(
    "all keys were looked at",
    () => section(control, "namespaces"),
    (info) => info.lines().some((line) => line.includes('name="",keys=1,')),
  );
  const numbers = Object.fromEntries(
    info.lines().map((line) => {
      const [, name, keys, bytes, hits, misses] =
        /^namespace\d+:name="(.*)",keys=(\d+),bytes=(\d+),hits=(\d+),misses=(\d+)$/.exec(line)!;
      assert.equal(Number(bytes) > 0, Number(keys) > 0, line);
      return [name, { keys: Number(keys), hits: Number(hits), misses: Number(misses) }];
    }),
  );
  assert.deepEqual(numbers, {
    bert: { keys: count, hits: count, misses: 2 * count },
    gpt: { keys: count, hits: 2 * count, misses: 0 },
    llama: { keys: 0, hits: 0, misses: count },
    "": { keys: 1, hits: 0, misses: 0 },
  });
  for (const client of clients) client.close();
});

Deno.test("MONITOR shows the commands of the clients of all workers, in RESP and in text", async () => {
  await using server = await startServer({ workers: 2 });
  using control = await connect(server.port);
  const clients = await clientsOfBoth(server, control);
  using watcher = await connect(server.port);
  assert.equal(plain(await watcher.command("MONITOR")), "+OK");
  using lines = await connect(server.port);
  await lines.send(new TextEncoder().encode("MONITOR\n"));
  assert.equal(new TextDecoder().decode(await lines.readRaw("OK\n")), "OK\n");
  await untilInfo(control, "monitors", 2);
  await Promise.all(clients.map((client, i) => client.command("SET", `mon-${i}`, "a\nb")));
  const decoder = new TextDecoder();
  const wanted = new Set(clients.map((_, i) => `mon-${i}`));
  let seen = "", seenText = "";
  while ([...wanted].some((name) => !seen.includes(`"${name}"`))) {
    seen += decoder.decode(await watcher.readRaw("\r\n"));
  }
  while ([...wanted].some((name) => !seenText.includes(`"${name}"`))) {
    seenText += decoder.decode(await lines.readRaw("\n"));
  }
  for (const line of seen.trimEnd().split("\r\n")) {
    assert.match(line, /^\+\d{10}\.\d{6} \[0 127\.0\.0\.1:\d+\] "[A-Z]+".*/);
  }
  assert.ok(seen.includes('"a\\nb"') && !seenText.includes("\r"));
  for (const name of wanted) assert.equal(seen.split(`"${name}"`).length, 2, `${name} once`);
  // Who resets or leaves is no longer told, and costs nobody anything.
  await watcher.send(new TextEncoder().encode("*1\r\n$5\r\nRESET\r\n"));
  await watcher.readRaw("+RESET\r\n");
  lines.close();
  await untilInfo(control, "monitors", 0);
  await control.command("SET", "after", "1");
  assert.equal(plain(await watcher.command("PING")), "+PONG");
  for (const client of clients) client.close();
});

Deno.test("a monitor that does not read is dropped, and the others go on", async () => {
  await using server = await startServer({ workers: 2 });
  using control = await connect(server.port);
  const watchers: RespClient[] = [];
  for (let i = 0; i < 4; i++) {
    const watcher = await connect(server.port);
    await watcher.command("MONITOR");
    watchers.push(watcher);
  }
  await untilInfo(control, "monitors", 4);
  const value = "x".repeat(15_000);
  const commands = Array.from({ length: 100 }, () => ["ECHO", value]);
  await until(
    "all monitors were dropped",
    async () => {
      await control.pipeline(commands);
      return await infoNumber(control, "monitors");
    },
    (monitors) => monitors === 0,
    60_000,
  );
  assert.equal(await infoNumber(control, "client_output_buffer_limit_disconnections"), 4);
  assert.equal(await infoNumber(control, "connected_clients"), 1);
  for (const watcher of watchers) watcher.close();
});
