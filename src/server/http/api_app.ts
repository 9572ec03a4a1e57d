// The routes of HTTP as one Hono application, and the OpenAPI document that is made of the same schemas.
//
// Each route is one row: how it is documented, and what answers it. The resource of a key is the one exception:
// its name may hold any byte, slashes too, so the handler reads the path itself.
import { createRoute, OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import { VERSION } from "../../version.ts";
import { BulkRoutes } from "./bulk_routes.ts";
import { DASHBOARD_PATHS, DashboardAssets } from "./dashboard/dashboard_assets.ts";
import { documentPage, PAGE_HEADERS } from "./document_page.ts";
import type { FollowedRoutes } from "./followed_routes.ts";
import { unsupported } from "./followed_routes.ts";
import type { HttpTools } from "./http_tools.ts";
import * as S from "./json_schemas.ts";
import type { MgetRoute } from "./mget_route.ts";
import { problem } from "./problem.ts";
import { ServerRoutes } from "./server_routes.ts";

type Method = "get" | "post" | "put" | "head" | "delete";
type Answerer = (request: Request) => Response | Promise<Response>;
type Row = readonly [config: Omit<RouteConfig, "method"> & { method: Method }, answer: Answerer];

const DESCRIPTION =
  "An in-memory key-value cache over HTTP. With a password, every route but /healthz and /readyz wants it as a " +
  "Bearer token or by Basic for the user default. Errors are problem details (RFC 9457), but for /put and /get, " +
  "which speak as the system that they follow.";
const ANY_BYTES = {
  "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
};

const json = (schema: z.ZodType, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
const failure = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: S.Problem } },
});
const plain = (description: string) => ({
  description,
  content: { "text/plain": { schema: z.string() } },
});
const body = (schema: z.ZodType) => ({
  body: { required: true, content: { "application/json": { schema } } },
});

const KEY = z.object({
  key: z.string().describe("percent-encoded; any byte, slashes too").openapi({
    param: { name: "key", in: "path" },
    example: "model:7",
  }),
});
const DATABASE = z.object({
  db: z.int().min(0).max(15).optional().describe("the database, 0 without it"),
});
const TAG_HEADERS = {
  ETag: { description: "of the value's bytes", schema: { type: "string" as const } },
};
const VALUE_HEADERS = {
  ...TAG_HEADERS,
  "Mayfly-TTL": { description: "seconds left", schema: { type: "integer" as const } },
  "Mayfly-PTTL": { description: "milliseconds left", schema: { type: "integer" as const } },
};

/** The document's part of the resource of a key. */
const KEY_CONFIGS: readonly RouteConfig[] = [
  {
    method: "get",
    path: "/v1/keys/{key}",
    tags: ["keys"],
    summary: "The value of a key; HEAD gives the headers alone",
    request: {
      params: KEY,
      query: DATABASE,
      headers: z.object({ "if-none-match": z.string().optional() }),
    },
    responses: {
      200: { description: "the value", headers: VALUE_HEADERS, content: ANY_BYTES },
      304: { description: "the value has the tag of If-None-Match" },
      404: failure("no such key"),
      409: failure("the key holds no string"),
    },
  },
  {
    method: "put",
    path: "/v1/keys/{key}",
    tags: ["keys"],
    summary: "Store the body under a key",
    request: {
      params: KEY,
      query: DATABASE.extend({
        ttl: z.int().positive().optional().describe("seconds to live"),
        pttl: z.int().positive().optional().describe("milliseconds to live"),
        keepttl: z.string().optional().describe("leave the end of life as it is"),
        nx: z.string().optional().describe("only if the key is not there; as If-None-Match: *"),
        xx: z.string().optional().describe("only if the key is there; as If-Match: *"),
      }),
      headers: z.object({
        "if-match": z.string().optional().describe("only if the value has this tag"),
        "if-none-match": z.string().optional().describe("only *"),
      }),
      body: { content: ANY_BYTES },
    },
    responses: {
      201: { description: "stored, the key is new", headers: TAG_HEADERS },
      204: { description: "stored, the key was there", headers: TAG_HEADERS },
      412: failure("the condition does not hold"),
      413: failure("the value is too long"),
      507: failure("there is no memory"),
    },
  },
  {
    method: "delete",
    path: "/v1/keys/{key}",
    tags: ["keys"],
    summary: "Delete a key",
    request: {
      params: KEY,
      query: DATABASE,
      headers: z.object({ "if-match": z.string().optional() }),
    },
    responses: {
      204: { description: "deleted" },
      404: failure("no such key"),
      412: failure("the condition does not hold"),
    },
  },
];

