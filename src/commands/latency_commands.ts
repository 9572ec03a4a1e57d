// LATENCY and its subcommands: the times of commands out of the histograms, and the moments that took long.
import { ADMIN, ASKS, type CommandRow, KEYLESS, LOADING, SLOW } from "./command_row.ts";
import { bucketAbove, type Latency } from "../histogram.ts";
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import { runSubcommand } from "./container.ts";
import type { CommandContext } from "./context.ts";
import { type EventHistory, type LatencyQuestion, mergeEvents } from "./latency_events.ts";
import { latencyAdvice, latencyGraph } from "./latency_report.ts";
import { NO_KEY } from "./row_parts.ts";

/** Powers of two of ns between which LATENCY HISTOGRAM counts: 1 µs to about 34 s. */
const EXPONENT_FIRST = 10;
const EXPONENT_LAST = 35;

/** LATENCY LATEST: event, second of its last moment, ms of it, ms of the worst */
function latest(c: CommandContext): void {
  ask(c, { resets: null }, (reply, events) => {
    reply.array(events.length);
    for (const { event, maxMs, moments } of events) {
      const last = moments.at(-1)!;
      reply.array(4);
      reply.bulkText(event);
      reply.integer(last.atS);
      reply.integer(last.ms);
      reply.integer(maxMs);
    }
  });
}

/** LATENCY HISTORY event */
function history(c: CommandContext): void {
  const name = c.argText(2).toLowerCase();
  ask(c, { resets: null }, (reply, events) => {
    const moments = events.find(({ event }) => event === name)?.moments ?? [];
    reply.array(moments.length);
    for (const { atS, ms } of moments) {
      reply.array(2);
      reply.integer(atS);
      reply.integer(ms);
    }
  });
}

/** LATENCY RESET [event ...] */
function reset(c: CommandContext): void {
  const resets: string[] = [];
  for (let i = 2; i < c.argCount; i++) resets.push(c.argText(i));
  ask(c, { resets }, (reply, events) => reply.integer(events.length));
}

/** LATENCY GRAPH event */
function graph(c: CommandContext): void {
  const asked = c.argText(2), nowS = Math.floor(c.nowMs / 1000);
  ask(c, { resets: null }, (reply, events) => {
    const found = events.find(({ event }) => event === asked.toLowerCase());
    if (found === undefined) reply.error(`ERR No samples available for event '${asked}'`);
    else reply.verbatim(latencyGraph(found, nowS));
  });
}

/** LATENCY DOCTOR */
function doctor(c: CommandContext): void {
  const nowS = Math.floor(c.nowMs / 1000), thresholdMs = c.services.settings.latencyThresholdMs;
  ask(c, { resets: null }, (reply, events) => {
    reply.verbatim(latencyAdvice(events, thresholdMs, nowS));
  });
}

/** LATENCY HISTOGRAM [command ...]: containers stand for their subcommands. */
function histogram(c: CommandContext): void {
  const { commandNames, metrics } = c.services;
  const chosen = new Set<number>();
  for (let i = 2; i < c.argCount; i++) {
    const name = c.argText(i).toLowerCase();
    commandNames.forEach((each, number) => {
      if (each === name || each.startsWith(`${name}|`)) chosen.add(number);
    });
  }
  const asked = c.argCount === 2 ? commandNames.map((_, number) => number) : [...chosen];
  const told = asked.map((number) => ({ number, latency: metrics.commands.latency(number) }))
    .filter(({ latency }) => latency.timed > 0);
  c.reply.map(told.length);
  for (const { number, latency } of told) {
    c.reply.bulkText(commandNames[number]);
    replyHistogram(c.reply, latency);
  }
}

function replyHistogram(reply: ReplyWriter, latency: Latency): void {
  const steps = cumulative(latency);
  reply.map(2);
  reply.bulkText("calls");
  reply.integer(latency.timed);
  reply.bulkText("histogram_usec");
  reply.map(steps.length);
  for (const [us, count] of steps) {
    reply.integer(us);
    reply.integer(count);
  }
}

/** Commands that took at most so many µs, at powers of two of ns; only where the count changes. */
function cumulative(latency: Latency): [us: number, count: number][] {
  const steps: [number, number][] = [];
  let count = 0, bucket = 0, told = 0;
  for (let exponent = EXPONENT_FIRST; exponent <= EXPONENT_LAST; exponent++) {
    const end = exponent === EXPONENT_LAST ? latency.counts.length : bucketAbove(exponent);
    for (; bucket < end; bucket++) count += latency.counts[bucket];
    if (count === told) continue;
    // Redis tells the end of its own bucket, which is an 128th wide.
    const edgeNs = 2 ** exponent + 2 ** (exponent - 7) - 1;
    steps.push([Math.floor(edgeNs / 1000), count]);
    told = count;
  }
  return steps;
}

function ask(
  c: CommandContext,
  question: LatencyQuestion,
  finish: (reply: ReplyWriter, events: readonly EventHistory[]) => void,
): void {
  c.park(
    c.services.bus.ask<readonly EventHistory[]>("latency-events", question).then(
      (answers) => (reply) => finish(reply, mergeEvents(answers)),
      (error: Error) => (reply) => reply.error(`ERR ${error.message}`),
    ),
  );
}

const ROW = {
  kind: KEYLESS,
  flags: LOADING | SLOW | ADMIN | ASKS,
  group: "server",
  since: "2.8.13",
  ...NO_KEY,
} as const;

export const LATENCY_SUBCOMMANDS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "latency|doctor",
    arity: 2,
    summary: "Tell what took long and what may help",
    run: doctor,
  },
  {
    ...ROW,
    name: "latency|graph",
    arity: 3,
    summary: "Draw an event's moments that took long",
    run: graph,
  },
  {
    ...ROW,
    name: "latency|histogram",
    arity: -2,
    since: "7.0.0",
    summary: "Return the distribution of times of all commands, or of the given ones",
    run: histogram,
  },
  {
    ...ROW,
    name: "latency|history",
    arity: 3,
    summary: "Return an event's moments that took long, with their times in ms",
    run: history,
  },
  {
    ...ROW,
    name: "latency|latest",
    arity: 2,
    summary: "Return each event's last moment that took long, and its worst",
    run: latest,
  },
  {
    ...ROW,
    name: "latency|reset",
    arity: -2,
    summary: "Forget the moments of all events, or of the given ones",
    run: reset,
  },
];

export const LATENCY_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "latency",
    arity: -2,
    flags: LOADING | SLOW,
    summary: "Commands about how long things take",
    run: (c) => runSubcommand(c, "latency", LATENCY_SUBCOMMANDS),
  },
];
