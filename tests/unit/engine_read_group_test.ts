// Reads that are confirmed together: the same replies and counts as one by one, whatever changes meanwhile.

import assert from "node:assert/strict";
import { COUNTER, type Counter } from "../../src/metrics.ts";
import type { Shard } from "../../src/store/store.ts";
import { EnginePath } from "../support/engine_path.ts";

const SETUP = [
  "SET a 1",
  "SET b two",
  'SET empty ""',
  "SET passing 3 PX 100000",
].join("\r\n") + "\r\n";
const READS = [
  "GET a",
  "GET nobody",
  "STRLEN b",
  "TTL a",
  "GET",
  "GET empty",
  "GET passing",
  "GET b",
  "EXISTS a",
  "TYPE b",
  "GET a b",
  "GET b",
];
const COUNTED: readonly Counter[] = ["hits", "misses", "errors", "commands"];

function counts(path: EnginePath): number[] {
  return COUNTED.map((name) => path.engine.metrics.counters[COUNTER[name]]);
}

/** The replies to READS after SETUP, and what was counted meanwhile; `sent` in one batch or in many. */
function run(sent: readonly string[], prepare: (path: EnginePath) => void = () => {}) {
  const path = new EnginePath();
  path.replies(SETUP);
  prepare(path);
  const before = counts(path);
  const replies = sent.map((text) => path.replies(text)).join("");
  return { replies, counted: counts(path).map((count, i) => count - before[i]) };
}

const ONE_BY_ONE = READS.map((read) => `${read}\r\n`);

Deno.test("Engine replies to a group of reads as it does one by one", () => {
  assert.deepEqual(run([ONE_BY_ONE.join("")]), run(ONE_BY_ONE));
});

Deno.test("Engine runs each read again that was not confirmed with its group, and counts it once", () => {
  let asked = 0;
  const refusing = (path: EnginePath) => {
    path.engine.store.confirmReads = () => (asked++, false);
  };
  assert.deepEqual(run([ONE_BY_ONE.join("")], refusing), run(ONE_BY_ONE));
  assert.ok(asked > 0);
});

Deno.test("Engine replies to each read of a group whose shard is being changed when its turn comes", () => {
  // Two of the reads are refused before they look at a shard.
  for (let busy = 0; busy < READS.length - 2; busy++) {
    let asked = 0;
    const changing = (path: EnginePath) => {
      const { store } = path.engine, beginRead = store.beginRead.bind(store);
      store.beginRead = (shard) => asked++ === busy ? 1 : beginRead(shard);
    };
    assert.deepEqual(run([ONE_BY_ONE.join("")], changing), run(ONE_BY_ONE), `at read ${busy}`);
    assert.ok(asked > busy, `only ${asked} reads came to their turn`);
  }
});

Deno.test("Engine notices a change of a shard that was read early in a group", () => {
  const path = new EnginePath(), store = path.engine.store;
  path.replies(SETUP);
  const beginRead = store.beginRead.bind(store);
  let shardOfA: Shard | null = null, begun = 0, tries = 0;
  store.beginRead = (shard) => {
    if (begun++ === 0) shardOfA = shard;
    else if (begun === 3) {
      // Another worker changes the first read's shard while the third read begins.
      store.lockChange(shardOfA!);
      store.unlockChange(shardOfA!);
    }
    return beginRead(shard);
  };
  // After a batch that took long the commands of the next run one by one, so that each is timed.
  for (; tries < 100 && begun !== 6; tries++) {
    begun = 0;
    const replies = path.replies("GET a\r\nGET b\r\nGET nobody\r\n");
    assert.equal(replies, "$1\r\n1\r\n$3\r\ntwo\r\n$-1\r\n");
  }
  assert.equal(begun, 6, "each read once with the group and once by itself");
});

Deno.test("Engine answers a read whose shard is being changed as the group's turn comes to it", () => {
  const path = new EnginePath(), store = path.engine.store;
  path.replies(SETUP);
  const beginRead = store.beginRead.bind(store);
  for (const which of [1, 2, 3]) {
    let begun = 0;
    // Odd, as while another worker changes the shard.
    store.beginRead = (shard) => ++begun === which ? beginRead(shard) | 1 : beginRead(shard);
    assert.equal(
      path.replies("GET a\r\nGET b\r\nGET nobody\r\n"),
      "$1\r\n1\r\n$3\r\ntwo\r\n$-1\r\n",
    );
  }
});
