// Which charts the page has, and what of the samples each of them shows.
import { heatMap } from "./heat_map.js";
import { bytesText, countText, partText, timeText } from "./number_texts.js";

const FAMILY_COLOURS = ["c1", "c2", "c3", "c4", "c5", "c6", "c7"];
const FAMILY_LABELS = {
  read: "reads",
  write: "writes",
  delete: "deletes",
  expiry: "expiry",
  keys: "keys",
  connection: "connection",
  server: "server",
};

/** Marks of an axis of counts: nothing between whole numbers. */
const COUNT_INCREMENTS = Array.from(
  { length: 12 },
  (_, i) => [1, 2, 5].map((digit) => digit * 10 ** i),
).flat();
/** Marks of an axis of bytes: powers of two. */
const BYTE_INCREMENTS = Array.from({ length: 40 }, (_, i) => 2 ** i);
/** A limit that is so many times what is used would press the rest flat: it is told in the legend alone. */
const LIMIT_SHOWN_MAX = 4;

/** The charts, in their order on the page. */
export function chartList({ families, heatExponentFirst, hasLog }) {
  const log = hasLog ? "Log" : "Log (persistence is off)";
  return [
    {
      id: "commands",
      title: "Commands per second",
      isWide: true,
      stacked: true,
      text: countText,
      increments: COUNT_INCREMENTS,
      high: 10,
      series: families.map((family, i) => ({
        label: FAMILY_LABELS[family] ?? family,
        colour: FAMILY_COLOURS[i % FAMILY_COLOURS.length],
      })),
      data: (samples) => samples.families,
    },
    {
      id: "hit-rate",
      title: "Hit rate",
      text: partText,
      mark: (part) => `${Math.round(part * 100)} %`,
      high: 1,
      most: 1,
      series: [{ label: "hits of look-ups", colour: "c2", fill: true }],
      data: (samples) => {
        const misses = samples.column("missesPerS");
        return [
          samples.column("hitsPerS").map((hits, i) => {
            return hits === null || hits + misses[i] === 0 ? null : hits / (hits + misses[i]);
          }),
        ];
      },
    },
    {
      id: "latency",
      title: "Service time",
      logarithmic: true,
      text: timeText,
      series: [
        { label: "p50", colour: "c2" },
        { label: "p95", colour: "c3" },
        { label: "p99", colour: "c6" },
      ],
      data: (samples) =>
        // An idle second has no times, and a logarithm no zero.
        ["p50Us", "p95Us", "p99Us"].map((field) =>
          samples.column(field).map((us) => us === null || us === 0 ? null : us)
        ),
    },
    {
      id: "heat",
      title: "Commands by service time",
      ...heatMap(heatExponentFirst),
    },
    {
      id: "memory",
      title: "Memory",
      text: bytesText,
      increments: BYTE_INCREMENTS,
      high: 1024 ** 2,
      top: memoryTop,
      series: [
        { label: "entries and index", colour: "c1", fill: true },
        { label: "limit", colour: "bad", dash: [6, 4] },
        { label: "resident", colour: "c7" },
      ],
      data: (samples) => ["usedBytes", "limitBytes", "rssBytes"].map((f) => samples.column(f)),
    },
    {
      id: "keys",
      title: "Keys",
      text: countText,
      increments: COUNT_INCREMENTS,
      high: 10,
      series: [{ label: "keys", colour: "c4", fill: true }],
      data: (samples) => [samples.column("keys")],
    },
    {
      id: "removed",
      title: "Expired and evicted per second",
      text: countText,
      increments: COUNT_INCREMENTS,
      high: 10,
      series: [
        { label: "expired", colour: "c3", fill: true },
        { label: "evicted", colour: "c6", fill: true },
      ],
      data: (samples) => [samples.column("expiredPerS"), samples.column("evictedPerS")],
    },
    {
      id: "batch",
      title: `${log}: changes per write`,
      text: countText,
      increments: COUNT_INCREMENTS,
      high: 4,
      series: [{ label: "changes in one write", colour: "c5", fill: true }],
      data: (samples) => {
        const frames = samples.column("logFramesPerS");
        return [
          samples.column("logRecordsPerS").map((records, i) => {
            return records === null || frames[i] === 0 ? null : records / frames[i];
          }),
        ];
      },
    },
    {
      id: "sync",
      title: `${log}: fsync time`,
      logarithmic: true,
      text: timeText,
      series: [
        { label: "mean", colour: "c1" },
        { label: "longest, at most", colour: "c3" },
      ],
      data: (samples) =>
        ["syncUsMean", "syncUsMax"].map((field) =>
          samples.column(field).map((us) => us === null || us === 0 ? null : us)
        ),
    },
    {
      id: "errors",
      title: "Error replies per second",
      text: countText,
      increments: COUNT_INCREMENTS,
      high: 4,
      series: [{ label: "errors", colour: "bad", fill: true }],
      data: (samples) => [samples.column("errorsPerS")],
    },
    {
      id: "clients",
      title: "Clients",
      text: countText,
      increments: COUNT_INCREMENTS,
      high: 4,
      series: [{ label: "connections", colour: "c1", fill: true }],
      data: (samples) => [samples.column("clients")],
    },
    {
      id: "network",
      title: "Network, per second",
      text: bytesText,
      increments: BYTE_INCREMENTS,
      high: 1024,
      series: [{ label: "in", colour: "c2" }, { label: "out", colour: "c1" }],
      data: (samples) => [samples.column("bytesInPerS"), samples.column("bytesOutPerS")],
    },
    {
      id: "lag",
      title: "Event loops: worst delay",
      text: (ms) => timeText(ms * 1000),
      high: 5,
      series: [{ label: "of all workers", colour: "c6" }],
      data: (samples) => [samples.column("loopLagMsMax")],
    },
  ];
}

/** Where the axis of memory ends. */
function memoryTop([used, limit, resident]) {
  const most = Math.max(...used, ...resident), top = Math.max(...limit);
  return top > most * LIMIT_SHOWN_MAX ? most : Math.max(most, top);
}
