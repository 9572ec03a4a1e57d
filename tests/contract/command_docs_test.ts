// COMMAND DOCS beside redis-server: the same arguments and groups for every command that both have.

import assert from "node:assert/strict";
import { COMMAND_FACTS } from "../../src/commands/command_facts.ts";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis_server.ts";
import { connect, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";

/** A reply to COMMAND DOCS by name, subcommands included; each a map of its fields. */
function byName(reply: readonly unknown[], into = new Map<string, Map<string, unknown>>()) {
  for (let i = 0; i < reply.length; i += 2) {
    const fields = reply[i + 1] as unknown[];
    const map = new Map<string, unknown>();
    for (let at = 0; at < fields.length; at += 2) map.set(fields[at] as string, fields[at + 1]);
    into.set(reply[i] as string, map);
    const subcommands = map.get("subcommands") as unknown[] | undefined;
    if (subcommands !== undefined) byName(subcommands, into);
  }
  return into;
}

/** Without what Redis has since a later version than the server's. */
function known(list: unknown): unknown {
  if (!Array.isArray(list)) return list;
  return list.filter((each) => {
    const since = Array.isArray(each) ? each[each.indexOf("since") + 1] : "";
    return !/^(?:7\.[1-9]|[89])/.test(String(since));
  });
}

Deno.test({
  name: "COMMAND DOCS tells the arguments that redis-server's does",
  ...needs("redis-server"),
  fn: async () => {
    await using redis = await startRedis();
    await using mayfly = await startServer();
    using expectedFrom = await connect(redis.port);
    using actualFrom = await connect(mayfly.port);
    const expected = byName(plain(await expectedFrom.command("COMMAND", "DOCS")) as unknown[]);
    const actual = byName(plain(await actualFrom.command("COMMAND", "DOCS")) as unknown[]);
    assert.deepEqual([...actual.keys()].sort(), Object.keys(COMMAND_FACTS).sort());
    let compared = 0;
    for (const [name, fields] of actual) {
      const own = expected.get(name);
      if (own === undefined) continue;
      assert.deepEqual(known(fields.get("arguments")), own.get("arguments"), name);
      compared++;
    }
    assert.ok(compared >= 145, `${compared} commands`);
  },
});
