// Who may ask for what: the client's address, the name it used, the page it comes from, its password; knows no route.
import type { Config } from "../../config.ts";
import type { Services } from "../../commands/services.ts";
import { isLoopback } from "../../loopback.ts";
import { problem } from "./problem.ts";
import { headerOf } from "./request_parts.ts";

/** Methods that change nothing: a page of another origin may send them, it cannot read the answer. */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** What probes ask for without knowing the password; and the dashboard's page, which asks for it. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/"]);
/** The page's files: the program alone, no number and no data. */
const OPEN_FOLDER = "/dashboard/";
/** Where clients of WebSocket ask for an upgrade: no preflight comes before it. */
export const SOCKET_PATH = "/ws";
const PREFLIGHT_SECONDS = "600";
const ALLOWED_HEADERS = "authorization, content-type, if-match, if-none-match";
const EXPOSED_HEADERS = "etag, mayfly-ttl, mayfly-pttl";
/** A name that a browser cannot have been led to by another site's DNS. */
const ADDRESS_OR_LOCAL = /^(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]|(?:[a-z0-9-]+\.)*localhost)$/i;
const encoder = new TextEncoder();

type GuardConfig = Pick<
  Config,
  "httpOrigins" | "protectedMode" | "listensBeyondLoopback" | "hosts"
>;
type GuardServices = Pick<Services, "hasPassword" | "isPassword" | "wrongPassword">;

export class RequestGuard {
  /** Whether pages of other origins are served at all. */
  readonly hasOrigins: boolean;
  /** Whether for requests that change nothing the name in their URL is all that matters. */
  readonly isOpen: boolean;
  readonly #config: GuardConfig;
  readonly #services: GuardServices;
  /** Without a password and in protected mode, only for clients of this machine. */
  readonly #isLocalOnly: boolean;
  /** Beginning of the last URL whose name was allowed: nearly all are the same. */
  #allowedStart = "";

  constructor(config: GuardConfig, services: GuardServices) {
    this.#config = config;
    this.#services = services;
    this.hasOrigins = config.httpOrigins.length > 0;
    this.#isLocalOnly = config.protectedMode && !services.hasPassword;
    this.isOpen = !services.hasPassword && !this.hasOrigins &&
      !(this.#isLocalOnly && config.listensBeyondLoopback);
  }

  /**
   * Null if the request may go on, else its answer. The path begins at `pathStart` of its URL; `remoteHost` gives
   * the client's address.
   */
  refusal(
    request: Request,
    url: string,
    pathStart: number,
    remoteHost: () => string,
  ): Response | null {
    const { method } = request;
    if (this.#isLocalOnly && !this.#isLocal(url, remoteHost)) {
      return this.#config.listensBeyondLoopback && !isLoopback(remoteHost())
        ? problem("protected-mode", "set a password, or start with --protected-mode no")
        : problem(
          "host-refused",
          "without a password only addresses and localhost are answered to: a page could have led " +
            "a browser here under its own name; set a password, or start with --protected-mode no",
        );
    }
    // Headers cost as much as a look-up: they are looked at where they can matter.
    const isSocket = url.startsWith(SOCKET_PATH, pathStart);
    if (isSocket || !(method === "GET" || SAFE_METHODS.has(method))) {
      const refused = this.#foreignPage(request);
      if (refused !== null) return refused;
    }
    if (method === "OPTIONS" && headerOf(request, "access-control-request-method") !== null) {
      return this.#preflight(request);
    }
    if (!this.#services.hasPassword) return null;
    if (OPEN_PATHS.has(pathOf(url)) || url.startsWith(OPEN_FOLDER, pathStart)) return null;
    // A browser cannot give a password with this one: it may send AUTH as its first message.
    if (isSocket && pathOf(url) === SOCKET_PATH) return null;
    return this.isAuthenticated(request)
      ? null
      : problem("unauthorized", "give the password as a Bearer token, or with Basic for default");
  }

  /** For a request without the right password: what its answer has to wait for if it brought a wrong one, else null. */
  brake(request: Request): Promise<void> | null {
    return headerOf(request, "authorization") !== null ? this.#services.wrongPassword() : null;
  }

  /** Whether the request brings the password, or needs none. */
  isAuthenticated(request: Request): boolean {
    const { hasPassword, isPassword } = this.#services;
    if (!hasPassword) return true;
    const header = headerOf(request, "authorization") ?? "";
    const space = header.indexOf(" ");
    const scheme = header.slice(0, space).toLowerCase(), rest = header.slice(space + 1).trim();
    if (scheme === "bearer") return isPassword("default", bytesOf(rest));
    if (scheme !== "basic") return false;
    let pair: Uint8Array;
    try {
      pair = Uint8Array.fromBase64(rest);
    } catch {
      return false;
    }
    const colon = pair.indexOf(58);
    if (colon < 0) return false;
    return isPassword(new TextDecoder().decode(pair.subarray(0, colon)), pair.subarray(colon + 1));
  }

  /** Lets pages of the allowed origins read the answer. */
  withOrigin(request: Request, response: Response): Response {
    const origin = headerOf(request, "origin");
    if (origin === null) return response;
    response.headers.append("vary", "origin");
    if (!this.#isAllowed(origin)) return response;
    response.headers.set("access-control-allow-origin", origin);
    response.headers.set("access-control-expose-headers", EXPOSED_HEADERS);
    return response;
  }

  #isLocal(url: string, remoteHost: () => string): boolean {
    if (this.#config.listensBeyondLoopback && !isLoopback(remoteHost())) return false;
    if (this.#allowedStart !== "" && url.startsWith(this.#allowedStart)) return true;
    const host = hostOf(url).replace(/:\d*$/, "");
    if (!ADDRESS_OR_LOCAL.test(host) && !this.#config.hosts.includes(host)) return false;
    this.#allowedStart = url.slice(0, url.indexOf("/", url.indexOf("://") + 3) + 1);
    return true;
  }

  #foreignPage(request: Request): Response | null {
    const origin = headerOf(request, "origin");
    if (origin !== null) {
      const isOwn = /^https?:\/\//.test(origin) &&
        hostOf(`${origin}/`).toLowerCase() === hostOf(request.url).toLowerCase();
      if (isOwn || this.#isAllowed(origin)) return null;
      return problem("origin-refused", "--http-cors names the origins that may");
    }
    const site = headerOf(request, "sec-fetch-site");
    return site === null || site === "same-origin" || site === "none"
      ? null
      : problem("origin-refused", `sec-fetch-site is ${site.slice(0, 20)}`);
  }

  #isAllowed(origin: string): boolean {
    const { httpOrigins } = this.#config;
    return httpOrigins.includes("*") || httpOrigins.includes(origin);
  }

  #preflight(request: Request): Response {
    if (!this.#isAllowed(headerOf(request, "origin") ?? "")) {
      return problem("origin-refused", "--http-cors names the origins that may");
    }
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-methods": "GET, HEAD, PUT, POST, DELETE",
        "access-control-allow-headers": ALLOWED_HEADERS,
        "access-control-max-age": PREFLIGHT_SECONDS,
      },
    });
  }
}

/** `127.0.0.1:7171`, with the port as it was given. */
function hostOf(url: string): string {
  const start = url.indexOf("://") + 3, end = url.indexOf("/", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}

/** Everything from the first slash behind the host to the query. */
export function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}

/** Of a header: characters up to U+00FF are bytes already, as a client sent them in UTF-8. */
function bytesOf(text: string): Uint8Array {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return encoder.encode(text);
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
