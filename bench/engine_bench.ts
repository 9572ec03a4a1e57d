// The whole path of a command without a socket: parser, engine, store and reply writer; knows no connection.
//
// MAYFLY_BENCH_TOY makes the store small: then it only proves that the benches run.
import { EnginePath } from "../tests/support/engine_path.ts";

const isToy = Deno.env.get("MAYFLY_BENCH_TOY") !== undefined;
const KEYS = isToy ? 1_000 : 100_000;
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

function keyName(number: number): string {
  return `key:${String(number).padStart(KEY_BYTES - 4, "0")}`;
}

let state = 12345;
/** From 0 to 1, the same at every run. */
function randomPart(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

/** The same keys at every run, in no order. */
function randomKey(): string {
  return keyName(Math.floor(randomPart() * KEYS));
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

const path = new EnginePath();
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
const setFor = () => command("SET", randomKey(), VALUE, "EX", "1000");
bench(`SET EX, pipeline ${PIPELINE}`, PIPELINE, PIPELINE * OK_BYTES, pipeline(setFor));
bench("GET, one a batch", 1, HIT_BYTES, get);
bench("SET, one a batch", 1, OK_BYTES, set);
bench(
  `MGET of ${MGET_KEYS}`,
  MGET_KEYS,
  `*${MGET_KEYS}\r\n`.length + MGET_KEYS * HIT_BYTES,
  () => command("MGET", ...Array.from({ length: MGET_KEYS }, randomKey)),
);

const HASHES = isToy ? 100 : 20_000;
const FIELDS = 20;
const FIELD_VALUE = "w0000000";
const fieldName = (number: number) => `feat${String(number).padStart(4, "0")}`;
const hashName = (number: number) => `hash:${String(number).padStart(12, "0")}`;
const randomHash = () => hashName(Math.floor(randomPart() * HASHES));
const allFields = Array.from({ length: FIELDS }, (_, i) => fieldName(i));
const pairs = allFields.flatMap((name) => [name, FIELD_VALUE]);
const CREATED_BYTES = `:${FIELDS}\r\n`.length;
for (let number = 0; number < HASHES; number++) {
  path.run(new TextEncoder().encode(command("HSET", hashName(number), ...pairs)), CREATED_BYTES);
}
const fieldBytes = `$8\r\n${FIELD_VALUE}\r\n`.length;
const MIDDLE = fieldName(FIELDS >> 1);
const hget = () => command("HGET", randomHash(), MIDDLE);
bench(`HGET, pipeline ${PIPELINE}`, PIPELINE, PIPELINE * fieldBytes, pipeline(hget));
const hset = () => command("HSET", randomHash(), MIDDLE, FIELD_VALUE);
bench(`HSET, pipeline ${PIPELINE}`, PIPELINE, PIPELINE * ":0\r\n".length, pipeline(hset));
const hgetall = () => command("HGETALL", randomHash());
const allBytes = `*${FIELDS * 2}\r\n`.length + FIELDS * 2 * fieldBytes;
bench(`HGETALL of ${FIELDS}`, PIPELINE, PIPELINE * allBytes, pipeline(hgetall));
const hmget = () => command("HMGET", randomHash(), ...allFields);
const askedBytes = `*${FIELDS}\r\n`.length + FIELDS * fieldBytes;
bench(`HMGET of ${FIELDS}`, PIPELINE, PIPELINE * askedBytes, pipeline(hmget));
