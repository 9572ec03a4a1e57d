// HTTP in this process, without a socket: requests into the handler of a worker over a store of its own.
import { createPasswordCheck } from "../../src/server/auth.ts";
import { HttpServer, type HttpServerOptions } from "../../src/server/http/http_server.ts";
import type { Services } from "../../src/commands/services.ts";
import type { Config } from "../../src/config.ts";
import { CountedTurns } from "./counted_turns.ts";
import { EnginePath } from "./engine_path.ts";

export interface HttpPathOptions {
  readonly password?: string;
  readonly config?: Partial<Config>;
  readonly remoteHost?: string;
  readonly server?: Partial<HttpServerOptions>;
}

export class HttpPath {
  readonly services: Services;
  readonly path = new EnginePath();
  readonly #server: HttpServer;
  readonly #remoteAddr: Deno.NetAddr;

  constructor(options: HttpPathOptions = {}) {
    const { engine } = this.path, { services } = engine;
    const { password = "" } = options;
    this.services = {
      ...services,
      config: { ...services.config, ...options.config },
      hasPassword: password !== "",
      isPassword: createPasswordCheck(password),
    };
    this.#remoteAddr = {
      transport: "tcp",
      hostname: options.remoteHost ?? "127.0.0.1",
      port: 50_000,
    };
    this.#server = new HttpServer({
      services: this.services,
      engine,
      counters: engine.metrics.counters,
      gate: null,
      turns: new CountedTurns(),
      notReadyReason: () => null,
      log: (_level, text) => {
        throw new Error(`logged: ${text}`);
      },
      fail: (error) => {
        throw error;
      },
      ...options.server,
    });
  }

  /** The answer to a request for a path, or for a whole URL. */
  async request(pathOrUrl: string, init: RequestInit = {}): Promise<Response> {
    const url = pathOrUrl.startsWith("/") ? `http://127.0.0.1:7171${pathOrUrl}` : pathOrUrl;
    return await this.#server.handler.handle(new RawRequest(url, init), {
      remoteAddr: this.#remoteAddr,
    });
  }

  /** The same with a body of JSON. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return this.request(path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
  }
}

/** `Request` straightens its URL (dots, brackets, case); a server gets it as it was sent. */
class RawRequest extends Request {
  readonly #url: string;

  constructor(url: string, init: RequestInit) {
    super("http://127.0.0.1:7171/", init);
    this.#url = url;
    const { body } = init;
    const length = typeof body === "string"
      ? new TextEncoder().encode(body).length
      : body instanceof Uint8Array
      ? body.length
      : -1;
    if (length >= 0) this.headers.set("content-length", String(length));
  }

  override get url(): string {
    return this.#url;
  }
}
