// What commands did to the entries: the seam between the running of commands and whoever records changes.

/** A key in memory that is readable to 3 bytes past its end, and the database it lies in, whatever number that has. */
export interface KeyBytes {
  readonly database: number;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
}

/** The same as it lies in a request, with its hash. */
export interface EffectKey extends KeyBytes {
  readonly hash: number;
}

/**
 * Told of each change while the shard is still locked, in the order of memory; all calls between `begin()`
 * and `end()` are one group. A key is valid only during the call. `put` finds in memory what is to be
 * recorded, so that effects are absolute.
 */
export interface EffectSink {
  begin(): void;
  /** The key has a new value, or a new length of it. */
  put(shardNumber: number, key: EffectKey): void;
  /**
   * `put()` of a string that is what the command brought, as the only change that it makes, outside of transactions: it
   * may become a group of its own, so that nothing has to be looked up or gathered. Views are readable to 3 bytes past
   * an end.
   */
  putString(
    database: number,
    keyView: DataView,
    keyStart: number,
    keyEnd: number,
    expiresAtMs: number,
    valueView: DataView,
    valueStart: number,
    valueEnd: number,
  ): void;
  /** Bytes `[from, to)` of a value that was there before have changed; what it grew by ends at `to`. */
  range(shardNumber: number, key: EffectKey, from: number, to: number): void;
  remove(shardNumber: number, key: EffectKey): void;
  expire(shardNumber: number, key: EffectKey, expiresAtMs: number): void;
  /**
   * Fields of a hash that was there before have new values: `count` calls of `field()` follow, above 0. What creates
   * the hash is a `put` instead, and what takes its last field a `remove`. Views are readable to 3 bytes past an end.
   */
  fields(shardNumber: number, key: EffectKey, count: number): void;
  /** One of them, with the moment at which it expires now, in ms since 1970, 0 for never. */
  field(
    nameView: DataView,
    nameStart: number,
    nameEnd: number,
    expiresAtMs: number,
    valueView: DataView,
    valueStart: number,
    valueEnd: number,
  ): void;
  /** Fields of a hash are gone, and others stay: `count` calls of `fieldName()` follow, above 0. */
  removeFields(shardNumber: number, key: EffectKey, count: number): void;
  fieldName(view: DataView, start: number, end: number): void;
  /** Fields of a hash expire at other moments: `count` calls of `fieldExpiry()` follow, above 0. */
  expireFields(shardNumber: number, key: EffectKey, count: number): void;
  /** One of them; 0: it never expires. */
  fieldExpiry(view: DataView, start: number, end: number, expiresAtMs: number): void;
  /** All entries of a database are gone, or of all databases (−1). */
  flush(database: number): void;
  /** By number, which database a client means by it: the whole table, after SWAPDB. */
  databases(table: Uint8Array): void;
  end(): void;
  /**
   * Whether a put of at most so many bytes finds room now, with the shard locked. False: it needs more than was taken
   * for its command, and is to be tried again once that was asked for with nothing locked.
   */
  hasRoomFor(boundBytes: number): boolean;
  /** Called before the locks are released: what was told since the last call is one group, all or none of it. */
  publish(): void;
}

/** A sink that keeps what it is told, and so has to have room for it beforehand. */
export interface EffectLog extends EffectSink {
  /** Makes sure of room for effects of at most so many bytes; false: wait for `whenRoom()`, holding nothing. */
  admit(boundBytes: number, nowMs: number): boolean;
  /**
   * Whether there is room for `boundBytes` at once, beside what is told already, and `keptBytes` for a group that comes
   * after it.
   */
  admitBeside(keptBytes: number, boundBytes: number, nowMs: number): boolean;
  whenRoom(): Promise<void>;
  /** The same, for the middle of a long command: blocks the thread. */
  admitBlocking(boundBytes: number, nowMs: number): void;
  /** After `admit()`: effects of so many bytes need memory of the store that it does not have. */
  isTooLong(boundBytes: number): boolean;
  /** Nothing can be kept at the moment: commands that write are refused with this reason; null: all is well. */
  refusal(): string | null;
  /** A batch is over. */
  settle(): void;
}
