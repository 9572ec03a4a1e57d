// A directory in memory that stops, fails, and after a power cut forgets or reorders what was not synced.
//
// The rules are those a log may count on, no kinder: a file's sync makes its bytes and length durable, not its
// name; names are durable after the directory's sync. Of what was not synced a power cut keeps any part: single
// sectors of a write, later writes without earlier ones, names without the removal of others.

import type { Disk, DiskFile } from "../../src/log/disk_seam.ts";
import type { Random } from "./store_access.ts";

/** The process was killed at this operation. */
export class Stopped extends Error {}

/** Power cuts tear writes here; real sectors are longer, and smaller ones tear more. */
const SECTOR_BYTES = 64;

type Change =
  | { readonly at: number; readonly bytes: Uint8Array }
  | { readonly sizeBytes: number };

/** A file by itself, whatever its name: what is on disk, and what was done to it since. */
class Inode {
  synced = new Uint8Array(0);
  unsynced: Change[] = [];
  current = new Uint8Array(0);

  apply(change: Change): void {
    this.current = changed(this.current, change);
    this.unsynced.push(change);
  }
}

function changed(bytes: Uint8Array, change: Change): Uint8Array<ArrayBuffer> {
  const sizeBytes = "sizeBytes" in change
    ? change.sizeBytes
    : Math.max(bytes.length, change.at + change.bytes.length);
  const after = new Uint8Array(sizeBytes);
  after.set(bytes.subarray(0, sizeBytes));
  if ("bytes" in change) after.set(change.bytes, change.at);
  return after;
}

type NameChange =
  | { readonly made: string; readonly inode: Inode }
  | { readonly from: string; readonly to: string; readonly inode: Inode }
  | { readonly removed: string };

function renamed(names: Map<string, Inode>, change: NameChange): void {
  if ("made" in change) names.set(change.made, change.inode);
  else if ("removed" in change) names.delete(change.removed);
  else {
    // A directory holds names and inodes: another file that has the old name is not meant.
    if (names.get(change.from) === change.inode) names.delete(change.from);
    names.set(change.to, change.inode);
  }
}

export type Operation =
  | "create"
  | "open"
  | "write"
  | "truncate"
  | "sync"
  | "rename"
  | "remove"
  | "syncDirectory";

export class SimulatedDisk implements Disk {
  readonly path = "/simulated";
  /** Operations that change something, so far. */
  operations = 0;
  /** The process is killed as it calls this one: a write may have happened in part. */
  stopAt = Infinity;
  /** Gives an error to throw instead of doing it; `doneBytes`: so much of a write is done before. */
  fault: (operation: Operation, name: string) => { error: Error; doneBytes?: number } | null = () =>
    null;
  #names = new Map<string, Inode>();
  #syncedNames = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];

