// The machine's clock is put back by an hour under a server that writes: it goes on writing, and syncs as it promises.
import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { ROOT } from "../support/serve_task.ts";
import { startServer } from "../support/server.ts";
import { infoNumber, until } from "../support/server_numbers.ts";

const SETS = 50;
/** An hour of waiting would show in less; the disk may be slow. */
const SETS_MS_MAX = 5000;

Deno.test("server goes on writing and syncing under --fsync interval when the clock is put back", async () => {
  const dataDir = Deno.makeTempDirSync({ prefix: "mayfly-clock-" });
  try {
    await using server = await startServer({
      workers: 1,
      flags: ["--persistence", "on", "--data-dir", dataDir, "--fsync", "interval"],
      mainPath: `${ROOT}tests/support/stepped_server.ts`,
    });
    using client = await connect(server.port);
    const time = async () => String(await client.command("TIME"));
    assert.equal(plain(await client.command("SET", "before", "1")), "+OK");
    // Time stands still for clients until the clock has caught up.
    let last = "";
    await until("the clock stands still", async () => {
      const before = last;
      last = await time();
      return before === last;
    }, (stands) => stands);
    const syncs = await infoNumber(client, "log_syncs"), startMs = performance.now();
    for (let i = 0; i < SETS; i++) {
      assert.equal(plain(await client.command("SET", `key:${i}`, String(i))), "+OK");
    }
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < SETS_MS_MAX, `${SETS} writes took ${tookMs.toFixed(0)} ms`);
    await until("it is synced", () => infoNumber(client, "log_syncs"), (now) => now > syncs);
  } finally {
    Deno.removeSync(dataDir, { recursive: true });
  }
});
