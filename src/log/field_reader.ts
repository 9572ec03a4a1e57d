// One field of a hash after the other out of an effect's bytes; what it has depends on the effect's kind.
import { MessageCursor } from "./message_cursor.ts";
import { EXPIRE_FIELDS, REMOVE_FIELDS } from "./record.ts";

export class FieldReader extends MessageCursor {
  nameStart = 0;
  nameEnd = 0;
  /** Of those that are removed or expire, nothing. */
  valueStart = 0;
  valueEnd = 0;

  #hasMoment = false;
  #hasValue = false;

  /** The fields of an effect of this kind lie in `[start, end)`. */
  begin(kind: number, start: number, end: number): void {
    this.at = start;
    this.end = end;
    this.#hasMoment = kind !== REMOVE_FIELDS;
    this.#hasValue = this.#hasMoment && kind !== EXPIRE_FIELDS;
    this.expiresAtMs = 0;
    this.valueStart = this.valueEnd = end;
  }

  get isAtEnd(): boolean {
    return this.at === this.end;
  }

  /** Where the next one begins. */
  get place(): number {
    return this.at;
  }

  /** False: there is no whole field. */
  next(): boolean {
    const nameBytes = this.bin();
    if (nameBytes < 0) return false;
    this.nameEnd = this.at;
    this.nameStart = this.at - nameBytes;
    if (!this.#hasMoment) return true;
    if (!this.moment()) return false;
    if (!this.#hasValue) return true;
    const valueBytes = this.bin();
    if (valueBytes < 0) return false;
    this.valueEnd = this.at;
    this.valueStart = this.at - valueBytes;
    return true;
  }
}
