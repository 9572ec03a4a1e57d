// The name of a field as it is asked for, and what of it a slot says; knows no segment.
import { LONG, NAME_SHIFT, TAG_SHIFT } from "./segment.ts";

/** The name of a field as it is asked for; `view` is readable to 3 bytes past `end`. */
export class FieldName {
  view: DataView = new DataView(new ArrayBuffer(8));
  start = 0;
  end = 0;
  bytes = 0;
  /** Tag and length, as in a slot whose entry is short, and whose entry is long. */
  pattern = 0;
  longPattern = 0;

  set(view: DataView, start: number, end: number): void {
    const bytes = end - start;
    this.view = view;
    this.start = start;
    this.end = end;
    this.bytes = bytes;
    let mixed = bytes;
    if (bytes > 0) {
      const last = start + ((bytes - 1) & ~3), left = end - last;
      const lastWord = left === 4
        ? view.getInt32(last, true)
        : view.getInt32(last, true) & ((1 << (left << 3)) - 1);
      const firstWord = last === start ? lastWord : view.getInt32(start, true);
      mixed = Math.imul(firstWord ^ Math.imul(lastWord + bytes, 0x85ebca6b), 0x9e3779b1);
    }
    const tag = (mixed >>> 24) << TAG_SHIFT;
    this.longPattern = tag | (LONG << NAME_SHIFT);
    this.pattern = bytes < LONG ? tag | (bytes << NAME_SHIFT) : this.longPattern;
  }
}
