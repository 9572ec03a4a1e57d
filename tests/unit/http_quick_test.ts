// The short ways of HTTP give what the long ones give: the look-up of one key, headers and bodies of requests.
import assert from "node:assert/strict";
import { COMMAND_NAMES } from "../../src/commands/command_numbers.ts";
import { COUNTER } from "../../src/metrics.ts";
import { RequestBatch, STYLE_RESP } from "../../src/protocol/request_batch.ts";
import {
  type PlainPutter,
  putPlainEntry,
  putPlainKeys,
} from "../../src/server/http/plain_bodies.ts";
import { parsePut } from "../../src/server/http/put_body.ts";
import { contentLength, headerOf, wholeText } from "../../src/server/http/request_parts.ts";
import { type Header, isShort, quickResponse } from "../../src/server/http/response_parts.ts";
import { HttpPath } from "../support/http_path.ts";
import { freePort } from "../support/server.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();

const VALUES: readonly Uint8Array[] = [
  ...["", "a", "ab", "abc", "abcd", "abcde", 'q"', "b\\", "\n", "\x1f", " ", "!", "~", "\x7f"],
  ...['123"', '1234"', "\\567", "123456\t", "ü", "abcü", "€uro", "\u0000", "[]^_`#"],
  ...["x".repeat(64), "y".repeat(16_384), "z".repeat(16_385), '"'.repeat(100)],
].map((text) => encoder.encode(text)).concat([
  Uint8Array.of(0xff),
  Uint8Array.of(97, 98, 99, 0x80),
]);

/** Status, headers and body, without what goes by the moment. */
async function answerOf(response: Response): Promise<unknown[]> {
  const headers = [...response.headers].filter(([name]) => name !== "mayfly-pttl");
  return [response.status, headers, await response.text()];
}

Deno.test("a key's look-up answers for every value as the command does, by both routes", async () => {
  const http = new HttpPath(), { counters } = http.path.engine.metrics;
  // A percent sign takes a request the long way.
  const long = `${"%"}6b`;
  for (const [i, value] of VALUES.entries()) {
    const query = i % 2 === 0 ? "" : "?ttl=1000";
    await http.request(`/v1/keys/k${query}`, { method: "PUT", body: value.slice() });
    for (const route of ["/get?key=", "/v1/keys/"]) {
      const before = counters[COUNTER.hits], batches = counters[COUNTER.batches];
      const short = await answerOf(await http.request(`${route}k`));
      // (The long way to a resource asks for its end, too, which is another hit.)
      if (route === "/get?key=") assert.equal(counters[COUNTER.hits], before + 1, `value ${i}`);
      assert.equal(counters[COUNTER.batches], batches + 1);
      assert.deepEqual(short, await answerOf(await http.request(route + long)), `${route} ${i}`);
    }
  }
  for (const route of ["/get?key=", "/v1/keys/"]) {
    const before = counters[COUNTER.misses];
    const short = await answerOf(await http.request(`${route}nosuch`));
    if (route === "/get?key=") assert.equal(counters[COUNTER.misses], before + 1);
    assert.deepEqual(short, await answerOf(await http.request(`${route}%6eosuch`)));
  }
});

Deno.test("a key's look-up leaves to the command what does not stand for itself", async () => {
  const http = new HttpPath();
  const names = ['"', "a b", "a+b", "a&b", "a?b", "a\\b", "ä", "\x7f", "a%62", "n".repeat(300)];
  for (const name of names) {
    const path = `/v1/keys/${encodeURIComponent(name)}`;
    await http.request(path, { method: "PUT", body: `value of ${name}` });
    assert.equal(await (await http.request(path)).text(), `value of ${name}`);
    const followed = await http.request(`/get?key=${encodeURIComponent(name)}`);
    assert.deepEqual(await followed.json(), { status: "OK", key: name, value: `value of ${name}` });
  }
  // The second parameter is none of the key's, and the first of that name holds.
  await http.request("/v1/keys/k", { method: "PUT", body: "1" });
  assert.equal((await (await http.request("/get?key=k&x=2")).json()).value, "1");
  assert.equal(await (await http.request("/v1/keys/k?x=2")).text(), "1");
  assert.equal((await http.request("/v1/keys/")).status, 404, "the empty key, which is not there");
});

Deno.test("a key's look-up counts as the command GET, and is timed now and then", async () => {
  const http = new HttpPath(), { commands } = http.services.metrics;
  const number = COMMAND_NAMES.indexOf("get"), before = commands.calls(number);
  for (let i = 0; i < 20; i++) await (await http.request("/get?key=a")).text();
  assert.equal(commands.calls(number), before + 20);
  assert.equal(commands.latency(number).timed, before + 20, "the first ones are all timed");
});

