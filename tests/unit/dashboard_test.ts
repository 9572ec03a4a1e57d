// The dashboard without a browser: its files and their headers, what a subscriber is sent, and the page's pure parts.
import assert from "node:assert/strict";
import { listParameters } from "../../src/config_parameters.ts";
import { FAMILIES, HEAT_BUCKETS, History, type Sample, SAMPLE_FIELDS } from "../../src/history.ts";
import {
  DASHBOARD_SAMPLES_PER_MESSAGE,
  HISTORY_SAMPLES,
  HTTP_SOCKET_STATS_BEHIND_BYTES,
} from "../../src/limits.ts";
import { DASHBOARD_PATHS } from "../../src/server/http/dashboard/dashboard_assets.ts";
import { DashboardFeed } from "../../src/server/http/dashboard/dashboard_feed.ts";
import { DashboardSubscribers } from "../../src/server/http/dashboard/dashboard_subscribers.ts";
import * as texts from "../../src/server/http/dashboard/page/number_texts.js";
import { SampleColumns } from "../../src/server/http/dashboard/page/sample_columns.js";
import { HttpPath } from "../support/http_path.ts";

const POLICY_PARTS = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "frame-ancestors 'none'",
];

Deno.test("the dashboard's files come with types, tags and a policy that allows nothing inline", async () => {
  const http = new HttpPath();
  assert.ok(DASHBOARD_PATHS.includes("/") && DASHBOARD_PATHS.length > 10);
  for (const path of DASHBOARD_PATHS) {
    const answer = await http.request(path);
    assert.equal(answer.status, 200, path);
    const policy = answer.headers.get("content-security-policy")!;
    for (const part of POLICY_PARTS) assert.ok(policy.includes(part), `${path}: ${policy}`);
    assert.ok(!policy.includes("unsafe"), policy);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    assert.equal(answer.headers.get("x-frame-options"), "DENY");
    const type = answer.headers.get("content-type")!;
    const wanted = { html: /^text\/html/, js: /^text\/javascript/, css: /^text\/css/, svg: /svg/ };
    const ending = path === "/" ? "html" : path.split(".")[1] as keyof typeof wanted;
    assert.match(type, wanted[ending], path);
    assert.ok((await answer.text()).length > 100, path);
    const tag = answer.headers.get("etag")!;
    const again = await http.request(path, { headers: { "if-none-match": tag } });
    assert.deepEqual([again.status, await again.text()], [304, ""], path);
    const other = await http.request(path, { headers: { "if-none-match": '"x"' } });
    assert.equal(other.status, 200, path);
    await other.body?.cancel();
    const head = await http.request(path, { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""], path);
  }
  const post = await http.request("/dashboard/dashboard.js", { method: "POST" });
  assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD, OPTIONS"]);
  assert.equal((await http.request("/dashboard/nosuch.js")).status, 404);
});

