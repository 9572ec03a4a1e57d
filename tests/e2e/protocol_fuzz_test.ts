// Whole and broken requests of every command with random arguments: no crash, no hang, no reply that a client
// cannot read. MAYFLY_FUZZ_MS sets for how long, FUZZ_SEED replays one run.
import assert from "node:assert/strict";
import fc from "fast-check";
import { ROWS, SUBCOMMANDS } from "../../src/commands/table.ts";
import { ErrorReply, ReplyParser } from "../support/reply_parser.ts";
import { connect, encodeCommand, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";

const FUZZ_MS = Number(Deno.env.get("MAYFLY_FUZZ_MS") ?? 15_000);
/** They end or hold up the server for others, or change what all of them rely on. */
const LEFT_OUT =
  /^(?:shutdown|debug|config\|set|config\|rewrite|client\|pause|client\|kill|save|compact)$/;
const RUNS_PER_ROUND = 25;

const encoder = new TextEncoder();
const NAMES = [
  ...ROWS.map((row) => row.name),
  ...[...SUBCOMMANDS.values()].flat().map((row) => row.name),
]
  .filter((name) => !LEFT_OUT.test(name) && !SUBCOMMANDS.has(name));
const WORDS = (
  "NX XX GT LT GET SET EX PX EXAT PXAT KEEPTTL PERSIST REPLACE ABSTTL IDLETIME FREQ DB MATCH COUNT TYPE LEN IDX " +
  "MINMATCHLEN WITHMATCHLEN BIT BYTE AND OR XOR NOT OVERFLOW WRAP SAT FAIL INCRBY u8 i64 u63 #1 AUTH SETNAME " +
  "default ID ADDR USER YES NO ON OFF SYNC ASYNC HELP IFEQ * string"
).split(" ");
const NUMBERS = [
  ..."0 1 -1 2 3 7 15 16 63 64 100 1000 16384 65536 -0 01 1.5 1e3 nan inf 0x10".split(" "),
  ..."2147483647 4294967296 9007199254740993 9223372036854775807 -9223372036854775808".split(" "),
  ..."9223372036854775808 99999999999999999999".split(" "),
];

const argument = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("a", "b", "c", "") },
  { weight: 3, arbitrary: fc.constantFrom(...WORDS) },
  { weight: 3, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.nat({ max: 70_000 }).map((length) => "x".repeat(length)) },
);
const command = fc.tuple(fc.constantFrom(...NAMES), fc.array(argument, { maxLength: 7 })).map((
  [name, args],
) => encodeCommand([...name.split("|"), ...args]));
const transaction = fc.array(command, { maxLength: 5 }).chain((commands) =>
  fc.constantFrom("EXEC", "DISCARD", "WATCH a", "RESET").map((end) =>
    joined([encoder.encode("MULTI\r\n"), ...commands, encoder.encode(`${end}\r\n`)])
  )
);
const inline = fc.tuple(fc.constantFrom(...NAMES), fc.array(fc.constantFrom(...WORDS, ...NUMBERS)))
  .map(([name, args]) => encoder.encode(`${name.replace("|", " ")} ${args.join(" ")}\r\n`));
const part = fc.oneof(
  { weight: 6, arbitrary: command },
  { weight: 2, arbitrary: transaction },
  { weight: 1, arbitrary: inline },
);
/** Where a byte is changed, put in or taken out, and to what; most requests stay as they are. */
const damage = fc.array(
  fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), how: fc.nat(2) }),
  {
    maxLength: 3,
  },
);
const request = fc.tuple(
  fc.array(part, { minLength: 1, maxLength: 30 }),
  fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: damage }),
  fc.constantFrom("2", "3"),
  fc.array(fc.nat({ max: 5000 }), { maxLength: 5 }),
);

Deno.test("random requests, whole and damaged, get replies that can be read", async () => {
  await using server = await startServer({
    workers: 2,
    flags: ["--inline-reply", "resp", "--maxmemory", "64mb"],
  });
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? Date.now() & 0x7fffffff);
  const endsAtMs = performance.now() + FUZZ_MS;
  let round = 0, replies = 0, errors = 0;
  for (; performance.now() < endsAtMs; round++) {
    await fc.assert(
      fc.asyncProperty(request, async ([parts, hurts, version, cuts]) => {
        const bytes = damaged(joined(parts), hurts);
        const read = await exchange(server.port, version, bytes, cuts);
        replies += read.replies;
        errors += read.errors;
      }),
      { numRuns: RUNS_PER_ROUND, seed: (seed + round) | 0 },
    );
    using client = await connect(server.port);
    assert.equal(plain(await client.command("PING")), "+PONG");
  }
  console.log(
    `seed ${seed}, ${round * RUNS_PER_ROUND} connections, ${replies} replies, ${errors} errors`,
  );
  assert.ok(replies - errors > 0 && errors > 0, "all or none of the requests failed");
});

/** Sends the bytes in pieces, ends its half, and reads every reply; throws where one cannot be read. */
async function exchange(
  port: number,
  version: string,
  bytes: Uint8Array,
  cuts: readonly number[],
): Promise<{ replies: number; errors: number }> {
  using client = await connect(port);
  await client.command("HELLO", version);
  const sending = (async () => {
    let from = 0;
    for (const cut of [...cuts, bytes.length]) {
      await client.send(bytes.subarray(from, from + cut));
      from = Math.min(bytes.length, from + cut);
    }
    await client.closeWrite();
  })().catch(() => {}); // The server may end a connection that breaks the protocol.
  const parser = new ReplyParser();
  parser.push(await client.readToEnd());
  await sending;
  let replies = 0, errors = 0;
  for (let reply = parser.next(); reply !== undefined; reply = parser.next()) {
    replies++;
    if (reply instanceof ErrorReply) errors++;
  }
  assert.ok(parser.idle, "half a reply at the end");
  return { replies, errors };
}

function damaged(
  bytes: Uint8Array,
  hurts: readonly { at: number; byte: number; how: number }[],
): Uint8Array {
  let now = bytes;
  for (const { at, byte, how } of hurts) {
    const place = at % (now.length + 1);
    const put = how === 0 ? [] : [byte], behind = how === 1 ? place : place + 1;
    now = joined([now.subarray(0, place), Uint8Array.from(put), now.subarray(behind)]);
  }
  return now;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of parts) {
    whole.set(each, at);
    at += each.length;
  }
  return whole;
}
