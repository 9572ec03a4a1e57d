// What main and a worker say to each other by postMessage: plain objects, told apart by `type`; it
// holds no behaviour. Shared memories that only the worker understands travel as `unknown`.

import { type BusFromMain, type BusFromWorker } from "./bus.ts";
import { type Config } from "./config.ts";
import { type LogRecord } from "./logger.ts";

/** The first message to a worker: everything it needs. `config.port` and `config.hosts` are real. */
export interface StartMessage {
  readonly type: "start";
  readonly workerIndex: number;
  readonly config: Config;
  readonly settingsMemory: SharedArrayBuffer;
  readonly storeMemory: unknown;
  readonly metricsMemory: unknown;
  /** The log's ring; null without persistence. */
  readonly ringMemory: SharedArrayBuffer | null;
  /** The most that CONFIG SET maxmemory may ask for. */
  readonly maxmemoryBytesCeiling: number;
  /** When the process started, wall clock, for INFO's uptime. */
  readonly startedAtMs: number;
  /** 40 hexadecimal digits, new at every start: INFO's run_id. */
  readonly runId: string;
}

/** Stop accepting, answer what is in flight, close, then say `stopped`. */
export interface StopMessage {
  readonly type: "stop";
}

export type MessageToWorker = StartMessage | StopMessage | BusFromMain;

/** The worker accepts connections on every host. */
export interface ListeningMessage {
  readonly type: "listening";
}

/**
 * The worker cannot go on. `environment` true: a trouble of the machine (port taken meanwhile, no
 * memory), exit code 1; false: a broken invariant, exit code 70.
 */
export interface FailedMessage {
  readonly type: "failed";
  readonly error: string;
  readonly environment: boolean;
}

/** One line for the log; its place was taken from `Settings.takeLogPlace`. */
export interface LogMessage {
  readonly type: "log";
  readonly record: LogRecord;
}

export interface StoppedMessage {
  readonly type: "stopped";
}

export type MessageFromWorker =
  | ListeningMessage
  | FailedMessage
  | LogMessage
  | StoppedMessage
  | BusFromWorker;
