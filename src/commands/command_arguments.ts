// The words of the running command as they lie in its batch; 0 is the command's name. Knows no entry and no reply.
import { parseInteger } from "../number_format.ts";
import type { RequestBatch } from "../protocol/request_batch.ts";

export class CommandArguments {
  batch!: RequestBatch;
  /** Index of the command's name among the batch's arguments, and how many there are with it. */
  first = 0;
  argCount = 0;
  /** True if the request is a line of text, whose few words of reply differ. */
  isText = false;

  get bytes(): Uint8Array {
    return this.batch.bytes;
  }

  argStart(index: number): number {
    return this.batch.argStart[this.first + index];
  }

  argEnd(index: number): number {
    return this.batch.argEnd[this.first + index];
  }

  /** The argument's bytes, valid during the command only. A large value that was staged is not among them. */
  argBytes(index: number): Uint8Array {
    return this.batch.bytes.subarray(this.argStart(index), this.argEnd(index));
  }

  /** Length in bytes, also of a value that was received out of line. */
  argLength(index: number): number {
    const at = this.first + index;
    if (this.batch.stagedArg === at) return this.batch.stagedValue!.lengthBytes;
    return this.batch.argEnd[at] - this.batch.argStart[at];
  }

  /** The argument as a string; bytes that are not UTF-8 become U+FFFD. */
  argText(index: number): string {
    return decoder.decode(this.argBytes(index).slice());
  }

  /** Whether the argument is this word, whatever its case; `word` is ASCII in upper case. */
  argIs(index: number, word: string): boolean {
    const start = this.argStart(index);
    if (this.argEnd(index) - start !== word.length) return false;
    const bytes = this.batch.bytes;
    for (let i = 0; i < word.length; i++) {
      let byte = bytes[start + i];
      if (byte >= 97 && byte <= 122) byte -= 32;
      if (byte !== word.charCodeAt(i)) return false;
    }
    return true;
  }

  /** The argument as a whole number within 2^53, NaN if it is none. */
  argInteger(index: number): number {
    return parseInteger(this.batch.bytes, this.argStart(index), this.argEnd(index));
  }
}

const decoder = new TextDecoder();
