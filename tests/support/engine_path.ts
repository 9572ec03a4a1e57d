// One worker's whole path without a socket, for tests and benches: parser, engine, store and reply writer.
import { Bus } from "../../src/bus.ts";
import { Clock } from "../../src/clock.ts";
import { createObservers } from "../../src/commands/observers.ts";
import type { Services } from "../../src/commands/services.ts";
import { parseConfig } from "../../src/config.ts";
import { DONE, Engine, PARKED } from "../../src/engine.ts";
import {
  ARGUMENTS_MAX,
  INLINE_BYTES_MAX,
  OUT_OF_LINE_BYTES_MIN,
  READ_BUFFER_BYTES_FULL_MAX,
} from "../../src/limits.ts";
import type { EffectLog } from "../../src/log/effects.ts";
import {
  createMetricsMemory,
  Metrics,
  type MetricsMemory,
  WorkerMetrics,
} from "../../src/metrics.ts";
import { ReplyBuffer } from "../../src/protocol/reply_buffer.ts";
import { RequestBatch } from "../../src/protocol/request_batch.ts";
import {
  INLINE_REPLY_AUTO,
  type ParseLimits,
  parseRequests,
} from "../../src/protocol/request_parser.ts";
import { SilentWriter } from "../../src/protocol/silent_writer.ts";
import { RespWriter } from "../../src/protocol/resp_writer.ts";
import { TextWriter } from "../../src/protocol/text_writer.ts";
import { ReplyChunkPool } from "../../src/server/chunk_pool.ts";
import { ClientSession } from "../../src/server/client_session.ts";
import type { Sessions } from "../../src/session.ts";
import { createSettingsMemory, ProcessState, Settings } from "../../src/settings.ts";
import { createStoreMemory, Store, type StoreMemory } from "../../src/store/store.ts";

/** The parser loads whole words past the end. */
const SLACK_BYTES = 8;

/** One worker's parser, engine and writers over a store of their own; no thread, no socket. */
export class EnginePath {
  readonly #batch = new RequestBatch();
  readonly #pool = new ReplyChunkPool();
  readonly #out = new ReplyBuffer(this.#pool);
  readonly #resp = new RespWriter(this.#out);
  readonly #text = new TextWriter(this.#out);
  readonly #bytes = new Uint8Array(READ_BUFFER_BYTES_FULL_MAX + SLACK_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #session = new LoneSession(true, "", "", 0);
  readonly #limits: ParseLimits;
  readonly engine: Engine;
  readonly memory: StoreMemory;

  /** `effects` is told of every change, or made for the store; `flags` are those of the command line. */
  constructor(
    effects: EffectLog | ((store: Store) => EffectLog) | null = null,
    flags: readonly string[] = [],
  ) {
    const metricsMemory = createMetricsMemory(1), metrics = new WorkerMetrics(metricsMemory, 0);
    const services = createServices(metricsMemory, metrics, flags);
    const { config, settings } = services;
    const memory = this.memory = createStoreMemory({
      maxmemoryBytes: config.maxmemoryBytes,
      maxValueBytes: config.valueBytesMax,
      hashKey: [11, 7],
    });
    const store = new Store(memory);
    this.engine = new Engine(
      store,
      services,
      new Clock(memory.clock),
      metrics,
      typeof effects === "function" ? effects(store) : effects,
      new SilentWriter(this.#pool),
    );
    this.#limits = {
      bulkBytesMax: settings.valueBytesMax,
      argumentsMax: ARGUMENTS_MAX,
      inlineBytesMax: INLINE_BYTES_MAX,
      outOfLineBytesMin: OUT_OF_LINE_BYTES_MIN,
      inlineReply: INLINE_REPLY_AUTO,
      authenticated: true,
    };
  }

