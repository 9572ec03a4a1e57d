// Starts the workers, watches over them and stops them, from the main thread; it takes no lock,
// never blocks, and must not know sockets or signals. How the process ends is handed in.

import type { FlagName } from "./config_flags.ts";
import { ControlPlane } from "./control_plane.ts";
import { type Logger, type LogRecord } from "./logger.ts";
import { ProcessState, type Settings } from "./settings.ts";
import {
  type MessageFromWorker,
  type MessageToWorker,
  type StartMessage,
} from "./worker_messages.ts";

/** What the supervisor needs of a Worker. */
export interface WorkerThread {
  postMessage(message: MessageToWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  addEventListener(type: "messageerror", listener: (event: MessageEvent) => void): void;
  addEventListener(type: "error", listener: (event: ErrorEvent) => void): void;
}

export interface SupervisorOptions {
  readonly spawn: (name: string) => WorkerThread;
  readonly start: Omit<StartMessage, "type" | "workerIndex">;
  readonly settings: Settings;
  readonly logger: Logger;
  /** Writes a worker's line. */
  readonly writeRecord: (record: LogRecord) => void;
  /** Ends the process at once. */
  readonly end: (exitCode: number) => void;
  /** Writes these settings into the file that the server was started with; throws why it cannot. */
  readonly rewriteConfig?: (values: ReadonlyMap<FlagName, string>) => void;
  /** The entries are loaded by others, who call `loaded()`. */
  readonly waitsForLoad?: boolean;
  /** Runs when all workers have stopped, before the process ends; resolves with whether all went well. */
  readonly beforeEnd?: () => Promise<boolean>;
  /** Whether a worker waits for the disk, which is no reason to think it dead. */
  readonly waitsForDisk?: (workerIndex: number) => boolean;
  /** Makes a snapshot; resolves with why not, or null. */
  readonly snapshot?: () => Promise<string | null>;
  /** For tests; the heartbeat is looked at this often. */
  readonly checkIntervalMs?: number;
}

export const EXIT_ENVIRONMENT = 1;
export const EXIT_BROKEN_INVARIANT = 70;
/** Checks, one a second, without a new heartbeat before a worker counts as dead. */
export const SILENT_CHECKS_MAX = 30;
const CHECK_INTERVAL_MS = 1000;
/** How long workers may take to answer what is in flight. */
const STOP_MS_MAX = 5000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #workerCount: number;
  readonly #workers: WorkerThread[] = [];
  readonly #controlPlane: ControlPlane;
  readonly #listening = new Set<number>();
  readonly #stopped = new Set<number>();
  #checks: ReturnType<typeof setInterval> | undefined;
  #stopTimer: ReturnType<typeof setTimeout> | undefined;
  #allListening: () => void = () => {};
  #ended = false;
  #isLoaded: boolean;
  #isFinishing = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#workerCount = options.start.config.workerCount;
    this.#controlPlane = new ControlPlane(
      this.#workerCount,
      (workerIndex, message) => this.#workers[workerIndex]!.postMessage(message),
    );
    this.#controlPlane.answer(
      "rewrite-config",
      (payload) => options.rewriteConfig?.(payload as ReadonlyMap<FlagName, string>),
    );
    this.#controlPlane.answer("shutdown", () => this.stop("SHUTDOWN"));
    this.#controlPlane.answer(
      "snapshot",
      () => options.snapshot?.() ?? "the server was started with --persistence off",
    );
    this.#isLoaded = options.waitsForLoad !== true;
  }

  /** Starts the workers; resolves once, when all of them listen and the state has become READY. */
  start(): Promise<void> {
    const { spawn, start, checkIntervalMs = CHECK_INTERVAL_MS } = this.#options;
    for (let i = 0; i < this.#workerCount; i++) {
      const worker = spawn(`worker-${i}`);
      this.#workers.push(worker);
      worker.addEventListener("message", (event) => this.#receive(i, event.data));
      worker.addEventListener("messageerror", () => {
        this.#fail(`worker-${i} sent a message that cannot be read`, EXIT_BROKEN_INVARIANT);
      });
      worker.addEventListener("error", (event) => {
        // Without this Deno ends the process itself, with its own exit code.
        event.preventDefault();
        this.#fail(`worker-${i} died: ${errorEventText(event)}`, EXIT_BROKEN_INVARIANT);
      });
      worker.postMessage({ ...start, type: "start", workerIndex: i });
    }
    this.#watchHeartbeats(checkIntervalMs);
    return new Promise((resolve) => this.#allListening = resolve);
  }

  /**
   * Has the workers finish what is in flight, then ends the process with 0, at the latest after
   * 5 s. Before the workers are ready it ends at once. Later calls change nothing.
   */
  stop(reason: string): void {
    const { settings, logger } = this.#options;
    if (this.#ended || settings.state === ProcessState.STOPPING) return;
    logger.info(`stopping: ${reason}`);
    const wasReady = settings.state === ProcessState.READY;
    settings.state = ProcessState.STOPPING;
    if (!wasReady) {
      this.#end(0);
      return;
    }
    for (const worker of this.#workers) worker.postMessage({ type: "stop" });
    this.#stopTimer = setTimeout(() => {
      const late = this.#workerCount - this.#stopped.size;
      logger.warning(`stopped without waiting longer for ${late} of ${this.#workerCount} workers`);
      void this.#finish();
    }, STOP_MS_MAX);
  }

  #receive(workerIndex: number, message: MessageFromWorker): void {
    if (this.#ended || this.#controlPlane.receive(workerIndex, message)) return;
    const { settings, writeRecord } = this.#options;
    switch (message.type) {
      case "log":
        settings.giveLogPlace();
        writeRecord(message.record);
        return;
      case "listening":
        this.#listening.add(workerIndex);
        this.#readyIfComplete();
        return;
      case "failed":
        this.#fail(
          message.environment ? message.error : `worker-${workerIndex} failed: ${message.error}`,
          message.environment ? EXIT_ENVIRONMENT : EXIT_BROKEN_INVARIANT,
        );
        return;
      case "stopped":
        this.#stopped.add(workerIndex);
        if (
          this.#stopped.size === this.#workerCount && settings.state === ProcessState.STOPPING
        ) {
          void this.#finish();
        }
        return;
      default:
        this.#fail(
          `worker-${workerIndex} sent an unknown message: ${JSON.stringify(message)}`,
          EXIT_BROKEN_INVARIANT,
        );
    }
  }

  /** The entries are loaded: commands are served once all workers listen. */
  loaded(): void {
    this.#isLoaded = true;
    this.#readyIfComplete();
  }

  /** Something that all depends on has ended. */
  fail(text: string, exitCode: number): void {
    this.#fail(text, exitCode);
  }

  #readyIfComplete(): void {
    const { settings } = this.#options;
    if (!this.#isLoaded || this.#listening.size !== this.#workerCount) return;
    if (settings.state !== ProcessState.STARTING) return;
    settings.state = ProcessState.READY;
    this.#allListening();
  }

  async #finish(): Promise<void> {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    clearTimeout(this.#stopTimer);
    const { logger, beforeEnd } = this.#options;
    if (beforeEnd !== undefined && !(await beforeEnd())) {
      this.#fail("stopped before the log was on disk", EXIT_ENVIRONMENT);
      return;
    }
    logger.info("stopped");
    this.#end(0);
  }

  #watchHeartbeats(checkIntervalMs: number): void {
    const { settings, waitsForDisk } = this.#options;
    const last = new Int32Array(this.#workerCount);
    const silentChecks = new Int32Array(this.#workerCount);
    this.#checks = setInterval(() => {
      for (let i = 0; i < this.#workerCount; i++) {
        const beat = settings.heartbeat(i);
        const isSilent = beat === last[i] && waitsForDisk?.(i) !== true;
        silentChecks[i] = isSilent ? silentChecks[i]! + 1 : 0;
        last[i] = beat;
        if (silentChecks[i]! <= SILENT_CHECKS_MAX) continue;
        this.#fail(
          `worker-${i} gave no sign of life in ${silentChecks[i]} checks, one each ` +
            `${checkIntervalMs} ms: heartbeat ${beat}`,
          EXIT_BROKEN_INVARIANT,
        );
        return;
      }
    }, checkIntervalMs);
  }

  #fail(text: string, exitCode: number): void {
    if (this.#ended) return;
    this.#options.settings.state = ProcessState.FAILED;
    this.#options.logger.error(text);
    this.#end(exitCode);
  }

  #end(exitCode: number): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#checks);
    clearTimeout(this.#stopTimer);
    this.#controlPlane.close();
    this.#options.end(exitCode);
  }
}

function errorEventText(event: ErrorEvent): string {
  const where = event.filename ? ` (${event.filename}:${event.lineno})` : "";
  return `${event.message.split("\n")[0]}${where}`;
}
