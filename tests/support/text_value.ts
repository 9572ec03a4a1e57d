// Text that compresses about as the results of models do; ASCII, the same for the same seed.
import type { Random } from "./store_access.ts";

const SYLLABLES = ["ra", "ton", "mi", "sel", "ka", "vor", "ne", "lu", "pe", "dan", "is", "qu"];

/** Words of a vocabulary of some hundreds, with figures between them. */
export function sentence(random: Random, bytes: number): string {
  let text = "";
  while (text.length < bytes) {
    const count = 1 + random.below(3);
    for (let i = 0; i < count; i++) text += SYLLABLES[random.below(SYLLABLES.length)];
    text += random.below(4) === 0 ? ` 0.${random.below(1000)}, ` : " ";
  }
  return text.slice(0, bytes);
}
