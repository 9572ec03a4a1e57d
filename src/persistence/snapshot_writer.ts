// Writes all entries into a snapshot while others change them: shard by shard, in short holds of the lock.
//
// The walk is fuzzy: what changes meanwhile may be seen before or after. It is made right by the log, which is
// replayed from the sequence at which the walk began, and whose effects are absolute. An entry that is there from
// start to end is met at least once, whatever grows or shrinks (the cursor is SCAN's).
import {
  SNAPSHOT_CHAINS_PER_HOLD,
  SNAPSHOT_FIELDS_PER_HOLD,
  SNAPSHOT_FRAME_BYTES,
} from "../limits.ts";
import type { Disk, DiskFile } from "../log/disk_seam.ts";
import {
  FRAME_GROUPS,
  FRAME_HEADER_BYTES,
  FRAME_SNAPSHOT_END,
  writeFrameHeader,
} from "../log/frame.ts";
import { EffectWriter } from "../log/effect_writer.ts";
import {
  EFFECT_OVERHEAD_BYTES,
  GROUP_HEAD_BYTES,
  groupFirstWord,
  groupSecondWord,
  NIL,
} from "../log/record.ts";
import { encodeFileHeader, FILE_HEADER_BYTES, randomId, snapshotName } from "../log/segment.ts";
import { piecesOf } from "../piecewise_bytes.ts";
import {
  compressed,
  entries,
  type KeyRange,
  type PinnedBlock,
  record,
  type Shard,
  type Store,
  TYPE_HASH,
} from "../store/store.ts";
import { expandValue } from "../value_codec.ts";
import { HashEffects } from "./hash_effects.ts";

/** Whole words are read past a key's end. */
const KEY_SLACK_BYTES = 8;

export interface SnapshotOptions {
  readonly disk: Disk;
  readonly store: Store;
  readonly serverId: Uint8Array;
  /** Replay begins here. */
  readonly sequence: number;
  /** What had expired by then is left out. */
  readonly nowMs: number;
  /** Which database each number means, told by the snapshot's first effect. */
  readonly table: Uint8Array;
  /** Runs between two holds of a lock: lets others go first. */
  readonly pause: () => void;
}

export interface SnapshotWritten {
  readonly temporaryName: string;
  readonly name: string;
  readonly entries: number;
  readonly bytes: number;
}

/** Writes and syncs the snapshot under a temporary name; who calls renames it. Throws what the disk throws. */
export function writeSnapshot(options: SnapshotOptions): SnapshotWritten {
  return new SnapshotWriter(options).run();
}

class SnapshotWriter {
  readonly #options: SnapshotOptions;
  readonly #file: DiskFile;
  readonly #name: string;
  readonly #segmentId = randomId();
  readonly #writer = new EffectWriter(2 * SNAPSHOT_FRAME_BYTES);
  #at = FILE_HEADER_BYTES;
  #groups = 0;
  #entries = 0;
  /** Large values met under the lock, written once it is released. */
  readonly #large: { readonly pin: PinnedBlock; readonly head: Uint8Array }[] = [];
  /** The same of compressed values: what their records hold, and what goes before the plain value. */
  readonly #compressed: { readonly stored: Uint8Array; readonly head: Uint8Array }[] = [];
  /** Keys of large hashes met under the lock, whose fields are walked in holds of their own. */
  readonly #largeHashes: KeyRange[] = [];
  readonly #hashes: HashEffects;

  constructor(options: SnapshotOptions) {
    this.#options = options;
    this.#name = snapshotName(options.sequence);
    this.#hashes = new HashEffects(options.store.createHash());
    this.#file = options.disk.create(`${this.#name}.tmp`);
    this.#begin();
  }

