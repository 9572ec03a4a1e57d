// One connection of the load generator: a socket, its reply scanner and its buffers; knows no pace.
import { ReplyScanner } from "../../src/cli/reply_scanner.ts";
import type { Socket } from "../../src/server/connection_host.ts";
import { socketOf } from "../../src/server/socket.ts";
import { RequestWriter } from "./requests.ts";
import type { LoadResult, LoadSpec } from "./load_generator.ts";
import type { LatencyHistogram } from "./statistics.ts";

// The listen backlog of some servers is 511: more at once would only time out and try again.
const OPENING_AT_ONCE_MAX = 100;
const READ_BYTES_FEW = 64 * 1024;
const READ_BYTES_MANY = 512;
const MANY_CONNECTIONS = 1000;

export interface LoadConnection {
  /** The server's own way to a socket: a generator that costs more than what it drives would measure itself. */
  readonly socket: Socket;
  readonly scanner: ReplyScanner;
  readonly readBuffer: Uint8Array;
}

/** Opens all connections and has each answered once, so that none waits in the backlog any more. */
export async function openConnections(spec: LoadSpec): Promise<LoadConnection[]> {
  const connections: LoadConnection[] = [];
  const writer = new RequestWriter(spec.protocol, spec.keyBytes, spec.valueBytes);
  const readBytes = spec.connections < MANY_CONNECTIONS ? READ_BYTES_FEW : READ_BYTES_MANY;
  let left = spec.connections;
  const openSome = async () => {
    while (left > 0) {
      left--;
      const socket = await openSocket(spec.port);
      const connection = {
        socket,
        scanner: new ReplyScanner(spec.protocol, spec.valueBytes, spec.keysPerGet),
        readBuffer: new Uint8Array(readBytes),
      };
      const request = new Uint8Array(writer.requestBytesMax);
      await writeAll(socket, request.subarray(0, writer.writeGet(request, 0, 0)));
      const first = { ...connection, scanner: new ReplyScanner(spec.protocol, spec.valueBytes) };
      await readReplies(first, 1);
      if (first.scanner.errors > 0) {
        throw new Error(`a new connection got "${first.scanner.firstError}"`);
      }
      connections.push(connection);
    }
  };
  await Promise.all(
    Array.from({ length: Math.min(OPENING_AT_ONCE_MAX, spec.connections) }, openSome),
  );
  return connections;
}

/** A connection to a server on this machine that sends what is written at once. */
export async function openSocket(port: number): Promise<Socket> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  return socketOf(conn);
}

/** Writes every byte; the buffer must not change until it resolves. */
export async function writeAll(socket: Socket, bytes: Uint8Array): Promise<void> {
  let written = await socket.write(bytes);
  while (written < bytes.length) written += await socket.write(bytes.subarray(written));
}

/** Reads until `count` replies have ended. Throws when the server closes before. */
export async function readReplies(connection: LoadConnection, count: number): Promise<void> {
  let left = count;
  while (left > 0) {
    const bytes = await connection.socket.read(connection.readBuffer);
    if (bytes === 0) {
      throw new Error(`the server closed a connection that awaited ${left} replies`);
    }
    left -= connection.scanner.feed(connection.readBuffer.subarray(0, bytes));
  }
}

/** Sums up what the connections saw. */
export function loadResult(
  connections: readonly LoadConnection[],
  histogram: LatencyHistogram,
  counted: Pick<
    LoadResult,
    "operationsTotal" | "seconds" | "stalled" | "late" | "latencyUsP99Warm"
  >,
): LoadResult {
  let misses = 0, values = 0, errors = 0, wrongLengths = 0, firstError = "";
  for (const { scanner } of connections) {
    misses += scanner.misses;
    values += scanner.values;
    errors += scanner.errors;
    wrongLengths += scanner.wrongLengths;
    if (firstError === "") firstError = scanner.firstError;
  }
  return {
    operations: histogram.total,
    ...counted,
    misses,
    values,
    errors,
    firstError,
    wrongLengths,
    latencyUsP50: histogram.percentileUs(0.5),
    latencyUsP99: histogram.percentileUs(0.99),
    latencyUsMax: histogram.maxUs,
  };
}
