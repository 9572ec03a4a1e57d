// One effect after the other out of a buffer, each checked whole before anything of it is believed.
import { FieldReader } from "./field_reader.ts";
import { MessageCursor } from "./message_cursor.ts";
import {
  ARRAY_0,
  ARRAY_16,
  ARRAY_32,
  DATABASES,
  EXPIRE,
  EXPIRE_FIELDS,
  FLUSH,
  MERGE_FIELDS,
  MINUS_ONE,
  PUT,
  RANGE,
  REMOVE,
  REMOVE_FIELDS,
  SET_FIELDS,
  UINT_32,
  VALUE_HASH,
} from "./record.ts";

/** The fields are those of the effect read last; offsets lie in the buffer. */
export class EffectReader extends MessageCursor {
  kind = 0;
  database = 0;
  keyStart = 0;
  keyEnd = 0;
  type = 0;
  /** Of a range, in the value that it changes. */
  offset = 0;
  /** The value, the bytes of a range, the table of databases; or the fields of a hash, for a `FieldReader`. */
  valueStart = 0;
  valueEnd = 0;
  /** Fields of a hash that the effect tells of, above 0. */
  fieldCount = 0;
  /** Why `next()` gave −1. */
  error = "";

  readonly #fields: FieldReader;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.#fields = new FieldReader(bytes);
  }

  /** Reads the effect at `start`; gives where the next one begins, −1 if there is none that this version knows. */
  next(start: number, end: number): number {
    this.at = start;
    this.end = end;
    const head = this.byte();
    if ((head & 0xf0) !== ARRAY_0) return this.#fail(`no array at ${start}: byte ${head}`);
    const fields = head & 15, kind = this.kind = this.byte();
    switch (kind) {
      case PUT:
        if (fields !== 6 || !this.#database() || !this.#key()) return this.#broken();
        this.type = this.byte();
        if (!this.moment() || !this.#value()) return this.#broken();
        return this.type !== VALUE_HASH || this.#hash() ? this.at : this.#broken();
      case REMOVE:
        return fields === 3 && this.#database() && this.#key() ? this.at : this.#broken();
      case EXPIRE:
        if (fields !== 4 || !this.#database() || !this.#key()) return this.#broken();
        return this.moment() ? this.at : this.#broken();
      case FLUSH: {
        const database = this.byte();
        this.database = database === MINUS_ONE ? -1 : database;
        return fields === 2 && this.database < 16 ? this.at : this.#broken();
      }
      case DATABASES:
        if (fields !== 2 || !this.#value()) return this.#broken();
        return this.valueEnd - this.valueStart === 16 ? this.at : this.#broken();
      case RANGE:
        if (fields !== 5 || !this.#database() || !this.#key()) return this.#broken();
        return this.#offset() && this.#value() ? this.at : this.#broken();
      case SET_FIELDS:
        if (fields !== 4 || !this.#database() || !this.#key()) return this.#broken();
        return this.#list(3) ? this.at : this.#broken();
      case REMOVE_FIELDS:
        if (fields !== 4 || !this.#database() || !this.#key()) return this.#broken();
        return this.#list(1) ? this.at : this.#broken();
      case EXPIRE_FIELDS:
        if (fields !== 4 || !this.#database() || !this.#key()) return this.#broken();
        return this.#list(2) ? this.at : this.#broken();
      case MERGE_FIELDS:
        if (fields !== 5 || !this.#database() || !this.#key() || !this.moment()) {
          return this.#broken();
        }
        return this.#list(3) ? this.at : this.#broken();
      default:
        return this.#fail(`effect of unknown kind ${kind}`);
    }
  }

  #broken(): number {
    return this.#fail(`effect of kind ${this.kind} is not well formed`);
  }

  #fail(error: string): number {
    this.error = error;
    return -1;
  }

  #database(): boolean {
    this.database = this.byte();
    return this.database < 16;
  }

  #key(): boolean {
    const count = this.bin();
    if (count < 0) return false;
    this.keyEnd = this.at;
    this.keyStart = this.at - count;
    return true;
  }

  #value(): boolean {
    const count = this.bin();
    if (count < 0) return false;
    this.valueEnd = this.at;
    this.valueStart = this.at - count;
    return true;
  }

  #offset(): boolean {
    if (this.byte() !== UINT_32 || this.at + 4 > this.end) return false;
    this.offset = this.view.getUint32(this.at);
    this.at += 4;
    return true;
  }

  /** Whether the value is whole fields, and at least one. */
  #hash(): boolean {
    const fields = this.#fields;
    fields.begin(PUT, this.valueStart, this.valueEnd);
    this.fieldCount = 0;
    for (; !fields.isAtEnd; this.fieldCount++) if (!fields.next()) return false;
    return this.fieldCount > 0;
  }

  /** An array of fields that have so many items each, and at least one. */
  #list(itemsPerField: number): boolean {
    const items = this.#arrayLength(), count = items / itemsPerField, fields = this.#fields;
    if (items <= 0 || !Number.isInteger(count)) return false;
    fields.begin(this.kind, this.at, this.end);
    for (let i = 0; i < count; i++) if (!fields.next()) return false;
    this.fieldCount = count;
    this.valueStart = this.at;
    this.at = this.valueEnd = fields.place;
    return true;
  }

  #arrayLength(): number {
    const head = this.byte();
    let count = -1;
    if ((head & 0xf0) === ARRAY_0) count = head & 15;
    else if (head === ARRAY_16 && this.at + 2 <= this.end) {
      count = this.view.getUint16(this.at);
      this.at += 2;
    } else if (head === ARRAY_32 && this.at + 4 <= this.end) {
      count = this.view.getUint32(this.at);
      this.at += 4;
    }
    return count;
  }
}
