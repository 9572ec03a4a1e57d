// CONFIG SET appendfsync while clients wait for the log: every reply comes, and in time, whatever the policy is by then.
import assert from "node:assert/strict";
import { DataDirectory } from "../support/data_directory.ts";
import { connect, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";

const CLIENTS = 8;
const CHANGES = 60;
/** From `always` to each other and back, and on to what never syncs by itself. */
const POLICIES = ["always", "no", "always", "everysec", "no"];

Deno.test("no reply is lost or late when appendfsync is changed while clients wait", async () => {
  using data = new DataDirectory();
  await using server = await startServer({ workers: 2, flags: data.flags("always") });
  let isOver = false, replies = 0;
  const write = async (number: number) => {
    using client = await connect(server.port);
    for (let i = 0; !isOver; i++) {
      // Several batches are under way: what is behind may be told to wait for less.
      const commands = Array.from(
        { length: 40 },
        () => ["SET", `key:${number}`, "v".repeat(i % 2000)],
      );
      for (const reply of await client.pipeline(commands)) assert.equal(plain(reply), "+OK");
      replies += commands.length;
    }
  };
  const change = async () => {
    using client = await connect(server.port);
    for (let i = 0; i < CHANGES; i++) {
      const policy = POLICIES[i % POLICIES.length];
      assert.equal(plain(await client.command("CONFIG", "SET", "appendfsync", policy)), "+OK");
      const before = replies;
      for (let looks = 0; replies === before && looks < 200; looks++) await client.command("PING");
    }
    isOver = true;
  };
  await Promise.all([change(), ...Array.from({ length: CLIENTS }, (_, i) => write(i))]);
});
