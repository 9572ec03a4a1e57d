// --config: a file of settings below flags and variables, refused with its line, and CONFIG REWRITE into it.

import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { ROOT } from "../support/serve_task.ts";
import { runMayfly, startServer } from "../support/server.ts";

async function withFile(text: string, run: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ dir: ROOT, prefix: ".tmp-config-" });
  try {
    const path = `${directory}/mayfly.conf`;
    await Deno.writeTextFile(path, text);
    await run(path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("server reads --config below variables and flags, and rewrites it", async () => {
  const text = "# limits\nmax-clients 50\n\nidle-timeout 100 # odd\n";
  await withFile(text.replace(" # odd", ""), async (path) => {
    {
      await using server = await startServer({
        flags: ["--config", path, "--max-key-bytes", "100"],
        env: { MAYFLY_IDLE_TIMEOUT: "200" },
      });
      using client = await connect(server.port);
      const get = async (name: string) =>
        (plain(await client.command("CONFIG", "GET", name)) as string[])[1];
      assert.deepEqual(
        [await get("maxclients"), await get("timeout"), await get("max-key-bytes")],
        ["50", "200", "100"],
      );
      await client.command("CONFIG", "SET", "maxclients", "60", "loglevel", "warning");
      assert.equal(plain(await client.command("CONFIG", "REWRITE")), "+OK");
    }
    const rewritten = await Deno.readTextFile(path);
    assert.equal(rewritten, "# limits\nmax-clients 60\n\nidle-timeout 200\nlog-level warning\n");
    await using server = await startServer({ flags: ["--config", path] });
    using client = await connect(server.port);
    assert.deepEqual(plain(await client.command("CONFIG", "GET", "maxclients")), [
      "maxclients",
      "60",
    ]);
  });
});

Deno.test("CONFIG REWRITE leaves what is as it was, follows a link, and keeps who may read the file", async () => {
  const text = '# sizes\nmaxmemory  64mb\nttl-rule "a:*=5"\nttl-rule b:*=6\nrequirepass secret\n';
  await withFile(text, async (path) => {
    const link = `${path}.link`;
    await Deno.chmod(path, 0o600);
    await Deno.symlink(path, link);
    await using server = await startServer({ flags: ["--config", link] });
    using client = await connect(server.port);
    assert.equal(plain(await client.command("AUTH", "secret")), "+OK");
    assert.equal(plain(await client.command("CONFIG", "REWRITE")), "+OK");
    assert.equal(await Deno.readTextFile(path), text);
    await client.command("CONFIG", "SET", "maxmemory", "32mb", "default-ttl", "9");
    assert.equal(plain(await client.command("CONFIG", "REWRITE")), "+OK");
    const changed = text.replace("maxmemory  64mb", "maxmemory 33554432");
    assert.equal(await Deno.readTextFile(path), `${changed}default-ttl 9\n`);
    assert.ok((await Deno.lstat(link)).isSymlink);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    await Deno.remove(link);
  });
});

Deno.test("server refuses a file of settings that is wrong, with its line", async () => {
  for (
    const [text, expected] of [
      ["max-clients 10\nnosuch 1\n", /line 2: unknown setting "nosuch"/],
      ["port\n", /line 1: port has no value/],
      ["\n\nport abc\n", /line 3: port must be a whole number/],
      ["config other.conf\n", /line 1: unknown setting "config"/],
    ] as const
  ) {
    await withFile(text, async (path) => {
      const { code, stderr } = await runMayfly(["serve", "--config", path]);
      assert.equal(code, 2);
      assert.match(stderr, expected);
      assert.ok(stderr.includes(path), stderr);
    });
  }
  const { code, stderr } = await runMayfly(["serve", "--config", "/nonexistent/mayfly.conf"]);
  assert.equal(code, 2);
  assert.match(stderr, /cannot read --config "\/nonexistent\/mayfly.conf": no such file/);
});
