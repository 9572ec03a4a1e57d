// The time that memory and replies go by: wall-clock milliseconds that never run backwards, in any thread.

/** Shared memory for the latest moment any thread has seen. */
export function createClockMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(8);
}

export class Clock {
  readonly #latest: Float64Array;

  /** `readWallMs` is an argument so that tests can turn it back. */
  constructor(memory: SharedArrayBuffer, readonly readWallMs: () => number = Date.now) {
    this.#latest = new Float64Array(memory);
  }

  /**
   * Milliseconds since 1970, at least what any thread was told before. A step back of the machine's clock
   * stops time until it has caught up, so that no expired entry returns. (Two threads may store at the same
   * moment; the cell then lacks a millisecond at most, and an aligned float64 is never torn.)
   */
  nowMs(): number {
    const wall = this.readWallMs();
    const latest = this.#latest[0];
    if (wall <= latest) return latest;
    this.#latest[0] = wall;
    return wall;
  }
}
