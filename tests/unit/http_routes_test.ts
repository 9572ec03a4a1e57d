// The routes of HTTP over a store of their own, without a socket: statuses, bodies, headers, byte for byte.
import assert from "node:assert/strict";
import { COUNTER } from "../../src/metrics.ts";
import { HttpPath } from "../support/http_path.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

async function told(response: Response): Promise<[number, string]> {
  return [response.status, await response.text()];
}

/** Status and type of a problem, whose shape is looked at. */
async function problemOf(response: Response): Promise<[number, string]> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const { type, title, status, detail } = await response.json();
  assert.equal(status, response.status);
  assert.ok(title.length > 0 && detail.length > 0);
  return [status, type.replace(/^urn:mayfly:problem:/, "")];
}

Deno.test("/put and /get answer byte for byte as the system they follow", async () => {
  const http = new HttpPath();
  const stored = '{"status":"OK","message":"Key inserted/updated successfully."}';
  const put = (body: string, method = "POST") => http.request("/put", { method, body });
  assert.deepEqual(await told(await put('{"key":"a","value":"1"}')), [200, stored]);
  assert.deepEqual(await told(await put('{"key":"ä \\"","value":"ü\\n"}', "PUT")), [200, stored]);
  assert.deepEqual(
    await told(await http.request("/get?key=a")),
    [200, '{"status":"OK","key":"a","value":"1"}'],
  );
  const umlaut = await http.request(
    `/get?x=1&key=${encodeURIComponent('ä "').replace("%20", "+")}`,
  );
  assert.equal(umlaut.headers.get("content-type"), "application/json");
  assert.deepEqual(await umlaut.json(), { status: "OK", key: 'ä "', value: "ü\n" });
  assert.deepEqual(
    await told(await http.request("/get?key=nosuch")),
    [200, '{"status":"ERROR","message":"Key not found."}'],
  );
  for (const path of ["/get", "/get?", "/get?key=", "/get?key", "/get?keys=a", "/get?&"]) {
    assert.deepEqual(
      await told(await http.request(path)),
      [400, "Key parameter is required"],
      path,
    );
  }
  const wrong = [
    "",
    "{",
    "[]",
    "null",
    '"a"',
    '{"key":"a"}',
    '{"key":"","value":"1"}',
    '{"key":1,"value":"1"}',
    '{"key":"a","value":1}',
    '{"key":"a","value":"\\ud800"}',
    '{"key":"a","value":"1","ttl":0}',
    '{"key":"a","value":"1","ttl":"5"}',
    '{"key":"a","value":"1","ttl":1e300}',
    '{"key":"a","value":"1","ttl":null}',
    `{"key":"${"k".repeat(32_769)}","value":"1"}`,
  ];
  for (const body of wrong) {
    assert.deepEqual(await told(await put(body)), [400, "Bad request"], body);
  }
  const broken = await http.request("/put", { method: "POST", body: bytes(0x22, 0xff, 0x22) });
  assert.deepEqual(await told(broken), [400, "Bad request"]);
  for (
    const [path, method] of [["/", "POST"], ["/nosuch", "GET"], ["/put", "GET"], ["/get", "POST"]]
  ) {
    const answer = await http.request(path, { method });
    assert.deepEqual(await told(answer), [404, "Unsupported request"], `${method} ${path}`);
  }
  assert.deepEqual(
    await told(await http.request("/get?key=a")),
    [200, '{"status":"OK","key":"a","value":"1"}'],
    "what was refused changed nothing",
  );
});

Deno.test("/put takes a ttl in seconds, and with --text-dialect hld 256 bytes at most", async () => {
  const http = new HttpPath({ config: { textDialect: "hld" } });
  const put = (body: object) => http.post("/put", body);
  assert.equal((await put({ key: "t", value: "1", ttl: 1.5 })).status, 200);
  const pttl = Number((await http.request("/v1/keys/t")).headers.get("mayfly-pttl"));
  assert.ok(pttl > 500 && pttl <= 1500, String(pttl));
  const longest = "ü".repeat(128);
  assert.equal((await put({ key: longest, value: longest })).status, 200);
  assert.equal((await put({ key: longest, value: `${longest}x` })).status, 400);
  assert.equal((await put({ key: `${longest}x`, value: "" })).status, 400);
  assert.equal((await http.request(`/get?key=${"x".repeat(257)}`)).status, 400);
});

