// What main and the threads of the log say to each other by postMessage; it holds no behaviour.
import type { Config } from "./config.ts";

/** The first message to the log's thread and to the keeper. */
export interface LogThreadStart {
  readonly type: "start";
  readonly config: Config;
  readonly settingsMemory: SharedArrayBuffer;
  readonly storeMemory: unknown;
  readonly ringMemory: SharedArrayBuffer;
  /** For the keeper: 16 bytes that all files of the directory bear. */
  readonly serverId: Uint8Array | null;
}

/** To the keeper: make a snapshot now. */
export interface SnapshotMessage {
  readonly type: "snapshot";
  readonly id: number;
}

export type MessageToKeeper = LogThreadStart | SnapshotMessage;

export type MessageFromLog =
  | { readonly type: "loaded"; readonly serverId: Uint8Array }
  | {
    readonly type: "loading";
    readonly doneBytes: number;
    readonly allBytes: number;
    readonly entries: number;
    readonly tookMs: number;
  }
  | {
    readonly type: "log";
    readonly level: "info" | "warning" | "error";
    readonly text: string;
  }
  /** As of a worker: `environment` is a trouble of the machine. */
  | { readonly type: "failed"; readonly error: string; readonly environment: boolean }
  /** `isWhole`: the log was closed in order; else it had failed, and what memory held may not be on disk. */
  | { readonly type: "stopped"; readonly isWhole: boolean }
  /** The keeper's answer: `error` null if the snapshot stands. */
  | { readonly type: "snapshot"; readonly id: number; readonly error: string | null };
