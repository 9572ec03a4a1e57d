// The listening side of HTTP in one worker: Deno.serve on the shared port, the sweep over slow clients, the stop.
import { collect } from "../../commands/collect.ts";
import type { Services } from "../../commands/services.ts";
import type { Engine } from "../../engine.ts";
import {
  CONNECTION_SWEEP_MS,
  HTTP_STALL_MS_MAX,
  HTTP_STOP_MS_MAX,
  LOG_LINES_PER_SWEEP_MAX,
} from "../../limits.ts";
import { metricsText } from "../../metrics_text.ts";
import { ReplyChunkPool } from "../chunk_pool.ts";
import type { Turns } from "../loop_turns.ts";
import { type AnswerGate, CommandRunner } from "./command_runner.ts";
import { Downloads } from "./downloads.ts";
import { HttpHandler } from "./http_handler.ts";
import { HttpSession } from "./http_session.ts";
import type { HttpTools } from "./http_tools.ts";
import { problem } from "./problem.ts";
import { ReplyWriters } from "./reply_writers.ts";
import { RequestGuard } from "./request_guard.ts";
import type { SocketClients } from "./socket_clients.ts";
import { Uploads } from "./uploads.ts";

export interface HttpServerOptions {
  readonly services: Services;
  readonly engine: Engine;
  readonly counters: Float64Array;
  /** Holds answers back until the log has what they tell of; null without a log. */
  readonly gate: AnswerGate | null;
  readonly turns: Turns;
  /** Why the server should get no requests now, null if it may. */
  notReadyReason(): string | null;
  log(level: "info" | "warning", text: string): void;
  /** Takes an error that no request can cause: the process ends. */
  fail(error: unknown): void;
}

export class HttpServer {
  readonly handler: HttpHandler;
  readonly #options: HttpServerOptions;
  readonly #servers: Deno.HttpServer[] = [];
  readonly #uploads: Uploads;
  readonly #downloads: Downloads;
  readonly #tools: HttpTools;
  #sockets: Promise<SocketClients> | null = null;
  #sweepTimer: ReturnType<typeof setInterval> | undefined;
  #logLines = 0;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { services, engine, counters } = options, { settings, config } = services;
    this.#downloads = new Downloads(counters, options.turns);
    this.#uploads = new Uploads({
      counters,
      turns: options.turns,
      bufferBytesMax: () => settings.allClientsOutputBytesMax / config.workerCount,
      valueBytesMax: () => settings.valueBytesMax,
    });
    const createSession = () => new HttpSession(settings, true, "http", "", Date.now());
    const session = createSession(), sessions = new Map([[0, session]]);
    this.#tools = {
      services,
      runner: new CommandRunner({
        engine,
        replyBytesMax: () => settings.clientOutputBytesMax,
        gate: options.gate,
        fail: options.fail,
      }),
      writers: new ReplyWriters(new ReplyChunkPool()),
      uploads: this.#uploads,
      downloads: this.#downloads,
      counters,
      session,
      // One for each of the few databases.
      sessionOf: (database) => {
        const known = sessions.get(database) ?? createSession();
        sessions.set(database, known);
        return known.select(database);
      },
      createSession,
      metricsText: (format) =>
        metricsText(collect(services, engine.store, engine.clock.nowMs()), format),
      notReadyReason: options.notReadyReason,
    };
    this.handler = new HttpHandler({
      tools: this.#tools,
      guard: new RequestGuard(config, services),
      openSockets: () => this.#sockets ??= this.#openSockets(),
      logError: (error) => this.#logError(error),
    });
  }

  /** Listens on one host; other workers do the same, and the kernel shares the clients out. Throws if it cannot. */
  listen(hostname: string, port: number): void {
    this.#servers.push(Deno.serve({
      hostname,
      port,
      reusePort: true,
      onListen: () => {},
      onError: (error) => {
        this.#logError(error);
        return problem("internal", "the log tells more");
      },
    }, (request, client) => this.handler.handle(request, client)));
    this.#sweepTimer ??= setInterval(() => this.#sweep(), CONNECTION_SWEEP_MS);
  }

  /** Stops accepting, answers what is in flight, but not for longer than two seconds. */
  async stop(): Promise<void> {
    clearInterval(this.#sweepTimer);
    if (this.#sockets !== null) (await this.#sockets).stop();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, HTTP_STOP_MS_MAX));
    const ended = Promise.all(this.#servers.map((server) => server.shutdown()));
    await Promise.race([late, ended]);
    clearTimeout(timer);
  }

  async #openSockets(): Promise<SocketClients> {
    const { SocketClients } = await import("./socket_clients.ts");
    const { counters, engine: { store }, services: { sessions } } = this.#options;
    const log = (text: string) => this.#log("info", text);
    return new SocketClients({ tools: this.#tools, sessions, counters, store, log });
  }

  #sweep(): void {
    this.#logLines = 0;
    this.#uploads.sweep(HTTP_STALL_MS_MAX / CONNECTION_SWEEP_MS);
    this.#downloads.sweep(HTTP_STALL_MS_MAX);
    const idleMs = this.#options.services.settings.idleTimeoutS * 1000;
    void this.#sockets?.then((sockets) => sockets.sweep(Date.now(), idleMs));
  }

  #logError(error: unknown): void {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#log("warning", `a request of HTTP failed: ${text}`);
  }

  #log(level: "info" | "warning", text: string): void {
    if (this.#logLines++ < LOG_LINES_PER_SWEEP_MAX) this.#options.log(level, text);
  }
}
