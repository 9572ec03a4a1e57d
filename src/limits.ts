// Every bound that is not a flag, with its why.

/** MGET, EXISTS and DEL are atomic up to here: beyond, all shards would be watched or held for milliseconds. */
export const KEYS_PER_GROUP = 512;
/** Changes under one hold of a lock: readers of the shard wait for no more than about 10 µs. */
export const CHANGES_PER_GROUP = 32;
/** About 20 µs of tries without the lock; then a reader waits its turn. */
export const READ_TRIES_MAX = 64;
/** Reads of one batch that are confirmed together: all of them run again if one of their shards changed. */
export const READS_PER_GROUP = 32;
/** The same for groups of keys, whose tries are longer. */
export const READ_GROUP_TRIES_MAX = 4;
/** Rounds of an append whose result is built outside the lock; the last one is built under it. */
export const CHANGE_TRIES_MAX = 4;
/** Rounds of letting entries go under the lock for one write: the last ones empty whole pages. */
export const EVICTION_TRIES_MAX = 8;
/** Rounds of making room for a large value, since others may take what was made. */
export const STAGE_TRIES_MAX = 4;
/** Between two looks at whether entries have to be let go ahead of need; and between two turns while they have to. */
export const EVICTION_LOOK_MS = 50;
export const EVICTION_TURN_MS = 2;
/** How long one such turn holds up the worker's clients, about; and where room is not short, only holes are closed. */
export const EVICTION_TURN_BUSY_MS = 1;
export const EVICTION_TURN_SPARE_MS = 0.1;
/** How long memory that could not be made is not looked for again: each look takes milliseconds. */
export const RECLAIM_PAUSE_MS = 100;
/** Appended under the lock without more ado; a copy of this size takes about 50 µs. */
export const APPEND_LOCKED_BYTES_MAX = 262_144;

/** Name and value of a hash's field together: what one segment takes beside its head. */
export const HASH_FIELD_BYTES_MAX = 15_360;

/** The longest value that SET IFEQ compares with: under the lock, for about 0.3 ms. */
export const COMPARE_BYTES_MAX = 262_144;

/** A connection's first read buffer: 10,000 idle connections are to cost little. */
export const READ_BUFFER_BYTES_START = 1016;
/** A read buffer grows up to here because reads fill it, further only for a request that needs it. */
export const READ_BUFFER_BYTES_FULL_MAX = 65_528;
/** An empty read buffer up to this size is kept until reads have become small. */
export const READ_BUFFER_BYTES_KEPT_MAX = 16_376;
/** Up to this size too, while those of a worker's connections take no more together; above, it is given back at once. */
export const READ_BUFFER_BYTES_LARGE_MAX = 1_048_576;
export const READ_BUFFERS_LARGE_BYTES = 16 * 1024 * 1024;
/** Reads in a row that used less than a quarter of the buffer before it shrinks. */
export const READ_BUFFER_SMALL_READS = 64;
/** What a request may hold beside one value of the largest size. */
export const REQUEST_OVERHEAD_BYTES_MAX = 1_048_576;
/** A bulk string at least this long is received straight into the store where its command allows it. */
export const OUT_OF_LINE_BYTES_MIN = 65_536;
/** One read into, or write out of, a large value: the loop serves others in between. */
export const LARGE_PIECE_BYTES = 262_144;
/** Redis's limits: arguments of one request, and an inline request. */
export const ARGUMENTS_MAX = 1_048_576;
export const INLINE_BYTES_MAX = 65_536;
/** A reply buffer of the pool; and how many unused ones a worker keeps. */
export const REPLY_CHUNK_BYTES = 65_536;
export const REPLY_CHUNKS_KEPT_MAX = 64;
/** Replies that wait behind a write in flight start with a buffer of this size, and double up to the pool's. */
export const QUEUED_CHUNK_BYTES_MIN = 1024;
export const QUEUED_CHUNKS_KEPT_MAX = 1024;
/** Log lines about clients that a worker writes between two sweeps. */
export const LOG_LINES_PER_SWEEP_MAX = 10;
/** Between two sweeps over the connections for idle and stalled ones. */
export const CONNECTION_SWEEP_MS = 1000;
/** How long a client whose connection the server ends may take to read its last replies. */
export const LINGER_MS_MAX = 5_000;
/** How many of a worker's may be at it at once; and what is read at once of what they still send, to be thrown away. */
export const LINGERING_SOCKETS_MAX = 256;
export const LINGER_READ_BYTES = 16_384;
/** After accept() failed for want of descriptors. */
export const ACCEPT_PAUSE_MS = 100;
/** Between two looks of a worker at whether something has expired: at most, and at least. */
export const EXPIRY_LOOK_MS = 100;
export const EXPIRY_LOOK_MS_MIN = 10;
/** Entries looked at under one hold of a lock: about 20 µs. */
export const EXPIRY_SWEEP_ENTRIES = 64;
/** Removal of expired entries in one go where no command came for so long, at most: what the first may have to wait for. */
export const EXPIRY_SLICE_MS_MAX = 2;
export const EXPIRY_IDLE_MS = 20;
/**
 * A slice while commands come: two or three holds of a lock, in a turn of the worker's loop that brought no command if
 * there is one before as much time again has passed, so that who comes meanwhile waits no longer than that. (Slices by a
 * timer, which wakes after 2 ms and not sooner, have to be 0.4 to 0.8 ms long: one GET in ten then waited a millisecond.)
 * What comes too late is longer, up to the second of these.
 */
