// The load generator's large values: one connection that writes a value and reads it back in a
// loop; knows no small ones.
import {
  type LoadConnection,
  loadResult,
  openSocket,
  readReplies,
  writeAll,
} from "./load_connection.ts";
import type { LoadResult, LoadSpec } from "./load_generator.ts";
import { ReplyScanner } from "../../src/cli/reply_scanner.ts";
import { largeValueRequests } from "./requests.ts";
import { LatencyHistogram } from "./statistics.ts";

const READ_BYTES = 1 << 20;

/**
 * Writes and reads a value of `valueBytes` until the time is up, at least once; one operation is
 * one write and one read.
 */
export async function runLargeValues(spec: LoadSpec): Promise<LoadResult> {
  const socket = await openSocket(spec.port);
  const connection: LoadConnection = {
    socket,
    scanner: new ReplyScanner(spec.protocol, spec.valueBytes),
    readBuffer: new Uint8Array(READ_BYTES),
  };
  const { setHead, setTail, get } = largeValueRequests(
    spec.protocol,
    "large-value",
    spec.valueBytes,
  );
  const value = new Uint8Array(spec.valueBytes).fill(120);
  const histogram = new LatencyHistogram();
  const startMs = performance.now();
  const endMs = startMs + (spec.warmSeconds + spec.seconds) * 1000;
  let nowMs = startMs;
  do {
    const sentMs = nowMs;
    await writeAll(socket, setHead);
    await writeAll(socket, value);
    await writeAll(socket, setTail);
    await readReplies(connection, 1);
    await writeAll(socket, get);
    await readReplies(connection, 1);
    nowMs = performance.now();
    histogram.record((nowMs - sentMs) * 1000, 1);
    if (connection.scanner.errors > 0) break;
  } while (nowMs < endMs);
  socket.close();
  return loadResult([connection], histogram, {
    operationsTotal: histogram.total,
    seconds: (nowMs - startMs) / 1000,
    stalled: 0,
    late: 0,
    latencyUsP99Warm: 0,
  });
}
