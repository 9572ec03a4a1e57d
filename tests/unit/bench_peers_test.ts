// The load benchmark's arithmetic and parsers; starts no server.
import assert from "node:assert/strict";
import { groupChart } from "../../bench/peers/chart.ts";
import type { Report } from "../../bench/peers/report.ts";
import { BARS, boundText, judge } from "../../bench/peers/bars.ts";
import {
  cpuUsFromStat,
  machineTicksFromStat,
  rssBytesFromStatus,
  stealPercent,
} from "../../bench/peers/process_cpu.ts";
import { wrongReplies } from "../../bench/peers/load_generator.ts";
import { parseRedisBenchmarkCsv } from "../../bench/peers/redis_benchmark.ts";
import { ReplyScanner } from "../../src/cli/reply_scanner.ts";
import { barTable, groupTable } from "../../bench/peers/report.ts";
import {
  keyPicker,
  keyText,
  ManyGetWriter,
  RequestWriter,
  valueText,
} from "../../bench/peers/requests.ts";
import { serveTaskArguments } from "../../tools/serve_task.ts";
import { LatencyHistogram, median, pairedRatio } from "../../bench/peers/statistics.ts";
import type { Sample } from "../../bench/peers/workload.ts";
import { selectGroups, WORKLOAD_GROUPS } from "../../bench/peers/workloads.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function sample(run: number, server: string, workload: string, figures: Sample["figures"]): Sample {
  return { run, server, workload, group: workload.split(" ")[0], driver: "generator", figures };
}

Deno.test("median() takes the middle of any order and the mean of two middles", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([10, 2, 4, 1]), 3);
  assert.ok(Number.isNaN(median([])));
});

Deno.test("median() leaves its argument as it was", () => {
  const values = [3, 1, 2];
  median(values);
  assert.deepEqual(values, [3, 1, 2]);
});

Deno.test("pairedRatio() divides within each run when the machine drifts between runs", () => {
  const ours = new Map([[1, 1], [2, 10], [3, 100]]);
  const theirs = new Map([[1, 2], [2, 20], [3, 200], [4, 1]]);
  assert.equal(pairedRatio(ours, theirs), 0.5);
  assert.ok(Number.isNaN(pairedRatio(new Map([[1, 1]]), new Map([[2, 1]]))));
  assert.ok(Number.isNaN(pairedRatio(new Map([[1, 1]]), new Map([[1, 0]]))));
});

Deno.test("LatencyHistogram percentileUs() stays within 0.2 % of the sorted samples", () => {
  const histogram = new LatencyHistogram();
  const samples: number[] = [];
  const draw = keyPicker(7, 5_000_000);
  for (let i = 0; i < 20_000; i++) {
    const latencyUs = draw() % 10 === 0 ? draw() : draw() % 3000;
    samples.push(latencyUs);
    histogram.record(latencyUs, 1);
  }
  samples.sort((a, b) => a - b);
  for (const fraction of [0.001, 0.5, 0.9, 0.99, 1]) {
    const exact = samples[Math.ceil(fraction * samples.length) - 1];
    const found = histogram.percentileUs(fraction);
    assert.ok(Math.abs(found - exact) <= exact * 0.002 + 1, `${fraction}: ${found} for ${exact}`);
  }
  assert.equal(histogram.total, 20_000);
  assert.equal(histogram.maxUs, samples.at(-1));
});

Deno.test("LatencyHistogram record() takes the longest latency and a count", () => {
  const histogram = new LatencyHistogram();
  assert.ok(Number.isNaN(histogram.percentileUs(0.5)));
  histogram.record(5, 98);
  histogram.record(2 ** 40, 2);
  assert.equal(histogram.percentileUs(0.98), 5);
  assert.ok(histogram.percentileUs(0.99) > 2 ** 31 * 0.998);
});

Deno.test("cpuUsFromStat() adds user and system ticks behind a name with blanks and parentheses", () => {
  const stat =
    "42 (a) b (c) S 1 42 42 0 -1 4194560 1 0 0 0 1500 250 7 8 20 0 9 0 100 1000 200 18446744073709551615\n";
  assert.equal(cpuUsFromStat(stat), 17_500_000);
  assert.throws(() => cpuUsFromStat("42 (x) S 1"), /CPU time/);
});

Deno.test("rssBytesFromStatus() reads kilobytes and refuses a status without them", () => {
  assert.equal(rssBytesFromStatus("Name:\tx\nVmHWM:\t 900 kB\nVmRSS:\t   512 kB\n"), 524_288);
  assert.throws(() => rssBytesFromStatus("Name:\tx\n"), /resident memory/);
});