Deno.test("/v1/keys/{key} stores, gives, tells and deletes bytes of any kind", async () => {
  const http = new HttpPath(), path = "/v1/keys/a%2Fb/c%00%ff?";
  const value = bytes(0, 255, 10, 13, 128);
  const put = await http.request(path, { method: "PUT", body: value });
  assert.deepEqual(await told(put), [201, ""]);
  assert.equal((await http.request(path, { method: "PUT", body: value })).status, 204);
  const got = await http.request("/v1/keys/%61/b/c%00%FF");
  assert.equal(got.status, 200);
  assert.equal(got.headers.get("content-type"), "application/octet-stream");
  assert.equal(got.headers.get("x-content-type-options"), "nosniff");
  assert.equal(got.headers.get("mayfly-ttl"), null);
  assert.equal(got.headers.get("etag"), put.headers.get("etag"));
  assert.deepEqual(await got.bytes(), value);
  const head = await http.request(path, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "5");
  assert.deepEqual(await told(head), [200, ""]);
  assert.deepEqual(await told(await http.request(path, { method: "DELETE" })), [204, ""]);
  assert.deepEqual(await problemOf(await http.request(path)), [404, "key-not-found"]);
  assert.deepEqual(
    await problemOf(await http.request(path, { method: "DELETE" })),
    [404, "key-not-found"],
  );
  // The empty key is one like any other.
  assert.equal((await http.request("/v1/keys/", { method: "PUT", body: "" })).status, 201);
  assert.deepEqual(await told(await http.request("/v1/keys/")), [200, ""]);
  for (const bad of ["/v1/keys/%", "/v1/keys/a%4", "/v1/keys/%zz"]) {
    assert.deepEqual(await problemOf(await http.request(bad)), [400, "bad-request"], bad);
  }
  const long = `/v1/keys/${"x".repeat(32_769)}`;
  assert.deepEqual(await problemOf(await http.request(long)), [400, "command-error"]);
  const longPut = await http.request(long, { method: "PUT", body: "1" });
  assert.deepEqual(await problemOf(longPut), [400, "bad-request"]);
});

Deno.test("/v1/keys/{key} gives large values whole, and their tags", async () => {
  const http = new HttpPath();
  for (const size of [16_384, 16_385, 70_000, 262_144, 262_145, 3_000_001]) {
    const value = new Uint8Array(size).map((_, i) => (i * 31 + (i >> 8)) & 255);
    const put = await http.request("/v1/keys/v", { method: "PUT", body: value });
    assert.ok(put.status === 201 || put.status === 204, String(put.status));
    const got = await http.request("/v1/keys/v"),
      head = await http.request("/v1/keys/v", { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), String(size));
    const tag = put.headers.get("etag")!;
    assert.match(tag, /^"[0-9a-f]{24}"$/);
    assert.deepEqual([got.headers.get("etag"), head.headers.get("etag")], [tag, tag], String(size));
    const known = await http.request("/v1/keys/v", { headers: { "if-none-match": `"a", ${tag}` } });
    assert.deepEqual([known.status, known.headers.get("etag")], [304, tag]);
    // Without its length said beforehand it is gathered, not staged: the tag is that of the bytes.
    const stream = new Blob([value]).stream();
    const gathered = await http.request("/v1/keys/g", { method: "PUT", body: stream });
    assert.equal(gathered.headers.get("etag"), tag, String(size));
    await http.request("/v1/keys/g", { method: "DELETE" });
    assert.ok((await got.bytes()).every((byte, i) => byte === value[i]));
    const json = await http.post("/v1/command", ["GET", "v"]);
    const { result } = await json.json();
    assert.deepEqual(Uint8Array.fromBase64(result.base64), value);
    const stored = await (await http.request("/get?key=v")).json();
    assert.equal(stored.value.base64, result.base64);
  }
  const text = 'ä€𝄞"\\\n'.repeat(200_000);
  await http.request("/v1/keys/v", { method: "PUT", body: text });
  assert.equal((await (await http.request("/get?key=v")).json()).value, text);
  const { values } = await (await http.post("/v1/mget", { keys: ["v", "nosuch", "v"] })).json();
  assert.ok(values[0] === text && values[1] === null && values[2] === text);
  const info = await (await http.post("/v1/command", ["INFO", "memory"])).json();
  assert.match(info.result, /\r\npinned_blocks:0\r\n/);
});

