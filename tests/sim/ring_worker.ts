// A thread of the ring's simulation: appends groups of random length that say who made them and in what order.
import { Ring, unitsOf } from "../../src/log/ring.ts";
import { randomFrom } from "../support/store_access.ts";
import { GROUP_BYTES_MIN, groupOf } from "./checked_group.ts";

export interface RingTask {
  readonly memory: SharedArrayBuffer;
  readonly producer: number;
  readonly groups: number;
  readonly groupBytesMax: number;
  readonly seed: number;
}

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<RingTask>) => void) | null;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data }) => {
  const { memory, producer, groups, groupBytesMax, seed } = data;
  const ring = new Ring(memory), random = randomFrom(seed + producer);
  let waited = 0;
  for (let number = 0; number < groups; number++) {
    const lengthBytes = GROUP_BYTES_MIN + random.below(groupBytesMax - GROUP_BYTES_MIN + 1);
    // As commands do: credit for an upper bound, and the rest given back.
    const bound = unitsOf(lengthBytes + random.below(64));
    while (!ring.takeCredit(bound)) {
      waited++;
      ring.waitForCredit(1000);
    }
    const bytes = groupOf(producer, number, lengthBytes);
    const used = ring.append(bytes, new DataView(bytes.buffer), lengthBytes, false);
    ring.giveCredit(bound - used);
    ring.wake();
  }
  scope.postMessage({ waited });
};
