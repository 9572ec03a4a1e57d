// The load generator's open loop: requests leave by the clock, whether or not earlier replies have
// come; knows no saturation.
import { type LoadConnection, loadResult, openConnections } from "./load_connection.ts";
import { LoadTicker } from "./load_ticker.ts";
import type { LoadResult, LoadSpec } from "./load_generator.ts";
import { keyPicker, RequestWriter } from "./requests.ts";
import { LatencyHistogram } from "./statistics.ts";

const OUTSTANDING_MAX = 64;
const BEHIND_MS_MAX = 200;
const LAST_REPLIES_MS_MAX = 5000;

/** A connection with the moments at which its unanswered requests left, oldest at `answered`. */
interface PacedConnection extends LoadConnection {
  readonly sentMs: Float64Array;
  readonly request: Uint8Array;
  sent: number;
  answered: number;
  writing: boolean;
  /** Made once for a connection, not once for a request. */
  readonly onRead: (bytes: number) => void;
  /** For `request`, and for another buffer that was sent while that one was still being written. */
  readonly onWritten: (bytes: number) => void;
  readonly onOther: (bytes: number) => void;
}

/**
 * Sends `ratePerS` requests a second, round robin over the connections. Latency runs from the
 * moment a request leaves to its reply; as sending never waits for the server, a stalled server
 * delays the recorded requests, not the record. What is due but cannot be sent counts as `stalled` (64 unanswered on
 * its connection) or `late` (the generator more than 200 ms behind).
 */
export async function runPaced(spec: LoadSpec): Promise<LoadResult> {
  const writer = new RequestWriter(spec.protocol, spec.keyBytes, spec.valueBytes);
  const nextKey = keyPicker(0x2545f491, spec.keyCount);
  const open = await openConnections(spec);
  const histogram = new LatencyHistogram(), warmHistogram = new LatencyHistogram();
  const startMs = performance.now();
  const recordFromMs = startMs + spec.warmSeconds * 1000;
  const endMs = recordFromMs + spec.seconds * 1000;
  const warmFromMs = Math.max(startMs, recordFromMs - spec.seconds * 1000);
  const gapMs = 1000 / spec.ratePerS;
  let operationsTotal = 0;
  let stalled = 0;
  let late = 0;
  let failure: Error | null = null;
  let done = false;

  const fail = (error: unknown) => {
    if (!done) failure ??= error instanceof Error ? error : new Error(String(error));
  };
  const read = (connection: PacedConnection) => {
    connection.socket.read(connection.readBuffer).then(connection.onRead).catch(fail);
  };
  const received = (connection: PacedConnection, bytes: number) => {
    if (done) return;
    if (bytes === 0) throw new Error("the server closed a connection");
    let replies = connection.scanner.feed(connection.readBuffer.subarray(0, bytes));
    const nowMs = performance.now();
    for (; replies > 0; replies--) {
      const sentMs = connection.sentMs[connection.answered++ % OUTSTANDING_MAX];
      operationsTotal++;
      if (sentMs < warmFromMs) continue;
      (sentMs < recordFromMs ? warmHistogram : histogram).record((nowMs - sentMs) * 1000, 1);
    }
    read(connection);
  };
  const written = (bytes: number, wanted: number) => {
    if (bytes !== wanted) throw new Error(`a request was cut after ${bytes} of ${wanted} bytes`);
  };
  const paced = (opened: LoadConnection): PacedConnection => {
    const request = new Uint8Array(writer.getBytes);
    const connection: PacedConnection = {
      ...opened,
      sentMs: new Float64Array(OUTSTANDING_MAX),
      request,
      sent: 0,
      answered: 0,
      writing: false,
      onRead: (bytes) => received(connection, bytes),
      onWritten: (bytes) => {
        connection.writing = false;
        written(bytes, request.length);
      },
      onOther: (bytes) => written(bytes, request.length),
    };
    return connection;
  };
  const send = (connection: PacedConnection, nowMs: number) => {
    const { request, sentMs, socket } = connection;
    if (connection.sent - connection.answered >= OUTSTANDING_MAX) {
      stalled++;
      return;
    }
    sentMs[connection.sent++ % OUTSTANDING_MAX] = nowMs;
    // The socket may still read the connection's own buffer; only then is another made.
    const bytes = connection.writing ? new Uint8Array(request.length) : request;
    writer.writeGet(bytes, 0, nextKey());
    connection.writing ||= bytes === request;
    socket.write(bytes).then(bytes === request ? connection.onWritten : connection.onOther)
      .catch(fail);
  };

  const connections = open.map(paced);
  connections.forEach(read);
  const ticker = new LoadTicker();
  let dueMs = startMs;
  let turn = 0;
  for (let nowMs = startMs; nowMs < endMs && failure === null; nowMs = performance.now()) {
    if (nowMs - dueMs > BEHIND_MS_MAX) {
      const skipped = Math.floor((nowMs - dueMs) / gapMs);
      late += skipped;
      dueMs += skipped * gapMs;
    }
    for (; dueMs <= nowMs; dueMs += gapMs) {
      send(connections[turn], performance.now());
      turn = turn + 1 < connections.length ? turn + 1 : 0;
    }
    await ticker.next();
  }
  ticker.stop();
  const giveUpMs = performance.now() + LAST_REPLIES_MS_MAX;
  const pending = () =>
    connections.reduce((sum, connection) => sum + connection.sent - connection.answered, 0);
  while (failure === null && pending() > 0 && performance.now() < giveUpMs) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (failure !== null) throw failure;
  if (pending() > 0) {
    throw new Error(`${pending()} requests got no reply within ${LAST_REPLIES_MS_MAX} ms`);
  }
  done = true;
  return loadResult(connections, histogram, {
    operationsTotal,
    seconds: spec.seconds,
    stalled,
    late,
    latencyUsP99Warm: warmHistogram.total === 0 ? 0 : warmHistogram.percentileUs(0.99),
  });
}
