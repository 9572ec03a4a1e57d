// What the log needs of a directory, so that tests can put a disk that fails, stops or forgets in its place.

/** An open file; every call is done when it returns. Errors are thrown as the system gives them. */
export interface DiskFile {
  /** Writes all of it at `at`, or throws. */
  write(bytes: Uint8Array, at: number): void;
  /** Reads as much as is there, up to the length of `into`; gives the number of bytes. */
  read(into: Uint8Array, at: number): number;
  truncate(sizeBytes: number): void;
  sizeBytes(): number;
  /** What was written is on disk when this returns. */
  sync(): void;
  close(): void;
}

/** One directory of files, by their plain names. */
export interface Disk {
  /** Where it is, for messages. */
  readonly path: string;
  list(): string[];
  /** Opens for reading and writing; a new file is empty. */
  create(name: string): DiskFile;
  open(name: string): DiskFile;
  openToRead(name: string): DiskFile;
  rename(from: string, to: string): void;
  remove(name: string): void;
  /** New, renamed and removed names are on disk when this returns. */
  syncDirectory(): void;
}
