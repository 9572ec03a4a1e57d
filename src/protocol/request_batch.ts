// The parsed requests of one read batch, as offsets into the read buffer; knows no command and no reply.

/** How a request was written, and so how its reply is: RESP, an inline command, or a line of text. */
export const STYLE_RESP = 0;
export const STYLE_INLINE = 1;
export const STYLE_TEXT = 2;

/** Requests parsed ahead before the first of them runs; more wait in the read buffer for the next round. */
export const BATCH_COMMANDS_MAX = 512;
/** Once a batch holds this many arguments it takes no further request (one request may hold more). */
export const BATCH_ARGUMENTS_SOFT_MAX = 4096;

/** A value that was received straight into the store, and stands for one argument of a request. */
export interface StagedArgument {
  readonly lengthBytes: number;
  /** Frees its memory unless an entry refers to it now. */
  discard(): void;
}

/**
 * One per worker, refilled for each read batch. Argument `i` of command `c` is
 * `bytes[argStart[f + i] .. argEnd[f + i])` with `f = commandArg[c]`; there are
 * `commandArg[c + 1] - f` of them, the name included.
 */
export class RequestBatch {
  /** The read buffer that the offsets point into; readable to at least 8 bytes past every `argEnd`. */
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);

  argStart = new Int32Array(BATCH_ARGUMENTS_SOFT_MAX * 2);
  argEnd = new Int32Array(BATCH_ARGUMENTS_SOFT_MAX * 2);
  /** Filled by the engine for arguments that are keys. */
  argHash = new Int32Array(BATCH_ARGUMENTS_SOFT_MAX * 2);
  /** Filled by the engine for arguments that are keys: a hint at the slot of its entry, 0 for none. */
  argSlot = new Int32Array(BATCH_ARGUMENTS_SOFT_MAX * 2);
  argCount = 0;

  readonly commandArg = new Int32Array(BATCH_COMMANDS_MAX + 1);
  /** Offset after each command: where to go on if the connection stops there. */
  readonly commandEnd = new Int32Array(BATCH_COMMANDS_MAX);
  readonly commandStyle = new Uint8Array(BATCH_COMMANDS_MAX);
  commandCount = 0;

  /** Text of a protocol error met after the commands above, without `-ERR Protocol error: `; null if none. */
  error: string | null = null;
  /** The style of the request that is in error, so that its reply is readable. */
  errorStyle = STYLE_RESP;
  /** True when the connection is to be closed without a word (a browser was tricked into speaking to us). */
  closeSilently = false;
  /** Bytes, counted from the first unconsumed one, that must be there before parsing again can succeed. */
  neededBytes = 0;

  /**
   * A bulk string that has not arrived whole and is long enough to be received out of line: index of its
   * argument within the unfinished command, where its bytes start, and its length; −1 if there is none.
   */
  openBulkArgument = -1;
  openBulkStart = 0;
  openBulkBytes = 0;

  /** Set by the connection before parsing: the offset at which a bulk string lies out of line, or −1. */
  stagedAt = -1;
  stagedValue: StagedArgument | null = null;
  /** Index into argStart of the argument that `stagedValue` stands for (its range is empty), or −1. */
  stagedArg = -1;

  /** Lines as they came whose words were unescaped where they stand: a command that has to wait is parsed again. */
  readonly #changed: { readonly at: number; readonly line: Uint8Array }[] = [];

  /** Empties the batch and points it at a read buffer. */
  reset(bytes: Uint8Array, view: DataView): void {
    this.bytes = bytes;
    this.view = view;
    this.argCount = 0;
    this.commandCount = 0;
    this.error = null;
    this.errorStyle = STYLE_RESP;
    this.closeSilently = false;
    this.neededBytes = 0;
    this.openBulkArgument = -1;
    this.stagedArg = -1;
    if (this.#changed.length > 0) this.#changed.length = 0;
  }

  /** Before the line `bytes[start..end)` is changed in place. */
  keepLine(start: number, end: number): void {
    this.#changed.push({ at: start, line: this.bytes.slice(start, end) });
  }

  /** Makes the lines from offset `from` on what they were. */
  restoreLines(from: number): void {
    for (const { at, line } of this.#changed) if (at >= from) this.bytes.set(line, at);
  }

  /** Makes room for arguments up to index `count - 1`, keeping what is there. */
  reserveArguments(count: number): void {
    if (count <= this.argStart.length) return;
    const size = Math.max(count, this.argStart.length * 2);
    this.argStart = grown(this.argStart, size);
    this.argEnd = grown(this.argEnd, size);
    this.argHash = grown(this.argHash, size);
    this.argSlot = grown(this.argSlot, size);
  }

  /** Gives back what one huge request made it grow to. */
  shrink(): void {
    const size = BATCH_ARGUMENTS_SOFT_MAX * 2;
    if (this.argStart.length <= size * 4) return;
    this.argStart = new Int32Array(size);
    this.argEnd = new Int32Array(size);
    this.argHash = new Int32Array(size);
    this.argSlot = new Int32Array(size);
  }
}

function grown(old: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const next = new Int32Array(size);
  next.set(old);
  return next;
}
