// Many keys at once, any command, and the walk over the keys: the JSON routes of /v1.
import type { z } from "@hono/zod-openapi";
import { BARE_FRAME, type JsonFrame, RESULT_FRAME } from "../../protocol/json_writer.ts";
import { ErrorValue } from "../../protocol/value_writer.ts";
import type { Command } from "./command_runner.ts";
import { WRONG_DATABASE } from "./key_routes.ts";
import type { HttpTools } from "./http_tools.ts";
import { takeJsonText } from "./json_body.ts";
import { JSON_INIT, jsonReply, REPLIES_TOO_LARGE, VALUES_FRAME } from "./json_reply.ts";
import { jsonText } from "./json_request.ts";
import {
  argumentOf,
  CommandBody,
  type CommandWords,
  EntriesBody,
  type Entry,
  issueText,
  KeysBody,
} from "./json_schemas.ts";
import { databaseParameter, queryDecode, queryParameter } from "./percent_decoding.ts";
import { commandProblem, problem } from "./problem.ts";

const DELETED_FRAME: JsonFrame = { result: '{"deleted":', error: "", end: "}" };
const COUNT_DEFAULT = "100";

export class BulkRoutes {
  readonly #tools: HttpTools;

  constructor(tools: HttpTools) {
    this.#tools = tools;
  }

  /** POST /v1/mget, with this body. */
  values(text: string): Response | Promise<Response> {
    const body = parsed(text, KeysBody);
    if (body instanceof Response) return body;
    return this.#reply([["MGET", ...body.keys.map(argumentOf)]], VALUES_FRAME);
  }

  /** POST /v1/delete */
  async delete(request: Request): Promise<Response> {
    const body = await this.#read(request, KeysBody);
    if (body instanceof Response) return body;
    return this.#reply([["DEL", ...body.keys.map(argumentOf)]], DELETED_FRAME);
  }

  /** POST /v1/mset: all at one moment, and kept together; those with an end of life as a transaction. */
  async mset(request: Request): Promise<Response> {
    const body = await this.#read(request, EntriesBody);
    if (body instanceof Response) return body;
    const { entries } = body;
    const hasEnd = entries.some(({ ttl, pttl }) => ttl !== undefined || pttl !== undefined);
    const commands: Command[] = hasEnd
      ? transaction(entries.map(setCommand))
      : [["MSET", ...entries.flatMap(({ key, value }) => [argumentOf(key), argumentOf(value)])]];
    const failed = await this.#firstError(commands);
    if (failed !== null) return commandProblem(failed);
    return new Response(JSON.stringify({ stored: entries.length }), JSON_INIT);
  }

  /** GET /v1/keys?match=&cursor=&count=&type=&db= */
  async keys(request: Request): Promise<Response> {
    const command: (string | Uint8Array)[] = ["SCAN"];
    const given = (name: string) => queryParameter(request.url, name);
    const cursor = given("cursor") ?? "0", count = given("count") ?? COUNT_DEFAULT;
    if (!/^\d{1,16}$/.test(cursor)) return problem("bad-request", "cursor is a whole number");
    if (!/^[1-9]\d{0,6}$/.test(count)) {
      return problem("bad-request", "count is a whole number from 1 to 9999999");
    }
    command.push(cursor, "COUNT", count);
    for (const name of ["match", "type"]) {
      const text = given(name);
      if (text === null || text === "") continue;
      const bytes = queryDecode(text);
      if (bytes === null) {
        return problem("bad-request", `${name}: a percent sign lacks its two digits`);
      }
      command.push(name.toUpperCase(), bytes);
    }
    const database = databaseParameter(request.url);
    if (database === null) return problem("bad-request", WRONG_DATABASE);
    const { runner, writers } = this.#tools, writer = writers.takeJson(BARE_FRAME);
    const session = this.#tools.createSession().select(database);
    const waiting = runner.run(session, [command], writer);
    if (waiting !== null) await waiting;
    const failed = writer.errorText;
    const page = failed === null && !session.isKilled ? takeJsonText(writer) : "";
    writers.giveJson(writer);
    if (session.isKilled) return problem("reply-too-large", REPLIES_TOO_LARGE);
    if (failed !== null) return commandProblem(failed);
    const [next, keys] = JSON.parse(page);
    return new Response(JSON.stringify({ cursor: next, keys }), JSON_INIT);
  }

  /** POST /v1/command: one command, or a list of commands that share a session. */
  async command(request: Request): Promise<Response> {
    const body = await this.#read(request, CommandBody);
    if (body instanceof Response) return body;
    const isList = Array.isArray(body[0]);
    const commands = (isList ? body : [body]) as z.infer<typeof CommandWords>[];
    return this.#reply(commands.map((words) => words.map(argumentOf)), RESULT_FRAME, isList);
  }

  async #reply(
    commands: readonly Command[],
    frame: JsonFrame,
    isList = false,
  ): Promise<Response> {
    const { runner, writers } = this.#tools, writer = writers.takeJson(frame);
    const session = this.#tools.createSession();
    if (isList) writer.raw("[");
    const waiting = runner.run(session, commands, writer);
    if (waiting !== null) await waiting;
    return jsonReply(this.#tools, session, writer, isList);
  }

  /** Runs commands whose replies say nothing but whether they failed; all run, and the first error is given. */
  async #firstError(commands: readonly Command[]): Promise<string | null> {
    const { runner, writers } = this.#tools, writer = writers.takeValues();
    const session = this.#tools.createSession(), waiting = runner.run(session, commands, writer);
    if (waiting !== null) await waiting;
    runner.forget(session);
    const failed = writer.take().find((value) => value instanceof ErrorValue);
    writers.giveValues(writer);
    return failed?.text ?? null;
  }

  /** The body, if it is JSON of that shape; else the answer that says why not. */
  async #read<Schema extends z.ZodType>(
    request: Request,
    schema: Schema,
  ): Promise<z.infer<Schema> | Response> {
    const text = await jsonText(request, this.#tools.uploads);
    return typeof text === "string" ? parsed(text, schema) : text;
  }
}

/** JSON of that shape, or the answer that says why it is none. */
function parsed<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
): z.infer<Schema> | Response {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return problem("bad-request", `the body is no JSON: ${(error as Error).message}`);
  }
  const result = schema.safeParse(value);
  return result.success ? result.data : problem("bad-request", issueText(result.error));
}

function setCommand({ key, value, ttl, pttl }: z.infer<typeof Entry>): Command {
  return [
    "SET",
    argumentOf(key),
    argumentOf(value),
    ...ttl === undefined ? [] : ["EX", String(ttl)],
    ...pttl === undefined ? [] : ["PX", String(pttl)],
  ];
}

function transaction(commands: readonly Command[]): Command[] {
  return [["MULTI"], ...commands, ["EXEC"]];
}
