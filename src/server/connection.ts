// One client over a socket: reads requests, has them run, sends the replies; knows no command.
//
// Reading never waits for writing: a client that sends all it has before it reads would wait for ever. What
// piles up is limited, and past the limit the client is dropped. The engine's errors are not caught here: a
// broken invariant ends the process.
import { DONE, type Engine, PARKED } from "../engine.ts";
import { LARGE_PIECE_BYTES, REPLY_CHUNK_BYTES, REQUEST_OVERHEAD_BYTES_MAX } from "../limits.ts";
import { COUNTER } from "../metrics.ts";
import { fillPieces } from "../piecewise_bytes.ts";
import { type RequestBatch, STYLE_TEXT } from "../protocol/request_batch.ts";
import { parseRequests } from "../protocol/request_parser.ts";
import type { StagedBlock } from "../store/store.ts";
import { ClientSession, type SessionStart } from "./client_session.ts";
import type { ConnectionHost, Socket } from "./connection_host.ts";
import { type OutputListener, OutputQueue } from "./output_queue.ts";
import { ReadBuffer } from "./read_buffer.ts";

/** A write that is under way holds a whole chunk of the pool: below two of them nobody holds too much. */
const OUTPUT_BYTES_GRANTED = 2 * REPLY_CHUNK_BYTES;

/** Replies that are gathered before they are handed over, in chunks; one read can ask for hundreds of MiB. */
const CHUNKS_GATHERED_MAX = 16;

export class Connection extends ClientSession implements OutputListener {
  readonly id: number;

  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #input: ReadBuffer;
  readonly #output: OutputQueue;
  #neededBytes = 0;
  #staged: StagedBlock | null = null;
  #stagedAt = -1;
  /** Of a large value that is on its way into `#staged`: what has come, and where it stands in its request. */
  #receivedBytes = 0;
  #openAt = 0;
  #isClosed = false;
  /** The client has shut its sending half: nothing more comes. */
  #isReadOut = false;
  #countedInput = 0;
  #countedOutput = 0;
  /** Bytes of an unfinished request came since the last sweep, and when a sweep last saw the client busy. */
  #isReceiving = false;
  #busyAtMs = 0;

  constructor(host: ConnectionHost, socket: Socket, start: SessionStart) {
    super(start.isAuthenticated, start.address, start.localAddress, start.createdAtMs);
    this.#host = host;
    this.#socket = socket;
    this.#input = new ReadBuffer(host.largeBuffers);
    this.#output = new OutputQueue(socket, this, host);
    this.id = start.id;
  }

  // ---- reading --------------------------------------------------------------------------------------

