// `deno task bench:compression`: memory and server CPU of values of several kinds, plain and compressed, alternating.
//
//   deno task bench:compression [--rounds 3] [--kind "completions, JSON"]
//
// One server with one worker; the client shares the machine, so it is the server's CPU time that counts.
import { Command } from "commander";
import { wholeNumber } from "../../src/cli/client_options.ts";
import { connect, encodeCommand, plain, type RespClient } from "../../tests/support/resp_client.ts";
import { startServer } from "../../tests/support/server.ts";
import { infoNumber } from "../../tests/support/server_numbers.ts";
import { describeMachine } from "../peers/machine.ts";
import { processCpuUs } from "../peers/process_cpu.ts";
import { median } from "../peers/statistics.ts";
import { RESULTS } from "./results.ts";

const SIZES = [1024, 4096, 16_384, 49_152];
const CONNECTIONS = 10;
/** Different values of one kind and size; and keys that have them, about so many bytes in all. */
const VALUES = 250;
const KEYS_BYTES = 24 * 1024 * 1024;
const KEYS_MAX = 10_000;
/** CPU time is told in ticks of 10 ms: each measurement takes some tens of them. */
const OPERATIONS_BYTES = 48 * 1024 * 1024;
const OPERATIONS_MAX = 8000;
const COMPRESS_MIN_BYTES = 512;
const ROUNDS_MAX = 99;

interface Measured {
  readonly bytesPerKey: number;
  readonly setUs: number;
  readonly getUs: number;
}

/** Sends requests over several connections, one at a time on each; each is answered with that many bytes. */
async function run(
  port: number,
  requests: readonly Uint8Array[],
  replyBytes: number,
  operations: number,
): Promise<void> {
  let next = 0;
  const one = async () => {
    using connection = await Deno.connect({ port });
    const buffer = new Uint8Array(Math.max(1024, replyBytes));
    while (next < operations) {
      const request = requests[next++ % requests.length];
      for (let sent = 0; sent < request.length;) {
        sent += await connection.write(request.subarray(sent));
      }
      for (let got = 0; got < replyBytes;) {
        const count = await connection.read(buffer);
        if (count === null) throw new Error("the server closed the connection");
        if (got === 0 && buffer[0] === 45) {
          throw new Error(new TextDecoder().decode(buffer.subarray(0, count)));
        }
        got += count;
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
}

async function measure(
  client: RespClient,
  port: number,
  pid: number,
  values: readonly Uint8Array[],
  compressMinBytes: number,
): Promise<Measured> {
  const bytes = values[0].length;
  const keyCount = Math.min(KEYS_MAX, Math.floor(KEYS_BYTES / bytes));
  const keys = Array.from({ length: keyCount }, (_, i) => `result:${i}`);
  const operations = Math.min(OPERATIONS_MAX, Math.floor(OPERATIONS_BYTES / bytes));
  plain(await client.command("FLUSHALL"));
  const minimum = String(compressMinBytes);
  plain(await client.command("CONFIG", "SET", "compress-min-bytes", minimum));
  const usedBefore = await infoNumber(client, "used_memory");
  const sets = keys.map((key, i) => encodeCommand(["SET", key, values[i % values.length]]));
  await run(port, sets, 5, keyCount);
  const bytesPerKey = (await infoNumber(client, "used_memory") - usedBefore) / keyCount;
  let before = processCpuUs(pid);
  await run(port, sets, 5, operations);
  const setUs = (processCpuUs(pid) - before) / operations;
  const gets = keys.map((key) => encodeCommand(["GET", key]));
  before = processCpuUs(pid);
  await run(port, gets, `$${bytes}\r\n`.length + bytes + 2, operations);
  return { bytesPerKey, setUs, getUs: (processCpuUs(pid) - before) / operations };
}

function medians(all: readonly Measured[]): Measured {
  return {
    bytesPerKey: median(all.map((each) => each.bytesPerKey)),
    setUs: median(all.map((each) => each.setUs)),
    getUs: median(all.map((each) => each.getUs)),
  };
}

async function compare(rounds: number, kinds: readonly string[]): Promise<void> {
  const machine = describeMachine();
  console.log(`${machine.cpu}, ${machine.cores} cores, Deno ${machine.deno}, ${rounds} rounds`);
  console.log("value | bytes | memory per key, of plain | SET, µs of CPU | GET, µs of CPU");
  await using server = await startServer({ workers: 1, flags: ["--maxmemory", "256mb"] });
  using client = await connect(server.port);
  for (const kind of kinds) {
    for (const bytes of SIZES) {
      const values = Array.from({ length: VALUES }, (_, key) => RESULTS[kind](key, bytes));
      const plains: Measured[] = [], compressed: Measured[] = [];
      for (let round = 0; round < rounds; round++) {
        plains.push(await measure(client, server.port, server.pid, values, 0));
        compressed.push(
          await measure(client, server.port, server.pid, values, COMPRESS_MIN_BYTES),
        );
      }
      const [before, after] = [medians(plains), medians(compressed)];
      const part = after.bytesPerKey / before.bytesPerKey;
      console.log(
        `${kind} | ${bytes} | ${Math.round(before.bytesPerKey)} to ` +
          `${Math.round(after.bytesPerKey)}, ${part.toFixed(2)} | ` +
          `${before.setUs.toFixed(1)} to ${after.setUs.toFixed(1)} | ` +
          `${before.getUs.toFixed(1)} to ${after.getUs.toFixed(1)}`,
      );
    }
  }
}

const program = new Command("bench:compression")
  .option("--rounds <count>", "rounds of plain and compressed", wholeNumber(1, ROUNDS_MAX), 3)
  .option("--kind <name>", `one of: ${Object.keys(RESULTS).join("; ")}`)
  .parse(["deno", "bench:compression", ...Deno.args]);
const { rounds, kind } = program.opts<{ rounds: number; kind?: string }>();
if (kind !== undefined && !(kind in RESULTS)) program.error(`there is no kind ${kind}`);
await compare(rounds, kind === undefined ? Object.keys(RESULTS) : [kind]);
