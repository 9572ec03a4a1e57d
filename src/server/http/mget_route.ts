// POST /v1/mget, and its short way: plain keys go from the body to the engine without a schema or a string of each.
import type { BulkRoutes } from "./bulk_routes.ts";
import type { Command } from "./command_runner.ts";
import type { HttpTools } from "./http_tools.ts";
import { jsonReply, VALUES_FRAME } from "./json_reply.ts";
import { jsonText } from "./json_request.ts";
import { putPlainKeys } from "./plain_bodies.ts";

export const MGET_PATH = "/v1/mget";

const commandOf = (text: string): Command => ["MGET", ...JSON.parse(text).keys];

export class MgetRoute {
  readonly #tools: HttpTools;
  #bulk: Promise<BulkRoutes> | null = null;

  constructor(tools: HttpTools) {
    this.#tools = tools;
  }

  answer(request: Request): Response | Promise<Response> {
    const text = jsonText(request, this.#tools.uploads);
    return text instanceof Promise
      ? text.then((came) => this.#valuesOf(came))
      : this.#valuesOf(text);
  }

  #valuesOf(text: string | Response): Response | Promise<Response> {
    if (typeof text !== "string") return text;
    const { runner, writers } = this.#tools, session = this.#tools.createSession();
    const writer = writers.takeJson(VALUES_FRAME);
    const waiting = runner.runPlain(session, text, writer, putPlainKeys, commandOf);
    if (waiting === null) return jsonReply(this.#tools, session, writer, false);
    if (waiting !== undefined) {
      return waiting.then(() => jsonReply(this.#tools, session, writer, false));
    }
    writers.giveJson(writer);
    return this.#long(text);
  }

  /** Keys that are escaped or no text, and bodies that are wrong: the schemas are loaded with the first of them. */
  async #long(text: string): Promise<Response> {
    this.#bulk ??= import("./bulk_routes.ts").then(({ BulkRoutes }) => new BulkRoutes(this.#tools));
    return (await this.#bulk).values(text);
  }
}
