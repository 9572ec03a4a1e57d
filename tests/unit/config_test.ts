// Command line and environment to Config, with nothing of the machine but arguments.

import assert from "node:assert/strict";
import { type Config, parseConfig } from "../../src/config.ts";
import { environmentName, FLAG_NAMES } from "../../src/config_flags.ts";
import { grantedMemoryBytes } from "../../src/host.ts";
import { isLoopback } from "../../src/loopback.ts";

const GIB = 1024 ** 3;
const FACTS = { coreCount: 4, memoryBytes: 8 * GIB };

function accepted(
  argv: string[],
  environment: Record<string, string> = {},
  facts = FACTS,
): Config {
  const parsed = parseConfig(argv, environment, facts);
  assert.ok("ok" in parsed, JSON.stringify(parsed));
  return parsed.ok;
}

function refused(argv: string[], environment: Record<string, string> = {}): string {
  const parsed = parseConfig(argv, environment, FACTS);
  assert.ok("error" in parsed, `accepted: ${JSON.stringify(argv)}`);
  assert.doesNotMatch(parsed.error, /\n/);
  return parsed.error;
}

Deno.test("parseConfig() gives the documented defaults without flags and with serve", () => {
  assert.deepEqual(accepted([]), accepted(["serve"]));
  assert.deepEqual(accepted([]), {
    hosts: ["127.0.0.1", "::1"],
    port: 6379,
    workerCount: 3,
    maxmemoryBytes: 4 * GIB,
    evictionPolicy: "allkeys-lru",
    admission: "none",
    lfuLogFactor: 1,
    lfuDecayMinutes: -1,
    maxmemoryDefaultBytes: 4 * GIB,
    defaultTtlS: 0,
    ttlRules: [],
    ttlJitterPercent: 0,
    activeExpireEffort: 1,
    compressMinBytes: 0,
    clientsMax: 10_000,
    keyBytesMax: 32_768,
    valueBytesMax: 64 * 1024 ** 2,
    idleTimeoutS: 0,
    clientOutputBytesMax: 256 * 1024 ** 2,
    writeTimeoutS: 60,
    requirepass: "",
    requirepassFile: null,
    configPath: null,
    enablesDebug: "no",
    textDialect: "mem-kv",
    unixSocket: null,
    unixSocketMode: null,
    protectedMode: true,
    listensBeyondLoopback: false,
    inlineReply: "auto",
    logLevel: "info",
    logFormat: "text",
    httpPort: 7171,
    httpOrigins: [],
    isDashboardReadonly: false,
    dataDir: "./data",
    isPersistent: true,
    fsync: "interval",
    fsyncIntervalMs: 100,
  });
});

Deno.test("parseConfig() takes one worker and 16 MiB at least from a small machine", () => {
  const config = accepted([], {}, { coreCount: 1, memoryBytes: 1024 ** 2 });
  assert.equal(config.workerCount, 1);
  assert.equal(config.maxmemoryBytes, 16 * 1024 ** 2);
  assert.equal(accepted(["--maxmemory", "0"]).maxmemoryBytes, 4 * GIB);
  assert.equal(accepted(["--maxmemory", "100mb"]).maxmemoryBytes, 100 * 1024 ** 2);
});

Deno.test("parseConfig() prefers the flag to the variable and the variable to the default", () => {
  const environment = { MAYFLY_PORT: "7000", MAYFLY_MAX_KEY_BYTES: "100", MAYFLY_WORKERS: "" };
  const config = accepted(["--port", "7001"], environment);
  assert.equal(config.port, 7001);
  assert.equal(config.keyBytesMax, 100);
  assert.equal(config.workerCount, 3);
});

