// Bodies that stop coming or stop being taken, bounded and let go; and what requests wait for before they are told.
import assert from "node:assert/strict";
import { COUNTER, createMetricsMemory, WorkerMetrics } from "../../src/metrics.ts";
import type { ValueSource } from "../../src/protocol/reply_buffer.ts";
import { Downloads, sourceBytes, sourcePieces } from "../../src/server/http/downloads.ts";
import { Uploads } from "../../src/server/http/uploads.ts";
import { CountedTurns } from "../support/counted_turns.ts";
import { HttpPath } from "../support/http_path.ts";

const counters = () => new WorkerMetrics(createMetricsMemory(1), 0).counters;

function uploadsOf(bufferBytesMax: number, cells = counters(), turns = new CountedTurns()) {
  return new Uploads({
    counters: cells,
    turns,
    bufferBytesMax: () => bufferBytesMax,
    valueBytesMax: () => 0,
  });
}

/** A request whose body gives a piece and then nothing more. */
function stalledRequest(headers: Record<string, string> = {}): Request {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(10)),
  });
  return new Request("http://h/", { method: "PUT", body, headers });
}

class TestSource implements ValueSource {
  releases = 0;

  constructor(readonly lengthBytes: number) {}

  piece(offset: number, bytesMax: number): Uint8Array {
    return new Uint8Array(Math.min(bytesMax, this.lengthBytes - offset, 1000)).fill(offset & 255);
  }

  release(): void {
    this.releases++;
  }
}

Deno.test("Uploads ends a body that stops coming, short or long, and takes its bytes off the count", async () => {
  const cells = counters(), uploads = uploadsOf(2 ** 20, cells);
  for (const headers of [{}, { "content-length": "100" }, { "content-length": "100000" }]) {
    const coming = uploads.read(stalledRequest(headers as Record<string, string>), 2 ** 20);
    let failure: unknown = null;
    void coming.then((each) => failure = each);
    for (let i = 0; i < 2; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(failure, null, "before its time");
      uploads.sweep(2);
    }
    uploads.sweep(2);
    assert.equal(await coming, "body-timeout");
    assert.equal(cells[COUNTER.inputBytesNow], 0);
  }
});

Deno.test("Uploads refuses bodies above the limit, by their header or as they come", async () => {
  const turns = new CountedTurns(), uploads = uploadsOf(2 ** 30, counters(), turns);
  const sized = new Request("http://h/", {
    method: "PUT",
    body: "x",
    headers: { "content-length": "101" },
  });
  assert.equal(await uploads.read(sized, 100), "body-too-large");
  const endless = () =>
    new Request("http://h/", {
      method: "PUT",
      body: new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1000)) }),
    });
  assert.equal(await uploads.read(endless(), 100_000), "body-too-large");
  assert.equal(turns.count, 100, "one turn after each piece that was taken");
  assert.equal(await uploadsOf(0).read(endless(), 10_000_000), "unavailable");
  const whole = new Request("http://h/", { method: "PUT", body: new Uint8Array(100_000).fill(7) });
  const bytes = await uploads.read(whole, 100_000);
  assert.ok(bytes instanceof Uint8Array && bytes.length === 100_000 && bytes.every((b) => b === 7));
});

Deno.test("Downloads lets a source go once: read to its end, left, or not read for too long", async () => {
  const cells = counters(), turns = new CountedTurns(), downloads = new Downloads(cells, turns);
  const open = () => {
    const source = new TestSource(5000);
    return { source, stream: downloads.stream(sourcePieces(source), () => source.release()) };
  };
  const read = open();
  assert.equal((await new Response(read.stream).bytes()).length, 5000);
  assert.equal(read.source.releases, 1);
  assert.equal(cells[COUNTER.bytesOut], 5000);
  assert.ok(turns.count >= 5, `${turns.count} turns between pieces of 1,000 bytes`);
  const left = open();
  await left.stream.cancel();
  assert.equal(left.source.releases, 1);
  const stalled = open(), reader = stalled.stream.getReader();
  await reader.read();
  downloads.sweep(60_000);
  assert.equal(stalled.source.releases, 0);
  downloads.sweep(0);
  assert.equal(stalled.source.releases, 1);
  await assert.rejects(async () => {
    for (;;) if ((await reader.read()).done) return;
  }, /not read/);
  downloads.sweep(0);
  assert.deepEqual([read.source.releases, left.source.releases, stalled.source.releases], [
    1,
    1,
    1,
  ]);
  const bytes = new TestSource(2500);
  assert.equal(sourceBytes(bytes).length, 2500);
  assert.equal(bytes.releases, 1);
});

