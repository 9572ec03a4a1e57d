// Tests of the feed for MONITOR without a server: who gets lines, and that nobody is told for ever.

import assert from "node:assert/strict";
import { Bus } from "../../src/bus.ts";
import { MonitorFeed, monitorLine } from "../../src/commands/monitor_feed.ts";
import { COUNTER, createMetricsMemory, Metrics, WorkerMetrics } from "../../src/metrics.ts";
import { MONITOR_CHARACTERS_MAX } from "../../src/limits.ts";
import { RequestBatch } from "../../src/protocol/request_batch.ts";
import type { Session, Sessions } from "../../src/session.ts";

function batchOf(...words: readonly (string | Uint8Array)[]): RequestBatch {
  const batch = new RequestBatch(), encoder = new TextEncoder();
  const parts = words.map((word) => typeof word === "string" ? encoder.encode(word) : word);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 8));
  batch.reset(bytes, new DataView(bytes.buffer));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    batch.argStart[batch.argCount] = at;
    batch.argEnd[batch.argCount++] = at += part.length;
  }
  batch.commandCount = 1;
  batch.commandArg[1] = batch.argCount;
  return batch;
}

/** A feed with one watching session, and what that was sent. */
function watched(isText: boolean) {
  const memory = createMetricsMemory(1), own = new WorkerMetrics(memory, 0);
  const sent: string[] = [];
  const session = {
    id: 7,
    isMonitor: false,
    transaction: null,
    address: "1.2.3.4:5",
    databaseNumber: 2,
    push: (bytes: Uint8Array) => void sent.push(new TextDecoder().decode(bytes)),
  } as unknown as Session;
  const sessions: Sessions = new Map([[session.id, session]]);
  const feed = new MonitorFeed(sessions, new Metrics(memory), own, new Bus(() => {}));
  feed.begin(session, isText);
  feed.begin(session, isText);
  return { feed, session, sessions, own, sent };
}

Deno.test("monitorLine() quotes as redis-server does, hides passwords and cuts what is long", () => {
  const line = (name: string, ...words: (string | Uint8Array)[]) =>
    monitorLine(batchOf(...words), 0, name, "[::1]:9", 3, 1_700_000_000_012.5);
  assert.equal(
    line("set", "set", Uint8Array.of(0, 255, 92, 34, 10, 7), "x"),
    '1700000000.012500 [3 [::1]:9] "set" "\\x00\\xff\\\\\\"\\n\\a" "x"',
  );
  assert.match(line("auth", "auth", "me", "secret"), /"auth" "\(redacted\)" "\(redacted\)"$/);
  assert.match(line("set", "set", "y".repeat(20_000)), /y\.\.\. \(3616 more bytes\)"$/);
});

Deno.test("MonitorFeed tells its own monitors once the batch is done, in their protocol", async () => {
  for (const isText of [false, true]) {
    const { feed, session, own, sent } = watched(isText);
    assert.equal(own.monitors, 1);
    feed.note(batchOf("ping"), 0, "ping", session, 1000);
    feed.note(batchOf("ping", "a"), 0, "ping", session, 1000);
    assert.deepEqual(sent, []);
    await Promise.resolve();
    const expected = '1.000000 [2 1.2.3.4:5] "ping"';
    assert.deepEqual(sent, [
      isText ? `${expected}\n${expected} "a"\n` : `+${expected}\r\n+${expected} "a"\r\n`,
    ]);
    feed.end(session);
    feed.end(session);
    assert.equal(own.monitors, 0);
  }
});

Deno.test("MonitorFeed forgets a monitor whose connection is gone", async () => {
  const { feed, session, sessions, own, sent } = watched(false);
  sessions.clear();
  feed.note(batchOf("ping"), 0, "ping", session, 1000);
  await Promise.resolve();
  assert.equal(own.monitors, 0);
  assert.deepEqual(sent, []);
});

Deno.test("MonitorFeed leaves out and counts lines that have no room before their turn", async () => {
  const { feed, session, own, sent } = watched(false);
  const batch = batchOf("echo", "x".repeat(16_000));
  const count = Math.ceil(MONITOR_CHARACTERS_MAX / 16_000) + 50;
  for (let i = 0; i < count; i++) feed.note(batch, 0, "echo", session, 1000);
  const leftOut = own.counters[COUNTER.monitorLinesLeftOut];
  assert.ok(leftOut >= 40 && leftOut <= 52, `${leftOut}`);
  await Promise.resolve();
  assert.equal(sent[0].split("\r\n").length - 1, count - leftOut);
});