export const EXPIRY_SLICE_MS_MIN = 0.05;
export const EXPIRY_SLICE_BUSY_MS_MAX = 0.4;
/** A timer of the runtime wakes after this time: that sees to a worker whose commands have just ended. */
export const EXPIRY_REST_MS = 2;
/** The part of a busy worker's time that this takes: so much, and so much more by step of active-expire-effort. */
export const EXPIRY_PART_BASE = 0.13;
export const EXPIRY_PART_PER_EFFORT = 0.04;
/** Twice as much each time an entry is so much later, and when so much of maxmemory is used; never more than the last. */
export const EXPIRY_BEHIND_MS = 1000;
export const EXPIRY_MEMORY_SHORT = 0.9;
export const EXPIRY_PART_MAX = 0.5;
/** Entries looked at under one hold of a lock to foretell expiry: about 30 µs; and for how long before others run. */
export const FORECAST_ENTRIES_PER_HOLD = 128;
export const FORECAST_TURN_MS = 1;
/** The estimate of each second: parts of a shard's buckets, and entries looked at in each. */
export const FORECAST_PARTS = 8;
export const FORECAST_ENTRIES_PER_PART = 32;

/** Between two looks of a held-back command at whether CLIENT PAUSE is over. */
export const PAUSE_LOOK_MS = 20;

/** A body that has to be understood as JSON, or a message of WebSocket: parsing holds the worker up, 16 MiB for 0.1 s. */
export const HTTP_JSON_BYTES_MAX = 16_777_216;
/** Commands of one request that run before the worker's other clients have their turn: a few ms. */
export const HTTP_COMMANDS_PER_TURN = 8192;
/** A body that comes in pieces begins with a buffer of this size, and doubles. */
export const HTTP_BODY_BYTES_START = 16_384;
/** How long an upload may give no byte, and a download take none. */
export const HTTP_STALL_MS_MAX = 30_000;
/** Requests of a worker that are not answered yet; what comes beyond is told to come back. */
export const HTTP_REQUESTS_MAX = 10_000;
/** What the runner copies arguments into, kept between requests; longer ones get a buffer of their own. */
export const HTTP_SCRATCH_BYTES_KEPT = 65_536;
/** Reply writers that a worker keeps: more than one is in use only while commands wait. */
export const HTTP_WRITERS_KEPT_MAX = 16;
/** Messages of one client of WebSocket that may wait behind a command. */
export const HTTP_SOCKET_PENDING_MAX = 10_000;
/** A message of a client that has not given the password: AUTH is short. */
export const HTTP_SOCKET_BYTES_UNAUTHENTICATED = 16_384;
/** A client of WebSocket that answers no ping for so long is gone. */
export const HTTP_SOCKET_IDLE_SECONDS = 30;
/** How long one may take to answer a close, and to take what was left for it before. */
export const HTTP_SOCKET_CLOSE_MS_MAX = 10_000;
/** The runtime is handed more only below this: what it has it keeps until the client is gone. One text may be longer. */
export const HTTP_SOCKET_HANDED_BYTES_MAX = 1_048_576;
/** Between two looks at what a client that is behind has taken: the runtime tells of it only if asked. */
export const HTTP_SOCKET_LOOK_MS = 5;
/** Between two readings of the numbers for those who listen; who is further behind than this misses one. */
export const HTTP_SOCKET_STATS_MS = 1000;
export const HTTP_SOCKET_STATS_BEHIND_BYTES = 65_536;
/** Slow commands that an open dashboard shows; and seconds between two looks for them, each of which asks all workers. */
export const DASHBOARD_SLOW_COMMANDS = 25;
export const DASHBOARD_SLOW_LOG_TICKS = 5;
/** Samples of the past in one message: written in 3 ms, so that the worker's clients wait no longer. */
export const DASHBOARD_SAMPLES_PER_MESSAGE = 100;
/** How long requests in flight may take once the server stops. */
export const HTTP_STOP_MS_MAX = 2_000;

