// Other ways in than TCP and RESP: the unix socket, and the words of text that other systems' clients expect.

import assert from "node:assert/strict";
import { plain, RespClient } from "../support/resp_client.ts";
import { ROOT } from "../support/serve_task.ts";
import { runMayfly, startServer } from "../support/server.ts";

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: ROOT, prefix: ".tmp-unix-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function connectUnix(path: string): Promise<RespClient> {
  return new RespClient(await Deno.connect({ transport: "unix", path }) as never, 5_000);
}

Deno.test("server listens on --unix-socket, shows its clients and removes it at its end", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/mayfly.sock`;
    {
      await using server = await startServer({
        workers: 2,
        flags: ["--unix-socket", path, "--unix-socket-perm", "700"],
      });
      const client = await connectUnix(path);
      assert.equal(plain(await client.command("SET", "k", "v")), "+OK");
      assert.match(
        String(plain(await client.command("CLIENT", "LIST"))),
        new RegExp(`addr=${path}:0 `),
      );
      assert.equal((await Deno.stat(path)).mode! & 0o777, 0o700);
      assert.equal((await runMayfly(["ping", "--unix-socket", path])).code, 0);
      const second = await runMayfly(["serve", "--port", "0", "--unix-socket", path]);
      assert.equal(second.code, 1);
      assert.match(second.stderr, /is in use: a server answers there/);
      client.close();
      assert.equal(await server.stop(), 0);
    }
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  });
});

Deno.test("server takes over the unix socket of a killed server, and no other file", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/mayfly.sock`;
    const killed = await startServer({ flags: ["--unix-socket", path] });
    await killed.kill();
    assert.ok((await Deno.stat(path)).isSocket);
    {
      await using _server = await startServer({ flags: ["--unix-socket", path] });
      const client = await connectUnix(path);
      assert.equal(plain(await client.command("PING")), "+PONG");
      client.close();
    }
    await Deno.writeTextFile(path, "precious");
    const refused = await runMayfly(["serve", "--port", "0", "--unix-socket", path]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /no socket/);
    const nowhere = `${folder}/nosuch/mayfly.sock`;
    const lost = await runMayfly(["serve", "--port", "0", "--unix-socket", nowhere]);
    assert.equal(lost.code, 1);
    assert.ok(lost.stderr.includes(`cannot listen on --unix-socket "${nowhere}": `), lost.stderr);
    assert.equal(await Deno.readTextFile(path), "precious");
  });
});

async function talk(port: number, lines: string): Promise<string> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  await socket.write(new TextEncoder().encode(lines));
  await socket.closeWrite();
  return await new Response(socket.readable).text();
}

Deno.test("server speaks text in the words of --text-dialect", async () => {
  const long = "x".repeat(257), longest = "y".repeat(256);
  const lines = [
    "GET nobody",
    "PUT k v",
    "GET k",
    "NOSUCH",
    "INCR k",
    `PUT k ${long}`,
    `PUT ${long} v`,
    `GET ${long}`,
    "GET k",
    `PUT k ${longest}`,
    "MGET k nobody",
  ].join("\n") + "\n";
  await using memKv = await startServer({ flags: ["--text-dialect", "mem-kv"] });
  assert.deepEqual((await talk(memKv.port, lines)).split("\n"), [
    "(nil)",
    "OK",
    "v",
    "ERROR: Unknown command",
    "ERROR: value is not an integer or out of range",
    "OK",
    "OK",
    "v",
    long,
    "OK",
    `${longest} (nil)`,
    "",
  ]);
  await using hld = await startServer({ flags: ["--text-dialect", "hld"] });
  assert.deepEqual((await talk(hld.port, lines)).split("\n"), [
    "NOTFOUND",
    "OK",
    "v",
    "ERROR",
    "ERROR",
    "ERROR",
    "ERROR",
    "ERROR",
    "v",
    "OK",
    `${longest} NOTFOUND`,
    "",
  ]);
});
