// Which arguments of a command are secret, so that neither MONITOR nor SLOWLOG shows them; it hides what Redis hides.
import type { RequestBatch } from "../protocol/request_batch.ts";

/** Parameters of CONFIG SET whose values are passwords. */
const SECRET_PARAMETERS: ReadonlySet<string> = new Set(["requirepass", "masterauth"]);

const decoder = new TextDecoder();

/** Numbers of the arguments to hide, the command's name being 0; null if none is. */
export function redactedArguments(
  batch: RequestBatch,
  command: number,
  name: string,
): ReadonlySet<number> | null {
  if (name !== "auth" && name !== "hello" && name !== "config|set") return null;
  const first = batch.commandArg[command], count = batch.commandArg[command + 1] - first;
  const text = (i: number) =>
    decoder.decode(batch.bytes.slice(batch.argStart[first + i], batch.argEnd[first + i]));
  const hidden = new Set<number>();
  if (name === "auth") { for (let i = 1; i < count; i++) hidden.add(i); }
  else if (name === "hello") {
    for (let i = 2; i + 2 < count; i++) {
      if (text(i).toLowerCase() === "auth") hidden.add(i + 1).add(i + 2);
    }
  } else {
    for (let i = 2; i + 1 < count; i += 2) {
      if (SECRET_PARAMETERS.has(text(i).toLowerCase())) hidden.add(i + 1);
    }
  }
  return hidden;
}
