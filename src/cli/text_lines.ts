// Reads a file or standard input line by line, in bounded memory; knows nothing of what the lines say.

const READ_BYTES = 262_144;
const LF = 10;

export interface TextLine {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  /** Bytes of the file up to and with this line. */
  readonly endBytes: number;
}

/** A line that cannot be given, with its number. */
export class LineError extends Error {
  constructor(readonly lineNumber: number, message: string) {
    super(message);
  }
}

/** The lines of what `read` gives (null at its end), without their ends. Throws `LineError`, and what `read` throws. */
export function* textLines(
  read: (into: Uint8Array) => number | null,
  lineBytesMax: number,
): Generator<TextLine> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let buffer = new Uint8Array(READ_BYTES), length = 0, searched = 0, lineNumber = 0, endBytes = 0;
  for (let atEnd = false; !atEnd || length > 0;) {
    const found = buffer.subarray(0, length).indexOf(LF, searched);
    if (found < 0 && !atEnd) {
      searched = length;
      if (length > lineBytesMax) {
        throw new LineError(lineNumber + 1, `it is longer than ${lineBytesMax} bytes`);
      }
      if (length === buffer.length) {
        const grown = new Uint8Array(buffer.length * 2);
        grown.set(buffer);
        buffer = grown;
      }
      const count = read(buffer.subarray(length));
      if (count === null) atEnd = true;
      else length += count;
      continue;
    }
    // From the first line on, all lines of the buffer, which is moved once.
    let start = 0;
    for (let end = found < 0 ? length : found; end >= 0;) {
      lineNumber++;
      endBytes += end - start + 1;
      let text: string;
      try {
        text = decoder.decode(buffer.subarray(start, end));
      } catch {
        throw new LineError(lineNumber, "it is not UTF-8");
      }
      yield { text, number: lineNumber, endBytes };
      start = Math.min(end + 1, length);
      end = start < length ? buffer.subarray(0, length).indexOf(LF, start) : -1;
    }
    buffer.copyWithin(0, start, length);
    length -= start;
    searched = length;
  }
}
