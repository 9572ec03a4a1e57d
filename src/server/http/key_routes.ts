// A resource per key: GET, HEAD, PUT and DELETE of /v1/keys/{key}, with bodies of any bytes.
import { MISSING, UNSURE } from "../../commands/single_read.ts";
import { COUNTER } from "../../metrics.ts";
import { fillPieces } from "../../piecewise_bytes.ts";
import type { RawWriter } from "../../protocol/raw_writer.ts";
import type { ValueSource } from "../../protocol/reply_buffer.ts";
import { ErrorValue, type ReplyValue, SourceValue } from "../../protocol/value_writer.ts";
import { StagedBlock } from "../../store/store.ts";
import type { Argument, Command } from "./command_runner.ts";
import { sourceBytes, sourcePieces } from "./downloads.ts";
import {
  entityTag,
  LongTag,
  longTagOf,
  TAGGED_AT_ONCE_BYTES_MAX,
  tagListHas,
  tagOf,
} from "./entity_tag.ts";
import type { HttpSession } from "./http_session.ts";
import type { HttpTools } from "./http_tools.ts";
import { databaseParameter, percentDecode } from "./percent_decoding.ts";
import { commandProblem, problem } from "./problem.ts";
import { type PutOptions, readPutOptions } from "./put_options.ts";
import { contentLength, headerOf } from "./request_parts.ts";
import type { BodyFailure, Uploads } from "./uploads.ts";
import { knownResponse, valueHeaders, valueResponse } from "./value_response.ts";

export const KEYS_PATH = "/v1/keys/";
const ALLOW = { allow: "GET, HEAD, PUT, DELETE, OPTIONS" };
const NO_SUCH_KEY = "the key is not there, or has expired";
/** Also of the walk over the keys. */
export const WRONG_DATABASE = "db is a number from 0 to 15";
/** A value above TAGGED_AT_ONCE_BYTES_MAX. */
const LONG = "long";
/** As PTTL has it. */
const NO_END = -1;
const CONDITION_FAILED = "the key is not as the condition wants it";

/** Text without percent signs stands for its own bytes. */
type Key = string | Uint8Array;

export class KeyRoutes {
  readonly #tools: HttpTools;

  constructor(tools: HttpTools) {
    this.#tools = tools;
  }

  /** Any method; `pathStart` is where the path begins in the URL. */
  answer(request: Request, pathStart: number): Response | Promise<Response> {
    const { url, method } = request;
    const queryStart = url.indexOf("?", pathStart);
    const end = queryStart < 0 ? url.length : queryStart;
    const text = url.slice(pathStart + KEYS_PATH.length, end);
    const key = text.includes("%") ? percentDecode(text) : text;
    if (key === null) return problem("bad-request", "a percent sign lacks its two digits");
    const database = queryStart < 0 ? 0 : databaseParameter(url);
    if (database === null) return problem("bad-request", WRONG_DATABASE);
    const session = this.#tools.sessionOf(database);
    switch (method) {
      case "GET":
      case "HEAD":
        return this.#get(session, request, key, method === "HEAD");
      case "PUT":
        return this.#put(session, request, key, queryStart < 0 ? "" : url.slice(queryStart + 1));
      case "DELETE":
        return this.#delete(session, request, key);
      case "OPTIONS":
        return new Response(null, { status: 204, headers: ALLOW });
      default:
        return problem("method-not-allowed", `a key has no ${method.slice(0, 20)}`, ALLOW);
    }
  }

