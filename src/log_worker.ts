// The log's thread: loads what is on disk, then writes what the ring brings, until it is told to stop.
//
// Once it serves it blocks for good between batches, so it is spoken to by words in the ring only; what it says
// goes to main as messages. An error that is not the disk's is not caught: main ends the process.
import {
  GATHER_LEARN,
  GATHER_MS_MAX,
  GATHER_PART,
  HEAL_TRY_MS,
  LOG_IDLE_ROUNDS,
  LOG_POLL_MS,
} from "./limits.ts";
import { EvictionLog } from "./commands/eviction_log.ts";
import { clockKindOf } from "./eviction_policies.ts";
import { cleanUp } from "./log/clean_up.ts";
import { DirectoryDisk } from "./log/disk.ts";
import { LoadTurns } from "./log/load_turns.ts";
import { LogWriter } from "./log/log_writer.ts";
import { recover, type Recovered } from "./log/recovery.ts";
import {
  ASK_HEALED,
  ASK_ROTATE,
  ASK_SPARE,
  ASK_STOP,
  ASK_SYNC,
  FSYNC_ALWAYS,
  FSYNC_INTERVAL,
  ROLE_OF_LOG,
} from "./log/log_board.ts";
import { LOG_WORKING, Ring } from "./log/ring.ts";
import type { LogThreadStart, MessageFromLog } from "./log_messages.ts";
import { EffectRecorder } from "./persistence/effect_recorder.ts";
import { EntryLoader } from "./persistence/entry_loader.ts";
import { StoreParts } from "./persistence/ring_parts.ts";
import { Settings } from "./settings.ts";
import { Clock } from "./clock.ts";
import { failureText } from "./thread_failure.ts";
import { Evictor, setCounting, Store, type StoreMemory } from "./store/store.ts";

/** Between two messages about how far the loading is. */
const PROGRESS_MS = 200;
/** More than any arena holds: while loading only the arenas limit. */
const LOAD_LIMIT_BYTES = 2 ** 42;

interface WorkerScope {
  onmessage: ((event: MessageEvent<LogThreadStart>) => void) | null;
  postMessage(message: MessageFromLog): void;
}
const scope = self as unknown as WorkerScope;

scope.onmessage = ({ data }) => {
  try {
    run(data);
  } catch (error) {
    scope.postMessage({ type: "failed", error: failureText(error), environment: false });
  }
};

function run(start: LogThreadStart): void {
  const ring = new Ring(start.ringMemory);
  const store = new Store(start.storeMemory as StoreMemory);
  const disk = new DirectoryDisk(start.config.dataDir);
  const loaded = load(start, disk, ring, store);
  if (loaded === null) return;
  const serverId = loaded.serverId ?? crypto.getRandomValues(new Uint8Array(16));
  const writer = new LogWriter({
    disk,
    ring,
    parts: new StoreParts(store),
    serverId,
    firstSequence: loaded.nextSequence,
  });
  // From the first segment on workers may write in place, to answer who asks while this still loads: not before all
  // that is beyond maxmemory is written.
  ring.waitForRole(ROLE_OF_LOG);
  try {
    cleanUp(disk, loaded);
    tellOfEnd(loaded);
    writer.open();
    ring.setNumber("sequence", loaded.nextSequence - 1);
    ring.setNumber("syncedSequence", loaded.nextSequence - 1);
    evictLoaded(start, ring, store, writer);
  } catch (error) {
    if (isMistake(error)) throw error;
    const why = (error as Error).message;
    fail(`--data-dir ${start.config.dataDir} cannot be written: ${why}`);
    return;
  }
  ring.giveRole();
  scope.postMessage({ type: "loaded", serverId });
  serve(ring, writer, new Clock((start.storeMemory as StoreMemory).clock));
}

/** Mistakes of this program are no trouble of the disk: main ends the process, the log brings the data back. */
function isMistake(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError;
}

function fail(error: string): void {
  scope.postMessage({ type: "failed", error, environment: true });
}

function log(level: "info" | "warning" | "error", text: string): void {
  scope.postMessage({ type: "log", level, text });
}

// ---- loading ----------------------------------------------------------------------------------------

