// The real server on a machine whose clock is put back by an hour some seconds after the start: main and threads are the
// product's own, each with a `Date.now` that jumps at the same moment. It must not serve otherwise.
import { stepClock } from "./stepped_clock.ts";

/** Late enough that the server is ready, and has written and synced something. */
const STEP_AFTER_MS = 5000;

const STEPPED_WORKER = new URL("./stepped_worker.ts", import.meta.url);
const RealWorker = globalThis.Worker;
const stepAtMs = Date.now() + STEP_AFTER_MS;

globalThis.Worker = class extends RealWorker {
  constructor(worker: string | URL, options?: WorkerOptions) {
    const url = new URL(STEPPED_WORKER);
    url.searchParams.set("at", String(stepAtMs));
    url.searchParams.set("run", String(worker));
    super(url, options);
  }
};
stepClock(stepAtMs);
await import("../../src/main.ts");
