// Turns at the frames of one snapshot, in shared memory, for the threads that load it together; knows no frame.
//
// Whoever opens the turns closes them, and waits until all who joined have left. A thread that meets trouble says
// only that: alone, the one who opened meets the same, and can tell what it is.
const STATE = 0;
const NEXT = 1;
const JOINED = 2;
const HAS_TROUBLE = 3;
const GROUPS = 4;
const EFFECTS = 5;
/** Words that it takes. */
export const LOAD_TURNS_WORDS = 8;

const BEFORE = 0;
const OPEN = 1;
const CLOSED = 2;
const LOOK_MS = 100;

export class LoadTurns {
  /** `words`: LOAD_TURNS_WORDS of shared memory, zero at the start of the process. */
  constructor(readonly words: Int32Array) {}

  /** What those who joined have loaded so far. */
  get groups(): number {
    return Atomics.load(this.words, GROUPS) >>> 0;
  }

  get effects(): number {
    return Atomics.load(this.words, EFFECTS) >>> 0;
  }

  get hasTrouble(): boolean {
    return Atomics.load(this.words, HAS_TROUBLE) !== 0;
  }

  /** From now on there are turns to take. */
  open(): void {
    Atomics.store(this.words, STATE, OPEN);
    Atomics.notify(this.words, STATE);
  }

  /** Nobody joins any more; blocks until all have left. */
  close(): void {
    Atomics.store(this.words, STATE, CLOSED);
    Atomics.notify(this.words, STATE);
    for (;;) {
      const joined = Atomics.load(this.words, JOINED);
      if (joined === 0) return;
      Atomics.wait(this.words, JOINED, joined, LOOK_MS);
    }
  }

  /** Resolves once there are turns: true, and the caller has joined; or once there will be none. */
  async join(): Promise<boolean> {
    while (Atomics.load(this.words, STATE) === BEFORE) {
      const { value } = Atomics.waitAsync(this.words, STATE, BEFORE);
      await value;
    }
    Atomics.add(this.words, JOINED, 1);
    if (Atomics.load(this.words, STATE) === OPEN) return true;
    this.leave();
    return false;
  }

  /** Of one who joined. */
  leave(): void {
    Atomics.sub(this.words, JOINED, 1);
    Atomics.notify(this.words, JOINED);
  }

  /** Of one who joined: so much more was loaded. */
  told(groups: number, effects: number): void {
    Atomics.add(this.words, GROUPS, groups);
    Atomics.add(this.words, EFFECTS, effects);
  }

  /** The number of the next turn, from 0. */
  take(): number {
    return Atomics.add(this.words, NEXT, 1);
  }

  trouble(): void {
    Atomics.store(this.words, HAS_TROUBLE, 1);
  }
}
