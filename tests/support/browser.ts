// A real browser for tests: Debian's Chromium, which `needs("chromium")` looks for, and pages that note what they ask
// for and what goes wrong in them. It must not know what a page shows.
import { type Browser, chromium, type Page } from "playwright-core";
import { findProgram } from "./needs.ts";

/** Two cores that others use too: a page may take its time. */
const WAIT_MS = 20_000;

export interface PageOptions {
  readonly widthPx?: number;
  readonly scheme?: "light" | "dark";
}

/** A page with what it did. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors of the console and uncaught ones; taken away by `splice(0)`. */
  readonly errors: string[];
  /** Addresses that it asked for, those of WebSocket too. */
  readonly addresses: string[];
}

/** Use with `await using`. */
export class TestBrowser {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(): Promise<TestBrowser> {
    return new TestBrowser(
      await chromium.launch({
        executablePath: findProgram("chromium")!,
        // Its own sandbox cannot be had by root in a container; the pages are ours.
        args: ["--no-sandbox", "--disable-dev-shm-usage"],
        timeout: WAIT_MS,
      }),
    );
  }

  async open(url: string, options: PageOptions = {}): Promise<WatchedPage> {
    const { widthPx = 1440, scheme = "light" } = options;
    const page = await this.#browser.newPage({
      viewport: { width: widthPx, height: 900 },
      colorScheme: scheme,
    });
    page.setDefaultTimeout(WAIT_MS);
    const errors: string[] = [], addresses: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
    });
    page.on("pageerror", (error) => errors.push(error.stack ?? error.message));
    page.on("request", (request) => addresses.push(request.url()));
    page.on("websocket", (socket) => addresses.push(socket.url()));
    await page.goto(url);
    return { page, errors, addresses };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
