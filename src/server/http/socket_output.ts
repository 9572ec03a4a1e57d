// What one client of WebSocket is sent, and its end: texts wait here until it takes them; knows no command.
//
// The runtime keeps all that it was handed until the client has taken it or is gone, closed or not, and waits without end
// for the answer to a close. So it is handed little at a time, and a client that does not answer is let go by its number.
import {
  HTTP_SOCKET_CLOSE_MS_MAX,
  HTTP_SOCKET_HANDED_BYTES_MAX,
  HTTP_SOCKET_LOOK_MS,
} from "../../limits.ts";
import { runtimeCore } from "../runtime_core.ts";

type Opaque = Record<symbol, unknown>;

export class SocketOutput {
  readonly #socket: WebSocket;
  /** From `#next` on they wait. */
  #texts: string[] = [];
  #next = 0;
  #waitingBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #end: { readonly code: number; readonly reason: string } | null = null;
  /** When the end was asked for, or the client last took something after that; 0 before. */
  #endingAtMs = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Bytes that the client has not taken yet; of those that wait here as if all were ASCII. */
  get bytes(): number {
    return this.#socket.bufferedAmount + this.#waitingBytes;
  }

  send(text: string): void {
    if (this.#end !== null || this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#timer === undefined && this.#socket.bufferedAmount < HTTP_SOCKET_HANDED_BYTES_MAX) {
      this.#socket.send(text);
      return;
    }
    this.#texts.push(text);
    this.#waitingBytes += text.length;
    this.#timer ??= setTimeout(() => this.#look(), HTTP_SOCKET_LOOK_MS);
  }

  /** Closes the connection, once all was taken that waits; with `isAtOnce` what waits here is dropped. */
  close(code: number, reason: string, isAtOnce: boolean): void {
    this.#end ??= { code, reason };
    if (this.#endingAtMs === 0) this.#endingAtMs = performance.now();
    if (isAtOnce) this.#drop();
    if (this.#timer === undefined) this.#closeNow();
  }

  /** The connection has ended. */
  closed(): void {
    this.#end ??= { code: 0, reason: "" };
    this.#drop();
  }

  /**
   * Called now and then: whether a client that should be gone neither takes what is left for it nor answers the close
   * in time; then the connection is let go of.
   */
  isLost(nowMs: number): boolean {
    if (this.#endingAtMs === 0 || nowMs - this.#endingAtMs < HTTP_SOCKET_CLOSE_MS_MAX) return false;
    this.#drop();
    this.#closeNow();
    letGo(this.#socket);
    return true;
  }

  #look(): void {
    this.#timer = undefined;
    const texts = this.#texts, before = this.#next;
    while (
      this.#next < texts.length && this.#socket.bufferedAmount < HTTP_SOCKET_HANDED_BYTES_MAX
    ) {
      const text = texts[this.#next];
      // What was handed over is not to be kept twice.
      texts[this.#next++] = "";
      this.#waitingBytes -= text.length;
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
    }
    if (this.#next > before && this.#endingAtMs > 0) this.#endingAtMs = performance.now();
    if (this.#next < texts.length) {
      this.#timer = setTimeout(() => this.#look(), HTTP_SOCKET_LOOK_MS);
    } else {
      this.#drop();
      if (this.#end !== null) this.#closeNow();
    }
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#texts = [];
    this.#next = 0;
    this.#waitingBytes = 0;
  }

  #closeNow(): void {
    const { code, reason } = this.#end!;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(code, reason);
  }
}

/** Ends a connection that waits for the other side; where the runtime is another inside, it ends with that side. */
function letGo(socket: WebSocket): void {
  const inner = socket as unknown as Opaque;
  const number = Object.getOwnPropertySymbols(inner)
    .find(({ description }) => description === "[[rid]]");
  const resource = number === undefined ? undefined : inner[number];
  if (typeof resource === "number") runtimeCore?.tryClose(resource);
}
