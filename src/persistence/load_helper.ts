// A worker's part in loading: takes turns at the snapshot's frames while the log's thread does the same.
//
// One frame at a time, some milliseconds, so that it goes on answering its clients that the server loads.
import type { Disk } from "../log/disk_seam.ts";
import type { LoadTurns } from "../log/load_turns.ts";
import { decodeFileHeader, FILE_HEADER_BYTES, snapshotName } from "../log/segment.ts";
import { SnapshotShare } from "../log/snapshot_share.ts";
import type { Store } from "../store/store.ts";
import { EntryLoader } from "./entry_loader.ts";

export interface LoadHelperOptions {
  readonly disk: Disk;
  readonly turns: LoadTurns;
  /** Asked once there are turns. */
  readonly snapshotSequence: () => number;
  readonly store: Store;
  readonly keyBytesMax: number;
  /** What the entries' clocks tell under the policy that will hold. */
  readonly clockKind: number;
  /** Values from this length on are compressed, 0: none. */
  readonly compressMinBytes: number;
  /** Lets the thread do what else it has to. */
  readonly pause: () => Promise<void>;
}

/** Resolves when the snapshot is loaded, or there is none. Trouble is left to the log's thread, which meets it too. */
export async function helpLoading(options: LoadHelperOptions): Promise<void> {
  const { disk, turns, store, pause } = options;
  if (!await turns.join()) return;
  const loader = new EntryLoader(
    store,
    options.keyBytesMax,
    options.clockKind,
    options.compressMinBytes,
  );
  let groups = 0, effects = 0;
  try {
    const file = disk.openToRead(snapshotName(options.snapshotSequence()));
    try {
      const head = new Uint8Array(FILE_HEADER_BYTES);
      const decoded = decodeFileHeader(head.subarray(0, file.read(head, 0)));
      if ("error" in decoded) return turns.trouble();
      const share = new SnapshotShare(file, decoded.ok.segmentId, loader, turns);
      while (share.step()) {
        turns.told(share.groups - groups, loader.effects - effects);
        groups = share.groups;
        effects = loader.effects;
        await pause();
      }
    } finally {
      file.close();
    }
  } catch (error) {
    // The disk's errors; a mistake of this program must be seen.
    if (error instanceof TypeError || error instanceof RangeError) throw error;
    turns.trouble();
  } finally {
    turns.leave();
  }
}
