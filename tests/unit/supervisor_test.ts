// The supervisor over pretended workers: start, silence, failures and the ways to the process's end.

import assert from "node:assert/strict";
import { parseConfig } from "../../src/config.ts";
import { Logger } from "../../src/logger.ts";
import { createSettingsMemory, ProcessState, Settings } from "../../src/settings.ts";
import { SILENT_CHECKS_MAX, Supervisor, type WorkerThread } from "../../src/supervisor.ts";
import { type MessageFromWorker, type MessageToWorker } from "../../src/worker_messages.ts";

class PretendedWorker extends EventTarget {
  readonly received: MessageToWorker[] = [];
  postMessage(message: MessageToWorker): void {
    this.received.push(message);
  }
  say(message: MessageFromWorker): void {
    this.dispatchEvent(new MessageEvent("message", { data: message }));
  }
}

function open(checkIntervalMs = 60_000, waitsForDisk = (_worker: number) => false) {
  const parsed = parseConfig(["--workers", "2"], {}, { coreCount: 2, memoryBytes: 2 ** 30 });
  assert.ok("ok" in parsed);
  const config = parsed.ok;
  const settingsMemory = createSettingsMemory(config);
  const settings = new Settings(settingsMemory);
  const workers: PretendedWorker[] = [];
  const lines: string[] = [];
  let ended: (exitCode: number) => void = () => {};
  const end = new Promise<number>((resolve) => ended = resolve);
  const supervisor = new Supervisor({
    spawn: () => {
      const worker = new PretendedWorker();
      workers.push(worker);
      return worker as unknown as WorkerThread;
    },
    start: {
      config,
      settingsMemory,
      storeMemory: null,
      metricsMemory: null,
      ringMemory: null,
      maxmemoryBytesCeiling: 2 ** 31,
      startedAtMs: 0,
      runId: "0".repeat(40),
    },
    settings,
    logger: new Logger({
      source: "main",
      lowestLevel: () => settings.logLevel,
      emit: (record) => lines.push(`${record.level} ${record.message}`),
    }),
    writeRecord: (record) => lines.push(`${record.source} ${record.message}`),
    end: (exitCode) => ended(exitCode),
    checkIntervalMs,
    waitsForDisk,
  });
  return { supervisor, settings, workers, lines, end };
}

Deno.test("Supervisor is READY once every worker listens, and stops with 0 once all have", async () => {
  const { supervisor, settings, workers, lines, end } = open();
  const ready = supervisor.start();
  assert.deepEqual(workers.map((worker) => worker.received[0]!.type), ["start", "start"]);
  workers[1]!.say({ type: "listening" });
  assert.equal(settings.state, ProcessState.STARTING);
  workers[0]!.say({ type: "listening" });
  await ready;
  assert.equal(settings.state, ProcessState.READY);
  supervisor.stop("SIGTERM");
  supervisor.stop("SIGTERM");
  assert.equal(settings.state, ProcessState.STOPPING);
  assert.deepEqual(workers.map((worker) => worker.received.length), [2, 2]);
  workers[0]!.say({ type: "stopped" });
  workers[0]!.say({ type: "stopped" });
  assert.deepEqual(lines, ["info stopping: SIGTERM"]);
  workers[1]!.say({ type: "stopped" });
  assert.equal(await end, 0);
  assert.deepEqual(lines, ["info stopping: SIGTERM", "info stopped"]);
});

Deno.test("Supervisor stops at once with 0 while workers still start", async () => {
  const { supervisor, end } = open();
  supervisor.start();
  supervisor.stop("SIGINT");
  assert.equal(await end, 0);
});

Deno.test("Supervisor stops when a worker asks for shutdown", async () => {
  const { supervisor, workers, end } = open();
  supervisor.start();
  for (const worker of workers) worker.say({ type: "listening" });
  workers[0]!.say({ type: "bus-ask", askId: 1, kind: "shutdown", payload: null, timeoutMs: 9 });
  for (const worker of workers) {
    assert.ok(worker.received.some((message) => message.type === "stop"));
    worker.say({ type: "stopped" });
  }
  assert.equal(await end, 0);
});

Deno.test("Supervisor ends with 70 and the text on a worker's error and broken message", async () => {
  const error = open();
  error.supervisor.start();
  const event = new ErrorEvent("error", { message: "Uncaught Error: boom", cancelable: true });
  error.workers[1]!.dispatchEvent(event);
  assert.equal(event.defaultPrevented, true);
  assert.equal(await error.end, 70);
  assert.deepEqual(error.lines, ["error worker-1 died: Uncaught Error: boom"]);
  assert.equal(error.settings.state, ProcessState.FAILED);

  const broken = open();
  broken.supervisor.start();
  broken.workers[0]!.dispatchEvent(new MessageEvent("messageerror"));
  assert.equal(await broken.end, 70);
});

Deno.test("Supervisor ends with 1 for the environment and 70 for a broken invariant", async () => {
  for (const [environment, exitCode] of [[true, 1], [false, 70]] as const) {
    const { supervisor, workers, lines, end } = open();
    supervisor.start();
    workers[0]!.say({ type: "failed", error: "cannot: 42", environment });
    assert.equal(await end, exitCode);
    assert.match(lines[0]!, /cannot: 42$/);
  }
});

Deno.test("Supervisor ends with 70 when one heartbeat stands still, and not before", async () => {
  const { supervisor, settings, lines, end } = open(1);
  const beating = setInterval(() => settings.beat(0), 1);
  try {
    supervisor.start();
    const exitCode = await end;
    assert.equal(exitCode, 70);
    assert.match(lines[0]!, /^error worker-1 gave no sign of life/);
    assert.match(lines[0]!, new RegExp(` ${SILENT_CHECKS_MAX + 1} checks`));
  } finally {
    clearInterval(beating);
  }
});

Deno.test("Supervisor bears with a worker that waits for the disk, as long as it does", async () => {
  let looks = 0;
  const { supervisor, settings, lines, end } = open(1, (worker) => {
    return worker === 1 && looks++ < SILENT_CHECKS_MAX * 3;
  });
  const beating = setInterval(() => settings.beat(0), 1);
  try {
    supervisor.start();
    assert.equal(await end, 70);
    assert.match(lines[0]!, /^error worker-1 gave no sign of life/);
    assert.ok(looks > SILENT_CHECKS_MAX * 3, `ended after ${looks} looks`);
  } finally {
    clearInterval(beating);
  }
});

Deno.test("Supervisor writes a worker's line and gives its place back", async () => {
  const { supervisor, settings, workers, lines, end } = open();
  supervisor.start();
  assert.equal(settings.takeLogPlace(), true);
  const record = { level: "info", source: "worker-0", message: "m", fields: {}, atMs: 0 } as const;
  workers[0]!.say({ type: "log", record });
  assert.deepEqual(lines, ["worker-0 m"]);
  supervisor.stop("test");
  assert.equal(await end, 0);
});