  list(): string[] {
    this.#checkStopped();
    return [...this.#names.keys()];
  }

  create(name: string): DiskFile {
    this.begin("create", name);
    const existing = this.#names.get(name);
    if (existing !== undefined) {
      existing.apply({ sizeBytes: 0 });
      return new SimulatedFile(this, name, existing);
    }
    const inode = new Inode();
    this.#change({ made: name, inode });
    return new SimulatedFile(this, name, inode);
  }

  open(name: string): DiskFile {
    this.#checkStopped();
    return new SimulatedFile(this, name, this.#of(name));
  }

  openToRead(name: string): DiskFile {
    return this.open(name);
  }

  rename(from: string, to: string): void {
    this.begin("rename", from);
    this.#change({ from, to, inode: this.#of(from) });
  }

  remove(name: string): void {
    this.begin("remove", name);
    this.#of(name);
    this.#change({ removed: name });
  }

  syncDirectory(): void {
    this.begin("syncDirectory", "");
    this.#syncedNames = new Map(this.#names);
    this.#nameChanges = [];
  }

  /** The process is gone, the system is not: everything is there, and what was not synced still is not. */
  restart(): void {
    this.stopAt = Infinity;
    this.operations = 0;
    this.fault = () => null;
  }

  /** The directory as a power cut leaves it; `keptOfTen`: how much of what was not synced survives, in tenths. */
  afterPowerCut(random: Random, keptOfTen: number): SimulatedDisk {
    const isKept = () => random.below(10) < keptOfTen;
    const names = new Map(this.#syncedNames);
    for (const change of this.#nameChanges) if (isKept()) renamed(names, change);
    const disk = new SimulatedDisk(), inodes = new Map<Inode, Inode>();
    for (const [name, inode] of names) {
      let survivor = inodes.get(inode);
      if (survivor === undefined) {
        survivor = new Inode();
        survivor.synced = surviving(inode, isKept);
        survivor.current = survivor.synced;
        inodes.set(inode, survivor);
      }
      disk.#names.set(name, survivor);
    }
    disk.#syncedNames = new Map(disk.#names);
    return disk;
  }

  /** A file's bytes, to look at or to change behind everybody's back. */
  bytesOf(name: string): Uint8Array {
    return this.#of(name).current;
  }

  /** Counts an operation; throws if the process is killed here, or the disk fails. */
  begin(operation: Operation, name: string): { error: Error; doneBytes?: number } | null {
    this.#checkStopped();
    if (++this.operations >= this.stopAt && operation !== "write") throw new Stopped();
    const fault = this.fault(operation, name);
    if (fault !== null && operation !== "write") throw fault.error;
    return fault;
  }

  #checkStopped(): void {
    if (this.operations >= this.stopAt) throw new Stopped();
  }

  #change(change: NameChange): void {
    renamed(this.#names, change);
    this.#nameChanges.push(change);
  }

  #of(name: string): Inode {
    const inode = this.#names.get(name);
    if (inode === undefined) throw new Error(`No such file: ${name}`);
    return inode;
  }
}

class SimulatedFile implements DiskFile {
  #isClosed = false;

  constructor(readonly disk: SimulatedDisk, readonly name: string, readonly inode: Inode) {}

  write(bytes: Uint8Array, at: number): void {
    this.#check();
    const fault = this.disk.begin("write", this.name);
    const isStopped = this.disk.operations >= this.disk.stopAt;
    // Killed within a write: half of it has happened.
    const doneBytes = isStopped
      ? bytes.length >> 1
      : fault?.doneBytes ?? (fault === null ? bytes.length : 0);
    if (doneBytes > 0) this.inode.apply({ at, bytes: bytes.slice(0, doneBytes) });
    if (isStopped) throw new Stopped();
    if (fault !== null) throw fault.error;
  }

  read(into: Uint8Array, at: number): number {
    this.#check();
    const piece = this.inode.current.subarray(at, at + into.length);
    into.set(piece);
    return piece.length;
  }

  truncate(sizeBytes: number): void {
    this.#check();
    this.disk.begin("truncate", this.name);
    this.inode.apply({ sizeBytes });
  }

  sizeBytes(): number {
    this.#check();
    return this.inode.current.length;
  }

  sync(): void {
    this.#check();
    this.disk.begin("sync", this.name);
    this.inode.synced = this.inode.current.slice();
    this.inode.unsynced = [];
  }

  close(): void {
    this.#isClosed = true;
  }

  #check(): void {
    if (this.#isClosed) throw new Error(`Cannot use ${this.name}: it is closed`);
  }
}

function surviving(inode: Inode, isKept: () => boolean): Uint8Array<ArrayBuffer> {
  const ends = inode.unsynced.map((each) => "bytes" in each ? each.at + each.bytes.length : 0);
  const bytes = new Uint8Array(Math.max(inode.synced.length, ...ends));
  bytes.set(inode.synced);
  let sizeBytes = inode.synced.length;
  for (const change of inode.unsynced) {
    if ("sizeBytes" in change) {
      if (!isKept()) continue;
      if (change.sizeBytes < sizeBytes) bytes.fill(0, change.sizeBytes, sizeBytes);
      sizeBytes = Math.min(change.sizeBytes, bytes.length);
      continue;
    }
    for (let done = 0; done < change.bytes.length; done += SECTOR_BYTES) {
      if (!isKept()) continue;
      const sector = change.bytes.subarray(done, done + SECTOR_BYTES);
      bytes.set(sector, change.at + done);
      sizeBytes = Math.max(sizeBytes, change.at + done + sector.length);
    }
  }
  return bytes.slice(0, sizeBytes);
}
