// What a client of WebSocket is handed, and when: against a socket that takes what a test says, and one of the runtime's.
import assert from "node:assert/strict";
import { HTTP_SOCKET_CLOSE_MS_MAX, HTTP_SOCKET_HANDED_BYTES_MAX } from "../../src/limits.ts";
import { SocketOutput } from "../../src/server/http/socket_output.ts";

const WAIT_MS = 10_000;
const HALF = "x".repeat(HTTP_SOCKET_HANDED_BYTES_MAX / 2);

/** The part of a WebSocket that is used; it takes nothing by itself. */
class HeldSocket {
  readonly handed: string[] = [];
  readonly closes: number[] = [];
  bufferedAmount = 0;
  readyState: number = WebSocket.OPEN;

  send(text: string): void {
    this.handed.push(text);
    this.bufferedAmount += text.length;
  }

  close(code: number): void {
    this.closes.push(code);
    this.readyState = WebSocket.CLOSING;
  }
}

function held(): { socket: HeldSocket; output: SocketOutput } {
  const socket = new HeldSocket();
  return { socket, output: new SocketOutput(socket as unknown as WebSocket) };
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS;
  while (!isSo()) {
    assert.ok(performance.now() < deadlineMs, what);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

Deno.test("SocketOutput hands the runtime little at a time, in order, and tells of all", async () => {
  const { socket, output } = held();
  const texts = [HALF, HALF, ...Array.from({ length: 10 }, (_, i) => `${i}${HALF}`)];
  for (const text of texts) output.send(text);
  assert.equal(socket.handed.length, 2);
  assert.equal(output.bytes, texts.reduce((sum, { length }) => sum + length, 0));
  output.close(1000, "", false);
  output.send("after the end");
  while (socket.handed.length < texts.length) {
    const before = socket.handed.length;
    assert.deepEqual(socket.closes, [], "not before all was handed over");
    socket.bufferedAmount = 0;
    await until("more is handed over", () => socket.handed.length > before);
    assert.ok(socket.bufferedAmount < HTTP_SOCKET_HANDED_BYTES_MAX + HALF.length + 2);
  }
  await until("it is closed", () => socket.closes.length > 0);
  assert.deepEqual(socket.handed, texts);
  assert.deepEqual(socket.closes, [1000]);
});

Deno.test("SocketOutput drops what waits when it is closed at once, and gives the client up in time", () => {
  const { socket, output } = held();
  for (let i = 0; i < 10; i++) output.send(HALF);
  output.close(1008, "", true);
  output.close(1001, "", true);
  assert.deepEqual(socket.closes, [1008]);
  assert.equal(output.bytes, socket.bufferedAmount);
  assert.equal(socket.handed.length, 2);
  const nowMs = performance.now();
  assert.equal(output.isLost(nowMs), false);
  assert.equal(output.isLost(nowMs + HTTP_SOCKET_CLOSE_MS_MAX), true);
});

Deno.test("SocketOutput gives up a client that takes nothing of what is left for it, and no other", () => {
  const { socket, output } = held();
  const lateMs = performance.now() + HTTP_SOCKET_CLOSE_MS_MAX;
  assert.equal(output.isLost(lateMs), false, "it was not closed");
  for (let i = 0; i < 10; i++) output.send(HALF);
  output.close(1000, "", false);
  assert.deepEqual(socket.closes, []);
  assert.equal(output.isLost(performance.now() + HTTP_SOCKET_CLOSE_MS_MAX), true);
  assert.deepEqual(socket.closes, [1000]);
  assert.equal(output.bytes, socket.bufferedAmount, "the rest is dropped");
});

Deno.test("SocketOutput finds how this runtime lets a connection go whose client does not answer a close", async () => {
  const outputs: SocketOutput[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => outputs.push(new SocketOutput(socket));
      return response;
    },
  );
  using client = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  await client.write(new TextEncoder().encode(
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  ));
  await until("the upgrade", () => outputs.length > 0);
  const [output] = outputs;
  output.close(1008, "", true);
  assert.equal(output.isLost(performance.now() + HTTP_SOCKET_CLOSE_MS_MAX), true);
  // Without it this read waits for ever, and the test for its end.
  const bytes = new Uint8Array(1024);
  let text = "";
  for (let count = 0; count !== null; count = await client.read(bytes) as number) {
    text += String.fromCharCode(...bytes.subarray(0, count));
  }
  assert.match(text, /^HTTP\/1\.1 101 /);
});
