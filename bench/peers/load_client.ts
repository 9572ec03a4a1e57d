// The load generator's process: one specification as its argument, one line of JSON as its result;
// knows a port and a protocol.
import { openConnections } from "./load_connection.ts";
import { runClosedLoop } from "./load_closed.ts";
import { runLargeValues } from "./load_large.ts";
import { runPaced } from "./load_paced.ts";
import type { LoadSpec } from "./load_generator.ts";

if (import.meta.main) {
  const spec = JSON.parse(Deno.args[0] ?? "null") as LoadSpec;
  try {
    if (spec.mode === "hold") await hold(spec);
    else {
      const run = spec.mode === "closed"
        ? runClosedLoop
        : spec.mode === "paced"
        ? runPaced
        : runLargeValues;
      console.log(JSON.stringify(await run(spec)));
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
  // Reads that are still pending would keep the process.
  Deno.exit(0);
}

/**
 * Prints `ready` when every connection was answered, and after the end of standard input how many
 * were lost.
 */
async function hold(spec: LoadSpec): Promise<void> {
  const connections = await openConnections(spec);
  let lost = 0;
  // Nothing is due on these connections: whatever a read gives, end, error or bytes, is the
  // server's fault.
  const spare = new Uint8Array(64);
  for (const connection of connections) {
    connection.socket.read(spare).then(() => lost++, () => lost++);
  }
  console.log("ready");
  for await (const _ of Deno.stdin.readable) {
    // Nobody writes; the end is the message.
  }
  console.log(lost);
}
