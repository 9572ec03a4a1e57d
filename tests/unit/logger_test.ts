// Log records from a thread to lines, for people and for machines.

import assert from "node:assert/strict";
import { createWorkerLogger, Logger, type LogRecord, singleLine } from "../../src/logger.ts";
import { openLogOutput } from "../../src/log_output.ts";
import { type LogLevel } from "../../src/config_flags.ts";

const RECORD: LogRecord = {
  level: "warning",
  source: "worker-0",
  message: 'client {name} "x" gone\n\tat a.ts \x1b[31m',
  fields: { reason: "too slow", bytes: 7, forged: "a\nERROR b" },
  atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
};

Deno.test("openLogOutput() writes one line of text per record, whatever is in it", () => {
  const lines: string[] = [];
  openLogOutput("text", (line) => lines.push(line))(RECORD);
  assert.equal(lines.length, 1);
  // deno-lint-ignore no-control-regex
  assert.match(lines[0]!, /^[^\x00-\x1f]+\n?$/);
  assert.match(lines[0]!, /^2026-01-02T03:04:05\.678Z WARNING worker-0: client \{name\} "x" gone/);
  assert.match(lines[0]!, / reason="too slow" bytes=7 forged="a\\nERROR b"\n$/);
});

Deno.test("openLogOutput() writes one JSON object per line", () => {
  const lines: string[] = [];
  openLogOutput("json", (line) => lines.push(line))(RECORD);
  assert.equal(lines.length, 1);
  assert.equal(lines[0]!.indexOf("\n"), lines[0]!.length - 1);
  const { message, logger, reason, bytes, forged } = JSON.parse(lines[0]!);
  assert.deepEqual(
    { message, logger, reason, bytes, forged },
    { message: RECORD.message, logger: "worker-0", ...RECORD.fields },
  );
});

Deno.test("Logger follows a level that changes while it runs", () => {
  let level: LogLevel = "warning";
  const seen: string[] = [];
  const logger = new Logger({
    source: "main",
    lowestLevel: () => level,
    emit: (record) => seen.push(record.message),
  });
  logger.info("1");
  logger.error("2");
  level = "debug";
  logger.debug("3");
  assert.deepEqual(seen, ["2", "3"]);
});

Deno.test("createWorkerLogger() drops lines without a place and says how many", () => {
  let places = 1;
  const fields: unknown[] = [];
  const logger = createWorkerLogger(
    "worker-0",
    () => "info",
    () => places-- > 0,
    ({ record }) => fields.push(record.fields),
  );
  for (let i = 0; i < 3; i++) logger.info("line", { i });
  places = 2;
  logger.info("line", { i: 3 });
  logger.info("line", { i: 4 });
  assert.deepEqual(fields, [{ i: 0 }, { i: 3, droppedBefore: 2 }, { i: 4 }]);
});

Deno.test("singleLine() escapes control characters and bounds the text", () => {
  assert.equal(singleLine("a\nb\r\x00\x1b\u2028é"), "a\\nb\\x0d\\x00\\x1b\\x2028é");
  assert.equal(singleLine("x".repeat(5000)).length, 2003);
});
