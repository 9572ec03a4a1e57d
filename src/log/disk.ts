// The real directory of log and snapshots: the only file of the log that may use Deno's file functions.
import { statfsSync } from "node:fs";
import type { Disk, DiskFile } from "./disk_seam.ts";

export class DirectoryDisk implements Disk {
  constructor(readonly path: string) {}

  list(): string[] {
    return Array.from(Deno.readDirSync(this.path)).filter((each) => each.isFile).map((each) =>
      each.name
    );
  }

  create(name: string): DiskFile {
    const options = { read: true, write: true, create: true, truncate: true, mode: 0o600 };
    return new RealFile(Deno.openSync(this.#of(name), options));
  }

  open(name: string): DiskFile {
    return new RealFile(Deno.openSync(this.#of(name), { read: true, write: true }));
  }

  openToRead(name: string): DiskFile {
    return new RealFile(Deno.openSync(this.#of(name), { read: true }));
  }

  rename(from: string, to: string): void {
    Deno.renameSync(this.#of(from), this.#of(to));
  }

  remove(name: string): void {
    Deno.removeSync(this.#of(name));
  }

  syncDirectory(): void {
    using directory = Deno.openSync(this.path, { read: true });
    directory.syncSync();
  }

  #of(name: string): string {
    return `${this.path}/${name}`;
  }
}

class RealFile implements DiskFile {
  readonly #file: Deno.FsFile;
  /** Where the next write or read goes without a seek. */
  #at = 0;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  write(bytes: Uint8Array, at: number): void {
    this.#seek(at);
    for (let done = 0; done < bytes.length;) {
      const count = this.#file.writeSync(done === 0 ? bytes : bytes.subarray(done));
      if (count <= 0) throw new Error(`wrote ${done} of ${bytes.length} bytes`);
      done += count;
      this.#at += count;
    }
  }

  read(into: Uint8Array, at: number): number {
    this.#seek(at);
    let done = 0;
    while (done < into.length) {
      const count = this.#file.readSync(into.subarray(done));
      if (count === null) break;
      done += count;
      this.#at += count;
    }
    return done;
  }

  truncate(sizeBytes: number): void {
    this.#file.truncateSync(sizeBytes);
  }

  sizeBytes(): number {
    return this.#file.statSync().size;
  }

  sync(): void {
    this.#file.syncDataSync();
  }

  close(): void {
    this.#file.close();
  }

  #seek(at: number): void {
    if (at === this.#at) return;
    this.#file.seekSync(at, Deno.SeekMode.Start);
    this.#at = at;
  }
}

/** Room that is left on the file system of a directory, in bytes. */
export function freeBytesOf(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** A lock on the directory, held until the process ends, however it does. */
export interface DirectoryLock {
  release(): void;
}

/** Makes the directory if need be and takes its lock; gives why not if another process has it, or it cannot be. */
export function lockDirectory(
  path: string,
): { readonly ok: DirectoryLock } | { readonly error: string } {
  try {
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
    const file = Deno.openSync(`${path}/LOCK`, { read: true, write: true, create: true });
    // flock, which ends with the process: a killed server leaves no obstacle.
    if (!file.tryLockSync(true)) {
      const holder = new TextDecoder().decode(readAll(file)).trim();
      file.close();
      const by = /^\d+$/.test(holder) ? ` (process ${holder})` : "";
      return {
        error:
          `--data-dir ${path} is in use by another server${by}: stop it, or choose another directory`,
      };
    }
    file.truncateSync(0);
    file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
    return { ok: { release: () => file.close() } };
  } catch (error) {
    return { error: `--data-dir ${path} cannot be used: ${(error as Error).message}` };
  }
}

function readAll(file: Deno.FsFile): Uint8Array {
  const bytes = new Uint8Array(32);
  return bytes.subarray(0, file.readSync(bytes) ?? 0);
}
