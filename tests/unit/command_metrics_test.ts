// Tests of what is counted per command, in shared memory.

import assert from "node:assert/strict";
import { COMMANDS_MAX } from "../../src/command_metrics.ts";
import { COMMAND_NAMES, commandNumber, FAMILY_OF } from "../../src/commands/command_numbers.ts";
import { createMetricsMemory, Metrics, WorkerMetrics } from "../../src/metrics.ts";

Deno.test("COMMAND_NAMES fits the room for commands, and numbers each name once", () => {
  assert.ok(COMMAND_NAMES.length < COMMANDS_MAX / 2, `${COMMAND_NAMES.length} commands`);
  assert.equal(new Set(COMMAND_NAMES).size, COMMAND_NAMES.length);
  assert.equal(COMMAND_NAMES[commandNumber("config|get")!], "config|get");
  assert.equal(commandNumber("nosuch"), undefined);
});

Deno.test("FAMILY_OF tells reads from writes, removals and expiries", () => {
  const family = (name: string) => FAMILY_OF[commandNumber(name)!];
  const cases = {
    get: "read",
    mget: "read",
    set: "write",
    incr: "write",
    setbit: "write",
    getbit: "read",
    del: "delete",
    unlink: "delete",
    flushall: "delete",
    expire: "expiry",
    ttl: "expiry",
    rename: "keys",
    scan: "keys",
    ping: "connection",
    info: "server",
  };
  for (const [name, expected] of Object.entries(cases)) assert.equal(family(name), expected, name);
});

Deno.test("totals() and latency() sum the workers, and are null and empty for what never came", () => {
  const memory = createMetricsMemory(2), metrics = new Metrics(memory);
  const first = new WorkerMetrics(memory, 0), second = new WorkerMetrics(memory, 1);
  first.commands.count(3, 10);
  second.commands.count(3, 5);
  second.commands.fail(3);
  second.commands.reject(3);
  first.commands.observe(3, 2000, 10, 1);
  second.commands.observe(3, 8000, 5, 1);
  const { calls, failed, rejected, meanNs } = metrics.commands.totals(3)!;
  assert.deepEqual([calls, failed, rejected], [14, 1, 1]);
  assert.equal(meanNs, 4000);
  const latency = metrics.commands.latency(3);
  assert.equal(latency.timed, 15);
  assert.ok(Math.abs(latency.percentileUs(0.5) - 2) < 0.1);
  assert.ok(Math.abs(latency.percentileUs(0.99) - 8) < 0.3);
  for (const other of [2, 4, COMMANDS_MAX - 1]) {
    assert.equal(metrics.commands.totals(other), null);
    assert.equal(metrics.commands.latency(other).timed, 0);
  }
});

Deno.test("reset() forgets every command of its worker and no other's", () => {
  const memory = createMetricsMemory(2), metrics = new Metrics(memory);
  const first = new WorkerMetrics(memory, 0), second = new WorkerMetrics(memory, 1);
  for (const worker of [first, second]) {
    worker.commands.count(1, 3);
    worker.commands.observe(1, 5000, 3, 1);
    worker.commands.count(2, 1);
    worker.commands.reject(2);
  }
  first.reset();
  assert.equal(metrics.commands.totals(1)!.calls, 3);
  assert.equal(metrics.commands.totals(2)!.rejected, 1);
  second.reset();
  assert.equal(metrics.commands.totals(1), null);
  assert.equal(metrics.commands.totals(2), null);
  assert.deepEqual(new Set(metrics.commands.latency(1).counts), new Set([0]));
});
