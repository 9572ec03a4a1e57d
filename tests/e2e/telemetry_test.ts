// OpenTelemetry by the runtime's own switches: a collector in this process gets the server's spans.
import assert from "node:assert/strict";
import { freePort, startServer } from "../support/server.ts";

const WAIT_MS_MAX = 30_000;

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}
interface Span {
  readonly name: string;
  readonly attributes: readonly Attribute[];
}
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

const attribute = (attributes: readonly Attribute[], name: string) =>
  attributes.find(({ key }) => key === name)?.value.stringValue;

Deno.test("OTEL_DENO=true has each request told as a span that is named after its route", async () => {
  const spans: Span[] = [], services = new Set<string | undefined>();
  const port = freePort();
  const collector = Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {} },
    async (request) => {
      if (new URL(request.url).pathname === "/v1/traces") {
        for (const { resource, scopeSpans } of (await request.json() as Export).resourceSpans) {
          services.add(attribute(resource.attributes, "service.name"));
          spans.push(...scopeSpans.flatMap((scope) => scope.spans));
        }
      } else await request.body?.cancel();
      return Response.json({});
    },
  );
  try {
    await using server = await startServer({
      workers: 1,
      env: {
        OTEL_DENO: "true",
        OTEL_SERVICE_NAME: "mayfly",
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_BSP_SCHEDULE_DELAY: "100",
      },
    });
    const asked: readonly [method: string, path: string, name: string, body?: string][] = [
      ["PUT", "/v1/keys/secret:1?ttl=60", "PUT /v1/keys/{key}", "abc"],
      ["GET", "/v1/keys/secret:1", "GET /v1/keys/{key}"],
      ["GET", "/v1/keys/secret%2F2", "GET /v1/keys/{key}"],
      ["POST", "/put", "POST /put", '{"key":"secret:3","value":"1"}'],
      ["GET", "/get?key=secret:3", "GET /get"],
      ["GET", "/get?key=secret:3&x=1", "GET /get"],
      ["GET", "/healthz", "GET /healthz"],
      ["GET", "/dashboard/nosuch.js", "GET /dashboard/{file}"],
      ["GET", "/nosuch/secret:4", "GET"],
    ];
    for (const [method, path, , body = null] of asked) {
      const answer = await fetch(`http://127.0.0.1:${server.httpPort}${path}`, { method, body });
      await answer.body?.cancel();
    }
    for (let waitedMs = 0; spans.length < asked.length && waitedMs < WAIT_MS_MAX; waitedMs += 50) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const names = asked.map(([, , name]) => name);
    assert.deepEqual(spans.map(({ name }) => name).sort(), names.sort());
    for (const { name, attributes } of spans) {
      assert.equal(attribute(attributes, "http.route"), name.split(" ")[1]);
    }
    assert.deepEqual([...services], ["mayfly"]);
  } finally {
    await collector.shutdown();
  }
});
