// `mayfly wal` as processes on a real server's directory: verify, dump, load, and a server on what was loaded.
import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { runMayfly, startServer } from "../support/server.ts";

const BINARY = new Uint8Array([255, 0, 10, 13, 128]);
const LARGE = "0123456789".repeat(7000);
const EXPIRES_AT_MS = 2 ** 42;

function persistent(dataDir: string) {
  return { workers: 1, flags: ["--persistence", "on", "--data-dir", dataDir] };
}

async function fill(port: number): Promise<void> {
  using client = await connect(port);
  await client.command("SET", "before", "snapshot");
  await client.command("SET", "moment", "v", "PXAT", String(EXPIRES_AT_MS));
  await client.command("HSET", "hash", "f", "1", "g", "2");
  await client.command("SAVE");
  await client.command("SET", "binary", BINARY);
  await client.command("SET", "large", LARGE);
  await client.command("MSET", "a", "1", "b", "2");
  await client.command("DEL", "before");
  await client.command("SELECT", "5");
  await client.command("SET", "fifth", "5");
  await client.command("SELECT", "0");
  await client.command("HSET", "hash", "f", "3", "binary", BINARY);
  await client.command("HPEXPIREAT", "hash", String(EXPIRES_AT_MS), "FIELDS", "1", "f");
  await client.command("HDEL", "hash", "g");
}

async function contents(port: number): Promise<unknown[]> {
  using client = await connect(port);
  const found = [
    plain(await client.command("MGET", "before", "moment", "large", "a", "b")),
    plain(await client.command("PEXPIRETIME", "moment")),
    plain(await client.command("STRLEN", "binary")),
    plain(await client.command("BITCOUNT", "binary")),
    plain(await client.command("DBSIZE")),
    plain(await client.command("HMGET", "hash", "f", "g")),
    plain(await client.command("HSTRLEN", "hash", "binary")),
    plain(await client.command("HPEXPIRETIME", "hash", "FIELDS", "2", "f", "binary")),
  ];
  await client.command("SELECT", "5");
  return [...found, plain(await client.command("GET", "fifth"))];
}

Deno.test("mayfly wal dumps a stopped server's directory, and loads one that a server starts from", async () => {
  const folder = await Deno.makeTempDir(), dataDir = `${folder}/data`, loaded = `${folder}/loaded`;
  let before: unknown[];
  {
    await using server = await startServer(persistent(dataDir));
    await fill(server.port);
    before = await contents(server.port);
    for (const tool of ["verify", "dump"]) {
      const refused = await runMayfly(["wal", tool, dataDir]);
      assert.deepEqual([refused.code, refused.stdout], [1, ""]);
      assert.match(refused.stderr, /is in use by a server \(process \d+\): stop it\n$/);
    }
  }
  const verified = await runMayfly(["wal", "verify", dataDir]);
  assert.equal(verified.code, 0, verified.stderr);
  assert.match(verified.stdout, /^snapshot-0{15}4\.mfs: 2 frames, 1 groups, 4 effects.*; whole$/m);
  assert.match(verified.stdout, /^wal-0{15}4\.log: .*, 8 groups, 9 effects, .*closed in order$/m);
  assert.match(verified.stdout, /^a start takes snapshot-.* goes on with sequence 12$/m);

  const dump = await runMayfly(["wal", "dump", dataDir]);
  assert.equal(dump.code, 0, dump.stderr);
  const lines = dump.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ sequence }) => sequence), [
    0,
    0,
    0,
    0,
    4,
    5,
    6,
    6,
    7,
    8,
    9,
    10,
    11,
  ]);
  assert.deepEqual(lines[4].value, { base64: BINARY.toBase64() });
  assert.deepEqual(lines[8], { sequence: 7, effect: "remove", database: 0, key: "before" });
  assert.deepEqual(lines.slice(-3).map(({ effect, fields }) => [effect, fields]), [
    ["setFields", [{ name: "f", value: "3" }, {
      name: "binary",
      value: { base64: BINARY.toBase64() },
    }]],
    ["expireFields", [{ name: "f", expiresAtMs: EXPIRES_AT_MS }]],
    ["removeFields", ["g"]],
  ]);

  await Deno.writeTextFile(`${folder}/lines`, dump.stdout);
  const load = await runMayfly(["wal", "load", `${folder}/lines`, loaded]);
  assert.deepEqual([load.code, load.stderr], [0, ""]);
  assert.match(load.stdout, /8 groups of the log behind a snapshot, next sequence 12\n$/);
  assert.equal((await runMayfly(["wal", "dump", loaded])).stdout, dump.stdout);
  {
    await using server = await startServer(persistent(loaded));
    assert.deepEqual(await contents(server.port), before);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("mayfly wal ends with 2 for a wrong command line, with 1 for what is no data directory", async () => {
  const folder = await Deno.makeTempDir();
  const cases: readonly (readonly [string[], number, RegExp])[] = [
    [[], 2, /needs one of: verify, dump, load, repair/],
    [["mend"], 2, /needs one of: verify, dump, load, repair/],
    [["verify"], 2, /missing required argument 'directory'/],
    [["verify", folder], 1, /holds no log and no snapshot/],
    [["verify", `${folder}/absent`], 1, /absent is no directory/],
    [["load", `${folder}/absent`, `${folder}/new`], 1, /absent cannot be read/],
  ];
  for (const [args, code, wanted] of cases) {
    const end = await runMayfly(["wal", ...args]);
    assert.deepEqual([end.code, end.stdout], [code, ""], args.join(" "));
    assert.match(end.stderr, wanted);
    assert.match(end.stderr, /^mayfly: [^\n]*\n$/);
  }
  await Deno.remove(folder, { recursive: true });
});