Deno.test("parseConfig() joins --ttl-rule given several times, on the line and in the file", () => {
  const rules = [{ prefix: "a:", seconds: 5 }, { prefix: "", seconds: 60 }];
  assert.deepEqual(accepted(["--ttl-rule", "a:*=5", "--ttl-rule=*=60"]).ttlRules, rules);
  assert.deepEqual(accepted(["--ttl-rule", "a:*=5 *=60"]).ttlRules, rules);
  assert.deepEqual(accepted([], { MAYFLY_TTL_RULE: "a:*=5 *=60" }).ttlRules, rules);
  const file = () => ({ ok: "ttl-rule a:*=5\nport 1\nttl-rule *=60\nport 2\n" });
  const parsed = parseConfig(["--config", "x"], {}, FACTS, file);
  assert.ok("ok" in parsed);
  assert.deepEqual(parsed.ok.ttlRules, rules);
  assert.equal(parsed.ok.port, 2);
});

Deno.test("parseConfig() takes brackets off hosts, drops repeats and tells remote ones", () => {
  const config = accepted(["--host", "[::1], 127.0.0.1,127.0.0.1,0.0.0.0"]);
  assert.deepEqual(config.hosts, ["::1", "127.0.0.1", "0.0.0.0"]);
  assert.equal(config.listensBeyondLoopback, true);
});

Deno.test("parseConfig() names the flag and what is accepted for every wrong value", () => {
  const cases: [string, string, RegExp][] = [
    ["host", "", /addresses or names/],
    ["host", "127.0.0.1,,::1", /addresses or names/],
    ["host", "a b", /addresses or names/],
    ["port", "65536", /from 0 to 65535/],
    ["port", "6379x", /from 0 to 65535/],
    ["workers", "0", /from 1 to 128/],
    ["maxmemory", "15mb", /16mb/],
    ["maxmemory", "lots", /16mb/],
    ["default-ttl", "-1", /from 0 to/],
    ["ttl-jitter", "101", /from 0 to 100/],
    ["ttl-rule", "a:*", /rules such as/],
    ["ttl-rule", "a:*=1 a:*=2", /each prefix once/],
    ["ttl-rule", "a*b*=1", /rules such as/],
    ["active-expire-effort", "11", /from 1 to 10/],
    ["compress-min-bytes", "511", /from 512 to 64kb, or 0/],
    ["max-clients", "0", /from 1 to/],
    ["max-key-bytes", "32769", /from 1 to 32768/],
    ["max-value-bytes", "513mb", /512mb/],
    ["idle-timeout", "-1", /from 0 to/],
    ["client-output-bytes-max", "1kb", /1mb/],
    ["write-timeout", "0", /from 1 to/],
    ["protected-mode", "maybe", /yes or no/],
    ["inline-reply", "json", /auto, resp, text/],
    ["log-level", "loud", /debug, info, warning, error/],
    ["log-format", "xml", /text or json/],
    ["http-port", "http", /from 0 to 65535, or off/],
    ["http-port", "65536", /from 0 to 65535, or off/],
    ["http-cors", "example.org", /origins such as/],
    ["http-cors", "https://example.org/", /origins such as/],
    ["persistence", "maybe", /on or off/],
    ["fsync-interval-ms", "0", /from 1 to 10000/],
    ["fsync", "sometimes", /always, interval, never/],
  ];
  for (const [name, value, expected] of cases) {
    const fromLine = refused([`--${name}=${value}`]);
    assert.match(fromLine, expected);
    assert.ok(fromLine.startsWith(`--${name} `), fromLine);
    if (value === "") continue;
    const variable = environmentName(name as typeof FLAG_NAMES[number]);
    const fromEnvironment = refused([], { [variable]: value });
    assert.match(fromEnvironment, expected);
    assert.ok(fromEnvironment.startsWith(`${variable} `), fromEnvironment);
  }
});

Deno.test("parseConfig() refuses unknown flags, missing values and further words", () => {
  assert.match(refused(["--prot", "1"]), /'--prot'.*--port/);
  assert.match(refused(["--port"]), /^--port needs a value: a whole number/);
  assert.match(refused(["destroy"]), /'destroy'.*serve/);
  assert.match(refused(["serve", "again"]), /too many arguments/);
});

