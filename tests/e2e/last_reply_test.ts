// The last replies reach a client that the server says goodbye to, whatever it has sent behind its last request.
import assert from "node:assert/strict";
import { connect, encodeCommand, plain } from "../support/resp_client.ts";
import { startServer } from "../support/server.ts";

/** More than a client's kernel takes before it is read; and more of requests than the server reads at once. */
const VALUE_BYTES = 3_000_000;
const BEHIND = new TextEncoder().encode("PING\r\n".repeat(50_000));

const encoder = new TextEncoder();

for (
  const { what, request, reply } of [
    { what: "QUIT", request: encodeCommand(["QUIT"]), reply: "+OK\r\n" },
    {
      what: "a broken request",
      request: encoder.encode("*1\r\n$x\r\n"),
      reply: "-ERR Protocol error: invalid bulk length\r\n",
    },
  ]
) {
  Deno.test(`a client that sends on behind ${what} can read all replies to what it sent before`, async () => {
    await using server = await startServer({ workers: 1 });
    using client = await connect(server.port);
    assert.equal(plain(await client.command("SET", "large", "x".repeat(VALUE_BYTES))), "+OK");
    await client.send(encodeCommand(["GET", "large"]));
    await client.send(request);
    // The server reads nothing of it, and may have ended the connection before it comes.
    const sent = client.send(BEHIND).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 200));
    const bytes = await client.readToEnd();
    await sent;
    const expected = `$${VALUE_BYTES}\r\n`.length + VALUE_BYTES + "\r\n".length + reply.length;
    assert.equal(bytes.length, expected);
    assert.equal(new TextDecoder().decode(bytes.subarray(-reply.length)), reply);
  });
}

Deno.test("a client that is refused may finish sending before it learns why", async () => {
  await using server = await startServer({ workers: 1, flags: ["--max-clients", "1"] });
  using _first = await connect(server.port);
  const second = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  try {
    const reply = encoder.encode("-ERR max number of clients reached\r\n");
    const read = new Uint8Array(reply.length + 1);
    assert.equal(await second.read(read), reply.length);
    assert.deepEqual(read.subarray(0, reply.length), reply);
    assert.equal(await second.read(read), null);
    // A reset, the answer to bytes for a closed socket, would make the next write fail.
    for (let i = 0; i < 3; i++) {
      assert.equal(await second.write(encoder.encode("PING\r\n")), 6);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    second.close();
  }
});
