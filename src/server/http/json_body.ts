// What a JsonWriter gathered as the body of a response, or as a text; quotes the values that lie in blocks.
import { COMPARE_BYTES_MAX, LARGE_PIECE_BYTES } from "../../limits.ts";
import { joinPieces } from "../../piecewise_bytes.ts";
import { type JsonWriter, quotedBytes } from "../../protocol/json_writer.ts";
import type { ReplyBuffer, Segment, ValueSource } from "../../protocol/reply_buffer.ts";
import { utf8 } from "../../protocol/reply_copy.ts";
import { asciiText, utf8Text } from "./byte_text.ts";
import { type Downloads, type Pieces, sourceBytes } from "./downloads.ts";

/** Bytes of a value that are looked at before the worker's loop has its turn. */
const LOOK_BYTES = 1_048_576;
/** Base64 is cut where it needs no filling. */
const BASE64_BYTES = 3;
const decoder = new TextDecoder();

/** Takes all that was gathered; it is one piece unless a value is too large to be copied. */
export function takeJsonBody(
  writer: JsonWriter,
  downloads: Downloads,
): string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> {
  const { out } = writer;
  if (out.segments.length === 0) return takeJsonText(writer);
  const segments = out.takeSegments();
  if (segments.some(({ source }) => source !== null && source.lengthBytes > COMPARE_BYTES_MAX)) {
    return downloads.stream(jsonPieces(segments, out), () => releaseAll(segments));
  }
  return joined(segments, out);
}

/** Takes all that was gathered as one text. */
export function takeJsonText(writer: JsonWriter): string {
  const { out } = writer;
  if (out.segments.length > 0) return decoder.decode(joined(out.takeSegments(), out));
  const text = writer.isAscii
    ? asciiText(out.bytes, 0, out.position)
    : utf8Text(out.bytes, 0, out.position);
  out.position = 0;
  return text;
}

/** A text or any bytes, `bytes[start..end)`, as JSON. */
export function quotedText(bytes: Uint8Array, start: number, end: number): string {
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte < 32 || byte > 126 || byte === 34 || byte === 92) {
      return quotedBytes(bytes.slice(start, end), false);
    }
  }
  return `"${asciiText(bytes, start, end)}"`;
}

/** A value that lies in blocks as JSON, with a text before and one behind it; large ones piece by piece. */
export function quotedSource(
  source: ValueSource,
  head: string,
  end: string,
  downloads: Downloads,
): string | ReadableStream<Uint8Array<ArrayBuffer>> {
  if (source.lengthBytes <= COMPARE_BYTES_MAX) {
    return `${head}${quotedBytes(sourceBytes(source), false)}${end}`;
  }
  const pieces = async function* (): Pieces {
    yield copy(head);
    yield* quotedPieces(source);
    yield copy(end);
  };
  return downloads.stream(pieces(), () => source.release());
}

function joined(segments: readonly Segment[], out: ReplyBuffer): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = segments.map(({ chunk, endBytes, source }) =>
    chunk === null
      ? utf8(quotedBytes(sourceBytes(source), false))
      : chunk.bytes.subarray(0, endBytes)
  );
  const bytes = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  for (const { chunk } of segments) if (chunk !== null) out.pool.give(chunk);
  return bytes;
}

function releaseAll(segments: readonly Segment[]): void {
  for (const { source } of segments) source?.release();
}

async function* jsonPieces(segments: readonly Segment[], out: ReplyBuffer): Pieces {
  for (const { chunk, endBytes, source } of segments) {
    if (source !== null) yield* quotedPieces(source);
    else {
      const bytes = chunk.bytes.slice(0, endBytes);
      out.pool.give(chunk);
      if (bytes.length > 0) yield bytes;
    }
  }
}

/** As JsonWriter quotes, without the value ever being whole in memory. */
async function* quotedPieces(source: ValueSource): Pieces {
  if (!await isUtf8(source)) {
    yield copy('{"base64":"');
    const pieceBytes = LARGE_PIECE_BYTES - LARGE_PIECE_BYTES % BASE64_BYTES;
    for (let at = 0; at < source.lengthBytes; at += pieceBytes) {
      const count = Math.min(pieceBytes, source.lengthBytes - at);
      yield copy(joinPieces(source, at, count).toBase64());
    }
    yield copy('"}');
    return;
  }
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  yield copy('"');
  for (let at = 0; at < source.lengthBytes;) {
    const piece = source.piece(at, LARGE_PIECE_BYTES).slice();
    at += piece.length;
    const text = decoder.decode(piece, { stream: at < source.lengthBytes });
    if (text !== "") yield copy(JSON.stringify(text).slice(1, -1));
  }
  yield copy('"');
}

async function isUtf8(source: ValueSource): Promise<boolean> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let at = 0, turnAt = LOOK_BYTES; at < source.lengthBytes;) {
    const piece = source.piece(at, LARGE_PIECE_BYTES).slice();
    at += piece.length;
    try {
      decoder.decode(piece, { stream: at < source.lengthBytes });
    } catch {
      return false;
    }
    if (at < turnAt) continue;
    turnAt += LOOK_BYTES;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return true;
}

function copy(text: string): Uint8Array<ArrayBuffer> {
  return utf8(text) as Uint8Array<ArrayBuffer>;
}