Deno.test("the dashboard's files name no address but their own, and each that they name is there", async () => {
  const http = new HttpPath();
  const text = async (path: string) => await (await http.request(path)).text();
  const page = await text("/");
  assert.ok(!/<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=/.test(page), "something is inline");
  const named = [...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map((match) => match[1]);
  assert.ok(named.length >= 5, named.join(" "));
  for (const path of DASHBOARD_PATHS) {
    const source = await text(path);
    const imports = [...source.matchAll(/^import .* from "\.\/([^"]+)"|^} from "\.\/([^"]+)"/gm)];
    named.push(...imports.map(([, whole, lines]) => `/dashboard/${whole ?? lines}`));
    // The chart library's notice names its home; the picture's vocabulary has a name that looks like an address.
    const addresses = [...source.matchAll(/(?:https?:)?\/\/[a-z0-9-]+\.[a-z0-9./-]+/gi)]
      .map(([address]) => address)
      .filter((address) => !/github\.com\/leeoniya\/uPlot|www\.w3\.org\/2000\/svg/.test(address));
    assert.deepEqual(addresses, [], path);
  }
  for (const path of named) assert.ok(DASHBOARD_PATHS.includes(path), `${path} is not served`);
  for (const path of DASHBOARD_PATHS) {
    assert.ok(path === "/" || named.includes(path), `${path} is served and nobody asks for it`);
  }
});

Deno.test("the dashboard's files need no password, and nothing else opens with them", async () => {
  const http = new HttpPath({ password: "secret" });
  const status = async (path: string, init?: RequestInit) =>
    (await http.request(path, init)).status;
  for (const path of DASHBOARD_PATHS) assert.equal(await status(path), 200, path);
  for (const path of ["/stats", "/metrics", "/v1/keys", "/docs", "/dashboard", "/dashboardx"]) {
    assert.equal(await status(path), 401, path);
  }
  assert.equal(await status("/v1/keys/..%2fdashboard%2f"), 401);
  assert.equal(await status("/dashboard/../v1/keys/a"), 404, "paths are not straightened");
});

function sampleAt(atMs: number): Sample {
  const fields = Object.fromEntries(SAMPLE_FIELDS.map((field) => [field, 0.123456]));
  return {
    ...fields as unknown as Sample,
    atMs,
    families: FAMILIES.map((_, i) => i),
    heat: new Array(HEAT_BUCKETS).fill(1),
  };
}

class Listener {
  waitingBytes = 0;
  readonly messages: Record<string, { atMs: number[] } & Record<string, unknown>>[] = [];

  send(text: string): void {
    this.messages.push(JSON.parse(text).dashboard);
  }

  /** The moments of the samples in the newest message. */
  get moments(): number[] {
    return this.messages.at(-1)!.samples.atMs;
  }
}

Deno.test("DashboardSubscribers sends the past first, then what is new, and to who was behind all of it later", async () => {
  const { services: given, path } = new HttpPath();
  const { settings, config } = given;
  const services = { ...given, parameters: listParameters(settings, config, 1024 ** 3, null) };
  const history = new History(services.metrics.memory.history);
  const feed = new DashboardFeed(services, path.engine.store);
  const subscribers = new DashboardSubscribers(feed, () => "loading");
  for (let i = 1; i <= HISTORY_SAMPLES + 10; i++) history.add(sampleAt(i * 1000));
  const first = new Listener(), second = new Listener();
  subscribers.add(first, 0);
  const [{ facts }, { samples, now, parameters }] = first.messages;
  assert.equal(facts.hasKeyBrowser, true);
  assert.deepEqual(facts.families, FAMILIES);
  assert.equal(samples.atMs.length, DASHBOARD_SAMPLES_PER_MESSAGE);
  assert.deepEqual(samples.p99Us, samples.atMs.map(() => 0.12), "decimals are cut");
  assert.equal(now.notReadyReason, "loading");
  assert.ok((parameters as unknown as string[][]).some(([name]) => name === "maxmemory"));
  const past = () => first.messages.slice(1).flatMap((message) => message.samples.atMs);
  for (let turns = 0; past().length < HISTORY_SAMPLES; turns++) {
    assert.ok(turns < 100, "the rest of the past comes piece by piece");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.deepEqual(past(), Array.from({ length: HISTORY_SAMPLES }, (_, i) => (i + 11) * 1000));
  const nowMs = (HISTORY_SAMPLES + 10) * 1000;
  subscribers.add(second, nowMs - 2000);
  assert.deepEqual(second.moments, [nowMs - 1000, nowMs], "what it knows is not told again");

  history.add(sampleAt(nowMs + 1000));
  second.waitingBytes = HTTP_SOCKET_STATS_BEHIND_BYTES;
  const before = second.messages.length;
  subscribers.tick();
  assert.deepEqual(first.moments, [nowMs + 1000]);
  assert.equal(first.messages.at(-1)!.parameters, undefined, "they have not changed");
  assert.equal(second.messages.length, before, "it is behind");
  history.add(sampleAt(nowMs + 2000));
  second.waitingBytes = 0;
  subscribers.tick();
  assert.deepEqual(first.moments, [nowMs + 2000]);
  assert.deepEqual(second.moments, [nowMs + 1000, nowMs + 2000]);

  settings.writeTimeoutS = 7;
  subscribers.tick();
  assert.deepEqual(first.moments, []);
  const changed = first.messages.at(-1)!.parameters as unknown as string[][];
  assert.ok(changed.some(([name, value]) => name === "write-timeout" && value === "7"));
  subscribers.delete(second);
  const told = second.messages.length;
  subscribers.tick();
  assert.deepEqual([second.messages.length, subscribers.size], [told, 1]);
});

Deno.test("DashboardFeed says that there is no browser of keys under --dashboard-readonly", () => {
  const { services, path } = new HttpPath({ config: { isDashboardReadonly: true } });
  const facts = JSON.parse(new DashboardFeed(services, path.engine.store).facts());
  assert.equal(facts.hasKeyBrowser, false);
});

Deno.test("SampleColumns leaves a hole where samples are missing, and forgets the oldest", () => {
  const columns = new SampleColumns(6, 2);
  const message = (...atS: number[]) => ({
    atMs: atS.map((s) => s * 1000),
    keys: atS.map((s) => s * 10),
    families: [atS, atS.map((s) => -s)],
    heat: atS.map((s) => [s]),
  });
  columns.append(message(1, 2));
  columns.append(message(2, 3));
  assert.deepEqual([columns.times, columns.column("keys")], [[1, 2, 3], [10, 20, 30]]);
  columns.append(message(20, 21));
  assert.deepEqual(columns.times, [1, 2, 3, 4, 20, 21]);
  assert.deepEqual(columns.column("keys"), [10, 20, 30, null, 200, 210]);
  assert.deepEqual(columns.families[1], [-1, -2, -3, null, -20, -21]);
  columns.append(message(22));
  assert.deepEqual(columns.times, [2, 3, 4, 20, 21, 22]);
  assert.deepEqual(columns.heat, [[2], [3], null, [20], [21], [22]]);
  assert.deepEqual([columns.last("keys"), columns.last("nosuch"), columns.lastAtMs], [
    220,
    0,
    22_000,
  ]);
});

Deno.test("number_texts: numbers as people read them", () => {
  const counts = [0, 0.126, 9.99, 12.34, 999, 999.4, 999.9, 1000, 12_345, 1e6, 2.5e9, 4e15];
  assert.deepEqual(
    counts.map(texts.countText),
    ["0", "0.13", "9.99", "12.3", "999", "999", "1k", "1k", "12.3k", "1M", "2.5G", "4000T"],
  );
  assert.deepEqual(
    [0, 1023, 1024, 1536, 5 * 1024 ** 3].map(texts.bytesText),
    ["0 B", "1023 B", "1 KiB", "1.5 KiB", "5 GiB"],
  );
  assert.deepEqual(
    [0.5, 12.34, 999.4, 1500, 2.5e6].map(texts.timeText),
    ["0.5 µs", "12.3 µs", "999 µs", "1.5 ms", "2.5 s"],
  );
  assert.deepEqual([0, 0.123, 0.9991, 1].map(texts.partText), ["0 %", "12.3 %", "99.9 %", "100 %"]);
  assert.deepEqual(
    [0, 59.9, 61, 3661, 90_000].map(texts.durationText),
    ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"],
  );
});
