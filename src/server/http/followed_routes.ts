// GET /get and POST or PUT /put, with the words of the system whose clients they serve, byte for byte.
import { MISSING, SINGLE_KEY_AT, UNSURE } from "../../commands/single_read.ts";
import { COUNTER } from "../../metrics.ts";
import { HLD_TEXT_BYTES_MAX, HTTP_JSON_BYTES_MAX } from "../../limits.ts";
import { quotedBytes } from "../../protocol/json_writer.ts";
import { asciiText, strictText } from "./byte_text.ts";
import type { RawWriter } from "../../protocol/raw_writer.ts";
import type { Command } from "./command_runner.ts";
import type { HttpTools } from "./http_tools.ts";
import { quotedSource, quotedText } from "./json_body.ts";
import { formDecode, queryParameter } from "./percent_decoding.ts";
import { commandProblem } from "./problem.ts";
import { type PlainPutter, putPlainEntry } from "./plain_bodies.ts";
import { parsePut, type PutBody } from "./put_body.ts";

const JSON_INIT = { headers: { "content-type": "application/json" } };
const TEXT_HEADERS = { "content-type": "text/plain;charset=UTF-8" };
const STORED = '{"status":"OK","message":"Key inserted/updated successfully."}';
const HEAD = '{"status":"OK","key":"';
/** Exactly as long as the gap between a key and the value that was looked up. */
const MIDDLE = '","value":"';
const END = '"}';
const NOT_FOUND = '{"status":"ERROR","message":"Key not found."}';
const MS_PER_S = 1000;
/** Error replies that the client's arguments cause: a key or value that is too long, a ttl out of range. */
const CLIENT_ERROR = /^ERR /;

const encoder = new TextEncoder();

export const unsupported = () =>
  new Response("Unsupported request", { status: 404, headers: TEXT_HEADERS });
const badRequest = () => new Response("Bad request", { status: 400, headers: TEXT_HEADERS });
const keyRequired = () =>
  new Response("Key parameter is required", { status: 400, headers: TEXT_HEADERS });

function commandOf({ key, value, ttl }: PutBody): Command {
  return ttl === undefined
    ? ["SET", key, value]
    : ["SET", key, value, "PX", String(Math.ceil(ttl * MS_PER_S))];
}
const plainCommandOf = (text: string) => commandOf(parsePut(text)!);

export class FollowedRoutes {
  readonly #tools: HttpTools;
  /** The followed system's own bound for keys and values, where it was asked for. */
  readonly #textBytesMax: number;
  readonly #putPlain: PlainPutter;

  constructor(tools: HttpTools) {
    this.#tools = tools;
    this.#textBytesMax = tools.services.config.textDialect === "hld"
      ? HLD_TEXT_BYTES_MAX
      : Infinity;
    const { config, settings } = tools.services, textBytesMax = this.#textBytesMax;
    const keyBytesMax = Math.min(textBytesMax, config.keyBytesMax);
    this.#putPlain = (batch, text) =>
      putPlainEntry(batch, text, keyBytesMax, Math.min(textBytesMax, settings.valueBytesMax));
    putAscii(tools.runner.single.bytes, SINGLE_KEY_AT - HEAD.length, HEAD);
  }

  /** GET /get?key= with nothing else to it, the key from `from` on; null if it is not that simple. */
  quickGet(url: string, from: number): Response | null {
    if (url.length - from > this.#textBytesMax) return null;
    const { runner, session } = this.#tools, found = runner.look(session, url, from);
    if (found === UNSURE) return null;
    if (found === MISSING) return this.#json(NOT_FOUND);
    const { bytes, start, end, isPlain } = runner.single;
    if (!isPlain) {
      const value = quotedBytes(bytes.subarray(start, end), false);
      return this.#json(`${HEAD}${url.slice(from)}","value":${value}}`);
    }
    // The answer is put together around the key and the value: one text, where five would have to be joined.
    putAscii(bytes, start - MIDDLE.length, MIDDLE);
    putAscii(bytes, end, END);
    return this.#json(asciiText(bytes, SINGLE_KEY_AT - HEAD.length, end + END.length));
  }

  #json(text: string): Response {
    // As if all were ASCII: a look at each character would cost more than the number is worth.
    this.#tools.counters[COUNTER.bytesOut] += text.length;
    return new Response(text, JSON_INIT);
  }

