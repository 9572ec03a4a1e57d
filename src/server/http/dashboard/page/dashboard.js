// The page's beginning: brings the server's messages to charts, tiles and tables, and says how the line is.
import { chartList } from "./chart_list.js";
import { TimeChart } from "./charts.js";
import { FeedClient } from "./feed_client.js";
import { durationText } from "./number_texts.js";
import { SampleColumns } from "./sample_columns.js";
import { Tables } from "./tables.js";
import { Tiles } from "./tiles.js";

const byId = (id) => document.getElementById(id);

const page = {
  facts: null,
  samples: null,
  charts: [],
  windowS: 900,
  now: null,
  notReadyReason: null,
  lineText: "",
};
const tiles = new Tiles(byId("tiles"));
const tables = new Tables(byId("balance"), byId("tables"));

const client = new FeedClient(
  `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
  {
    lastAtMs: () => page.samples?.lastAtMs ?? 0,
    onState,
    onMessage,
  },
);

for (const radio of document.querySelectorAll("input[name=window]")) {
  radio.addEventListener("change", () => {
    page.windowS = Number(radio.value);
    drawCharts();
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of page.charts) chart.repaint();
  drawCharts();
});
document.addEventListener("visibilitychange", drawCharts);
client.connect();

function onMessage({ facts, samples, now, slow, parameters }) {
  if (facts !== undefined) begin(facts);
  if (samples !== undefined) {
    page.samples.append(samples);
    drawCharts();
  }
  if (now === undefined) return;
  page.now = now;
  tiles.show(page.samples, now);
  tables.show({ now, slow, parameters });
  tellFacts();
  if (now.notReadyReason !== page.notReadyReason) {
    page.notReadyReason = now.notReadyReason;
    tellBanner();
  }
}

/** The first message of a line; what is known of an earlier one stays on the charts. */
function begin(facts) {
  page.facts = facts;
  if (page.samples !== null) return;
  page.samples = new SampleColumns(facts.samplesMax, facts.families.length);
  page.charts = chartList(facts).map((spec) => new TimeChart(byId("charts"), spec));
}

function drawCharts() {
  if (document.hidden || page.samples === null || page.samples.times.length === 0) return;
  for (const chart of page.charts) chart.show(page.samples, page.windowS);
}

function tellFacts() {
  const { version, workerCount, startedAtMs, systemName } = page.facts;
  const workers = workerCount === 1 ? "1 worker" : `${workerCount} workers`;
  const up = durationText((page.now.atMs - startedAtMs) / 1000);
  byId("facts").textContent = `${version} · ${workers} · up ${up} · ${systemName}`;
}

function onState(state) {
  const isLive = state === "live";
  byId("lamp").className = `lamp ${isLive ? "live" : state === "lost" ? "lost" : ""}`;
  byId("state").textContent = isLive ? "live" : state === "lost" ? "reconnecting" : state;
  page.lineText = state === "lost"
    ? "The server does not answer. The page reconnects by itself; the numbers are the last that were seen."
    : "";
  tellBanner();
}

function tellBanner() {
  const text = page.lineText !== ""
    ? page.lineText
    : page.notReadyReason === null
    ? ""
    : `The server wants no requests: ${page.notReadyReason}.`;
  // Read out only when it changes.
  if (byId("banner").textContent !== text) byId("banner").textContent = text;
}
