// Turns of a worker's event loop that are always due and take no time: a test sees how often they were given.
import type { Turns } from "../../src/server/loop_turns.ts";

export class CountedTurns implements Turns {
  readonly isDue = true;
  count = 0;

  wait(): Promise<void> {
    this.count++;
    return Promise.resolve();
  }
}
