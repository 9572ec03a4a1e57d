// Draws hit ratios as an SVG of bars, for light and for dark pages; the same rows give the same picture.
import type { Scheme } from "../peers/chart.ts";

export interface RatioRow {
  readonly name: string;
  /** By cache, from 0 to 1. */
  readonly values: ReadonlyMap<string, number>;
}

const COLOURS: Readonly<Record<Scheme, { text: string; muted: string }>> = {
  light: { text: "#1f2328", muted: "#59636e" },
  dark: { text: "#e6edf3", muted: "#9198a1" },
};
/** By the first word of the cache's name. */
const BARS: Readonly<Record<Scheme, Readonly<Record<string, string>>>> = {
  light: { mayfly: "#0b7a4b", Redis: "#e07a5f", exact: "#a8a29e" },
  dark: { mayfly: "#3fcf8e", Redis: "#b9533a", exact: "#78716c" },
};
const WIDTH = 760, LEFT = 300, RIGHT = 60, TOP = 44, BAR = 13, BAR_GAP = 2, ROW_GAP = 14;
const FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif";

/** One group of bars for each row. */
export function ratioChart(rows: readonly RatioRow[], scheme: Scheme): string {
  const { text, muted } = COLOURS[scheme], parts: string[] = [];
  let y = TOP;
  for (const { name, values } of rows) {
    parts.push(label(12, y + 10, name, text, "start"));
    for (const [title, ratio] of values) {
      const width = Math.max(1, Math.round(ratio * (WIDTH - LEFT - RIGHT)));
      const fill = BARS[scheme][title.split(" ")[0]] ?? muted;
      parts.push(label(LEFT - 8, y + 10, title, muted, "end"));
      parts.push(
        `<rect x="${LEFT}" y="${y}" width="${width}" height="${BAR}" rx="2" fill="${fill}"/>`,
        label(LEFT + width + 6, y + 10, `${(ratio * 100).toFixed(1)} %`, text, "start"),
      );
      y += BAR + BAR_GAP;
    }
    y += ROW_GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" ` +
    `height="${y}" font-family="${FONT}">\n<title>Hit ratio by policy and trace</title>\n` +
    `${label(12, 22, "Hit ratio by policy and trace", text, "start")}\n${
      parts.join("\n")
    }\n</svg>\n`;
}

function label(x: number, y: number, words: string, fill: string, anchor: string): string {
  return `<text x="${x}" y="${y}" font-size="12" fill="${fill}" text-anchor="${anchor}">${words}</text>`;
}
