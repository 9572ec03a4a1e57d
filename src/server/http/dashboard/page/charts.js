// A chart over time: uPlot with this page's colours, a legend that is text, and one cursor for all charts.
/* global uPlot */

const SYNC = uPlot.sync("mayfly");
const HEIGHT_PX = 190;
/** Marks of the axis tell seconds where the time shown is no longer. */
const SECONDS_SHOWN_S = 120;
const FONT = "11px system-ui, sans-serif";

/** A colour of the page's style, as it is now: light or dark. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * A panel with a chart. The specification: `title`; `series`, each `{label, colour, fill?, dash?}`;
 * `text(value)`; `data(samples)`, a column for each series; and at will `stacked`, `logarithmic`, `low` and `high`
 * (the least range of the axis), `most`, `top(columns)` in place of the largest value, `mark(value)` for the axis,
 * `increments` between its marks, `isWide`, `paint(plot, samples, windowS)`, which draws in place of lines, with
 * the axis' `splits`.
 */
export class TimeChart {
  #spec;
  #plot = null;
  #host;
  #values = [];
  #clock;
  #shown = [];
  #raw = [];
  #windowS = 900;
  #secondsAgo = 0;
  #samples = null;
  #times = [];

  constructor(parent, spec) {
    this.#spec = spec;
    const panel = document.createElement("div");
    panel.className = spec.isWide ? "panel wide" : "panel";
    panel.setAttribute("role", "group");
    const heading = document.createElement("h3"), title = document.createElement("span");
    title.id = `chart-${spec.id}`;
    title.textContent = spec.title;
    panel.setAttribute("aria-labelledby", title.id);
    this.#clock = document.createElement("span");
    this.#clock.className = "chart-clock";
    heading.append(title, this.#clock);
    this.#host = document.createElement("div");
    this.#host.className = "chart";
    this.#host.setAttribute("aria-hidden", "true");
    panel.append(heading, this.#legend(), this.#host);
    parent.append(panel);
    new ResizeObserver(() => this.#resize()).observe(this.#host);
  }

  /** Draws the samples of the last `windowS` seconds. */
  show(samples, windowS) {
    this.#samples = samples;
    this.#windowS = windowS;
    this.#times = samples.times;
    this.#raw = this.#spec.data(samples);
    this.#shown = this.#spec.stacked ? stacked(this.#raw) : this.#raw;
    const order = this.#spec.stacked ? [...this.#shown].reverse() : this.#shown;
    if (this.#plot === null) this.#create([this.#times, ...order]);
    else this.#plot.setData([this.#times, ...order]);
    if (this.#secondsAgo === 0) this.#tell(this.#plot.cursor.idx);
    else this.point(this.#secondsAgo);
  }

  /** Has the legend tell the values of so many seconds ago, and marks the moment; 0: the last ones. */
  point(secondsAgo) {
    this.#secondsAgo = secondsAgo;
    if (this.#plot === null) return;
    const at = this.#pointed();
    const left = at === null ? -10 : this.#plot.valToPos(this.#times[at], "x");
    this.#plot.setCursor({ left, top: at === null ? -10 : 1 }, false);
    this.#tell(null);
  }

  /** Takes the colours that hold now. */
  repaint() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #legend() {
    const list = document.createElement("dl");
    list.className = "legend";
    for (const { label, colour: name } of this.#spec.series) {
      const item = document.createElement("div");
      const swatch = document.createElement("span");
      swatch.className = `swatch swatch-${name}`;
      const term = document.createElement("dt"), value = document.createElement("dd");
      term.append(swatch, label);
      this.#values.push(value);
      item.append(term, value);
      list.append(item);
    }
    return list;
  }

  /** The place of the moment that was chosen; null for the last one. */
  #pointed() {
    if (this.#secondsAgo === 0) return null;
    const moment = this.#times.at(-1) - this.#secondsAgo;
    const at = this.#times.findIndex((time) => time >= moment);
    return at < 0 ? null : at;
  }

  /** Values under the cursor, else of the moment that was chosen. */
  #tell(cursor) {
    const index = cursor ?? this.#pointed(), at = index ?? this.#times.length - 1;
    this.#values.forEach((element, i) => {
      const value = this.#raw[i]?.[at];
      element.textContent = value === null || value === undefined ? "–" : this.#spec.text(value);
    });
    this.#clock.textContent = index === null || index === undefined || this.#times[at] === undefined
      ? ""
      : new Date(this.#times[at] * 1000).toLocaleTimeString("en-GB");
  }

  #resize() {
    const width = this.#host.clientWidth;
    if (this.#plot !== null && width > 0) this.#plot.setSize({ width, height: HEIGHT_PX });
  }

  #create(data) {
    const {
      series,
      logarithmic,
      text,
      mark = text,
      increments,
      splits,
      paint,
      stacked: isStacked,
    } = this.#spec;
    const lines = series.map((each) => {
      const line = colour(each.colour);
      return {
        label: each.label,
        stroke: paint === undefined ? line : "transparent",
        width: 1.5,
        fill: isStacked ? line : each.fill ? `${line}2e` : undefined,
        dash: each.dash,
        points: paint === undefined
          ? { show: true, size: 3.5, width: 0, fill: line, filter: lonePoints }
          : { show: false },
        spanGaps: false,
      };
    });
    const axis = {
      stroke: colour("muted"),
      font: FONT,
      grid: { stroke: colour("grid"), width: 1 },
    };
    this.#plot = new uPlot(
      {
        width: Math.max(100, this.#host.clientWidth),
        height: HEIGHT_PX,
        padding: [8, 26, 0, 0],
        legend: { show: false },
        cursor: {
          sync: { key: SYNC.key, setSeries: false },
          drag: { x: false, y: false },
          points: { size: 6 },
        },
        scales: {
          x: { time: true, range: () => this.#timeRange() },
          y: logarithmic
            ? { distr: 3, range: (_plot, low, high) => this.#logRange(low, high) }
            : { range: (_plot, _low, high) => this.#range(high) },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            ticks: { show: false },
            size: 24,
            space: () => this.#windowS > SECONDS_SHOWN_S ? 46 : 62,
            values: (_plot, splits) => splits.map((at) => timeMark(at, this.#windowS)),
          },
          {
            ...axis,
            ticks: { show: false },
            size: 58,
            space: 28,
            values: (_plot, splits) => splits.map((value) => value === null ? "" : mark(value)),
            ...increments === undefined ? {} : { incrs: increments },
            ...splits === undefined ? {} : { splits: () => splits },
            ...logarithmic
              ? {
                filter: (_plot, splits) => splits.map(decadeOnly),
                grid: { ...axis.grid, filter: (_plot, splits) => splits.map(decadeOnly) },
              }
              : {},
          },
        ],
        series: [{}, ...isStacked ? lines.reverse() : lines],
        hooks: {
          setCursor: [(plot) => this.#tell(plot.cursor.idx)],
          draw: paint === undefined ? [] : [(plot) => paint(plot, this.#samples, this.#windowS)],
        },
      },
      data,
      this.#host,
    );
  }

  #timeRange() {
    const end = this.#times.at(-1) ?? Date.now() / 1000;
    return [end - this.#windowS, end];
  }

  #range(high) {
    const { low = 0, high: least = 1, most = Infinity, top } = this.#spec;
    const wanted = Math.max(least, (top === undefined ? high ?? 0 : top(this.#raw)) * 1.08);
    return [low, Math.min(most, wanted)];
  }

  #logRange(low, high) {
    const bottom = Math.max(0.1, Math.min(low ?? 1, 1)), top = Math.max(high ?? 1, 1000);
    return [10 ** Math.floor(Math.log10(bottom)), 10 ** Math.ceil(Math.log10(top))];
  }
}

/** Places of values without neighbours, which no line can show. */
function lonePoints(plot, series) {
  const column = plot.data[series], alone = [];
  const isHole = (at) => column[at] === null || column[at] === undefined;
  for (let at = 0; at < column.length; at++) {
    if (!isHole(at) && isHole(at - 1) && isHole(at + 1)) alone.push(at);
  }
  return alone;
}

/** Sums from the first column on. */
function stacked(columns) {
  const sums = [];
  columns.forEach((column, i) => {
    sums.push(column.map((value, at) => {
      return value === null ? null : value + (i === 0 ? 0 : sums[i - 1][at]);
    }));
  });
  return sums;
}

function decadeOnly(value) {
  return Math.abs(Math.log10(value) % 1) < 1e-9 ? value : null;
}

function timeMark(at, windowS) {
  const text = new Date(at * 1000).toLocaleTimeString("en-GB");
  return windowS > SECONDS_SHOWN_S ? text.slice(0, 5) : text;
}