Deno.test("PUT of a key takes an end of life in seconds or milliseconds, and keeps it if asked", async () => {
  const http = new HttpPath();
  const put = (query: string) => http.request(`/v1/keys/a?${query}`, { method: "PUT", body: "1" });
  assert.equal((await put("ttl=100")).status, 201);
  const got = await http.request("/v1/keys/a");
  assert.equal(got.headers.get("mayfly-ttl"), "100");
  assert.ok(Number(got.headers.get("mayfly-pttl")) > 99_000);
  assert.equal((await put("keepttl")).status, 204);
  assert.equal((await http.request("/v1/keys/a")).headers.get("mayfly-ttl"), "100");
  assert.equal((await put("pttl=50000")).status, 204);
  assert.equal((await http.request("/v1/keys/a")).headers.get("mayfly-ttl"), "50");
  assert.equal((await put("")).status, 204);
  assert.equal((await http.request("/v1/keys/a")).headers.get("mayfly-ttl"), null);
  const wrong = [
    "ttl=0",
    "ttl=-1",
    "ttl=x",
    "ttl=",
    "ttl=1&pttl=1",
    "ttl=1&keepttl",
    "ttl=1&ttl=2",
  ];
  for (const query of [...wrong, "nosuch=1", "nx&xx", "ttl=1.5"]) {
    assert.deepEqual(await problemOf(await put(query)), [400, "bad-request"], query);
  }
  assert.deepEqual(await problemOf(await put("ttl=9999999999999999")), [400, "command-error"]);
});

Deno.test("PUT and DELETE of a key hold their conditions, and change nothing where they fail", async () => {
  const http = new HttpPath();
  const change = (method: string, query: string, headers: HeadersInit, body = "new") =>
    http.request(`/v1/keys/a${query}`, { method, headers, ...method === "PUT" ? { body } : {} });
  const refused: [number, string] = [412, "condition-failed"];
  assert.deepEqual(await problemOf(await change("PUT", "?xx", {})), refused);
  assert.deepEqual(await problemOf(await change("PUT", "", { "if-match": "*" })), refused);
  assert.deepEqual(await problemOf(await change("PUT", "", { "if-match": '"x"' })), refused);
  assert.deepEqual(await problemOf(await change("DELETE", "", { "if-match": "*" })), refused);
  assert.equal((await change("PUT", "?nx", {}, "one")).status, 201);
  assert.deepEqual(await problemOf(await change("PUT", "?nx", {})), refused);
  assert.deepEqual(await problemOf(await change("PUT", "", { "if-none-match": "*" })), refused);
  const first = (await http.request("/v1/keys/a")).headers.get("etag")!;
  assert.equal((await change("PUT", "", { "if-match": `"x", ${first}` }, "two")).status, 204);
  assert.deepEqual(await problemOf(await change("PUT", "", { "if-match": first })), refused);
  assert.deepEqual(await problemOf(await change("DELETE", "", { "if-match": first })), refused);
  assert.deepEqual(await problemOf(await change("PUT", "?nx", { "if-match": first })), [
    400,
    "bad-request",
  ]);
  assert.equal((await change("PUT", "", { "if-none-match": '"x"' })).status, 400);
  const got = await http.request("/v1/keys/a");
  assert.equal(await got.text(), "two");
  const second = got.headers.get("etag")!;
  const known = await http.request("/v1/keys/a", { headers: { "if-none-match": `W/${second}` } });
  assert.deepEqual(await told(known), [304, ""]);
  assert.equal(known.headers.get("etag"), second);
  // A weak tag never holds for a change.
  assert.equal((await change("PUT", "", { "if-match": `W/${second}` })).status, 412);
  assert.equal((await change("DELETE", "", { "if-match": second })).status, 204);
  assert.equal((await http.request("/v1/keys/a")).status, 404);
});

