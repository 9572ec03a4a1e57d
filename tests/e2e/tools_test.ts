// The programs that people use against the server: redis-cli in its modes, redis-benchmark, nc. Where
// one is not installed, its tests are skipped with the reason.

import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import { connect, plain } from "../support/resp_client.ts";
import { type RunningServer, startServer } from "../support/server.ts";

const RUN_MS_MAX = 30_000;

let server: RunningServer;

Deno.test.beforeAll(async () => {
  server = await startServer({ workers: 1, flags: ["--maxmemory", "1gb"] });
});

Deno.test.afterAll(async () => {
  assert.equal(await server.stop(), 0, server.output().stderr);
});

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with text on its standard input to its end, at most 30 s. */
async function run(program: string, args: readonly string[], input = ""): Promise<Ran> {
  const child = new Deno.Command(program, {
    args: [...args],
    env: { LC_ALL: "C" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  try {
    const writer = child.stdin.getWriter();
    const written = writer.write(new TextEncoder().encode(input))
      .then(() => writer.close()).catch(() => {}); // it may end before it has read all
    const { code, stdout, stderr } = await child.output();
    await written;
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } finally {
    clearTimeout(timer);
  }
}

const redisCli = (args: readonly string[], input?: string) =>
  run("redis-cli", ["-p", String(server.port), ...args], input);

async function refill(count: number): Promise<void> {
  using client = await connect(server.port);
  assert.equal(plain(await client.command("FLUSHALL")), "+OK");
  await client.pipeline(Array.from({ length: count }, (_, i) => ["SET", `key:${i}`, `value ${i}`]));
}

Deno.test({
  name: "nc speaks the text protocol as the README shows it",
  ...needs("nc"),
  fn: async () => {
    await refill(0);
    const lines: readonly [input: string, output: string][] = [
      ["SET a hello world EX 10", "OK"],
      ["GET a", "hello world"],
      ["PUT b 2", "OK"],
      ["MGET a b c", "hello world 2 (nil)"],
      ["DEL b", "OK"],
      ["GET b", "(nil)"],
      ['SET m {"score": 0.95} EX 3600', "OK"],
      ["GET m", '{"score": 0.95}'],
      ["INCR n", "1"],
      ["DELETE n", "OK"],
      ["FOO", "ERROR: Unknown command"],
    ];
    const input = lines.map(([line]) => `${line}\n`).join("");
    // -N shuts the sending half at the end of input; a server that then lost replies would show.
    const { code, stdout } = await run("nc", ["-N", "127.0.0.1", String(server.port)], input);
    assert.equal(code, 0);
    assert.equal(stdout, lines.map(([, line]) => `${line}\n`).join(""));
  },
});

Deno.test({
  name: "redis-cli runs a session from its standard input",
  ...needs("redis-cli"),
  fn: async () => {
    await refill(0);
    const session = 'SET greeting "hello world"\nGET greeting\nINCR n\nGET none\nMGET n none\n' +
      "FOO bar\nSELECT 1\nDBSIZE\n";
    const { code, stdout, stderr } = await redisCli([], session);
    assert.equal(code, 0, stderr);
    assert.equal(
      stdout.replaceAll(/\n+/g, "\n"),
      "OK\nhello world\n1\n\n1\n\nERR unknown command 'FOO', with args beginning with: 'bar' \nOK\n0\n"
        .replaceAll(/\n+/g, "\n"),
    );
    const formatted = await redisCli(["--no-raw", "MGET", "n", "none"]);
    assert.equal(formatted.stdout, '1) "1"\n2) (nil)\n');
  },
});

Deno.test({
  name: "redis-cli --scan lists every key once",
  ...needs("redis-cli"),
  fn: async () => {
    await refill(3000);
    const { code, stdout } = await redisCli(["--scan"]);
    assert.equal(code, 0);
    const keys = stdout.trimEnd().split("\n").sort();
    assert.deepEqual(keys, Array.from({ length: 3000 }, (_, i) => `key:${i}`).sort());
    const some = await redisCli(["--scan", "--pattern", "key:29?9"]);
    assert.equal(some.stdout.trimEnd().split("\n").length, 10);
  },
});

Deno.test({
  name: "redis-cli --bigkeys finds the largest value",
  ...needs("redis-cli"),
  fn: async () => {
    await refill(200);
    using client = await connect(server.port);
    await client.command("SET", "largest", "x".repeat(20_000));
    const { code, stdout, stderr } = await redisCli(["--bigkeys"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Sampled 201 keys/);
    assert.match(stdout, /Biggest string found '"largest"' has 20000 bytes/);
  },
});

Deno.test({
  name: "redis-cli --stat shows keys and clients line by line",
  ...needs("redis-cli", "stdbuf"),
  fn: async () => {
    await refill(123);
    const child = new Deno.Command("stdbuf", {
      args: ["-oL", "redis-cli", "-p", String(server.port), "--stat", "-i", "1"],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
    let stdout = "";
    try {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        stdout += text;
        if ((stdout.match(/^123 .*\n/gm)?.length ?? 0) >= 2) break;
      }
    } finally {
      clearTimeout(timer);
      try {
        child.kill("SIGKILL");
      } catch {
        // ended by the timer
      }
      await child.status;
    }
    // keys, mem, clients, blocked, requests, connections
    assert.match(stdout, /^123 +[\d.]+[KMG] +1 +0 +\d+ \(\+\d+\) +\d+/m);
  },
});

Deno.test({
  name: "redis-cli --latency measures for a second",
  ...needs("redis-cli"),
  fn: async () => {
    const { code, stdout } = await redisCli(["--latency"]);
    assert.equal(code, 0);
    const [min, max, average, samples] = stdout.trim().split(" ").map(Number);
    assert.ok(min! <= average! && average! <= max!, stdout);
    assert.ok(samples! > 10, stdout);
  },
});

Deno.test({
  name: "redis-cli --pipe inserts a mass of commands",
  ...needs("redis-cli"),
  fn: async () => {
    await refill(0);
    const count = 20_000;
    const commands = Array.from(
      { length: count },
      (_, i) => `*3\r\n$3\r\nSET\r\n$9\r\nmass${String(i).padStart(5, "0")}\r\n$3\r\nabc\r\n`,
    ).join("");
    const { code, stdout, stderr } = await redisCli(["--pipe"], commands);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`errors: 0, replies: ${count}\n$`));
    using client = await connect(server.port);
    assert.equal(plain(await client.command("DBSIZE")), count);
  },
});

Deno.test({
  name: "redis-cli -3 speaks RESP3 and shows its maps and verbatim strings",
  ...needs("redis-cli"),
  fn: async () => {
    const hello = await redisCli(["-3", "HELLO"]);
    assert.equal(hello.stderr, "");
    assert.match(hello.stdout, /^server redis\nversion \S+\nproto 3\n/);
    const info = await redisCli(["-3", "INFO", "server"]);
    assert.match(info.stdout, /^# Server\r?\nredis_version:/);
    const missing = await redisCli(["-3", "--no-raw", "GET", "no such key"]);
    assert.equal(missing.stdout, "(nil)\n");
  },
});

Deno.test({
  name: "redis-benchmark runs the tests whose commands exist",
  ...needs("redis-benchmark"),
  fn: async () => {
    const tests = ["ping_inline", "ping_mbulk", "set", "get", "incr", "mset"];
    for (const pipeline of ["1", "16"]) {
      const { code, stdout, stderr } = await run("redis-benchmark", [
        ...["-p", String(server.port), "-t", tests.join(","), "-n", "3000", "-c", "20"],
        ...["-P", pipeline, "-r", "1000", "--csv"],
      ]);
      assert.equal(code, 0, stderr);
      const lines = stdout.trimEnd().split("\n").slice(1); // below the heading
      assert.equal(lines.length, tests.length, stdout);
      for (const line of lines) {
        assert.ok(Number(line.split(",")[1]!.replaceAll('"', "")) > 0, line);
      }
      assert.doesNotMatch(stdout + stderr, /error|-ERR/i);
    }
  },
});