  run(): SnapshotWritten {
    const { store } = this.#options, writer = this.#writer;
    try {
      const { serverId, sequence } = this.#options;
      const header = { isSnapshot: true, flags: 0, serverId, firstSequence: sequence };
      this.#file.write(encodeFileHeader({ ...header, segmentId: this.#segmentId }), 0);
      writer.databases(this.#options.table);
      for (const shard of store.shards) this.#walk(shard);
      this.#flush();
      const end = new Uint8Array(FRAME_HEADER_BYTES);
      writeFrameHeader(end, this.#frame(0, this.#groups, FRAME_SNAPSHOT_END), []);
      this.#file.write(end, this.#at);
      this.#at += end.length;
      this.#file.sync();
    } finally {
      for (const { pin } of this.#large) pin.release();
      this.#file.close();
    }
    return {
      temporaryName: `${this.#name}.tmp`,
      name: this.#name,
      entries: this.#entries,
      bytes: this.#at,
    };
  }

  #walk(shard: Shard): void {
    const { store, pause } = this.#options;
    let cursor = 0;
    do {
      cursor = store.walk(shard, cursor, SNAPSHOT_CHAINS_PER_HOLD, this.#visit);
      if (this.#compressed.length > 0) this.#writeCompressed();
      if (this.#large.length > 0) this.#writeLarge();
      for (const key of this.#largeHashes.splice(0)) this.#walkHash(shard, key);
      if (this.#writer.length >= SNAPSHOT_FRAME_BYTES) this.#flush();
      pause();
    } while (cursor !== 0);
  }

  /** Under the lock: copies an entry, or pins its value. */
  readonly #visit = (shard: Shard, ref: number): void => {
    if (record.isExpired(shard, ref, this.#options.nowMs)) return;
    const writer = this.#writer;
    if (record.typeOf(shard, ref) === TYPE_HASH) return this.#visitHash(shard, ref);
    const keyBytes = record.keyBytesOf(shard, ref);
    const isBlock = record.isBlock(shard, ref), isCompressed = record.isCompressed(shard, ref);
    const valueBytes = isCompressed
      ? compressed.plainBytesOf(shard, ref)
      : record.valueBytesOf(shard, ref);
    writer.reserve(EFFECT_OVERHEAD_BYTES + keyBytes + (isBlock || isCompressed ? 0 : valueBytes));
    const before = writer.length;
    writer.put(
      record.databaseOf(shard, ref),
      shard.i32,
      record.keyStartOf(shard, ref) >>> 2,
      keyBytes,
      record.typeOf(shard, ref),
      record.expiresAtMsOf(shard, ref),
      valueBytes,
    );
    this.#entries++;
    if (!isBlock && !isCompressed) {
      writer.words(shard.i32, record.valueStartOf(shard, ref) >>> 2, valueBytes);
      return;
    }
    const head = writer.bytes.slice(before, writer.length);
    writer.length = before;
    if (isCompressed) {
      this.#compressed.push({ stored: compressed.storedCopy(shard, ref), head });
      return;
    }
    this.#large.push({ pin: this.#options.store.pin(shard, ref), head });
  };

  /** A small hash is one put, as any entry is. */
  #visitHash(shard: Shard, ref: number): void {
    if (!this.#hashes.isLarge(shard, ref)) {
      if (this.#hashes.put(this.#writer, shard, ref, this.#options.nowMs)) this.#entries++;
      return;
    }
    const start = record.keyStartOf(shard, ref), end = start + record.keyBytesOf(shard, ref);
    const bytes = new Uint8Array(end - start + KEY_SLACK_BYTES);
    bytes.set(shard.u8.subarray(start, end));
    this.#largeHashes.push({
      hash: this.#options.store.hashOfRecord(shard, ref),
      database: record.databaseOf(shard, ref),
      view: new DataView(bytes.buffer),
      start: 0,
      end: end - start,
    });
    this.#entries++;
  }

  /**
   * A large hash, in steps that each hold the lock for a moment. Its fields may change in between, as entries may: a
   * field that is there from start to end is met, and of all others the log has the last word. What the steps tell adds
   * up in any order, since several threads load a snapshot.
   */
  #walkHash(shard: Shard, key: KeyRange): void {
    const { store, pause, nowMs } = this.#options;
    let cursor = 0;
    do {
      store.lockReading(shard);
      const ref = entries.findKey(shard, key);
      const isThere = ref !== 0 && record.typeOf(shard, ref) === TYPE_HASH;
      cursor = !isThere
        ? 0
        : this.#hashes.merge(this.#writer, shard, ref, nowMs, cursor, SNAPSHOT_FIELDS_PER_HOLD);
      store.unlockReading(shard);
      if (this.#writer.length >= SNAPSHOT_FRAME_BYTES) this.#flush();
      pause();
    } while (cursor !== 0);
  }

  #begin(): void {
    this.#writer.length = FRAME_HEADER_BYTES + GROUP_HEAD_BYTES;
  }

  /** Writes what is gathered as one frame of one group. */
  #flush(): void {
    const writer = this.#writer;
    const bytes = writer.length - FRAME_HEADER_BYTES - GROUP_HEAD_BYTES;
    if (bytes === 0) return;
    writer.reserve(8);
    writer.view.setInt32(FRAME_HEADER_BYTES, groupFirstWord(bytes, false), true);
    writer.view.setInt32(FRAME_HEADER_BYTES + 4, groupSecondWord(bytes), true);
    while ((writer.length & 7) !== 0) writer.bytes[writer.length++] = NIL;
    const payload = writer.bytes.subarray(FRAME_HEADER_BYTES, writer.length);
    writeFrameHeader(writer.bytes, this.#frame(1, 0, FRAME_GROUPS), [payload]);
    this.#file.write(writer.bytes.subarray(0, writer.length), this.#at);
    this.#at += writer.length;
    this.#groups++;
    this.#begin();
  }

  /** The log and its snapshots hold plain values, so that who reads them needs no codec. */
  #writeCompressed(): void {
    const writer = this.#writer;
    for (const { stored, head } of this.#compressed.splice(0)) {
      const plain = expandValue(stored);
      if (plain === null) {
        throw new Error("a compressed value is damaged: the snapshot is given up");
      }
      writer.reserve(head.length + plain.length);
      writer.raw(head);
      writer.raw(plain);
      if (writer.length >= SNAPSHOT_FRAME_BYTES) this.#flush();
    }
  }

  #writeLarge(): void {
    this.#flush();
    while (this.#large.length > 0) {
      const { pin, head } = this.#large[this.#large.length - 1];
      const pieces = [
        new Uint8Array(GROUP_HEAD_BYTES),
        head,
        ...piecesOf(pin, 0, pin.lengthBytes),
      ];
      const bytes = head.length + pin.lengthBytes;
      const view = new DataView(pieces[0].buffer);
      view.setInt32(0, groupFirstWord(bytes, false), true);
      view.setInt32(4, groupSecondWord(bytes), true);
      pieces.push(new Uint8Array(-bytes & 7).fill(NIL));
      const header = new Uint8Array(FRAME_HEADER_BYTES);
      writeFrameHeader(header, this.#frame(1, 0, FRAME_GROUPS), pieces);
      for (const piece of [header, ...pieces]) {
        if (piece.length > 0) this.#file.write(piece, this.#at);
        this.#at += piece.length;
      }
      this.#groups++;
      this.#large.pop();
      pin.release();
    }
  }

  #frame(groups: number, firstSequence: number, kind: number) {
    return { groups, firstSequence, syncedSequence: 0, segmentId: this.#segmentId, kind };
  }
}
