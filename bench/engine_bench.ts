// The whole path of a command without a socket: parser, engine, store and reply writer; knows no connection.
//
// MAYFLY_BENCH_TOY makes the store small: then it only proves that the benches run.
import { Bus } from "../src/bus.ts";
import { Clock } from "../src/clock.ts";
import type { Services } from "../src/commands/services.ts";
import { parseConfig } from "../src/config.ts";
import { DONE, Engine } from "../src/engine.ts";
import {
  ARGUMENTS_MAX,
  INLINE_BYTES_MAX,
  OUT_OF_LINE_BYTES_MIN,
  READ_BUFFER_BYTES_FULL_MAX,
} from "../src/limits.ts";
import { createMetricsMemory, Metrics, WorkerMetrics } from "../src/metrics.ts";
import { ReplyBuffer } from "../src/protocol/reply_buffer.ts";
import { RequestBatch } from "../src/protocol/request_batch.ts";
import {
  INLINE_REPLY_AUTO,
  type ParseLimits,
  parseRequests,
} from "../src/protocol/request_parser.ts";
import { RespWriter } from "../src/protocol/resp_writer.ts";
import { TextWriter } from "../src/protocol/text_writer.ts";
import { ReplyChunkPool } from "../src/server/chunk_pool.ts";
import type { Session } from "../src/session.ts";
import { createSettingsMemory, ProcessState, Settings } from "../src/settings.ts";
import { createStoreMemory, Store } from "../src/store/store.ts";

const isToy = Deno.env.get("MAYFLY_BENCH_TOY") !== undefined;
const KEYS = isToy ? 1_000 : 100_000;
/** The parser loads whole words past the end. */
const SLACK_BYTES = 8;
const KEY_BYTES = 16;
const VALUE_BYTES = 64;
const PIPELINE = 16;
const MGET_KEYS = 100;
/** Prepared requests of each kind, enough that keys seldom come back while they are still in a cache. */
const PREPARED_COMMANDS = isToy ? 64 : 65_536;
/** Commands, or keys of MGET, per timed call: the timer's own cost does not show. */
const COMMANDS_PER_CALL = isToy ? 32 : 1_024;
const VALUE = "v".repeat(VALUE_BYTES);
const OK_BYTES = "+OK\r\n".length;
const HIT_BYTES = `$${VALUE_BYTES}\r\n${VALUE}\r\n`.length;

/** One worker's parser, engine and writers over a store of their own; no thread, no socket. */
class Path {
  readonly #batch = new RequestBatch();
  readonly #pool = new ReplyChunkPool();
  readonly #out = new ReplyBuffer(this.#pool);
  readonly #resp = new RespWriter(this.#out);
  readonly #text = new TextWriter(this.#out);
  readonly #bytes = new Uint8Array(READ_BUFFER_BYTES_FULL_MAX + SLACK_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #session = createSession();
  readonly #limits: ParseLimits;
  readonly #engine: Engine;

