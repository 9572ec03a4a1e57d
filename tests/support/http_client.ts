// Clients of the HTTP port for tests: JSON over fetch, and a WebSocket whose messages are waited for.
import assert from "node:assert/strict";

const WAIT_MS = 10_000;

/** Sends a command, or a list of commands, and gives the body. */
export async function postCommand(port: number, body: unknown): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/command`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return await response.json();
}

/** A client of /ws; use with `await using`. */
export class SocketPeer {
  readonly #socket: WebSocket;
  readonly #messages: unknown[] = [];
  #wake: () => void = () => {};
  #closed: CloseEvent | null = null;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      this.#messages.push(JSON.parse(data));
      this.#wake();
    };
    socket.onclose = (event) => {
      this.#closed = event;
      this.#wake();
    };
    socket.onerror = () => {};
  }

  /** Connects; the code of a refusal is an error. */
  static async open(port: number, headers: Record<string, string> = {}): Promise<SocketPeer> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers });
    const peer = new SocketPeer(socket);
    if (socket.readyState !== WebSocket.OPEN) {
      await new Promise<void>((resolve, reject) => {
        socket.onopen = () => resolve();
        socket.addEventListener("error", (event) => {
          reject(new Error((event as ErrorEvent).message));
        });
      });
    }
    return peer;
  }

  send(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  sendRaw(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  /** The next message. */
  async next(): Promise<unknown> {
    await this.#until(() => this.#messages.length > 0 || this.#closed !== null, "a message");
    assert.ok(this.#messages.length > 0, `closed with ${this.#closed?.code}`);
    return this.#messages.shift();
  }

  /** How the server closed it. */
  async closed(): Promise<number> {
    await this.#until(() => this.#closed !== null, "the close");
    return this.#closed!.code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed === null) this.#socket.close();
    await this.closed();
  }

  async #until(isDone: () => boolean, what: string): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what} did not come in time`)), WAIT_MS);
    });
    try {
      while (!isDone()) await Promise.race([late, new Promise<void>((r) => this.#wake = r)]);
    } finally {
      clearTimeout(timer);
    }
  }
}