  /** GET /get?key= */
  get(url: string): Response | Promise<Response> {
    const text = queryParameter(url, "key");
    if (text === null || text === "") return keyRequired();
    // Letters and digits stand for themselves: no bytes are made of them, which cost as much as the look-up.
    const key = text.includes("%") || text.includes("+") ? formDecode(text) : text;
    if (key.length > Math.min(this.#textBytesMax, this.#tools.services.config.keyBytesMax)) {
      return badRequest();
    }
    const { runner, writers, session } = this.#tools, writer = writers.takeRaw();
    const waiting = runner.run(session, [["GET", key]], writer);
    return waiting === null
      ? this.#found(key, writer)
      : waiting.then(() => this.#found(key, writer));
  }

  #found(key: string | Uint8Array, writer: RawWriter): Response {
    const { writers, downloads } = this.#tools, source = writer.takeSource();
    let response: Response;
    if (writer.errorText !== null) response = commandProblem(writer.errorText);
    else if (writer.isNil) response = this.#json(NOT_FOUND);
    else {
      const name = typeof key === "string" ? quotedName(key) : quotedBytes(key, false);
      const head = `{"status":"OK","key":${name},"value":`;
      const { out } = writer;
      const body = source === null
        ? `${head}${quotedText(out.bytes, 0, out.position)}}`
        : quotedSource(source, head, "}", downloads);
      response = typeof body === "string" ? this.#json(body) : new Response(body, JSON_INIT);
    }
    writers.giveRaw(writer);
    return response;
  }

  /** POST /put, PUT /put */
  put(request: Request): Response | Promise<Response> {
    const { uploads } = this.#tools, text = uploads.takeText(request);
    if (text !== null) return this.#store(text);
    return uploads.read(request, HTTP_JSON_BYTES_MAX).then((bytes) =>
      typeof bytes === "string" ? badRequest() : this.#store(strictText(bytes))
    );
  }

  #store(text: string | null): Response | Promise<Response> {
    if (text === null) return badRequest();
    const { runner, writers, session } = this.#tools, writer = writers.takeRaw();
    let waiting = runner.runPlain(session, text, writer, this.#putPlain, plainCommandOf);
    if (waiting === undefined) {
      const body = parsePut(text);
      if (body === null || this.#isTooLong(body)) {
        writers.giveRaw(writer);
        return badRequest();
      }
      waiting = runner.run(session, [commandOf(body)], writer);
    }
    return waiting === null ? this.#stored(writer) : waiting.then(() => this.#stored(writer));
  }

  #stored(writer: RawWriter): Response {
    const error = writer.errorText;
    this.#tools.writers.giveRaw(writer);
    if (error === null) return this.#json(STORED);
    return CLIENT_ERROR.test(error) ? badRequest() : commandProblem(error);
  }

  #isTooLong({ key, value }: PutBody): boolean {
    const { config, settings } = this.#tools.services;
    return isLonger(key, Math.min(this.#textBytesMax, config.keyBytesMax)) ||
      isLonger(value, Math.min(this.#textBytesMax, settings.valueBytesMax));
  }
}

function putAscii(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

/** A key as JSON; nearly all stand for themselves. */
function quotedName(key: string): string {
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code < 32 || code > 126 || code === 34 || code === 92) return JSON.stringify(key);
  }
  return `"${key}"`;
}

function isLonger(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return true;
  return text.length * 3 > bytesMax && encoder.encode(text).length > bytesMax;
}