/** Reads the directory into the store; null if the start is refused. */
function load(
  { config, settingsMemory, storeMemory }: LogThreadStart,
  disk: DirectoryDisk,
  ring: Ring,
  store: Store,
): Recovered["ok"] | null {
  const startMs = performance.now();
  const { evictionPolicy, isAdmitting, lfuLogFactor, lfuDecayMinutes, compressMinBytes } =
    new Settings(settingsMemory);
  setCounting(lfuLogFactor, lfuDecayMinutes, Date.now());
  const clockKind = clockKindOf(evictionPolicy, isAdmitting);
  const loader = new EntryLoader(store, config.keyBytesMax, clockKind, compressMinBytes);
  store.accessClock.at(Date.now());
  // What has expired or is too much goes at the end: before, a later effect may say otherwise.
  store.account.limitBytes = LOAD_LIMIT_BYTES;
  let toldAtMs = startMs;
  const turns = new LoadTurns(ring.loadTurns);
  const tell = (doneBytes: number, allBytes: number) => {
    const nowMs = performance.now();
    if (nowMs - toldAtMs < PROGRESS_MS) return;
    toldAtMs = nowMs;
    ring.setNumber("loadPercent", Math.floor((doneBytes / Math.max(1, allBytes)) * 100));
    const tookMs = nowMs - startMs, entries = loader.effects + turns.effects;
    scope.postMessage({ type: "loading", doneBytes, allBytes, entries, tookMs });
  };
  const begin = (sequence: number) => ring.setNumber("snapshotSequence", sequence);
  const result = recover(disk, loader, tell, { turns, begin });
  // Who has not joined by now need not wait any longer.
  turns.close();
  store.account.limitBytes = new Settings(settingsMemory).maxmemoryBytes;
  if ("error" in result) {
    fail(result.error);
    return null;
  }
  const nowMs = new Clock((storeMemory as StoreMemory).clock).nowMs();
  let expired = 0;
  for (const shard of store.shards) expired += store.sweepAll(shard, nowMs);
  if (loader.table !== null) new Settings(settingsMemory).setDatabaseTable(loader.table);
  const tookMs = performance.now() - startMs, { ok } = result;
  ring.setNumber("loadedEntries", loader.effects + turns.effects);
  ring.setNumber("loadMs", tookMs);
  ring.setNumber("loadPercent", 100);
  ring.setNumber("snapshotSequence", ok.snapshotSequence);
  ring.setNumber("cutBytes", ok.cut?.bytes ?? 0);
  const entries = countEntries(store);
  log(
    "info",
    `loaded: ${entries} entries in ${(tookMs / 1000).toFixed(2)} s, from ` +
      `${
        ok.snapshotName ?? "no snapshot"
      } and ${ok.groups} groups of the log, ${expired} had expired` +
      (loader.ignored > 0 ? `, ${loader.ignored} effects met no entry` : ""),
  );
  return ok;
}

/** Lets go what is beyond maxmemory, and writes that down, as eviction does later on. */
function evictLoaded(
  { settingsMemory, storeMemory }: LogThreadStart,
  ring: Ring,
  store: Store,
  writer: LogWriter,
): void {
  const { account } = store, before = countEntries(store);
  const recorder = new EffectRecorder(store, ring), sink = new EvictionLog(recorder);
  const evictor = new Evictor(store, sink);
  const nowMs = new Clock((storeMemory as StoreMemory).clock).nowMs();
  // Of what was loaded nobody knows how often it was used: the policy alone decides.
  evictor.begin(new Settings(settingsMemory).evictionPolicy, nowMs, false);
  for (let isMore = true; isMore && !account.hasRoom(0);) {
    isMore = false;
    for (const shard of store.shards) {
      if (evictor.runAhead(shard) || evictor.isStarved) isMore = true;
    }
    writer.drain();
  }
  recorder.close();
  const evicted = before - countEntries(store);
  if (evicted > 0) log("info", `evicted: ${evicted} entries that are beyond maxmemory`);
  if (account.hasRoom(0)) return;
  log(
    "warning",
    "loaded more than maxmemory: writes that need memory are refused until there is room",
  );
}

function countEntries(store: Store): number {
  let entries = 0;
  for (let database = 0; database < 16; database++) entries += store.entryCounts(database).entries;
  return entries;
}

function tellOfEnd({ cut, isClosed, segments }: Recovered["ok"]): void {
  if (cut !== null) {
    log(
      "warning",
      `${cut.name} was torn at offset ${cut.offset}, as after a crash: ${cut.bytes} bytes that were never ` +
        `confirmed as synced are cut off`,
    );
  } else if (!isClosed && segments.length > 0) {
    log("info", "the log was not closed in order; it is whole");
  }
}

// ---- serving ----------------------------------------------------------------------------------------

