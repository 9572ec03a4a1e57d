// The executable's command line with real processes and the permissions of the serve task: what it
// prints, what it refuses and with which exit code, and what other users of the machine can see.

import assert from "node:assert/strict";
import { FLAG_NAMES } from "../../src/config_flags.ts";
import { runMayfly, type RunningServer, startServer } from "../support/server.ts";
import { permissionFlags, readServeTask, ROOT } from "../support/serve_task.ts";

const PASSWORD = "open-sesame-4711";
const WAIT_MS_MAX = 20_000;
const POLL_MS = 20;

/** Asserts one line on standard error, none on standard output, and nothing like a stack trace. */
function assertOneLine(output: { stdout: string; stderr: string }): void {
  assert.equal(output.stdout, "");
  assert.match(output.stderr, /^mayfly: [^\n]+\n$/);
  assert.doesNotMatch(output.stderr, /\.ts:\d|\n\s+at |Uncaught/);
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `not within ${WAIT_MS_MAX} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function listenAnywhere(): { port: number; close(): void } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return { port: (listener.addr as Deno.NetAddr).port, close: () => listener.close() };
}

Deno.test("mayfly --help prints every flag on standard output and ends with 0", async () => {
  const { code, stdout, stderr } = await runMayfly(["--help"]);
  assert.equal(code, 0);
  assert.equal(stderr, "");
  for (const name of FLAG_NAMES) assert.ok(stdout.includes(`--${name} `), name);
});

Deno.test("mayfly --version prints the version and ends with 0", async () => {
  const { code, stdout } = await runMayfly(["--version"]);
  assert.equal(code, 0);
  assert.match(stdout, /^mayfly \d+\.\d+\.\d+\n$/);
});

const WRONG: readonly [args: readonly string[], line: RegExp][] = [
  [["--prot", "1"], /unknown option '--prot' .*--port/],
  [["serve", "--port"], /--port needs a value: a whole number from 0 to 65535/],
  [["destroy"], /'destroy'.*serve/],
  [["--port", "x"], /--port must be a whole number from 0 to 65535: received "x"/],
  [["--maxmemory", "1"], /--maxmemory must be a size from 16mb/],
  [["--host", ""], /--host must be one to 16 addresses/],
  [["--log-level", "loud"], /--log-level must be one of debug, info, warning, error/],
  [["--log-level", "\x1b[31m\n\tat x.ts"], /--log-level must be one of/],
  [["--persistence", "maybe"], /--persistence must be on or off/],
  [["--fsync", "sometimes"], /--fsync must be one of always, interval, never/],
  [["--requirepass", PASSWORD], /--requirepass .*MAYFLY_REQUIREPASS or --requirepass-file/],
];

for (const [args, line] of WRONG) {
  Deno.test(`mayfly ends with 2 and one line on ${JSON.stringify(args)}`, async () => {
    const { code, stdout, stderr } = await runMayfly(args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^mayfly: [^\n]+\n$/);
    assert.equal(stdout, "");
    assert.match(stderr, line);
    assert.ok(!stderr.includes("\x1b") && !stderr.includes(PASSWORD));
  });
}

Deno.test("mayfly names the variable whose value is wrong and ends with 2", async () => {
  const output = await runMayfly([], { env: { MAYFLY_MAX_KEY_BYTES: "65536" } });
  assert.equal(output.code, 2);
  assertOneLine(output);
  assert.match(output.stderr, /MAYFLY_MAX_KEY_BYTES must be a whole number from 1 to 32768/);
});

Deno.test("mayfly ends with 1 and names the address when its port is taken", async () => {
  const taken = listenAnywhere();
  try {
    const output = await runMayfly(["--port", String(taken.port)]);
    assert.equal(output.code, 1);
    assertOneLine(output);
    assert.match(
      output.stderr,
      new RegExp(`cannot listen on 127\\.0\\.0\\.1:${taken.port}: address in use`),
    );
  } finally {
    taken.close();
  }
});

Deno.test("mayfly ends with 1 on a host that the machine does not have", async () => {
  // An address of the range for documentation, which no machine has.
  const output = await runMayfly(["--port", "0", "--host", "127.0.0.1,192.0.2.1"]);
  assert.equal(output.code, 1);
  assertOneLine(output);
  assert.match(output.stderr, /cannot listen on 192\.0\.2\.1:\d+: .*no such address/);
});

Deno.test("mayfly ends with 1 when the password's file is missing or empty", async () => {
  const path = await Deno.makeTempFile();
  try {
    const empty = await runMayfly(["--port", "0", "--requirepass-file", path]);
    assert.equal(empty.code, 1);
    assertOneLine(empty);
    assert.match(empty.stderr, /must hold one line/);
  } finally {
    await Deno.remove(path);
  }
  const missing = await runMayfly(["--port", "0", "--requirepass-file", path]);
  assert.equal(missing.code, 1);
  assertOneLine(missing);
  assert.match(missing.stderr, /cannot read --requirepass-file .*no such file/);
});

Deno.test("mayfly refuses to share the port of a running mayfly and leaves it alone", async () => {
  await using server = await startServer({ workers: 1 });
  const output = await runMayfly(["--port", String(server.port)]);
  assert.equal(output.code, 1);
  assertOneLine(output);
  assert.match(output.stderr, new RegExp(`:${server.port}: address in use`));
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  connection.close();
});

async function assertHidesPassword(server: RunningServer): Promise<void> {
  const commandLine = await Deno.readTextFile(`/proc/${server.pid}/cmdline`);
  assert.match(commandLine, /main\.ts/);
  assert.ok(!commandLine.includes(PASSWORD));
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  try {
    const ask = async (line: string) => {
      await connection.write(new TextEncoder().encode(`${line}\r\n`));
      const bytes = new Uint8Array(512);
      const count = await connection.read(bytes);
      return new TextDecoder().decode(bytes.subarray(0, count ?? 0));
    };
    assert.match(await ask("GET a"), /^-NOAUTH /);
    assert.equal(await ask(`AUTH ${PASSWORD}`), "+OK\r\n");
    assert.ok(!(await ask("CONFIG GET requirepass")).includes(PASSWORD));
  } finally {
    connection.close();
  }
  assert.ok(!server.output().stderr.includes(PASSWORD));
}

Deno.test({
  name: "mayfly takes its password from the environment and shows it nowhere",
  ignore: Deno.build.os !== "linux", // Reads /proc.
  fn: async () => {
    await using server = await startServer({ workers: 1, env: { MAYFLY_REQUIREPASS: PASSWORD } });
    await assertHidesPassword(server);
  },
});

Deno.test({
  name: "mayfly takes its password from a file and shows it nowhere",
  ignore: Deno.build.os !== "linux", // Reads /proc.
  fn: async () => {
    const path = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(path, `${PASSWORD}\n`);
      await using server = await startServer({ workers: 1, flags: ["--requirepass-file", path] });
      await assertHidesPassword(server);
    } finally {
      await Deno.remove(path);
    }
  },
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`mayfly says which port it took for 0 and ends with 0 on ${signal}`, async () => {
    const folder = await Deno.makeTempDir();
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        ...permissionFlags(readServeTask()),
        `${ROOT}src/main.ts`,
        ...["--port", "0", "--http-port", "0", "--workers", "1", "--log-format", "json"],
      ],
      env: { MAYFLY_DATA_DIR: `${folder}/data` },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let stderr = "";
    const reading = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) stderr += text;
    })();
    try {
      await until("the ready line", () => /"ready: .*\n/.test(stderr));
      const port = Number(/"ready: 127\.0\.0\.1:(\d+),/.exec(stderr)?.[1]);
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      child.kill(signal);
      assert.equal((await child.status).code, 0);
      connection.close();
      await reading;
      const lines = stderr.trimEnd().split("\n").map((line) => JSON.parse(line).message as string);
      assert.match(lines[0]!, /^loaded: 0 entries in /);
      assert.ok(lines.some((line) => /^ready: .*1 worker, maxmemory [\d.]+ [MGT]iB$/.test(line)));
      assert.equal(lines.at(-1), "stopped");
      assert.deepEqual(
        Array.from(Deno.readDirSync(`${folder}/data`), (each) => each.name).sort(),
        ["LOCK", "wal-0000000000000001.log"],
      );
    } finally {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended, as it should.
      }
      await Deno.remove(folder, { recursive: true });
    }
  });
}
