// Servers that are killed at random moments under load: what was acknowledged is there after the next start.
//
// MAYFLY_CRASH_ROUNDS says how many rounds (50), MAYFLY_CRASH_SEED which (random, printed).

import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { RecordedClient } from "../support/recorded_client.ts";
import { startServer } from "../support/server.ts";
import { randomFrom } from "../support/store_access.ts";

const ROUNDS = Number(Deno.env.get("MAYFLY_CRASH_ROUNDS") ?? "50");
const SEED = Number(Deno.env.get("MAYFLY_CRASH_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const CLIENTS = 20;
/**
 * The default interval is 100 ms, and a kill takes less: writing is not held up by syncing. The rest is for threads that
 * a busy machine does not let run: Deno's, the log's, and the clients' that note when they were answered.
 */
const LOSS_MS_MAX = 500;

Deno.test("server keeps every acknowledged effect under --fsync always when it is killed", async () => {
  const clients = await killAgainAndAgain("always", ROUNDS, Infinity);
  const { acknowledged, taken, lost } = sumOf(clients);
  assert.ok(acknowledged > ROUNDS * CLIENTS, `only ${acknowledged} commands were acknowledged`);
  assert.ok(taken + lost > 0, "no kill fell between a command and its answer");
});

Deno.test("server loses no more than the interval under --fsync interval when it is killed", async () => {
  const rounds = Math.ceil(ROUNDS / 5);
  const clients = await killAgainAndAgain("interval", rounds, LOSS_MS_MAX);
  assert.ok(sumOf(clients).acknowledged > rounds * CLIENTS, JSON.stringify(sumOf(clients)));
});

/** What was answered so long before the kill, in ms, must be there; Infinity: all of it. */
async function killAgainAndAgain(
  fsync: string,
  rounds: number,
  lossMsMax: number,
): Promise<RecordedClient[]> {
  console.log(`seed ${SEED}, ${rounds} rounds`);
  const random = randomFrom(SEED), dataDir = await Deno.makeTempDir();
  const clients = Array.from(
    { length: CLIENTS },
    (_, i) => new RecordedClient(`c${i}`, i % 3, randomFrom(SEED + i)),
  );
  let mustHoldUntilMs = Infinity;
  try {
    for (let round = 0; round <= rounds; round++) {
      const server = await startServer({
        workers: 1 + random.below(2),
        flags: ["--persistence", "on", "--fsync", fsync, "--data-dir", dataDir],
      });
      try {
        using witness = await connect(server.port);
        for (const client of clients) await client.verify(witness, mustHoldUntilMs);
        if (round === rounds) break;
        const loads = clients.map((client) => client.run(server.port).then(() => null, String));
        // One in four is killed beside a snapshot.
        if (random.below(4) === 0) {
          // One may be under way: a segment that was filled ahead counts as long as it is.
          const saving = String(plain(await witness.command("BGSAVE")));
          assert.match(saving, /^\+|already in progress/);
        }
        // What must be there is what was answered before the loss that is allowed.
        await pause((lossMsMax === Infinity ? 20 : lossMsMax + 50) + random.below(350));
        mustHoldUntilMs = lossMsMax === Infinity ? Infinity : performance.now() - lossMsMax;
        await server.kill();
        const problems = (await Promise.all(loads)).filter((each) => each !== null);
        assert.deepEqual(problems, [], "clients met this");
      } catch (error) {
        const text = (error as Error).message;
        throw new Error(`round ${round} of seed ${SEED}: ${text}\n${server.output().stderr}`);
      } finally {
        await server.kill();
      }
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
  console.log(JSON.stringify(sumOf(clients)));
  return clients;
}

function sumOf(clients: readonly RecordedClient[]) {
  const sum = { acknowledged: 0, taken: 0, lost: 0 };
  for (const { acknowledged, open } of clients) {
    sum.acknowledged += acknowledged;
    sum.taken += open.taken;
    sum.lost += open.lost;
  }
  return sum;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
