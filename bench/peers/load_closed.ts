// The load generator's closed loop: send a batch, await its replies, send the next, on every
// connection; knows no pace.
import {
  type LoadConnection,
  loadResult,
  openConnections,
  readReplies,
  writeAll,
} from "./load_connection.ts";
import type { LoadResult, LoadSpec } from "./load_generator.ts";
import { keyPicker, ManyGetWriter, RequestWriter } from "./requests.ts";
import { LatencyHistogram } from "./statistics.ts";

/**
 * Runs the specification's warm-up and then its recorded seconds. A batch's latency counts for each
 * of its requests.
 */
export async function runClosedLoop(spec: LoadSpec): Promise<LoadResult> {
  const connections = await openConnections(spec);
  const histogram = new LatencyHistogram();
  const recordFromMs = performance.now() + spec.warmSeconds * 1000;
  const endMs = recordFromMs + spec.seconds * 1000;
  let operationsTotal = 0;
  let lastMs = recordFromMs;

  const drive = async (connection: LoadConnection, seed: number) => {
    const fill = batchWriter(spec, seed);
    for (let nowMs = performance.now(); nowMs < endMs;) {
      const sentMs = nowMs;
      await writeAll(connection.socket, fill());
      await readReplies(connection, spec.pipeline);
      nowMs = performance.now();
      operationsTotal += spec.pipeline;
      if (sentMs >= recordFromMs) {
        histogram.record((nowMs - sentMs) * 1000, spec.pipeline);
        lastMs = nowMs;
      }
    }
  };
  await Promise.all(connections.map((connection, i) => drive(connection, 0x9e3779b9 + i * 7919)));
  return loadResult(connections, histogram, {
    operationsTotal,
    seconds: (lastMs - recordFromMs) / 1000,
    stalled: 0,
    late: 0,
    latencyUsP99Warm: 0,
  });
}

// One buffer per connection, filled anew for each batch: the batch before was answered, so its
// bytes have left.
function batchWriter(spec: LoadSpec, seed: number): () => Uint8Array {
  const nextKey = keyPicker(seed, spec.keyCount);
  if (spec.keysPerGet > 1) {
    const many = new ManyGetWriter(spec.protocol, spec.keysPerGet, spec.keyBytes);
    const buffer = new Uint8Array(many.requestBytes * spec.pipeline);
    return () => {
      for (let i = 0, at = 0; i < spec.pipeline; i++) at = many.write(buffer, at, nextKey);
      return buffer;
    };
  }
  const writer = new RequestWriter(spec.protocol, spec.keyBytes, spec.valueBytes);
  const nextPercent = keyPicker(seed ^ 0x5bd1e995, 100);
  const buffer = new Uint8Array(writer.requestBytesMax * spec.pipeline);
  return () => {
    let at = 0;
    for (let i = 0; i < spec.pipeline; i++) {
      at = nextPercent() < spec.setPercent
        ? writer.writeSet(buffer, at, nextKey())
        : writer.writeGet(buffer, at, nextKey());
    }
    return buffer.subarray(0, at);
  };
}
