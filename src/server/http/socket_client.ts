// One client of WebSocket: a JSON request per message, answered in order; knows no command.
import {
  HTTP_JSON_BYTES_MAX,
  HTTP_SOCKET_BYTES_UNAUTHENTICATED,
  HTTP_SOCKET_PENDING_MAX,
} from "../../limits.ts";
import { COUNTER } from "../../metrics.ts";
import type { JsonFrame, JsonWriter } from "../../protocol/json_writer.ts";
import type { HttpSession } from "./http_session.ts";
import type { HttpTools } from "./http_tools.ts";
import { takeJsonText } from "./json_body.ts";
import { argumentOf, issueText, SocketRequest } from "./json_schemas.ts";
import { SocketOutput } from "./socket_output.ts";

/** RFC 6455's codes. */
export const CLOSE_NORMAL = 1000;
export const CLOSE_GOING_AWAY = 1001;
const CLOSE_UNSUPPORTED = 1003;
const CLOSE_POLICY = 1008;
const CLOSE_TOO_LARGE = 1009;
const CLOSE_INTERNAL = 1011;
const CLOSE_TRY_LATER = 1013;

/** What is sent each second to who asks for it. */
export type Feed = "stats" | "dashboard";

export interface SocketListener {
  /** `after` is the moment of the last sample that the client knows, 0 for none. */
  onSubscribed(feed: Feed, isOn: boolean, after: number): void;
  /** The client was told to go; why, for the log. */
  onDropped(reason: string): void;
  /** Called at least once when the client is gone. */
  onClosed(): void;
}

