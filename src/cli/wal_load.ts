// `mayfly wal load`: lines of JSON, as `mayfly wal dump` prints them, into a new directory that a server starts from.
import { KEY_BYTES_BOUND, VALUE_BYTES_BOUND } from "../config_flags.ts";
import {
  EFFECT_LINE_BYTES_MAX,
  HASH_FIELD_BYTES_MAX,
  SNAPSHOT_FRAME_BYTES,
  TEXT_GROUP_BYTES_MAX,
} from "../limits.ts";
import { DirectoryWriter, type DirectoryWritten } from "../log/directory_writer.ts";
import { readEffectLine } from "../log/effect_lines.ts";
import { EffectWriter } from "../log/effect_writer.ts";
import { LineError, textLines } from "./text_lines.ts";
import type { ToolOutput } from "./tools.ts";
import { ToolFailure } from "./tool_failure.ts";
import { byteProgress, EXIT_FAILED, openEmpty } from "./wal_directory.ts";

/** The most that a server can be set to. */
const LIMITS = {
  keyBytesMax: KEY_BYTES_BOUND,
  valueBytesMax: VALUE_BYTES_BOUND,
  fieldBytesMax: HASH_FIELD_BYTES_MAX,
};
const STANDARD_INPUT = "-";

/** Reads the file (`-`: standard input). Throws with the line's number, and leaves nothing behind then. */
export function walLoad(source: string, path: string, output: ToolOutput): void {
  const file = source === STANDARD_INPUT ? Deno.stdin : openSource(source);
  try {
    const allBytes = source === STANDARD_INPUT ? Infinity : Deno.statSync(source).size;
    const progress = byteProgress(
      allBytes === Infinity ? null : output.progress,
      "loading",
      allBytes,
    );
    using directory = openEmpty(path);
    const serverId = crypto.getRandomValues(new Uint8Array(16));
    const writer = new DirectoryWriter({ disk: directory.disk, serverId });
    let written: DirectoryWritten;
    try {
      new LineLoader(writer).run((into) => file.readSync(into), progress);
      written = writer.finish();
    } catch (error) {
      writer.abandon();
      if (!(error instanceof LineError)) throw error;
      throw new ToolFailure(EXIT_FAILED, `${source}, line ${error.lineNumber}: ${error.message}`);
    } finally {
      progress(allBytes);
    }
    output.print(
      `${path}: ${written.files.length} files, ${written.groups} groups of the log` +
        `${
          written.snapshotGroups > 0 ? " behind a snapshot" : ""
        }, next sequence ${written.nextSequence}\n`,
    );
  } finally {
    if (file !== Deno.stdin) file.close();
  }
}

function openSource(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true });
  } catch (error) {
    throw new ToolFailure(EXIT_FAILED, `${path} cannot be read: ${(error as Error).message}`);
  }
}

/** Gathers lines of one sequence into groups. Gaps between sequences are closed. */
class LineLoader {
  readonly #writer: DirectoryWriter;
  #effects = new EffectWriter(65_536);
  /** Of the effects that are gathered; 0: the snapshot's. */
  #sequence = 0;

  constructor(writer: DirectoryWriter) {
    this.#writer = writer;
  }

  run(read: (into: Uint8Array) => number | null, progress: (doneBytes: number) => void): void {
    for (const { text, number, endBytes } of textLines(read, EFFECT_LINE_BYTES_MAX)) {
      if (text.trim() !== "") this.#take(text, number);
      progress(endBytes);
    }
    this.#flush();
  }

  #take(text: string, number: number): void {
    const effects = this.#effects, before = effects.length;
    const sequence = readEffectLine(text, effects, LIMITS);
    if (typeof sequence === "string") throw new LineError(number, sequence);
    if (sequence < this.#sequence) {
      throw new LineError(number, `sequence ${sequence} comes after ${this.#sequence}`);
    }
    if (sequence !== this.#sequence) {
      const own = effects.bytes.slice(before, effects.length);
      effects.length = before;
      this.#flush();
      if (this.#sequence === 0) this.#writer.beginLog(sequence);
      this.#sequence = sequence;
      effects.reserve(own.length);
      effects.raw(own);
    }
    // Nothing holds a snapshot's effects together but the file.
    if (sequence === 0 && effects.length >= SNAPSHOT_FRAME_BYTES) this.#flush();
    if (effects.length > TEXT_GROUP_BYTES_MAX) {
      throw new LineError(number, `its group is longer than ${TEXT_GROUP_BYTES_MAX} bytes`);
    }
  }

  #flush(): void {
    const effects = this.#effects;
    if (effects.length === 0) return;
    const bytes = effects.bytes.subarray(0, effects.length);
    if (this.#sequence === 0) this.#writer.snapshotGroup(bytes);
    else this.#writer.group(bytes);
    effects.length = 0;
  }
}