  constructor() {
    const services = createServices();
    const { config, settings } = services;
    const memory = createStoreMemory({
      maxmemoryBytes: config.maxmemoryBytes,
      maxValueBytes: config.valueBytesMax,
      hashKey: [11, 7],
    });
    const metrics = new WorkerMetrics(createMetricsMemory(1), 0);
    this.#engine = new Engine(new Store(memory), services, new Clock(memory.clock), metrics, null);
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
    const batch = this.#batch, out = this.#out;
    this.#bytes.set(request);
    batch.reset(this.#bytes, this.#view);
    const end = parseRequests(batch, 0, request.length, this.#limits);
    const ran = this.#engine.run(this.#session, batch, 0, this.#resp, this.#text);
    if (
      end !== request.length || ran !== batch.commandCount || this.#engine.outcome !== DONE ||
      out.position !== replyBytes || out.segments.length > 0
    ) {
      throw new Error(
        `${ran} of ${batch.commandCount} commands ran, ${end} of ${request.length} bytes were ` +
          `parsed, ${out.position} instead of ${replyBytes} bytes of replies`,
      );
    }
    this.#pool.give(out.takeChunk());
  }
}

/** What the measured commands may ask for, at the defaults; nobody answers on this bus. */
function createServices(): Services {
  const parsed = parseConfig(["--maxmemory", "512mb"], {}, { coreCount: 1, memoryBytes: 2 ** 30 });
  if (!("ok" in parsed)) throw new Error(`the defaults were refused: ${JSON.stringify(parsed)}`);
  const config = parsed.ok;
  const settings = new Settings(createSettingsMemory(config));
  settings.state = ProcessState.READY;
  return {
    config,
    settings,
    parameters: [],
    metrics: new Metrics(createMetricsMemory(1)),
    bus: new Bus(() => {}),
    sessions: new Map(),
    workerIndex: 0,
    startedAtMs: 0,
    runId: "",
    processId: 0,
    systemName: "",
    residentBytes: () => 0,
    isPassword: () => true,
    hasPassword: false,
  };
}

function createSession(): Session {
  return {
    id: 1,
    address: "",
    localAddress: "",
    createdAtMs: 0,
    lastCommandAtMs: 0,
    lastCommand: "",
    protocolVersion: 2,
    database: 0,
    isAuthenticated: true,
    user: "default",
    name: "",
    libraryName: "",
    libraryVersion: "",
    isClosing: false,
    kill: () => {},
    bufferedBytes: () => ({ input: 0, output: 0 }),
  };
}

function keyName(number: number): string {
  return `key:${String(number).padStart(KEY_BYTES - 4, "0")}`;
}

let state = 12345;
/** The same keys at every run, in no order. */
function randomKey(): string {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return keyName(Math.floor(state / 2 ** 32 * KEYS));
}

function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

/** Read batches of one kind, one behind the other in one array: no object is looked up between them. */
class Requests {
  readonly #views: Uint8Array[];
  #next = 0;

  constructor(batches: number, make: () => string) {
    const texts = Array.from({ length: batches }, make);
    const bytes = new TextEncoder().encode(texts.join(""));
    let start = 0;
    this.#views = texts.map((text) => bytes.subarray(start, start += text.length));
  }

  next(): Uint8Array {
    this.#next = this.#next + 1 === this.#views.length ? 0 : this.#next + 1;
    return this.#views[this.#next];
  }
}

const path = new Path();
for (let number = 0; number < KEYS; number++) {
  path.run(new TextEncoder().encode(command("SET", keyName(number), VALUE)), OK_BYTES);
}

/** One call runs COMMANDS_PER_CALL commands (keys, for MGET): divide the time shown by that. */
function bench(
  name: string,
  perBatch: number,
  replyBytes: number,
  make: () => string,
): void {
  const requests = new Requests(Math.ceil(PREPARED_COMMANDS / perBatch), make);
  const batches = Math.ceil(COMMANDS_PER_CALL / perBatch);
  Deno.bench({ name: `${name}, ${KEYS} keys (x${batches * perBatch})` }, () => {
    for (let i = 0; i < batches; i++) path.run(requests.next(), replyBytes);
  });
}

function pipeline(make: () => string): () => string {
  return () => Array.from({ length: PIPELINE }, make).join("");
}

const get = () => command("GET", randomKey());
const set = () => command("SET", randomKey(), VALUE);
bench(`GET, pipeline ${PIPELINE}`, PIPELINE, PIPELINE * HIT_BYTES, pipeline(get));
bench(`SET, pipeline ${PIPELINE}`, PIPELINE, PIPELINE * OK_BYTES, pipeline(set));
bench("GET, one a batch", 1, HIT_BYTES, get);
bench("SET, one a batch", 1, OK_BYTES, set);
bench(
  `MGET of ${MGET_KEYS}`,
  MGET_KEYS,
  `*${MGET_KEYS}\r\n`.length + MGET_KEYS * HIT_BYTES,
  () => command("MGET", ...Array.from({ length: MGET_KEYS }, randomKey)),
);
