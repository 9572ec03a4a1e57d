// Tests of the history's ring, and of the rates that its samples are made of.

import assert from "node:assert/strict";
import { Sampler } from "../../src/commands/sampler.ts";
import {
  createHistoryMemory,
  FAMILIES,
  HEAT_BUCKETS,
  History,
  type Sample,
  SAMPLE_FIELDS,
} from "../../src/history.ts";
import { HISTORY_SAMPLES } from "../../src/limits.ts";
import { EnginePath } from "../support/engine_path.ts";

function sampleAt(atMs: number): Sample {
  const fields = Object.fromEntries(SAMPLE_FIELDS.map((field, i) => [field, atMs + i]));
  return {
    ...fields as unknown as Sample,
    atMs,
    families: FAMILIES.map((_, i) => i * 2),
    heat: Array.from({ length: HEAT_BUCKETS }, (_, i) => i * 3),
  };
}

Deno.test("History keeps the last samples across its ring's end, oldest first", () => {
  const memory = createHistoryMemory(), history = new History(memory);
  assert.deepEqual(history.since(), []);
  const written = HISTORY_SAMPLES * 2 + 17;
  for (let i = 1; i <= written; i++) history.add(sampleAt(i));
  const samples = new History(memory).since();
  assert.equal(samples.length, HISTORY_SAMPLES);
  assert.deepEqual(samples[0], sampleAt(written - HISTORY_SAMPLES + 1));
  assert.deepEqual(samples.at(-1), sampleAt(written));
  assert.deepEqual(history.since(written - 2).map(({ atMs }) => atMs), [written - 1, written]);
});

Deno.test("Sampler turns totals into rates of the time between two calls", () => {
  const path = new EnginePath(), { services, store } = path.engine;
  const sampler = new Sampler(services, store);
  const command = (...words: string[]) =>
    `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
  sampler.take(1000);
  for (let i = 0; i < 10; i++) path.replies(command("SET", `k${i}`, "v"));
  for (let i = 0; i < 30; i++) path.replies(command("GET", `k${i}`));
  path.replies(command("DEL", "k0"));
  const sample = sampler.take(3000);
  assert.equal(sample.atMs, 3000);
  assert.equal(sample.commandsPerS, 20.5);
  assert.equal(sample.hitsPerS, 5);
  assert.equal(sample.missesPerS, 10);
  assert.equal(sample.keys, 9);
  const family = (name: typeof FAMILIES[number]) => sample.families[FAMILIES.indexOf(name)];
  assert.deepEqual([family("read"), family("write"), family("delete")], [15, 5, 0.5]);
  assert.equal(sample.heat.reduce((sum, count) => sum + count, 0), 20.5);
  assert.ok(sample.p50Us > 0 && sample.p99Us >= sample.p95Us && sample.p95Us >= sample.p50Us);
  const idle = sampler.take(4000);
  assert.deepEqual([idle.commandsPerS, idle.p99Us, ...idle.heat], [
    0,
    0,
    ...idle.heat.map(() => 0),
  ]);
});
