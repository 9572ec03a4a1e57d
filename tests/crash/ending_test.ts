// How a server with a log ends and starts again: in order, by SHUTDOWN, beside another, from a copy, from what it must refuse.

import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { DataDirectory } from "../support/data_directory.ts";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { freePort, runMayfly, startServer } from "../support/server.ts";
import { infoNumber, until, untilInfo } from "../support/server_numbers.ts";

const COUNT = 2000;

/** SETs `count` keys in pipelines. */
async function fill(port: number, prefix: string, count = COUNT): Promise<void> {
  using client = await connect(port);
  const commands = Array.from({ length: count }, (_, i) => ["SET", `${prefix}:${i}`, `value ${i}`]);
  for (const reply of await client.pipeline(commands)) assert.equal(plain(reply), "+OK");
}

async function assertFilled(port: number, prefix: string, count = COUNT): Promise<void> {
  using client = await connect(port);
  const keys = Array.from({ length: count }, (_, i) => `${prefix}:${i}`);
  const values = plain(await client.command("MGET", ...keys)) as unknown[];
  assert.deepEqual(values, keys.map((_, i) => `value ${i}`));
}

for (const fsync of ["never", "interval", "always"] as const) {
  Deno.test(`server keeps everything on SIGTERM under --fsync ${fsync}`, async () => {
    using data = new DataDirectory();
    const flags = data.flags(fsync);
    const server = await startServer({ workers: 2, flags });
    await fill(server.port, "a");
    assert.equal(await server.stop(), 0);
    await using again = await startServer({ workers: 2, flags });
    await assertFilled(again.port, "a");
    assert.doesNotMatch(again.output().stderr, /not closed in order|torn/);
  });
}

for (const how of ["NOSAVE", "SAVE"]) {
  Deno.test(`SHUTDOWN ${how} keeps what the log has, ${how === "SAVE" ? "in" : "without"} a snapshot`, async () => {
    using data = new DataDirectory();
    const flags = data.flags("always");
    const server = await startServer({ workers: 1, flags });
    await fill(server.port, "a");
    using client = await connect(server.port);
    await client.send(`SHUTDOWN ${how}\r\n`);
    assert.equal((await client.readToEnd()).length, 0);
    assert.equal(await server.exit(10_000), 0);
    const names = Array.from(Deno.readDirSync(data.path), (each) => each.name);
    assert.equal(
      names.some((name) => /^snapshot-.*\.mfs$/.test(name)),
      how === "SAVE",
      String(names),
    );
    await using again = await startServer({ workers: 1, flags });
    await assertFilled(again.port, "a");
  });
}

Deno.test("a second server on a directory ends with 1 and says who has it; a killed one leaves no obstacle", async () => {
  using data = new DataDirectory();
  const flags = data.flags("always");
  const server = await startServer({ workers: 1, flags });
  await fill(server.port, "a", 10);
  const args = ["serve", "--port", String(freePort()), "--workers", "1", ...flags];
  const second = await runMayfly(args);
  assert.equal(second.code, 1);
  assert.match(
    second.stderr,
    new RegExp(`${data.path} is in use by another server .*${server.pid}`),
  );
  await assertFilled(server.port, "a", 10);
  await server.kill();
  await using again = await startServer({ workers: 1, flags });
  await assertFilled(again.port, "a", 10);
});

Deno.test("a snapshot is made when the log passes what CONFIG SET says, and never at 0 percent", async () => {
  using data = new DataDirectory();
  await using server = await startServer({ workers: 1, flags: data.flags("never") });
  using client = await connect(server.port);
  const set = async (name: string, text: string) =>
    plain(await client.command("CONFIG", "SET", `auto-aof-rewrite-${name}`, text));
  const shown = plain(await client.command("CONFIG", "GET", "auto-aof-rewrite-percentage"));
  assert.deepEqual(shown, ["auto-aof-rewrite-percentage", "100"]);
  assert.equal(await set("percentage", "0"), "+OK");
  assert.equal(await set("min-size", "50kb"), "+OK");
  await fill(server.port, "a");
  // The keeper looks ten times a second.
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(await infoNumber(client, "rdb_saves"), 0);
  assert.equal(await set("percentage", "100"), "+OK");
  await untilInfo(client, "rdb_saves", 1);
  assert.match(String(await set("percentage", "-1")), /^-ERR CONFIG SET failed/);
});