/** Keys and values of text in the dialect `hld`: the bound of the system that it follows. */
export const HLD_TEXT_BYTES_MAX = 256;

/** Room for effects that a worker takes at once: one look at the shared counter for a thousand small writes. */
export const RECORDER_CREDIT_BYTES = 262_144;
/** The ring's size, at least; and per worker, so that what idle workers hold leaves most of it. */
export const RING_BYTES_MIN = 8_388_608;
export const RING_BYTES_PER_WORKER = 1_048_576;
/** A frame's payload, but for a single group that is longer: a tear costs no more than this. */
export const FRAME_PAYLOAD_BYTES_MAX = 1_048_576;
/** A segment is ended at this size. */
export const SEGMENT_BYTES_MAX = 67_108_864;
/** How long a connection without room in the ring waits before it looks again by itself. */
export const CREDIT_LOOK_MS = 100;
/** The log's writer looks for new effects this often while there are some, unless somebody waits for a sync. */
export const LOG_POLL_MS = 4;
/** Rounds without anything new before it sleeps until it is woken. */
export const LOG_IDLE_ROUNDS = 25;
/** Writers wait while what is not synced is older than this, under `interval`. */
export const UNSYNCED_MS_MAX = 1000;
/** Between two tries to use a disk that has failed. */
export const HEAL_TRY_MS = 500;
/** Entries that are copied under one hold of a shard's lock by a snapshot: about 50 µs. */
export const SNAPSHOT_CHAINS_PER_HOLD = 32;
/** Fields of a large hash that are: values of the largest size make it a megabyte, and 200 µs. */
export const SNAPSHOT_FIELDS_PER_HOLD = 64;
/**
 * What expired less long ago is still put into a snapshot: a batch goes by the moment at which it began, and may yet let
 * it live on, which the log tells as a change of what is there.
 */
export const SNAPSHOT_EXPIRED_MS = 60_000;
/** Payload of a snapshot's frame, but for a single value that is longer. */
export const SNAPSHOT_FRAME_BYTES = 262_144;
/** A new snapshot is made when the log is this long and so many percent longer than the last snapshot. */
export const COMPACT_BYTES_MIN = 104_857_600;
export const COMPACT_PERCENT = 100;
/** Effects that are loaded together, so that their cache misses overlap. */
export const LOAD_GROUP = 64;
/** A line of the log's text mode: what one string of the runtime can hold, nearly. */
export const EFFECT_LINE_BYTES_MAX = 524_288_000;
/** Effects of one group that are read from text: they are gathered in memory. */
export const TEXT_GROUP_BYTES_MAX = 1_073_741_824;
/** Samples of a second that the history keeps: 15 minutes. */
export const HISTORY_SAMPLES = 900;
/** Between two samples of the history. */
export const HISTORY_SAMPLE_MS = 1000;
/** Work on the estimates that go with a sample in one go, and the time until the next: some 10 ms in all, for 16 shards. */
export const SAMPLE_TURN_MS = 0.1;
export const SAMPLE_REST_MS = 2;
/** Between two looks at how late a worker's event loop is. */
export const LOOP_LAG_MS = 100;
/** Namespaces that a worker counts look-ups of; those told; and the longest name that counts as one. */
export const NAMESPACE_SLOTS = 128;
export const NAMESPACES_TOLD_MAX = 50;
export const NAMESPACE_BYTES_MAX = 64;
/** Entries looked at each second to estimate keys and bytes by namespace; that many keys are counted exactly. */
export const CENSUS_ENTRIES_PER_SAMPLE = 512;
/** Entries of one step of it, so that no shard is held for longer than about 50 µs. */
export const CENSUS_ENTRIES_PER_STEP = 32;
/** Namespaces of the estimate that are remembered from one second to the next. */
export const CENSUS_NAMESPACES_MAX = 512;
/** The board for their sizes: NAMESPACES_TOLD_MAX names with numbers, most of which are short. */
export const CENSUS_BOARD_BYTES = 32_760;

/** A command with at least this many arguments is timed by itself, whatever it is. */
export const ARGUMENTS_TIMED_ALONE = 65;
/** The same for commands whose time grows with their arguments alone: with few they are as quick as any. */
export const KEYS_TIMED_ALONE = 9;
/**
 * Commands that are timed by themselves and took so long together let the worker's other clients, and its own timers,
 * have their turn before the rest of the batch: a pipeline of KEYS was half a minute in which the worker counted as dead.
 */