Deno.test("stealPercent() is the share of stolen ticks between two readings, without guest time", () => {
  const before = machineTicksFromStat("cpu  100 0 100 800 0 0 0 0 500 500\ncpu0 1 2 3\n");
  const after = machineTicksFromStat("cpu  150 0 120 820 0 0 0 10 900 900\n");
  assert.deepEqual(before, { total: 1000, steal: 0 });
  assert.equal(stealPercent(before, after), 10);
  assert.equal(stealPercent(before, before), 0);
});

Deno.test("parseRedisBenchmarkCsv() reads a row whose name holds commas and quotes", () => {
  const header =
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"';
  const row = '"MGET "a,b" c","128205.13","0.205","0.064","0.199","0.335","0.543","1.087"';
  assert.deepEqual(parseRedisBenchmarkCsv(`WARNING: no config\n${header}\n${row}\n`), {
    throughputPerS: 128205.13,
    latencyUsP50: 199,
    latencyUsP99: 543,
  });
  assert.throws(() => parseRedisBenchmarkCsv(`${header}\n`), /table/);
  assert.throws(() => parseRedisBenchmarkCsv("Error from server: ERR unknown command\n"), /table/);
});

Deno.test("serveTaskArguments() keeps every flag of the task, quoted ones too", () => {
  const command = "deno run --allow-net '--allow-env=A B' src/main.ts serve";
  const expected = ["run", "--allow-net", "--allow-env=A B", "src/main.ts", "serve"];
  assert.deepEqual(serveTaskArguments(JSON.stringify({ tasks: { serve: command } })), expected);
  assert.deepEqual(serveTaskArguments(JSON.stringify({ tasks: { serve: { command } } })), expected);
});

Deno.test("serveTaskArguments() refuses what is no plain deno run", () => {
  for (const serve of ["node x.js", "deno run a.ts && deno run b.ts", "deno run $ENTRY"]) {
    assert.throws(() => serveTaskArguments(JSON.stringify({ tasks: { serve } })), /Cannot start/);
  }
  assert.throws(() => serveTaskArguments("{}"), /no task/);
});

Deno.test("serveTaskArguments() understands this project's own task", () => {
  const text = Deno.readTextFileSync(new URL("../../deno.json", import.meta.url));
  const args = serveTaskArguments(text);
  assert.equal(args[0], "run");
  assert.ok(args.includes("src/main.ts"), args.join(" "));
  assert.ok(!args.includes("-A"), "the server must not run with every permission");
});

Deno.test("RequestWriter writes whole RESP and memcached requests with the key's digits in place", () => {
  const buffer = new Uint8Array(512);
  const text = (end: number) => decoder.decode(buffer.subarray(0, end));
  const resp = new RequestWriter("resp", 16, 3);
  assert.equal(
    text(resp.writeGet(buffer, 0, 987_654)),
    "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000987654\r\n",
  );
  assert.equal(
    text(resp.writeSet(buffer, 0, 0)),
    "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n$3\r\nxxx\r\n",
  );
  assert.equal(
    text(resp.writeDelete(buffer, 0, 7)),
    "*2\r\n$3\r\nDEL\r\n$16\r\nkey:000000000007\r\n",
  );
  const expiring = new RequestWriter("resp", 16, 3, 1_700_000_000_123);
  assert.equal(
    text(expiring.writeSetOwnValue(buffer, 0, 7)),
    "*5\r\n$3\r\nSET\r\n$16\r\nkey:000000000007\r\n$3\r\n7:h\r\n$4\r\nPXAT\r\n$13\r\n1700000000123\r\n",
  );
  const memcached = new RequestWriter("memcached", 16, 5);
  assert.equal(text(memcached.writeGet(buffer, 0, 12)), "get key:000000000012\r\n");
  assert.equal(
    text(memcached.writeSetOwnValue(buffer, 0, 12)),
    `set key:000000000012 0 0 5\r\n${valueText(12, 5)}\r\n`,
  );
  assert.equal(memcached.requestBytesMax, 35);
});

Deno.test("RequestWriter agrees with keyText() for keys of other lengths", () => {
  const buffer = new Uint8Array(512);
  const end = new RequestWriter("memcached", 64, 1).writeGet(buffer, 0, 123);
  const key = keyText(123, 64);
  assert.equal(key.length, 64);
  assert.equal(decoder.decode(buffer.subarray(0, end)), `get ${key}\r\n`);
});

Deno.test("ManyGetWriter writes each key that was drawn, in order", () => {
  for (
    const [protocol, head] of [["resp", "*4\r\n$4\r\nMGET\r\n"], ["memcached", "get "]] as const
  ) {
    const writer = new ManyGetWriter(protocol, 3, 16);
    const buffer = new Uint8Array(writer.requestBytes);
    let index = 40;
    assert.equal(writer.write(buffer, 0, () => ++index), buffer.length);
    const text = decoder.decode(buffer);
    assert.ok(text.startsWith(head) && text.endsWith("\r\n"), text);
    assert.deepEqual(text.match(/key:\d{12}/g), [41, 42, 43].map((i) => keyText(i)));
  }
});

