// Has replies sent once all clients that were found ready together have been served, not one by one; knows no client.
//
// A reply that is sent wakes its client, and clients that share a thread, or a core, were each woken anew: a fifth of
// the server's time in pipelines of SETs. Sent together they wake it once, as Redis's do before it waits for sockets
// again. The event loop settles the reads of one look at the sockets together, so what their connections do next stands
// in the queue of microtasks one behind the other, and what the first of them puts behind it runs after the last.
import { SEND_ROUND_BYTES_MAX } from "../limits.ts";

/** Who has something to send. */
export interface Sender {
  /** It is time; called once for each `add()`, and must not throw. */
  send(): void;
}

export class SendRound {
  readonly #senders: Sender[] = [];
  #bytes = 0;
  readonly #end = () => this.#sendAll();

  /** Has `sender` send its `bytes` when the round ends: soon, and at once where much is waiting already. */
  add(sender: Sender, bytes: number): void {
    this.#bytes += bytes;
    if (this.#senders.push(sender) === 1) queueMicrotask(this.#end);
    // Many bytes took their time: those who wait for the first of them have waited enough.
    if (this.#bytes >= SEND_ROUND_BYTES_MAX) this.#sendAll();
  }

  /** In the order in which they were served. After an early end the microtask finds those who came since, or nobody. */
  #sendAll(): void {
    const senders = this.#senders;
    for (let i = 0; i < senders.length; i++) senders[i].send();
    senders.length = 0;
    this.#bytes = 0;
  }
}
