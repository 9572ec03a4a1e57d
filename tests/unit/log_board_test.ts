// The board that the log's threads share: who has the writer's role, and who waits for it.
import assert from "node:assert/strict";
import { CONTROL_BYTES, LogBoard, ROLE_OF_LOG, ROLE_OF_WORKERS } from "../../src/log/log_board.ts";

Deno.test("LogBoard.waitForRole() does not sleep for a role that is given back as it looks", () => {
  const board = new LogBoard(new SharedArrayBuffer(CONTROL_BYTES));
  assert.ok(board.takeRole(ROLE_OF_WORKERS));
  const { compareExchange, wait } = Atomics;
  const patched = Atomics as { compareExchange: unknown; wait: unknown };
  patched.compareExchange = (words: Int32Array, at: number, wanted: number, value: number) => {
    const found = compareExchange(words, at, wanted, value);
    // The holder ends in this very moment, and wakes nobody, since nobody sleeps yet.
    if (found === ROLE_OF_WORKERS) board.giveRole();
    return found;
  };
  patched.wait = (words: Int32Array, at: number, value: number) => {
    assert.notEqual(Atomics.load(words, at), value, "it sleeps until somebody else ends");
    return "not-equal";
  };
  try {
    board.waitForRole(ROLE_OF_LOG);
  } finally {
    Object.assign(patched, { compareExchange, wait });
  }
  assert.equal(board.role, ROLE_OF_LOG);
});
