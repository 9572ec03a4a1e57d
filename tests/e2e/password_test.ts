// Who may speak to the server: passwords from each source, and the refusal of remote clients while
// there is none.

import assert from "node:assert/strict";
import { connect, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";
import { infoNumber, until } from "../support/server_numbers.ts";

const PASSWORD = "correct-horse-0815";
const NO_AUTH = "-NOAUTH Authentication required.";
const WRONG = "-WRONGPASS invalid username-password pair or user is disabled.";

async function assertAsksForPassword(port: number): Promise<void> {
  using client = await connect(port);
  const before = [["PING"], ["GET", "a"], ["SET", "a", "1"], ["INFO"], ["CLIENT", "LIST"]];
  before.push(["FLUSHALL"], ["CONFIG", "GET", "*"], ["SHUTDOWN"], ["COMMAND"]);
  for (const command of before) {
    assert.equal(plain(await client.command(...command)), NO_AUTH, command.join(" "));
  }
  assert.match(String(plain(await client.command("HELLO", "2"))), /^-NOAUTH HELLO must be called/);
  for (const wrong of ["", "wrong", PASSWORD.slice(0, -1), `${PASSWORD}x`, PASSWORD + PASSWORD]) {
    assert.equal(plain(await client.command("AUTH", wrong)), WRONG, wrong);
  }
  assert.equal(plain(await client.command("AUTH", "other", PASSWORD)), WRONG);
  assert.equal(plain(await client.command("GET", "a")), NO_AUTH);
  assert.equal(plain(await client.command("AUTH", PASSWORD)), "+OK");
  assert.equal(plain(await client.command("SET", "a", "1")), "+OK");
  // A wrong one later does not take back what the right one gave.
  assert.equal(plain(await client.command("AUTH", "wrong")), WRONG);
  assert.equal(plain(await client.command("GET", "a")), "1");
  const config = String(plain(await client.command("CONFIG", "GET", "*")));
  assert.ok(!config.includes(PASSWORD), "CONFIG GET tells the password");
  assert.equal(plain(await client.command("RESET")), "+RESET");
  assert.equal(plain(await client.command("GET", "a")), NO_AUTH);
}

Deno.test("server asks for the password of MAYFLY_REQUIREPASS", async () => {
  await using server = await startServer({ workers: 1, env: { MAYFLY_REQUIREPASS: PASSWORD } });
  await assertAsksForPassword(server.port);

  using helper = await connect(server.port);
  const hello = await helper.command("HELLO", "2", "AUTH", "default", PASSWORD, "SETNAME", "me");
  assert.ok(Array.isArray(hello), String(plain(hello)));
  assert.equal(plain(await helper.command("CLIENT", "GETNAME")), "me");
  using refused = await connect(server.port);
  const wrong = await refused.command("HELLO", "2", "AUTH", "default", "wrong");
  assert.equal(plain(wrong), WRONG);
  assert.equal(plain(await refused.command("GET", "a")), NO_AUTH);

  using text = await connect(server.port);
  await text.send(`GET a\nAUTH ${PASSWORD}\nGET a\n`);
  const lines = new TextDecoder().decode(await text.readRaw("\n1\n"));
  assert.equal(lines, "ERROR: NOAUTH Authentication required.\nOK\n1\n");
});

Deno.test("server asks for the password of --requirepass-file", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, `${PASSWORD}\n`);
    await using server = await startServer({ workers: 1, flags: ["--requirepass-file", path] });
    await assertAsksForPassword(server.port);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("server takes large requests only behind the password, in one pipeline", async () => {
  await using server = await startServer({ workers: 1, env: { MAYFLY_REQUIREPASS: PASSWORD } });
  const value = "v".repeat(100_000);
  const set = `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n${value}\r\n`;
  {
    using stranger = await connect(server.port);
    const sent = stranger.send(set).catch(() => {});
    const reply = new TextDecoder().decode(await stranger.readToEnd());
    assert.equal(reply, "-ERR Protocol error: unauthenticated bulk length\r\n");
    await sent;
  }
  {
    using stranger = await connect(server.port);
    await stranger.send("*11\r\n");
    const reply = new TextDecoder().decode(await stranger.readToEnd());
    assert.equal(reply, "-ERR Protocol error: unauthenticated multibulk length\r\n");
  }
  using friend = await connect(server.port);
  await friend.send(`AUTH ${PASSWORD}\r\n${set}STRLEN k\r\n`);
  assert.deepEqual([await friend.reply(), await friend.reply(), await friend.reply()].map(plain), [
    "+OK",
    "+OK",
    100_000,
  ]);
});

/** An IPv4 address of this machine that other machines could reach, if it has one. */
const REMOTE_ADDRESS = Deno.networkInterfaces()
  .find(({ family, address }) => family === "IPv4" && !address.startsWith("127."))?.address;
const remote = { ignore: REMOTE_ADDRESS === undefined };
if (remote.ignore) console.log("needs: an IPv4 address beside loopback");

Deno.test({
  name: "server refuses remote clients in protected mode and serves loopback",
  ...remote,
  fn: async () => {
    await using server = await startServer({ workers: 1, flags: ["--host", "0.0.0.0"] });
    using near = await connect(server.port);
    assert.equal(plain(await near.command("SET", "a", "1")), "+OK");
    for (let round = 1; round <= 20; round++) {
      using far = await connect(server.port, { hostname: REMOTE_ADDRESS! });
      const reply = new TextDecoder().decode(await far.readToEnd());
      assert.match(reply, /^-DENIED Redis is running in protected mode because [^\r\n]+\r\n$/);
      assert.equal(await infoNumber(near, "rejected_connections"), round);
    }
    assert.equal(await infoNumber(near, "connected_clients"), 1);
    assert.match(server.output().stderr, /no password is set: clients from other machines are/);
  },
});

Deno.test({
  name: "server serves remote clients with --protected-mode no, or with a password",
  ...remote,
  fn: async () => {
    const hostname = REMOTE_ADDRESS!;
    {
      const flags = ["--host", "0.0.0.0", "--protected-mode", "no"];
      await using server = await startServer({ workers: 1, flags });
      using far = await connect(server.port, { hostname });
      assert.equal(plain(await far.command("PING")), "+PONG");
      await until(
        "a warning in the log",
        () => server.output().stderr,
        (text) => text.includes("every machine that reaches the port is served"),
      );
    }
    const env = { MAYFLY_REQUIREPASS: PASSWORD };
    await using server = await startServer({ workers: 1, flags: ["--host", "0.0.0.0"], env });
    using far = await connect(server.port, { hostname });
    assert.equal(plain(await far.command("GET", "a")), NO_AUTH);
    assert.equal(plain(await far.command("AUTH", PASSWORD)), "+OK");
    assert.equal(plain(await far.command("GET", "a")), null);
  },
});

Deno.test("wrong passwords are counted and slowed over every protocol, and right ones are not", async () => {
  await using server = await startServer({ workers: 1, env: { MAYFLY_REQUIREPASS: PASSWORD } });
  const TRIES = 20, LEAST_MS = 45;
  const guess = async () => {
    using client = await connect(server.port);
    const beganMs = performance.now();
    const replies = await client.pipeline([["AUTH", "wrong"], [
      "HELLO",
      "3",
      "AUTH",
      "default",
      "x",
    ]]);
    assert.deepEqual(replies.map(plain), [WRONG, WRONG]);
    assert.ok(performance.now() - beganMs >= 2 * LEAST_MS, "the second guess waits for the first");
  };
  const ask = async (password: string) => {
    const headers = { authorization: `Bearer ${password}` };
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/stats`, { headers });
    await response.body?.cancel();
    return response.status;
  };
  const beganMs = performance.now();
  const guesses = Promise.all(Array.from({ length: TRIES }, guess));
  // Those who know it are let in meanwhile.
  using client = await connect(server.port);
  assert.equal(plain(await client.command("AUTH", PASSWORD)), "+OK");
  assert.equal(await ask(PASSWORD), 200);
  await guesses;
  assert.ok(performance.now() - beganMs >= TRIES * 2 * 20 - 100, "no more than 50 a second");
  const askedMs = performance.now();
  assert.equal(await ask("wrong"), 401);
  assert.ok(performance.now() - askedMs >= LEAST_MS);
  assert.equal(await infoNumber(client, "acl_access_denied_auth"), TRIES * 2 + 1);
  const hello = plain(
    await client.command("HELLO", "3", "AUTH", "default", PASSWORD, "SETNAME", "n"),
  );
  assert.deepEqual((hello as unknown[]).slice(4, 6), ["proto", 3]);
});
