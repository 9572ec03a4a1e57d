// Random commands with good and bad arguments, sent to redis-server and to mayfly: the same replies, and no
// connection lost. MAYFLY_FUZZ_RUNS sets how many sequences; FUZZ_SEED replays one.

import assert from "node:assert/strict";
import fc from "fast-check";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis_server.ts";
import { connect, encodeCommand, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { commandSequences } from "./random_commands.ts";

const RUNS = Number(Deno.env.get("MAYFLY_FUZZ_RUNS") ?? 1_500);
const END = "end-of-fuzz-9a1c";
const END_BYTES = `$${END.length}\r\n${END}\r\n`;

/** All replies as they came, Latin-1: what follows the last of them closes them off. */
async function replies(
  client: RespClient,
  commands: readonly (readonly string[])[],
): Promise<string> {
  const all = [["FLUSHALL"], ["SELECT", "0"], ...commands, ["DISCARD"], ["ECHO", END]];
  for (const command of all) {
    await client.send(
      encodeCommand(command.map((word) => Uint8Array.from(word, (c) => c.charCodeAt(0)))),
    );
  }
  return new TextDecoder("latin1").decode(await client.readRaw(END_BYTES));
}

Deno.test({
  name: "random commands get the replies of redis-server",
  ...needs("redis-server"),
  fn: async () => {
    await using redis = await startRedis();
    await using mayfly = await startServer({
      workers: 2,
      // As in Redis; it bounds LCS too.
      flags: ["--max-value-bytes", "512mb"],
    });
    const clients = await Promise.all(["2", "3"].map(async (version) => {
      const expectedFrom = await connect(redis.port), actualFrom = await connect(mayfly.port);
      // What Redis keeps as a list has an order that can be compared, with long values too.
      const isList = ["CONFIG", "SET", "hash-max-listpack-value", "100000"];
      for (const words of [["HELLO", version], isList]) {
        await Promise.all([expectedFrom, actualFrom].map((each) => each.command(...words)));
      }
      return { expectedFrom, actualFrom };
    }));
    const seed = Number(Deno.env.get("FUZZ_SEED") ?? Date.now() & 0x7fffffff);
    console.log(`seed ${seed}, ${RUNS} sequences`);
    await fc.assert(
      fc.asyncProperty(commandSequences, fc.nat(1), async (commands, which) => {
        const { expectedFrom, actualFrom } = clients[which];
        const [expected, actual] = await Promise.all([
          replies(expectedFrom, commands),
          replies(actualFrom, commands),
        ]);
        assert.equal(actual, expected);
      }),
      { numRuns: RUNS, seed, endOnFailure: false },
    );
    for (const { expectedFrom, actualFrom } of clients) {
      expectedFrom.close();
      actualFrom.close();
    }
  },
});
