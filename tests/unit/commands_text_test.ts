// What INFO, STATS and CLIENT LIST write, from facts made up here.
import assert from "node:assert/strict";
import { clientLine, clientType, isChosen, isClientName } from "../../src/commands/client_line.ts";
import { answerClientKill, answerClientList } from "../../src/commands/client_questions.ts";
import { humanBytes, infoText, SECTION_TITLES, wantedTitles } from "../../src/commands/info.ts";
import { latencyStats, requestStats } from "../../src/commands/stats.ts";
import { createMetricsMemory, Metrics, WorkerMetrics } from "../../src/metrics.ts";
import type { Session, Sessions } from "../../src/session.ts";

Deno.test("infoText() parts sections by an empty line and ends lines in CRLF", () => {
  assert.equal(infoText([]), "");
  assert.equal(infoText([["Server", [["a", 1], ["b", "x y"]]]]), "# Server\r\na:1\r\nb:x y\r\n");
  assert.equal(
    infoText([["Server", [["a", 1]]], ["Keyspace", []]]),
    "# Server\r\na:1\r\n\r\n# Keyspace\r\n",
  );
});

Deno.test("wantedTitles() takes sections in any case and keeps their order", () => {
  const usual = SECTION_TITLES.filter((title) =>
    !/^(?:(?:Command|Latency)stats|Namespaces)$/.test(title)
  );
  assert.ok(usual.length > 5 && usual.length === SECTION_TITLES.length - 3);
  assert.deepEqual(wantedTitles([]), usual);
  assert.deepEqual(wantedTitles(["Commandstats", "DEFAULT"]).length, usual.length + 1);
  assert.deepEqual(wantedTitles(["all"]), SECTION_TITLES);
  for (const all of ["all", "Everything"]) {
    assert.deepEqual(wantedTitles(["nosuch", all]), SECTION_TITLES);
  }
  assert.deepEqual(wantedTitles(["KEYSPACE", "server", "server"]), ["Server", "Keyspace"]);
  assert.deepEqual(wantedTitles(["nosuch"]), []);
});

Deno.test("humanBytes() writes sizes as Redis does", () => {
  const cases: [number, string][] = [
    [0, "0B"],
    [1023, "1023B"],
    [1024, "1.00K"],
    [1536, "1.50K"],
    [1024 ** 2, "1.00M"],
    [2.5 * 1024 ** 3, "2.50G"],
    [1024 ** 4, "1.00T"],
    [1024 ** 5 * 3, "3.00P"],
  ];
  for (const [bytes, text] of cases) assert.equal(humanBytes(bytes), text);
});

Deno.test("requestStats() gives the rate in percent, 0 before the first read", () => {
  assert.deepEqual(requestStats(0, 0, 5), {
    cache_hits: 0,
    cache_misses: 0,
    total_requests: 5,
    hit_rate: 0,
  });
  assert.equal(requestStats(3, 1, 4).hit_rate, 75);
  assert.equal(requestStats(1, 2, 3).hit_rate, 33.333);
});

Deno.test("latencyStats() has disjoint buckets that sum up to what was timed", () => {
  const memory = createMetricsMemory(2);
  const first = new WorkerMetrics(memory, 0), second = new WorkerMetrics(memory, 1);
  const ms = 1e6;
  for (let i = 0; i < 96; i++) first.observe(0.002 * ms, 1, 1);
  second.observe(3 * ms, 1, 1);
  second.observe(7 * ms, 1, 1);
  second.observe(30 * ms, 1, 1);
  second.observe(500 * ms, 1, 1);
  const stats = latencyStats(new Metrics(memory).latency());
  assert.deepEqual(stats.histogram, {
    "<1ms": 96,
    "<5ms": 1,
    "<10ms": 1,
    "<50ms": 1,
    "<100ms": 0,
    ">=100ms": 1,
  });
  assert.equal(stats.p50_less_than_1ms, true);
  assert.ok(Math.abs(stats.p50_latency_us - 2) < 0.1, `${stats.p50_latency_us}`);
  assert.ok(Math.abs(stats.p99_latency_us / 30_000 - 1) < 0.05, `${stats.p99_latency_us}`);
  assert.equal(stats.p99_tail_events, 1);
  assert.ok(Math.abs(stats.avg_latency_us - (96 * 2 + 540_000) / 100) < 1);
});

