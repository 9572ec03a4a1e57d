// What the server tells of itself: whether it lives, whether it is ready, its numbers.
import { COUNTER } from "../../metrics.ts";
import { METRICS_CONTENT_TYPES, metricsFormat } from "../../metrics_text.ts";
import { ErrorValue } from "../../protocol/value_writer.ts";
import type { HttpTools } from "./http_tools.ts";
import { commandProblem } from "./problem.ts";

const HEADERS: [string, string][] = [
  ["content-type", "application/json"],
  ["cache-control", "no-store"],
  ["x-content-type-options", "nosniff"],
];

export class ServerRoutes {
  readonly #tools: HttpTools;

  constructor(tools: HttpTools) {
    this.#tools = tools;
  }

  /** GET /healthz: this worker answers. */
  health(): Response {
    return new Response('{"status":"alive"}', { headers: HEADERS });
  }

  /** GET /readyz: 503, with the reason, while requests had better go elsewhere. */
  ready(): Response {
    const reason = this.#tools.notReadyReason();
    return reason === null
      ? new Response('{"status":"ready"}', { headers: HEADERS })
      : new Response(JSON.stringify({ status: "not ready", reason }), {
        status: 503,
        headers: HEADERS,
      });
  }

  /** GET /metrics: for Prometheus, or as OpenMetrics if the request accepts that. */
  metrics(request: Request): Response {
    const format = metricsFormat(request.headers.get("accept"));
    const text = this.#tools.metricsText(format);
    this.#tools.counters[COUNTER.bytesOut] += text.length;
    return new Response(text, {
      headers: { "content-type": METRICS_CONTENT_TYPES[format], "cache-control": "no-store" },
    });
  }

  /** GET /stats: what STATS replies. */
  async stats(): Promise<Response> {
    const { runner, writers, session, counters } = this.#tools, writer = writers.takeValues();
    const waiting = runner.run(session, [["STATS"]], writer);
    if (waiting !== null) await waiting;
    const [value] = writer.take();
    writers.giveValues(writer);
    if (value instanceof ErrorValue) return commandProblem(value.text);
    const text = value as Uint8Array<ArrayBuffer>;
    counters[COUNTER.bytesOut] += text.length;
    return new Response(text, { headers: HEADERS });
  }
}
