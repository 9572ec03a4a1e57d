// The entries of a shard that came last, by their hashes, in the order in which they came: the window of W-TinyLFU.
//
// A ring in shared memory, changed under the shard's lock. Who is at its end has had its time to be used again, and
// has to show that it is used more often than what would go for it (see `policy/admission.ts`). It holds hashes and
// no places, because entries move: one that has gone meanwhile is not found, and one that came twice stands twice.
import { WINDOW_HEAD, WINDOW_TAIL } from "./frequency_sketch.ts";

/**
 * The part of the entries that the window holds at least, as long as entries go, as a power of two; at most it is three
 * times that. Between them lies what goes ahead of need, before the entries for whose sake it goes have come.
 */
const LEAST_SHIFT = 7;
const MOST = 3;

/** The window as a thread sees it. */
export interface WindowView {
  /** Head and tail, by the words' names; they wrap. */
  readonly sketch: Int32Array<SharedArrayBuffer>;
  readonly window: Int32Array<SharedArrayBuffer>;
}

/** Hashes that a shard's window may hold, a power of two: of more entries than fit the arena. */
export function windowWords(arenaBytes: number): number {
  return Math.max(64, arenaBytes / 2048);
}

/** An entry was added, of `entries` in all. */
export function enterWindow({ sketch, window }: WindowView, hash: number, entries: number): void {
  const tail = sketch[WINDOW_TAIL];
  window[tail & (window.length - 1)] = hash;
  sketch[WINDOW_TAIL] = tail + 1;
  // While there is room the oldest pass without being asked.
  const most = Math.min(window.length, windowLeast(entries) * MOST);
  if (((tail + 1 - sketch[WINDOW_HEAD]) | 0) > most) sketch[WINDOW_HEAD] = tail + 1 - most;
}

/** Whether somebody has to leave the window. */
export function isWindowFull({ sketch }: WindowView, entries: number): boolean {
  return ((sketch[WINDOW_TAIL] - sketch[WINDOW_HEAD]) | 0) > windowLeast(entries);
}

/** How many a shard of so many entries has in its window at least; as many at once may be asked to leave it. */
export function windowLeast(entries: number): number {
  return Math.max(1, entries >>> LEAST_SHIFT);
}

/** Takes out the hash of the entry that came first. */
export function leaveWindow({ sketch, window }: WindowView): number {
  const head = sketch[WINDOW_HEAD];
  sketch[WINDOW_HEAD] = head + 1;
  return window[head & (window.length - 1)];
}

export function clearWindow({ sketch }: WindowView): void {
  sketch[WINDOW_HEAD] = sketch[WINDOW_TAIL];
}
