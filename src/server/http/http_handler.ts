// From a request to its answer: the guard first, then short-cuts for the hottest routes, then the application.
//
// The short-cuts answer exactly as the application's routes do, by the same functions: Hono's way costs as much as
// the rest of a look-up. The application, with schemas and document, is loaded with the first request that needs it.
import { HTTP_REQUESTS_MAX } from "../../limits.ts";
import { OutcomeUnknown } from "./command_runner.ts";
import { FollowedRoutes } from "./followed_routes.ts";
import type { HttpTools } from "./http_tools.ts";
import { KeyRoutes, KEYS_PATH } from "./key_routes.ts";
import { MGET_PATH, MgetRoute } from "./mget_route.ts";
import { problem } from "./problem.ts";
import { headerOf } from "./request_parts.ts";
import { createSpanNamer } from "./request_span.ts";
import { pathOf, type RequestGuard, SOCKET_PATH } from "./request_guard.ts";

type Fetcher = (request: Request) => Response | Promise<Response>;

/** Takes clients of WebSocket. */
export interface SocketDoor {
  upgrade(request: Request, isAuthenticated: boolean, address: string): Response;
}

export interface HandlerOptions {
  readonly tools: HttpTools;
  readonly guard: RequestGuard;
  /** Opens the door for WebSocket when the first client comes. */
  openSockets(): Promise<SocketDoor>;
  logError(error: unknown): void;
}

/** Where a request came from, asked for only if it matters. */
export interface RemoteClient {
  readonly remoteAddr: Deno.Addr;
}

const UNAUTHORIZED = 401;
const STATUS_NO_CONTENT = 204;
const STATUS_NOT_MODIFIED = 304;
const PUT_PATH = "/put";

export class HttpHandler {
  readonly #options: HandlerOptions;
  readonly #followed: FollowedRoutes;
  readonly #keys: KeyRoutes;
  readonly #mget: MgetRoute;
  readonly #nameSpan = createSpanNamer();
  #app: Promise<Fetcher> | null = null;
  #requests = 0;
  /** How URLs begin that need no further look of the guard's, alone and with two paths; at first no URL begins so. */
  #start = " ";
  #getStart = " ";
  #keysStart = " ";

  constructor(options: HandlerOptions) {
    this.#options = options;
    this.#followed = new FollowedRoutes(options.tools);
    this.#keys = new KeyRoutes(options.tools);
    this.#mget = new MgetRoute(options.tools);
  }

