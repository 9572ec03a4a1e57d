// The dashboard in a real browser over a real server: numbers that move, keys that are changed, a server that goes and
// comes back, a password; and no word to anybody else.
import assert from "node:assert/strict";
import axe from "axe-core";
import type { Locator, Page } from "playwright-core";
import { TestBrowser } from "../support/browser.ts";
import { SocketPeer } from "../support/http_client.ts";
import { needs } from "../support/needs.ts";
import { connect, plain, type RespClient } from "../support/resp_client.ts";
import { freePort, startServer } from "../support/server.ts";

const WAIT_MS = 20_000;
const LOOK_MS = 50;

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS;
  while (!await isSo()) {
    assert.ok(performance.now() < deadlineMs, `${what} did not come to pass`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function untilText(place: Locator, pattern: RegExp): Promise<string> {
  let text = "";
  await until(`${pattern}`, async () => pattern.test(text = await place.textContent() ?? ""));
  return text;
}

/** Reads, writes and misses, a few hundred each second, until the function that it gives is called. */
function startLoad(client: RespClient): () => Promise<void> {
  let isOn = true;
  const done = (async () => {
    for (let round = 0; isOn; round++) {
      await client.pipeline([
        ["SET", `user:${round % 50}`, "some value"],
        ["MGET", `user:${round % 50}`, "user:1", "absent:1"],
        ["GET", `absent:${round % 10}`],
      ]);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return () => {
    isOn = false;
    return done;
  };
}

async function openKey(page: Page, text: string): Promise<void> {
  await page.getByLabel("Find keys").fill(text);
  await page.getByRole("button", { name: "Find", exact: true }).click();
  await page.locator("#key-list").getByRole("button", { name: text, exact: true }).click();
  await page.locator("#key-name").filter({ hasText: text }).waitFor();
}

Deno.test({
  name: "the dashboard moves under load, and asks nobody but its server",
  ...needs("chromium"),
  async fn() {
    await using server = await startServer({ workers: 2 });
    using client = await connect(server.port);
    const stopLoad = startLoad(client);
    await client.command("CONFIG", "SET", "slowlog-log-slower-than", "0");
    await using browser = await TestBrowser.start();
    const origin = `http://127.0.0.1:${server.httpPort}`;
    const { page, errors, addresses } = await browser.open(`${origin}/`);
    await untilText(page.locator("#state"), /^live$/);
    const requests = page.locator("#tile-requests .figure");
    const first = await untilText(requests, /^[1-9]/);
    await until("another number", async () => await requests.textContent() !== first);
    await untilText(page.locator("#tile-hits .figure"), /^(?:[1-9]\d?\.\d|100) %$/);
    await untilText(page.locator("#tile-p99 .figure"), /(?:µs|ms)$/);
    await untilText(page.locator("#tile-keys .figure"), /^50$/);
    // Each chart has drawn something, and its legend says what.
    const charts = page.locator("#charts > [role=group]");
    assert.equal(await charts.count(), 13);
    await until("charts with canvases", async () => await charts.locator("canvas").count() === 13);
    await untilText(charts.first().locator("dd").first(), /^[1-9]/);
    await untilText(page.locator("#workers tbody").first(), /0.*1/);
    await untilText(page.locator("#workers"), /user/);
    await untilText(page.locator("#workers"), /index\d.*iB/);
    await untilText(page.locator("#slow tbody"), /MGET user:/);
    await untilText(page.locator("#parameters"), /slowlog-log-slower-than/);
    await page.getByLabel("15 min").check({ force: true });
    // An earlier moment, by keyboard.
    const clock = page.locator(".chart-clock").nth(2);
    assert.equal(await clock.textContent(), "");
    await page.getByLabel("Values of").focus();
    await page.keyboard.press("ArrowLeft");
    await untilText(page.locator("#moment-text"), /^1 s ago$/);
    await untilText(clock, /^\d\d:\d\d:\d\d$/);
    await page.keyboard.press("End");
    await untilText(clock, /^$/);
    await stopLoad();
    await untilText(requests, /^0$/);
    assert.deepEqual(errors, []);
    assert.ok(addresses.some((address) => address.endsWith("/ws")), addresses.join(" "));
    for (const address of addresses) {
      assert.equal(new URL(address).host, `127.0.0.1:${server.httpPort}`, address);
    }
  },
});

Deno.test({
  name: "the dashboard finds a key, edits it, sets its end of life and deletes it",
  ...needs("chromium"),
  async fn() {
    await using server = await startServer();
    using client = await connect(server.port);
    const key = "model:7/ä b?%2F";
    await client.pipeline(Array.from({ length: 700 }, (_, i) => ["SET", `filler:${i}`, "x"]));
    await client.command("SET", key, '{"score": 0.5}', "EX", "5000");
    await client.command("SET", "bytes", new Uint8Array([0, 255, 65]));
    await using browser = await TestBrowser.start();
    const { page, errors } = await browser.open(`http://127.0.0.1:${server.httpPort}/`);
    const value = page.getByLabel("Value", { exact: true }), told = page.locator("#key-told");

    await openKey(page, key);
    assert.equal(await value.inputValue(), '{"score": 0.5}');
    assert.match(await page.locator("#key-facts").textContent() ?? "", /^string of 14 bytes/);
    await untilText(page.locator("#key-left"), /^expires in 1 h 2\d min$/);
    await value.fill('{"score": 0.9}\n');
    await page.getByRole("button", { name: "Save value" }).click();
    await untilText(told, /^Saved\.$/);
    assert.equal(plain(await client.command("GET", key)), '{"score": 0.9}\n');
    const leftS = Number(plain(await client.command("TTL", key)));
    assert.ok(leftS > 4000 && leftS <= 5000, `it keeps its end of life, not ${leftS}`);

    // Somebody else was quicker.
    await client.command("SET", key, "theirs", "KEEPTTL");
    await value.fill("mine");
    await page.getByRole("button", { name: "Save value" }).click();
    await untilText(told, /^Not saved/);
    assert.equal(plain(await client.command("GET", key)), "theirs");
    // A browser notes every answer that is no success.
    assert.match(errors.splice(0).join(), /^Failed to load resource.*\(Precondition Failed\)$/);
    await page.getByRole("button", { name: "Load again" }).click();
    await until("the other value", async () => await value.inputValue() === "theirs");
    await value.fill("mine");
    await page.getByRole("button", { name: "Save value" }).click();
    await untilText(told, /^Saved\.$/);

    await page.getByLabel("Seconds to live").fill("100");
    await page.getByRole("button", { name: "Set", exact: true }).click();
    await untilText(page.locator("#key-left"), /^expires in 1 min/);
    assert.ok(Number(plain(await client.command("TTL", key))) <= 100);
    await page.getByRole("button", { name: "Keep without end" }).click();
    await untilText(page.locator("#key-left"), /^does not expire$/);
    assert.equal(plain(await client.command("TTL", key)), -1);

    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByRole("button", { name: "Keep it" }).click();
    assert.equal(plain(await client.command("EXISTS", key)), 1, "it was not meant");
    // By keyboard alone: the focus waits on the button that asked.
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await untilText(page.locator("#key-status"), /^Deleted\.$/);
    assert.equal(plain(await client.command("EXISTS", key)), 0);

    await openKey(page, "bytes");
    await untilText(page.locator("#key-preview"), /^000000 {2}00 ff 41 .*\.\.A$/);
    assert.ok(!await value.isVisible(), "bytes are no text to be edited");
    await page.getByLabel("Find keys").fill("filler:*");
    await page.getByRole("button", { name: "Find", exact: true }).click();
    await untilText(page.locator("#key-status"), /^\d+ keys so far$/);
    while (await page.getByRole("button", { name: "Look further" }).isVisible()) {
      await page.getByRole("button", { name: "Look further" }).click();
      await untilText(page.locator("#key-status"), /^\d+ keys/);
    }
    await untilText(page.locator("#key-status"), /^700 keys$/);

    await client.command("SELECT", "5");
    await client.command("SET", "other", "old");
    await page.getByLabel("Find keys").fill("");
    await page.getByLabel("Database").selectOption("5");
    await untilText(page.locator("#key-status"), /^1 key$/);
    assert.ok(
      !await page.locator("#key-open").isVisible(),
      "the key of the other database is gone",
    );
    await openKey(page, "other");
    await value.fill("new");
    await page.getByRole("button", { name: "Save value" }).click();
    await untilText(told, /^Saved\.$/);
    assert.equal(plain(await client.command("GET", "other")), "new");
    assert.deepEqual(errors, []);
  },
});

Deno.test({
  name: "the dashboard shows the fields of a hash, and when they end",
  ...needs("chromium"),
  async fn() {
    await using server = await startServer();
    using client = await connect(server.port);
    await client.command("HSET", "user:7", "name", "Ä b", "clicks", "41", "long", "x".repeat(999));
    await client.command("HEXPIRE", "user:7", "5000", "FIELDS", "1", "clicks");
    await client.command("HSET", "user:7", new Uint8Array([0, 255]), "bytes");
    const many = Array.from({ length: 500 }, (_, i) => [`f${i}`, "1"]).flat();
    await client.command("HSET", "many", ...many);
    await using browser = await TestBrowser.start();
    const { page, errors } = await browser.open(`http://127.0.0.1:${server.httpPort}/`);
    const shown = page.locator("#key-preview");
    await openKey(page, "user:7");
    await untilText(page.locator("#key-facts"), /^hash of 4 fields, encoding hashtable, takes /);
    const lines = (await untilText(shown, /name/)).split("\n");
    assert.equal(lines.length, 4);
    assert.ok(lines.includes("name: Ä b"), lines.join("\n"));
    assert.ok(lines.includes("base64:AP8=: bytes"), lines.join("\n"));
    assert.ok(lines.includes(`long: ${"x".repeat(200)}…`), lines.join("\n"));
    assert.ok(lines.some((line) => /^clicks: 41 {2}\(expires in 1 h 2\d min\)$/.test(line)));
    await openKey(page, "many");
    await untilText(page.locator("#key-facts"), /^hash of 500 fields, /);
    await untilText(shown, /\n… and 400 more$/);
    assert.deepEqual(errors, []);
  },
});

Deno.test({
  name: "the dashboard's browser of keys stays in its place while tables grow",
  ...needs("chromium"),
  async fn() {
    await using server = await startServer();
    using client = await connect(server.port);
    await client.command("CONFIG", "SET", "slowlog-log-slower-than", "0");
    await using browser = await TestBrowser.start();
    const { page } = await browser.open(`http://127.0.0.1:${server.httpPort}/`);
    const keys = page.locator("#keys"), growing = [page.locator("#workers"), page.locator("#slow")];
    await keys.scrollIntoViewIfNeeded();
    await untilText(growing[0], /index/);
    const topOf = async () => (await keys.boundingBox())!.y;
    const heights = () => Promise.all(growing.map(async (it) => (await it.boundingBox())!.height));
    const top = await topOf(), before = await heights();
    for (let i = 0; i < 12; i++) await client.command("GET", `namespace${i}:a`);
    await untilText(growing[0], /namespace11/);
    await until("a longer slow log", async () => (await heights())[1] > before[1]);
    assert.ok((await heights())[0] > before[0]);
    assert.equal(await topOf(), top);
  },
});

Deno.test({
  name: "the dashboard shows nothing of one key while another is chosen that cannot be read",
  ...needs("chromium"),
  async fn() {
    await using server = await startServer();
    using client = await connect(server.port);
    await client.command("MSET", "pair:1", "first", "pair:2", "second");
    await using browser = await TestBrowser.start();
    const { page } = await browser.open(`http://127.0.0.1:${server.httpPort}/`);
    await page.getByLabel("Find keys").fill("pair");
    await page.getByRole("button", { name: "Find", exact: true }).click();
    const list = page.locator("#key-list");
    await list.getByRole("button", { name: "pair:1", exact: true }).click();
    await page.locator("#key-name").filter({ hasText: "pair:1" }).waitFor();
    await page.route("**/v1/command", (route) => route.fulfill({ status: 503, body: "{}" }));
    await list.getByRole("button", { name: "pair:2", exact: true }).click();
    await page.locator("#key-told").filter({ hasText: "The server answers 503." }).waitFor();
    assert.equal(await page.locator("#key-open").isVisible(), false);
    await page.unroute("**/v1/command");
    await list.getByRole("button", { name: "pair:2", exact: true }).click();
    await page.locator("#key-name").filter({ hasText: "pair:2" }).waitFor();
    await until(
      "its value",
      async () => await page.locator("#key-value").inputValue() === "second",
    );
  },
});

Deno.test({
  name: "the dashboard says that the server is gone, and goes on by itself when it is back",
  ...needs("chromium"),
  async fn() {
    const port = freePort(), httpPort = freePort();
    const options = { port, flags: ["--http-port", String(httpPort)] };
    await using browser = await TestBrowser.start();
    await using first = await startServer(options);
    const { page, errors } = await browser.open(`http://127.0.0.1:${httpPort}/`);
    const banner = page.locator("#banner");
    await untilText(page.locator("#tile-keys .figure"), /^0$/);
    assert.equal(await banner.getAttribute("aria-live"), "polite");
    assert.equal(await banner.textContent(), "");
    assert.deepEqual(errors.splice(0), []);
    assert.equal(await first.stop(), 0);
    await untilText(banner, /reconnects by itself/);
    await untilText(page.locator("#state"), /^reconnecting$/);
    await using _second = await startServer(options);
    using client = await connect(port);
    await client.command("SET", "a", "1");
    await untilText(banner, /^$/);
    await untilText(page.locator("#state"), /^live$/);
    await untilText(page.locator("#tile-keys .figure"), /^1$/);
    // What a browser itself says of a line that cannot be had; nothing else.
    assert.ok(errors.every((text) => /^WebSocket connection to .* failed/.test(text)), `${errors}`);
  },
});

Deno.test({
  name: "the dashboard asks for the password once, and keeps it for its keys",
  ...needs("chromium"),
  async fn() {
    const password = "gehëim";
    await using server = await startServer({ env: { MAYFLY_REQUIREPASS: password } });
    using client = await connect(server.port);
    await client.command("AUTH", password);
    await client.command("SET", "a", "hidden");
    await using browser = await TestBrowser.start();
    const { page, errors } = await browser.open(`http://127.0.0.1:${server.httpPort}/`);
    const field = page.getByRole("textbox", { name: "Password" });
    await field.waitFor();
    assert.equal(await page.locator("#tile-keys .figure").textContent(), "–", "nothing is told");
    await page.keyboard.press("Escape");
    await field.fill("wrong");
    await page.keyboard.press("Enter");
    await untilText(page.getByRole("alert"), /not the password/);
    await field.fill(password);
    await page.keyboard.press("Enter");
    await untilText(page.locator("#tile-keys .figure"), /^1$/);
    assert.ok(!await field.isVisible());
    await openKey(page, "a");
    assert.equal(await page.getByLabel("Value", { exact: true }).inputValue(), "hidden");
    assert.deepEqual(errors, []);
  },
});

Deno.test({
  name:
    "the dashboard has no fault that axe finds, fits a phone, and hides keys under --dashboard-readonly",
  ...needs("chromium"),
  async fn() {
    await using open = await startServer();
    using client = await connect(open.port);
    await client.command("SET", "a", "1", "EX", "1000");
    await using closed = await startServer({ flags: ["--dashboard-readonly"] });
    await using browser = await TestBrowser.start();
    const looks = [["light", 1440], ["dark", 1440], ["light", 390], ["dark", 390]] as const;
    for (const [scheme, widthPx] of looks) {
      const url = `http://127.0.0.1:${open.httpPort}/`;
      const { page, errors } = await browser.open(url, { scheme, widthPx });
      await untilText(page.locator("#tile-keys .figure"), /^1$/);
      await openKey(page, "a");
      const shownPx = await page.evaluate("document.documentElement.scrollWidth");
      assert.ok(Number(shownPx) <= widthPx, `${shownPx} px on a screen of ${widthPx}`);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate("axe.run()") as axe.AxeResults;
      const faults = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
      assert.deepEqual(faults, [], `${scheme} ${widthPx}`);
      assert.deepEqual(errors, []);
      await page.close();
    }
    const { page } = await browser.open(`http://127.0.0.1:${closed.httpPort}/`);
    await untilText(page.locator("#tile-keys .figure"), /^0$/);
    assert.ok(!await page.getByLabel("Find keys").isVisible());
  },
});

Deno.test('{"subscribe": "dashboard"} tells the past at once, then each second what is new', async () => {
  await using server = await startServer({ workers: 2 });
  using client = await connect(server.port);
  type Message = { dashboard: { samples?: { atMs: number[] }; facts?: { workerCount: number } } };
  // Until the history holds something: it begins a second after the start.
  await until("a past of two samples", async () => {
    await using peer = await SocketPeer.open(server.httpPort);
    peer.send({ subscribe: "dashboard" });
    assert.deepEqual(await peer.next(), { subscribed: "dashboard" });
    assert.equal((await peer.next() as Message).dashboard.facts!.workerCount, 2);
    return (await peer.next() as Message).dashboard.samples!.atMs.length >= 2;
  });
  const counted = async () =>
    String(plain(await client.command("INFO", "commandstats"))).split("\r\n")
      .filter((line) => !line.startsWith("cmdstat_info:"));
  const before = await counted();
  await using peer = await SocketPeer.open(server.httpPort);
  peer.send({ subscribe: "dashboard" });
  await peer.next();
  await peer.next();
  const past = (await peer.next() as Message).dashboard.samples!.atMs;
  const news: number[] = [];
  while (news.length < 3) news.push(...(await peer.next() as Message).dashboard.samples!.atMs);
  const all = [...past, ...news];
  assert.deepEqual(all, [...new Set(all)].sort((a, b) => a - b), "each sample once, in order");
  assert.deepEqual(await counted(), before, "who looks leaves no trace in the numbers");
  await using knowing = await SocketPeer.open(server.httpPort);
  knowing.send({ subscribe: "dashboard", after: all.at(-1)! });
  await knowing.next();
  await knowing.next();
  const rest = (await knowing.next() as Message).dashboard.samples!.atMs;
  assert.ok(rest.every((atMs) => atMs > all.at(-1)!), "what it knows is not told again");
  peer.send({ unsubscribe: "dashboard" });
  await until("the end of it", async () => "unsubscribed" in (await peer.next() as object));
});