Deno.test("PUT and DELETE of a large value hold If-Match, too, and change nothing where it fails", async () => {
  const http = new HttpPath(), path = "/v1/keys/v?db=2";
  const value = (fill: number, size = 1_000_000) => new Uint8Array(size).fill(fill);
  const put = (body: Uint8Array<ArrayBuffer>, tag?: string) =>
    http.request(path, {
      method: "PUT",
      body,
      headers: tag === undefined ? {} : { "if-match": tag },
    });
  const first = (await put(value(1))).headers.get("etag")!;
  const second = await put(value(2, 1_000_001), first);
  assert.equal(second.status, 204);
  assert.deepEqual(await problemOf(await put(value(3), first)), [412, "condition-failed"]);
  const tag = second.headers.get("etag")!;
  const both = await Promise.all([put(value(4), tag), put(value(5), tag), put(value(6, 10), tag)]);
  assert.deepEqual(
    both.map(({ status }) => status).sort(),
    [204, 412, 412],
    "one of them was first",
  );
  assert.equal((await put(value(7))).status, 204);
  const last = (await http.request(path, { method: "HEAD" })).headers.get("etag")!;
  const remove = (tag: string) =>
    http.request(path, { method: "DELETE", headers: { "if-match": tag } });
  assert.equal((await remove(tag)).status, 412);
  assert.equal((await remove(last)).status, 204);
  assert.equal((await remove(last)).status, 412, "it is gone");
  const info = await (await http.post("/v1/command", ["INFO", "memory"])).json();
  assert.match(info.result, /\r\npinned_blocks:0\r\n/);
});

Deno.test("of many PUTs with one tag exactly one succeeds", async () => {
  const http = new HttpPath();
  await http.request("/v1/keys/n", { method: "PUT", body: "0" });
  const tag = (await http.request("/v1/keys/n")).headers.get("etag")!;
  const statuses = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const headers = { "if-match": tag };
    return (await http.request("/v1/keys/n", { method: "PUT", body: `v${i}`, headers })).status;
  }));
  assert.deepEqual(statuses.filter((status) => status === 204).length, 1);
  assert.deepEqual(statuses.filter((status) => status === 412).length, 19);
});

Deno.test("/v1/mget, mset and delete take texts and base64", async () => {
  const http = new HttpPath();
  const entries = [
    { key: "a", value: "ä" },
    { key: { base64: "/w==" }, value: { base64: "AP8=" } },
    { key: "b", value: "" },
  ];
  assert.deepEqual(await (await http.post("/v1/mset", { entries })).json(), { stored: 3 });
  const keys = ["a", { base64: "/w==" }, "nosuch", "b", "a"];
  assert.deepEqual(await (await http.post("/v1/mget", { keys })).json(), {
    values: ["ä", { base64: "AP8=" }, null, "", "ä"],
  });
  const withEnds = [{ key: "t", value: "1", ttl: 100 }, { key: "u", value: "2", pttl: 50_000 }];
  assert.deepEqual(await (await http.post("/v1/mset", { entries: withEnds })).json(), {
    stored: 2,
  });
  assert.equal((await http.request("/v1/keys/u")).headers.get("mayfly-ttl"), "50");
  const halfWrong = [{ key: "v", value: "1", ttl: 100 }, { key: "w".repeat(40_000), value: "2" }];
  assert.equal((await http.post("/v1/mset", { entries: halfWrong })).status, 400);
  assert.equal((await http.request("/v1/keys/v")).status, 404, "all of them or none");
  assert.deepEqual(await (await http.post("/v1/delete", { keys })).json(), { deleted: 3 });
  const wrong: unknown[] = [
    {},
    { keys: [] },
    { keys: "a" },
    { keys: [1] },
    { keys: [{ base64: "?" }] },
    { keys: ["a"], more: 1 },
    { keys: ["\ud800"] },
  ];
  for (const body of wrong) {
    const answer = await http.post("/v1/mget", body);
    assert.deepEqual(await problemOf(answer), [400, "bad-request"], JSON.stringify(body));
  }
  for (
    const entry of [{ key: "a" }, { key: "a", value: "1", ttl: 0 }, {
      key: "a",
      value: "1",
      ttl: 1,
      pttl: 1,
    }]
  ) {
    const answer = await http.post("/v1/mset", { entries: [entry] });
    assert.deepEqual(await problemOf(answer), [400, "bad-request"], JSON.stringify(entry));
  }
});

