// Puts this thread's clock back by an hour, at a moment that all threads of a process are told.

export const STEP_MS = 3_600_000;

/** From `atMs` on, by the clock as it is now, `Date.now()` gives an hour less. */
export function stepClock(atMs: number): void {
  const now = Date.now;
  Date.now = () => {
    const ms = now();
    return ms < atMs ? ms : ms - STEP_MS;
  };
}