Deno.test("a key's look-up waits while clients are paused, and is timed by itself where each command is", async () => {
  const http = new HttpPath(), { counters } = http.path.engine.metrics;
  await http.request("/v1/keys/k", { method: "PUT", body: "1" });
  // From before the pause on: a machine that is busy may take all of it between two requests.
  const askedAtMs = performance.now();
  await (await http.post("/v1/command", ["CLIENT", "PAUSE", "200"])).text();
  assert.equal(await (await http.request("/v1/keys/k")).text(), "1");
  assert.ok(performance.now() - askedAtMs > 190, "it was held back");
  http.services.settings.slowLogSlowerThanUs = 0;
  const before = counters[COUNTER.slowCommands];
  await (await http.request("/get?key=k")).text();
  assert.equal(counters[COUNTER.slowCommands], before + 1, "each command is slow now");
});

/** The words of the command that a body is made; null where it is none. */
function plainWords(
  put: PlainPutter,
  text: string,
  batch = new RequestBatch(),
  sizeBytes = 1000,
): string[] | null {
  // What an earlier body left behind the text is none of it.
  const bytes = new Uint8Array(sizeBytes).fill(0x22, 500).fill(0x5d, 600).fill(0x7d, 700);
  batch.reset(bytes, new DataView(bytes.buffer));
  if (!put(batch, text)) return null;
  assert.deepEqual([batch.commandCount, batch.commandStyle[0]], [1, STYLE_RESP]);
  assert.deepEqual([...batch.commandArg.subarray(0, 2)], [0, batch.argCount]);
  return Array.from(
    { length: batch.argCount },
    (_, i) => decoder.decode(bytes.subarray(batch.argStart[i], batch.argEnd[i])),
  );
}

function plainKeys(text: string, batch: RequestBatch, sizeBytes?: number): string[] | null {
  const words = plainWords(putPlainKeys, text, batch, sizeBytes);
  assert.ok(words === null || words[0] === "MGET");
  return words?.slice(1) ?? null;
}

Deno.test("putPlainEntry() reads plain bodies as JSON.parse does, however they are spaced or broken", () => {
  const put: PlainPutter = (batch, text) => putPlainEntry(batch, text, 10, 20);
  const wordsOf = (text: string) => {
    const words = plainWords(put, text), body = parsePut(text);
    if (words !== null) assert.deepEqual(words, ["SET", body?.key, body?.value], text);
    return words;
  };
  const plain = [
    '{"key":"a","value":"b"}',
    '{"key": "a", "value": "b"}',
    '{"key":"ä€😀","value":""}',
    '{"key":"a","value":"{[:,]}"}',
    `{"key":"${"k".repeat(10)}","value":"${"v".repeat(20)}"}`,
  ];
  for (const text of plain) assert.notEqual(wordsOf(text), null, text);
  const other = [
    '{"key":"a\\n","value":"\\u00e4"}',
    '{"value":"b","key":"a"}',
    ' { "key" : "a" , "value" : "b" } ',
    '{"key":"a","value":"b","x":1}',
    '{"key":"a","value":"b","key":"c"}',
    '{"key":"a","value":"b","ttl":2}',
    `{"key":"${"k".repeat(11)}","value":""}`,
    `{"key":"${"ä".repeat(6)}","value":""}`,
    `{"key":"k","value":"${"v".repeat(21)}"}`,
  ];
  for (const text of other) {
    const { key, value, ttl } = JSON.parse(text);
    assert.deepEqual(parsePut(text), ttl === undefined ? { key, value } : { key, value, ttl });
    assert.equal(wordsOf(text), null, text);
  }
  const wrong = [
    '{"key":"","value":"b"}',
    '{"key":"a\n","value":"b"}',
    '{"key":"a","value":"b"',
    '{"key":"a","value":"b"}}',
    '{"key":"a","value":"b"]',
    '{"key":"a","value":b"}',
    '{"key":"a" "value":"b"}',
    '{"key":"a",  value":"b"}',
    '{"key":a","value":"b"}',
    '{"key":',
    '{"key":"',
    '{"key":"a","value":"',
  ];
  for (const text of wrong) {
    assert.equal(parsePut(text), null, text);
    assert.equal(wordsOf(text), null, text);
  }
  // Whatever one character is put in the place of another, both agree; and what is cut off is none.
  const whole = '{"key": "a","value":"bc"}';
  for (let at = 0; at < whole.length; at++) {
    for (const other of '"\\ ,:}{x\n') wordsOf(whole.slice(0, at) + other + whole.slice(at + 1));
    assert.equal(wordsOf(whole.slice(0, at)), null);
  }
});

