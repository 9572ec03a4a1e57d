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

/** A log with so many entries that sweeps come by while it is loaded; gives how many of them live on by its end alone. */
async function makeLargeLog(data: DataDirectory): Promise<number> {
  const lines: string[] = [], extended = 2000;
  const effect = (fields: object) =>
    lines.push(JSON.stringify({ sequence: lines.length + 1, ...fields, database: 0 }));
  for (let i = 0; i < extended; i++) {
    effect({ effect: "put", key: `old:${i}`, type: "string", value: "v", expiresAtMs: 1 });
  }
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
  return extended;
}

Deno.test("an entry whose time has passed stays while the log is loaded: later it may live on", async () => {
  using data = new DataDirectory();
  const extended = await makeLargeLog(data);
  await using server = await startServer({ workers: 1, flags: data.flags("never") });
  using client = await connect(server.port);
  assert.equal(plain(await client.command("DBSIZE")), extended + 400_000);
  const keys = Array.from({ length: extended }, (_, i) => `old:${i}`);
  assert.equal(plain(await client.command("EXISTS", ...keys)), extended);
});

Deno.test("HTTP says that it is loading, and answers nothing from what is half there", async () => {
  using data = new DataDirectory();
  await makeLargeLog(data);
  const httpPort = freePort(), base = `http://127.0.0.1:${httpPort}`;
  // Less than what is loaded: all of it finds room until the end, whatever is asked for meanwhile.
  const flags = [...data.flags("never"), "--http-port", String(httpPort), "--maxmemory", "16mb"];
  const starting = startServer({ workers: 2, flags });
  let isStarting = true;
  // Who awaits it below is told of a failure.
  void starting.catch(() => {}).finally(() => isStarting = false);
  let seen = 0;
  const set = (name: string, value: string) =>
    statusOf(`${base}/v1/command`, JSON_OF(["CONFIG", "SET", name, value]));
  while (isStarting) {
    // All at once: the start is over in a few tenths of a second.
    const answers = await Promise.all([
      statusOf(`${base}/get?key=key:1`),
      statusOf(`${base}/v1/keys/key:1`),
      statusOf(`${base}/v1/keys/key:1`, { method: "PUT", body: "x" }),
      statusOf(`${base}/put`, { method: "POST", body: '{"key":"key:1","value":"x"}' }),
      statusOf(`${base}/v1/mget`, JSON_OF({ keys: ["key:1"] })),
      statusOf(`${base}/healthz`),
      statusOf(`${base}/stats`),
      set("timeout", "0"),
      set("maxmemory", "32mb"),
    ]);
    const after = await statusOf(`${base}/readyz`);
    // Before that nobody listened yet, or it is over.
    if (answers.includes("") || !after.startsWith("503")) continue;
    seen++;
    assert.equal(after, '503 {"status":"not ready","reason":"loading"}');
    const [alive, stats, setAny, setLimit] = answers.splice(5);
    assert.equal(alive, '200 {"status":"alive"}');
    assert.match(stats, /^200 .*"maxmemory_bytes":16777216,/);
    assert.equal(setAny, '200 {"result":"OK"}');
    assert.match(setLimit, /^400 .*'maxmemory'\) - the server is still loading"/);
    for (const answer of answers) assert.match(answer, /^503 .*"detail":"LOADING /);
  }
  await using _server = await starting;
  assert.ok(seen > 0, "the start was too short to be seen");
  assert.equal(await statusOf(`${base}/readyz`), '200 {"status":"ready"}');
  assert.match(await statusOf(`${base}/v1/command`, JSON_OF(["DBSIZE"])), /^200 .*[1-9]\d{4}/);
});

const JSON_OF = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

/** Status and body, empty where nobody listens yet. */
async function statusOf(url: string, init: RequestInit = {}): Promise<string> {
  try {
    const response = await fetch(url, init);
    return `${response.status} ${await response.text()}`;
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error));
    return "";
  }
}

function snapshots(path: string): string[] {
  return Array.from(Deno.readDirSync(path), (each) => each.name).filter((name) =>
    name.endsWith(".mfs")
  );
}
