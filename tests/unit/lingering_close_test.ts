// Ending a connection from the server's side, on real sockets.
import assert from "node:assert/strict";
import { LINGERING_SOCKETS_MAX } from "../../src/limits.ts";
import type { Socket } from "../../src/server/connection_host.ts";
import { LingeringClose } from "../../src/server/lingering_close.ts";
import { socketOf } from "../../src/server/socket.ts";
import { connect, createConnectionHost } from "../support/connection_host.ts";
import { CountedTurns } from "../support/counted_turns.ts";

const LONG_MS = 60_000;

/** Both ends of a connection, the server's with a promise that it was closed. */
async function connected() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const [client, conn] = await Promise.all([Deno.connect({ port }), listener.accept()]);
  listener.close();
  const socket = socketOf(conn), closed = Promise.withResolvers<void>();
  const close = socket.close.bind(socket);
  let isClosed = false;
  socket.close = () => {
    close();
    isClosed = true;
    closed.resolve();
  };
  return { client, socket, closed: closed.promise, isClosed: () => isClosed };
}

Deno.test("the client is told of the end at once, and may take its time to end", async () => {
  const { client, socket, closed, isClosed } = await connected();
  const turns = new CountedTurns();
  new LingeringClose(turns, LONG_MS).end(socket);
  assert.equal(await client.read(new Uint8Array(1)), null);
  for (let i = 0; i < 10; i++) await client.write(new Uint8Array(50_000));
  assert.equal(isClosed(), false);
  client.close();
  await closed;
  assert.ok(turns.count > 0, "others had no turn while it was read out");
});

Deno.test("a client that neither ends nor falls silent is closed all the same", async () => {
  const { client, socket, closed } = await connected();
  new LingeringClose(new CountedTurns(), 100).end(socket);
  const sending = (async () => {
    for (;;) await client.write(new Uint8Array(1000));
  })();
  await closed;
  await assert.rejects(sending);
  client.close();
});

Deno.test("a client that has gone is closed without a wait", async () => {
  const { client, socket, closed } = await connected();
  client.close();
  new LingeringClose(new CountedTurns(), LONG_MS).end(socket);
  await closed;
});

Deno.test("only so many linger; those beyond are closed at once, and one that goes makes room", async () => {
  const lingering = new LingeringClose(new CountedTurns(), LONG_MS);
  const ends: (() => void)[] = [];
  let closed = 0;
  const socket = (): Socket => ({
    read: () => new Promise<number>((resolve) => ends.push(() => resolve(0))),
    write: () => Promise.reject(new Error("nothing is written")),
    closeWrite: () => Promise.resolve(),
    close: () => closed++,
  });
  for (let i = 0; i < LINGERING_SOCKETS_MAX; i++) lingering.end(socket());
  assert.equal(closed, 0);
  lingering.end(socket());
  assert.equal(closed, 1);
  await settle();
  ends[0]();
  await settle();
  assert.equal(closed, 2);
  lingering.end(socket());
  assert.equal(closed, 2);
  await settle();
  for (const end of ends) end();
  await settle();
  assert.equal(closed, LINGERING_SOCKETS_MAX + 2);
});

for (
  const { who, request, ends } of [
    { who: "the server", request: "QUIT\r\n", ends: ["write", "closeWrite", "read", "close"] },
    { who: "the client", request: "PING\r\n", ends: ["write", "close"] },
  ]
) {
  Deno.test(`a connection that ${who} ends ${who === "the server" ? "lingers" : "is closed at once"}`, async () => {
    const events: string[] = [], input = new TextEncoder().encode(request);
    let reads = 0;
    const socket: Socket = {
      read(into) {
        if (reads++ === 0) into.set(input);
        else if (events.includes("closeWrite")) events.push("read");
        return Promise.resolve(reads === 1 ? input.length : 0);
      },
      write(bytes) {
        events.push("write");
        return Promise.resolve(bytes.length);
      },
      closeWrite() {
        events.push("closeWrite");
        return Promise.resolve();
      },
      close: () => void events.push("close"),
    };
    await connect(createConnectionHost(), socket).serve();
    await settle();
    assert.deepEqual(events, ends);
  });
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
