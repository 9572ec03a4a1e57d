// SLOWLOG, LATENCY, MONITOR and INFO's sections of commands beside redis-server: the same commands leave the same traces.

import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { startRedis } from "../support/redis_server.ts";
import { until } from "../support/server_numbers.ts";
import { startServer } from "../support/server.ts";

/** Runs `act` against both servers, and gives what each left behind. */
async function beside<Trace>(act: (client: RespClient, port: number) => Promise<Trace>) {
  await using redis = await startRedis();
  await using mayfly = await startServer();
  using first = await connect(redis.port);
  using second = await connect(mayfly.port);
  return { expected: await act(first, redis.port), actual: await act(second, mayfly.port) };
}

const COMMANDS: readonly (readonly string[])[] = [
  ["SET", "model:a", "1"],
  ["get", "model:a"],
  ["MSET", ...Array.from({ length: 40 }, (_, i) => String(i))],
  ["SET", "long", "x".repeat(200)],
  ["AUTH", "secret-one"],
  ["AUTH", "someone", "secret-two"],
  ["HELLO", "2", "AUTH", "default", "secret-three"],
  ["CONFIG", "SET", "masterauth", "secret-four"],
  ["INCR", "long"],
  ["GET"],
  ["NOSUCH", "a"],
  ["CLIENT", "GETNAME"],
  ["SLOWLOG", "LEN", "x"],
  ["ECHO", 'line\r\nend "quoted" \\ \u00e9\u0007\b\t'],
];

Deno.test({
  name: "SLOWLOG GET keeps arguments as redis-server does, secrets hidden and long ones cut",
  ...needs("redis-server"),
  fn: async () => {
    const { expected, actual } = await beside(async (client) => {
      await client.command("CLIENT", "SETNAME", "tester");
      await client.command("CONFIG", "SET", "slowlog-log-slower-than", "0");
      await client.command("SLOWLOG", "RESET");
      for (const words of COMMANDS) await client.command(...words);
      const entries = plain(await client.command("SLOWLOG", "GET", "100")) as unknown[][];
      return entries.map(([number, atS, us, args, address, name]) => {
        assert.ok(Number.isInteger(number) && Number(atS) > 1e9 && Number(us) >= 0);
        assert.match(String(address), /^127\.0\.0\.1:\d+$/);
        return { args, name };
      });
    });
    // What redis-server refuses for its number of arguments it does not log, nor what it does not know.
    const known = expected.filter(({ args }) => (args as string[])[0] !== "CONFIG");
    const own = actual.filter(({ args }) => (args as string[])[0] !== "CONFIG");
    assert.deepEqual(own, known);
    assert.ok(JSON.stringify(actual).includes("(redacted)"));
    assert.ok(!/secret-(?:one|two|three|four)/.test(JSON.stringify(actual)));
  },
});

Deno.test({
  name: "INFO commandstats and latencystats count the calls that redis-server's count",
  ...needs("redis-server"),
  fn: async () => {
    const { expected, actual } = await beside(async (client) => {
      await client.command("CONFIG", "RESETSTAT");
      for (const words of COMMANDS) await client.command(...words);
      const calls = plain(await client.command("INFO", "commandstats")) as string;
      const times = plain(await client.command("INFO", "latencystats")) as string;
      for (const line of times.trim().split("\r\n").slice(1)) {
        assert.match(
          line,
          /^latency_percentiles_usec_[a-z|]+:p50=[\d.]+,p99=[\d.]+,p99\.9=[\d.]+$/,
        );
      }
      return calls.trim().split("\r\n").map((line) =>
        line.replace(/usec=\d+,usec_per_call=\d+\.\d\d,/, "TIMES,")
      ).filter((line) => !line.startsWith("cmdstat_config")).sort();
    });
    assert.deepEqual(actual, expected);
    assert.ok(
      actual.some((line) => line === "cmdstat_incr:calls=1,TIMES,rejected_calls=0,failed_calls=1"),
    );
  },
});

Deno.test({
  name: "LATENCY HISTOGRAM replies in redis-server's shape",
  ...needs("redis-server"),
  fn: async () => {
    const { expected, actual } = await beside(async (client) => {
      await client.command("CONFIG", "RESETSTAT");
      for (let i = 0; i < 5; i++) await client.command("SET", "k", String(i));
      await client.command("CONFIG", "GET", "port");
      const reply = plain(await client.command("LATENCY", "HISTOGRAM", "set", "get", "config"));
      return (reply as unknown[]).map((part) => {
        if (!Array.isArray(part)) return part;
        const [calls, count, word, steps] = part as [string, number, string, number[]];
        assert.ok(steps.length >= 2 && steps.length % 2 === 0, `${steps}`);
        assert.equal(steps.at(-1), count);
        for (let i = 2; i < steps.length; i += 2) assert.ok(steps[i] > steps[i - 2]);
        return [calls, count, word];
      });
    });
    const byName = (reply: unknown[]) =>
      new Map(Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i], reply[2 * i + 1]]));
    const names = ["set", "config|get"];
    for (const name of names) {
      assert.deepEqual(byName(actual).get(name), byName(expected).get(name), name);
    }
    assert.equal(byName(actual).has("get"), false);
  },
});

Deno.test({
  name: "MONITOR shows what redis-server's shows, secrets hidden",
  ...needs("redis-server"),
  fn: async () => {
    const { expected, actual } = await beside(async (client, port) => {
      using watcher = await connect(port);
      assert.equal(plain(await watcher.command("MONITOR")), "+OK");
      for (const words of COMMANDS) await client.command(...words);
      await client.command("ECHO", "the-end");
      const bytes = await watcher.readRaw('"the-end"\r\n');
      return new TextDecoder().decode(bytes).trim().split("\r\n")
        .map((line) => line.replace(/^\+\d{10}\.\d{6} \[0 127\.0\.0\.1:\d+\]/, "LINE"));
    });
    assert.deepEqual(actual, expected);
    assert.ok(actual.every((line) => line.startsWith("LINE ")), actual.join("\n"));
  },
});

Deno.test({
  name: "LATENCY LATEST, HISTORY and GRAPH tell a slow command as redis-server does",
  ...needs("redis-server"),
  fn: async () => {
    const { expected, actual } = await beside(async (client) => {
      await client.command("CONFIG", "SET", "latency-monitor-threshold", "1");
      // A command of about 20 ms on either.
      for (let i = 0; i < 100_000; i += 1000) {
        const pairs = Array.from({ length: 1000 }, (_, at) => [`key:${i + at}`, "v"]).flat();
        await client.command("MSET", ...pairs);
      }
      const latest = await until("an event", async () => {
        await client.command("KEYS", "*nothing*");
        return plain(await client.command("LATENCY", "LATEST")) as unknown[][];
      }, (events) => events.some(([event]) => event === "command"));
      const [event, atS, ms, maxMs] = latest.find(([event]) => event === "command")!;
      assert.ok(Number(atS) > 1e9 && Number(ms) >= 1 && Number(maxMs) >= Number(ms), `${latest}`);
      const history = plain(await client.command("LATENCY", "HISTORY", "command")) as number[][];
      assert.ok(history.every(([atS, ms]) => atS > 1e9 && ms >= 1));
      const graph = plain(await client.command("LATENCY", "GRAPH", "command")) as string;
      assert.equal(plain(await client.command("LATENCY", "RESET", "command", "nosuch")), 1);
      return [event, graph.split("\n").length > 6, graph.split("\n")[1], graph.at(-1)];
    });
    assert.deepEqual(actual, expected);
  },
});
