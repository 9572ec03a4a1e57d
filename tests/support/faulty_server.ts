// The real server with a worker that has one fault, for tests of how it ends: main and worker are the
// product's own, only the file that worker threads start from is another. It must not serve otherwise.

const FAULTY_WORKER = new URL("./faulty_worker.ts", import.meta.url);
const RealWorker = globalThis.Worker;

globalThis.Worker = class extends RealWorker {
  constructor(_worker: string | URL, options?: WorkerOptions) {
    super(FAULTY_WORKER, options);
  }
};
await import("../../src/main.ts");
