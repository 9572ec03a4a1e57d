// The log as every thread sees it: levels, records, and a Logger that hands records to whoever
// writes them. It must not know where they end: workers post them to main, main writes them, so
// that no worker pays for the logging library (5 MiB each) or waits for a slow reader of the log.

import { LOG_LEVELS, type LogLevel } from "./config_flags.ts";

/** Small facts beside the message; texts are shown bounded and with control characters escaped. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** One line of the log, as it travels from a worker to main. */
export interface LogRecord {
  readonly level: LogLevel;
  /** The thread: `main`, `worker-0`. */
  readonly source: string;
  readonly message: string;
  readonly fields: LogFields;
  /** Wall clock, milliseconds since 1970. */
  readonly atMs: number;
}

export interface LoggerOptions {
  readonly source: string;
  /** Asked for every record, so that CONFIG SET loglevel counts at once. */
  readonly lowestLevel: () => LogLevel;
  /** Takes the record on; must not throw. */
  readonly emit: (record: LogRecord) => void;
  readonly nowMs?: () => number;
}

export class Logger {
  readonly #options: LoggerOptions;

  constructor(options: LoggerOptions) {
    this.#options = options;
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#log("debug", message, fields);
  }
  info(message: string, fields: LogFields = {}): void {
    this.#log("info", message, fields);
  }
  warning(message: string, fields: LogFields = {}): void {
    this.#log("warning", message, fields);
  }
  error(message: string, fields: LogFields = {}): void {
    this.#log("error", message, fields);
  }

  #log(level: LogLevel, message: string, fields: LogFields): void {
    const { source, lowestLevel, emit, nowMs = Date.now } = this.#options;
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(lowestLevel())) return;
    emit({ level, source, message, fields, atMs: nowMs() });
  }
}

/**
 * A worker's logger: `post` sends the record to main, `takePlace` says whether there is room on the
 * way (`Settings.takeLogPlace`). A record without room is dropped; the next one that finds room
 * carries the count as `droppedBefore`.
 */
export function createWorkerLogger(
  source: string,
  lowestLevel: () => LogLevel,
  takePlace: () => boolean,
  post: (message: { readonly type: "log"; readonly record: LogRecord }) => void,
): Logger {
  let dropped = 0;
  const emit = (record: LogRecord) => {
    if (!takePlace()) {
      dropped++;
      return;
    }
    const fields = dropped === 0 ? record.fields : { ...record.fields, droppedBefore: dropped };
    dropped = 0;
    post({ type: "log", record: { ...record, fields } });
  };
  return new Logger({ source, lowestLevel, emit });
}

/** `text` on one line: control characters as `\xNN`, bounded at 2,000 characters. */
export function singleLine(text: string): string {
  const bounded = text.length > 2000 ? `${text.slice(0, 2000)}...` : text;
  return bounded.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g,
    (character) =>
      character === "\n" ? "\\n" : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