function rows(tools: HttpTools, followed: FollowedRoutes, mget: MgetRoute): Row[] {
  const bulk = new BulkRoutes(tools), server = new ServerRoutes(tools);
  const put = {
    path: "/put",
    tags: ["put and get"],
    summary: "Store a text under a key; ttl, in seconds, is an addition",
    request: body(S.FollowedPut),
    responses: {
      200: json(S.FollowedResult, "stored"),
      400: plain("`Bad request`: no such JSON, or too long"),
    },
  };
  return [
    [{ ...put, method: "post" }, (request) => followed.put(request)],
    [{ ...put, method: "put" }, (request) => followed.put(request)],
    [{
      method: "get",
      path: "/get",
      tags: ["put and get"],
      summary: "The text under a key; a missing one is a 200 with status ERROR",
      request: { query: z.object({ key: z.string() }) },
      responses: {
        200: json(S.FollowedResult, "the value, or `Key not found.`"),
        400: plain("`Key parameter is required`, or `Bad request` for one that is too long"),
      },
    }, (request) => followed.get(request.url)],
    [{
      method: "get",
      path: "/v1/keys",
      tags: ["keys"],
      summary: "Walk over the keys: go on with the cursor until it is 0",
      request: {
        query: DATABASE.extend({
          match: z.string().optional().describe("pattern as of KEYS"),
          cursor: z.string().optional().describe("0 at first"),
          count: z.string().optional().describe("about so many at once, 100 without it"),
          type: z.string().optional(),
        }),
      },
      responses: { 200: json(S.KeysResult, "a page of keys"), 400: failure("a wrong parameter") },
    }, (request) => bulk.keys(request)],
    [{
      method: "post",
      path: "/v1/mget",
      tags: ["bulk"],
      summary: "The values of many keys, null where there is none",
      request: body(S.KeysBody),
      responses: { 200: json(S.ValuesResult, "in the order of the keys") },
    }, (request) => mget.answer(request)],
    [{
      method: "post",
      path: "/v1/mset",
      tags: ["bulk"],
      summary: "Store many keys at one moment",
      request: body(S.EntriesBody),
      responses: {
        200: json(S.StoredResult, "how many"),
        507: failure("there is no memory; if any entry has an end, others of them may be stored"),
      },
    }, (request) => bulk.mset(request)],
    [{
      method: "post",
      path: "/v1/delete",
      tags: ["bulk"],
      summary: "Delete many keys",
      request: body(S.KeysBody),
      responses: { 200: json(S.DeletedResult, "how many were there") },
    }, (request) => bulk.delete(request)],
    [{
      method: "post",
      path: "/v1/command",
      tags: ["commands"],
      summary: "Run any command, or a list of them that share a session",
      request: body(S.CommandBody),
      responses: {
        200: json(
          z.union([S.CommandResult, z.array(S.CommandResult)]),
          "the result; of a list, a result or an error for each command",
        ),
        400: failure("the command was refused; 401, 409, 503 and 507 by the error's first word"),
      },
    }, (request) => bulk.command(request)],
    [{
      method: "get",
      path: "/stats",
      tags: ["server"],
      summary: "What the server did and how fast, as the command STATS tells it",
      responses: { 200: json(S.Stats, "counters, service times, memory") },
    }, () => server.stats()],
    [{
      method: "get",
      path: "/metrics",
      tags: ["server"],
      summary: "The same numbers and more for Prometheus; OpenMetrics if Accept asks for it",
      responses: { 200: plain("one sample a line") },
    }, (request) => server.metrics(request)],
    [{
      method: "get",
      path: "/healthz",
      tags: ["server"],
      summary: "Whether the server is alive; needs no password",
      responses: { 200: json(S.Health, "it is") },
    }, () => server.health()],
    [{
      method: "get",
      path: "/readyz",
      tags: ["server"],
      summary: "Whether it should get requests; needs no password",
      responses: {
        200: json(S.Health, "it should"),
        503: json(S.Health, "not now, for this reason"),
      },
    }, () => server.ready()],
    [{
      method: "get",
      path: "/ws",
      tags: ["commands"],
      summary: "WebSocket: messages of JSON, any number in flight, answered in their order",
      description:
        'A message is {"id": 1, "command": ["GET", "a"]}, and its answer {"id": 1, "result": ...} or {"id": 1, ' +
        '"error": ...}; {"subscribe": "stats"} has {"stats": ...} sent each second, {"subscribe": "dashboard"} what ' +
        "the page at / shows, the last 15 minutes first.",
      request: body(S.SocketRequest),
      responses: { 101: { description: "switching protocols" }, 426: failure("no WebSocket") },
    }, () => problem("upgrade-required", "ask for an upgrade", { upgrade: "websocket" })],
  ];
}

/** The application: `fetch()` answers every route, those with a short-cut too. */
export function createApiApp(
  tools: HttpTools,
  followed: FollowedRoutes,
  mget: MgetRoute,
): OpenAPIHono {
  const app = new OpenAPIHono({ strict: true });
  const methods = new Map<string, string[]>();
  for (const [config, answer] of rows(tools, followed, mget)) {
    app.openAPIRegistry.registerPath(createRoute(config));
    app.on(config.method, config.path, (c) => answer(c.req.raw));
    methods.set(config.path, [...methods.get(config.path) ?? [], config.method.toUpperCase()]);
  }
  for (const config of KEY_CONFIGS) app.openAPIRegistry.registerPath(config);

  let document: object | null = null;
  const openDocument = () =>
    document ??= app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: "mayfly", version: VERSION, description: DESCRIPTION },
    });
  app.get("/openapi.json", () => Response.json(openDocument()));
  app.get("/docs", () => new Response(documentPage(openDocument()), { headers: PAGE_HEADERS }));
  methods.set("/openapi.json", ["GET"]).set("/docs", ["GET"]);
  const dashboard = new DashboardAssets();
  for (const path of DASHBOARD_PATHS) {
    app.get(path, (c) => dashboard.answer(path, c.req.raw));
    methods.set(path, ["GET"]);
  }

  for (const [path, allowed] of methods) {
    const allow = [...allowed, ...allowed.includes("GET") ? ["HEAD"] : [], "OPTIONS"].join(", ");
    app.all(path, (c) => {
      if (c.req.method === "OPTIONS") {
        return new Response(null, { status: 204, headers: { allow } });
      }
      // The followed system knows no 405: what it has no answer to is not supported.
      if (path === "/put" || path === "/get" || path === "/") return unsupported();
      return problem("method-not-allowed", `allowed here: ${allow}`, { allow });
    });
  }
  app.notFound((c) =>
    c.req.path.startsWith("/v1/")
      ? problem("not-found", "GET /docs lists the routes")
      : unsupported()
  );
  return app;
}
