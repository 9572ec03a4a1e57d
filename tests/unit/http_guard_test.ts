// Who HTTP answers: passwords, names, addresses, pages of other origins; and bodies that are anything at all.
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formDecode,
  percentDecode,
  queryParameter,
} from "../../src/server/http/percent_decoding.ts";
import { HttpPath } from "../support/http_path.ts";

const BASIC = (text: string) => `Basic ${new TextEncoder().encode(text).toBase64()}`;

async function typeOf(response: Response): Promise<string> {
  return (await response.json()).type.replace("urn:mayfly:problem:", `${response.status} `);
}

Deno.test("HTTP wants the password as Bearer or Basic, but for the probes", async () => {
  const http = new HttpPath({ password: "gehëim:x" });
  const get = (authorization?: string, path = "/v1/keys/a") =>
    http.request(path, authorization === undefined ? {} : { headers: { authorization } });
  const latin1 = String.fromCharCode(...new TextEncoder().encode("gehëim:x"));
  for (const right of [`Bearer ${latin1}`, `bearer ${latin1}`, BASIC("default:gehëim:x")]) {
    assert.equal((await get(right)).status, 404, right);
  }
  const wrong = [
    "Bearer gehëim",
    "Bearer",
    "Basic",
    "Basic !!!",
    BASIC("gehëim:x"),
    BASIC("other:gehëim:x"),
  ];
  for (const header of [undefined, "", "Digest x", ...wrong, BASIC("default:"), BASIC("default")]) {
    const answer = await get(header);
    assert.match(answer.headers.get("www-authenticate")!, /^Basic .*Bearer /);
    assert.equal(await typeOf(answer), "401 unauthorized", header);
  }
  for (
    const path of [
      "/get?key=a",
      "/put",
      "/stats",
      "/v1/command",
      "/openapi.json",
      "/docs",
      "/nosuch",
    ]
  ) {
    assert.equal((await get(undefined, path)).status, 401, path);
  }
  assert.equal((await get(undefined, "/healthz")).status, 200);
  assert.equal((await get(undefined, "/readyz?x=1")).status, 200);
});

Deno.test("without a password HTTP answers to addresses and localhost only, a name may lead a browser astray", async () => {
  const http = new HttpPath();
  const get = (host: string) => http.request(`http://${host}/get?key=a`);
  for (
    const host of [
      "127.0.0.1:7171",
      "localhost:1",
      "[::1]:7171",
      "LOCALHOST",
      "10.0.0.5",
      "a.localhost",
    ]
  ) {
    assert.equal((await get(host)).status, 200, host);
    assert.equal((await get("evil.example")).status, 403, "also right after one that was allowed");
  }
  for (
    const host of ["localhost.evil.example", "127.0.0.1.evil.example", "a b", "", "x@127.0.0.1"]
  ) {
    assert.equal(await typeOf(await get(host)), "403 host-refused", host);
  }
  for (const open of [{ password: "x" }, { config: { protectedMode: false } }]) {
    const answer = await new HttpPath(open).request("http://cache.example/healthz");
    assert.equal(answer.status, 200);
  }
  const config = { hosts: ["cache.internal"] };
  assert.equal(
    (await new HttpPath({ config }).request("http://cache.internal:7171/healthz")).status,
    200,
  );
});

Deno.test("without a password HTTP refuses clients of other machines, unless protected mode is off", async () => {
  const far = (config: object, remoteHost = "10.0.0.9") =>
    new HttpPath({ config, remoteHost }).request("/healthz");
  assert.equal(await typeOf(await far({ listensBeyondLoopback: true })), "403 protected-mode");
  assert.equal((await far({ listensBeyondLoopback: true, protectedMode: false })).status, 200);
  assert.equal((await far({ listensBeyondLoopback: true }, "127.0.0.1")).status, 200);
  assert.equal((await far({ listensBeyondLoopback: true }, "::1")).status, 200);
});