Deno.test("?db= means another database, in every request to keys", async () => {
  const http = new HttpPath();
  const put = await http.request("/v1/keys/k?db=3&ttl=100", { method: "PUT", body: "three" });
  assert.equal(put.status, 201);
  const tag = put.headers.get("etag")!;
  assert.equal((await http.request("/v1/keys/k")).status, 404);
  assert.equal(await (await http.request("/v1/keys/k?db=3")).text(), "three");
  assert.deepEqual(await (await http.request("/v1/keys?db=3")).json(), {
    cursor: "0",
    keys: ["k"],
  });
  assert.deepEqual(await (await http.request("/v1/keys")).json(), { cursor: "0", keys: [] });
  const change = { method: "PUT", body: "changed", headers: { "if-match": tag } };
  assert.equal((await http.request("/v1/keys/k", change)).status, 412);
  assert.equal((await http.request("/v1/keys/k?db=3", change)).status, 204);
  await http.post("/v1/command", ["SWAPDB", "0", "3"]);
  assert.equal(await (await http.request("/v1/keys/k")).text(), "changed");
  assert.equal((await http.request("/v1/keys/k?db=3")).status, 404);
  assert.equal((await http.request("/v1/keys/k?db=0", { method: "DELETE" })).status, 204);
  for (const wrong of ["16", "-1", "", "a", "1.0", "001"]) {
    for (const path of ["/v1/keys/k", "/v1/keys"]) {
      const answer = await http.request(`${path}?db=${wrong}`);
      assert.deepEqual(await problemOf(answer), [400, "bad-request"], `${path} ${wrong}`);
    }
  }
});

Deno.test("/v1/keys walks over all keys in pages", async () => {
  const http = new HttpPath();
  const entries = Array.from({ length: 500 }, (_, i) => ({ key: `k:${i}`, value: "" }));
  await http.post("/v1/mset", { entries });
  await http.request("/v1/keys/%ff", { method: "PUT", body: "" });
  const found = new Set<string>();
  let cursor = "0", pages = 0;
  do {
    const page = await (await http.request(`/v1/keys?match=k%3A*&count=50&cursor=${cursor}`))
      .json();
    for (const key of page.keys) found.add(key);
    cursor = page.cursor;
    pages++;
  } while (cursor !== "0" && pages < 1000);
  assert.deepEqual([found.size, pages > 2], [500, true]);
  const all = await (await http.request("/v1/keys?count=9999")).json();
  assert.ok(all.keys.some((key: unknown) => JSON.stringify(key) === '{"base64":"/w=="}'));
  for (const query of ["cursor=x", "count=0", "count=x", "match=%f"]) {
    assert.deepEqual(await problemOf(await http.request(`/v1/keys?${query}`)), [
      400,
      "bad-request",
    ]);
  }
});

