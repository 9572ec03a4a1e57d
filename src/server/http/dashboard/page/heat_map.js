// How often commands took how long, as a map of heat: a column for each second, a row for each bucket of times.
import { colour } from "./charts.js";
import { timeText } from "./number_texts.js";

/** Rows between two marks of the axis. */
const MARK_ROWS = 4;
/** Samples that are further apart have a hole between them. */
const NEXT_S_MAX = 2;

/** What of a chart's specification draws such a map. Row `i` holds times from 2^(exponentFirst + i - 1) ns on. */
export function heatMap(exponentFirst, rows = 19) {
  const fromUs = (row) => 2 ** (exponentFirst + row - 1) / 1000;
  const splits = [];
  for (let row = 1; row < rows; row += MARK_ROWS) splits.push(row);
  return {
    series: [{ label: "busiest time", colour: "heat" }],
    high: rows,
    most: rows,
    splits,
    isWide: true,
    mark: (row) => roundTimeText(fromUs(row)),
    text: (row) => timeText(fromUs(row)),
    // The legend's value: the bucket that most commands of the second fell into.
    data: (samples) => [samples.heat.map((counts) => counts === null ? null : busiest(counts))],
    paint: (plot, samples, windowS) => paint(plot, samples, windowS),
  };
}

function roundTimeText(us) {
  return us >= 1000 ? `${Math.round(us / 1000)} ms` : `${Math.round(us)} µs`;
}

function busiest(counts) {
  let best = -1;
  counts.forEach((count, i) => {
    if (count > 0 && (best < 0 || count > counts[best])) best = i;
  });
  return best < 0 ? null : best;
}

function paint(plot, samples, windowS) {
  const { ctx, bbox } = plot, { times, heat } = samples;
  const end = times.at(-1), begin = end - windowS;
  let most = 1;
  for (let i = 0; i < times.length; i++) {
    if (heat[i] !== null && times[i] > begin) most = Math.max(most, ...heat[i]);
  }
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = `rgb(${colour("heat")})`;
  for (let i = 0; i < times.length; i++) {
    if (heat[i] === null || times[i] <= begin) continue;
    // From the sample before it on, so that columns neither gape nor overlap; after a hole one second.
    const isNext = times[i] - times[i - 1] < NEXT_S_MAX;
    const left = place(plot, isNext ? times[i - 1] : times[i] - 1, "x");
    const width = Math.max(1, place(plot, times[i], "x") - left);
    heat[i].forEach((count, row) => {
      if (count <= 0) return;
      const top = place(plot, row + 1, "y"), bottom = place(plot, row, "y");
      // Rare slow commands are what one looks for: they must not vanish beside the many.
      ctx.globalAlpha = 0.15 + 0.85 * Math.log1p(count) / Math.log1p(most);
      ctx.fillRect(left, top, width, bottom - top);
    });
  }
  ctx.restore();
}

/** In whole pixels of the canvas. */
function place(plot, value, scale) {
  return Math.round(plot.valToPos(value, scale, true));
}
