// Writes log records as lines, text for people or JSON for machines, by the logging library; only
// main imports it. It must not know where the lines go: a line comes whole, with its end, to `write`.

import {
  configureSync,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type TextFormatter,
} from "@logtape/logtape";
import { type LogRecord, singleLine } from "./logger.ts";

/**
 * Sets the process's log up and returns what writes one record. `write` gets one whole line per
 * call and must not throw. A later call replaces the earlier set-up.
 */
export function openLogOutput(
  format: "text" | "json",
  write: (line: string) => void,
): (record: LogRecord) => void {
  const toLine = format === "json" ? jsonFormatter() : textFormatter();
  configureSync({
    reset: true,
    sinks: { lines: (record) => write(toLine(record)) },
    loggers: [
      // The level was decided by the sender, from a setting that changes at run time.
      { category: ["mayfly"], sinks: ["lines"], lowestLevel: "debug" },
      // The library reports its own troubles, and greets, under this name.
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "error" },
    ],
  });
  return (record) =>
    getLogger(["mayfly", record.source]).emit({
      level: record.level,
      // Not a template: a brace in a message stays a brace.
      message: [record.message],
      rawMessage: record.message,
      timestamp: record.atMs,
      properties: { ...record.fields },
    });
}

function jsonFormatter(): TextFormatter {
  return getJsonLinesFormatter({
    categorySeparator: (category) => category.at(-1) ?? "",
    message: "rendered",
    properties: "flatten",
  });
}

/** `2026-01-02T03:04:05.678Z INFO    worker-0: client refused reason=full` */
function textFormatter(): TextFormatter {
  return getTextFormatter({
    timestamp: "rfc3339",
    level: (level) => level.toUpperCase().padEnd(7),
    category: (category) => category.at(-1) ?? "",
    value: "bare",
    format: ({ timestamp, level, category, message, record }) => {
      const fields = Object.entries(record.properties)
        .map(([name, value]) => ` ${name}=${fieldText(value)}`).join("");
      return singleLine(`${timestamp} ${level} ${category}: ${message}${fields}`);
    },
  });
}

/** Quoted where a space or a quote would make the line ambiguous. */
function fieldText(value: unknown): string {
  const text = String(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