  /** The answer; rejects only for what no request can cause. */
  handle(request: Request, client: RemoteClient): Response | Promise<Response> {
    const { guard } = this.#options, { url } = request;
    if (this.#nameSpan !== null) this.#nameSpan(request.method, pathOf(url));
    // One comparison tells host, path and the parameter's name of the hottest requests.
    if (url.startsWith(this.#getStart)) {
      const answer = request.method === "GET"
        ? this.#followed.quickGet(url, this.#getStart.length)
        : null;
      if (answer !== null) return answer;
    } else if (url.startsWith(this.#keysStart)) {
      const answer = request.method === "GET"
        ? this.#keys.quickGet(request, url, this.#keysStart.length)
        : null;
      if (answer !== null) return answer;
    }
    // Where the path begins: behind the first slash that is none of `://`.
    const pathStart = url.indexOf("/", "http://".length + 1);
    const remoteHost = () => hostnameOf(client.remoteAddr);
    const refused = guard.refusal(request, url, pathStart, remoteHost);
    if (refused !== null && refused.status === UNAUTHORIZED) {
      const waiting = this.#requests < HTTP_REQUESTS_MAX ? guard.brake(request) : null;
      if (waiting !== null) return this.#counted(request, waiting.then(() => refused));
    }
    if (refused === null && guard.isOpen) this.#learn(url, pathStart);
    const answer = refused ?? this.#route(request, url, pathStart, client);
    if (answer instanceof Promise) return this.#counted(request, answer);
    return guard.hasOrigins ? guard.withOrigin(request, answer) : answer;
  }

  /** The guard let this one go on: others that begin so may, too, if they change nothing. */
  #learn(url: string, pathStart: number): void {
    if (pathStart <= 0 || url.startsWith(this.#start)) return;
    this.#start = url.slice(0, pathStart + 1);
    this.#getStart = `${this.#start}get?key=`;
    this.#keysStart = this.#start + KEYS_PATH.slice(1);
  }

  #route(
    request: Request,
    url: string,
    pathStart: number,
    client: RemoteClient,
  ): Response | Promise<Response> {
    const { method } = request;
    if (this.#requests >= HTTP_REQUESTS_MAX) {
      return problem("unavailable", `${HTTP_REQUESTS_MAX} requests wait already`, {
        "retry-after": "1",
      });
    }
    if (pathStart > 0) {
      if (method === "GET" && url.startsWith("/get?", pathStart)) return this.#followed.get(url);
      if (url.startsWith(KEYS_PATH, pathStart)) return this.#keys.answer(request, pathStart);
      if (method === "POST") {
        const length = url.length - pathStart;
        if (length === PUT_PATH.length && url.endsWith(PUT_PATH)) {
          return this.#followed.put(request);
        }
        if (length === MGET_PATH.length && url.endsWith(MGET_PATH)) {
          return this.#mget.answer(request);
        }
      }
    }
    if (pathOf(url) === SOCKET_PATH && isUpgrade(request)) {
      return this.#upgrade(request, client);
    }
    return this.#fetch(request);
  }

  #counted(request: Request, coming: Promise<Response>): Promise<Response> {
    const { guard } = this.#options;
    this.#requests++;
    return coming.then((answer) => {
      this.#requests--;
      const isPlain = !guard.hasOrigins || answer.status === 101;
      return isPlain ? answer : guard.withOrigin(request, answer);
    }, (error) => {
      this.#requests--;
      if (error instanceof OutcomeUnknown) return problem("outcome-unknown", error.message);
      throw error;
    });
  }

  async #fetch(request: Request): Promise<Response> {
    this.#app ??= this.#loadApp();
    return (await this.#app)(request);
  }

  async #loadApp(): Promise<Fetcher> {
    const { createApiApp } = await import("./api_app.ts");
    const app = createApiApp(this.#options.tools, this.#followed, this.#mget);
    app.onError((error) => {
      if (error instanceof OutcomeUnknown) return problem("outcome-unknown", error.message);
      this.#options.logError(error);
      return problem("internal", "the log tells more");
    });
    return (request) => request.method === "HEAD" ? headOf(app.fetch(request)) : app.fetch(request);
  }

  async #upgrade(request: Request, client: RemoteClient): Promise<Response> {
    const { guard } = this.#options;
    const sockets = await this.#options.openSockets();
    const isAuthenticated = guard.isAuthenticated(request);
    if (!isAuthenticated) await guard.brake(request);
    return sockets.upgrade(request, isAuthenticated, addressOf(client.remoteAddr));
  }
}

/** An answer to HEAD: with no body at all the runtime would say that GET's has a length of 0. */
async function headOf(coming: Response | Promise<Response>): Promise<Response> {
  const { status, headers } = await coming;
  if (status === STATUS_NO_CONTENT || status === STATUS_NOT_MODIFIED) {
    return new Response(null, { status, headers });
  }
  return new Response(new ReadableStream({ start: (body) => body.close() }), { status, headers });
}

function isUpgrade(request: Request): boolean {
  return headerOf(request, "upgrade")?.toLowerCase() === "websocket";
}

function hostnameOf(address: Deno.Addr): string {
  return "hostname" in address ? address.hostname : "";
}

/** As CLIENT LIST shows it. */
function addressOf(address: Deno.Addr): string {
  if (!("hostname" in address)) return "";
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