Deno.test("keyPicker() stays in range, repeats with its seed and reaches both halves", () => {
  const first = keyPicker(5, 1000), again = keyPicker(5, 1000);
  let low = 0;
  for (let i = 0; i < 10_000; i++) {
    const key = first();
    assert.equal(key, again());
    assert.ok(key >= 0 && key < 1000);
    if (key < 500) low++;
  }
  assert.ok(low > 4700 && low < 5300, `${low} of 10000 in the lower half`);
});

Deno.test("ReplyScanner counts RESP replies the same however they are cut", () => {
  const stream = encoder.encode(
    "+OK\r\n$3\r\na\r\n\r\n$-1\r\n:12\r\n-ERR no\r\n*3\r\n$1\r\nx\r\n$-1\r\n:4\r\n*0\r\n$0\r\n\r\n",
  );
  for (let step = 1; step <= stream.length; step++) {
    const scanner = new ReplyScanner("resp", 3);
    let replies = 0;
    for (let at = 0; at < stream.length; at += step) {
      replies += scanner.feed(stream.subarray(at, at + step));
    }
    const { misses, errors, values, wrongLengths, firstError } = scanner;
    assert.deepEqual(
      { replies, misses, errors, values, wrongLengths, firstError },
      { replies: 8, misses: 2, errors: 1, values: 3, wrongLengths: 2, firstError: "-ERR no" },
      `cut every ${step} bytes`,
    );
  }
});

Deno.test("ReplyScanner counts memcached replies the same however they are cut", () => {
  const stream = encoder.encode(
    "STORED\r\nVALUE k 0 5\r\nEND\r\n\r\nVALUE l 0 1\r\nx\r\nEND\r\nEND\r\nDELETED\r\n" +
      "VERSION 1.6\r\nSERVER_ERROR out of memory\r\nERROR\r\n",
  );
  for (let step = 1; step <= stream.length; step++) {
    const scanner = new ReplyScanner("memcached", 5, 3);
    let replies = 0;
    for (let at = 0; at < stream.length; at += step) {
      replies += scanner.feed(stream.subarray(at, at + step));
    }
    const { misses, errors, values, wrongLengths } = scanner;
    assert.deepEqual(
      { replies, misses, errors, values, wrongLengths },
      { replies: 7, misses: 1 + 3, errors: 2, values: 2, wrongLengths: 1 },
      `cut every ${step} bytes`,
    );
  }
});

Deno.test("ReplyScanner feed() throws on what is no reply and on an endless line", () => {
  assert.throws(() => new ReplyScanner("resp", -1).feed(encoder.encode("hello\r\n")), /hello/);
  assert.throws(() => new ReplyScanner("memcached", -1).feed(encoder.encode("+OK\r\n")), /OK/);
  assert.throws(() => new ReplyScanner("resp", -1).feed(new Uint8Array(5000).fill(43)), /longer/);
});

Deno.test("wrongReplies() accepts only a value or an allowed miss for every key", () => {
  const good = {
    operations: 8,
    operationsTotal: 10,
    seconds: 1,
    misses: 0,
    values: 30,
    errors: 0,
    firstError: "",
    wrongLengths: 0,
    stalled: 0,
    late: 0,
    latencyUsP50: 1,
    latencyUsP99: 1,
    latencyUsMax: 1,
    latencyUsP99Warm: 0,
  };
  assert.equal(wrongReplies(good, 3, 0), null);
  assert.equal(wrongReplies({ ...good, values: 29, misses: 1 }, 3, 1), null);
  assert.match(wrongReplies({ ...good, values: 29, misses: 1 }, 3, 0) ?? "", /29 values.*1 misses/);
  assert.match(wrongReplies({ ...good, values: 0 }, 3, 0) ?? "", /30 keys.* 0 values/);
  assert.match(wrongReplies({ ...good, wrongLengths: 2 }, 3, 0) ?? "", /2 of wrong length/);
  assert.match(wrongReplies({ ...good, errors: 1, firstError: "-ERR no" }, 3, 0) ?? "", /-ERR no/);
});

Deno.test("judge() meets, misses and lacks a bar by the paired figures", () => {
  const samples = [1, 2, 3].flatMap((run) => [
    sample(run, "mayfly", "pipeline get", { cpuUsPerOp: 0.7 * run }),
    sample(run, "redis", "pipeline get", { cpuUsPerOp: run }),
    sample(run, "mayfly", "pipeline set", { cpuUsPerOp: 0.66 * run }),
    sample(run, "redis", "pipeline set", { cpuUsPerOp: run }),
  ]);
  const verdicts = (server: string) =>
    judge(samples, server, ["pipeline"]).map(({ verdict }) => verdict);
  assert.deepEqual(verdicts("mayfly"), ["met", "missed"]);
  assert.deepEqual(verdicts("mayfly-2"), ["missing", "missing"]);
});