  #run(session: HttpSession, commands: readonly Command[]): ReplyValue[] | Promise<ReplyValue[]> {
    const { runner, writers } = this.#tools, writer = writers.takeValues();
    const done = () => {
      const values = writer.take();
      writers.giveValues(writer);
      return values;
    };
    const waiting = runner.run(session, commands, writer);
    return waiting === null ? done() : waiting.then(done);
  }

  // ---- GET, HEAD ------------------------------------------------------------------------------------

  /** GET of a key that stands in the URL from `from` to its end, byte for byte; null if it is not that simple. */
  quickGet(request: Request, url: string, from: number): Response | null {
    const { runner, session } = this.#tools, found = runner.look(session, url, from);
    if (found === UNSURE) return null;
    if (found === MISSING) return problem("key-not-found", NO_SUCH_KEY);
    const { bytes, start, end, expiresAtMs, nowMs } = runner.single;
    const leftMs = expiresAtMs === 0 ? NO_END : expiresAtMs - nowMs;
    const response = valueResponse(request, bytes, start, end, false, leftMs);
    // Told without the value that the client has already.
    if (response.status === 200) this.#tools.counters[COUNTER.bytesOut] += end - start;
    return response;
  }

  #get(
    session: HttpSession,
    request: Request,
    key: Key,
    isHead: boolean,
  ): Response | Promise<Response> {
    const { runner, writers } = this.#tools, writer = writers.takeRaw();
    // Both look at one moment: a batch's reads are confirmed together.
    const waiting = runner.run(session, [["PTTL", key], ["GET", key]], writer);
    return waiting === null
      ? this.#gotten(request, writer, isHead)
      : waiting.then(() => this.#gotten(request, writer, isHead));
  }

  #gotten(request: Request, writer: RawWriter, isHead: boolean): Response | Promise<Response> {
    const answer = this.#found(request, writer, isHead);
    this.#tools.writers.giveRaw(writer);
    return answer;
  }

  #found(
    request: Request,
    writer: RawWriter,
    isHead: boolean,
  ): Response | Promise<Response> {
    const { out, number } = writer, source = writer.takeSource();
    if (writer.errorText !== null) return commandProblem(writer.errorText);
    if (writer.isNil) return problem("key-not-found", NO_SUCH_KEY);
    if (source !== null && source.lengthBytes > TAGGED_AT_ONCE_BYTES_MAX) {
      return this.#large(request, source, isHead, number);
    }
    // The buffer holds the whole value in one chunk: longer ones come as a source.
    const bytes = source === null ? out.bytes : sourceBytes(source);
    const end = source === null ? out.position : bytes.length;
    const response = valueResponse(request, bytes, 0, end, isHead, number);
    if (response.status === 200 && !isHead) this.#tools.counters[COUNTER.bytesOut] += end;
    return response;
  }

  async #large(
    request: Request,
    source: ValueSource,
    isHead: boolean,
    leftMs: number,
  ): Promise<Response> {
    const known = headerOf(request, "if-none-match"), tag = await longTagOf(source);
    if (known !== null && tagListHas(known, tag, true)) {
      source.release();
      return knownResponse(tag, leftMs);
    }
    const headers = valueHeaders(tag, leftMs);
    headers.push(["content-length", String(source.lengthBytes)]);
    if (!isHead) {
      const body = this.#tools.downloads.stream(sourcePieces(source), () => source.release());
      return new Response(body, { headers });
    }
    source.release();
    return new Response(null, { headers });
  }

  // ---- PUT ------------------------------------------------------------------------------------------

  async #put(session: HttpSession, request: Request, key: Key, query: string): Promise<Response> {
    const options = readPutOptions(query, request);
    if (typeof options === "string") return problem("bad-request", options);
    const { runner, uploads, services } = this.#tools;
    const { valueBytesMax } = services.settings, { keyBytesMax } = services.config;
    if (key.length > keyBytesMax) {
      return problem("bad-request", `the key has ${key.length} bytes, at most ${keyBytesMax}`);
    }
    const lengthBytes = contentLength(request);
    const tooLarge = () =>
      problem("body-too-large", `a value has at most ${valueBytesMax} bytes`, {
        connection: "close",
      });
    if (lengthBytes > valueBytesMax) return tooLarge();
    // A value that is tagged in one go is gathered, a longer one goes straight into the store.
    const block = lengthBytes > TAGGED_AT_ONCE_BYTES_MAX
      ? runner.stage(session, ["SET", key], lengthBytes)
      : null;
    const longTag = new LongTag();
    try {
      const body = block === null
        ? await uploads.read(request, valueBytesMax)
        : await fill(block, uploads, request, longTag);
      if (body === "body-too-large") return tooLarge();
      if (typeof body === "string") {
        return problem(body, "the body did not come whole", { connection: "close" });
      }
      const tag = body instanceof Uint8Array ? tagOf(body) : longTag.end();
      return await this.#store(session, key, body, tag, options);
    } finally {
      block?.discard();
    }
  }

  async #store(
    session: HttpSession,
    key: Key,
    body: Uint8Array<ArrayBuffer> | StagedBlock,
    tag: string,
    { args, ifMatch }: PutOptions,
  ): Promise<Response> {
    const headers = { etag: tag };
    const condition = ifMatch === null ? [] : await this.#matching(session, key, ifMatch);
    if (condition instanceof Response) return condition;
    if (condition === LONG) {
      const refused = await this.#changeLong(session, key, ifMatch!, ["SET", key, body, ...args]);
      return refused ?? new Response(null, { status: 204, headers });
    }
    const [isThere, stored] = await this.#run(session, [
      // Unlike EXISTS it counts neither a hit nor a miss.
      ["OBJECT", "REFCOUNT", key],
      ["SET", key, body, ...args, ...condition],
    ]);
    if (stored instanceof ErrorValue) return commandProblem(stored.text);
    if (stored === null) return problem("condition-failed", CONDITION_FAILED);
    return new Response(null, { status: isThere === 1 ? 204 : 201, headers });
  }

  /** The option of SET that holds a change to the value that `If-Match` speaks of, LONG, or why there is none. */
  async #matching(
    session: HttpSession,
    key: Key,
    ifMatch: string,
  ): Promise<Argument[] | typeof LONG | Response> {
    const [value] = await this.#run(session, [["GET", key]]);
    if (value instanceof ErrorValue) return commandProblem(value.text);
    if (value instanceof SourceValue && value.source.lengthBytes > TAGGED_AT_ONCE_BYTES_MAX) {
      value.source.release();
      return LONG;
    }
    const bytes = value instanceof SourceValue ? sourceBytes(value.source) : value;
    if (!(bytes instanceof Uint8Array) || !tagListHas(ifMatch, entityTag(bytes), false)) {
      return problem("condition-failed", CONDITION_FAILED);
    }
    return ["IFEQ", bytes];
  }

  /**
   * Changes a key whose value is too long to be compared under the lock, if it is the one that `If-Match` speaks of:
   * it is watched while its tag is made, and changed only if nobody else did. Null, or why it is not.
   */
  async #changeLong(
    { databaseNumber }: HttpSession,
    key: Key,
    ifMatch: string,
    change: Command,
  ): Promise<Response | null> {
    const { createSession, runner } = this.#tools, session = createSession().select(databaseNumber);
    try {
      const [, value] = await this.#run(session, [["WATCH", key], ["GET", key]]);
      if (value instanceof ErrorValue) return commandProblem(value.text);
      // Bytes: it has become a shorter one meanwhile.
      if (!(value instanceof SourceValue)) return problem("condition-failed", CONDITION_FAILED);
      const tag = await longTagOf(value.source).finally(() => value.source.release());
      if (!tagListHas(ifMatch, tag, false)) return problem("condition-failed", CONDITION_FAILED);
      const replies = await this.#run(session, [["MULTI"], change, ["EXEC"]]);
      for (const reply of replies) {
        if (reply instanceof ErrorValue) return commandProblem(reply.text);
      }
      return replies.at(-1) === null ? problem("condition-failed", CONDITION_FAILED) : null;
    } finally {
      runner.forget(session);
    }
  }

  // ---- DELETE ---------------------------------------------------------------------------------------

  async #delete(session: HttpSession, request: Request, key: Key): Promise<Response> {
    const ifMatch = headerOf(request, "if-match");
    if (ifMatch !== null && ifMatch.trim() !== "*") {
      const condition = await this.#matching(session, key, ifMatch);
      if (condition instanceof Response) return condition;
      if (condition === LONG) {
        const refused = await this.#changeLong(session, key, ifMatch, ["DEL", key]);
        return refused ?? new Response(null, { status: 204 });
      }
      // What is stored with an end that is past takes with it what was there, if that is the value meant.
      const [removed] = await this.#run(session, [["SET", key, "", ...condition, "PXAT", "1"]]);
      if (removed instanceof ErrorValue) return commandProblem(removed.text);
      if (removed === null) return problem("condition-failed", CONDITION_FAILED);
      return new Response(null, { status: 204 });
    }
    const [count] = await this.#run(session, [["DEL", key]]);
    if (count instanceof ErrorValue) return commandProblem(count.text);
    if (count === 1) return new Response(null, { status: 204 });
    return ifMatch === null
      ? problem("key-not-found", NO_SUCH_KEY)
      : problem("condition-failed", CONDITION_FAILED);
  }
}

/** Puts the pieces of a body behind each other into a block; the header said how many bytes there will be. */
async function fill(
  block: StagedBlock,
  uploads: Uploads,
  request: Request,
  tag: LongTag,
): Promise<StagedBlock | BodyFailure> {
  let filled = 0;
  const failure = await uploads.receive(request, (chunk) => {
    if (filled + chunk.length > block.lengthBytes) return "body-too-large";
    tag.add(chunk);
    fillPieces(block, filled, chunk);
    filled += chunk.length;
    return null;
  });
  if (failure !== null) return failure;
  // What was not filled holds other values' bytes.
  return filled === block.lengthBytes ? block : "bad-request";
}
