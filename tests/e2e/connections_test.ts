// Connections by the thousand, at their limit, come and gone: each is counted, none is forgotten.

import assert from "node:assert/strict";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { needs } from "../support/needs.ts";
import { freePort, startServer } from "../support/server.ts";
import { permissionFlags, readServeTask, ROOT } from "../support/serve_task.ts";
import { infoNumber, readInfo, until, untilInfo } from "../support/server_numbers.ts";

const IDLE_COUNT = 10_000;
/** Both ends of every connection, here and in the server, and what else a process has open. */
const DESCRIPTORS_MIN = IDLE_COUNT + 500;
const CONNECTS_AT_ONCE = 250;

/** Descriptors that this process, and so a server it starts, may open; Infinity where nobody says. */
function descriptorLimit(): number {
  try {
    const limits = Deno.readTextFileSync("/proc/self/limits");
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
  } catch {
    return Infinity;
  }
}

const limit = descriptorLimit();
const crowd = { ignore: limit < DESCRIPTORS_MIN };
if (crowd.ignore) {
  console.log(`needs: ${DESCRIPTORS_MIN} open files, the limit is ${limit} (ulimit -n)`);
}

async function connectMany(port: number, count: number): Promise<RespClient[]> {
  const clients: RespClient[] = [];
  while (clients.length < count) {
    const group = Math.min(CONNECTS_AT_ONCE, count - clients.length);
    clients.push(...await Promise.all(Array.from({ length: group }, () => connect(port))));
  }
  return clients;
}

Deno.test({
  name: "server keeps 10,000 idle connections cheaply and answers each of them",
  ...crowd,
  fn: async () => {
    await using server = await startServer({
      workers: 1,
      flags: ["--max-clients", String(IDLE_COUNT + 10)],
    });
    using witness = await connect(server.port);
    const before = await infoNumber(witness, "used_memory_rss");
    const clients = await connectMany(server.port, IDLE_COUNT);
    try {
      await untilInfo(witness, "connected_clients", IDLE_COUNT + 1, 30_000);
      const each = (await infoNumber(witness, "used_memory_rss") - before) / IDLE_COUNT;
      console.log(`${Math.round(each)} bytes of RSS for each idle connection`);
      assert.ok(each < 16_384, `${each} bytes of RSS for each`);
      for (let from = 0; from < IDLE_COUNT; from += 500) {
        const group = clients.slice(from, from + 500);
        const replies = await Promise.all(group.map((client) => client.command("PING")));
        assert.ok(replies.every((reply) => plain(reply) === "+PONG"));
      }
      const info = await readInfo(witness);
      assert.equal(info.number("client_output_buffer_limit_disconnections"), 0);
      assert.equal(info.number("clients_output_buffer_bytes"), 0);
    } finally {
      for (const client of clients) client.close();
    }
    await untilInfo(witness, "connected_clients", 1, 30_000);
    assert.ok(await infoNumber(witness, "clients_query_buffer_bytes") < 100_000);
    assert.ok(await infoNumber(witness, "used_memory_rss") < before + 2 * IDLE_COUNT * 16_384);
  },
});

Deno.test("server refuses one connection too many and takes the next when one has gone", async () => {
  await using server = await startServer({ workers: 2, flags: ["--max-clients", "3"] });
  using first = await connect(server.port);
  await untilInfo(first, "connected_clients", 1); // the launcher's own has gone
  using second = await connect(server.port);
  {
    using third = await connect(server.port);
    assert.equal(plain(await second.command("PING")), "+PONG");
    assert.equal(plain(await third.command("PING")), "+PONG");
    for (let round = 1; round <= 20; round++) {
      using refused = await connect(server.port);
      const reply = new TextDecoder().decode(await refused.readToEnd());
      assert.equal(reply, "-ERR max number of clients reached\r\n");
      assert.equal(await infoNumber(first, "rejected_connections"), round);
    }
    assert.equal(await infoNumber(first, "connected_clients"), 3);
  }
  await untilInfo(first, "connected_clients", 2);
  using next = await connect(server.port);
  assert.equal(plain(await next.command("PING")), "+PONG");
  assert.equal(plain(await first.command("CONFIG", "SET", "maxclients", "4")), "+OK");
  using fourth = await connect(server.port);
  assert.equal(plain(await fourth.command("PING")), "+PONG");
});

Deno.test("server outlives clients that connect and vanish in every way", async () => {
  await using server = await startServer({ workers: 1 });
  using witness = await connect(server.port);
  for (let round = 0; round < 20; round++) {
    const clients = await connectMany(server.port, 50);
    await Promise.all(clients.map(async (client, i) => {
      if (i % 5 === 1) await client.send("GET k\r\n".repeat(1000)); // replies that nobody reads
      if (i % 5 === 2) await client.send("*3\r\n$3\r\nSET\r\n");
      if (i % 5 === 3) await client.closeWrite();
      if (i % 5 === 4) await client.command("PING");
      client.close();
    }));
  }
  await untilInfo(witness, "connected_clients", 1);
  assert.ok(await infoNumber(witness, "total_connections_received") >= 1000);
  await untilInfo(witness, "clients_output_buffer_bytes", 0);
  assert.ok(await infoNumber(witness, "clients_query_buffer_bytes") < 100_000);
});

Deno.test("server forgets a thousand clients that CLIENT KILL ends", async () => {
  await using server = await startServer({ workers: 1 });
  using witness = await connect(server.port);
  const clients = await connectMany(server.port, 1000);
  try {
    await untilInfo(witness, "connected_clients", 1001);
    assert.equal(plain(await witness.command("CLIENT", "KILL", "TYPE", "normal")), 1000);
    await Promise.all(clients.map((client) => client.ended()));
    await until(
      "only the asker is left",
      () => infoNumber(witness, "connected_clients"),
      (n) => n === 1,
    );
  } finally {
    for (const client of clients) client.close();
  }
});

Deno.test({
  name: "server outlives running out of descriptors and accepts again when some are free",
  ...needs("sh"),
  fn: async () => {
    const port = freePort();
    const deno = [Deno.execPath(), "run", ...permissionFlags(readServeTask()), "src/main.ts"];
    const command = [...deno, "serve", "--workers", "1", "--port", String(port)].join(" ");
    const child = new Deno.Command("sh", {
      args: ["-c", `ulimit -n 120; exec ${command}`],
      cwd: ROOT,
      stdout: "null",
      stderr: "null",
    }).spawn();
    const clients: RespClient[] = [];
    try {
      const ping = async () => {
        try {
          using client = await connect(port, { timeoutMs: 500 });
          return plain(await client.command("PING"));
        } catch {
          return null; // not accepted: it waits in the kernel's queue
        }
      };
      await until("the server answers", ping, (reply) => reply === "+PONG");
      clients.push(...await connectMany(port, 150));
      assert.equal(await ping(), null, "120 descriptors are used up");
      assert.equal(plain(await clients[0]!.command("PING")), "+PONG");
      for (const client of clients) client.close();
      await until("the server answers again", ping, (reply) => reply === "+PONG");
      child.kill("SIGTERM");
      assert.equal((await child.status).code, 0);
    } finally {
      for (const client of clients) client.close();
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended, as it should.
      }
    }
  },
});