Deno.test("judge() takes either of two conditions, and the worst count of errors", () => {
  const figures = {
    p99RatioToAlone: 3,
    p99UsAboveAlone: 150,
    bytesPerConnection: 12_289,
    errors: 0,
  };
  const samples = [
    sample(1, "mayfly", "connections beside idle", figures),
    sample(2, "mayfly", "connections beside idle", figures),
    sample(3, "mayfly", "connections beside idle", figures),
    sample(1, "mayfly", "connections once a second", { errors: 0 }),
    sample(2, "mayfly", "connections once a second", { errors: 1 }),
    sample(3, "mayfly", "connections once a second", { errors: 0 }),
  ];
  const judged = judge(samples, "mayfly", ["connections"]).map(({ bar, verdict }) => [
    bar.text.split(",")[0],
    verdict,
  ]);
  assert.deepEqual(judged, [
    ["bytes per idle connection", "missed"],
    ["GET p99 beside idle ones to that without", "met"],
    ["errors at one command a second each", "missed"],
  ]);
});

Deno.test("BARS name only groups that exist", () => {
  const names = new Set(WORKLOAD_GROUPS.map((group) => group.name));
  for (const bar of BARS) assert.ok(names.has(bar.group), bar.group);
});

Deno.test("barTable() shows bound, figure and verdict of a missed bar", () => {
  const samples = [
    sample(1, "mayfly", "mget", { cpuUsPerOp: 9 }),
    sample(1, "redis", "mget", { cpuUsPerOp: 10 }),
  ];
  const judgements = judge(samples, "mayfly", ["mget"]);
  assert.equal(boundText(judgements[0].bar), "≤ 0.6");
  const row = barTable(judgements).split("\n")[2];
  assert.match(row, /^\| mget +\| mayfly +\| .*≤ 0\.6 +\| 0\.90 +\| missed +\|$/);
});

Deno.test("groupTable() shows medians, ratios and only the columns that somebody filled", () => {
  const samples = [1, 2, 3].flatMap((run) => [
    sample(run, "mayfly", "pipeline get", { throughputPerS: 200 * run, cpuUsPerOp: 1 }),
    sample(run, "redis", "pipeline get", { throughputPerS: 100 * run, cpuUsPerOp: 2 }),
  ]);
  const [header, , mayfly, redis] = groupTable(samples, "pipeline").split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()).slice(1, -1));
  assert.deepEqual(header.slice(4), ["ops/s", "CPU µs/op", "CPU to Redis", "ops/s to Redis"]);
  assert.deepEqual(mayfly.slice(3), ["3", "400", "1.00", "0.50", "2.00"]);
  assert.deepEqual(redis.slice(3), ["3", "200", "2.00", "1.00", "1.00"]);
});

Deno.test("selectGroups() takes names in any order and refuses unknown ones", () => {
  assert.equal(selectGroups(undefined), WORKLOAD_GROUPS);
  assert.deepEqual(selectGroups("nopipe, pipeline").map(({ name }) => name), [
    "pipeline",
    "nopipe",
  ]);
  assert.throws(() => selectGroups("pipeline,fast"), /fast.*known are/);
  assert.throws(() => selectGroups(","), /known are/);
});

Deno.test("groupChart() draws each workload of each server to scale, in both schemes, and always the same", () => {
  const sample = (workload: string, server: string, cpuUsPerOp: number) => ({
    run: 1,
    group: "pipeline",
    workload,
    server,
    driver: "generator",
    figures: { cpuUsPerOp },
  });
  const report = {
    versions: { mayfly: "1", redis: "<7>" },
    samples: [
      sample("pipeline get", "mayfly", 1),
      sample("pipeline get", "redis", 2),
      sample("pipeline set", "mayfly", 0.5),
    ],
  } as unknown as Report;
  const light = groupChart(report, "pipeline", "light")!;
  assert.equal(light, groupChart(report, "pipeline", "light"));
  assert.notEqual(light, groupChart(report, "pipeline", "dark"));
  const widths = [...light.matchAll(/<rect x="190" y="(\d+)" width="(\d+)"/g)]
    .filter(([, y]) => Number(y) >= 64).map(([, , width]) => Number(width));
  assert.deepEqual(widths, [240, 480, 120]);
  for (const text of ["GET", "SET", "2.00 µs", "redis &lt;7&gt;"]) {
    assert.ok(light.includes(text), text);
  }
  assert.equal(groupChart(report, "memory", "light"), null);
});
