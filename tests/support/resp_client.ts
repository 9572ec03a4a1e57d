// A minimal TCP client for tests: bytes out, bytes or RESP2 replies in, nothing read unless asked,
// so that a test can be a slow or a broken client too. It must not use the server's own code.

import { ByteQueue } from "./byte_queue.ts";
import { type Reply, ReplyParser } from "./reply_parser.ts";

export { ErrorReply, plain, type PlainReply, type Reply, Status } from "./reply_parser.ts";

export type Argument = string | Uint8Array;

export interface ConnectOptions {
  readonly hostname?: string;
  /** Bound for every wait of this client that names none of its own. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
const READ_BYTES = 64 << 10;
const encoder = new TextEncoder();

/** A command as a RESP array of bulk strings; text becomes UTF-8. */
export function encodeCommand(args: readonly Argument[]): Uint8Array {
  const parts: Uint8Array[] = [encoder.encode(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = typeof arg === "string" ? encoder.encode(arg) : arg;
    parts.push(encoder.encode(`$${bytes.length}\r\n`), bytes, encoder.encode("\r\n"));
  }
  return joined(parts);
}

/** Connects to a port on loopback. Throws what `Deno.connect` throws where nobody listens. */
export async function connect(port: number, options: ConnectOptions = {}): Promise<RespClient> {
  const conn = await Deno.connect({ hostname: options.hostname ?? "127.0.0.1", port });
  conn.setNoDelay(true);
  return new RespClient(conn, options.timeoutMs ?? TIMEOUT_MS);
}

/**
 * One connection. Reads happen only inside `reply`, `command`, `pipeline`, `readRaw`, `readToEnd`
 * and `ended`; only one of them may run at a time. A wait that passes its limit throws and leaves
 * the connection usable. Use with `using client = await connect(port)`.
 */
export class RespClient {
  readonly #conn: Deno.TcpConn;
  readonly #timeoutMs: number;
  readonly #queue = new ByteQueue();
  readonly #parser = new ReplyParser(this.#queue);
  readonly #readBuffer = new Uint8Array(READ_BYTES);
  /** A read that outlived its wait: the next wait goes on with it, so no byte is lost. */
  #pendingRead: Promise<number | null> | undefined;
  #ended = false;
  #closed = false;

  constructor(conn: Deno.TcpConn, timeoutMs: number) {
    this.#conn = conn;
    this.#timeoutMs = timeoutMs;
  }

  /** This end's port, as the server shows it in CLIENT LIST. */
  get localPort(): number {
    return this.#conn.localAddr.port;
  }

  /** Writes all of `data` as it is. Waits while the server takes nothing: await it beside reads. */
  async send(data: Argument): Promise<void> {
    let rest = typeof data === "string" ? encoder.encode(data) : data;
    while (rest.length > 0) rest = rest.subarray(await this.#conn.write(rest));
  }

  /** Sends one command and gives its reply; error replies are values. */
  async command(...args: Argument[]): Promise<Reply> {
    const [reply] = await this.pipeline([args]);
    return reply!;
  }

  /** Sends all commands, reading meanwhile, and gives their replies in order. */
  async pipeline(commands: readonly (readonly Argument[])[]): Promise<Reply[]> {
    const sent = this.send(joined(commands.map(encodeCommand)));
    const failed = sent.then(() => undefined, (error) => error);
    const replies: Reply[] = [];
    try {
      while (replies.length < commands.length) replies.push(await this.reply());
    } catch (error) {
      // A wait that failed while our write still hangs: tell of the reply, do not wait for the write.
      throw new Error(`After ${replies.length} of ${commands.length} replies: ${message(error)}`);
    }
    const error = await failed;
    if (error !== undefined) throw error;
    return replies;
  }

  /** The next reply. Throws at the connection's end, after `timeoutMs`, or for bytes not RESP2. */
  async reply(timeoutMs: number = this.#timeoutMs): Promise<Reply> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const reply = this.#parser.next();
      if (reply !== undefined) return reply;
      if (!await this.#readMore(deadlineMs)) {
        throw new Error(`Cannot read reply: the server closed after ${this.#unread()}`);
      }
    }
  }

  /**
   * Raw bytes: exactly `until` of them for a number, else everything up to and with the given
   * bytes. Throws at the connection's end and after `timeoutMs`, showing what had come.
   */
  async readRaw(
    until: number | Argument,
    timeoutMs: number = this.#timeoutMs,
  ): Promise<Uint8Array> {
    this.#refuseInsideReply();
    const mark = typeof until === "string" ? encoder.encode(until) : until;
    const deadlineMs = performance.now() + timeoutMs;
    let searchedBytes = 0;
    for (;;) {
      if (typeof mark === "number") {
        if (this.#queue.length >= mark) return this.#queue.take(mark);
      } else {
        const at = this.#queue.indexOf(mark, searchedBytes);
        if (at >= 0) return this.#queue.take(at + mark.length);
        searchedBytes = Math.max(0, this.#queue.length - mark.length + 1);
      }
      if (!await this.#readMore(deadlineMs)) {
        throw new Error(`Cannot read ${shown(until)}: the server closed after ${this.#unread()}`);
      }
    }
  }

  /** All bytes until the server closes. A reset counts as a close. */
  async readToEnd(timeoutMs: number = this.#timeoutMs): Promise<Uint8Array> {
    this.#refuseInsideReply();
    const deadlineMs = performance.now() + timeoutMs;
    while (await this.#readMore(deadlineMs));
    return this.#queue.take(this.#queue.length);
  }

  /** Resolves once the server has closed; what it sent before stays readable. Throws on time-out. */
  async ended(timeoutMs: number = this.#timeoutMs): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (await this.#readMore(deadlineMs));
  }

  /** Closes the sending half, as `nc -N` does at the end of its input. */
  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  /** Closes the connection at once; safe to call twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** False at the connection's end. */
  async #readMore(deadlineMs: number): Promise<boolean> {
    if (this.#ended) return false;
    this.#pendingRead ??= this.#conn.read(this.#readBuffer).catch((error) => {
      if (error instanceof Deno.errors.ConnectionReset || this.#closed) return null;
      throw error;
    });
    const count = await within(this.#pendingRead, deadlineMs - performance.now());
    if (count === TIMED_OUT) {
      throw new Error(`Nothing came within the limit: the server sent ${this.#unread()}`);
    }
    this.#pendingRead = undefined;
    if (count === null) this.#ended = true;
    else this.#queue.push(this.#readBuffer.subarray(0, count));
    return !this.#ended;
  }

  #refuseInsideReply(): void {
    if (!this.#parser.idle) throw new Error("Cannot read raw bytes: inside a half-read reply");
  }

  #unread(): string {
    const queue = this.#queue;
    const front = queue.text(Math.min(80, queue.length));
    return `${queue.length} unread bytes ${JSON.stringify(front)}`;
  }
}

const TIMED_OUT = Symbol("timed out");

async function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof TIMED_OUT> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<typeof TIMED_OUT>((resolve) => {
    timer = setTimeout(() => resolve(TIMED_OUT), Math.max(0, ms));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function shown(until: number | Argument): string {
  return typeof until === "number" ? `${until} bytes` : `up to ${JSON.stringify(until)}`;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
