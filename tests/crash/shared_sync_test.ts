// Writes of many clients that come together share syncs under `always`, by either protocol.
import assert from "node:assert/strict";
import { DataDirectory } from "../support/data_directory.ts";
import { connect, encodeCommand, type RespClient } from "../support/resp_client.ts";
import { infoNumber } from "../support/server_numbers.ts";
import { startServer } from "../support/server.ts";

const CLIENTS = 50;
const ROUNDS = 20;
/** Writes for each sync, on average: about 25 were seen, and 2 to 7 over HTTP where requests that came together did not. */
const SHARE_MIN = 8;

/** Has all clients send one write each, and again when all of them are answered; gives the syncs of all that. */
async function syncsOf(
  client: RespClient,
  port: number,
  request: (id: number) => Uint8Array,
): Promise<number> {
  const sockets: Deno.TcpConn[] = [];
  for (let id = 0; id < CLIENTS; id++) {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    socket.setNoDelay(true);
    sockets.push(socket);
  }
  const before = await infoNumber(client, "log_syncs"), reply = new Uint8Array(1024);
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(sockets.map((socket, id) => socket.write(request(id))));
    for (const socket of sockets) assert.ok(await socket.read(reply) !== null);
  }
  for (const socket of sockets) socket.close();
  return await infoNumber(client, "log_syncs") - before;
}

Deno.test("writes that come together share their syncs", async () => {
  using data = new DataDirectory();
  await using server = await startServer({ workers: 1, flags: data.flags("always") });
  using client = await connect(server.port);
  const writes = CLIENTS * ROUNDS;
  const overTcp = await syncsOf(
    client,
    server.port,
    (id) => encodeCommand(["SET", `key${id}`, "value"]),
  );
  assert.ok(
    overTcp > 0 && overTcp * SHARE_MIN <= writes,
    `${overTcp} syncs for ${writes} writes over TCP`,
  );
  const overHttp = await syncsOf(client, server.httpPort, (id) => {
    const body = JSON.stringify({ key: `key${id}`, value: "value" });
    return new TextEncoder().encode(
      "POST /put HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  });
  assert.ok(
    overHttp > 0 && overHttp * SHARE_MIN <= writes,
    `${overHttp} syncs for ${writes} writes over HTTP`,
  );
});
