// Tests of look-ups, keys and bytes by namespace: exact where there are few, bounded where there are many.

import assert from "node:assert/strict";
import { CENSUS_BOARD_BYTES, NAMESPACE_BYTES_MAX, NAMESPACES_TOLD_MAX } from "../../src/limits.ts";
import { createMetricsMemory, Metrics, WorkerMetrics } from "../../src/metrics.ts";
import { CensusBoard, createCensusMemory, NamespaceEstimate } from "../../src/namespace_census.ts";
import { namespaceBytes } from "../../src/namespace_metrics.ts";

const encoder = new TextEncoder();

function note(worker: WorkerMetrics, key: string, hits: number, misses: number): void {
  const bytes = encoder.encode(key);
  worker.namespaces.note(bytes, 0, bytes.length, hits, misses);
}

Deno.test("namespaceBytes() ends before the first colon, and is 0 without one or too far away", () => {
  const cases: [string, number][] = [
    ["model:a:b", 5],
    ["nocolon", 0],
    [":first", 0],
    ["", 0],
    [`${"x".repeat(NAMESPACE_BYTES_MAX)}:k`, NAMESPACE_BYTES_MAX],
    [`${"x".repeat(NAMESPACE_BYTES_MAX + 1)}:k`, 0],
  ];
  for (const [key, expected] of cases) {
    assert.equal(namespaceBytes(encoder.encode(key), 0, key.length), expected, key);
  }
  assert.equal(namespaceBytes(encoder.encode("ab:cd:e"), 3, 7), 2);
});

Deno.test("top() sums look-ups over the workers by name, the most frequent first", () => {
  const memory = createMetricsMemory(2), metrics = new Metrics(memory);
  const first = new WorkerMetrics(memory, 0), second = new WorkerMetrics(memory, 1);
  for (let i = 0; i < 10; i++) note(first, `bert:${i}`, 1, 0);
  for (let i = 0; i < 20; i++) note(second, `bert:${i}`, 0, 1);
  note(second, "gpt:1", 5, 0);
  note(first, "none", 1, 1);
  assert.deepEqual(metrics.namespaces.top(), [
    { name: "bert", hits: 10, misses: 20 },
    { name: "gpt", hits: 5, misses: 0 },
    { name: "", hits: 1, misses: 1 },
  ]);
  first.reset();
  second.reset();
  assert.deepEqual(metrics.namespaces.top(), []);
  note(first, "bert:1", 1, 0);
  assert.deepEqual(metrics.namespaces.top(), [{ name: "bert", hits: 1, misses: 0 }]);
});

Deno.test("top() keeps the frequent names among many thousands of rare ones", () => {
  const memory = createMetricsMemory(1), metrics = new Metrics(memory);
  const worker = new WorkerMetrics(memory, 0);
  for (let i = 0; i < 20_000; i++) {
    note(worker, `rare-${i}:k`, 0, 1);
    note(worker, `often-${i % 10}:k`, 1, 0);
  }
  const top = metrics.namespaces.top();
  assert.equal(top.length, NAMESPACES_TOLD_MAX);
  for (const { name, hits } of top.slice(0, 10)) {
    assert.match(name, /^often-/);
    // What came before a name had its slot for good is not counted.
    assert.ok(hits > 1800 && hits <= 2000, `${name}: ${hits}`);
  }
});

Deno.test("NamespaceEstimate tells exact sizes of a whole walk, and shares of a sample", () => {
  const estimate = new NamespaceEstimate();
  estimate.begin(true);
  for (let i = 0; i < 30; i++) estimate.add(i < 20 ? "a" : "b", 100);
  assert.deepEqual(estimate.top(30), [
    { name: "a", keys: 20, bytes: 2000 },
    { name: "b", keys: 10, bytes: 1000 },
  ]);
  const sampled = new NamespaceEstimate();
  for (let second = 0; second < 200; second++) {
    sampled.begin(false);
    for (let i = 0; i < 512; i++) sampled.add(i % 4 === 0 ? "few" : "many", 10);
  }
  const [many, few] = sampled.top(1_000_000);
  assert.deepEqual([many.name, few.name], ["many", "few"]);
  assert.ok(Math.abs(many.keys - 750_000) < 1000 && Math.abs(few.keys - 250_000) < 1000);
  assert.ok(Math.abs(few.bytes - 2_500_000) < 10_000);
});

Deno.test("NamespaceEstimate forgets a namespace that is gone, and stays bounded", () => {
  const estimate = new NamespaceEstimate();
  estimate.begin(false);
  for (let i = 0; i < 10_000; i++) estimate.add(`n${i}`, 1);
  for (let second = 0; second < 200; second++) {
    estimate.begin(false);
    estimate.add("now", 1);
  }
  assert.deepEqual(estimate.top(7), [{ name: "now", keys: 7, bytes: 7 }]);
});

Deno.test("CensusBoard gives back what was written, and leaves out what has no room", () => {
  const memory = createCensusMemory(), board = new CensusBoard(memory);
  assert.deepEqual(new CensusBoard(memory).read(), []);
  const sizes = [{ name: 'a"\\\n\u00e9', keys: 1, bytes: 2 }];
  board.write(sizes);
  assert.deepEqual(new CensusBoard(memory).read(), sizes);
  const long = Array.from({ length: 100 }, (_, i) => ({
    name: "\u0001".repeat(200),
    keys: i,
    bytes: 0,
  }));
  assert.ok(JSON.stringify(long).length > CENSUS_BOARD_BYTES);
  board.write(long);
  const read = board.read();
  assert.ok(read.length > 0 && read.length < 100);
  assert.deepEqual(read, long.slice(0, read.length));
});
