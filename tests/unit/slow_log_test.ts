// Tests of the slow log, the moments that took long, and their graph and advice, without a server.

import assert from "node:assert/strict";
import { LatencyEvents, mergeEvents } from "../../src/commands/latency_events.ts";
import { ageText, latencyAdvice, latencyGraph } from "../../src/commands/latency_report.ts";
import { mergeSlowLogs, type SlowEntry, SlowLog } from "../../src/commands/slow_log.ts";
import { LATENCY_MOMENTS_MAX } from "../../src/limits.ts";

function entry(number: number): SlowEntry {
  return { number, atS: 1, durationUs: 2, args: [], address: "", clientName: "" };
}
const ALL = { before: Infinity, newest: Infinity, resets: false };

Deno.test("SlowLog keeps the newest entries, fewer when the bound shrinks", () => {
  let entriesMax = 3;
  const log = new SlowLog(() => entriesMax);
  for (let i = 0; i < 5; i++) log.add(entry(i));
  assert.deepEqual(log.answer(ALL).entries.map(({ number }) => number), [4, 3, 2]);
  assert.deepEqual(
    log.answer({ ...ALL, newest: 2, before: 4 }).entries.map(({ number }) => number),
    [3, 2],
  );
  entriesMax = 1;
  assert.deepEqual(log.answer(ALL), { count: 1, entries: [entry(4)] });
  assert.equal(log.answer({ before: 4, newest: 0, resets: true }).count, 0);
  assert.equal(log.answer(ALL).count, 1);
  assert.equal(log.answer({ before: 5, newest: 0, resets: true }).count, 0);
  assert.equal(log.answer(ALL).count, 0);
});

Deno.test("mergeSlowLogs() orders the workers' entries by number and keeps to the whole's bound", () => {
  const answers = [
    { count: 3, entries: [entry(7), entry(4), entry(1)] },
    { count: 3, entries: [entry(8), entry(3), entry(2)] },
  ];
  const merged = mergeSlowLogs(answers, 4, 5);
  assert.equal(merged.count, 5);
  assert.deepEqual(merged.entries.map(({ number }) => number), [8, 7, 4, 3]);
  assert.equal(mergeSlowLogs(answers, 100, 5).entries.length, 5);
  assert.deepEqual(mergeSlowLogs([], 10, 10), { count: 0, entries: [] });
});

Deno.test("LatencyEvents keeps the worst of each second, the last of them, from the threshold on", () => {
  let thresholdMs = 0;
  const events = new LatencyEvents(() => thresholdMs);
  events.note("command", 500, 1000);
  assert.deepEqual(events.answer({ resets: null }), []);
  thresholdMs = 10;
  events.note("command", 9.9, 1000);
  assert.deepEqual(events.answer({ resets: null }), []);
  for (const [ms, atMs] of [[20.7, 5000], [90, 5400], [30, 5900], [10, 6000]]) {
    events.note("command", ms, atMs);
  }
  assert.deepEqual(events.answer({ resets: null }), [{
    event: "command",
    maxMs: 90,
    moments: [{ atS: 5, ms: 90 }, { atS: 6, ms: 10 }],
  }]);
  for (let i = 0; i < 500; i++) events.note("expire-cycle", 11, i * 1000);
  const [, expiry] = events.answer({ resets: null });
  assert.equal(expiry.moments.length, LATENCY_MOMENTS_MAX);
  assert.equal(expiry.moments.at(-1)!.atS, 499);
  assert.equal(events.answer({ resets: ["COMMAND", "nosuch"] }).length, 1);
  assert.deepEqual(events.answer({ resets: [] }).map(({ event }) => event), ["expire-cycle"]);
  assert.deepEqual(events.answer({ resets: null }), []);
});

Deno.test("mergeEvents() takes of each second the worst worker's", () => {
  const merged = mergeEvents([
    [{ event: "command", maxMs: 40, moments: [{ atS: 1, ms: 40 }, { atS: 3, ms: 12 }] }],
    [{ event: "command", maxMs: 90, moments: [{ atS: 2, ms: 20 }, { atS: 3, ms: 30 }] }],
    [],
  ]);
  assert.deepEqual(merged, [{
    event: "command",
    maxMs: 90,
    moments: [{ atS: 1, ms: 40 }, { atS: 2, ms: 20 }, { atS: 3, ms: 30 }],
  }]);
});

Deno.test("latencyGraph() draws columns between the lowest and the highest, ages below", () => {
  const moments = [{ atS: 0, ms: 10 }, { atS: 40, ms: 40 }, { atS: 95, ms: 25 }];
  const lines = latencyGraph({ event: "command", maxMs: 77, moments }, 100).split("\n");
  assert.deepEqual(lines, [
    "command - high 40 ms, low 10 ms (all time high 77 ms)",
    "-".repeat(80),
    " # ",
    " |_",
    " ||",
    "_||",
    "   ",
    "115",
    "mms",
    "",
  ]);
});

Deno.test("latencyGraph() goes on in a further block after 80 columns", () => {
  const moments = Array.from({ length: 100 }, (_, i) => ({ atS: i, ms: i }));
  const lines = latencyGraph({ event: "command", maxMs: 99, moments }, 100).split("\n");
  assert.equal(lines[2].length, 80);
  const second = lines.indexOf("") + 1;
  assert.equal(lines[second].length, 20);
});

Deno.test("ageText() takes the largest unit, and latencyAdvice() says what was slow or that nothing was", () => {
  assert.deepEqual([0, 59, 60, 3599, 3600, 86_399, 86_400, 900_000].map(ageText), [
    "0s",
    "59s",
    "1m",
    "59m",
    "1h",
    "23h",
    "1d",
    "10d",
  ]);
  assert.match(latencyAdvice([], 0, 1), /latency-monitor-threshold/);
  assert.match(latencyAdvice([], 25, 1), /25 ms/);
  const moments = [{ atS: 1, ms: 30 }, { atS: 4, ms: 50 }];
  const text = latencyAdvice([{ event: "fast-command", maxMs: 50, moments }], 25, 10);
  assert.match(text, /fast-command: 2 seconds .*mean 40\.0 ms, worst 50 ms, the last 6s ago/s);
  assert.match(text, /held up/);
});
