// What a start loads: a large snapshot by all workers together, its damage, and entries whose time has passed meanwhile.
import assert from "node:assert/strict";
import { DataDirectory } from "../support/data_directory.ts";
import { connect, plain } from "../support/resp_client.ts";
import { freePort, runMayfly, startServer } from "../support/server.ts";

const COUNT = 60_000;
const PER_COMMAND = 500;

const valueOf = (i: number) => `${i}:${"v".repeat(100)}`;

/** MSETs the keys of numbers from `from` to `to`. */
async function fill(port: number, from: number, to: number): Promise<void> {
  using client = await connect(port);
  for (let i = from; i < to; i += PER_COMMAND) {
    const pairs = Array.from({ length: PER_COMMAND }, (_, j) => [`key:${i + j}`, valueOf(i + j)]);
    assert.equal(plain(await client.command("MSET", ...pairs.flat())), "+OK");
  }
}

async function assertFilled(port: number): Promise<void> {
  using client = await connect(port);
  assert.equal(plain(await client.command("DBSIZE")), COUNT + PER_COMMAND + 1);
  for (let i = 0; i < COUNT + PER_COMMAND; i += PER_COMMAND) {
    const numbers = Array.from({ length: PER_COMMAND }, (_, j) => i + j);
    const values = plain(await client.command("MGET", ...numbers.map((each) => `key:${each}`)));
    assert.deepEqual(values, numbers.map(valueOf));
  }
  assert.equal(plain(await client.command("GET", "swapped")), null);
  await client.command("SELECT", "3");
  assert.equal(plain(await client.command("GET", "swapped")), "yes");
}

/** A directory with a snapshot of some megabytes, a table of databases in it, and a log behind it. */
async function makeDirectory(data: DataDirectory): Promise<void> {
  await using server = await startServer({ workers: 2, flags: data.flags("never") });
  await fill(server.port, 0, COUNT);
  using client = await connect(server.port);
  await client.command("SET", "moved", "yes");
  await client.command("RENAME", "moved", "swapped");
  await client.command("MOVE", "swapped", "7");
  await client.command("SWAPDB", "3", "7");
  await client.command("SELECT", "0");
  await client.command("SET", "last", "yes");
  assert.equal(plain(await client.command("SAVE")), "+OK");
  await fill(server.port, COUNT, COUNT + PER_COMMAND);
}

Deno.test("workers load a large snapshot together, whole, whatever their number", async () => {
  using data = new DataDirectory();
  await makeDirectory(data);
  const [name] = snapshots(data.path);
  assert.ok(Deno.statSync(`${data.path}/${name}`).size > 4 * 1024 * 1024, "large enough to share");
  for (const workers of [1, 3]) {
    await using server = await startServer({ workers, flags: data.flags("never") });
    await assertFilled(server.port);
    assert.match(server.output().stderr, /loaded: 60502 entries in /);
  }
});

Deno.test("a start tells of damage in a snapshot that several load, with file and offset", async () => {
  using data = new DataDirectory();
  await makeDirectory(data);
  const [name] = snapshots(data.path), path = `${data.path}/${name}`;
  const whole = Deno.readFileSync(path);
  for (const part of [0.3, 0.6, 0.95]) {
    const damaged = whole.slice();
    damaged[Math.floor(whole.length * part)] ^= 4;
    Deno.writeFileSync(path, damaged);
    const args = ["serve", "--port", String(freePort()), "--http-port", "off", "--workers", "3"];
    const refused = await runMayfly([...args, ...data.flags("never")]);
    assert.equal(refused.code, 1);
    const expected = /snapshot-\w+\.mfs is damaged at offset (\d+): a frame is not whole; mayfly/;
    const offset = Number(refused.stderr.match(expected)?.[1]);
    const at = whole.length * part;
    assert.ok(offset <= at && at - offset < 300_000, `${offset} for ${at}: ${refused.stderr}`);
    assert.equal(refused.stderr.match(/damaged/g)?.length, 1, "told once");
  }
  Deno.writeFileSync(path, whole);
  await using server = await startServer({ workers: 3, flags: data.flags("never") });
  await assertFilled(server.port);
});

Deno.test("an entry whose time has passed stays while the log is loaded: later it may live on", async () => {
  using data = new DataDirectory();
  const lines: string[] = [], extended = 2000;
  const effect = (fields: object) =>
    lines.push(JSON.stringify({ sequence: lines.length + 1, ...fields, database: 0 }));
  for (let i = 0; i < extended; i++) {
    effect({ effect: "put", key: `old:${i}`, type: "string", value: "v", expiresAtMs: 1 });
  }
  // So many that several sweeps come by.
  for (let i = 0; i < 400_000; i++) {
    effect({ effect: "put", key: `key:${i}`, type: "string", value: "v", expiresAtMs: 0 });
  }
  for (let i = 0; i < extended; i++) effect({ effect: "expire", key: `old:${i}`, expiresAtMs: 0 });
  const file = `${data.path}.jsonl`;
  await Deno.writeTextFile(file, lines.join("\n") + "\n");
  try {
    const made = await runMayfly(["wal", "load", file, data.path], { timeoutMs: 60_000 });
    assert.equal(made.code, 0, made.stderr);
  } finally {
    await Deno.remove(file);
  }
  await using server = await startServer({ workers: 1, flags: data.flags("never") });
  using client = await connect(server.port);
  assert.equal(plain(await client.command("DBSIZE")), extended + 400_000);
  const keys = Array.from({ length: extended }, (_, i) => `old:${i}`);
  assert.equal(plain(await client.command("EXISTS", ...keys)), extended);
});

function snapshots(path: string): string[] {
  return Array.from(Deno.readDirSync(path), (each) => each.name).filter((name) =>
    name.endsWith(".mfs")
  );
}
