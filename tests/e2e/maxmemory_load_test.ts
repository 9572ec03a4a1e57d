// maxmemory is lowered and raised, and compression switched, under clients that write: every write is stored, every value
// whole, what is in use fits soon, and a kill leaves nothing else.
import assert from "node:assert/strict";
import { DataDirectory } from "../support/data_directory.ts";
import { type Argument, connect, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { readInfo, until } from "../support/server_numbers.ts";
import { randomFrom } from "../support/store_access.ts";

const CLIENTS = 4, KEYS = 6000, PIPELINE = 16;
const SEED = Number(Deno.env.get("MAYFLY_SIM_SEED") ?? Date.now() % 1_000_000);
/** Each is set as the one before is kept to. */
const CHANGES: readonly (readonly [maxmemory: string, compressMinBytes: string])[] = [
  ["16mb", "512"],
  ["48mb", "512"],
  ["20mb", "0"],
  ["40mb", "4096"],
  ["16mb", "1024"],
  ["32mb", "512"],
];
/** So much has to be written under each. */
const WRITES_PER_CHANGE = 800;
const LABELS = ["label", "score", "model", "confidence", "feature", "result", "vector", "token"];

/** A value that tells its key, its length and where it was made from; like JSON, so that it is compressed. */
function valueOf(key: string, seed: number, lengthBytes: number): string {
  const parts = [`${key}#${seed}#${lengthBytes}#`];
  for (let length = parts[0].length, x = seed; length < lengthBytes;) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff;
    const part = `"${LABELS[x % LABELS.length]}":${x % 1000},`;
    parts.push(part);
    length += part.length;
  }
  return parts.join("").slice(0, lengthBytes);
}

function assertWhole(key: string, value: string): void {
  const [name, seed, lengthBytes] = value.split("#", 3);
  assert.equal(name, key, `seed ${SEED}`);
  assert.ok(value === valueOf(key, Number(seed), Number(lengthBytes)), `seed ${SEED}: torn ${key}`);
}

Deno.test("maxmemory is lowered under load, with compression and a log: all is stored, whole, and fits", async () => {
  using data = new DataDirectory();
  const flags = [...data.flags("interval"), "--maxmemory", "32mb", "--compress-min-bytes", "512"];
  let writes = 0, found = 0, isOver = false;
  const client = async (number: number) => {
    using connection = await connect(server.port);
    const random = randomFrom(SEED + number);
    while (!isOver) {
      const commands: Argument[][] = [], keys: string[] = [];
      for (let i = 0; i < PIPELINE; i++) {
        const key = `key:${random.below(KEYS)}`;
        const lengthBytes = 40 + random.below([200, 4000, 20_000, 60_000][random.below(4)]);
        const isWrite = random.below(3) > 0,
          value = () => valueOf(key, random.below(1e9), lengthBytes);
        commands.push(isWrite ? ["SET", key, value()] : ["GET", key]);
        keys.push(isWrite ? "" : key);
      }
      const replies = await connection.pipeline(commands);
      replies.forEach((reply, i) => {
        if (keys[i] === "") {
          assert.equal(plain(reply), "+OK");
          writes++;
        } else if (reply !== null) {
          assertWhole(keys[i], plain(reply) as string);
          found++;
        }
      });
    }
  };
  const change = async () => {
    using connection = await connect(server.port);
    const isWithin = async () => {
      const info = await readInfo(connection);
      return info.number("used_memory") <= info.number("maxmemory");
    };
    for (const [maxmemory, compressMinBytes] of CHANGES) {
      const set = ["maxmemory", maxmemory, "compress-min-bytes", compressMinBytes];
      assert.equal(plain(await connection.command("CONFIG", "SET", ...set)), "+OK");
      await until(`what is in use fits ${maxmemory}`, isWithin, (fits) => fits);
      const enough = writes + WRITES_PER_CHANGE;
      await until("clients write on", () => Promise.resolve(writes), (count) => count > enough);
    }
    assert.ok((await readInfo(connection)).number("compressed_values") > 0);
    isOver = true;
  };
  const server = await startServer({ workers: 2, flags });
  try {
    const clients = Array.from({ length: CLIENTS }, (_, i) => client(i));
    await Promise.all([change(), ...clients]).finally(() => isOver = true);
    assert.ok(found > 100, `only ${found} values were met`);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${server.output().stderr}`, { cause: error });
  } finally {
    await server.kill();
  }
  await using again = await startServer({ workers: 2, flags: [...flags, "--maxmemory", "16mb"] });
  using reader = await connect(again.port);
  const info = await readInfo(reader);
  assert.ok(info.number("used_memory") <= info.number("maxmemory") * 1.05);
  let kept = 0;
  // A few at a time: replies that are not read may take no more than a part of maxmemory.
  for (let from = 0; from < KEYS; from += PIPELINE) {
    const keys = Array.from({ length: PIPELINE }, (_, i) => `key:${from + i}`);
    const values = await reader.pipeline(keys.map((key) => ["GET", key]));
    values.forEach((value, i) => {
      if (value === null) return;
      assertWhole(keys[i], plain(value) as string);
      kept++;
    });
  }
  assert.ok(kept > 50, `only ${kept} entries are there after the kill`);
});