Deno.test("a page of another origin cannot write, whatever it sends", async () => {
  const http = new HttpPath();
  const body = '{"key":"a","value":"1"}';
  const foreign: Record<string, string>[] = [
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: "http://127.0.0.1:3000" },
    { origin: "http://127.0.0.1" },
    { origin: "http://127.0.0.1:7171.evil.example" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ];
  const types = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
  ];
  for (const headers of foreign) {
    for (const type of [...types, "application/json"]) {
      for (
        const [method, path] of [
          ["POST", "/put"],
          ["PUT", "/put"],
          ["PUT", "/v1/keys/a"],
          ["DELETE", "/v1/keys/a"],
          ["POST", "/v1/command"],
          ["POST", "/v1/mset"],
          ["POST", "/v1/delete"],
          ["GET", "/ws"],
        ]
      ) {
        const init = { method, headers: { ...headers, "content-type": type } };
        const answer = await http.request(path, method === "GET" ? init : { ...init, body });
        assert.equal(await typeOf(answer), "403 origin-refused", `${method} ${path}`);
      }
    }
  }
  const preflight = await http.request("/put", {
    method: "OPTIONS",
    headers: { origin: "http://evil.example", "access-control-request-method": "POST" },
  });
  assert.equal(await typeOf(preflight), "403 origin-refused");
  const read = await http.request("/get?key=a", { headers: { origin: "http://evil.example" } });
  assert.deepEqual(
    [read.status, read.headers.get("access-control-allow-origin")],
    [200, null],
    "the page gets no leave to look at it",
  );
  assert.equal((await read.json()).status, "ERROR", "nothing was written");
  for (const origin of ["http://127.0.0.1:7171", "https://127.0.0.1:7171"]) {
    const headers = { origin, "sec-fetch-site": "same-origin" };
    assert.equal((await http.request("/put", { method: "POST", headers, body })).status, 200);
  }
});

Deno.test("--http-cors lets pages of its origins in, and no others", async () => {
  const own = "https://app.example";
  const http = new HttpPath({ config: { httpOrigins: [own] } });
  const send = (origin: string, method: string, headers: Record<string, string> = {}) =>
    http.request("/v1/keys/a", {
      method,
      headers: { origin, ...headers },
      ...method === "PUT" ? { body: "1" } : {},
    });
  const preflight = await send(own, "OPTIONS", { "access-control-request-method": "PUT" });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-origin"), own);
  assert.match(preflight.headers.get("access-control-allow-methods")!, /PUT.*DELETE/);
  assert.match(preflight.headers.get("access-control-allow-headers")!, /authorization.*if-match/);
  const put = await send(own, "PUT");
  assert.deepEqual([put.status, put.headers.get("access-control-allow-origin")], [201, own]);
  assert.match(put.headers.get("access-control-expose-headers")!, /etag/);
  assert.equal(put.headers.get("vary"), "origin");
  const get = await send(own, "GET");
  assert.equal(get.headers.get("access-control-allow-origin"), own);
  assert.equal((await send("https://evil.example", "PUT")).status, 403);
  const foreign = await send("https://evil.example", "GET");
  assert.equal(foreign.headers.get("access-control-allow-origin"), null);
  const any = new HttpPath({ config: { httpOrigins: ["*"] } });
  const open = await any.request("/get?key=a", { headers: { origin: "https://evil.example" } });
  assert.equal(open.headers.get("access-control-allow-origin"), "https://evil.example");
  const locked = new HttpPath({ password: "x", config: { httpOrigins: [own] } });
  const headers = { origin: own, "access-control-request-method": "PUT" };
  const asked = await locked.request("/v1/keys/a", { method: "OPTIONS", headers });
  assert.equal(asked.status, 204, "a preflight brings no password");
});

