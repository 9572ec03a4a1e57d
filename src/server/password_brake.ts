// Wrong passwords, counted and slowed: how long each one's answer waits; it checks none itself.
import { PASSWORD_WAIT_MS_MAX, PASSWORD_WAIT_MS_MIN, PASSWORDS_PER_SECOND } from "../limits.ts";
import { COUNTER } from "../metrics.ts";

const STEP_MS = 1000 / PASSWORDS_PER_SECOND;

/**
 * One per worker. Each wrong password is answered a while after the one before it, whoever gave that, so that
 * guessing over many connections is no quicker than over a few. A right one is never held up.
 */
export class PasswordBrake {
  #nextAtMs = 0;

  constructor(
    readonly counters: Float64Array,
    readonly readMs: () => number = () => performance.now(),
  ) {}

  /** Counts a wrong password; gives how long its answer has to wait. */
  note(): number {
    this.counters[COUNTER.passwordFailures]++;
    const nowMs = this.readMs();
    this.#nextAtMs = Math.max(this.#nextAtMs + STEP_MS, nowMs + PASSWORD_WAIT_MS_MIN);
    // What waits is bounded by time: the place in the queue must not grow past that either.
    this.#nextAtMs = Math.min(this.#nextAtMs, nowMs + PASSWORD_WAIT_MS_MAX);
    return this.#nextAtMs - nowMs;
  }

  /** Resolves when the wrong password that was just given may be answered. */
  wait(): Promise<void> {
    const ms = this.note();
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}
