// What a session keeps between MULTI and EXEC, and of WATCH: commands as they came, keys as they were; runs nothing.
import type { SessionTransaction } from "../session.ts";
import type { KeyRange, KeyWatch, StagedBlock } from "../store/store.ts";
import { QUEUED_BYTES_PER_ARGUMENT, QUEUED_BYTES_PER_COMMAND } from "../limits.ts";
import type { RequestBatch } from "../protocol/request_batch.ts";
import type { CommandRow } from "./command_row.ts";
import type { Finish } from "./context.ts";
import type { Staged } from "./staging.ts";

const BYTES_START = 256;
/** Whole words are loaded past the end of an argument. */
const SLACK_BYTES = 8;

/** A command that waits for EXEC; its arguments lie in the transaction's buffer. */
export interface QueuedCommand {
  /** Index of its row in the table; and the row itself, or that of its subcommand. */
  readonly rowIndex: number;
  readonly row: CommandRow;
  readonly style: number;
  /** Where each argument begins and ends, by turns. */
  readonly ranges: readonly number[];
  /** A value that was received straight into the store, and the argument that it stands for (else −1). */
  readonly staged: StagedBlock | null;
  readonly stagedArgument: number;
  /** Large values, as EXEC has put them into blocks before it takes its locks. */
  blocks: Staged[];
  /** The reply of a command that asks others, once they have answered. */
  finish: Finish | null;
}

/** A key that is watched, in the database that its client means by a number. */
export interface WatchedKey {
  readonly bytes: Uint8Array;
  readonly databaseNumber: number;
  readonly key: KeyRange;
  readonly watch: KeyWatch;
}

export class Transaction implements SessionTransaction {
  isOpen = false;
  /** A command was refused, so EXEC will be. */
  isAborted = false;
  /** Whether any of the commands changes entries, or asks others before it can reply. */
  hasWrites = false;
  hasAsks = false;
  /** How many of them copy or move what a key holds. */
  copyCount = 0;
  /** The most that the effects of all commands take in the log; and beside that, what is copied or moved. */
  effectBytes = 0;
  copiedBytes = 0;
  readonly commands: QueuedCommand[] = [];
  readonly watches: WatchedKey[] = [];
  /** The same by the key's hash: WATCH of many keys asks for each whether it is among them. */
  readonly #watchesByHash = new Map<number, WatchedKey[]>();
  /** The arguments, one behind the other, with slack at the end. */
  bytes = new Uint8Array(0);
  view = new DataView(this.bytes.buffer);
  #filled = 0;
  #overheadBytes = 0;

  get commandCount(): number {
    return this.commands.length;
  }

  get watchCount(): number {
    return this.watches.length;
  }

  /** Whether the key is watched already; `bytes` with the slack that `addWatch()` was given. */
  isWatched(hash: number, databaseNumber: number, bytes: Uint8Array): boolean {
    const among = this.#watchesByHash.get(hash);
    return among !== undefined &&
      among.some((each) => each.databaseNumber === databaseNumber && isSame(each.bytes, bytes));
  }

  addWatch(watched: WatchedKey): void {
    const { hash } = watched.key, among = this.#watchesByHash.get(hash);
    this.watches.push(watched);
    if (among === undefined) this.#watchesByHash.set(hash, [watched]);
    else among.push(watched);
  }

  forgetWatches(): void {
    this.watches.length = 0;
    this.#watchesByHash.clear();
  }

  /** Memory that the queue takes, what lies in the store's blocks not counted. */
  get queuedBytes(): number {
    return this.bytes.length + this.#overheadBytes;
  }

  /** What `queuedBytes` will be at most once command `command` of the batch is queued. */
  bytesWith(batch: RequestBatch, command: number): number {
    const first = batch.commandArg[command], end = batch.commandArg[command + 1];
    const needed = this.#filled + lengthOf(batch, first, end) + SLACK_BYTES;
    return Math.max(this.bytes.length, needed <= BYTES_START ? BYTES_START : needed * 2) +
      this.#overheadBytes + overheadOf(end - first);
  }

  /** Copies a command's arguments; takes over a value that was received out of line. */
  add(batch: RequestBatch, command: number, rowIndex: number, row: CommandRow): void {
    const first = batch.commandArg[command], end = batch.commandArg[command + 1];
    this.#reserve(lengthOf(batch, first, end));
    const ranges: number[] = [];
    for (let at = first; at < end; at++) {
      const start = this.#filled;
      this.bytes.set(batch.bytes.subarray(batch.argStart[at], batch.argEnd[at]), start);
      this.#filled += batch.argEnd[at] - batch.argStart[at];
      ranges.push(start, this.#filled);
    }
    const isStaged = batch.stagedArg >= first && batch.stagedArg < end;
    this.#overheadBytes += overheadOf(end - first);
    this.commands.push({
      rowIndex,
      row,
      style: batch.commandStyle[command],
      ranges,
      staged: isStaged ? (batch.stagedValue as StagedBlock).handOver() : null,
      stagedArgument: isStaged ? batch.stagedArg - first : -1,
      blocks: [],
      finish: null,
    });
  }

  /** Puts a queued command alone into a batch, as if it had just been read. */
  load(command: QueuedCommand, batch: RequestBatch): void {
    const { ranges, staged, stagedArgument } = command, count = ranges.length / 2;
    batch.reset(this.bytes, this.view);
    batch.reserveArguments(count);
    for (let i = 0; i < count; i++) {
      batch.argStart[i] = ranges[i * 2];
      batch.argEnd[i] = ranges[i * 2 + 1];
      batch.argSlot[i] = 0;
    }
    batch.argCount = count;
    batch.commandArg[0] = 0;
    batch.commandArg[1] = count;
    batch.commandStyle[0] = command.style;
    batch.commandCount = 1;
    batch.stagedArg = stagedArgument;
    batch.stagedValue = staged;
  }

  /** Lets go of what the commands hold outside of this object, and closes the transaction; watches stay. */
  clear(): void {
    for (const { staged, blocks } of this.commands) {
      staged?.discard();
      for (const { block } of blocks) block.discard();
    }
    this.commands.length = 0;
    this.bytes = new Uint8Array(0);
    this.view = new DataView(this.bytes.buffer);
    this.#filled = 0;
    this.#overheadBytes = 0;
    this.copyCount = 0;
    this.effectBytes = 0;
    this.copiedBytes = 0;
    this.isOpen = false;
    this.isAborted = false;
    this.hasWrites = false;
    this.hasAsks = false;
  }

  #reserve(count: number): void {
    const needed = this.#filled + count + SLACK_BYTES;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(needed <= BYTES_START ? BYTES_START : needed * 2);
    grown.set(this.bytes.subarray(0, this.#filled));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

function lengthOf(batch: RequestBatch, first: number, end: number): number {
  let sum = 0;
  for (let at = first; at < end; at++) sum += batch.argEnd[at] - batch.argStart[at];
  return sum;
}

function overheadOf(argCount: number): number {
  return QUEUED_BYTES_PER_COMMAND + QUEUED_BYTES_PER_ARGUMENT * argCount;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
