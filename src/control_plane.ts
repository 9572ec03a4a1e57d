// Main's half of the bus: passes a worker's question on to all workers, gathers their answers until
// its time is over, and sends them back; it must not know what the questions mean.

import {
  type BusAnswer,
  type BusAnswerer,
  type BusAsk,
  type BusFromMain,
  type BusKind,
} from "./bus.ts";

/** Questions of all workers together that may be open; each worker bounds its own at 64. */
const OPEN_QUESTIONS_MAX = 1024;
/** Longer waits are cut to this. */
const TIMEOUT_MS_MAX = 60_000;

interface OpenQuestion {
  readonly askerIndex: number;
  readonly askId: number;
  /** By worker; a hole is an answer still awaited. */
  readonly answers: ({ readonly value: unknown } | "none" | undefined)[];
  readonly timer: ReturnType<typeof setTimeout>;
}

export class ControlPlane {
  readonly #workerCount: number;
  readonly #post: (workerIndex: number, message: BusFromMain) => void;
  readonly #answerers = new Map<BusKind, BusAnswerer>();
  readonly #open = new Map<number, OpenQuestion>();
  #lastQuestionId = 0;
  #missingAnswers = 0;

  constructor(
    workerCount: number,
    post: (workerIndex: number, message: BusFromMain) => void,
  ) {
    this.#workerCount = workerCount;
    this.#post = post;
  }

  /** Answers that did not come in time, or came as errors, since the start. */
  get missingAnswers(): number {
    return this.#missingAnswers;
  }

  /** Has main answer questions of `kind` itself, as the only answer; workers are not asked. */
  answer(kind: BusKind, answerer: BusAnswerer): void {
    this.#answerers.set(kind, answerer);
  }

  /** Takes a message from worker `workerIndex`; false if it is not the bus's. */
  receive(workerIndex: number, message: { readonly type: string }): boolean {
    switch (message.type) {
      case "bus-ask":
        this.#pass(workerIndex, message as BusAsk);
        return true;
      case "bus-answer":
        this.#take(workerIndex, message as BusAnswer);
        return true;
      default:
        return false;
    }
  }

  /** Forgets every open question, unanswered. */
  close(): void {
    for (const { timer } of this.#open.values()) clearTimeout(timer);
    this.#open.clear();
  }

  #pass(askerIndex: number, { askId, kind, payload, timeoutMs }: BusAsk): void {
    const answerer = this.#answerers.get(kind);
    if (answerer === undefined && this.#open.size >= OPEN_QUESTIONS_MAX) {
      const error = `Cannot ask for ${kind}: ${OPEN_QUESTIONS_MAX} questions are open`;
      this.#reply(askerIndex, askId, [], 0, error);
      return;
    }
    if (answerer !== undefined) {
      this.#answerHere(askerIndex, askId, answerer, payload);
      return;
    }
    const questionId = ++this.#lastQuestionId;
    const timer = setTimeout(
      () => this.#finish(questionId),
      Math.min(Math.max(0, timeoutMs), TIMEOUT_MS_MAX),
    );
    const answers: OpenQuestion["answers"] = new Array(this.#workerCount).fill(undefined);
    this.#open.set(questionId, { askerIndex, askId, answers, timer });
    for (let i = 0; i < this.#workerCount; i++) {
      this.#post(i, { type: "bus-question", questionId, kind, payload });
    }
  }

  #take(workerIndex: number, message: BusAnswer): void {
    const question = this.#open.get(message.questionId);
    if (question === undefined) return; // Came after its time was over.
    question.answers[workerIndex] = message.error === undefined
      ? { value: message.answer }
      : "none";
    if (question.answers.every((answer) => answer !== undefined)) this.#finish(message.questionId);
  }

  #finish(questionId: number): void {
    const { askerIndex, askId, answers, timer } = this.#open.get(questionId)!;
    clearTimeout(timer);
    this.#open.delete(questionId);
    const values = answers.flatMap((answer) =>
      answer === undefined || answer === "none" ? [] : [answer.value]
    );
    this.#reply(askerIndex, askId, values, this.#workerCount - values.length);
  }

  async #answerHere(
    askerIndex: number,
    askId: number,
    answerer: BusAnswerer,
    payload: unknown,
  ): Promise<void> {
    try {
      this.#reply(askerIndex, askId, [await answerer(payload)], 0);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#reply(askerIndex, askId, [], 1, text);
    }
  }

  #reply(
    askerIndex: number,
    askId: number,
    answers: readonly unknown[],
    missingCount: number,
    error?: string,
  ): void {
    this.#missingAnswers += missingCount;
    const message = { type: "bus-answers" as const, askId, answers, missingCount };
    this.#post(askerIndex, error === undefined ? message : { ...message, error });
  }
}
