// A backup of a running server as the documents tell it: BGSAVE, copy, verify; a server starts from the copy.
import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { runHere } from "../support/tool_run.ts";

const COPIES_MAX = 10;
const WRITES_MIN = 200;

function persistent(dataDir: string) {
  const flags = ["--persistence", "on", "--data-dir", dataDir, "--fsync", "always"];
  return { workers: 1, flags };
}

/** Names first, then the files in their order: the last one is the only one that still grows. */
async function copyFiles(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  const names = Array.from(Deno.readDirSync(from)).map(({ name }) => name).sort();
  for (const name of names) {
    if (/\.(?:mfs|log)$/.test(name)) await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

function hasSnapshot(path: string): boolean {
  return Array.from(Deno.readDirSync(path)).some(({ name }) => name.endsWith(".mfs"));
}

Deno.test("a copy of a running server's directory holds all that was there, and a prefix of what came", async () => {
  const folder = await Deno.makeTempDir(), dataDir = `${folder}/data`;
  let copy = "", before = 0;
  {
    await using server = await startServer(persistent(dataDir));
    using client = await connect(server.port);
    using writer = await connect(server.port);
    let written = 0, isOver = false;
    const writing = (async () => {
      while (!isOver) {
        await writer.command("SET", `k${written}`, `value ${written}`);
        written++;
      }
    })();
    while (written < WRITES_MIN) await client.command("PING");
    before = written;
    await client.command("BGSAVE");
    const endMs = performance.now() + 20_000;
    for (;;) {
      const info = String(plain(await client.command("INFO", "persistence")));
      if (info.includes("rdb_bgsave_in_progress:0") && hasSnapshot(dataDir)) break;
      assert.ok(performance.now() < endMs, info);
    }
    for (let tries = 1;; tries++) {
      copy = `${folder}/copy${tries}`;
      await copyFiles(dataDir, copy);
      const { code, error } = await runHere("wal", "verify", copy);
      if (code === 0 || code === 3) break;
      assert.ok(tries < COPIES_MAX, `${tries} copies, the last: ${error}`);
    }
    isOver = true;
    await writing;
    assert.ok(hasSnapshot(copy));
  }
  {
    await using server = await startServer(persistent(copy));
    using client = await connect(server.port);
    const count = Number(plain(await client.command("DBSIZE")));
    assert.ok(count >= before, `${count} of ${before} entries`);
    for (let i = 0; i < count; i++) {
      assert.equal(plain(await client.command("GET", `k${i}`)), `value ${i}`);
    }
  }
  await Deno.remove(folder, { recursive: true });
});
