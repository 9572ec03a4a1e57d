// Reads what effects are made of, one behind the other, and never past an end; knows no effect.
import { BIN_16, BIN_32, BIN_8, HIGH, UINT_64 } from "./record.ts";

export class MessageCursor {
  /** The moment read last, in ms since 1970; 0: never. */
  expiresAtMs = 0;
  protected readonly bytes: Uint8Array;
  protected readonly view: DataView;
  /** Where it reads next, and how far. */
  protected at = 0;
  protected end = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** 256 at the end. */
  protected byte(): number {
    return this.at < this.end ? this.bytes[this.at++] : 256;
  }

  /** Reads a `bin` and stands behind it; gives its length, −1 if there is none or it is longer than what is there. */
  protected bin(): number {
    const head = this.byte();
    let count: number;
    if (head === BIN_8 && this.at + 1 <= this.end) {
      count = this.bytes[this.at++];
    } else if (head === BIN_16 && this.at + 2 <= this.end) {
      count = this.view.getUint16(this.at);
      this.at += 2;
    } else if (head === BIN_32 && this.at + 4 <= this.end) {
      count = this.view.getUint32(this.at);
      this.at += 4;
    } else return -1;
    if (this.at + count > this.end) return -1;
    this.at += count;
    return count;
  }

  protected moment(): boolean {
    const head = this.byte();
    if (head < 128) {
      this.expiresAtMs = head;
      return head === 0;
    }
    if (head !== UINT_64 || this.at + 8 > this.end) return false;
    this.expiresAtMs = this.view.getUint32(this.at) * HIGH + this.view.getUint32(this.at + 4);
    this.at += 8;
    return true;
  }
}