Deno.test("percentDecode() is the inverse of encoding every byte, and refuses what is not whole", () => {
  const encode = (bytes: Uint8Array) =>
    Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    assert.deepEqual(percentDecode(encode(bytes)), bytes);
    assert.deepEqual(percentDecode(encode(bytes).toUpperCase()), bytes);
  }));
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const encoded = encodeURIComponent(text.toWellFormed());
    assert.equal(
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(percentDecode(encoded)!),
      text.toWellFormed(),
    );
    assert.deepEqual(
      formDecode(new URLSearchParams([["k", text]]).toString().slice(2)),
      percentDecode(encoded),
    );
  }));
  for (const text of ["%", "a%", "%a", "%g0", "%0g", "%%20"]) {
    assert.equal(percentDecode(text), null, text);
  }
  assert.equal(new TextDecoder().decode(formDecode("a%+%4x%41")), "a% %4xA");
});

Deno.test("queryParameter() finds what URLSearchParams finds first", () => {
  const part = fc.constantFrom("key", "k", "", "keys", "x", "=", "a=b");
  fc.assert(fc.property(fc.array(fc.tuple(part, part), { maxLength: 4 }), (pairs) => {
    const query = pairs.map(([name, value]) => `${name}=${value}`).join("&");
    const expected = new URLSearchParams(query).get("key");
    assert.equal(queryParameter(`http://h/get?${query}`, "key"), expected);
  }));
  assert.equal(queryParameter("http://h/get", "key"), null);
});

Deno.test("HTTP answers any request for any route, and goes on answering", async () => {
  const http = new HttpPath();
  const hex = "0123456789abcdefABCDEFxyz%/?&=#.;:@+ \"'<>\\{}[]";
  const path = fc.oneof(
    fc.constantFrom(
      "/put",
      "/get",
      "/v1/keys",
      "/v1/mget",
      "/v1/mset",
      "/v1/command",
      "/v1/delete",
      "/stats",
    ),
    fc.string({ unit: fc.constantFrom(...hex), maxLength: 30 }).map((text) => `/v1/keys/${text}`),
    fc.string({ unit: fc.constantFrom(...hex), maxLength: 30 }).map((text) => `/${text}`),
    fc.string({ unit: fc.constantFrom(...hex), maxLength: 30 }).map((text) => `/get?key=${text}`),
    fc.string({ unit: fc.constantFrom(...hex), maxLength: 30 }).map((text) => `/v1/keys?${text}`),
  );
  const names = [
    "if-match",
    "if-none-match",
    "content-type",
    "origin",
    "authorization",
    "upgrade",
    "sec-fetch-site",
  ];
  const value = fc.oneof(
    fc.constantFrom(
      "*",
      '"x"',
      "application/json",
      "websocket",
      "http://127.0.0.1:7171",
      "Basic x",
      ",",
    ),
    fc.string({ unit: fc.constantFrom(...'abc*",/ ='), maxLength: 10 }),
  );
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((each) => new Uint8Array(each)),
    fc.json(),
    fc.constantFrom(
      '["GET","a"]',
      '["SET","a"',
      '{"keys":["a"]}',
      '{"entries":[{"key":"a","value":"b"}]}',
    ),
    fc.array(fc.oneof(fc.string(), fc.double(), fc.constant(null)), { maxLength: 4 }).map((each) =>
      JSON.stringify(each)
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"),
      path,
      fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 3 }),
      body,
      async (method, path, headers, body) => {
        const hasBody = method !== "GET" && method !== "HEAD";
        const init = { method, headers: Object.fromEntries(headers), ...hasBody ? { body } : {} };
        const answer = await http.request(path, init);
        // 500 is for what nobody thought of; commands such as CLIENT PAUSE are not among these.
        assert.ok(
          answer.status >= 200 && answer.status !== 500,
          `${method} ${path}: ${answer.status}`,
        );
        await answer.arrayBuffer();
      },
    ),
    { numRuns: 400 },
  );
  assert.equal((await http.request("/healthz")).status, 200);
});
