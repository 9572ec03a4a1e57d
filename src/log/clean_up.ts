// Between recovery and the first new segment: makes durable what was read, cuts tears off, removes what counts
// for nothing. A crash at any point of it leaves a directory that starts with the same entries.
import type { Disk } from "./disk_seam.ts";
import type { Recovered } from "./recovery.ts";

/** Throws what the disk throws. */
export function cleanUp(disk: Disk, { cut, dropped, segments }: Recovered["ok"]): void {
  // After a kill the system still holds what was never synced: it has been read, and clients will be told of it.
  const last = segments.at(-1);
  if (last !== undefined) {
    const file = disk.open(last);
    try {
      if (cut !== null) file.truncate(cut.offset);
      file.sync();
    } finally {
      file.close();
    }
  }
  // The snapshot's name must be on disk before the files go that it replaces.
  disk.syncDirectory();
  for (const name of dropped) disk.remove(name);
  // Unfinished files of an earlier run, a spare segment among them.
  for (const name of disk.list()) if (name.endsWith(".tmp")) disk.remove(name);
  disk.syncDirectory();
}
