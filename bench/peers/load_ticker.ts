// A thread that does nothing but sleep and count, so that the generator is woken far more finely
// than timers allow; knows no requests.

// Layout of the shared cells: the count of ticks, a cell nobody notifies (to sleep on), the stop
// flag.
const TICKS = 0, SLEEP = 1, STOP = 2;
const CELLS = 3;
// Deno's timers wake after 1 to 2 ms; a thread in Atomics.wait comes back within 0.1 ms of its
// time.
const TICK_MS = 0.25;

/** The other thread's pulse; `next` resolves at the next tick, at once if one was missed. */
export class LoadTicker {
  readonly #cells = new Int32Array(new SharedArrayBuffer(CELLS * 4));
  readonly #worker = new Worker(import.meta.url, { type: "module" });
  #seen = 0;

  constructor() {
    this.#worker.postMessage(this.#cells);
  }

  async next(): Promise<void> {
    const waited = Atomics.waitAsync(this.#cells, TICKS, this.#seen);
    if (waited.async) await waited.value;
    this.#seen = Atomics.load(this.#cells, TICKS);
  }

  stop(): void {
    Atomics.store(this.#cells, STOP, 1);
  }
}

const scope = globalThis as unknown as {
  close?: () => void;
  onmessage: ((event: MessageEvent) => void) | null;
};
if (typeof (globalThis as { WorkerGlobalScope?: unknown }).WorkerGlobalScope === "function") {
  scope.onmessage = (event) => {
    const cells = event.data as Int32Array;
    while (Atomics.load(cells, STOP) === 0) {
      Atomics.wait(cells, SLEEP, 0, TICK_MS);
      Atomics.add(cells, TICKS, 1);
      Atomics.notify(cells, TICKS);
    }
    scope.close?.();
  };
}
