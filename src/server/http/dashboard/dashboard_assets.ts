// The dashboard's files, embedded as texts, and how they are served: from one origin, under a strict policy, with tags
// so that a browser asks again only whether they changed. It knows no number of the server.
import uplotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import uplotScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import { entityTag, tagListHas } from "../entity_tag.ts";
import page from "./page/dashboard.html" with { type: "text" };
import style from "./page/dashboard.css" with { type: "text" };
import icon from "./page/icon.svg" with { type: "text" };
import chartList from "./page/chart_list.js" with { type: "text" };
import charts from "./page/charts.js" with { type: "text" };
import dashboard from "./page/dashboard.js" with { type: "text" };
import feedClient from "./page/feed_client.js" with { type: "text" };
import heatMap from "./page/heat_map.js" with { type: "text" };
import keyApi from "./page/key_api.js" with { type: "text" };
import keyBrowser from "./page/key_browser.js" with { type: "text" };
import keyPanel from "./page/key_panel.js" with { type: "text" };
import numberTexts from "./page/number_texts.js" with { type: "text" };
import passwordDialog from "./page/password_dialog.js" with { type: "text" };
import sampleColumns from "./page/sample_columns.js" with { type: "text" };
import tables from "./page/tables.js" with { type: "text" };
import tiles from "./page/tiles.js" with { type: "text" };

const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

/** Content type and text by path. The folder's paths need no password: they hold nothing but the program. */
const FILES: Readonly<Record<string, readonly [type: string, text: string]>> = {
  "/": ["text/html; charset=utf-8", page],
  "/dashboard/dashboard.css": [STYLE, style],
  "/dashboard/icon.svg": ["image/svg+xml", icon],
  "/dashboard/uplot.css": [STYLE, uplotStyle],
  "/dashboard/uplot.js": [SCRIPT, uplotScript],
  "/dashboard/chart_list.js": [SCRIPT, chartList],
  "/dashboard/charts.js": [SCRIPT, charts],
  "/dashboard/dashboard.js": [SCRIPT, dashboard],
  "/dashboard/feed_client.js": [SCRIPT, feedClient],
  "/dashboard/heat_map.js": [SCRIPT, heatMap],
  "/dashboard/key_api.js": [SCRIPT, keyApi],
  "/dashboard/key_browser.js": [SCRIPT, keyBrowser],
  "/dashboard/key_panel.js": [SCRIPT, keyPanel],
  "/dashboard/number_texts.js": [SCRIPT, numberTexts],
  "/dashboard/password_dialog.js": [SCRIPT, passwordDialog],
  "/dashboard/sample_columns.js": [SCRIPT, sampleColumns],
  "/dashboard/tables.js": [SCRIPT, tables],
  "/dashboard/tiles.js": [SCRIPT, tiles],
};

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
  "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const HEADERS: [string, string][] = [
  ["content-security-policy", POLICY],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
  ["cache-control", "no-cache"],
];

export const DASHBOARD_PATHS: readonly string[] = Object.keys(FILES);

const encoder = new TextEncoder();

export class DashboardAssets {
  readonly #tags = new Map<string, string>();

  /** The file under one of DASHBOARD_PATHS. */
  answer(path: string, request: Request): Response {
    const [type, text] = FILES[path];
    let tag = this.#tags.get(path);
    if (tag === undefined) this.#tags.set(path, tag = entityTag(encoder.encode(text)));
    const headers = new Headers([...HEADERS, ["content-type", type], ["etag", tag]]);
    const known = request.headers.get("if-none-match");
    if (known !== null && tagListHas(known, tag, true)) {
      return new Response(null, { status: 304, headers });
    }
    return new Response(text, { headers });
  }
}
