// Tests of the launcher that the end-to-end tests stand on, against a stand-in for the server.

import assert from "node:assert/strict";
import { runMayfly, startServer } from "../support/server.ts";
import { permissionFlags, readServeTask } from "../support/serve_task.ts";
import { findProgram, missingPrograms, needs } from "../support/needs.ts";

const mainPath = new URL("../support/answering_server.ts", import.meta.url).pathname;

Deno.test("startServer() gives a server that answered, and stop() its exit code", async () => {
  const server = await startServer({ mainPath, workers: 3, flags: ["--load", "--extra", "a b"] });
  const args = JSON.parse(server.output().stdout.trim());
  const port = String(server.port);
  assert.deepEqual(args.slice(0, 3), ["serve", "--port", port]);
  const httpPort = String(server.httpPort);
  assert.deepEqual(args.slice(3, 7), ["--persistence", "off", "--http-port", httpPort]);
  assert.deepEqual(args.slice(7), ["--workers", "3", "--load", "--extra", "a b"]);
  assert.equal(Deno.readTextFileSync(`/proc/${server.pid}/cmdline`).includes("\0run\0"), true);
  assert.equal(await server.stop(), 0);
  assert.equal(await server.stop(), 0, "stop() again gives the same code");
});

Deno.test("startServer() tells why where the server ends at once", async () => {
  await assert.rejects(startServer({ mainPath, flags: ["--refuse"] }), (error: Error) => {
    assert.match(error.message, /exit code 2/);
    assert.match(error.message, /no such flag: --refuse/);
    return true;
  });
});

Deno.test("startServer() takes an error reply for an answer", async () => {
  const env = { MAYFLY_ANSWER: "-NOAUTH Authentication required." };
  await using server = await startServer({ mainPath, env });
  assert.ok(server.pid > 0);
});

Deno.test("RunningServer throws when disposed after an end that nobody asked for", async () => {
  const env = { MAYFLY_EXIT_CODE: "70" };
  const server = await startServer({ mainPath, env });
  await assert.rejects(server[Symbol.asyncDispose](), /exit code 70/);
  const killed = await startServer({ mainPath });
  await killed.kill();
  await killed[Symbol.asyncDispose]();
});

Deno.test("runMayfly() gives code and output, and ends what goes on for too long", async () => {
  const ended = await runMayfly(["--refuse"], { mainPath });
  assert.equal(ended.code, 2);
  assert.equal(ended.stdout, '["--refuse"]\n');
  assert.equal(ended.stderr, "no such flag: --refuse\n");
  await assert.rejects(runMayfly(["--port", "0"], { mainPath, timeoutMs: 500 }), /within 500 ms/);
});

Deno.test("permissionFlags() takes the flags of a serve task and refuses another shape", () => {
  assert.deepEqual(permissionFlags("deno run --allow-net --allow-env=A_* src/main.ts serve"), [
    "--allow-net",
    "--allow-env=A_*",
  ]);
  assert.throws(() => permissionFlags("deno run -A src/main.ts serve"), /Cannot parse/);
  assert.throws(() => permissionFlags("deno run --allow-net src/worker.ts"), /Cannot parse/);
});

Deno.test("readServeTask() grants the server no run, no ffi and not everything", () => {
  const flags = permissionFlags(readServeTask()).filter((flag) => !flag.startsWith("--v8-flags="));
  const names = flags.map((flag) => flag.split("=")[0]);
  assert.deepEqual(names, [
    "--allow-net",
    "--allow-env",
    "--allow-read",
    "--allow-write",
    "--allow-sys",
  ]);
  // Data directory, password and settings may lie anywhere.
  for (const flag of flags.slice(1).filter((one) => !/^--allow-(?:read|write)$/.test(one))) {
    assert.match(flag, /=./, `${flag} grants more than is needed`);
  }
});

Deno.test("findProgram() finds executables only, and missingPrograms() names the others", () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${folder}/tool`, "", { mode: 0o755 });
    Deno.writeTextFileSync(`${folder}/text`, "", { mode: 0o644 });
    assert.equal(findProgram("tool", `/nowhere::${folder}`), `${folder}/tool`);
    assert.equal(findProgram("text", folder), null);
    assert.equal(findProgram("other", folder), null);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  const either = "no-such-program-a|no-such-program-b";
  assert.deepEqual(missingPrograms(["sh", "no-such-program-a|sh", either]), [either]);
  assert.deepEqual(needs("sh", "no-such-program-a|sh"), { ignore: false, reason: "" });
});