/** `clock`: what writers judge by how late the log is. */
function serve(ring: Ring, writer: LogWriter, clock: Clock): void {
  let idleRounds = 0, syncedAtMs = -Infinity, inFlightUnits = 0;
  // Replies wait for what was put into the ring under `always`, up to here, also when it has ended.
  let lastFsync = ring.fsync, isOwed = false, owedTo = 0;
  for (;;) {
    if (ring.state !== LOG_WORKING && !writer.isOpen) {
      // There is no segment to write to, so nobody else wants the role for more than a look.
      ring.waitForRole(ROLE_OF_LOG);
      const goesOn = heal(ring, writer);
      ring.giveRole();
      if (!goesOn) return;
      continue;
    }
    if (ring.fsync === FSYNC_ALWAYS && !ring.isEmpty) {
      ring.gather(Math.floor(inFlightUnits * GATHER_PART), GATHER_MS_MAX);
    }
    ring.waitForRole(ROLE_OF_LOG);
    try {
      if (!writer.takeOver()) {
        tellFailure(ring.reason);
        continue;
      }
      const fsync = ring.fsync;
      if (fsync !== FSYNC_ALWAYS && lastFsync === FSYNC_ALWAYS) {
        isOwed = true;
        owedTo = ring.tail;
      }
      lastFsync = fsync;
      const wrote = writer.drain();
      // Intervals are none of the wall clock's business, which may be put back.
      const nowMs = performance.now();
      if (wrote && ring.number("unsyncedSinceMs") === 0) {
        ring.setNumber("unsyncedSinceMs", clock.nowMs());
      }
      const stop = ring.asked(ASK_STOP);
      if (stop >= 0) {
        if (writer.drain() || writer.hasUnsynced) writer.sync();
        writer.close();
        ring.done(ASK_STOP, stop);
        scope.postMessage({ type: "stopped", isWhole: ring.state === LOG_WORKING });
        return;
      }
      const isAsked = answer(ring, writer);
      const isDue = fsync === FSYNC_ALWAYS || isOwed ||
        fsync === FSYNC_INTERVAL && nowMs - syncedAtMs >= ring.intervalMs;
      if (writer.hasUnsynced && isDue) {
        const inFlight = ring.inFlightUnits;
        inFlightUnits += (inFlight - inFlightUnits) * GATHER_LEARN;
        writer.sync();
        syncedAtMs = nowMs;
      }
      if (isOwed && ring.isSynced(owedTo)) isOwed = false;
      if (wrote || isAsked) idleRounds = 0;
      else idleRounds++;
    } catch (error) {
      if (isMistake(error)) throw error;
      writer.abandon();
      ring.setFailed((error as Error).message);
      tellFailure(ring.reason);
      continue;
    } finally {
      ring.giveRole();
    }
    rest(ring, writer, ring.fsync, idleRounds);
  }
}

/** What others asked for since; true if anything was. Throws what the disk throws. */
function answer(ring: Ring, writer: LogWriter): boolean {
  let isAsked = false;
  const spare = ring.asked(ASK_SPARE);
  if (spare >= 0) {
    isAsked = true;
    writer.spareIsReady();
    ring.done(ASK_SPARE, spare);
    // The first segment of a run is made before there is a spare.
    if (!writer.isPrefilled) writer.adoptSpare();
  }
  const rotate = ring.asked(ASK_ROTATE);
  if (rotate >= 0) {
    isAsked = true;
    writer.drain();
    writer.rotate();
    ring.done(ASK_ROTATE, rotate);
  }
  const sync = ring.asked(ASK_SYNC);
  if (sync >= 0) {
    isAsked = true;
    // What whoever asks has seen in memory may lie behind what is not published yet: then it is for the next round.
    if (writer.drainAll()) {
      if (writer.hasUnsynced) writer.sync();
      ring.done(ASK_SYNC, sync);
    }
  }
  const healed = ring.asked(ASK_HEALED);
  if (healed >= 0) {
    isAsked = true;
    // The snapshot that stands may be of a segment before the last failure: then another one is needed.
    const isCovered = ring.number("snapshotSequence") >= ring.number("segmentFirst");
    if (ring.state !== LOG_WORKING && isCovered) {
      writer.serveAgain();
      log("info", "the disk takes writes again: a new snapshot stands, writes are served");
    }
    ring.done(ASK_HEALED, healed);
  }
  return isAsked;
}

function rest(ring: Ring, writer: LogWriter, fsync: number, idleRounds: number): void {
  const isNeeded = () => !ring.isEmpty || ring.hasRequests;
  if (fsync === FSYNC_ALWAYS) {
    // Somebody waits for each write: it wakes this thread at once.
    ring.sleep(1000, isNeeded);
  } else if (idleRounds < LOG_IDLE_ROUNDS || writer.hasUnsynced && fsync === FSYNC_INTERVAL) {
    // Nobody waits: a look now and then gathers more for less, and costs the writers no wake.
    if (!ring.hasRequests) ring.rest(LOG_POLL_MS);
  } else ring.sleep(1000, isNeeded);
}

function tellFailure(reason: string): void {
  log("error", `the log cannot be written, writes are refused: ${reason}`);
}

/** While the disk fails: drains into nothing, and tries a new segment now and then. False: told to stop. */
function heal(ring: Ring, writer: LogWriter): boolean {
  writer.discard();
  const stop = ring.asked(ASK_STOP);
  if (stop >= 0) {
    ring.done(ASK_STOP, stop);
    scope.postMessage({ type: "stopped", isWhole: false });
    return false;
  }
  for (const what of [ASK_SYNC, ASK_ROTATE, ASK_SPARE, ASK_HEALED]) {
    const asked = ring.asked(what);
    if (asked >= 0) ring.done(what, asked);
  }
  try {
    writer.reopen();
    return true;
  } catch {
    // It still fails; the first failure has been told.
  }
  const untilMs = performance.now() + HEAL_TRY_MS;
  while (performance.now() < untilMs) {
    writer.discard();
    if (ring.asked(ASK_STOP) >= 0) break;
    ring.rest(20);
  }
  return true;
}
