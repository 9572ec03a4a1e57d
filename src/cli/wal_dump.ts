// `mayfly wal dump`: a directory's effects as lines of JSON on standard output, in the order of a start.
import { writeEffectLine } from "../log/effect_lines.ts";
import { EffectReader } from "../log/effect_reader.ts";
import type { GroupTarget } from "../log/frame_groups.ts";
import { recover } from "../log/recovery.ts";
import { sequenceOfName } from "../log/segment.ts";
import type { ToolOutput } from "./tools.ts";
import { ToolFailure } from "./tool_failure.ts";
import {
  byteProgress,
  bytesOf,
  EXIT_DAMAGED,
  EXIT_FAILED,
  EXIT_TORN,
  openStopped,
} from "./wal_directory.ts";
import { tornText } from "./wal_verify.ts";

const PIECE_CHARS = 65_536;

/** Prints all effects up to the first damage; throws the exit code for a tear and for damage. */
export function walDump(path: string, { progress }: ToolOutput): void {
  using directory = openStopped(path);
  const { disk, snapshots, segments } = directory;
  const from = snapshots.length === 0 ? 0 : sequenceOfName(snapshots.at(-1)!, "snapshot")!;
  const allBytes = bytesOf(disk, [...snapshots, ...segments]);
  // Where lines go to the same terminal, they are progress enough.
  const show = byteProgress(Deno.stdout.isTerminal() ? null : progress, "dumping", allBytes);
  const lines = new EffectLines(from, Deno.stdout);
  const result = recover(disk, lines, show);
  lines.flush();
  show(allBytes);
  if ("error" in result) {
    const isNewer = lines.isNewer || result.error.includes(": format version ");
    throw new ToolFailure(isNewer ? EXIT_FAILED : EXIT_DAMAGED, result.error);
  }
  const { cut } = result.ok;
  if (cut !== null) throw new ToolFailure(EXIT_TORN, tornText(path, cut));
}

/** Turns groups into lines. Throws what the stream throws: half a dump must not pass for a whole one. */
class EffectLines implements GroupTarget {
  isNewer = false;
  readonly #from: number;
  readonly #out: { writeSync(bytes: Uint8Array): number };
  #text = "";
  #bytes: Uint8Array = new Uint8Array(0);
  #reader = new EffectReader(this.#bytes);

  constructor(from: number, out: { writeSync(bytes: Uint8Array): number }) {
    this.#from = from;
    this.#out = out;
  }

  take(
    bytes: Uint8Array,
    _view: DataView,
    start: number,
    end: number,
    sequence: number,
  ): string | null {
    // A segment may begin before the snapshot, which holds that part already.
    if (sequence !== 0 && sequence < this.#from) return null;
    if (bytes !== this.#bytes) this.#reader = new EffectReader(this.#bytes = bytes);
    for (let at = start; at < end;) {
      at = this.#reader.next(at, end);
      if (at < 0) {
        this.isNewer = this.#reader.error.includes("unknown kind");
        return this.#reader.error;
      }
      writeEffectLine(this.#reader, bytes, sequence, this.#write);
    }
    return null;
  }

  flush(): void {
    let rest = new TextEncoder().encode(this.#text);
    this.#text = "";
    while (rest.length > 0) rest = rest.subarray(this.#out.writeSync(rest));
  }

  readonly #write = (text: string): void => {
    this.#text += text;
    if (this.#text.length >= PIECE_CHARS) this.flush();
  };
}
