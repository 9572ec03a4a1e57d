// A directory in memory whose files are plain bytes, for tests that break them one by one; it never fails.
import type { Disk, DiskFile } from "../../src/log/disk_seam.ts";

export class ByteDisk implements Disk {
  readonly path = "disk";

  constructor(readonly files: Map<string, Uint8Array> = new Map()) {}

  /** The same directory with one file changed. */
  with(name: string, bytes: Uint8Array): ByteDisk {
    return new ByteDisk(new Map([...this.files, [name, bytes]]));
  }

  without(name: string): ByteDisk {
    return new ByteDisk(new Map([...this.files].filter(([each]) => each !== name)));
  }

  list(): string[] {
    return [...this.files.keys()];
  }

  create(name: string): DiskFile {
    this.files.set(name, new Uint8Array(0));
    return new ByteFile(this.files, name);
  }

  open(name: string): DiskFile {
    this.bytesOf(name);
    return new ByteFile(this.files, name);
  }

  openToRead(name: string): DiskFile {
    return this.open(name);
  }

  rename(from: string, to: string): void {
    this.files.set(to, this.bytesOf(from));
    this.files.delete(from);
  }

  remove(name: string): void {
    this.files.delete(name);
  }

  syncDirectory(): void {}

  bytesOf(name: string): Uint8Array {
    const bytes = this.files.get(name);
    if (bytes === undefined) throw new Error(`no file ${name}`);
    return bytes;
  }
}

class ByteFile implements DiskFile {
  /** Its bytes, which a rename takes along. */
  #bytes: Uint8Array;

  constructor(readonly files: Map<string, Uint8Array>, readonly name: string) {
    this.#bytes = files.get(name)!;
  }

  write(bytes: Uint8Array, at: number): void {
    if (at + bytes.length > this.#bytes.length) this.#resize(at + bytes.length);
    this.#bytes.set(bytes, at);
  }

  read(into: Uint8Array, at: number): number {
    const piece = this.#bytes.subarray(at, at + into.length);
    into.set(piece);
    return piece.length;
  }

  truncate(sizeBytes: number): void {
    this.#resize(sizeBytes);
  }

  sizeBytes(): number {
    return this.#bytes.length;
  }

  sync(): void {}

  close(): void {}

  #resize(sizeBytes: number): void {
    const resized = new Uint8Array(sizeBytes), before = this.#bytes;
    resized.set(before.subarray(0, sizeBytes));
    for (const [name, bytes] of this.files) if (bytes === before) this.files.set(name, resized);
    this.#bytes = resized;
  }
}
