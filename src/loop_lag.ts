// How late a worker's event loop is: a timer that looks at when it is called; knows nothing of what the loop does.
import { LOOP_LAG_MS } from "./limits.ts";
import { COUNTER } from "./metrics.ts";

/** Looks over which the worst is told: a second. */
const LOOKS_PER_WINDOW = Math.round(1000 / LOOP_LAG_MS);

/** Counts lateness until the function that it gives is called; `onLate` is told each, in ms. */
export function watchLoopLag(counters: Float64Array, onLate: (ms: number) => void): () => void {
  let expectedMs = performance.now() + LOOP_LAG_MS, looks = 0, worstMs = 0;
  const timer = setInterval(() => {
    const now = performance.now(), lateMs = Math.max(0, now - expectedMs);
    expectedMs = now + LOOP_LAG_MS;
    worstMs = Math.max(worstMs, lateMs);
    counters[COUNTER.loopLagMs] += lateMs;
    counters[COUNTER.loopLagSamples]++;
    // Worse is told at once, better after a whole window.
    if (worstMs > counters[COUNTER.loopLagMsMaxNow]) counters[COUNTER.loopLagMsMaxNow] = worstMs;
    if (++looks % LOOKS_PER_WINDOW === 0) {
      counters[COUNTER.loopLagMsMaxNow] = worstMs;
      worstMs = 0;
    }
    onLate(lateMs);
  }, LOOP_LAG_MS);
  return () => clearInterval(timer);
}
