// Everything that commands do is there after kill -9 and a restart: the calls of the contract, and random ones.
import assert from "node:assert/strict";
import fc from "fast-check";
import { commandSequences } from "../contract/random_commands.ts";
import { CALL_GROUPS, wordsOf } from "../contract/redis_calls.ts";
import { DataDirectory, wholeState } from "../support/data_directory.ts";
import { connect, encodeCommand } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";

const SEQUENCES = Number(Deno.env.get("MAYFLY_REPLAY_RUNS") ?? 60);
/** Expiries closer than this, as of the first look, could pass before the second. */
const FAR_MS = 120_000;

/** What both looks must agree on: all but entries that expire before that moment. */
function lasting(state: readonly string[], untilMs: number): string[] {
  return state.filter((line) => {
    const at = Number(line.slice(line.lastIndexOf(" ") + 1));
    return at < 0 || at > untilMs;
  });
}

const END = "end-of-reply-91c2";
const END_BYTES = `$${END.length}\r\n${END}\r\n`;

/** Sends commands one by one, reading whatever comes back. */
async function send(port: number, commands: readonly Uint8Array[][]): Promise<void> {
  using client = await connect(port);
  for (const words of commands) {
    const name = new TextDecoder().decode(words[0]).toUpperCase();
    // They end the connection or the server, or leave no reply to wait for.
    if (["QUIT", "SHUTDOWN", "CLIENT", "FLUSHALL", "BGSAVE", "SAVE"].includes(name)) continue;
    await client.send(encodeCommand(words));
    // All that came before its reply is the command's.
    await client.send(encodeCommand(["ECHO", END]));
    await client.readRaw(END_BYTES);
  }
}

const latin1 = (word: string) => Uint8Array.from(word, (char) => char.charCodeAt(0));

Deno.test("a restart after kill -9 gives back what the contract's calls left", async () => {
  using data = new DataDirectory();
  const flags = [...data.flags("always"), "--max-clients", "10000"];
  const groups = Object.entries(CALL_GROUPS), rounds = 8;
  let compared = 0;
  for (let round = 0; round < rounds; round++) {
    const chosen = groups.filter((_, i) => i % rounds === round);
    const calls = chosen.flatMap(([, calls]) => calls);
    const server = await startServer({ workers: 2, flags });
    await send(server.port, calls.map(wordsOf));
    const untilMs = Date.now() + FAR_MS;
    const before = lasting(await wholeState(server.port), untilMs);
    compared += before.length;
    await server.kill();
    await using again = await startServer({ workers: 2, flags });
    assert.deepEqual(
      lasting(await wholeState(again.port), untilMs),
      before,
      chosen.map(([group]) => group).join(),
    );
  }
});

Deno.test("a restart after kill -9 gives back what random commands left, with snapshots between", async () => {
  using data = new DataDirectory();
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? Date.now() & 0x7fffffff);
  console.log(`seed ${seed}`);
  const flags = data.flags("always");
  const rounds = 6, sequences = fc.sample(commandSequences, { seed, numRuns: SEQUENCES });
  for (let round = 0; round < rounds; round++) {
    const server = await startServer({ workers: 1 + round % 2, flags });
    using client = await connect(server.port);
    for (let i = round; i < sequences.length; i += rounds) {
      await send(server.port, sequences[i].map((words) => words.map(latin1)));
      if (i % 4 === 0) await client.command("SAVE");
    }
    const untilMs = Date.now() + FAR_MS;
    const before = lasting(await wholeState(server.port), untilMs);
    await server.kill();
    await using again = await startServer({ workers: 1, flags });
    assert.deepEqual(
      lasting(await wholeState(again.port), untilMs),
      before,
      `seed ${seed}, round ${round}`,
    );
  }
});
