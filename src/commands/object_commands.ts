// OBJECT and MEMORY: how an entry is held, what it takes, and what all of them take.
import { BY_FREQUENCY, NO_EVICTION } from "../eviction_policies.ts";
import { NO_LFU, NO_LRU, SYNTAX } from "../errors.ts";
import { INTEGER_BYTES_MAX, parseBigInteger } from "../number_format.ts";
import { TYPE_HASH } from "../store/store.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import { runSubcommand } from "./container.ts";
import type { CommandContext } from "./context.ts";
import { clockKind, idleS, useCount } from "./entry_clock.ts";
import { NO_KEY, ONE_KEY } from "./row_parts.ts";

/** Longer strings are `raw` in Redis. */
const EMBEDDED_BYTES_MAX = 44;

/** OBJECT ENCODING key */
function encoding(c: CommandContext): void {
  if (c.peek(2) === 0) return c.reply.nil();
  if (c.type === TYPE_HASH) return hashEncoding(c);
  const bytes = c.valueBytes;
  if (bytes <= INTEGER_BYTES_MAX) {
    const value = c.valueCopy();
    if (parseBigInteger(value, 0, value.length) !== null) return c.reply.bulkText("int");
  }
  c.reply.bulkText(bytes <= EMBEDDED_BYTES_MAX ? "embstr" : "raw");
}

/** By Redis's bounds, whatever it lies in here; and as it is now, also where it has been larger. */
function hashEncoding(c: CommandContext): void {
  const { hash, services: { settings } } = c, bytesMax = settings.hashListpackBytesMax;
  hash.openPeeked();
  let isPacked = hash.count() <= settings.hashListpackFieldsMax;
  if (isPacked) {
    hash.rewind();
    while (hash.next()) {
      if (hash.nameBytes > bytesMax || hash.valueBytes > bytesMax) isPacked = false;
    }
  }
  c.reply.bulkText(isPacked ? "listpack" : "hashtable");
}

/** OBJECT FREQ key */
function frequency(c: CommandContext): void {
  if (c.peek(2) === 0) c.reply.nil();
  else if (clockKind(c) === BY_FREQUENCY) c.reply.integer(useCount(c));
  else c.reply.error(NO_LFU);
}

/** OBJECT IDLETIME key: seconds, of which the clock tells 13 hours for sure: what is older is made younger. */
function idleTime(c: CommandContext): void {
  if (c.peek(2) === 0) c.reply.nil();
  else if (clockKind(c) === BY_FREQUENCY) c.reply.error(NO_LRU);
  else c.reply.integer(idleS(c));
}

/** OBJECT REFCOUNT key */
function refcount(c: CommandContext): void {
  if (c.peek(2) === 0) c.reply.nil();
  else c.reply.integer(1);
}

/** MEMORY USAGE key [SAMPLES count] */
function usage(c: CommandContext): void {
  for (let i = 3; i < c.argCount; i += 2) {
    if (!c.argIs(i, "SAMPLES") || i + 1 === c.argCount) return c.reply.error(SYNTAX);
    const samples = c.argInteger(i + 1);
    if (samples !== samples) return c.failNotInteger();
    if (samples < 0) return c.reply.error(SYNTAX);
  }
  c.peekLocked(2, () => {
    if (c.ref === 0) c.reply.nil();
    else c.reply.integer(c.store.bytesOf(c.shard, c.ref));
  });
}

/** MEMORY DOCTOR */
function doctor(c: CommandContext): void {
  const { usedBytes, limitBytes, freePageBytes, freeSlotBytes } = c.store.totals();
  const found: string[] = [];
  if (usedBytes > limitBytes * 0.95 && c.services.settings.evictionPolicy === NO_EVICTION) {
    found.push(
      `${percent(usedBytes, limitBytes)} of maxmemory are in use: writes will soon be refused.`,
    );
  }
  if (usedBytes > limitBytes) {
    found.push(`${usedBytes - limitBytes} bytes are in use beyond maxmemory.`);
  }
  if (freePageBytes > Math.max(usedBytes, 2 ** 26)) {
    found.push(
      `${freePageBytes} bytes were used and are free now. They serve new entries, but the operating ` +
        "system does not get them back before a restart.",
    );
  }
  if (freeSlotBytes > usedBytes / 2 && freeSlotBytes > 2 ** 24) {
    found.push(
      `${percent(freeSlotBytes, usedBytes)} of used memory are holes between entries. They are ` +
        "closed in the background, and at once by MEMORY PURGE, but for sizes that few entries have.",
    );
  }
  c.reply.verbatim(found.length === 0 ? "No trouble with memory was found.\n" : found.join("\n"));
}

function percent(part: number, whole: number): string {
  return `${Math.round(part / whole * 100)} %`;
}