  /** Runs one read batch, copied in as a read from a socket would; throws unless the replies have that length. */
  run(request: Uint8Array, replyBytes: number): void {
    const end = this.#run(request), out = this.#out;
    if (end !== request.length || out.position !== replyBytes || out.segments.length > 0) {
      throw new Error(
        `${end} of ${request.length} bytes ran, ${out.position} instead of ${replyBytes} bytes of replies`,
      );
    }
    this.#pool.give(out.takeChunk());
  }

  /** Runs one read batch and gives its replies, which fit one chunk. */
  replies(request: string): string {
    this.#run(new TextEncoder().encode(request));
    const text = new TextDecoder().decode(this.#out.bytes.slice(0, this.#out.position));
    this.#pool.give(this.#out.takeChunk());
    return text;
  }

  /** Runs one read batch and gives its replies, however long; as Latin-1, so that any bytes can be compared. */
  longReplies(request: Uint8Array): string {
    if (this.#run(request) !== request.length) throw new Error("the batch ran in part");
    const parts: string[] = [], decoder = new TextDecoder("latin1");
    for (const { chunk, endBytes, source } of this.#out.takeSegments()) {
      if (chunk !== null) {
        parts.push(decoder.decode(chunk.bytes.slice(0, endBytes)));
        this.#pool.give(chunk);
      } else {
        for (let at = 0; at < source.lengthBytes;) {
          const piece = source.piece(at, 100_000);
          parts.push(decoder.decode(piece.slice()));
          at += piece.length;
        }
        source.release();
      }
    }
    return parts.join("");
  }

  /** The session's end. */
  end(): void {
    this.engine.forget(this.#session);
  }

  #run(request: Uint8Array): number {
    const batch = this.#batch;
    this.#bytes.set(request);
    batch.reset(this.#bytes, this.#view);
    const end = parseRequests(batch, 0, request.length, this.#limits);
    let ran = 0, before: number;
    do {
      before = ran;
      ran = this.engine.run(this.#session, batch, before, this.#resp, this.#text);
      // Slow commands let others have their turn; one that waits for something else does not get any further.
    } while (ran > before && ran < batch.commandCount && this.engine.outcome === PARKED);
    if (ran !== batch.commandCount || this.engine.outcome !== DONE) {
      throw new Error(`${ran} of ${batch.commandCount} commands ran`);
    }
    return end;
  }
}

/** What the measured commands may ask for, at the defaults but for `flags`; nobody answers on this bus. */
function createServices(
  memory: MetricsMemory,
  own: WorkerMetrics,
  flags: readonly string[],
): Services {
  const argv = ["--maxmemory", "512mb", ...flags];
  const parsed = parseConfig(argv, {}, { coreCount: 1, memoryBytes: 2 ** 30 });
  if (!("ok" in parsed)) throw new Error(`the flags were refused: ${JSON.stringify(parsed)}`);
  const config = parsed.ok;
  const settings = new Settings(createSettingsMemory(config));
  settings.state = ProcessState.READY;
  const metrics = new Metrics(memory), bus = new Bus(() => {}), sessions: Sessions = new Map();
  return {
    config,
    settings,
    ring: null,
    parameters: [],
    metrics,
    ...createObservers(settings, sessions, metrics, own, bus),
    bus,
    sessions,
    workerIndex: 0,
    startedAtMs: 0,
    runId: "",
    processId: 0,
    systemName: "",
    residentBytes: () => 0,
    signOfLife: () => {},
    cpuSeconds: () => ({ user: 0, system: 0 }),
    isLocal: () => true,
    isPassword: () => true,
    othersTurn: () => new Promise((resolve) => setTimeout(resolve, 0)),
    wrongPassword: () => Promise.resolve(),
    hasPassword: false,
  };
}

/** A client that nobody ends and nobody sends to. */
class LoneSession extends ClientSession {
  readonly id = 1;

  push(): void {}

  kill(): void {}

  bufferedBytes(): { input: number; output: number } {
    return { input: 0, output: 0 };
  }
}
