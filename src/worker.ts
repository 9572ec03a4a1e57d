// A worker thread's entry: builds store, engine and server over the shared memories, and serves until told to
// stop. It never ends the process itself: an error that is not caught reaches main, which does.
import { setImmediate } from "node:timers";
import { Bus } from "./bus.ts";
import { Clock } from "./clock.ts";
import { registerClientAnswers } from "./commands/client_commands.ts";
import { createObservers } from "./commands/observers.ts";
import { ExpirySweeper, startSweeping } from "./commands/expiry_sweeper.ts";
import type { Services } from "./commands/services.ts";
import { startSampling } from "./commands/sampler.ts";
import { listParameters } from "./config_parameters.ts";
import { Engine } from "./engine.ts";
import { clockKindOf } from "./eviction_policies.ts";
import { cpuSeconds, processId, residentBytes, systemName } from "./host.ts";
import {
  EVICTION_LOOK_MS,
  EVICTION_TURN_BUSY_MS,
  EVICTION_TURN_MS,
  EVICTION_TURN_SPARE_MS,
} from "./limits.ts";
import { isLoopback } from "./loopback.ts";
import { createWorkerLogger } from "./logger.ts";
import { DirectoryDisk } from "./log/disk.ts";
import { LoadTurns } from "./log/load_turns.ts";
import { InPlaceWriter } from "./log/in_place_writer.ts";
import { ROLE_OF_WORKERS } from "./log/log_board.ts";
import { Ring } from "./log/ring.ts";
import { watchLoopLag } from "./loop_lag.ts";
import { Metrics, type MetricsMemory, WorkerMetrics } from "./metrics.ts";
import { EffectRecorder } from "./persistence/effect_recorder.ts";
import { helpLoading } from "./persistence/load_helper.ts";
import { SilentWriter } from "./protocol/silent_writer.ts";
import { createPasswordCheck } from "./server/auth.ts";
import { PasswordBrake } from "./server/password_brake.ts";
import { ReplyChunkPool } from "./server/chunk_pool.ts";
import { HttpServer } from "./server/http/http_server.ts";
import { ReplyGate } from "./server/reply_gate.ts";
import { LoopTurns } from "./server/loop_turns.ts";
import { TcpServer } from "./server/tcp.ts";
import type { Sessions } from "./session.ts";
import { ProcessState, Settings } from "./settings.ts";
import { setCounting, Store, type StoreMemory, whileWaiting } from "./store/store.ts";
import { tellFailures } from "./thread_failure.ts";
import type { MessageFromWorker, MessageToWorker, StartMessage } from "./worker_messages.ts";

const HEARTBEAT_MS = 1000;

interface WorkerScope {
  onmessage: ((event: MessageEvent<MessageToWorker>) => void) | null;
  postMessage(message: MessageFromWorker): void;
}
const scope = self as unknown as WorkerScope;
const bus = new Bus((message) => scope.postMessage(message));
let stop: (() => Promise<void>) | null = null;

tellFailures((error) => scope.postMessage({ type: "failed", error, environment: false }));

scope.onmessage = ({ data: message }) => {
  switch (message.type) {
    case "start":
      start(message);
      break;
    case "stop":
      stop?.().then(() => scope.postMessage({ type: "stopped" }));
      break;
    default:
      bus.receive(message);
  }
};