  /** Serves the client until either side ends it; rejects only if an invariant is broken. */
  async serve(): Promise<void> {
    const input = this.#input, { counters, turns } = this.#host;
    let wasFull = false;
    while (!this.#isClosed && !this.isClosing) {
      if (wasFull && turns.isDue) {
        // There is more to read, and it would be had at once.
        wasFull = false;
        await turns.wait();
        continue;
      }
      let count: number;
      try {
        count = await this.#socket.read(input.space);
      } catch {
        break; // reset by the client, or closed by us
      }
      if (count === 0) {
        this.#isReadOut = true;
        break;
      }
      counters[COUNTER.bytesIn] += count;
      wasFull = input.filled + count === input.capacity;
      input.add(count);
      if (input.filled < this.#neededBytes) {
        this.#isReceiving = true;
        continue;
      }
      for (let parked = this.#process(); parked !== null; parked = this.#process()) {
        await parked;
        if (this.#isClosed || this.isClosing) break;
      }
      if (this.#staged !== null && this.#stagedAt < 0 && !(await this.#receive(this.#staged))) {
        break;
      }
      input.prepare(this.#neededBytes, wasFull);
      this.#countBuffers();
    }
    this.#finish();
  }

  /** Runs all requests that lie whole in the buffer; gives what to wait for if one of them is parked. */
  #process(): Promise<void> | null {
    const { batch, engine, resp, text, out, limits } = this.#host, input = this.#input;
    limits.bulkBytesMax = this.#host.valueBytesMax();
    this.#host.gate?.begin();
    let from = 0;
    this.#neededBytes = 0;
    let waitFor: Promise<void> | null = null;
    while (from < input.filled && !this.isClosing) {
      batch.reset(input.bytes, input.view);
      batch.stagedAt = this.#stagedAt < 0 ? -1 : this.#stagedAt;
      batch.stagedValue = this.#staged;
      limits.authenticated = this.isAuthenticated;
      const end = parseRequests(batch, from, input.filled, limits);
      const isStagedUsed = batch.stagedArg >= 0;
      let next = 0;
      if (batch.commandCount > 0) {
        next = engine.run(this, batch, 0, resp, text);
        // Held back, the value's command finds it when it runs; whether those behind it have run is no matter.
        if (isStagedUsed && batch.commandArg[next] > batch.stagedArg) this.#dropStaged();
        if (engine.outcome !== DONE) {
          // None ran if the first was held back: it is parsed again when it may run.
          if (next > 0) from = batch.commandEnd[next - 1];
          batch.restoreLines(from);
          if (engine.outcome === PARKED) waitFor = this.#park(engine, batch, Math.max(0, next - 1));
          break;
        }
      }
      if (batch.closeSilently || batch.error !== null) {
        this.#protocolError(batch);
        break;
      }
      // Where the limit for a client's replies is checked.
      if (out.segments.length > CHUNKS_GATHERED_MAX) this.#flush();
      const progressed = end > from;
      from = end;
      if (batch.neededBytes > 0 || !progressed) {
        this.#neededBytes = batch.neededBytes;
        if (batch.openBulkArgument >= 0 && this.#staged === null) from = this.#openBulk(batch, end);
        break;
      }
    }
    input.consume(from);
    if (this.#stagedAt > 0) this.#stagedAt -= from;
    this.#host.batch.shrink();
    this.#flush();
    if (this.#host.chore.isWaiting) this.#host.chore.runBetween();
    return waitFor;
  }

  #park(engine: Engine, batch: RequestBatch, command: number): Promise<void> {
    const reply = engine.isParkedSilent
      ? engine.silent
      : batch.commandStyle[command] === STYLE_TEXT
      ? this.#host.text
      : this.#host.resp;
    return engine.parked!.then((finish) => {
      if (this.#isClosed) return;
      reply.useVersion(this.protocolVersion);
      finish(reply);
      engine.silent.drop();
      this.#flush();
    });
  }

  #protocolError(batch: RequestBatch): void {
    this.#host.counters[COUNTER.protocolErrors]++;
    if (!batch.closeSilently) {
      const reply = batch.errorStyle === STYLE_TEXT ? this.#host.text : this.#host.resp;
      reply.error(`ERR Protocol error: ${batch.error}`);
      this.#host.log(`protocol error: ${batch.error}`, this);
    }
    this.isClosing = true;
  }

  // ---- large values ---------------------------------------------------------------------------------

  /**
   * Begins to receive a large value straight into the store, if its command allows it. The bytes that have
   * arrived are moved there; the head of the request stays in the buffer. Gives what can be dropped.
   */
  #openBulk(batch: RequestBatch, requestStart: number): number {
    const block = this.#host.engine.stageOpenBulk(this, batch);
    if (block === null) {
      if (batch.neededBytes > this.#requestBytesMax()) this.#tooLarge(batch.neededBytes);
      return requestStart;
    }
    const input = this.#input, start = batch.openBulkStart;
    this.#staged = block;
    this.#receivedBytes = input.filled - start;
    fillPieces(block, 0, input.bytes.subarray(start, input.filled));
    input.filled = start;
    this.#openAt = start - requestStart;
    return requestStart;
  }

  /** Reads the rest of a large value; false if the client went away. */
  async #receive(block: StagedBlock): Promise<boolean> {
    const { counters, turns } = this.#host;
    while (this.#receivedBytes < block.lengthBytes) {
      let count: number;
      try {
        count = await this.#socket.read(block.piece(this.#receivedBytes, LARGE_PIECE_BYTES));
      } catch {
        return false;
      }
      if (count === 0 || this.#isClosed) return false;
      counters[COUNTER.bytesIn] += count;
      this.#receivedBytes += count;
      this.#isReceiving = true;
      if (!turns.isDue) continue;
      await turns.wait();
      if (this.#isClosed) return false;
    }
    this.#stagedAt = this.#openAt;
    this.#neededBytes = this.#openAt + 2;
    return true;
  }

  #dropStaged(): void {
    this.#staged?.discard();
    this.#staged = null;
    this.#stagedAt = -1;
  }

  #requestBytesMax(): number {
    return this.#host.valueBytesMax() + REQUEST_OVERHEAD_BYTES_MAX;
  }

  // ---- writing --------------------------------------------------------------------------------------

  #flush(): void {
    const { out } = this.#host;
    if (out.isEmpty) return;
    const heldTo = this.#host.gate === null ? null : this.#host.gate.judge();
    if (Number.isNaN(heldTo)) {
      this.#loseReplies();
      return;
    }
    const bytesMax = this.#host.clientOutputBytesMax();
    // Before any of it is sent: a command whose replies became too many has left the rest out.
    if (this.#output.bytes + out.segmentBytes > bytesMax) {
      this.#dropUnread(this.#output.bytes + out.segmentBytes);
      out.discard();
      return;
    }
    this.#output.take(out, heldTo);
    if (this.#output.bytes > bytesMax) this.#dropUnread(this.#output.bytes);
  }

  #dropUnread(bytes: number): void {
    this.#host.counters[COUNTER.connectionsDroppedSlow]++;
    this.#drop(`replies of ${bytes} bytes were not read`);
  }

  /** The log failed under this batch: whether its writes will be there after a crash is unknown, so nothing is said. */
  #loseReplies(): void {
    const { out, pool } = this.#host;
    for (const segment of out.takeSegments()) {
      segment.source?.release();
      if (segment.chunk !== null) pool.give(segment.chunk);
    }
    out.position = 0;
    this.#close();
  }

