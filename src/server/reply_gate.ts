// Holds replies back until what they tell of is on disk, for all connections of a worker; knows no socket.
//
// Invariant under `always`: a reply goes out only when everything that was in the ring as its batch ended is
// synced, its own writes and those of others that it may have read. One wait serves all connections.
import { FSYNC_ALWAYS } from "../log/log_board.ts";
import type { Ring } from "../log/ring.ts";
import type { ReplyHold } from "./output_queue.ts";

/** The replies of this batch must not be sent: the log failed while it ran. No place in the ring has this number. */
const LOST = NaN;
/** A wait is looked after this often even if nobody wakes it. */
const WAIT_MS = 1000;

/** Who writes the log in this thread while that is faster than to wake another. */
export interface LogInPlace {
  readonly isFast: boolean;
  /** Writes and syncs what is in the ring; false if somebody else does. */
  write(): boolean;
}

/** What waits: a connection's queue, or a promise. */
interface Waiter {
  /** The log went on; gives whether there is still something to wait for. */
  resume(): boolean;
  /** The log failed: what waits must never be told. */
  abandon(): void;
}

export class ReplyGate implements ReplyHold {
  readonly #ring: Ring;
  readonly #inPlace: LogInPlace | null;
  /** Groups that this worker has put into the ring. */
  readonly #published: () => number;
  /** Connections with replies that wait, and how often the log had failed before those were made. */
  readonly #waiting = new Map<Waiter, number>();
  #isRunning = false;
  #publishedAtBegin = 0;
  #failuresAtBegin = 0;

  constructor(ring: Ring, published: () => number, inPlace: LogInPlace | null = null) {
    this.#ring = ring;
    this.#inPlace = inPlace;
    this.#published = published;
  }

  /** A connection begins to run what it has read. */
  begin(): void {
    this.#publishedAtBegin = this.#published();
    this.#failuresAtBegin = this.#ring.failures;
  }

  /** What the replies since `begin()` wait for: a place in the ring, null for nothing, or that they are lost. */
  judge(): number | null {
    const ring = this.#ring;
    if (ring.fsync !== FSYNC_ALWAYS) return null;
    if (ring.isFailed || ring.failures !== this.#failuresAtBegin) {
      return this.#published() === this.#publishedAtBegin ? null : LOST;
    }
    const tail = ring.tail;
    return ring.isSynced(tail) ? null : tail;
  }

  isReached(cursor: number): boolean {
    return this.#ring.isSynced(cursor);
  }

  /** Called while a batch's replies are taken: those of the queue wait from now on. */
  wait(queue: Waiter): void {
    if (!this.#waiting.has(queue)) this.#waiting.set(queue, this.#failuresAtBegin);
    if (!this.#isRunning) void this.#run();
  }

  /** For the place that `judge()` gave a moment ago: true once it is on disk, false if the log failed before. */
  until(cursor: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.wait({
        resume: () => {
          const isReached = this.isReached(cursor);
          if (isReached) resolve(true);
          return !isReached;
        },
        abandon: () => resolve(false),
      });
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    const ring = this.#ring;
    while (this.#waiting.size > 0) {
      const seen = ring.synced, failures = ring.failures;
      for (const [queue, failuresBefore] of this.#waiting) {
        // Even if the log works again: what was in the ring then went nowhere.
        if (failures !== failuresBefore) queue.abandon();
        else if (queue.resume()) continue;
        this.#waiting.delete(queue);
      }
      if (this.#waiting.size > 0 && ring.synced === seen && ring.failures === failures) {
        if (!await this.#writeInPlace()) await ring.syncedChanged(seen, WAIT_MS);
      }
    }
    this.#isRunning = false;
  }

  /** Writes what all connections have put into the ring in this turn of the event loop; false if another thread does. */
  async #writeInPlace(): Promise<boolean> {
    const inPlace = this.#inPlace;
    if (inPlace === null) return false;
    if (inPlace.isFast) {
      await new Promise((resolve) => setImmediate(resolve));
      return inPlace.write();
    }
    // It was fast a moment ago, when nobody was woken.
    this.#ring.wake();
    return false;
  }
}
