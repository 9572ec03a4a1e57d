// A worker's half of the bus: asks all workers something through main, and answers what others ask;
// it must not know how messages travel, nor what the questions mean.

/** What can be asked. `shutdown` is answered by main, the others by every worker. */
export type BusKind =
  | "client-list"
  | "client-kill"
  | "reset-statistics"
  | "slow-log"
  | "latency-events"
  | "monitor-lines"
  | "rewrite-config"
  | "shutdown"
  | "snapshot";

/** A worker's question on its way to main. */
export interface BusAsk {
  readonly type: "bus-ask";
  readonly askId: number;
  readonly kind: BusKind;
  readonly payload: unknown;
  readonly timeoutMs: number;
}

/** Main's passing on of a question; `questionId` is main's own number. */
export interface BusQuestion {
  readonly type: "bus-question";
  readonly questionId: number;
  readonly kind: BusKind;
  readonly payload: unknown;
}

/** A worker's answer to main, or why it has none. */
export interface BusAnswer {
  readonly type: "bus-answer";
  readonly questionId: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** All answers, in the workers' order, or why the question was not passed on. */
export interface BusAnswers {
  readonly type: "bus-answers";
  readonly askId: number;
  readonly answers: readonly unknown[];
  /** Workers that did not answer in time, or answered with an error. */
  readonly missingCount: number;
  readonly error?: string;
}

export type BusFromWorker = BusAsk | BusAnswer;
export type BusFromMain = BusQuestion | BusAnswers;

const BUS_TIMEOUT_MS = 2000;
/** Questions of one worker that may wait for answers at the same time. */
export const BUS_QUESTIONS_MAX = 64;
/** How much longer than main a worker waits, so that main's partial answers still arrive. */
const GRACE_MS = 500;

/** Takes the payload as it was asked; a promise is waited for, a throw counts as no answer. */
export type BusAnswerer = (payload: unknown) => unknown;

interface Waiting {
  readonly kind: BusKind;
  readonly resolve: (answers: unknown[]) => void;
  readonly reject: (reason: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

export class Bus {
  readonly #post: (message: BusFromWorker) => void;
  readonly #answerers = new Map<BusKind, BusAnswerer>();
  readonly #waiting = new Map<number, Waiting>();
  #lastAskId = 0;
  #missingAnswers = 0;

  /** `post` sends a message to main; what comes back is handed to `receive`. */
  constructor(post: (message: BusFromWorker) => void) {
    this.#post = post;
  }

  /** Answers that this worker's questions have gone without since the start. */
  get missingAnswers(): number {
    return this.#missingAnswers;
  }

  /**
   * The answers of all workers, this one included, in the workers' order; a worker that does not
   * answer within `timeoutMs` is left out and counted in `missingAnswers`. Rejects with a clear
   * Error past `BUS_QUESTIONS_MAX` waiting questions, and where main itself does not answer.
   */
  ask<Answer = unknown>(
    kind: BusKind,
    payload: unknown,
    timeoutMs: number = BUS_TIMEOUT_MS,
  ): Promise<Answer[]> {
    if (this.#waiting.size >= BUS_QUESTIONS_MAX) {
      return Promise.reject(
        new Error(`Cannot ask for ${kind}: ${BUS_QUESTIONS_MAX} questions wait for answers`),
      );
    }
    const askId = ++this.#lastAskId;
    return new Promise<unknown[]>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(askId);
        reject(new Error(`Cannot ask for ${kind}: no answer within ${timeoutMs + GRACE_MS} ms`));
      }, timeoutMs + GRACE_MS);
      this.#waiting.set(askId, { kind, resolve, reject, timer });
      try {
        this.#post({ type: "bus-ask", askId, kind, payload, timeoutMs });
      } catch (error) { // A payload that cannot be sent.
        this.#waiting.delete(askId);
        clearTimeout(timer);
        throw error;
      }
    }) as Promise<Answer[]>;
  }

  /** Sets what answers questions of `kind`; a later call replaces the earlier answerer. */
  answer(kind: BusKind, answerer: BusAnswerer): void {
    this.#answerers.set(kind, answerer);
  }

  /** Takes a message from main; false if it is not the bus's. */
  receive(message: { readonly type: string }): boolean {
    switch (message.type) {
      case "bus-question":
        this.#answerQuestion(message as BusQuestion);
        return true;
      case "bus-answers":
        this.#settle(message as BusAnswers);
        return true;
      default:
        return false;
    }
  }

  /** Rejects every waiting question; for a worker that stops. */
  close(): void {
    for (const { kind, reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Error(`Cannot ask for ${kind}: the worker stops`));
    }
    this.#waiting.clear();
  }

  async #answerQuestion({ questionId, kind, payload }: BusQuestion): Promise<void> {
    let reply: BusAnswer;
    try {
      const answerer = this.#answerers.get(kind);
      if (answerer === undefined) throw new Error(`no answerer for ${kind}`);
      reply = { type: "bus-answer", questionId, answer: await answerer(payload) };
    } catch (error) {
      reply = { type: "bus-answer", questionId, error: errorText(error) };
    }
    this.#post(reply);
  }

  #settle({ askId, answers, missingCount, error }: BusAnswers): void {
    const waiting = this.#waiting.get(askId);
    if (waiting === undefined) return; // Came after its time was over.
    this.#waiting.delete(askId);
    clearTimeout(waiting.timer);
    this.#missingAnswers += missingCount;
    if (error !== undefined) waiting.reject(new Error(error));
    else waiting.resolve([...answers]);
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
