// What LATENCY tells people of the moments that took long: a graph in ASCII and advice; pure.
import type { EventHistory, LatencyMoment } from "./latency_events.ts";

const COLUMNS = 80;
const ROWS = 4;
/** From empty to full within one row of the graph, and what stands below a column's top. */
const LEVELS = "_o#";
const FILL = "|";
/** Empty rows between the graph and the ages below it. */
const LABEL_MARGIN_ROWS = 1;

/** How long ago, in the largest unit that is at least 1: `59s`, `3m`, `2h`, `5d`. */
export function ageText(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** LATENCY GRAPH: a heading and the moments as columns, their ages written downwards. As Redis draws it. */
export function latencyGraph({ event, maxMs, moments }: EventHistory, nowS: number): string {
  const times = moments.map(({ ms }) => ms);
  const high = Math.max(...times), low = Math.min(...times);
  const text = [
    `${event} - high ${high} ms, low ${low} ms (all time high ${maxMs} ms)`,
    "-".repeat(COLUMNS),
  ];
  for (let from = 0; from < moments.length; from += COLUMNS) {
    if (from > 0) text.push("");
    text.push(...graphLines(moments.slice(from, from + COLUMNS), low, high, nowS));
  }
  return `${text.join("\n")}\n`;
}

function graphLines(
  moments: readonly LatencyMoment[],
  low: number,
  high: number,
  nowS: number,
): string[] {
  const steps = LEVELS.length * ROWS, span = high - low || 1;
  const tops = moments.map(({ ms }) => Math.min(steps - 1, Math.floor((ms - low) * steps / span)));
  const lines: string[] = [];
  for (let row = ROWS - 1; row >= 0; row--) {
    lines.push(
      tops.map((top) => {
        const level = top - row * LEVELS.length;
        return level < 0 ? " " : LEVELS[level] ?? FILL;
      }).join(""),
    );
  }
  for (let i = 0; i < LABEL_MARGIN_ROWS; i++) lines.push(" ".repeat(moments.length));
  const ages = moments.map(({ atS }) => ageText(Math.max(0, nowS - atS)));
  const ageRows = Math.max(...ages.map((age) => age.length));
  for (let i = 0; i < ageRows; i++) lines.push(ages.map((age) => age[i] ?? " ").join(""));
  return lines;
}

const ADVICE: Readonly<Record<string, readonly string[]>> = {
  command: [
    "Look at SLOWLOG GET: commands over many keys or large values take their time; split them.",
    "CONFIG SET slowlog-log-slower-than to the threshold in microseconds shows which they are.",
  ],
  "fast-command": [
    "Commands of constant time were held up: by locks (lock waits and read retries in INFO stats),",
    "by another process on the same cores, or by swapping. Give the server cores and memory of its own.",
  ],
  "expire-cycle": ["Many keys expire at the same moment: spread their expiry times."],
  "eviction-cycle": [
    "Memory was short for values of another size or a very large one: raise maxmemory.",
  ],
  "event-loop": [
    "A worker did not get to its clients in time: more workers (--workers) or fewer processes on its cores help.",
  ],
};

/** LATENCY DOCTOR: what was slow, how often, and what to do. `thresholdMs` 0: nothing is watched. */
export function latencyAdvice(
  events: readonly EventHistory[],
  thresholdMs: number,
  nowS: number,
): string {
  if (thresholdMs === 0) {
    return "Latency monitoring is off: CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n";
  }
  if (events.length === 0) {
    return `Nothing took ${thresholdMs} ms or longer since monitoring began or was reset.\n`;
  }
  const lines = ["Moments that took long, by event:", ""];
  const advice: string[] = [];
  events.forEach(({ event, maxMs, moments }, i) => {
    const times = moments.map(({ ms }) => ms);
    const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
    const last = moments.at(-1)!;
    lines.push(
      `${i + 1}. ${event}: ${times.length} seconds with such moments (mean ${
        mean.toFixed(1)
      } ms, worst ` +
        `${maxMs} ms, the last ${ageText(Math.max(0, nowS - last.atS))} ago).`,
    );
    for (const line of ADVICE[event] ?? []) advice.push(`- ${line}`);
  });
  return `${[...lines, "", "What may help:", "", ...advice].join("\n")}\n`;
}