Deno.test("INFO tells how many changes no snapshot holds, over a snapshot and a restart", async () => {
  using data = new DataDirectory();
  const flags = data.flags("interval");
  const expect = async (client: RespClient, changes: number) => {
    const look = () => infoNumber(client, "rdb_changes_since_last_save");
    await until(`${changes} changes are told of`, look, (told) => told === changes);
  };
  {
    await using server = await startServer({ workers: 1, flags });
    using client = await connect(server.port);
    await expect(client, 0);
    for (let i = 0; i < 3; i++) await client.command("SET", `key:${i}`, "1");
    await expect(client, 3);
    assert.equal(plain(await client.command("SAVE")), "+OK");
    await expect(client, 0);
    await client.command("MSET", "a", "1", "b", "2");
    await expect(client, 1);
    assert.equal(await server.stop(), 0);
  }
  await using again = await startServer({ workers: 1, flags });
  using client = await connect(again.port);
  await expect(client, 1);
  await client.command("DEL", "a");
  await expect(client, 2);
});

Deno.test("a directory copied after BGSAVE while writes go on starts, with all from before it", async () => {
  using data = new DataDirectory();
  using copy = new DataDirectory();
  await using server = await startServer({ workers: 2, flags: data.flags("interval") });
  await fill(server.port, "before");
  using client = await connect(server.port), writer = await connect(server.port);
  let isOver = false, writes = 0;
  const writing = (async () => {
    for (; !isOver; writes++) await writer.command("SET", `during:${writes % 500}`, `${writes}`);
  })();
  assert.equal(plain(await client.command("BGSAVE")), "+Background saving started");
  await until(
    "the snapshot stands",
    () => infoNumber(client, "rdb_last_bgsave_time_sec"),
    (seconds) => seconds >= 0,
  );
  await until(
    "what it covers is dropped",
    () => infoNumber(client, "rdb_bgsave_in_progress"),
    (running) => running === 0,
  );
  // The names first: a segment that begins meanwhile must not come without the end of the one before.
  const names = Array.from(Deno.readDirSync(data.path), (each) => each.name);
  for (const name of names) {
    if (name.endsWith(".tmp") || name === "LOCK") continue;
    Deno.copyFileSync(`${data.path}/${name}`, `${copy.path}/${name}`);
  }
  const enough = writes + 100;
  await until("writes went on", () => writes, (count) => count > enough);
  isOver = true;
  await writing;
  await using restored = await startServer({ workers: 1, flags: copy.flags("interval") });
  await assertFilled(restored.port, "before");
});

/** A log of one group in `data`, its server ended; gives the segment's path. */
async function makeLog(data: DataDirectory): Promise<string> {
  const server = await startServer({ workers: 1, flags: data.flags("interval") });
  await fill(server.port, "a", 1);
  assert.equal(await server.stop(), 0);
  const names = Array.from(Deno.readDirSync(data.path), (each) => each.name);
  return `${data.path}/${names.find((name) => name.startsWith("wal-"))}`;
}

/** What a start on the directory says as it is refused. */
async function refusedStart(path: string): Promise<string> {
  const flags = ["--persistence", "on", "--data-dir", path, "--workers", "1"];
  const { code, stderr } = await runMayfly(["serve", "--port", String(freePort()), ...flags]);
  assert.equal(code, 1, stderr);
  return stderr;
}

Deno.test("a start is refused with the number of a format version that it does not know", async () => {
  using data = new DataDirectory();
  const path = await makeLog(data), bytes = Deno.readFileSync(path);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, 4711, true);
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
  Deno.writeFileSync(path, bytes);
  const text = await refusedStart(data.path);
  assert.match(text, /wal-\S+\.log .*format version 4711/);
});

Deno.test("a start is refused where the directory's place is taken by a file", async () => {
  using data = new DataDirectory();
  const path = `${data.path}/file`;
  Deno.writeTextFileSync(path, "mine");
  assert.match(await refusedStart(path), new RegExp(`--data-dir ${path} cannot be used`));
  assert.equal(Deno.readTextFileSync(path), "mine");
});
