// The listening side of TCP, and of a unix socket, in one worker: accepts clients, refuses those it must, sweeps over the others.
import type { Config } from "../config.ts";
import type { Engine } from "../engine.ts";
import * as errors from "../errors.ts";
import {
  ACCEPT_PAUSE_MS,
  ARGUMENTS_MAX,
  CONNECTION_SWEEP_MS,
  INLINE_BYTES_MAX,
  LOG_LINES_PER_SWEEP_MAX,
  OUT_OF_LINE_BYTES_MIN,
} from "../limits.ts";
import { isLoopback } from "../loopback.ts";
import { COUNTER } from "../metrics.ts";
import { ReplyBuffer } from "../protocol/reply_buffer.ts";
import { RequestBatch } from "../protocol/request_batch.ts";
import {
  INLINE_REPLY_AUTO,
  INLINE_REPLY_RESP,
  INLINE_REPLY_TEXT,
} from "../protocol/request_parser.ts";
import { RespWriter } from "../protocol/resp_writer.ts";
import { TEXT_DIALECTS, TextWriter } from "../protocol/text_writer.ts";
import type { Sessions } from "../session.ts";
import type { Settings } from "../settings.ts";
import { ReplyChunkPool } from "./chunk_pool.ts";
import { LingeringClose } from "./lingering_close.ts";
import type { Turns } from "./loop_turns.ts";
import { LargeBuffers } from "./read_buffer.ts";
import type { ReplyGate } from "./reply_gate.ts";
import { Connection } from "./connection.ts";
import { SendRound } from "./send_round.ts";
import { socketOf } from "./socket.ts";
import type { Chore, ConnectionHost } from "./connection_host.ts";

const INLINE_REPLIES = {
  auto: INLINE_REPLY_AUTO,
  resp: INLINE_REPLY_RESP,
  text: INLINE_REPLY_TEXT,
};

/** What Redis says to clients from elsewhere when it has no password. */
const PROTECTED_MODE_REPLY = "-DENIED Redis is running in protected mode because protected mode " +
  "is enabled and no password is set for the default user. In this mode connections are only accepted " +
  "from the loopback interface. If you want to connect from external computers to Redis you may adopt " +
  "one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET " +
  "protected-mode no' from the loopback interface by connecting to Redis from the same host the server " +
  "is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use " +
  "CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected " +
  "mode by editing the Redis configuration file, and setting the protected mode option to 'no', and " +
  "then restarting the server. 3) If you started the server manually just for testing, restart it with " +
  "the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: " +
  "You only need to do one of the above things in order for the server to start accepting connections " +
  "from the outside.\r\n";

export interface TcpServerOptions {
  readonly config: Config;
  readonly settings: Settings;
  readonly engine: Engine;
  readonly sessions: Sessions;
  readonly counters: Float64Array;
  readonly hasPassword: boolean;
  readonly gate: ReplyGate | null;
  readonly chore: Chore;
  readonly turns: Turns;
  log(level: "info" | "warning", text: string, client: string): void;
}

export class TcpServer {
  readonly #options: TcpServerOptions;
  readonly #listeners: (Deno.TcpListener | Deno.UnixListener)[] = [];
  #unixPath: string | null = null;
  readonly #connections = new Set<Connection>();
  readonly #host: ConnectionHost;
  #logLines = 0;
  #isStopping = false;
  #sweepTimer: ReturnType<typeof setInterval> | undefined;
  #onIdle: (() => void) | null = null;

