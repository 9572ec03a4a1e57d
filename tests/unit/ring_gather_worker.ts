// A thread of the ring's tests: gathers as the log's writer does, and says what it found.
import { Ring } from "../../src/log/ring.ts";

export interface GatherTask {
  readonly memory: SharedArrayBuffer;
  readonly units: number;
  readonly timeoutMs: number;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<GatherTask>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data: { memory, units, timeoutMs } }) => {
  const ring = new Ring(memory), beganMs = performance.now();
  ring.gather(units, timeoutMs);
  scope.postMessage({
    foundUnits: (ring.tail - ring.head) | 0,
    tookMs: performance.now() - beganMs,
  });
};