Deno.test("putPlainKeys() reads plain bodies as JSON.parse does, however they are spaced or broken", () => {
  const batch = new RequestBatch();
  const plain = [
    '{"keys":["a"]}',
    '{"keys": ["a", "b"]}',
    '{"keys":["a","", "ä€😀","{[:,]}"]}',
    '{"keys":["\x7f"]}',
  ];
  for (const text of plain) assert.deepEqual(plainKeys(text, batch), JSON.parse(text).keys, text);
  const other = [
    ...['{"keys":[]}', '{"keys":["a\\n"]}', '{"keys":["a",1]}', '{"keys":[{"base64":"YQ=="}]}'],
    ...[
      ' {"keys":["a"]}',
      '{"keys" : ["a"]}',
      '{"keys":["a"] }',
      '{"keys":["a"]}\n',
      '{"keys":"a"}',
    ],
    ...['{"keys":["a"],"keys":["b"]}', '{"keys":["a"],"x":1}', "[]", "", '"', '{"keys":["a\n"]}'],
    ...['{"keys":', '{"keys":[', '{"keys":["', '{"keys":["a', '{"keys":["a"', '{"keys":["a",'],
    ...['{"keys":["a"]', '{"keys":["a",]}', '{"keys":["a"]]', '{"keys":["a"]}}'],
  ];
  for (const text of other) assert.equal(plainKeys(text, batch), null, text);
  // Whatever one character is put in the place of another, it is no other list of keys.
  const whole = '{"keys": ["a","bc", ""]}';
  for (let at = 0; at < whole.length; at++) {
    for (const other of '"\\ ,:}]{[x\n') {
      const text = whole.slice(0, at) + other + whole.slice(at + 1);
      const keys = plainKeys(text, batch);
      if (keys !== null) assert.deepEqual(keys, JSON.parse(text).keys, text);
    }
  }
  // What has no room is parsed: in the buffer, and among the arguments of a batch.
  const long = JSON.stringify({ keys: ["k".repeat(100)] });
  assert.deepEqual(plainKeys(long, batch, 8 + long.length + 8), ["k".repeat(100)]);
  assert.equal(plainKeys(long, batch, 8 + long.length + 7), null);
  const wide = JSON.stringify({ keys: ["ä".repeat(100)] });
  assert.equal(plainKeys(wide, batch, 8 + wide.length + 8), null);
  const count = batch.argStart.length;
  const many = (keys: number) => JSON.stringify({ keys: new Array(keys).fill("") });
  assert.equal(plainKeys(many(count - 1), batch, 50_000)?.length, count - 1);
  assert.equal(plainKeys(many(count), batch, 50_000), null);
});

Deno.test("/v1/mget answers plain keys as it does others, and counts and waits as MGET", async () => {
  const http = new HttpPath(), { commands } = http.services.metrics;
  const keys = VALUES.map((_, i) => `key:${i}`);
  for (const [i, body] of VALUES.entries()) {
    await http.request(`/v1/keys/${keys[i]}`, { method: "PUT", body: body.slice() });
  }
  await (await http.post("/v1/command", ["HSET", "hash", "a", "1"])).text();
  keys.push("nosuch", "hash", "", "ä", "key:0");
  const mget = (body: string, headers = {}) =>
    http.request("/v1/mget", {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...headers },
    });
  const number = COMMAND_NAMES.indexOf("mget"), before = commands.calls(number);
  const plain = JSON.stringify({ keys }), short = await answerOf(await mget(plain));
  assert.equal(commands.calls(number), before + 1);
  assert.equal(short[0], 200);
  assert.deepEqual(short, await answerOf(await mget(` ${plain}`)));
  const tooLong = JSON.stringify({ keys: ["k".repeat(40_000)] });
  const refused = await answerOf(await mget(tooLong));
  assert.equal(refused[0], 400);
  assert.deepEqual(refused, await answerOf(await mget(` ${tooLong}`)));
  // Longer than what is kept for arguments.
  const many = JSON.stringify({ keys: new Array(9000).fill("key:14") });
  assert.deepEqual(JSON.parse((await answerOf(await mget(many)))[2] as string), {
    values: new Array(9000).fill(decoder.decode(VALUES[14])),
  });
  await (await http.post("/v1/command", ["CLIENT", "PAUSE", "200"])).text();
  const pausedAtMs = performance.now();
  assert.deepEqual(await answerOf(await mget(plain)), short);
  assert.ok(performance.now() - pausedAtMs > 100, "it was held back");
});

