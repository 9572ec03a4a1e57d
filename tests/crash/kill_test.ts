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

Deno.test("server keeps every acknowledged effect under --fsync always when it is killed", async () => {
  console.log(`seed ${SEED}, ${ROUNDS} rounds`);
  const random = randomFrom(SEED), dataDir = await Deno.makeTempDir();
  const clients = Array.from(
    { length: CLIENTS },
    (_, i) => new RecordedClient(`c${i}`, i % 3, randomFrom(SEED + i)),
  );
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      const server = await startServer({
        workers: 1 + random.below(2),
        flags: ["--persistence", "on", "--fsync", "always", "--data-dir", dataDir],
      });
      try {
        using witness = await connect(server.port);
        for (const client of clients) await client.verify(witness);
        if (round === ROUNDS) break;
        const loads = clients.map((client) => client.run(server.port, () => false));
        // One in four is killed beside a snapshot.
        if (random.below(4) === 0) {
          assert.match(String(plain(await witness.command("BGSAVE"))), /^\+/);
        }
        await pause(20 + random.below(350));
        await server.kill();
        await Promise.all(loads);
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
  const acknowledged = clients.reduce((sum, each) => sum + each.acknowledged, 0);
  const taken = clients.reduce((sum, each) => sum + each.open.taken, 0);
  const lost = clients.reduce((sum, each) => sum + each.open.lost, 0);
  console.log(
    `${acknowledged} acknowledged; of those without answer ${taken} were there, ${lost} not`,
  );
  assert.ok(acknowledged > ROUNDS * CLIENTS, `only ${acknowledged} commands were acknowledged`);
  assert.ok(taken + lost > 0, "no kill fell between a command and its answer");
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
