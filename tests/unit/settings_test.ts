// Run-time settings in shared cells, and CONFIG GET and SET over them.

import assert from "node:assert/strict";
import { type Config, parseConfig } from "../../src/config.ts";
import { listParameters, type Parameter, setParameters } from "../../src/config_parameters.ts";
import {
  createSettingsMemory,
  LOG_LINES_PENDING_MAX,
  ProcessState,
  Settings,
} from "../../src/settings.ts";

const GIB = 1024 ** 3;
const CEILING_BYTES = 8 * GIB;

function open(): { config: Config; first: Settings; second: Settings; parameters: Parameters } {
  const parsed = parseConfig(
    ["--workers", "40", "--max-clients", "2"],
    { MAYFLY_REQUIREPASS: "hunter2" },
    { coreCount: 2, memoryBytes: 8 * GIB },
  );
  assert.ok("ok" in parsed);
  const memory = createSettingsMemory(parsed.ok);
  const first = new Settings(memory);
  const parameters = listParameters(first, parsed.ok, CEILING_BYTES, null);
  return { config: parsed.ok, first, second: new Settings(memory), parameters };
}
type Parameters = readonly Parameter[];

function get(parameters: Parameters, name: string): string {
  return parameters.find((parameter) => parameter.name === name)!.get();
}

Deno.test("Settings shows what another view of the same memory set, each cell by itself", () => {
  const { first, second } = open();
  assert.equal(second.maxmemoryBytes, 4 * GIB);
  assert.equal(second.state, ProcessState.STARTING);
  first.maxmemoryBytes = 2 ** 53 - 1;
  first.valueBytesMax = 11;
  first.clientOutputBytesMax = 12;
  first.clientsMax = 13;
  first.idleTimeoutS = 14;
  first.writeTimeoutS = 15;
  first.logLevel = "error";
  first.state = ProcessState.READY;
  assert.equal(second.maxmemoryBytes, 2 ** 53 - 1);
  assert.equal(second.valueBytesMax, 11);
  assert.equal(second.clientOutputBytesMax, 12);
  assert.equal(second.clientsMax, 13);
  assert.equal(second.idleTimeoutS, 14);
  assert.equal(second.writeTimeoutS, 15);
  assert.equal(second.logLevel, "error");
  assert.equal(second.state, ProcessState.READY);
  const { cells, index } = second.stateWord;
  assert.equal(Atomics.load(cells, index), ProcessState.READY);
  assert.throws(() => first.maxmemoryBytes = 1.5, /received 1.5/);
});

Deno.test("Settings.nextClientId() never gives a number twice over two views", () => {
  const { first, second } = open();
  assert.deepEqual(
    [first.nextClientId(), second.nextClientId(), first.nextClientId()],
    [1, 2, 3],
  );
  assert.equal(first.connectedClients, 0);
});

Deno.test("Settings.connectClient() refuses at the limit and leaves the count alone", () => {
  const { first, second } = open();
  assert.equal(first.connectClient(), true);
  assert.equal(second.connectClient(), true);
  assert.equal(first.connectClient(), false);
  assert.equal(second.connectedClients, 2);
  second.disconnectClient();
  assert.equal(first.connectClient(), true);
});

Deno.test("Settings.takeLogPlace() refuses past the bound until a place is given back", () => {
  const { first, second } = open();
  for (let i = 0; i < LOG_LINES_PENDING_MAX; i++) assert.equal(first.takeLogPlace(), true);
  assert.equal(first.takeLogPlace(), false);
  second.giveLogPlace();
  assert.equal(first.takeLogPlace(), true);
});

Deno.test("Settings.beat() counts for its own worker alone", () => {
  const { config, first, second } = open();
  for (let i = 0; i < config.workerCount; i++) {
    for (let n = 0; n <= i; n++) first.beat(i);
  }
  for (let i = 0; i < config.workerCount; i++) assert.equal(second.heartbeat(i), i + 1);
});

Deno.test("listParameters() shows what Redis's tools ask for, and no password", () => {
  const { parameters } = open();
  assert.equal(get(parameters, "maxmemory"), String(4 * GIB));
  assert.equal(get(parameters, "save"), "");
  assert.equal(get(parameters, "appendonly"), "no");
  assert.equal(get(parameters, "databases"), "16");
  assert.equal(get(parameters, "bind"), "127.0.0.1 ::1");
  assert.equal(get(parameters, "maxmemory-policy"), "allkeys-lru");
  assert.equal(get(parameters, "requirepass"), "");
  assert.ok(!parameters.some((parameter) => parameter.get().includes("hunter2")));
  assert.equal(new Set(parameters.map(({ name }) => name)).size, parameters.length);
});

Deno.test("setParameters() applies values that other threads then see", () => {
  const { parameters, second } = open();
  const pairs = [["MaxMemory", "100mb"], ["timeout", "7"], ["loglevel", "verbose"]] as const;
  assert.equal(setParameters(parameters, pairs), null);
  assert.equal(second.maxmemoryBytes, 100 * 1024 ** 2);
  assert.equal(second.idleTimeoutS, 7);
  assert.equal(second.logLevel, "info");
  assert.equal(setParameters(parameters, [["maxmemory", "0"]]), null);
  assert.equal(second.maxmemoryBytes, 4 * GIB);
  assert.equal(setParameters(parameters, [["save", ""], ["appendonly", "no"]]), null);
});

Deno.test("setParameters() answers Redis's error texts and changes nothing", () => {
  const { parameters } = open();
  const about = (name: string, reason: string) =>
    `CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;
  const memory = "argument must be a memory value";
  const integer = "argument couldn't be parsed into an integer";
  const cases: [[string, string][], string][] = [
    [[["maxmemory", "abc"]], about("maxmemory", memory)],
    [[["maxmemory", "-1"]], about("maxmemory", memory)],
    [
      [["maxmemory", "1mb"]],
      about(
        "maxmemory",
        "argument must be between 16777216 and " +
          `${CEILING_BYTES} inclusive`,
      ),
    ],
    [
      [["maxmemory", "9gb"]],
      about(
        "maxmemory",
        "argument must be between 16777216 and " +
          `${CEILING_BYTES} inclusive`,
      ),
    ],
    [[["maxclients", "abc"]], about("maxclients", integer)],
    [[["timeout", "-1"]], about("timeout", "argument must be between 0 and 2147483647 inclusive")],
    [[["port", "7000"]], about("port", "can't set immutable config")],
    [[["timeout", "5"], ["TIMEOUT", "6"]], about("TIMEOUT", "duplicate parameter")],
    [[["Foo", "bar"]], "Unknown option or number of arguments for CONFIG SET - 'Foo'"],
    [[["timeout", "9"], ["maxclients", "x"]], about("maxclients", integer)],
    [
      [["proto-max-bulk-len", "65mb"]],
      about("proto-max-bulk-len", "argument must be between 1 and 67108864 inclusive"),
    ],
    [[["appendonly", "yes"]], about("appendonly", "the server was started with --persistence off")],
  ];
  const before = parameters.map((parameter) => parameter.get());
  for (const [pairs, expected] of cases) {
    assert.equal(setParameters(parameters, pairs), expected);
    assert.deepEqual(parameters.map((parameter) => parameter.get()), before);
  }
});
