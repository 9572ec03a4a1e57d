// Names the runtime's spans of requests after their routes: with OTEL_DENO=true Deno makes a span for each request
// and calls it by its method alone, which tells nobody what is slow. It knows where a route stands in a URL, no more.
//
// The runtime offers OpenTelemetry's API to whoever asks for it, under the name that its packages look for, and only
// while it traces: so there is nothing to load, and nothing to do for a request where it does not.

/** What is used of OpenTelemetry's API. */
interface Span {
  updateName(name: string): void;
  setAttribute(name: string, value: string): void;
}
interface TelemetryApi {
  readonly context: { active(): { getValue(key: symbol): unknown } };
}

/** Called with the method and the path of a request while its span is the active one. */
export type SpanNamer = (method: string, path: string) => void;

const API = Symbol.for("opentelemetry.js.api.1");
const ACTIVE_SPAN = Symbol.for("OpenTelemetry Context Key SPAN");
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]);
const ROUTES: ReadonlySet<string> = new Set([
  ...["/", "/get", "/put", "/v1/keys", "/v1/mget", "/v1/mset", "/v1/delete", "/v1/command"],
  ...["/stats", "/metrics", "/healthz", "/readyz", "/ws", "/docs", "/openapi.json"],
]);
const FOLDERS = [["/v1/keys/", "/v1/keys/{key}"], ["/dashboard/", "/dashboard/{file}"]] as const;

/** Null unless the runtime traces. */
export function createSpanNamer(): SpanNamer | null {
  const api = (globalThis as unknown as Record<symbol, TelemetryApi | undefined>)[API];
  if (api === undefined) return null;
  return (method, path) => {
    const span = api.context.active().getValue(ACTIVE_SPAN) as Span | undefined;
    if (span === undefined) return;
    const known = METHODS.has(method) ? method : "HTTP", route = routeOf(path);
    span.updateName(route === null ? known : `${known} ${route}`);
    if (route !== null) span.setAttribute("http.route", route);
  };
}

/** The pattern of the route that a path belongs to, null if there is none: names are few, whatever is asked for. */
function routeOf(path: string): string | null {
  if (ROUTES.has(path)) return path;
  for (const [folder, route] of FOLDERS) if (path.startsWith(folder)) return route;
  return null;
}
