// Where everything lies in a shard's memory: header words, buckets, pages, records; numbers only.
//
// Every region is a SharedArrayBuffer of its own, reserved once and touched only as it fills.
// The allocator returns such memory 16 bytes past a page boundary, so everything that should keep to
// cache lines starts 48 bytes in (with it a bucket is one line, without it two).
export const ALIGN_BYTES = 48;

// ---- header: Int32Array; the first line is what a reader needs -------------------------------------
/** Bit 0 changing, bit 1 held for reading, the rest counts changes. */
export const LOCK = 0;
export const WAITERS = 1;
/** Buckets addressed by hash now; `HIGH_MASK` is the next power of two above it, less one. */
export const BUCKETS = 2;
export const HIGH_MASK = 3;
export const ENTRIES = 4;
/** Overflow buckets lie at the far end of the bucket region and grow downwards. */
export const OVERFLOW_LOW = 5;
export const OVERFLOW_FREE = 6;
export const OVERFLOW_USED = 7;
/** Index memory charged to the account, in 4 KiB units. */
export const INDEX_UNITS = 8;
/** Watches of keys of this shard: who changes one looks here, in the line that its lock has loaded. */
export const WATCHES = 9;
/** Which bits of ADDED have to be 0 for an added entry to be told of: of each one while uses are counted. */
export const ADDED_MASK = 10;
/** Values that lie compressed, and what that saves, in 8-byte units. */
export const COMPRESSED = 12;
export const COMPRESSED_UNITS = 13;
/** The first page never used; pages before it are in use or on the free list. */
export const PAGE_BUMP = 16;
/** Head of the list of free pages, page + 1. */
export const PAGE_FREE = 17;
export const PAGES_USED = 18;
export const SLAB_PAGES = 19;
/** Freed slots inside slab pages, in 8-byte units: what moving records could win back. */
export const FREE_SLOT_UNITS = 20;
/** The page whose records are being moved out, page + 1, and the unit the move has reached. */
export const EVACUATING = 21;
export const EVACUATE_AT = 22;
/** Where the search for a sparse page goes on. */
export const EVACUATE_SEARCH = 23;
/** One above the highest bucket that ever had a bound in the index of expiry. */
export const BOUNDS_USED = 24;
export const PINNED = 25;
export const EXPIRED_COUNT = 26;
export const RECORDS_MOVED = 27;
export const LONG_CHAINS = 28;
/** How often somebody waited for the lock, and a reader without lock had to repeat; by Atomics, and they wrap. */
export const LOCK_WAITS = 29;
export const READ_RETRIES = 30;
/** Entries added so far, of which the access clock is told now and then; wraps. */
export const ADDED = 31;
export const DB_ENTRIES = 32;
export const DB_EXPIRING = 48;
/** Per size class: head of the list of pages with room, page + 1. */
export const CLASS_HEADS = 64;
export const HEADER_WORDS = 128;

// ---- buckets: 16 words = one line: 6 hashes, overflow bucket, 6 references, 6 clocks of 16 bits -----
// Clocks lie here and not in an array of their own, because that would be one more line for each read. They
// are all that a reader without lock stores into, and these bytes are never anything else: index memory
// never becomes arena memory, and a bucket that is freed and used again has its clocks in the same place.
export const BUCKET_WORDS = 16;
export const BUCKET_SLOTS = 6;
export const BUCKET_OVERFLOW = 6;
export const BUCKET_REFS = 7;
/** First clock of a bucket, in 16-bit units from the bucket. */
export const BUCKET_CLOCKS = 26;
/** The header's words lie before them, its first line in the 48 bytes before a cache line's end. */
export const BUCKET_BASE = HEADER_WORDS + ALIGN_BYTES / 4;
export const BUCKETS_AT_START = 16;

// ---- pages: 64 KiB; 8 words of description each ----------------------------------------------------
export const PAGE_BYTES = 65_536;
export const PAGE_UNITS = PAGE_BYTES / 8;
export const PAGE_WORDS = 8;
/** Size class + 1; or one of the values below; 0 when free. */
export const PAGE_KIND = 0;
export const KIND_BLOCK = -1;
export const KIND_BLOCK_MORE = -2;
/** Slab: live slots. Block's first page: pages in the chain. */
export const PAGE_LIVE = 1;
/** Slab: first free slot (a reference), 0 if none. Block's first page: its state. */
export const PAGE_SLOTS = 2;
/** Slab: units handed out at the end of the page so far. */
export const PAGE_FILLED = 3;
/** Next page of the list or chain, page + 1. */
export const PAGE_NEXT = 4;
export const PAGE_PREVIOUS = 5;
/** Block's first page: readers that still send it; and the chain's last page, page + 1. */
export const PAGE_PINS = 6;
export const PAGE_LAST = 7;
export const BLOCK_STAGED = 1;
export const BLOCK_LINKED = 2;
export const BLOCK_DEAD = 3;

// ---- arena: 8-byte units; a reference is a unit, 0 is none -----------------------------------------
export const ARENA_BASE_UNITS = ALIGN_BYTES / 8;

// ---- record ----------------------------------------------------------------------------------------
//   word 0   key bytes (16) | flags (8) | database (4) | type (4); 0 marks a free slot, whose word 1 is
//            the next free one
//   word 1   value length in bytes
//   with FLAG_EXPIRY, a float64: the moment it expires, in ms since 1970; 0 for never
//   then the key, padded with zeros to whole words, then the value (or, of a block, its first page + 1)
// Most entries of many caches never expire, and then 8 bytes of 100 would say so.
export const RECORD_HEADER_BYTES = 8;
export const RECORD_HEADER_WORDS = 2;
export const EXPIRY_BYTES = 8;
export const TYPE_STRING = 1;
export const TYPE_HASH = 2;
/** A slot of a large hash: no entry refers to it, its owner does (see `hash/part.ts`). */
export const TYPE_PART = 3;
export const TYPE_MASK = 15;
export const DATABASE_SHIFT = 4;
export const FLAG_BLOCK = 1 << 8;
export const FLAG_EXPIRY = 1 << 15;
/** Shifts FLAG_EXPIRY to the bytes, and the words, by which the key lies further back. */
export const EXPIRY_TO_BYTES = 12;
export const EXPIRY_TO_WORDS = 14;
/** A hash whose fields lie in parts; its value is their directory (see `hash/directory.ts`). */
export const FLAG_DIRECTORY = 1 << 12;
/** A string of which the record holds its length, one word, and what its bytes were compressed to. */
export const FLAG_COMPRESSED = 1 << 9;
/** With any of these the value is not what the type alone says. */
export const FLAGS_ELSEWHERE = FLAG_BLOCK | FLAG_DIRECTORY | FLAG_COMPRESSED;
export const KEY_SHIFT = 16;
/** The part of word 0 that names a key: its length and database. */
export const KEY_NAME_MASK = 0xffff00f0 | 0;

/** Values above this are blocks: chains of whole pages, sent from where they lie. */
export const INLINE_VALUE_BYTES_MAX = 16_384;
/** Readable past the last page, so that a torn reference with torn lengths still lies in the view. */
export const ARENA_SLACK_BYTES = 196_608;
export const DATABASES = 16;

// ---- the account of memory, shared by all shards: units of 4 KiB -----------------------------------
export const ACCOUNT_USED = 0;
export const ACCOUNT_LIMIT = 1;
export const ACCOUNT_UNIT_BYTES = 4096;
export const PAGE_ACCOUNT_UNITS = PAGE_BYTES / ACCOUNT_UNIT_BYTES;
