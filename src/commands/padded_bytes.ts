// A name or a value that a handler made, where copies of whole words may read past its end; knows no command.
import { HASH_FIELD_BYTES_MAX } from "../limits.ts";

const VALUE_SLACK_BYTES = 8;

/** Bytes of a name or a value where they are readable past their end, as copies of whole words need it. */
export class PaddedBytes {
  readonly bytes = new Uint8Array(HASH_FIELD_BYTES_MAX + VALUE_SLACK_BYTES);
  readonly view = new DataView(this.bytes.buffer);

  /** Not longer than a field may be. */
  set(value: Uint8Array): this {
    this.bytes.set(value);
    return this;
  }
}
