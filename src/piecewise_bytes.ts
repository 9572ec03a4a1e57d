// Bytes that lie in memory in several pieces, copied in and out; knows neither pages nor who owns them.

export interface PiecewiseBytes {
  /** The longest contiguous piece at `offset` below the length, at most `bytesMax` bytes; never empty. */
  piece(offset: number, bytesMax: number): Uint8Array;
}

/** Copies `bytes` in, from `offset` on. */
export function fillPieces(to: PiecewiseBytes, offset: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    const piece = to.piece(offset + done, bytes.length - done);
    piece.set(bytes.subarray(done, done + piece.length));
    done += piece.length;
  }
}

/** A copy of `count` bytes, from `offset` on. */
export function joinPieces(
  from: PiecewiseBytes,
  offset: number,
  count: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const piece = from.piece(offset + at, count - at);
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The pieces as they lie, from `offset` to before `end`. */
export function piecesOf(from: PiecewiseBytes, offset: number, end: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = offset; at < end;) {
    const piece = from.piece(at, end - at);
    pieces.push(piece);
    at += piece.length;
  }
  return pieces;
}