  onDrained(): void {
    // At once, not with the next read: what thousands of clients had waiting a moment ago is no reason to drop one.
    this.#host.counters[COUNTER.outputBytesNow] -= this.#countedOutput;
    this.#countedOutput = 0;
    if (this.isClosing) this.#end();
  }

  onWriteFailed(_error: unknown): void {
    this.#close();
  }

  /** What waits is part of what all clients of this worker may have waiting. */
  #countBuffers(): void {
    if (this.#isClosed) return; // its buffers are off the count for good
    const { counters } = this.#host;
    const input = this.#input.capacity, output = this.#output.bytes;
    counters[COUNTER.inputBytesNow] += input - this.#countedInput;
    counters[COUNTER.outputBytesNow] += output - this.#countedOutput;
    this.#countedInput = input;
    this.#countedOutput = output;
    counters[COUNTER.bytesOut] += this.#output.sentBytes;
    this.#output.sentBytes = 0;
    const bytesMax = this.#host.bufferBytesMax();
    if (output > 0 && counters[COUNTER.outputBytesNow] > bytesMax && this.#output.isWriting) {
      if (output < Math.max(bytesMax / 64, OUTPUT_BYTES_GRANTED)) return; // others hold far more than this one
      counters[COUNTER.connectionsDroppedSlow]++;
      this.#drop(`replies of all clients reached ${bytesMax} bytes, ${output} its own`);
      return;
    }
    // There is always room for one request of the largest size, also where maxmemory is small.
    const requestsMax = Math.max(bytesMax, this.#requestBytesMax());
    if (counters[COUNTER.inputBytesNow] > requestsMax && input > requestsMax / 64) {
      this.#drop(`unfinished requests of all clients reached ${requestsMax} bytes`);
    }
  }

  // ---- the end --------------------------------------------------------------------------------------

  /** Called about once a second: ends the connection if it is idle or stalled for too long. */
  sweep(nowMs: number, idleTimeoutMs: number, writeTimeoutMs: number): void {
    const output = this.#output, { counters } = this.#host;
    this.#countBuffers();
    if (this.#isClosed) return;
    if (output.isWriting || this.#isReceiving) this.#busyAtMs = nowMs;
    this.#isReceiving = false;
    if (output.isWriting) {
      if (output.stalledSinceMs === 0) output.stalledSinceMs = nowMs;
      else if (nowMs - output.stalledSinceMs >= writeTimeoutMs) {
        counters[COUNTER.connectionsDroppedSlow]++;
        this.#drop(`no reply was read for ${writeTimeoutMs / 1000} s`);
      } else this.#dropOverShare();
    } else if (
      idleTimeoutMs > 0 && nowMs - Math.max(this.lastCommandAtMs, this.#busyAtMs) >= idleTimeoutMs
    ) {
      counters[COUNTER.connectionsDroppedIdle]++;
      this.#close();
    }
  }

  /** Many stalled clients that hold little each: past the limit for all, none keeps more than its equal share. */
  #dropOverShare(): void {
    const { counters } = this.#host, bytesMax = this.#host.bufferBytesMax();
    if (counters[COUNTER.outputBytesNow] <= bytesMax) return;
    if (this.#output.bytes * counters[COUNTER.connectionsNow] <= bytesMax) return;
    counters[COUNTER.connectionsDroppedSlow]++;
    this.#drop(`replies of all clients reached ${bytesMax} bytes, ${this.#output.bytes} its own`);
  }

  /** Answers what is in flight, then ends. */
  stop(): void {
    this.isClosing = true;
    this.#input.release();
    if (this.#output.isIdle) this.#close();
  }

  kill(): void {
    this.#close();
  }

  push(bytes: Uint8Array, waitingBytesMax: number): void {
    const { out } = this.#host;
    if (this.#isClosed) return;
    out.write(bytes, 0, bytes.length);
    this.#flush();
    if (!this.#isClosed && this.#output.bytes > waitingBytesMax) {
      this.#host.counters[COUNTER.connectionsDroppedSlow]++;
      this.#drop(`what it watches reached ${this.#output.bytes} bytes that were not read`);
    }
  }

  bufferedBytes(): { input: number; output: number } {
    return { input: this.#input.filled, output: this.#output.bytes };
  }

  #tooLarge(neededBytes: number): void {
    const { resp } = this.#host;
    resp.error(`ERR Protocol error: request of ${neededBytes} bytes is too large`);
    this.isClosing = true;
  }

  #drop(why: string): void {
    this.#host.log(`client dropped: ${why}`, this);
    this.#close();
  }

  /** The client has sent its last, or is to be closed: its replies are still sent. */
  #finish(): void {
    this.isClosing = true;
    this.#input.release();
    if (this.#output.isIdle) this.#end();
    if (this.#staged !== null) this.#dropStaged();
  }

  /** All replies were handed to the kernel, which may still have to send them. */
  #end(): void {
    this.#close(!this.#isReadOut);
  }

  #close(lingers = false): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.isClosing = true;
    if (lingers) this.#host.lingering.end(this.#socket);
    else this.#socket.close();
    this.#output.close();
    const { counters } = this.#host;
    counters[COUNTER.inputBytesNow] -= this.#countedInput;
    counters[COUNTER.outputBytesNow] -= this.#countedOutput;
    counters[COUNTER.bytesOut] += this.#output.sentBytes;
    this.#countedInput = 0;
    this.#countedOutput = 0;
    this.#host.onClosed(this);
  }
}
