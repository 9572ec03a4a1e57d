// The clients of WebSocket that have the dashboard open: each gets the past first, then a message a second; it must
// not know what the numbers mean.
import {
  DASHBOARD_SAMPLES_PER_MESSAGE,
  DASHBOARD_SLOW_LOG_TICKS,
  HTTP_SOCKET_STATS_BEHIND_BYTES,
} from "../../../limits.ts";
import { type DashboardFeed, sampleColumns } from "./dashboard_feed.ts";

/** What is needed of a client of WebSocket. */
export interface Subscriber {
  readonly waitingBytes: number;
  send(text: string): void;
}

/** What one message tells. */
interface Part extends Told {
  readonly text: string;
  /** Whether no sample is left for another message. */
  readonly isAll: boolean;
}

interface Told {
  /** Of the last sample. */
  afterMs: number;
  parameters: string;
  slow: string;
}

export class DashboardSubscribers {
  readonly #feed: DashboardFeed;
  readonly #notReadyReason: () => string | null;
  readonly #told = new Map<Subscriber, Told>();
  #slow = "";
  #isAsking = false;
  #ticks = 0;

  constructor(feed: DashboardFeed, notReadyReason: () => string | null) {
    this.#feed = feed;
    this.#notReadyReason = notReadyReason;
  }

  get size(): number {
    return this.#told.size;
  }

  /** Tells the client what it missed since `afterMs`; 0: all that is remembered. */
  add(client: Subscriber, afterMs: number): void {
    this.#told.set(client, { afterMs, parameters: "", slow: "" });
    client.send(`{"dashboard":{"facts":${this.#feed.facts()}}}`);
    if (this.#slow === "") void this.#askSlow();
    this.#tell(client, new Map());
  }

  has(client: Subscriber): boolean {
    return this.#told.has(client);
  }

  delete(client: Subscriber): void {
    this.#told.delete(client);
  }

  /** Once a second. */
  tick(): void {
    if (this.#ticks++ % DASHBOARD_SLOW_LOG_TICKS === 0) void this.#askSlow();
    // Most clients have been told the same, so that the columns are written once.
    const columns = new Map<number, Part>();
    for (const client of this.#told.keys()) this.#tell(client, columns);
  }

  /** Nothing to a client that is behind: it gets all of it later. */
  #tell(client: Subscriber, written: Map<number, Part>): void {
    const told = this.#told.get(client)!;
    if (client.waitingBytes >= HTTP_SOCKET_STATS_BEHIND_BYTES) return;
    let parts = written.get(told.afterMs);
    if (parts === undefined) {
      const samples = this.#feed.samplesAfter(told.afterMs);
      const text = `"samples":${sampleColumns(samples)},"now":${
        this.#feed.now(Date.now(), this.#notReadyReason())
      }`;
      parts = {
        afterMs: samples.at(-1)?.atMs ?? told.afterMs,
        parameters: this.#feed.parameters(),
        slow: this.#slow,
        isAll: samples.length < DASHBOARD_SAMPLES_PER_MESSAGE,
        text,
      };
      written.set(told.afterMs, parts);
    }
    const { parameters, slow } = parts;
    const news = [parts.text];
    if (parameters !== told.parameters) news.push(`"parameters":${parameters}`);
    if (slow !== told.slow) news.push(`"slow":${slow}`);
    told.afterMs = parts.afterMs;
    told.parameters = parameters;
    told.slow = slow;
    client.send(`{"dashboard":{${news.join(",")}}}`);
    // The past comes in pieces, between which the worker serves others.
    if (!parts.isAll) setTimeout(() => this.#told.has(client) && this.#tell(client, new Map()), 0);
  }

  async #askSlow(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      this.#slow = await this.#feed.slowCommands();
    } catch {
      // A worker was too busy to answer; the next look tells.
    } finally {
      this.#isAsking = false;
    }
  }
}