  constructor(options: TcpServerOptions) {
    this.#options = options;
    const { settings, config } = options;
    const pool = new ReplyChunkPool();
    const out = new ReplyBuffer(pool);
    this.#host = {
      engine: options.engine,
      batch: new RequestBatch(),
      out,
      resp: new RespWriter(out),
      text: new TextWriter(out, TEXT_DIALECTS[config.textDialect]),
      pool,
      largeBuffers: new LargeBuffers(),
      counters: options.counters,
      gate: options.gate,
      chore: options.chore,
      turns: options.turns,
      round: new SendRound(),
      lingering: new LingeringClose(options.turns),
      limits: {
        bulkBytesMax: settings.valueBytesMax,
        argumentsMax: ARGUMENTS_MAX,
        inlineBytesMax: INLINE_BYTES_MAX,
        outOfLineBytesMin: OUT_OF_LINE_BYTES_MIN,
        inlineReply: INLINE_REPLIES[config.inlineReply] as 0 | 1 | 2,
        authenticated: true,
      },
      bufferBytesMax: () => settings.allClientsOutputBytesMax / config.workerCount,
      clientOutputBytesMax: () => settings.clientOutputBytesMax,
      valueBytesMax: () => settings.valueBytesMax,
      onClosed: (connection) => this.#closed(connection),
      log: (text, connection) => this.#log("info", text, connection.address),
    };
  }

  /** Listens on one host; other workers do the same, and the kernel shares the clients out. Throws if it cannot. */
  listen(hostname: string, port: number): void {
    const listener = Deno.listen({ hostname, port, reusePort: true });
    this.#listeners.push(listener);
    void this.#accept(listener);
    this.#sweepTimer ||= setInterval(() => this.#sweep(), CONNECTION_SWEEP_MS);
  }

  /** Listens on a unix socket, which one worker alone can; the path is free. Throws if it cannot. */
  listenUnix(path: string, mode: number | null): void {
    const listener = Deno.listen({ transport: "unix", path });
    this.#listeners.push(listener);
    this.#unixPath = path;
    if (mode !== null) Deno.chmodSync(path, mode);
    void this.#accept(listener);
  }

  /** Stops accepting, answers what is in flight, closes; resolves when all connections are gone. */
  stop(): Promise<void> {
    this.#isStopping = true;
    for (const listener of this.#listeners) listener.close();
    if (this.#unixPath !== null) removeFile(this.#unixPath);
    for (const connection of [...this.#connections]) connection.stop();
    return new Promise<void>((resolve) => {
      if (this.#connections.size === 0) resolve();
      else this.#onIdle = resolve;
    }).then(() => clearInterval(this.#sweepTimer));
  }

  async #accept(listener: Deno.TcpListener | Deno.UnixListener): Promise<void> {
    while (!this.#isStopping) {
      let socket: Deno.TcpConn | Deno.UnixConn;
      try {
        socket = await listener.accept();
      } catch (error) {
        if (this.#isStopping) return;
        // Out of descriptors, or the client left at once: neither may end the server, nor spin.
        this.#log("warning", `cannot accept: ${(error as Error).message}`, "");
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
        continue;
      }
      // Accepted while the server was told to stop: nobody would close it.
      if (this.#isStopping) socket.close();
      else this.#welcome(socket);
    }
  }

  #welcome(socket: Deno.TcpConn | Deno.UnixConn): void {
    const { config, settings, counters, sessions, hasPassword } = this.#options;
    counters[COUNTER.connectionsAccepted]++;
    const remote = socket.remoteAddr, local = socket.localAddr;
    const isRefused = config.listensBeyondLoopback && config.protectedMode && !hasPassword &&
      remote.transport === "tcp" && !isLoopback(remote.hostname);
    if (isRefused || !settings.connectClient()) {
      counters[COUNTER.connectionsRejected]++;
      this.#refuse(socket, isRefused ? PROTECTED_MODE_REPLY : `-${errors.CLIENTS_MAX}\r\n`);
      return;
    }
    if ("setNoDelay" in socket) socket.setNoDelay(true);
    const connection = new Connection(this.#host, socketOf(socket), {
      id: settings.nextClientId(),
      address: this.#addressOf(remote),
      localAddress: this.#addressOf(local),
      createdAtMs: Date.now(),
      isAuthenticated: !hasPassword,
    });
    counters[COUNTER.connectionsNow]++;
    this.#connections.add(connection);
    sessions.set(connection.id, connection);
    void connection.serve();
  }

  /** Says why, and closes; a client that does not take it is closed all the same. */
  #refuse(socket: Deno.TcpConn | Deno.UnixConn, text: string): void {
    const end = () => this.#host.lingering.end(socketOf(socket));
    socket.write(new TextEncoder().encode(text)).then(end, end);
  }

  #closed(connection: Connection): void {
    const { settings, counters, sessions } = this.#options;
    if (!this.#connections.delete(connection)) return;
    sessions.delete(connection.id);
    this.#options.engine.services.monitor.end(connection);
    this.#options.engine.forget(connection);
    settings.disconnectClient();
    counters[COUNTER.connectionsNow]--;
    if (this.#connections.size === 0) this.#onIdle?.();
  }

  /** As Redis shows it: a client of the unix socket by its path and port 0. */
  #addressOf(address: Deno.Addr): string {
    if (address.transport !== "tcp") return `${this.#unixPath}:0`;
    const { hostname, port } = address as Deno.NetAddr;
    return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  }

  /** Anybody can cause these lines, so only so many are written a second. */
  #log(level: "info" | "warning", text: string, client: string): void {
    if (this.#logLines++ < LOG_LINES_PER_SWEEP_MAX) this.#options.log(level, text, client);
  }

  #sweep(): void {
    const leftOut = this.#logLines - LOG_LINES_PER_SWEEP_MAX;
    if (leftOut > 0) this.#options.log("warning", `${leftOut} lines about clients left out`, "");
    this.#logLines = 0;
    const { settings } = this.#options;
    const nowMs = Date.now();
    const idleMs = settings.idleTimeoutS * 1000, writeMs = settings.writeTimeoutS * 1000;
    for (const connection of this.#connections) connection.sweep(nowMs, idleMs, writeMs);
  }
}

/** A file that is not there is as good as removed. */
function removeFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Somebody else was quicker, or may.
  }
}
