// Tests of the metrics text: what it says of a snapshot, that promtool accepts it, and OpenMetrics' own rules.

import assert from "node:assert/strict";
import { collect, durationHistogram } from "../../src/commands/collect.ts";
import type { LogNumbers, MetricsSnapshot } from "../../src/metrics_snapshot.ts";
import { metricsFormat, metricsText } from "../../src/metrics_text.ts";
import { createMetricsMemory, Metrics, WorkerMetrics } from "../../src/metrics.ts";
import { EnginePath } from "../support/engine_path.ts";
import { needs } from "../support/needs.ts";

const LOG: LogNumbers = {
  batches: 3,
  records: 30,
  writtenBytes: 4096,
  fsyncDurations: { edgesS: [0.001, 0.01], counts: [1, 2], count: 3, sumS: 0.5 },
  unsyncedBytes: 12,
  unsyncedAgeS: 0.25,
  snapshotDurationS: 1.5,
  snapshotAgeS: 60,
};

/** The numbers of a server that ran some commands, with names that have to be escaped. */
function snapshot(): MetricsSnapshot {
  const path = new EnginePath(), { engine } = path;
  const command = (...words: string[]) =>
    `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
  path.replies(command("SET", "model:a", "1"));
  path.replies(command("GET", "model:a") + command("GET", "model:b") + command("GET", "plain"));
  path.replies(command("GET", 'q"\\:x'));
  path.replies(command("SET", "text", "abc"));
  path.replies(command("INCR", "text"));
  path.replies(command("GET"));
  return {
    ...collect(engine.services, engine.store, engine.services.startedAtMs + 5000),
    log: LOG,
  };
}

Deno.test("collect() and metricsText() tell calls, look-ups and namespaces as they were", () => {
  const lines = metricsText(snapshot(), "prometheus").split("\n");
  const expected = [
    'mayfly_commands_total{command="get",result="ok"} 4',
    'mayfly_commands_total{command="get",result="rejected"} 1',
    'mayfly_commands_total{command="incr",result="error"} 1',
    'mayfly_commands_total{command="incr",result="ok"} 0',
    'mayfly_command_duration_seconds_count{command="set"} 2',
    'mayfly_command_duration_seconds_bucket{command="set",le="+Inf"} 2',
    "mayfly_keyspace_hits_total 1",
    "mayfly_keyspace_misses_total 3",
    "mayfly_hit_ratio 0.25",
    'mayfly_namespace_hits_total{namespace="model"} 1',
    'mayfly_namespace_misses_total{namespace="model"} 1',
    'mayfly_namespace_misses_total{namespace="q\\"\\\\"} 1',
    'mayfly_keys{db="0"} 2',
    'mayfly_error_replies_total{kind="ERR"} 2',
    "mayfly_uptime_seconds 5",
    'mayfly_log_fsync_duration_seconds_bucket{le="0.01"} 2',
    "mayfly_snapshot_age_seconds 60",
  ];
  for (const line of expected) assert.ok(lines.includes(line), `${line}\n${lines.join("\n")}`);
});

Deno.test("metricsText() leaves out the log's families where there is no log", () => {
  const text = metricsText({ ...snapshot(), log: null }, "prometheus");
  assert.ok(!text.includes("mayfly_log_") && !text.includes("mayfly_snapshot_"));
});

Deno.test("metricsText() gives every family one head, and no sample twice, in both formats", () => {
  for (const format of ["prometheus", "openmetrics"] as const) {
    const text = metricsText(snapshot(), format), lines = text.trimEnd().split("\n");
    const types = lines.filter((line) => line.startsWith("# TYPE ")).map((line) =>
      line.split(" ")[2]
    );
    assert.equal(new Set(types).size, types.length);
    const samples = lines.filter((line) => !line.startsWith("#")).map((line) =>
      line.slice(0, line.lastIndexOf(" "))
    );
    assert.equal(new Set(samples).size, samples.length);
    for (const line of lines) {
      assert.match(
        line,
        /^(?:# (?:HELP|TYPE|UNIT) \S+ .+|# EOF|[a-z_]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+\})? (?:\+Inf|-?[\d.e+-]+))$/,
      );
    }
  }
});

Deno.test("metricsText() follows OpenMetrics: suffixes, units, cumulative buckets, the end", () => {
  const text = metricsText(snapshot(), "openmetrics"), lines = text.split("\n");
  assert.ok(text.endsWith("\n# EOF\n"));
  let family = "", type = "", before = -1;
  for (const line of lines) {
    if (line.startsWith("# TYPE ")) {
      [, , family, type] = line.split(" ");
      assert.ok(!family.endsWith("_total") && !family.endsWith("_info"), line);
    } else if (line.startsWith("# UNIT ")) {
      const [, , name, unit] = line.split(" ");
      assert.ok(name === family && name.endsWith(`_${unit}`), line);
    } else if (line !== "" && !line.startsWith("#")) {
      const name = /^[a-z_]+/.exec(line)![0], value = Number(line.slice(line.lastIndexOf(" ") + 1));
      const suffix = name.slice(family.length);
      const allowed: Record<string, string[]> = {
        counter: ["_total"],
        gauge: [""],
        info: ["_info"],
        histogram: ["_bucket", "_sum", "_count"],
        summary: ["_sum", "_count"],
      };
      assert.ok(name.startsWith(family) && allowed[type].includes(suffix), line);
      if (suffix !== "_bucket") before = -1;
      else {
        assert.ok(value >= before, line);
        before = value;
      }
    }
  }
});

Deno.test({
  name: "promtool accepts the metrics text and finds nothing to say against its names",
  ...needs("promtool"),
  fn: async () => {
    const tool = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = tool.stdin.getWriter();
    await writer.write(new TextEncoder().encode(metricsText(snapshot(), "prometheus")));
    await writer.close();
    const { code, stdout, stderr } = await tool.output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.equal(said.trim(), "");
    assert.equal(code, 0);
  },
});

Deno.test("metricsFormat() takes OpenMetrics where a scraper names it", () => {
  const prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
  assert.equal(metricsFormat(prometheus), "openmetrics");
  for (const accept of ["text/plain", "*/*", "", null, undefined]) {
    assert.equal(metricsFormat(accept), "prometheus");
  }
});

Deno.test("durationHistogram() counts up to and at each edge exactly", () => {
  const memory = createMetricsMemory(1), worker = new WorkerMetrics(memory, 0);
  for (const ns of [100, 1000, 1024, 2047, 2048, 5000, 3e9, 60e9]) worker.observe(ns, 1, 1);
  const { edgesS, counts, count, sumS } = durationHistogram(new Metrics(memory).latency());
  const at = (ns: number) => counts[edgesS.indexOf(ns / 1e9)];
  assert.deepEqual([at(1024), at(2048), at(4096), at(8192), count], [2, 4, 5, 6, 8]);
  assert.ok(Math.abs(sumS - 63.00001122) < 1e-6);
});
