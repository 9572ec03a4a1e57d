// What a worker gives its connections, without a worker: for connections on sockets that a test makes.
import assert from "node:assert/strict";
import { ReplyBuffer } from "../../src/protocol/reply_buffer.ts";
import { RequestBatch } from "../../src/protocol/request_batch.ts";
import { RespWriter } from "../../src/protocol/resp_writer.ts";
import { TextWriter } from "../../src/protocol/text_writer.ts";
import { ReplyChunkPool } from "../../src/server/chunk_pool.ts";
import { Connection } from "../../src/server/connection.ts";
import type { ConnectionHost, Socket } from "../../src/server/connection_host.ts";
import { LingeringClose } from "../../src/server/lingering_close.ts";
import { LargeBuffers } from "../../src/server/read_buffer.ts";
import { SendRound } from "../../src/server/send_round.ts";
import { CountedTurns } from "./counted_turns.ts";
import { EnginePath } from "./engine_path.ts";
import { LIMITS } from "./parsing_connection.ts";

export function createConnectionHost(turns = new CountedTurns()): ConnectionHost {
  const { engine } = new EnginePath();
  const pool = new ReplyChunkPool(), out = new ReplyBuffer(pool);
  return {
    engine,
    batch: new RequestBatch(),
    out,
    resp: new RespWriter(out),
    text: new TextWriter(out),
    pool,
    largeBuffers: new LargeBuffers(),
    counters: engine.metrics.counters,
    gate: null,
    chore: { isWaiting: false, runBetween() {} },
    turns,
    round: new SendRound(),
    lingering: new LingeringClose(turns),
    limits: { ...LIMITS, outOfLineBytesMin: 65_536 },
    bufferBytesMax: () => 2 ** 30,
    clientOutputBytesMax: () => 2 ** 28,
    valueBytesMax: () => 2 ** 26,
    onClosed() {},
    log: (text) => assert.fail(text),
  };
}

export function connect(host: ConnectionHost, socket: Socket, id = 1): Connection {
  const start = { id, address: "", localAddress: "", createdAtMs: 0, isAuthenticated: true };
  return new Connection(host, socket, start);
}