export const BATCH_TURN_MS = 10;
/** Replies of clients that are served together go out together, or once so many bytes of them are there. */
export const SEND_ROUND_BYTES_MAX = 65_536;
/** After a batch that took this long the worker's next one is timed command by command. */
export const SLOW_BATCH_MS = 1;
/** A slow log's entry holds as many arguments, and of each as many bytes, as Redis's does. */
export const SLOW_LOG_ARGUMENTS_MAX = 32;
export const SLOW_LOG_ARGUMENT_BYTES_MAX = 128;
/** CONFIG SET slowlog-max-len stops here: an entry may take 4 KiB, and each worker keeps as many. */
export const SLOW_LOG_ENTRIES_MAX = 100_000;
/** Moments that LATENCY HISTORY keeps of each event, as Redis does. */
export const LATENCY_MOMENTS_MAX = 160;
/** Lines for MONITOR that wait in a worker for their turn, in characters; what comes beyond is left out and counted. */
export const MONITOR_CHARACTERS_MAX = 4 * 1_048_576;
/** One message of such lines to other workers. */
export const MONITOR_MESSAGE_CHARACTERS_MAX = 262_144;
/** Replies that a client in MONITOR mode may leave unread: it gets what all others do, so it is dropped sooner. */
export const MONITOR_OUTPUT_BYTES_MAX = 32 * 1_048_576;
/** Bytes of an argument that a line of MONITOR shows; the rest is counted. */
export const MONITOR_ARGUMENT_BYTES_MAX = 16_384;
/**
 * Under `always`, a sync waits until this part of what is in flight has come, and at most so long: a sync for many
 * costs little more than one for a few, and the rest are served while it lasts. What is in flight is learnt from sync to
 * sync. (Measured with 50 clients: 0.75 gave 14 % more than no wait, and 6 % more than waiting for all.)
 */
export const GATHER_PART = 0.75;
export const GATHER_MS_MAX = 0.3;
export const GATHER_LEARN = 0.25;
/**
 * Under `always`, a worker writes and syncs in its own thread while a sync takes less than this on average: waking the
 * log's thread and being woken by it takes 0.1 ms. Above it, others are served while the disk works.
 */
export const IN_PLACE_SYNC_MS_MAX = 0.5;
/** What a client may queue between MULTI and EXEC; each worker's clients together, this or a share of maxmemory. */
export const TRANSACTION_BYTES_MAX = 67_108_864;
/** Beside its bytes, a queued command and each of its arguments take about so many. */
export const QUEUED_BYTES_PER_COMMAND = 64;
export const QUEUED_BYTES_PER_ARGUMENT = 16;
/** Keys that one client may watch: EXEC looks at all of them with their shards locked, 5 ms for so many. */
export const WATCHED_KEYS_MAX = 65_536;
/** What others may add to a hash, from the moment when EXEC asks for room to log a copy of it until it has its locks. */
export const COPIED_BYTES_SLACK = 65_536;
/** A wrong password's answer waits at least, and at most, so long; a worker answers so many of them a second. */
export const PASSWORD_WAIT_MS_MIN = 50;
export const PASSWORD_WAIT_MS_MAX = 2_000;
export const PASSWORDS_PER_SECOND = 50;
/** Room in EXEC's group of effects for the removals of entries that are let go meanwhile; past it a write finds no memory. */
export const REMOVAL_BYTES_PER_TRANSACTION = 65_536;
export const REMOVAL_BYTES_PER_COMMAND = 512;
/** Fields that HRANDFIELD draws when they may repeat: a tenth of a second of a worker's time. */
export const RANDOM_FIELDS_MAX = 1_000_000;
/** A field's time to live ends before this moment, in the year 4199, as in Redis 8. */
export const FIELD_EXPIRES_AT_MS_MAX = 2 ** 46 - 1;
/** Shorter values are not compressed: a call of the codec costs 15 µs and more, and wins some hundred bytes. */
export const COMPRESS_BYTES_MIN = 512;
/** Nor are longer ones: decompressing so much takes about 0.2 ms, and what comes of it seldom fits into a record. */
export const COMPRESS_BYTES_MAX = 65_536;
/** A compressed value is shorter by this part at least. */
export const COMPRESS_GAIN_MIN = 1 / 8;
/** Values of one batch that are compressed after it; a command that stores more leaves the rest as they are. */
export const COMPRESS_QUEUE_MAX = 16_384;
/** And the bytes of their keys. */
export const COMPRESS_QUEUE_BYTES_MAX = 4_194_304;
/** Plain bytes that one command, or a group of its keys, may have of compressed values at once. */
export const PLAIN_BYTES_PER_COMMAND = 134_217_728;
/** Rounds of a read whose compressed value was another one each time; then it is read under the lock. */
export const PLAIN_ROUNDS_MAX = 8;