Deno.test("parseConfig() refuses a password on the command line and never repeats one", () => {
  for (const argv of [["--requirepass", "hunter2"], ["--requirepass=hunter2"]]) {
    const error = refused(argv);
    assert.match(error, /MAYFLY_REQUIREPASS.*--requirepass-file/);
    assert.doesNotMatch(error, /hunter2/);
  }
  assert.doesNotMatch(refused(["--requirepas=hunter2"]), /hunter2/);
  assert.doesNotMatch(refused([], { MAYFLY_REQUIREPASS: "hunter2\nx" }), /hunter2/);
  assert.match(
    refused(["--requirepass-file", "f"], { MAYFLY_REQUIREPASS: "x" }),
    /both given/,
  );
  assert.equal(accepted([], { MAYFLY_REQUIREPASS: "hunter2" }).requirepass, "hunter2");
});

Deno.test("parseConfig() takes persistence from flags, and from variables", () => {
  const config = accepted(["--data-dir", "/tmp/d", "--fsync-interval-ms", "7"], {
    MAYFLY_PERSISTENCE: "off",
    MAYFLY_FSYNC: "always",
  });
  const { dataDir, isPersistent, fsync, fsyncIntervalMs } = config;
  assert.deepEqual([dataDir, isPersistent, fsync, fsyncIntervalMs], ["/tmp/d", false, "always", 7]);
});

Deno.test("parseConfig() takes a port for HTTP or none, and origins as browsers write them", () => {
  assert.equal(accepted(["--http-port", "0"]).httpPort, 0);
  assert.equal(accepted(["--http-port", "off"]).httpPort, null);
  const origins = "https://a.example.org, http://localhost:3000,https://a.example.org";
  assert.deepEqual(
    accepted(["--http-cors", origins]).httpOrigins,
    ["https://a.example.org", "http://localhost:3000"],
  );
  assert.deepEqual(accepted(["--http-cors", "*"]).httpOrigins, ["*"]);
  assert.match(refused(["--port", "7171"]), /both 7171/);
  assert.equal(accepted(["--port", "0", "--http-port", "0"]).port, 0);
});

Deno.test("parseConfig() takes --dashboard-readonly with a value or alone", () => {
  assert.equal(accepted([]).isDashboardReadonly, false);
  assert.equal(accepted(["--dashboard-readonly"]).isDashboardReadonly, true);
  assert.equal(accepted(["--dashboard-readonly", "--port", "1"]).isDashboardReadonly, true);
  assert.equal(accepted(["--dashboard-readonly", "no"]).isDashboardReadonly, false);
  assert.equal(accepted([], { MAYFLY_DASHBOARD_READONLY: "yes" }).isDashboardReadonly, true);
  assert.match(refused(["--dashboard-readonly", "serve"]), /must be no or yes/);
});

Deno.test("parseConfig() prints help that lists every flag with its variable", () => {
  const parsed = parseConfig(["--help"], {}, FACTS);
  assert.ok("print" in parsed);
  for (const name of FLAG_NAMES) {
    assert.match(parsed.print, new RegExp(`--${name} [<[]`), name);
    assert.ok(parsed.print.includes(`[${environmentName(name)}`), name);
  }
});

Deno.test("grantedMemoryBytes() takes a cgroup's limit only where it limits", () => {
  assert.equal(grantedMemoryBytes(512, 1000), 512);
  assert.equal(grantedMemoryBytes(0, 1000), 1000);
  assert.equal(grantedMemoryBytes(2 ** 63, 1000), 1000);
});

Deno.test("isLoopback() knows loopback in its spellings and nothing else", () => {
  const near = ["127.0.0.1", "127.255.3.4", "::1", "[::1]", "::ffff:127.0.0.1", "localhost"];
  const far = ["0.0.0.0", "::", "128.0.0.1", "127.0.0.1.example.org", "127.1", "127.0.0.256", ""];
  for (const address of near) assert.equal(isLoopback(address), true, address);
  for (const address of [...far, "::ffff:10.0.0.1", "10.0.0.1"]) {
    assert.equal(isLoopback(address), false, address);
  }
});
