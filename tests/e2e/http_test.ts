// HTTP and WebSocket of real server processes: large and endless bodies, slow clients, passwords, ports, the end.
import assert from "node:assert/strict";
import { postCommand, SocketPeer } from "../support/http_client.ts";
import { connect, plain } from "../support/resp_client.ts";
import { runMayfly, startServer } from "../support/server.ts";

const WAIT_MS = 20_000;

/** What the server sends until it closes, or until `isEnough`. */
async function answerOf(
  socket: Deno.TcpConn,
  isEnough: (text: string) => boolean = () => false,
): Promise<string> {
  const buffer = new Uint8Array(65_536), decoder = new TextDecoder();
  let text = "";
  while (!isEnough(text)) {
    const count = await socket.read(buffer).catch(() => null);
    if (count === null) break;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS;
  while (!await isSo()) {
    assert.ok(performance.now() < deadlineMs, `${what} did not come to pass`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const send = (socket: Deno.TcpConn, text: string) => socket.write(new TextEncoder().encode(text));

Deno.test("every worker serves HTTP on one port, over the data that TCP serves", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  await client.command("SET", "a", "from TCP");
  const url = `http://127.0.0.1:${server.httpPort}`;
  // The kernel chooses a worker by the client's port: both are met before long.
  await using peers = new AsyncDisposableStack();
  let counts: number[] = [];
  for (let i = 0; i < 100 && !(counts[0] > 0 && counts[1] > 0); i++) {
    peers.use(await SocketPeer.open(server.httpPort));
    const { result } = await postCommand(server.httpPort, ["INFO", "clients"]) as {
      result: string;
    };
    counts = /worker0_clients:(\d+)\r\nworker1_clients:(\d+)/.exec(result)!.slice(1).map(Number);
    using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.httpPort });
    await send(socket, "GET /get?key=a HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    assert.match(await answerOf(socket), /\r\n\r\n\{"status":"OK","key":"a","value":"from TCP"\}$/);
    // Two connections a round might be given to the same worker for ever, where the kernel counts ports by twos.
    if (i % 3 === 0) (await Deno.connect({ hostname: "127.0.0.1", port: server.httpPort })).close();
  }
  assert.ok(counts[0] > 0 && counts[1] > 0, "all clients were given to one worker");
  await fetch(`${url}/v1/keys/b`, { method: "PUT", body: "from HTTP" }).then((each) =>
    each.body?.cancel()
  );
  assert.equal(plain(await client.command("GET", "b")), "from HTTP");
  // HEAD tells GET's length or none, never that of what it leaves out itself.
  for (const [path, expected] of [["/healthz", null], ["/", null], ["/v1/keys/b", "9"]] as const) {
    const { status, headers } = await fetch(url + path, { method: "HEAD" });
    assert.deepEqual([status, headers.get("content-length")], [200, expected], path);
  }
});

Deno.test("HTTP takes and gives 64 MiB, and a client that leaves half way holds nothing", async () => {
  await using server = await startServer({ workers: 1, flags: ["--maxmemory", "512mb"] });
  const url = `http://127.0.0.1:${server.httpPort}/v1/keys/large`;
  const value = new Uint8Array(64 * 1024 * 1024);
  for (let i = 0; i < value.length; i += 997) value[i] = i & 255;
  const put = await fetch(url, { method: "PUT", body: value });
  assert.deepEqual([put.status, await put.text()], [201, ""]);
  const got = await fetch(url);
  assert.equal(got.headers.get("content-length"), String(value.length));
  const bytes = await got.bytes();
  assert.equal(bytes.length, value.length);
  for (let i = 0; i < value.length; i += 997) assert.equal(bytes[i], value[i]);

  // A download that is left, and an upload that is.
  const left = await fetch(url);
  await left.body!.cancel();
  using upload = await Deno.connect({ hostname: "127.0.0.1", port: server.httpPort });
  await send(
    upload,
    "PUT /v1/keys/half HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n\r\nabc",
  );
  upload.close();
  const info = async (section: string, line: RegExp) => {
    const { result } = await postCommand(server.httpPort, ["INFO", section]) as { result: string };
    return line.test(result);
  };
  await until("no pin", () => info("memory", /\r\npinned_blocks:0\r\n/));
  await until("no buffer", () => info("memory", /\r\nbuffers_bytes:0\r\n/));
  assert.equal((await fetch(`${url}x`).then((each) => each.text().then(() => each))).status, 404);
  const tooLong = await fetch(url, { method: "PUT", body: new Uint8Array(value.length + 1) });
  assert.equal(tooLong.status, 413);
  await tooLong.body?.cancel();
});

Deno.test("HTTP cuts an endless body off at its limit and serves others meanwhile", async () => {
  await using server = await startServer({ workers: 1, flags: ["--max-value-bytes", "1mb"] });
  for (const path of ["/v1/keys/a", "/v1/mget", "/put"]) {
    using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.httpPort });
    await send(
      socket,
      `${path === "/v1/keys/a" ? "PUT" : "POST"} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const piece = new Uint8Array(65_536).fill(32);
    let isOver = false;
    const answer = answerOf(socket, (text) => text.includes("\r\n\r\n")).then((text) => {
      isOver = true;
      return text;
    });
    for (let i = 0; i < 10_000 && !isOver; i++) {
      try {
        await send(socket, "10000\r\n");
        for (let at = 0; at < piece.length;) at += await socket.write(piece.subarray(at));
        await send(socket, "\r\n");
      } catch {
        break; // closed by the server
      }
    }
    assert.match(await answer, path === "/put" ? /^HTTP\/1\.1 400 / : /^HTTP\/1\.1 413 /, path);
    assert.equal(
      (await postCommand(server.httpPort, ["PING"]) as { result: string }).result,
      "PONG",
    );
  }
});

Deno.test("HTTP waits for a body that comes byte by byte, and serves others meanwhile", async () => {
  await using server = await startServer({ workers: 1 });
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.httpPort });
  await send(socket, "PUT /v1/keys/slow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20\r\n\r\n");
  for (let i = 0; i < 19; i++) {
    await send(socket, "x");
    assert.deepEqual(await postCommand(server.httpPort, ["EXISTS", "slow"]), { result: 0 });
  }
  await send(socket, "x");
  assert.match(await answerOf(socket, (text) => text.includes("\r\n\r\n")), /^HTTP\/1\.1 201 /);
});

Deno.test("HTTP wants the password of TCP, and /ws takes it as AUTH", async () => {
  await using server = await startServer({ env: { MAYFLY_REQUIREPASS: "geheim" } });
  const url = `http://127.0.0.1:${server.httpPort}`;
  const status = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${url}${path}`, { headers });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await status("/get?key=a"), 401);
  assert.equal(await status("/get?key=a", { authorization: "Bearer geheim" }), 200);
  assert.equal(await status("/stats", { authorization: `Basic ${btoa("default:geheim")}` }), 200);
  assert.equal(await status("/readyz"), 200);
  await using peer = await SocketPeer.open(server.httpPort);
  peer.send({ id: "a", command: ["GET", "a"] });
  assert.deepEqual(await peer.next(), { id: "a", error: "NOAUTH Authentication required." });
  peer.send({ subscribe: "stats" });
  assert.deepEqual(await peer.next(), { error: "NOAUTH Authentication required." });
  peer.send({ command: ["AUTH", "geheim"] });
  assert.deepEqual(await peer.next(), { result: "OK" });
  peer.send({ command: ["GET", "a"] });
  assert.deepEqual(await peer.next(), { result: null });
  await using known = await SocketPeer.open(server.httpPort, { authorization: "Bearer geheim" });
  known.send({ command: ["GET", "a"] });
  assert.deepEqual(await known.next(), { result: null });
  await using unknown = await SocketPeer.open(server.httpPort);
  unknown.sendRaw(`{"command":["AUTH","${"x".repeat(20_000)}"]}`);
  assert.equal(await unknown.closed(), 1009);
});

Deno.test("/ws answers what it cannot read, streams the numbers, and closes for the right reasons", async () => {
  await using server = await startServer({ workers: 1 });
  await using peer = await SocketPeer.open(server.httpPort);
  const wrong: [string, RegExp][] = [
    ["{", /"error":"ERR the message is no JSON/],
    ["{}", /"error":"ERR /],
    ['{"id":7,"command":[]}', /"id":7,"error":"ERR /],
    ['{"id":null,"command":"GET"}', /"id":null,"error":"ERR /],
    ['{"subscribe":"nosuch"}', /"error":"ERR /],
    ["null", /"error":"ERR /],
  ];
  for (const [message, expected] of wrong) {
    peer.sendRaw(message);
    assert.match(JSON.stringify(await peer.next()), expected, message);
  }
  peer.send({ subscribe: "stats" });
  assert.deepEqual(await peer.next(), { subscribed: "stats" });
  for (let i = 0; i < 2; i++) {
    const { stats } = await peer.next() as { stats: { total_requests: number } };
    assert.equal(typeof stats.total_requests, "number");
  }
  peer.send({ unsubscribe: "stats" });
  peer.send({ id: "last", command: ["QUIT"] });
  const last: unknown[] = [];
  while (JSON.stringify(last.at(-1)) !== '{"id":"last","result":"OK"}') {
    last.push(await peer.next());
  }
  assert.ok(last.some((message) => JSON.stringify(message) === '{"unsubscribed":"stats"}'));
  assert.equal(await peer.closed(), 1000);

  const network = async () => {
    const { result } = await postCommand(server.httpPort, ["INFO", "stats"]) as { result: string };
    return ["input", "output"].map((way) =>
      Number(new RegExp(`\\r\\ntotal_net_${way}_bytes:(\\d+)`).exec(result)![1])
    );
  };
  const before = await network();
  await using heard = await SocketPeer.open(server.httpPort);
  heard.send({ command: ["ECHO", "e".repeat(100_000)] });
  await heard.next();
  for (const [way, bytes] of (await network()).entries()) {
    const more = bytes - before[way];
    assert.ok(more > 100_000 && more < 150_000, `${more} bytes`);
  }
  heard.send({ command: ["QUIT"] });
  assert.equal(await heard.closed(), 1000);

  await using binary = await SocketPeer.open(server.httpPort);
  binary.sendRaw(Uint8Array.of(1, 2));
  assert.equal(await binary.closed(), 1003);
  await using long = await SocketPeer.open(server.httpPort);
  long.sendRaw(`"${"x".repeat(16_777_216)}"`);
  assert.equal(await long.closed(), 1009);
  await assert.rejects(SocketPeer.open(server.httpPort, { origin: "http://evil.example" }));
  const info = await postCommand(server.httpPort, ["INFO", "clients"]) as { result: string };
  assert.match(info.result, /\r\nconnected_clients:0\r\n/, "whoever left is counted no more");
});

/** A short text message of a client, masked with zeros. */
function frame(text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  assert.ok(payload.length < 126);
  return Uint8Array.of(0x81, 0x80 | payload.length, 0, 0, 0, 0, ...payload);
}

Deno.test("/ws lets go of a client that does not answer its close", async () => {
  await using server = await startServer({ workers: 1 });
  using client = await connect(server.port);
  await client.command("SET", "a", "x".repeat(100_000));
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.httpPort });
  await upgrade(socket);
  const list = async () => String(plain(await client.command("CLIENT", "LIST")));
  // The kernels' buffers take some MB of the 30.
  for (let i = 0; i < 300; i++) await socket.write(frame('{"command":["GET","a"]}'));
  await until("unread replies", async () => / omem=[1-9]\d{6,} .*cmd=get /.test(await list()));
  const id = /id=(\d+) .* laddr=127\.0\.0\.1 /.exec(await list())![1];
  assert.equal(plain(await client.command("CLIENT", "KILL", "ID", id)), 1);
  await until("the client's end", async () => !(await list()).includes(`id=${id} `));
  assert.match(String(plain(await client.command("INFO", "clients"))), /connected_clients:1\r\n/);
});

/** Makes the connection one of /ws. */
async function upgrade(socket: Deno.TcpConn): Promise<void> {
  await send(
    socket,
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  );
  await answerOf(socket, (text) => text.includes("\r\n\r\n"));
}

Deno.test("/ws drops a client that asks and does not read, and serves the others", async () => {
  const flags = ["--client-output-bytes-max", "1mb"];
  await using server = await startServer({ workers: 1, flags });
  using client = await connect(server.port);
  await client.command("SET", "a", "x".repeat(100_000));
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.httpPort });
  await upgrade(socket);
  const message = frame('{"command":["GET","a"]}');
  const connected = async () => {
    const info = await postCommand(server.httpPort, ["INFO", "clients"]) as { result: string };
    return Number(/connected_clients:(\d+)/.exec(info.result)![1]);
  };
  assert.equal(await connected(), 2);
  // The kernels' buffers take some MB of the replies before any waits in the server.
  for (let i = 0; i < 1000; i++) {
    try {
      await socket.write(message);
    } catch {
      break;
    }
  }
  await until("the client's end", async () => await connected() === 1);
  const stats = String(plain(await client.command("INFO", "stats")));
  assert.match(stats, /client_output_buffer_limit_disconnections:1\r\n/);
  assert.match(
    server.output().stderr,
    /client of \/ws at 127\.0\.0\.1:\d+ dropped: replies of \d+/,
  );
});

Deno.test("/ws drops who leaves most unread where all leave too much, and nobody else", async () => {
  // All clients together may leave a quarter of it.
  await using server = await startServer({ workers: 1, flags: ["--maxmemory", "32mb"] });
  using client = await connect(server.port);
  await client.command("SET", "a", "x".repeat(100_000));
  await using quiet = await SocketPeer.open(server.httpPort);
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.httpPort });
  await upgrade(socket);
  // The kernels' buffers take some MB of the 30.
  for (let i = 0; i < 300; i++) await socket.write(frame('{"command":["GET","a"]}'));
  const stats = async () => String(plain(await client.command("INFO", "stats")));
  const list = async () => String(plain(await client.command("CLIENT", "LIST")));
  await until("a disconnection", async () => {
    return (await stats()).includes("client_output_buffer_limit_disconnections:1\r\n");
  });
  quiet.send({ command: ["PING"] });
  assert.deepEqual(await quiet.next(), { result: "PONG" });
  await until("the client's end", async () => !/cmd=get /.test(await list()));
});

Deno.test("/ws counts to --max-clients", async () => {
  await using server = await startServer({ workers: 1, flags: ["--max-clients", "1"] });
  await using peer = await SocketPeer.open(server.httpPort);
  peer.send({ command: ["PING"] });
  assert.deepEqual(await peer.next(), { result: "PONG" });
  await assert.rejects(SocketPeer.open(server.httpPort));
});

Deno.test("mayfly answers what is in flight and says goodbye to /ws when it is stopped", async () => {
  await using server = await startServer({ workers: 2 });
  await using peer = await SocketPeer.open(server.httpPort);
  peer.send({ command: ["PING"] });
  await peer.next();
  const startedAtMs = performance.now();
  assert.equal(await server.stop(), 0, server.output().stderr);
  assert.ok(performance.now() - startedAtMs < 4_000, "a client of /ws held the server up");
  assert.equal(await peer.closed(), 1001);
});

Deno.test("mayfly refuses a port for HTTP that is taken, and serves none with off", async () => {
  await using server = await startServer({ workers: 1 });
  const args = ["serve", "--port", "0", "--http-port", String(server.httpPort)];
  const { code, stderr } = await runMayfly(args);
  assert.equal(code, 1);
  assert.match(stderr, /cannot listen on 127\.0\.0\.1:\d+: address in use.*--http-port/);
  await using without = await startServer({ workers: 1, flags: ["--http-port", "off"] });
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: without.httpPort }));
  assert.doesNotMatch(without.output().stderr, /HTTP/);
});

const LARGE = new Uint8Array(1_000_000).map((_, i) => (i * 31 + (i >> 8)) & 255);

Deno.test("what HTTP and /ws have answered under --fsync always is there after kill -9", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const flags = ["--persistence", "on", "--fsync", "always", "--data-dir", folder];
    const answered: string[] = [];
    {
      await using server = await startServer({ workers: 2, flags });
      await using peer = await SocketPeer.open(server.httpPort);
      const url = `http://127.0.0.1:${server.httpPort}`;
      await Promise.all(Array.from({ length: 20 }, async (_, i) => {
        const put = await fetch(`${url}/v1/keys/put${i}`, { method: "PUT", body: "1" });
        assert.equal(put.status, 201);
        const posted = await fetch(`${url}/put`, {
          method: "POST",
          body: JSON.stringify({ key: `posted${i}`, value: "1" }),
        });
        assert.equal((await posted.json()).status, "OK");
        answered.push(`put${i}`, `posted${i}`);
      }));
      const large = await fetch(`${url}/v1/keys/large`, { method: "PUT", body: LARGE });
      assert.equal(large.status, 201);
      // What waits for the log, what waits for all workers and what waits for nothing keep their order.
      for (let i = 0; i < 200; i++) {
        peer.send({ id: `ws${i}`, command: ["SET", `ws${i}`, "1"] });
        if (i % 50 === 7) peer.send({ id: "list", command: ["CLIENT", "LIST"] });
        if (i % 50 === 9) peer.sendRaw("{");
      }
      for (let i = 0; i < 200; i++) {
        assert.deepEqual(await peer.next(), { id: `ws${i}`, result: "OK" });
        answered.push(`ws${i}`);
        if (i % 50 === 7) assert.equal((await peer.next() as { id: string }).id, "list");
        if (i % 50 === 9) assert.match(JSON.stringify(await peer.next()), /no JSON/);
      }
      await server.kill();
    }
    await using again = await startServer({ workers: 2, flags });
    const { result } = await postCommand(again.httpPort, ["EXISTS", ...answered]) as {
      result: number;
    };
    assert.equal(result, answered.length);
    const large = await fetch(`http://127.0.0.1:${again.httpPort}/v1/keys/large`);
    assert.deepEqual(await large.bytes(), LARGE);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