Deno.test("/v1/command runs one command or many, whose errors have statuses or stand beside results", async () => {
  const http = new HttpPath();
  const run = (body: unknown) => http.post("/v1/command", body);
  assert.deepEqual(await (await run(["SET", "n", 41])).json(), { result: "OK" });
  assert.deepEqual(
    await (await run([["INCR", "n"], ["GET"], ["GET", "no"], ["TIME", "x"]])).json(),
    [
      { result: 42 },
      { error: "ERR wrong number of arguments for 'get' command" },
      { result: null },
      { error: "ERR wrong number of arguments for 'time' command" },
    ],
  );
  // A list shares a session; two requests do not.
  const selected = await run([["SELECT", 3], ["SET", "only", "3"], ["GET", "only"]]);
  assert.deepEqual((await selected.json()).at(-1), { result: "3" });
  assert.deepEqual(await (await run(["GET", "only"])).json(), { result: null });
  assert.deepEqual(await (await run(["CLIENT", "REPLY", "OFF"])).json(), { result: null });
  assert.deepEqual(await (await run([["PING"], ["QUIT"], ["PING"]])).json(), [
    { result: "PONG" },
    { result: "OK" },
  ]);
  assert.deepEqual(await problemOf(await run(["NOSUCH"])), [400, "command-error"]);
  await run(["SET", "n", "9223372036854775800"]);
  assert.deepEqual(await (await run(["INCR", "n"])).json(), { result: "9223372036854775801" });
  for (
    const body of [[], [[]], ["GET", null], [["GET"], "GET"], {}, "GET", ["GET", ["a"]], 5, null]
  ) {
    assert.deepEqual(await problemOf(await run(body)), [400, "bad-request"], JSON.stringify(body));
  }
  const many = Array.from({ length: 3000 }, (_, i) => ["SET", `m${i}`, "x".repeat(i % 50)]);
  const replies = await (await run([...many, ["DBSIZE"]])).json();
  assert.equal(replies.length, 3001);
  assert.deepEqual(replies.at(-1), { result: 3001 });
});

Deno.test("routes of JSON refuse other types, bodies that are none, and too long ones", async () => {
  const http = new HttpPath();
  const send = (body: BodyInit, type = "application/json", path = "/v1/mget") =>
    http.request(path, { method: "POST", body, headers: { "content-type": type } });
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "text/json", ""]) {
    assert.deepEqual(
      await problemOf(await send('{"keys":["a"]}', type)),
      [415, "media-type"],
      type,
    );
  }
  for (
    const type of ["application/json; charset=utf-8", "application/vnd.x+json", "Application/JSON"]
  ) {
    assert.equal((await send('{"keys":["a"]}', type)).status, 200, type);
  }
  assert.deepEqual(await problemOf(await send("{")), [400, "bad-request"]);
  assert.deepEqual(await problemOf(await send(bytes(0x22, 0xff, 0x22))), [400, "bad-request"]);
  const long = await send("[".repeat(16_777_217));
  assert.deepEqual(await problemOf(long), [413, "body-too-large"]);
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1_000_000).fill(32)),
  });
  assert.deepEqual(await problemOf(await send(endless)), [413, "body-too-large"]);
  const nested = await send("[".repeat(100_000) + "]".repeat(100_000), undefined, "/v1/command");
  assert.deepEqual(await problemOf(nested), [400, "bad-request"]);
});

