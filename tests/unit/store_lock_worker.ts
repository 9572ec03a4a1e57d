// A thread of the lock's tests: does what one message asks and says that it is done.
import {
  lockChange,
  lockReading,
  unlockChange,
  unlockReading,
  whileWaiting,
} from "../../src/store/shard_lock.ts";

/** `words`: a shard's header; `counter`: plain words that only holders of the lock may touch. */
export interface LockTask {
  readonly words: SharedArrayBuffer;
  readonly counter: SharedArrayBuffer;
  readonly rounds: number;
  /** Every so many rounds the lock is taken for reading instead. */
  readonly readingEvery: number;
}

/** Of `counter`: how often the thread showed that it lives while it waited. */
export const SIGNS = 2;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<LockTask>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data }) => {
  const words = new Int32Array(data.words), counter = new Int32Array(data.counter);
  whileWaiting(() => Atomics.add(counter, SIGNS, 1));
  let disturbed = 0;
  for (let round = 1; round <= data.rounds; round++) {
    const isReading = round % data.readingEvery === 0;
    if (isReading) lockReading(words);
    else lockChange(words);
    // Plain loads and stores on purpose: without the lock most of these would be lost.
    const before = counter[0];
    counter[0] = before + 1;
    counter[1] = before;
    if (counter[0] - counter[1] !== 1) disturbed++;
    if (isReading) unlockReading(words);
    else unlockChange(words);
  }
  scope.postMessage({ disturbed });
};
