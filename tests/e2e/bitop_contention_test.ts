// BITOP over large values that others write all the while: it answers, and its result is of one moment.
import assert from "node:assert/strict";
import { connect, type RespClient } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";

const BYTES = 200_000;
const RUNS = 40;
const PAIRS_PER_PIPELINE = 20;

/** Writes the same bytes to the start and the end of the source, in one command each, until told to stop. */
async function write(client: RespClient, state: { isDone: boolean; written: number }) {
  for (let n = 0; !state.isDone; n++) {
    const commands = Array.from({ length: PAIRS_PER_PIPELINE }, (_, i) => [
      "BITFIELD",
      "source",
      ...["SET", "u32", "0", `${n * PAIRS_PER_PIPELINE + i}`],
      ...["SET", "u32", `${(BYTES - 4) * 8}`, `${n * PAIRS_PER_PIPELINE + i}`],
    ]);
    await client.pipeline(commands);
    state.written += commands.length;
  }
}

Deno.test("BITOP over a value that is written all the while gives it as it was at one moment", async () => {
  await using server = await startServer({ workers: 2 });
  using first = await connect(server.port);
  await first.command("SETRANGE", "source", `${BYTES - 1}`, "\0");
  // Connections fall on workers by chance: with four writers at least one is beside the reader's.
  const writers = await Promise.all(Array.from({ length: 4 }, () => connect(server.port)));
  const state = { isDone: false, written: 0 };
  const writing = writers.map((client) => write(client, state));
  try {
    for (let run = 0; run < RUNS; run++) {
      assert.equal(await first.command("BITOP", "NOT", "result", "source"), BYTES);
      const [start, end] = await first.command(
        "BITFIELD_RO",
        "result",
        ...["GET", "u32", "0", "GET", "u32", `${(BYTES - 4) * 8}`],
      ) as number[];
      assert.equal(start, end, `after ${state.written} writes`);
    }
  } finally {
    state.isDone = true;
    await Promise.all(writing);
    for (const client of writers) client.close();
  }
  assert.ok(state.written > 0);
});