export class SocketClient {
  readonly #tools: HttpTools;
  readonly #output: SocketOutput;
  readonly #listener: SocketListener;
  /** Messages that came while a command waits. */
  readonly #pending: string[] = [];
  #pendingBytes = 0;
  #isWaiting = false;
  /** Whether it was told to go because it leaves too much unread. */
  #isDropped = false;
  /** Answers that wait for the log or for a command, in their order. */
  #unsent = 0;
  #unsentBytes = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(
    tools: HttpTools,
    socket: WebSocket,
    readonly session: HttpSession,
    listener: SocketListener,
  ) {
    this.#tools = tools;
    this.#output = new SocketOutput(socket);
    this.#listener = listener;
    session.onKill = () => this.close(CLOSE_POLICY, "killed");
    session.unreadBytes = () => this.waitingBytes;
    session.onPush = (bytes, waitingBytesMax) => this.#watched(bytes, waitingBytesMax);
    socket.onmessage = ({ data }) => this.#received(data);
    // The close event follows.
    socket.onerror = () => {};
    socket.onclose = () => this.#closed();
  }

  /** Bytes that the client has not taken yet. */
  get waitingBytes(): number {
    return this.#output.bytes;
  }

  send(text: string): void {
    this.#output.send(text);
    const { clientOutputBytesMax } = this.#tools.services.settings;
    if (this.waitingBytes > clientOutputBytesMax) this.dropUnread();
  }

  /** Ends a client that leaves too much unread. */
  dropUnread(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#tools.counters[COUNTER.connectionsDroppedSlow]++;
    const bytes = this.waitingBytes;
    this.close(CLOSE_POLICY, "replies were not read");
    this.#listener.onDropped(`replies of ${bytes} bytes were not read`);
  }

  /** Lines of MONITOR: `+line\r\n` each. */
  #watched(bytes: Uint8Array, waitingBytesMax: number): void {
    const lines = new TextDecoder().decode(bytes).split("\r\n").slice(0, -1);
    this.send(JSON.stringify({ monitor: lines.map((line) => line.slice(1)) }));
    if (this.waitingBytes > waitingBytesMax) this.dropUnread();
  }

  close(code: number, reason: string): void {
    this.session.isClosing = true;
    this.#pending.length = 0;
    this.#output.close(code, reason, code !== CLOSE_NORMAL);
  }

  /** Called now and then: a client that was closed and does not answer is gone all the same. */
  sweep(): void {
    if (this.#output.isLost(performance.now())) this.#closed();
  }

  #closed(): void {
    this.session.isClosing = true;
    this.#pending.length = 0;
    this.#output.closed();
    this.#listener.onClosed();
  }

  #received(data: unknown): void {
    if (this.session.isClosing) return;
    if (typeof data !== "string") return this.close(CLOSE_UNSUPPORTED, "messages are JSON text");
    const isKnown = this.session.isAuthenticated;
    if (data.length > (isKnown ? HTTP_JSON_BYTES_MAX : HTTP_SOCKET_BYTES_UNAUTHENTICATED)) {
      return this.close(CLOSE_TOO_LARGE, "the message is too large");
    }
    if (!this.#isWaiting) return this.#answer(data);
    this.#pendingBytes += data.length;
    if (
      this.#pending.length >= HTTP_SOCKET_PENDING_MAX || this.#pendingBytes > HTTP_JSON_BYTES_MAX
    ) {
      return this.close(CLOSE_TRY_LATER, "too many messages wait for a command");
    }
    this.#pending.push(data);
  }

  #answer(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      return this.#fail(`ERR the message is no JSON: ${(error as Error).message}`);
    }
    const parsed = SocketRequest.safeParse(value);
    if (!parsed.success) return this.#fail(`ERR ${issueText(parsed.error)}`, value);
    const request = parsed.data;
    if ("command" in request) {
      // As if all were ASCII: a look at each character would cost more than the number is worth.
      this.#tools.counters[COUNTER.bytesIn] += text.length;
      this.#run(request.command.map(argumentOf), prefixOf(request.id));
    } else if (!this.session.isAuthenticated) this.#fail("NOAUTH Authentication required.");
    else if ("subscribe" in request) {
      this.#tellInOrder(`{"subscribed":"${request.subscribe}"}`);
      const after = "after" in request ? request.after ?? 0 : 0;
      this.#listener.onSubscribed(request.subscribe, true, after);
    } else {
      this.#listener.onSubscribed(request.unsubscribe, false, 0);
      this.#tellInOrder(`{"unsubscribed":"${request.unsubscribe}"}`);
    }
  }

  #run(command: (string | Uint8Array)[], prefix: string): void {
    const { runner, writers } = this.#tools;
    const frame: JsonFrame = { result: `${prefix}"result":`, error: `${prefix}"error":`, end: "}" };
    const writer = writers.takeJson(frame);
    const waiting = runner.start(this.session, [command], writer);
    if (!runner.isParked) {
      // If only the log is waited for, the next message may run meanwhile, as over TCP.
      const text = this.#textOf(writer);
      if (waiting === null && this.#unsent === 0) this.#tell(text);
      else this.#tellAfter(waiting, () => text, text.length);
      return;
    }
    this.#isWaiting = true;
    const replied = waiting!.catch((error) => {
      writer.discard();
      throw error;
    });
    this.#tellAfter(replied, () => {
      this.#isWaiting = false;
      return this.#textOf(writer);
    }, 0);
  }

  #tellInOrder(text: string): void {
    if (this.#unsent === 0) this.send(text);
    else this.#tellAfter(null, () => text, text.length);
  }

  /** The answer, empty if CLIENT REPLY has silenced it; the writer is given back. */
  #textOf(writer: JsonWriter): string {
    const text = writer.count > 0 ? takeJsonText(writer) : "";
    this.#tools.writers.giveJson(writer);
    return text;
  }

  #tell(text: string): void {
    // The feeds are not counted: who looks at the numbers is to leave no trace in them.
    this.#tools.counters[COUNTER.bytesOut] += text.length;
    if (text !== "") this.send(text);
    if (this.session.isClosing && this.#unsent === 0) this.close(CLOSE_NORMAL, "");
  }

  /** Sends an answer behind those before it, once what it waits for has come; then goes on. */
  #tellAfter(waiting: Promise<void> | null, text: () => string, bytes: number): void {
    this.#unsent++;
    this.#unsentBytes += bytes;
    // Looked at when its turn comes; until then it must not count as nobody's.
    waiting?.catch(() => {});
    this.#last = this.#last.then(() => waiting).then(() => {
      this.#unsent--;
      this.#unsentBytes -= bytes;
      this.#tell(text());
      this.#goOn();
      // The log failed, and nothing may be told of what ran; or the process is about to end.
    }).catch(() => this.close(CLOSE_INTERNAL, "whether the changes are kept is unknown"));
    const { clientOutputBytesMax } = this.#tools.services.settings;
    if (this.#unsent > HTTP_SOCKET_PENDING_MAX || this.#unsentBytes > clientOutputBytesMax) {
      this.close(CLOSE_TRY_LATER, "too many answers wait for the log");
    }
  }

  /** Answers what came meanwhile, until one of them waits again. */
  #goOn(): void {
    while (!this.#isWaiting && this.#pending.length > 0) {
      const text = this.#pending.shift()!;
      this.#pendingBytes -= text.length;
      this.#answer(text);
    }
  }

  /** An answer to what could not be run, with its id if it has one. */
  #fail(text: string, request: unknown = null): void {
    const id = typeof request === "object" && request !== null && "id" in request
      ? request.id
      : undefined;
    const isId = typeof id === "string" || typeof id === "number" || id === null;
    this.#tellInOrder(`${prefixOf(isId ? id : undefined)}"error":${JSON.stringify(text)}}`);
  }
}

function prefixOf(id: string | number | null | undefined): string {
  return id === undefined ? "{" : `{"id":${JSON.stringify(id)},`;
}