function start(message: StartMessage): void {
  const { config, workerIndex } = message;
  const settings = new Settings(message.settingsMemory);
  const memory = message.storeMemory as StoreMemory;
  const store = new Store(memory);
  const signOfLife = () => settings.beat(workerIndex);
  whileWaiting(signOfLife);
  const clock = new Clock(memory.clock);
  const metricsMemory = message.metricsMemory as MetricsMemory;
  const metrics = new WorkerMetrics(metricsMemory, workerIndex);
  const allMetrics = new Metrics(metricsMemory);
  const sessions: Sessions = new Map();
  const logger = createWorkerLogger(
    `worker ${workerIndex}`,
    () => settings.logLevel,
    () => settings.takeLogPlace(),
    (log) => scope.postMessage(log),
  );
  const ring = message.ringMemory === null ? null : new Ring(message.ringMemory);
  const inPlace = ring === null
    ? null
    : new InPlaceWriter(new DirectoryDisk(config.dataDir), ring, ROLE_OF_WORKERS + workerIndex);
  const recorder = ring === null ? null : new EffectRecorder(store, ring, () => inPlace!.isFast);
  const turns = new LoopTurns();
  const createGate = () =>
    ring === null ? null : new ReplyGate(ring, () => recorder!.published, inPlace);
  const brake = new PasswordBrake(metrics.counters);
  const services: Services = {
    config,
    settings,
    ring,
    parameters: listParameters(settings, config, message.maxmemoryBytesCeiling, ring),
    metrics: allMetrics,
    ...createObservers(settings, sessions, allMetrics, metrics, bus),
    bus,
    sessions,
    workerIndex,
    startedAtMs: message.startedAtMs,
    runId: message.runId,
    processId,
    systemName: systemName(),
    residentBytes,
    signOfLife,
    isPassword: createPasswordCheck(config.requirepass),
    othersTurn: () => turns.wait(),
    wrongPassword: () => brake.wait(),
    hasPassword: config.requirepass !== "",
    isLocal: (address) => isLoopback(address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1")),
    cpuSeconds,
  };
  registerClientAnswers(bus, services);
  const silent = new SilentWriter(new ReplyChunkPool());
  const engine = new Engine(store, services, clock, metrics, recorder, silent);
  const sweeper = new ExpirySweeper({
    store,
    settings,
    counters: metrics.counters,
    workerIndex,
    workerCount: config.workerCount,
    nowMs: () => clock.nowMs(),
    elapsedMs: () => performance.now(),
    onTurnEnd: (callback) => void turns.wait().then(callback),
    onSlice: (ms) => services.latencyEvents.note("expire-cycle", ms, clock.nowMs()),
  });
  const server = new TcpServer({
    config,
    settings,
    engine,
    sessions,
    counters: metrics.counters,
    hasPassword: services.hasPassword,
    gate: createGate(),
    chore: sweeper,
    turns,
    log: (level, text, client) => logger[level](text, client === "" ? {} : { client }),
  });
  const http = new HttpServer({
    services,
    engine,
    counters: metrics.counters,
    gate: createGate(),
    turns,
    notReadyReason: () => notReadyReason(settings, ring),
    log: (level, text) => logger[level](text),
    fail: reportError,
  });
  let place = "";
  try {
    for (const host of config.hosts) {
      place = `${host}, port ${config.port}`;
      server.listen(host, config.port);
      if (config.httpPort === null) continue;
      place = `${host}, HTTP port ${config.httpPort}`;
      http.listen(host, config.httpPort);
    }
    if (workerIndex === 0 && config.unixSocket !== null) {
      place = `--unix-socket ${JSON.stringify(config.unixSocket)}`;
      server.listenUnix(config.unixSocket, config.unixSocketMode);
    }
  } catch (error) {
    const why = `cannot listen on ${place}: ${(error as Error).message}`;
    scope.postMessage({ type: "failed", error: why, environment: true });
    return;
  }
  const heartbeat = setInterval(() => {
    signOfLife();
    inPlace?.tidy();
  }, HEARTBEAT_MS);
  const endSweeping = startSweeping(sweeper);
  const endEviction = startEviction(engine, services, store);
  const endLagWatch = watchLoopLag(metrics.counters, (ms) => {
    services.latencyEvents.note("event-loop", ms, clock.nowMs());
  });
  const endSampling = workerIndex === 0
    ? startSampling(services, store, () => clock.nowMs())
    : null;
  stop = async () => {
    await Promise.all([server.stop(), http.stop()]);
    turns.close();
    recorder?.close();
    endEviction();
    endLagWatch();
    endSampling?.();
    clearInterval(heartbeat);
    endSweeping();
  };
  scope.postMessage({ type: "listening" });
  if (ring !== null) {
    setCounting(settings.lfuLogFactor, settings.lfuDecayMinutes, Date.now());
    void helpLoading({
      disk: new DirectoryDisk(config.dataDir),
      turns: new LoadTurns(ring.loadTurns),
      snapshotSequence: () => ring.number("snapshotSequence"),
      store,
      keyBytesMax: config.keyBytesMax,
      compressMinBytes: settings.compressMinBytes,
      clockKind: clockKindOf(settings.evictionPolicy, settings.isAdmitting),
      pause: () => new Promise((resolve) => setImmediate(resolve)),
    });
  }
}

/** Lets entries go ahead of need; each shard has one worker that does that. Gives how to end it. */
function startEviction(
  engine: Engine,
  { config, ...services }: Services,
  store: Store,
): () => void {
  const { workerCount } = config, count = store.shards.length;
  let shardNumber = services.workerIndex, left = 0;
  const turn = () => {
    const beganMs = performance.now();
    let isMore = false, tookMs = 0;
    if (left === 0) left = Math.ceil((count - services.workerIndex) / workerCount);
    for (; left > 0 && tookMs < (isMore ? EVICTION_TURN_BUSY_MS : EVICTION_TURN_SPARE_MS); left--) {
      if (shardNumber >= count) shardNumber = services.workerIndex;
      if (engine.makeRoomAhead(store.shards[shardNumber])) isMore = true;
      else shardNumber += workerCount;
      tookMs = performance.now() - beganMs;
    }
    services.latencyEvents.note("eviction-cycle", tookMs, Date.now());
    timer = setTimeout(turn, isMore || left > 0 ? EVICTION_TURN_MS : EVICTION_LOOK_MS);
  };
  let timer = setTimeout(turn, EVICTION_LOOK_MS);
  return () => clearTimeout(timer);
}

/** What /readyz tells; null: requests are welcome. */
function notReadyReason(settings: Settings, ring: Ring | null): string | null {
  if (settings.state === ProcessState.READY) {
    return ring?.isFailed ? `writes are refused: ${ring.reason}` : null;
  }
  return settings.state === ProcessState.STARTING ? "loading" : "stopping";
}
