// Starts a client that floods a server, beside the test.

export interface FloodOrder {
  readonly port: number;
  readonly request: Uint8Array;
  readonly times: number;
  /** Of each of the replies. */
  readonly replyBytes: number;
}

/** Sends the request so many times without waiting for replies; resolves when all of those have come. */
export async function flood(order: FloodOrder): Promise<void> {
  const worker = new Worker(new URL("./flood_worker.ts", import.meta.url), { type: "module" });
  try {
    await new Promise<void>((resolve, reject) => {
      worker.onmessage = () => resolve();
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(order);
    });
  } finally {
    worker.terminate();
  }
}
