// The page's beginning: brings the server's messages to charts, tiles and tables, and says how the line is.
import { chartList } from "./chart_list.js";
import { TimeChart } from "./charts.js";
import { FeedClient } from "./feed_client.js";
import { KeyApi } from "./key_api.js";
import { KeyBrowser } from "./key_browser.js";
import { durationText } from "./number_texts.js";
import { PasswordDialog } from "./password_dialog.js";
import { SampleColumns } from "./sample_columns.js";
import { Tables } from "./tables.js";
import { Tiles } from "./tiles.js";

const WINDOWS_S = [60, 300, 900];
const byId = (id) => document.getElementById(id);

const page = {
  facts: null,
  samples: null,
  charts: [],
  windowS: WINDOWS_S[0],
  isWindowChosen: false,
  now: null,
  notReadyReason: null,
  lineText: "",
  frame: 0,
};
const tiles = new Tiles(byId("tiles"));
const tables = new Tables({
  workers: byId("workers"),
  shards: byId("shards"),
  slow: byId("slow"),
  parameters: byId("parameters"),
});

const client = new FeedClient(
  `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
  {
    lastAtMs: () => page.samples?.lastAtMs ?? 0,
    onState,
    onMessage,
  },
);

const passwordDialog = new PasswordDialog(
  byId("password"),
  (password) => client.givePassword(password),
);

for (const radio of document.querySelectorAll("input[name=window]")) {
  radio.addEventListener("change", () => {
    page.windowS = Number(radio.value);
    page.isWindowChosen = true;
    drawCharts();
  });
}
byId("moment").addEventListener("input", pointAtMoment);
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
    if (!page.isWindowChosen) fitWindow();
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
  // Another version may speak otherwise: its own page understands it.
  if (page.facts !== null && page.facts.version !== facts.version) location.reload();
  page.facts = facts;
  if (page.samples !== null) return;
  page.samples = new SampleColumns(facts.samplesMax, facts.families.length);
  if (facts.hasKeyBrowser) {
    byId("keys").hidden = false;
    new KeyBrowser(byId("keys"), new KeyApi(() => client.password));
  }
  page.charts = chartList(facts).map((spec) => new TimeChart(byId("charts"), spec));
}

/** Until one is chosen: the shortest that shows all. */
function fitWindow() {
  const { times } = page.samples, spanS = (times.at(-1) ?? 0) - (times[0] ?? 0);
  page.windowS = WINDOWS_S.find((windowS) => windowS >= spanS) ?? WINDOWS_S.at(-1);
  document.querySelector(`input[name=window][value="${page.windowS}"]`).checked = true;
}

/** Once for all messages that come between two pictures of the screen. */
function drawCharts() {
  cancelAnimationFrame(page.frame);
  page.frame = requestAnimationFrame(drawNow);
}

function drawNow() {
  if (document.hidden || page.samples === null || page.samples.times.length === 0) return;
  for (const chart of page.charts) chart.show(page.samples, page.windowS);
  byId("moment").min = String(-page.windowS);
  tellMoment();
}

/** The values of an earlier moment for who has no mouse to point at it. */
function pointAtMoment() {
  for (const chart of page.charts) chart.point(-Number(byId("moment").value));
  tellMoment();
}

function tellMoment() {
  const input = byId("moment"), ago = -Number(input.value);
  const text = ago === 0 ? "now" : `${durationText(ago)} ago`;
  if (byId("moment-text").textContent === text) return;
  byId("moment-text").textContent = text;
  input.setAttribute("aria-valuetext", text);
}

function tellFacts() {
  const { version, workerCount, startedAtMs } = page.facts;
  const workers = workerCount === 1 ? "1 worker" : `${workerCount} workers`;
  const up = durationText((page.now.atMs - startedAtMs) / 1000);
  byId("facts").textContent = `${version} · ${workers} · up ${up}`;
}

function onState(state) {
  const isLive = state === "live";
  byId("lamp").className = `lamp ${isLive ? "live" : state === "lost" ? "lost" : ""}`;
  byId("state").textContent = isLive ? "live" : state === "lost" ? "reconnecting" : state;
  page.lineText = state === "lost"
    ? "The server does not answer. The page reconnects by itself; the numbers are the last that were seen."
    : "";
  if (state === "password" || state === "wrong-password") {
    byId("state").textContent = "waits for the password";
    passwordDialog.ask(state === "wrong-password");
  }
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