Deno.test("/put stores plain bodies as it does others, and waits as SET", async () => {
  const http = new HttpPath(), { commands } = http.services.metrics;
  const number = COMMAND_NAMES.indexOf("set"), before = commands.calls(number);
  for (const value of ["", "a", "ä€😀", "x".repeat(100), "y".repeat(16_385), "z".repeat(60_000)]) {
    for (const blank of ["", " "]) {
      const body = `${blank}{"key":"k","value":"${value}"}`;
      const answer = await answerOf(await http.request("/put", { method: "POST", body }));
      assert.equal(answer[0], 200);
      assert.equal(await (await http.request("/v1/keys/k")).text(), value);
    }
  }
  assert.equal(commands.calls(number), before + 12);
  await (await http.post("/v1/command", ["CLIENT", "PAUSE", "200"])).text();
  const pausedAtMs = performance.now();
  const put = http.request("/put", { method: "POST", body: '{"key":"k","value":"paused"}' });
  // What others run meanwhile is not what has to wait.
  const other = http.request("/put", { method: "POST", body: '{"key":"l","value":"other"}' });
  assert.equal((await put).status, 200);
  assert.equal((await other).status, 200);
  assert.ok(performance.now() - pausedAtMs > 100, "it was held back");
  assert.equal(await (await http.request("/v1/keys/k")).text(), "paused");
  assert.equal(await (await http.request("/v1/keys/l")).text(), "other");
});

Deno.test("headerOf() and wholeText() find the short ways of this runtime, and give what the long ones do", async () => {
  const seen: unknown[] = [];
  const port = freePort();
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, (request) => {
    const length = contentLength(request), text = wholeText(request, length);
    const { headers } = request;
    seen.push([headerOf(request, "x-name"), headerOf(request, "x-none"), length, text]);
    seen.push([
      headers.get("x-name"),
      headers.get("x-none"),
      Number(headers.get("content-length")),
    ]);
    return new Response("ok");
  });
  const post = async (body: string | Uint8Array<ArrayBuffer>) => {
    seen.length = 0;
    const headers: [string, string][] = [["x-name", "1"], ["x-name", "2"]];
    await (await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body, headers })).text();
    const [[name, none, length, text], long] = seen as [unknown[], unknown[]];
    assert.deepEqual([name, none, length], long);
    return text;
  };
  try {
    // Where a version of the runtime has no short way any more, this says so: what it gained is then to be measured.
    const bodies = ["", "abc", "ä€😀", "a\ufffdb", "x".repeat(200)];
    for (const body of bodies) assert.equal(await post(body), body);
    for (const wrong of [[0xff], [97, 0xc3], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xe2, 0x82, 97]]) {
      assert.equal(await post(Uint8Array.from(wrong)), "", `${wrong} is no UTF-8`);
    }
    const made = new Request("http://h/", { method: "POST", body: "abc", headers: { a: "1" } });
    assert.equal(headerOf(made, "a"), "1");
    assert.equal(wholeText(made, 3), null, "a request that no server got is read the long way");
    assert.equal(await made.text(), "abc");
  } finally {
    await server.shutdown();
  }
});

Deno.test("quickResponse() finds the short way of this runtime, and sends what the long one does", async () => {
  assert.ok(isShort, "where it is gone, what it gained is to be measured");
  const bodies = ["", "abc", "ä€😀", Uint8Array.of(), Uint8Array.of(0, 255), "x".repeat(100_000)];
  const headers = (): Header[] => [["content-type", "a/b"], ["etag", '"c"'], ["x-d", "e"]];
  const port = freePort();
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, ({ url }) => {
    const { pathname } = new URL(url), [, way, number] = pathname.split("/");
    const body = bodies[Number(number)], made = headers();
    const response = way === "long"
      ? new Response(body, { headers: made })
      : quickResponse(body, made);
    if (way === "late") response.headers.append("x-late", "f");
    // What is sent is what it was when it was given.
    if (body instanceof Uint8Array) body.fill(7);
    return response;
  });
  const sent = async (way: string, number: number) => {
    const body = bodies[number];
    if (body instanceof Uint8Array) body.set([0, 255].slice(0, body.length));
    const response = await fetch(`http://127.0.0.1:${port}/${way}/${number}`);
    const told = [...response.headers].filter(([name]) => name !== "date");
    return { status: response.status, told, body: await response.bytes() };
  };
  try {
    for (const number of bodies.keys()) {
      const long = await sent("long", number), late = await sent("late", number);
      assert.deepEqual(await sent("short", number), long);
      assert.deepEqual(late.told.filter(([name]) => name !== "x-late"), long.told);
      assert.ok(late.told.some(([name, value]) => name === "x-late" && value === "f"));
      assert.deepEqual(late.body, long.body);
    }
  } finally {
    await server.shutdown();
  }
  const response = quickResponse("abc", headers()), copy = response.clone();
  assert.deepEqual([...response.headers], headers());
  assert.deepEqual([response.status, response.ok, response.bodyUsed], [200, true, false]);
  assert.equal(await response.text(), "abc");
  assert.ok(response.bodyUsed);
  assert.equal(await copy.text(), "abc");
});
