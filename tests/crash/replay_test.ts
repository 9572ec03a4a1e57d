// Everything that commands do is there after kill -9 and a restart: the calls of the contract, and random ones.
import assert from "node:assert/strict";
import fc from "fast-check";
import { commandSequences } from "../contract/random_commands.ts";
import { CALL_GROUPS, wordsOf } from "../contract/redis_calls.ts";
import { DataDirectory, wholeState } from "../support/data_directory.ts";
import { connect, encodeCommand } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { infoNumber } from "../support/server_numbers.ts";

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

/** They end the connection or the server, or leave no reply to wait for. */
const LEFT_OUT = ["QUIT", "SHUTDOWN", "CLIENT", "FLUSHALL", "BGSAVE", "SAVE", "MULTI"];
const END = "end-of-reply-91c2";
const END_BYTES = `$${END.length}\r\n${END}\r\n`;

/** Sends commands one by one, reading whatever comes back. */
async function send(port: number, commands: readonly Uint8Array[][]): Promise<void> {
  using client = await connect(port);
  for (const words of commands) {
    const name = new TextDecoder().decode(words[0]).toUpperCase();

    if (LEFT_OUT.includes(name)) continue;
    await client.send(encodeCommand(words));
    // All that came before its reply is the command's.
    await client.send(encodeCommand(["ECHO", END]));
    await client.readRaw(END_BYTES);
  }
}

const latin1 = (word: string) => Uint8Array.from(word, (char) => char.charCodeAt(0));

Deno.test("changes of parts of long values are logged as such, and come back after kill -9", async () => {
  using data = new DataDirectory();
  const flags = data.flags("never"), sizes = [600, 10_000, 16_384, 16_385, 200_000, 1_000_000];
  const server = await startServer({ workers: 2, flags });
  let before: string[];
  {
    using client = await connect(server.port);
    for (const size of sizes) {
      await client.command("SET", `k${size}`, "v".repeat(size), "PXAT", String(2 ** 42));
      await client.command("SETBIT", `new${size}`, String(size * 8), "1");
    }
    await client.command("SAVE");
    const logBytes = await infoNumber(client, "log_bytes");
    for (let round = 0; round < 50; round++) {
      for (const size of sizes) {
        for (const key of [`k${size}`, `new${size}`]) {
          await client.command("SETBIT", key, String((round * 7919) % (size * 8)), "1");
          await client.command("APPEND", key, "w".repeat(round));
          await client.command("SETRANGE", key, String((round * 104_729) % size), "range");
          const field = String((round * 31) % size);
          await client.command("BITFIELD", key, "INCRBY", "u8", `#${field}`, "1");
        }
      }
    }
    // Whole values would be 50 * 4 * 2 * 1.2 MB.
    const grown = await infoNumber(client, "log_bytes") - logBytes;
    assert.ok(grown < 1_000_000, `the log grew by ${grown} bytes`);
    // From short to long, far behind the end, in pieces that are not copied, and after a new life.
    for (const size of sizes) {
      await client.command("SETRANGE", `k${size}`, String(size + 50_000), "end");
      await client.command("APPEND", `new${size}`, "x".repeat(40_000));
      await client.command("DEL", `k${size}`);
      await client.command("SETRANGE", `k${size}`, "3000", "new life");
      await client.command("SETRANGE", `k${size}`, "3", "z".repeat(100));
    }
    // Its reply waits until all before it is on disk.
    await client.command("CONFIG", "SET", "appendfsync", "always");
    await client.command("SET", "last", "1");
    before = await wholeState(server.port);
  }
  await server.kill();
  await using again = await startServer({ workers: 1, flags });
  assert.deepEqual(await wholeState(again.port), before);
});

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
