// Main's side of the log's two threads: starts them, passes on what they say, ends them; knows no file.
import type { Config } from "./config.ts";
import type { LogThreadStart, MessageFromLog, MessageToKeeper } from "./log_messages.ts";
import type { Logger } from "./logger.ts";

/** What is needed of a Worker. */
export interface LogThread {
  postMessage(message: MessageToKeeper): void;
  terminate(): void;
  addEventListener(type: "message", listener: (event: MessageEvent<MessageFromLog>) => void): void;
  addEventListener(type: "error", listener: (event: ErrorEvent) => void): void;
}

export interface LogThreadsOptions {
  readonly config: Config;
  readonly ringMemory: SharedArrayBuffer;
  /** Tells the log's thread, which hears no messages, to end. */
  readonly askStop: () => void;
  readonly settingsMemory: SharedArrayBuffer;
  readonly storeMemory: unknown;
  readonly spawn: (name: "log" | "keeper") => LogThread;
  readonly logger: Logger;
  readonly onLoaded: () => void;
  /** `environment`: a trouble of the machine, not of this program. */
  readonly onFailed: (error: string, environment: boolean) => void;
  /** Shows how far the loading is, in one line that may be written over; null: nobody watches. */
  readonly showProgress: ((line: string) => void) | null;
}

/** Loading is told of when it has taken so long, and then this often where nobody watches a line. */
const TELL_AFTER_MS = 1000;
const TELL_EVERY_MS = 5000;
/** How long what is in the ring may take to get to disk at the end. */
const STOP_MS_MAX = 30_000;

export class LogThreads {
  readonly #options: LogThreadsOptions;
  readonly #log: LogThread;
  #keeper: LogThread | null = null;
  #toldAtMs = 0;
  #lastSnapshotId = 0;
  readonly #snapshots = new Map<number, (error: string | null) => void>();
  #onStopped: ((isWhole: boolean) => void) | null = null;
  #isShowing = false;

  constructor(options: LogThreadsOptions) {
    this.#options = options;
    this.#log = this.#spawn("log");
    this.#log.postMessage(this.#start(null));
  }

  /** Makes a snapshot; resolves with why not, or null once it stands. */
  snapshot(): Promise<string | null> {
    const keeper = this.#keeper;
    if (keeper === null) return Promise.resolve("the server is starting");
    const id = ++this.#lastSnapshotId;
    return new Promise((resolve) => {
      this.#snapshots.set(id, resolve);
      keeper.postMessage({ type: "snapshot", id });
    });
  }

  /** Everything that is in the ring gets to disk, and the log is closed; gives whether it was, and in time. */
  stop(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), STOP_MS_MAX);
      this.#onStopped = (isWhole) => {
        clearTimeout(timer);
        resolve(isWhole);
      };
      this.#options.askStop();
    });
  }

  #start(serverId: Uint8Array | null): LogThreadStart {
    const { config, settingsMemory, storeMemory, ringMemory } = this.#options;
    return {
      type: "start",
      config,
      settingsMemory,
      storeMemory,
      ringMemory,
      serverId,
    };
  }

  #spawn(name: "log" | "keeper"): LogThread {
    const thread = this.#options.spawn(name);
    thread.addEventListener("message", ({ data }) => this.#receive(name, data));
    thread.addEventListener("error", (event) => {
      event.preventDefault();
      this.#options.onFailed(`${name} died: ${event.message.split("\n")[0]}`, false);
    });
    return thread;
  }

  #receive(name: string, message: MessageFromLog): void {
    const { logger, onFailed, onLoaded } = this.#options;
    switch (message.type) {
      case "log":
        logger[message.level](message.text);
        return;
      case "failed":
        onFailed(
          message.environment ? message.error : `${name}: ${message.error}`,
          message.environment,
        );
        return;
      case "loading":
        this.#tellProgress(message);
        return;
      case "loaded":
        if (this.#isShowing) this.#options.showProgress!("");
        this.#keeper = this.#spawn("keeper");
        this.#keeper.postMessage(this.#start(message.serverId));
        onLoaded();
        return;
      case "stopped":
        this.#onStopped?.(message.isWhole);
        return;
      case "snapshot":
        this.#snapshots.get(message.id)?.(message.error);
        this.#snapshots.delete(message.id);
    }
  }

  #tellProgress(
    { doneBytes, allBytes, entries, tookMs }: Extract<MessageFromLog, { type: "loading" }>,
  ): void {
    const { showProgress, logger } = this.#options;
    if (tookMs < TELL_AFTER_MS) return;
    const percent = Math.floor((doneBytes / Math.max(1, allBytes)) * 100);
    const mbPerSecond = (doneBytes / 1e6 / (tookMs / 1000)).toFixed(0);
    const leftS = ((tookMs / Math.max(1, doneBytes)) * (allBytes - doneBytes) / 1000).toFixed(1);
    const line =
      `loading: ${percent} %, ${entries} entries, ${mbPerSecond} MB/s, about ${leftS} s left`;
    if (showProgress !== null) {
      this.#isShowing = true;
      showProgress(line);
    } else if (tookMs - this.#toldAtMs >= TELL_EVERY_MS || this.#toldAtMs === 0) {
      this.#toldAtMs = tookMs;
      logger.info(line);
    }
  }
}
