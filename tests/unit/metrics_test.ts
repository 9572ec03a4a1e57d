// Tests of the counters and the latency histogram in shared memory.

import assert from "node:assert/strict";
import { bucketMiddleNs, bucketOf } from "../../src/histogram.ts";
import { COUNTER, createMetricsMemory, Metrics, WorkerMetrics } from "../../src/metrics.ts";

Deno.test("bucketOf() and bucketMiddleNs() agree within 2 % from 32 ns to a minute", () => {
  for (let ns = 32; ns < 60e9; ns = Math.ceil(ns * 1.003)) {
    const middle = bucketMiddleNs(bucketOf(ns));
    assert.ok(Math.abs(middle - ns) <= ns * 0.02, `${ns} ns is told as ${middle}`);
  }
});

Deno.test("bucketOf() never decreases, and keeps what lies outside in the first and last bucket", () => {
  let before = 0;
  for (let ns = 0; ns < 2 ** 37; ns = Math.ceil(ns * 1.01 + 1)) {
    const bucket = bucketOf(ns);
    assert.ok(bucket >= before, `${ns} ns falls into ${bucket} after ${before}`);
    before = bucket;
  }
  assert.equal(bucketOf(-5), 0);
  assert.equal(bucketOf(0), 0);
  assert.equal(bucketOf(2 ** 36), bucketOf(2 ** 60));
  for (const edge of [31, 32, 33, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32]) {
    const middle = bucketMiddleNs(bucketOf(edge));
    assert.ok(Math.abs(middle - edge) <= edge * 0.02 + 1, `${edge} ns is told as ${middle}`);
  }
});

Deno.test("latency() sums the workers' histograms and tells percentiles", () => {
  const memory = createMetricsMemory(2);
  const first = new WorkerMetrics(memory, 0), second = new WorkerMetrics(memory, 1);
  for (let i = 0; i < 90; i++) first.observe(10_000, 1, 1);
  second.observe(9 * 1_000_000, 9, 1);
  second.observe(60e6, 1, 1);
  const latency = new Metrics(memory).latency();
  assert.equal(latency.timed, 100);
  assert.ok(Math.abs(latency.percentileUs(0.5) - 10) < 0.3);
  assert.ok(Math.abs(latency.percentileUs(0.95) - 1000) < 20);
  assert.ok(Math.abs(latency.percentileUs(1) - 60_000) < 1200);
  assert.equal(latency.countBetween(0, 0.5), 90);
  assert.equal(latency.countBetween(50, 100), 1);
  assert.ok(Math.abs(latency.averageUs - (90 * 10 + 9 * 1000 + 60_000) / 100) < 1e-9);
});

Deno.test("observe() counts a sample for its weight and leaves the average as it is", () => {
  const memory = createMetricsMemory(1), metrics = new WorkerMetrics(memory, 0);
  metrics.observe(16_000, 16, 8);
  const latency = new Metrics(memory).latency();
  assert.equal(latency.timed, 128);
  assert.equal(latency.averageUs, 1);
});

Deno.test("counters of one worker are not another's, and are summed", () => {
  const memory = createMetricsMemory(3), metrics = new Metrics(memory);
  new WorkerMetrics(memory, 0).counters[COUNTER.hits] += 5;
  new WorkerMetrics(memory, 2).counters[COUNTER.hits] += 7;
  assert.equal(metrics.counter("hits"), 12);
  assert.equal(metrics.counterOf("hits", 1), 0);
  assert.equal(metrics.counterOf("hits", 2), 7);
  assert.equal(metrics.counter("misses"), 0);
});
