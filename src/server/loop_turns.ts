// Lets a worker's other sockets have their turn before one client goes on; knows no client.
//
// What a socket can do at once is done at once, and its promise resolves before the event loop looks at any other
// socket. So a client that sent faster than it was served, or whose value was large, was served alone until it paused:
// others waited for up to 0.5 s. `setImmediate()` and what other threads do are not enough, for a loop that has something
// to do looks at its sockets in one of 61 rounds only; a timer of 0 ms is, but then a millisecond or two is lost.
// So a byte is sent to a socket of our own: it can only come when the loop looks at all of them.

/** For so long one client may go on. */
const TURN_MS_MAX = 0.25;

const BYTE = new Uint8Array(1);

/** What a connection asks. */
export interface Turns {
  /** Whether it is time for the others. It reads a clock: to be asked only where much is done at a time. */
  readonly isDue: boolean;
  /** Resolves once what the other sockets had waiting was served. */
  wait(): Promise<void>;
}

export class LoopTurns implements Turns {
  #endedAtMs = -Infinity;
  #running: Promise<void> | null = null;
  /** Made when it is first needed; null before, and where no loopback address can be had. */
  #socket: Deno.DatagramConn | null = null;
  readonly #buffer = new Uint8Array(BYTE.length);

  get isDue(): boolean {
    return performance.now() - this.#endedAtMs >= TURN_MS_MAX;
  }

  /** One wait serves all who ask meanwhile. */
  wait(): Promise<void> {
    return this.#running ??= this.#turn();
  }

  close(): void {
    try {
      this.#socket?.close();
    } catch {
      // It is closed already.
    }
    this.#socket = null;
  }

  async #turn(): Promise<void> {
    try {
      const socket = this.#socket ??= openDatagrams();
      // Asked for before there is anything: what is there already would be had without a look. (Should somebody else
      // send something to this port, that is one turn without effect.)
      const received = socket.receive(this.#buffer);
      // Where the send fails nobody waits for this any more.
      received.catch(() => {});
      await socket.send(BYTE, socket.addr);
      await received;
    } catch {
      // No such socket, or it cannot be used any more: the next turn makes another.
      this.close();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    this.#endedAtMs = performance.now();
    this.#running = null;
  }
}

function openDatagrams(): Deno.DatagramConn {
  try {
    return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  } catch {
    return Deno.listenDatagram({ transport: "udp", hostname: "::1", port: 0 });
  }
}