Deno.test("latencyStats() of nothing is zeros", () => {
  const stats = latencyStats(new Metrics(createMetricsMemory(1)).latency());
  assert.equal(stats.p99_latency_us, 0);
  assert.equal(stats.p99_tail_events, 0);
  assert.equal(Object.values(stats.histogram).reduce((a, b) => a + b), 0);
});

interface TestSession extends Session {
  killed: number;
}

function session(id: number, changed: Partial<Session> = {}): TestSession {
  return {
    id,
    address: `127.0.0.1:${5000 + id}`,
    localAddress: "127.0.0.1:6379",
    createdAtMs: 10_000,
    lastCommandAtMs: 15_500,
    lastCommand: "get",
    protocolVersion: 2,
    database: 3,
    databaseVersion: 0,
    databaseNumber: 3,
    isAuthenticated: true,
    user: "default",
    name: "me",
    libraryName: "lib",
    libraryVersion: "1.2",
    replyMode: 0,
    isNoTouch: false,
    isNoEvict: false,
    isMonitor: false,
    transaction: null,
    push: () => {},
    isClosing: false,
    killed: 0,
    kill() {
      this.killed++;
    },
    bufferedBytes: () => ({ input: 7, output: 9 }),
    ...changed,
  };
}

Deno.test("clientLine() shows what the session knows", () => {
  const line = clientLine(session(4), 20_000);
  const fields = new Map(
    line.split(" ").map((field) => {
      const at = field.indexOf("=");
      return [field.slice(0, at), field.slice(at + 1)];
    }),
  );
  const expected = {
    id: "4",
    addr: "127.0.0.1:5004",
    laddr: "127.0.0.1:6379",
    name: "me",
    age: "10",
    idle: "4",
    db: "3",
    qbuf: "7",
    omem: "9",
    cmd: "get",
    user: "default",
    resp: "2",
    "lib-name": "lib",
    "lib-ver": "1.2",
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(fields.get(name), value, name);
  assert.ok(clientLine(session(4, { lastCommand: "" }), 0).includes(" cmd=NULL "));
  assert.ok(clientLine(session(4), 0).includes(" age=0 idle=0 "), "a clock set back");
});

Deno.test("isChosen() holds only where every filter does", () => {
  const one = session(4);
  const now = 20_000;
  assert.ok(isChosen(one, {}, now));
  assert.ok(isChosen(one, { ids: [1, 4], type: "normal", user: "default", ageS: 10 }, now));
  assert.ok(!isChosen(one, { ids: [1, 4], type: "pubsub" }, now));
  assert.ok(!isChosen(one, { ids: [] }, now));
  assert.ok(!isChosen(one, { address: "127.0.0.1:1" }, now));
  assert.ok(isChosen(one, { localAddress: "127.0.0.1:6379" }, now));
  assert.ok(!isChosen(one, { localAddress: "127.0.0.1:5004" }, now));
  assert.ok(!isChosen(one, { user: "other" }, now));
  assert.ok(!isChosen(one, { ageS: 11 }, now));
  assert.ok(!isChosen(one, { skipId: 4 }, now));
});

Deno.test("clientType() takes Redis's words in any case", () => {
  assert.equal(clientType("Normal"), "normal");
  assert.equal(clientType("SLAVE"), "replica");
  assert.equal(clientType("wrong"), null);
});

Deno.test("isClientName() refuses what would break a line", () => {
  for (const good of ["", "a", "!~", "a=b"]) {
    assert.ok(isClientName(new TextEncoder().encode(good)), good);
  }
  for (const bad of [" ", "a b", "a\nb", "\x7f", "é", "\0"]) {
    assert.ok(!isClientName(new TextEncoder().encode(bad)), JSON.stringify(bad));
  }
});

Deno.test("answerClientKill() kills all it chose but the asker, and counts it", () => {
  const all = [session(1), session(2), session(3, { user: "other" })];
  const sessions: Sessions = new Map(all.map((each) => [each.id, each]));
  const question = { filter: { user: "default" }, askerId: 2, nowMs: 0 };
  assert.deepEqual(answerClientKill(sessions, question), { count: 2, isAskerChosen: true });
  assert.deepEqual(all.map((each) => each.killed), [1, 0, 0]);
  const skipping = { filter: { skipId: 2 }, askerId: 2, nowMs: 0 };
  assert.deepEqual(answerClientKill(sessions, skipping), { count: 2, isAskerChosen: false });
  assert.deepEqual(all.map((each) => each.killed), [2, 0, 1]);
  assert.deepEqual(answerClientList(sessions, skipping).map(({ id }) => id), [1, 3]);
});
