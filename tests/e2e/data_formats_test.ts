// A mayfly reads the directories of every released format version: tests/fixtures/data-v<version>, for ever.
//
// Each was left by a server of that version, from the same commands: entries in a snapshot, then a log that
// holds every kind of effect. A new version adds its directory; those that are here are never changed.
import assert from "node:assert/strict";
import { DirectoryDisk } from "../../src/log/disk.ts";
import { recover } from "../../src/log/recovery.ts";
import { FORMAT_VERSION } from "../../src/log/segment.ts";
import { StateModel } from "../support/log_maker.ts";
import { connect, plain } from "../support/resp_client.ts";
import { ROOT } from "../support/serve_task.ts";
import { startServer } from "../support/server.ts";

const FIXTURES = `${ROOT}tests/fixtures`;
const VERSIONS = [1];
const MOMENT_MS = 2 ** 42;
const LARGE = Uint8Array.from({ length: 20_000 }, (_, i) => i === 0 ? 1 : i === 19_999 ? 122 : 0);
/** Database and key, value, moment. */
const ENTRIES: readonly (readonly [string, string | Uint8Array, number])[] = [
  ["0:before", "snapshot", MOMENT_MS + 1],
  ["0:binary", new Uint8Array([255, 0, 254]), 0],
  ["0:came", "y", 0],
  ["0:count", "42", 0],
  ["0:large", LARGE, 0],
  ["0:lasts", "v", 0],
  ["0:one", "1", 0],
  ["0:text", "é 😀", 0],
  ["0:two", "2", 0],
  ["3:third", "3", 0],
  ["4:fourth", "again", 0],
];
/** SWAPDB 3 7: what lies in 3 is found in 7. */
const TABLE = [0, 1, 2, 7, 4, 5, 6, 3, 8, 9, 10, 11, 12, 13, 14, 15];

Deno.test("there is a directory of each format version, this one's too", () => {
  const found = Array.from(Deno.readDirSync(FIXTURES)).map(({ name }) => name).sort();
  assert.deepEqual(found, VERSIONS.map((version) => `data-v${version}`));
  assert.ok(VERSIONS.includes(FORMAT_VERSION));
});

for (const version of VERSIONS) {
  const fixture = `${FIXTURES}/data-v${version}`;

  Deno.test(`recover() reads the directory of format version ${version}, whole`, () => {
    const model = new StateModel(), result = recover(new DirectoryDisk(fixture), model);
    assert.ok("ok" in result, JSON.stringify(result));
    assert.ok(result.ok.snapshotName !== null && result.ok.groups > 0 && result.ok.isClosed);
    const found = [...model.entries].map(([name, { value, expiresAtMs }]) =>
      [name, value, expiresAtMs] as const
    ).sort(([a], [b]) => a < b ? -1 : 1);
    const bytes = (value: string | Uint8Array) =>
      typeof value === "string" ? new TextEncoder().encode(value) : value;
    assert.deepEqual(found, ENTRIES.map(([name, value, at]) => [name, bytes(value), at]));
    assert.deepEqual([...model.table ?? []], TABLE);
  });

  Deno.test(`a server starts from the directory of format version ${version}`, async () => {
    const dataDir = await Deno.makeTempDir();
    for (const { name } of Deno.readDirSync(fixture)) {
      await Deno.copyFile(`${fixture}/${name}`, `${dataDir}/${name}`);
    }
    {
      await using server = await startServer({
        workers: 1,
        flags: ["--persistence", "on", "--data-dir", dataDir],
      });
      using client = await connect(server.port);
      for (const [name, value, expiresAtMs] of ENTRIES) {
        const [database, key] = name.split(":");
        await client.command("SELECT", String(TABLE[Number(database)]));
        if (typeof value === "string") assert.equal(plain(await client.command("GET", key)), value);
        else assert.equal(plain(await client.command("STRLEN", key)), value.length);
        const moment = plain(await client.command("PEXPIRETIME", key));
        assert.equal(Number(moment), expiresAtMs === 0 ? -1 : expiresAtMs, name);
      }
      assert.equal(plain(await client.command("DBSIZE")), 1);
    }
    await Deno.remove(dataDir, { recursive: true });
  });
}