/** MEMORY STATS */
function stats(c: CommandContext): void {
  const { store, services } = c, totals = store.totals();
  const rss = services.residentBytes();
  let keys = 0;
  const rows: [string, number, "double"?][] = [];
  for (let number = 0; number < 16; number++) {
    keys += store.entryCounts(services.settings.databaseAt(number)).entries;
  }
  const dataset = Math.max(0, totals.usedBytes - totals.indexBytes);
  const { metrics } = services;
  rows.push(
    ["total.allocated", totals.usedBytes],
    ["startup.allocated", 0],
    ["clients.normal", metrics.counter("inputBytesNow") + metrics.counter("outputBytesNow")],
    ["overhead.hashtable.main", totals.indexBytes],
    ["overhead.total", totals.indexBytes],
    ["keys.count", keys],
    ["keys.bytes-per-key", keys === 0 ? 0 : Math.round(totals.usedBytes / keys)],
    ["dataset.bytes", dataset],
    ["dataset.percentage", share(dataset, totals.usedBytes), "double"],
    ["free-pages.bytes", totals.freePageBytes],
    ["free-slots.bytes", totals.freeSlotBytes],
    ["allocator.resident", rss],
    ["fragmentation", share(totals.freeSlotBytes, totals.usedBytes), "double"],
    ["rss-overhead.bytes", Math.max(0, rss - totals.usedBytes)],
  );
  c.reply.map(rows.length);
  for (const [name, value, kind] of rows) {
    c.reply.bulkText(name);
    if (kind === "double") c.reply.double(value);
    else c.reply.integer(value);
  }
}

/** In percent. */
function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole * 100;
}

/** Each of them closes holes in all shards, for some ms in all; the worker's other clients wait meanwhile. */
const PURGE_ROUNDS_MAX = 8;

/** MEMORY PURGE: closes holes; shared memory cannot be given back to the operating system. */
function purge(c: CommandContext): void {
  for (let round = 0; round < PURGE_ROUNDS_MAX && c.store.reclaim(c.nowMs); round++);
  c.reply.ok();
}

/** MEMORY MALLOC-STATS */
function mallocStats(c: CommandContext): void {
  const lines = Object.entries(c.store.totals()).map(([name, value]) => `${name}: ${value}`);
  c.reply.verbatim(`slab allocator of mayfly\n${lines.join("\n")}\n`);
}

const OBJECT = {
  ...ONE_KEY,
  firstKey: 2,
  lastKey: 2,
  kind: R.READ,
  flags: 0,
  group: "generic",
  arity: 3,
  since: "2.2.3",
} as const;

export const OBJECT_SUBCOMMANDS: readonly CommandRow[] = [
  {
    ...OBJECT,
    name: "object|encoding",
    summary: "Return how the value of a key is held, in Redis's words",
    run: encoding,
  },
  {
    ...OBJECT,
    name: "object|freq",
    since: "4.0.0",
    summary: "Return how often a key is used, where the policy counts that",
    run: frequency,
  },
  {
    ...OBJECT,
    name: "object|idletime",
    summary: "Return how many seconds ago a key was used, up to 13 hours",
    run: idleTime,
  },
  {
    ...OBJECT,
    name: "object|refcount",
    summary: "Return how many references a value has, which is one",
    run: refcount,
  },
];

const MEMORY = {
  ...NO_KEY,
  kind: R.KEYLESS,
  flags: R.SLOW,
  group: "server",
  since: "4.0.0",
} as const;

export const MEMORY_SUBCOMMANDS: readonly CommandRow[] = [
  {
    ...MEMORY,
    name: "memory|usage",
    arity: -3,
    summary: "Return the bytes that a key and its value take",
    run: usage,
  },
  {
    ...MEMORY,
    name: "memory|doctor",
    arity: 2,
    summary: "Return what is wrong with the use of memory",
    run: doctor,
  },
  {
    ...MEMORY,
    name: "memory|stats",
    arity: 2,
    summary: "Return where memory goes",
    run: stats,
  },
  {
    ...MEMORY,
    name: "memory|purge",
    arity: 2,
    summary: "Close holes between entries",
    run: purge,
  },
  {
    ...MEMORY,
    name: "memory|malloc-stats",
    arity: 2,
    summary: "Return the numbers of the allocator",
    run: mallocStats,
  },
];

export const OBJECT_ROWS: readonly CommandRow[] = [
  {
    // The key of its subcommands is the second argument.
    ...OBJECT,
    arity: -2,
    name: "object",
    summary: "Commands about how values are held",
    run: (c) => runSubcommand(c, "object", OBJECT_SUBCOMMANDS),
  },
  {
    ...MEMORY,
    name: "memory",
    arity: -2,
    summary: "Commands about memory",
    run: (c) => runSubcommand(c, "memory", MEMORY_SUBCOMMANDS),
  },
];
