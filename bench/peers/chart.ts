// Draws a group's medians as an SVG of bars, for light and for dark pages; the same report gives the same picture.
import type { Report } from "./report.ts";
import { median } from "./statistics.ts";
import type { Metric, Sample } from "./workload.ts";

export const SCHEMES = ["light", "dark"] as const;
export type Scheme = typeof SCHEMES[number];

/** What a group is judged by, where it is not the server's CPU per operation. */
const FIGURES: Readonly<Record<string, { metric: Metric; title: string; unit: string }>> = {
  memory: { metric: "bytesPerKey", title: "memory per key", unit: "bytes" },
  connections: { metric: "bytesPerConnection", title: "memory per idle connection", unit: "bytes" },
  large: { metric: "latencyUsP99", title: "p99 of GET beside 64 MiB values", unit: "µs" },
};
const CPU = { metric: "cpuUsPerOp" as Metric, title: "server CPU per operation", unit: "µs" };

const COLOURS: Readonly<Record<Scheme, Readonly<Record<string, string>>>> = {
  light: { text: "#1f2328", muted: "#59636e", line: "#d1d9e0" },
  dark: { text: "#e6edf3", muted: "#9198a1", line: "#3d444d" },
};
/** By server; told apart by lightness too, for those who see no colours. */
const BARS: Readonly<Record<Scheme, Readonly<Record<string, string>>>> = {
  light: { mayfly: "#0b7a4b", redis: "#e07a5f", valkey: "#6c7fd8", memcached: "#a8a29e" },
  dark: { mayfly: "#3fcf8e", redis: "#b9533a", valkey: "#5566bb", memcached: "#78716c" },
};
const OTHER_BAR = "#8b949e";

const WIDTH = 760;
const LEFT = 190;
const RIGHT = 90;
const TOP = 64;
const BAR = 18;
const BAR_GAP = 3;
const ROW_GAP = 16;
const FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif";

interface Row {
  readonly name: string;
  readonly values: readonly (readonly [server: string, value: number])[];
}

/** The picture of a group's figures, or null where the report holds none. */
export function groupChart(report: Report, group: string, scheme: Scheme): string | null {
  const { metric, title, unit } = FIGURES[group] ?? CPU;
  const rows = rowsOf(report.samples.filter((each) => each.group === group), group, metric);
  if (rows.length === 0) return null;
  const servers = [...new Set(rows.flatMap(({ values }) => values.map(([server]) => server)))];
  const max = Math.max(...rows.flatMap(({ values }) => values.map(([, value]) => value)));
  const { text, muted, line } = COLOURS[scheme];
  const parts: string[] = [];
  let y = TOP;
  for (const { name, values } of rows) {
    const height = values.length * (BAR + BAR_GAP) - BAR_GAP;
    parts.push(label(LEFT - 12, y + height / 2 + 5, name, text, "end", 14));
    for (const [server, value] of values) {
      const width = Math.max(1, Math.round(value / max * (WIDTH - LEFT - RIGHT)));
      const fill = BARS[scheme][server] ?? OTHER_BAR;
      parts.push(
        `<rect x="${LEFT}" y="${y}" width="${width}" height="${BAR}" rx="3" fill="${fill}"/>`,
      );
      parts.push(label(LEFT + width + 8, y + 14, `${digits(value)} ${unit}`, text, "start", 13));
      y += BAR + BAR_GAP;
    }
    y += ROW_GAP - BAR_GAP;
  }
  const height = y + 8;
  parts.unshift(
    `<line x1="${LEFT}" y1="${TOP - 8}" x2="${LEFT}" y2="${y - ROW_GAP + 8}" stroke="${line}"/>`,
  );
  let x = LEFT;
  for (const server of servers) {
    const fill = BARS[scheme][server] ?? OTHER_BAR;
    parts.unshift(
      `<rect x="${x}" y="34" width="12" height="12" rx="2" fill="${fill}"/>`,
      label(x + 18, 45, `${server} ${report.versions[server] ?? ""}`.trim(), muted, "start", 13),
    );
    x += 190;
  }
  parts.unshift(label(LEFT, 20, `${group}: ${title}, less is better`, text, "start", 15, true));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `viewBox="0 0 ${WIDTH} ${height}" role="img" font-family="${FONT}">\n` +
    `<title>${escaped(`${group}: ${title}`)}</title>\n${parts.join("\n")}\n</svg>\n`;
}

function rowsOf(samples: readonly Sample[], group: string, metric: Metric): Row[] {
  const workloads = [...new Set(samples.map(({ workload }) => workload))];
  return workloads.flatMap((workload) => {
    const own = samples.filter((each) => each.workload === workload);
    const values = [...new Set(own.map(({ server }) => server))].flatMap((server) => {
      const figures = own.filter((each) => each.server === server)
        .map(({ figures }) => figures[metric]).filter((figure) => figure !== undefined);
      return figures.length === 0 ? [] : [[server, median(figures)] as const];
    });
    const name = workload === group ? group : workload.slice(group.length + 1).toUpperCase();
    return values.length === 0 ? [] : [{ name, values }];
  });
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function label(
  x: number,
  y: number,
  text: string,
  fill: string,
  anchor: "start" | "end",
  size: number,
  isBold = false,
): string {
  const weight = isBold ? ' font-weight="600"' : "";
  return `<text x="${x}" y="${y}" fill="${fill}" text-anchor="${anchor}" font-size="${size}"${weight}>` +
    `${escaped(text)}</text>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