/** A log that says of each place in turn when it is on disk. */
class TestGate {
  begins = 0;
  waits = 0;
  tell: (isKept: boolean) => void = () => {};
  isLost = false;

  begin(): void {
    this.begins++;
  }

  judge(): number | null {
    return this.isLost ? NaN : 7;
  }

  until(): Promise<boolean> {
    this.waits++;
    return new Promise((resolve) => this.tell = resolve);
  }
}

const REQUESTS: readonly [method: string, path: string, body?: string][] = [
  ["POST", "/put", '{"key":"a","value":"1"}'],
  ["GET", "/get?key=a"],
  ["PUT", "/v1/keys/a", "1"],
  ["GET", "/v1/keys/a"],
  ["HEAD", "/v1/keys/a"],
  ["DELETE", "/v1/keys/a"],
  ["GET", "/v1/keys"],
  ["POST", "/v1/mset", '{"entries":[{"key":"a","value":"1"}]}'],
  ["POST", "/v1/mset", '{"entries":[{"key":"a","value":"1","ttl":5}]}'],
  ["POST", "/v1/mget", '{"keys":["a"]}'],
  ["POST", "/v1/delete", '{"keys":["a"]}'],
  ["POST", "/v1/command", '["SET","a","1"]'],
  ["POST", "/v1/command", '[["SET","a","1"],["GET","a"]]'],
  ["GET", "/stats"],
];

Deno.test("no route answers before the log has what it tells of, nor anything if the log failed", async () => {
  const gate = new TestGate(), http = new HttpPath({ server: { gate } });
  const json = { "content-type": "application/json" };
  for (const [method, path, body] of REQUESTS) {
    const before = gate.waits;
    let answer: Response | null = null;
    const init = { method, headers: json, ...body === undefined ? {} : { body } };
    const coming = http.request(path, init).then((each) => answer = each);
    for (let i = 0; i < 5000 && gate.waits === before; i++) {
      await new Promise((r) => setTimeout(r, 1));
    }
    assert.equal(gate.waits, before + 1, `${method} ${path} waits once`);
    await new Promise((resolve) => setTimeout(resolve, 2));
    assert.equal(answer, null, `${method} ${path} was answered too early`);
    // On a busy machine the first of two commands may have had its turn, and the second one waits for itself.
    for (let i = 0; i < 5000 && answer === null; i++) {
      gate.tell(true);
      await new Promise((r) => setTimeout(r, 1));
    }
    assert.ok((await coming).status < 300, `${method} ${path}`);
    await answer!.body?.cancel();

    const told = gate.waits, unknown = http.request(path, init);
    for (let i = 0; i < 5000 && gate.waits === told; i++) {
      await new Promise((r) => setTimeout(r, 1));
    }
    gate.tell(false);
    assert.equal((await unknown).status, 500, `${method} ${path}`);
    gate.isLost = true;
    const lost = await http.request(path, init);
    assert.match(await lost.text(), method === "HEAD" ? /^/ : /outcome-unknown/);
    assert.equal(lost.status, 500, `${method} ${path}`);
    gate.isLost = false;
  }
});

Deno.test("what a parked command's list did before it waits for its own part of the log", async () => {
  const gate = new TestGate(), http = new HttpPath({ server: { gate } });
  http.services.settings.pause(Date.now() + 60_000, true);
  let answer: Response | null = null;
  const commands = [["GET", "a"], ["SET", "a", "1"], ["GET", "a"]];
  const coming = http.post("/v1/command", commands).then((each) => answer = each);
  for (let i = 0; i < 5000 && gate.waits < 1; i++) await new Promise((r) => setTimeout(r, 1));
  gate.tell(true);
  http.services.settings.pause(0, true);
  for (let i = 0; i < 5000 && gate.waits < 2; i++) {
    await new Promise((r) => setTimeout(r, 1));
    if (gate.waits === 1) gate.tell(true);
  }
  for (let i = 0; i < 5000 && answer === null; i++) {
    gate.tell(true);
    await new Promise((r) => setTimeout(r, 1));
  }
  assert.deepEqual(await (await coming).json(), [{ result: null }, { result: "OK" }, {
    result: "1",
  }]);
  assert.ok(gate.waits >= 2 && gate.begins === gate.waits, `${gate.begins} ${gate.waits}`);
});
