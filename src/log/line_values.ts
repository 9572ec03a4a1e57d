// Values within lines of the log's text mode: bytes as text or base64, whole numbers; knows no effect.

/** Long values are written in pieces: a string of twice their length could not be made. Divisible by 3. */
const PIECE_BYTES = 3 * 262_144;
// Made once: making one costs more than a short text does.
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** What a line's effect may hold at most. */
export interface LineLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  /** A field's name and value together. */
  readonly fieldBytesMax: number;
}

/** Writes bytes as a value of JSON, in as many pieces as it takes. */
export function writeBytes(bytes: Uint8Array, write: (text: string) => void): void {
  if (bytes.length > PIECE_BYTES) return writeLong(bytes, write);
  let text: string;
  try {
    text = strictDecoder.decode(bytes);
  } catch {
    return write(`{"base64":"${bytes.toBase64()}"}`);
  }
  write(JSON.stringify(text));
}

function writeLong(bytes: Uint8Array, write: (text: string) => void): void {
  const isText = isUtf8(bytes), decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  write(isText ? '"' : '{"base64":"');
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    if (!isText) write(piece.toBase64());
    else write(JSON.stringify(decoder.decode(piece, { stream: true })).slice(1, -1));
  }
  write(isText ? '"' : '"}');
}

function isUtf8(bytes: Uint8Array): boolean {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      decoder.decode(bytes.subarray(at, at + PIECE_BYTES), { stream: true });
    }
    decoder.decode();
    return true;
  } catch {
    return false;
  }
}

/** The number, null if the value is no whole number of that range. */
export function wholeNumber(value: unknown, min: number, max: number): number | null {
  return Number.isSafeInteger(value) && value as number >= min && value as number <= max
    ? value as number
    : null;
}

/** The bytes that a value of JSON stands for, null if it is neither text nor {"base64":"..."}. */
export function bytesOf(value: unknown): Uint8Array | null {
  if (typeof value === "string") {
    // Half a pair of surrogates has no bytes: an encoder would put a question mark there.
    return value.isWellFormed() ? encoder.encode(value) : null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { base64 } = value as { base64?: unknown };
  if (typeof base64 !== "string" || Object.keys(value).length !== 1) return null;
  try {
    return Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
  } catch {
    return null;
  }
}