Deno.test("routes tell their methods, and the server itself", async () => {
  const http = new HttpPath();
  for (
    const path of ["/v1/mget", "/v1/command", "/stats", "/healthz", "/openapi.json", "/v1/keys/a"]
  ) {
    const answer = await http.request(path, { method: "PATCH", body: "x" });
    assert.deepEqual(await problemOf(answer), [405, "method-not-allowed"], path);
    const allow = answer.headers.get("allow")!;
    assert.match(allow, /(?:GET|POST).*OPTIONS/);
    const options = await http.request(path, { method: "OPTIONS" });
    assert.deepEqual([options.status, options.headers.get("allow")], [204, allow]);
  }
  assert.deepEqual(await problemOf(await http.request("/v1/nosuch")), [404, "not-found"]);
  assert.deepEqual(await problemOf(await http.request("/ws")), [426, "upgrade-required"]);
  assert.deepEqual(await told(await http.request("/healthz")), [200, '{"status":"alive"}']);
  assert.deepEqual(await told(await http.request("/readyz")), [200, '{"status":"ready"}']);
  const stats = await (await http.request("/stats")).json();
  assert.equal(typeof stats.total_requests, "number");
  const metrics = await http.request("/metrics");
  assert.match(metrics.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  assert.match(await metrics.text(), /^mayfly_\w+_total(?:\{[^}]*\})? \d/m);
  const accept = "application/openmetrics-text; version=1.0.0";
  const open = await http.request("/metrics", { headers: { accept } });
  assert.match(open.headers.get("content-type")!, /^application\/openmetrics-text/);
  assert.match(await open.text(), /\n# EOF\n$/);
  const late = new HttpPath({ server: { notReadyReason: () => "loading" } });
  assert.deepEqual(
    await told(await late.request("/readyz")),
    [503, '{"status":"not ready","reason":"loading"}'],
  );
});

Deno.test("/openapi.json names every route with its schemas, and /docs shows them without anything from elsewhere", async () => {
  const http = new HttpPath();
  const document = await (await http.request("/openapi.json")).json();
  assert.equal(document.openapi, "3.1.0");
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`)
  );
  assert.deepEqual(routes.toSorted(), [
    "delete /v1/keys/{key}",
    "get /get",
    "get /healthz",
    "get /metrics",
    "get /readyz",
    "get /stats",
    "get /v1/keys",
    "get /v1/keys/{key}",
    "get /ws",
    "post /put",
    "post /v1/command",
    "post /v1/delete",
    "post /v1/mget",
    "post /v1/mset",
    "put /put",
    "put /v1/keys/{key}",
  ]);
  const text = JSON.stringify(document);
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    assert.ok(name in document.components.schemas, name);
  }
  assert.equal(
    document.paths["/v1/mset"].post.requestBody.content["application/json"].schema.$ref,
    "#/components/schemas/Entries",
  );
  const page = await http.request("/docs");
  assert.match(page.headers.get("content-security-policy")!, /^default-src 'none'/);
  assert.equal(page.headers.get("x-frame-options"), "DENY");
  const html = await page.text();
  assert.doesNotMatch(html, /<script|https?:\/\//);
  for (const path of Object.keys(document.paths)) assert.ok(html.includes(` ${path}</h3>`), path);
});

Deno.test("replies that are too large are refused, and the worker goes on answering", async () => {
  const http = new HttpPath();
  http.services.settings.clientOutputBytesMax = 1024 * 1024;
  const value = "x".repeat(10_000);
  const entries = Array.from({ length: 300 }, (_, i) => ({ key: `${i}${value}`, value }));
  assert.equal((await http.post("/v1/mset", { entries })).status, 200);
  const keys = entries.map(({ key }) => key);
  const large = [
    http.post("/v1/mget", { keys }),
    http.post("/v1/command", keys.map((key) => ["GET", key])),
    http.post("/v1/command", ["KEYS", "*"]),
    http.request("/v1/keys?count=100000"),
  ];
  for (const answer of await Promise.all(large)) {
    assert.deepEqual(await problemOf(answer), [413, "reply-too-large"]);
  }
  assert.equal((await http.request("/v1/keys?count=1")).status, 200);
  assert.equal((await http.request(`/v1/keys/${keys[0]}`)).status, 200);
  assert.equal((await http.post("/v1/mget", { keys: keys.slice(0, 3) })).status, 200);
});

Deno.test("bodies are counted as bytes in and out, by whichever way they go", async () => {
  const http = new HttpPath(), { counters } = http.path.engine.metrics;
  const bytesOf = async (path: string, init: RequestInit = {}) => {
    const before = [counters[COUNTER.bytesIn], counters[COUNTER.bytesOut]];
    const body = await (await http.request(path, init)).bytes();
    const [inBytes, outBytes] = [counters[COUNTER.bytesIn], counters[COUNTER.bytesOut]];
    return { in: inBytes - before[0], out: outBytes - before[1], body: body.length };
  };
  const json = (value: unknown): RequestInit => ({
    method: "POST",
    body: JSON.stringify(value),
    headers: { "content-type": "application/json" },
  });
  for (
    const [key, lengthBytes] of [["short", 100], ["middle", 40_000], ["long", 300_000]] as const
  ) {
    const path = `/v1/keys/${key}`, body = "x".repeat(lengthBytes);
    assert.equal((await bytesOf(path, { method: "PUT", body })).in, lengthBytes);
    for (const way of [path, `/v1/keys/%${key.charCodeAt(0).toString(16)}${key.slice(1)}`]) {
      const { out } = await bytesOf(way);
      assert.equal(out, lengthBytes, way);
    }
    assert.equal((await bytesOf(path, { method: "HEAD" })).out, 0);
    const { headers } = await http.request(path);
    const known = { headers: { "if-none-match": headers.get("etag")! } };
    assert.equal((await bytesOf(path, known)).out, 0);
    const paths = [`/get?key=${key}`, `/get?key=%${key.charCodeAt(0).toString(16)}${key.slice(1)}`];
    for (const path of paths) {
      const { out, body } = await bytesOf(path);
      assert.equal(out, body, path);
    }
    for (const keys of [[key], [{ base64: btoa(key) }]]) {
      const { out, body } = await bytesOf("/v1/mget", json({ keys }));
      assert.equal(out, body);
    }
  }
  const put = json({ key: "a", value: "b" });
  assert.deepEqual(await bytesOf("/put", put), { in: 23, out: 62, body: 62 });
  for (const path of ["/stats", "/metrics"]) {
    const { out, body } = await bytesOf(path);
    assert.equal(out, body, path);
  }
});

Deno.test("a long list of commands lets others have their turn", async () => {
  const http = new HttpPath();
  const order: string[] = [];
  const list = http.post("/v1/command", Array.from({ length: 60_000 }, () => ["INCR", "n"]))
    .then(async (answer) => {
      order.push("list");
      return await answer.json();
    });
  // Some turns later, when the list has begun.
  for (let i = 0; i < 50; i++) {
    const { result } = await (await http.post("/v1/command", ["GET", "n"])).json();
    if (Number(result) > 0) order.push(result === "60000" ? "late" : "between");
    if (order.length > 0) break;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const replies = await list;
  assert.equal(order[0], "between");
  assert.deepEqual([replies.length, replies.at(-1)], [60_000, { result: 60_000 }]);
});

Deno.test("/v1 gives hashes as objects, and refuses them where a string is meant", async () => {
  const http = new HttpPath();
  const command = async (...words: (string | number)[]) =>
    await (await http.post("/v1/command", words)).json();
  assert.deepEqual(await command("HSET", "h", "a", 1, "b", "zwei"), { result: 2 });
  assert.deepEqual(await command("HGETALL", "h"), { result: { a: "1", b: "zwei" } });
  assert.deepEqual(await command("HGETALL", "nosuch"), { result: {} });
  assert.deepEqual(await command("HRANDFIELD", "h", 2, "WITHVALUES"), {
    result: [["a", "1"], ["b", "zwei"]],
  });
  assert.deepEqual(await command("HMGET", "h", "b", "nosuch"), { result: ["zwei", null] });
  for (const init of [{}, { headers: { "if-none-match": '"x"' } }]) {
    const answer = await http.request("/v1/keys/h", init);
    assert.deepEqual(await problemOf(answer), [409, "wrong-type"]);
  }
  const matching = { method: "PUT", body: "x", headers: { "if-match": '"x"' } };
  const refused = await http.request("/v1/keys/h", matching);
  assert.deepEqual(await problemOf(refused), [409, "wrong-type"]);
  const mget = await http.post("/v1/mget", { keys: ["h"] });
  assert.deepEqual(await mget.json(), { values: [null] });
  const listed = await http.request("/v1/keys?type=hash");
  assert.deepEqual(await listed.json(), { keys: ["h"], cursor: "0" });
  assert.equal((await http.request("/v1/keys/h", { method: "PUT", body: "x" })).status, 204);
  assert.deepEqual(await command("TYPE", "h"), { result: "string" });
  await command("HSET", "i", "a", "1");
  assert.equal((await http.request("/v1/keys/i", { method: "DELETE" })).status, 204);
  assert.deepEqual(await command("EXISTS", "i"), { result: 0 });
});
