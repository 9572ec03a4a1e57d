// A client's socket by the runtime's core does what the public way does, over real connections, and this runtime has it.
import assert from "node:assert/strict";
import type { Socket } from "../../src/server/connection_host.ts";
import { isShort, PublicSocket, socketOf } from "../../src/server/socket.ts";

const WAYS: Readonly<Record<string, (conn: Deno.Conn) => Socket>> = {
  "the short way": socketOf,
  "the public way": (conn) => new PublicSocket(conn),
};

async function pair(way: (conn: Deno.Conn) => Socket): Promise<[Deno.TcpConn, Socket]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [client, conn] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  return [client, way(conn)];
}

Deno.test("socketOf() takes the short way in this runtime", () => {
  assert.ok(isShort, "the runtime's core is not as it was known: the public way is slower");
});

for (const [name, way] of Object.entries(WAYS)) {
  Deno.test(`a socket by ${name} gives what comes, then 0 at the end, and sends what it is given`, async () => {
    const [client, socket] = await pair(way);
    const bytes = new Uint8Array(10).fill(9);
    await client.write(Uint8Array.of(1, 2, 3, 4));
    assert.equal(await socket.read(bytes.subarray(0, 3)), 3);
    assert.equal(await socket.read(bytes.subarray(5)), 1);
    assert.deepEqual([...bytes], [1, 2, 3, 9, 9, 4, 9, 9, 9, 9]);
    // Nothing lies ready: the read waits.
    const waiting = socket.read(bytes);
    assert.equal(await socket.write(Uint8Array.of(7, 8)), 2);
    const seen = new Uint8Array(5);
    assert.equal(await client.read(seen), 2);
    assert.deepEqual([...seen.subarray(0, 2)], [7, 8]);
    await client.write(Uint8Array.of(5));
    assert.equal(await waiting, 1);
    client.close();
    assert.equal(await socket.read(bytes), 0);
    socket.close();
  });

  Deno.test(`a socket by ${name} ends a read that waits when it is closed, and a write to who has gone`, async () => {
    const [client, socket] = await pair(way);
    const waiting = socket.read(new Uint8Array(10));
    socket.close();
    await assert.rejects(waiting);
    await assert.rejects(async () => await socket.read(new Uint8Array(1)));
    await assert.rejects(async () => await socket.write(Uint8Array.of(1)));
    assert.equal(await client.read(new Uint8Array(1)), null);
    client.close();
    const [gone, left] = await pair(way);
    gone.close();
    await assert.rejects(async () => {
      for (let i = 0; i < 1000; i++) await left.write(new Uint8Array(65_536));
    });
    left.close();
  });

  Deno.test(`a socket by ${name} takes a part of what a client does not read`, async () => {
    const [client, socket] = await pair(way);
    const bytes = new Uint8Array(16 << 20);
    for (let i = 0; i < bytes.length; i++) bytes[i] = i % 251;
    const first = await socket.write(bytes);
    assert.ok(first > 0 && first < bytes.length, `${first}`);
    let sent = first, received = 0;
    const rest = (async () => {
      while (sent < bytes.length) sent += await socket.write(bytes.subarray(sent));
      socket.close();
    })();
    const into = new Uint8Array(1 << 20);
    for (;;) {
      const count = await client.read(into);
      if (count === null) break;
      for (let i = 0; i < count; i += 4099) assert.equal(into[i], (received + i) % 251);
      received += count;
    }
    await rest;
    assert.equal(received, bytes.length);
    client.close();
  });
}
