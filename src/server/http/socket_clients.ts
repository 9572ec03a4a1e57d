// Clients of WebSocket in one worker: takes them, pings and sweeps them, and streams the numbers; knows no command.
import {
  HTTP_SOCKET_IDLE_SECONDS,
  HTTP_SOCKET_STATS_BEHIND_BYTES,
  HTTP_SOCKET_STATS_MS,
} from "../../limits.ts";
import { COUNTER } from "../../metrics.ts";
import type { Sessions } from "../../session.ts";
import type { Store } from "../../store/store.ts";
import { DashboardFeed } from "./dashboard/dashboard_feed.ts";
import { DashboardSubscribers } from "./dashboard/dashboard_subscribers.ts";
import { HttpSession } from "./http_session.ts";
import type { HttpTools } from "./http_tools.ts";
import { problem } from "./problem.ts";
import { CLOSE_GOING_AWAY, CLOSE_NORMAL, type Feed, SocketClient } from "./socket_client.ts";

export interface SocketClientsOptions {
  readonly tools: HttpTools;
  readonly sessions: Sessions;
  readonly store: Store;
  readonly counters: Float64Array;
  log(text: string): void;
}

export class SocketClients {
  readonly #options: SocketClientsOptions;
  readonly #clients = new Set<SocketClient>();
  readonly #subscribers = new Set<SocketClient>();
  readonly #dashboards: DashboardSubscribers;
  #statsTimer: ReturnType<typeof setInterval> | undefined;

  constructor(options: SocketClientsOptions) {
    this.#options = options;
    const { tools, store } = options;
    const feed = new DashboardFeed(tools.services, store);
    this.#dashboards = new DashboardSubscribers(feed, () => tools.notReadyReason());
  }

  /** Answers an upgrade. A client that brought no password may send AUTH. */
  upgrade(request: Request, isAuthenticated: boolean, address: string): Response {
    const { tools, sessions, counters } = this.#options, { settings } = tools.services;
    counters[COUNTER.connectionsAccepted]++;
    if (!settings.connectClient()) {
      counters[COUNTER.connectionsRejected]++;
      return problem("unavailable", "max number of clients reached");
    }
    let upgraded: Deno.WebSocketUpgrade;
    try {
      upgraded = Deno.upgradeWebSocket(request, { idleTimeout: HTTP_SOCKET_IDLE_SECONDS });
    } catch (error) {
      settings.disconnectClient();
      return problem("upgrade-required", (error as Error).message, { upgrade: "websocket" });
    }
    counters[COUNTER.connectionsNow]++;
    const local = new URL(request.url).host;
    const session = new HttpSession(settings, isAuthenticated, address, local, Date.now());
    const client = new SocketClient(tools, upgraded.socket, session, {
      onSubscribed: (feed, isOn, after) => this.#subscribe(client, feed, isOn, after),
      onDropped: (reason) => this.#options.log(`client of /ws at ${address} dropped: ${reason}`),
      onClosed: () => {
        if (!this.#clients.delete(client)) return;
        this.#subscribe(client, "stats", false, 0);
        this.#subscribe(client, "dashboard", false, 0);
        sessions.delete(session.id);
        tools.runner.forget(session);
        settings.disconnectClient();
        counters[COUNTER.connectionsNow]--;
      },
    });
    this.#clients.add(client);
    sessions.set(session.id, session);
    return upgraded.response;
  }

  /** Where all unread replies pass what a worker's clients may leave, none of /ws keeps more than its equal share. */
  #dropOverShare(): void {
    const { counters, tools: { services: { settings, config } } } = this.#options;
    const bytesMax = settings.allClientsOutputBytesMax / config.workerCount;
    let bytes = counters[COUNTER.outputBytesNow];
    for (const client of this.#clients) bytes += client.waitingBytes;
    if (bytes <= bytesMax) return;
    const share = bytesMax / this.#clients.size;
    for (const client of this.#clients) if (client.waitingBytes > share) client.dropUnread();
  }

  /** Ends clients that have been silent for longer than `--idle-timeout` allows, but for those that listen, and lost ones. */
  sweep(nowMs: number, idleTimeoutMs: number): void {
    this.#dropOverShare();
    for (const client of this.#clients) {
      client.sweep();
      if (idleTimeoutMs === 0 || client.session.isClosing) continue;
      if (this.#subscribers.has(client) || this.#dashboards.has(client)) continue;
      if (nowMs - client.session.lastCommandAtMs < idleTimeoutMs) continue;
      this.#options.counters[COUNTER.connectionsDroppedIdle]++;
      client.close(CLOSE_NORMAL, "idle");
    }
  }

  stop(): void {
    clearInterval(this.#statsTimer);
    for (const client of this.#clients) client.close(CLOSE_GOING_AWAY, "the server stops");
  }

  #subscribe(client: SocketClient, feed: Feed, isOn: boolean, after: number): void {
    const isFirst = isOn && feed === "stats" && this.#subscribers.size === 0;
    if (feed === "dashboard") {
      if (isOn) this.#dashboards.add(client, after);
      else this.#dashboards.delete(client);
    } else if (isOn) this.#subscribers.add(client);
    else this.#subscribers.delete(client);
    if (this.#subscribers.size + this.#dashboards.size === 0) {
      clearInterval(this.#statsTimer);
      this.#statsTimer = undefined;
    } else this.#statsTimer ??= setInterval(() => this.#tick(), HTTP_SOCKET_STATS_MS);
    if (isFirst) void this.#sendStats();
  }

  #tick(): void {
    if (this.#subscribers.size > 0) void this.#sendStats();
    if (this.#dashboards.size > 0) this.#dashboards.tick();
  }

  /** One reading for all who listen; whoever is behind misses it. */
  async #sendStats(): Promise<void> {
    const { runner, writers, session } = this.#options.tools, writer = writers.takeValues();
    try {
      await runner.run(session, [["STATS"]], writer);
    } catch {
      return; // the log failed meanwhile; the next reading tells
    }
    const [value] = writer.take();
    writers.giveValues(writer);
    if (!(value instanceof Uint8Array)) return; // still loading
    const text = `{"stats":${new TextDecoder().decode(value)}}`;
    for (const client of this.#subscribers) {
      if (client.waitingBytes < HTTP_SOCKET_STATS_BEHIND_BYTES) client.send(text);
    }
  }
}
