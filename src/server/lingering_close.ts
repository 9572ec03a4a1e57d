// Ends connections from the server's side so that their last replies arrive; knows no client and no protocol.
//
// Of a socket that is closed while it has bytes unread, or before more of them come, the kernel sends a reset, and
// throws away what was yet to be sent: replies to requests that have run. So the sending half is shut first, what still
// comes is read and thrown away, and the socket is closed when the client has shut its half too, or takes too long
// (RFC 9112, section 9.6, asks it of servers of HTTP).
import { LINGER_MS_MAX, LINGER_READ_BYTES, LINGERING_SOCKETS_MAX } from "../limits.ts";
import type { Socket } from "./connection_host.ts";
import type { Turns } from "./loop_turns.ts";

export class LingeringClose {
  readonly #turns: Turns;
  readonly #msMax: number;
  /** All read into it, as nobody looks at it. */
  readonly #thrownAway = new Uint8Array(LINGER_READ_BYTES);
  #count = 0;

  /** For the sockets of one worker, each of which lingers `msMax` ms at most. */
  constructor(turns: Turns, msMax = LINGER_MS_MAX) {
    this.#turns = turns;
    this.#msMax = msMax;
  }

  /** Ends the connection of a socket on which no write is under way, and that its owner has done with. */
  end(socket: Socket): void {
    // Who makes more of them than that is no client that reads its replies.
    if (this.#count >= LINGERING_SOCKETS_MAX) socket.close();
    else void this.#linger(socket);
  }

  async #linger(socket: Socket): Promise<void> {
    this.#count++;
    let isOpen = true;
    const close = () => {
      if (isOpen) socket.close();
      isOpen = false;
    };
    const timer = setTimeout(close, this.#msMax);
    try {
      await socket.closeWrite();
      while (isOpen && await socket.read(this.#thrownAway) > 0) {
        if (this.#turns.isDue) await this.#turns.wait();
      }
    } catch {
      // Reset by the client, or closed by the timer: either way this is the end.
    }
    clearTimeout(timer);
    close();
    this.#count--;
  }
}
