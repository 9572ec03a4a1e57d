// Hashes under several workers: what commands of many connections do at once to the same hashes is neither lost nor torn,
// a full server lets whole hashes go, and a scan misses nothing while others write.
import assert from "node:assert/strict";
import { connect, ErrorReply, plain, type RespClient } from "../support/resp_client.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { readInfo } from "../support/server_numbers.ts";

const WORKERS = 2, CLIENTS = 12, PIPELINE = 24;
const SMALL = "small", LARGE = "large", COUNTERS = 8;

async function withServer(
  flags: readonly string[],
  use: (server: RunningServer, clients: RespClient[]) => Promise<void>,
): Promise<void> {
  const server = await startServer({ workers: WORKERS, flags });
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => connect(server.port, { timeoutMs: 60_000 })),
  );
  try {
    await use(server, clients);
  } finally {
    for (const client of clients) client.close();
    assert.equal(await server.stop(), 0, server.output().stderr);
  }
}

/** The same numbers in every run, another row for each client. */
function randomOf(seed: number): (below: number) => number {
  let state = seed * 7919 + 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** Counts replies, throws for errors; looks that both values of a pair are the same. */
function checkReplies(commands: readonly (readonly string[])[], replies: readonly unknown[]): void {
  replies.forEach((reply, i) => {
    assert.ok(!(reply instanceof ErrorReply), `${commands[i]!.join(" ")}: ${reply}`);
    if (commands[i]![0] !== "HMGET") return;
    const [left, right] = plain(reply as never) as (string | null)[];
    assert.equal(left, right, commands[i]!.join(" "));
  });
}

Deno.test("workers lose no HINCRBY, and HMGET sees both fields of one HSET", async () => {
  await withServer(["--maxmemory", "256mb"], async (_server, clients) => {
    const sums = new Map<string, number>();
    const first = clients[0]!;
    for (let from = 0; from < 3_000; from += 500) {
      const fields = Array.from({ length: 500 }, (_, i) => [`filler:${from + i}`, "x".repeat(20)]);
      await first.command("HSET", LARGE, ...fields.flat());
    }
    await Promise.all(clients.map(async (client, number) => {
      const random = randomOf(number);
      for (let round = 0; round < 60; round++) {
        const commands: string[][] = [];
        for (let i = 0; i < PIPELINE; i++) {
          const key = random(2) === 0 ? SMALL : LARGE, what = random(10);
          const pair = random(3), field = `counter:${random(COUNTERS)}`, by = random(100);
          const value = `${number}-${round}-${i}`.padEnd(random(60), ".");
          if (what < 4) {
            commands.push(["HINCRBY", key, field, String(by)]);
            sums.set(`${key} ${field}`, (sums.get(`${key} ${field}`) ?? 0) + by);
          } else if (what < 6) commands.push(["HSET", key, `l${pair}`, value, `r${pair}`, value]);
          else if (what < 8) commands.push(["HMGET", key, `l${pair}`, `r${pair}`]);
          else if (what === 8) commands.push(["HDEL", key, `l${pair}`, `r${pair}`]);
          else commands.push(["HDEL", LARGE, `filler:${random(3_000)}`]);
        }
        checkReplies(commands, await client.pipeline(commands));
      }
    }));
    for (const [name, sum] of sums) {
      assert.equal(plain(await first.command("HGET", ...name.split(" "))), String(sum), name);
    }
  });
});

Deno.test("HSCAN misses no field that stays, while workers let the hash grow and shrink", async () => {
  await withServer(["--maxmemory", "256mb"], async (_server, clients) => {
    const [scanner, ...writers] = clients as [RespClient, ...RespClient[]];
    const stays = Array.from({ length: 2_000 }, (_, i) => `stays:${i}`);
    await scanner.command("HSET", LARGE, ...stays.flatMap((name) => [name, "1"]));
    let isOver = false;
    const writing = writers.map(async (client, number) => {
      const random = randomOf(number);
      for (let round = 0; !isOver; round++) {
        const adds = round % 40 < 20;
        const commands = Array.from({ length: PIPELINE }, () => {
          const field = `goes:${random(8_000)}`;
          return adds ? ["HSET", LARGE, field, "2"] : ["HDEL", LARGE, field];
        });
        checkReplies(commands, await client.pipeline(commands));
      }
    });
    try {
      for (let scans = 0; scans < 3; scans++) {
        const met = new Set<string>();
        let cursor = "0";
        do {
          const reply = plain(await scanner.command("HSCAN", LARGE, cursor, "COUNT", "20"));
          const [next, found] = reply as [string, string[]];
          for (let i = 0; i < found.length; i += 2) met.add(found[i]!);
          cursor = next;
        } while (cursor !== "0");
        for (const name of stays) assert.ok(met.has(name), `${name} was missed`);
      }
    } finally {
      isOver = true;
      await Promise.all(writing);
    }
  });
});

Deno.test("a full server lets hashes go, small and large ones, and stays within its memory", async () => {
  const flags = ["--maxmemory", "16mb", "--maxmemory-policy", "allkeys-lru"];
  await withServer(flags, async (_server, clients) => {
    await Promise.all(clients.map(async (client, number) => {
      const random = randomOf(number);
      for (let round = 0; round < 120; round++) {
        const commands = Array.from({ length: PIPELINE }, () => {
          const isLarge = random(40) === 0, count = isLarge ? 400 : 20;
          const words = ["HSET", `${isLarge ? "l" : "s"}:${random(isLarge ? 300 : 40_000)}`];
          for (let field = 0; field < count; field++) {
            words.push(`field:${random(1_000)}`, "v".repeat(random(40)));
          }
          return words;
        });
        checkReplies(commands, await client.pipeline(commands));
      }
    }));
    const info = await readInfo(clients[0]!);
    assert.ok(info.number("evicted_keys") > 100, `${info.text("evicted_keys")} evicted`);
    const used = info.number("used_memory");
    assert.ok(used <= 16 * 2 ** 20 * 1.1, `${used} bytes used`);
    assert.ok(plain(await clients[0]!.command("DBSIZE")) as number > 1_000);
  });
});
