// BITOP: bytewise operations over several strings into one.
//
// Small strings are worked on under the locks of all keys. Large results are made without lock from pinned blocks,
// and stored under the locks again; made anew there if a source has changed meanwhile.
import { BITOP_NOT_KEYS, SYNTAX } from "../errors.ts";
import { fillPieces } from "../piecewise_bytes.ts";
import { type Block, INLINE_VALUE_BYTES_MAX, type PinnedBlock, record } from "../store/store.ts";
import * as R from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { FlatBytes, type ValueBytes } from "./value_reading.ts";

type Operation = "AND" | "OR" | "XOR" | "NOT";
const OPERATIONS: readonly Operation[] = ["AND", "OR", "XOR", "NOT"];
const DESTINATION = 2;
const FIRST_SOURCE = 3;
const CHUNK_BYTES = 65_536;

/** A source that was found; its page is −1 if it is no block. */
interface Source {
  readonly value: ValueBytes;
  readonly page: number;
}

const ABSENT: Source = { value: new FlatBytes(new Uint8Array(0)), page: -1 };

/** What the staged result was made of; a worker runs one command at a time. */
let madeOf: readonly Source[] = [];

/** BITOP operation destkey key [key ...] */
function bitop(c: CommandContext): void {
  const operation = OPERATIONS.find((each) => c.argIs(1, each));
  if (operation === undefined) return c.reply.error(SYNTAX);
  if (operation === "NOT" && c.argCount !== 4) return c.reply.error(BITOP_NOT_KEYS);
  const sources: Source[] = [];
  for (let index = FIRST_SOURCE; index < c.argCount; index++) {
    if (c.findForChange(index) !== 0 && (!c.requireString() || c.openRead() < 0)) return;
    sources.push(sourceFound(c));
  }
  c.findForChange(DESTINATION);
  const lengthBytes = longest(sources), staged = c.staging.of(DESTINATION);
  if (lengthBytes === 0) {
    if (c.ref !== 0) c.remove(DESTINATION);
  } else if (lengthBytes <= INLINE_VALUE_BYTES_MAX) {
    const result = new Uint8Array(lengthBytes);
    combine(c, operation, sources, 0, result);
    if (!c.putBytes(DESTINATION, result, c.openExpiry(DESTINATION))) return;
  } else if (staged !== null && staged.block.lengthBytes === lengthBytes) {
    // A source that is written all the time would be another one each time: then it is made under the locks.
    if (!areSame(sources, madeOf)) fillResult(c, staged.block, operation, sources);
    if (!c.putFresh(DESTINATION, c.openExpiry(DESTINATION))) return;
  } else {
    c.isOutOfMemory = true;
    c.prepare = () => stageResult(c, operation);
    return;
  }
  c.reply.integer(lengthBytes);
}

/** What `findForChange()` found, to be read under the lock only. */
function sourceFound(c: CommandContext): Source {
  if (c.ref === 0) return ABSENT;
  if (!record.isBlock(c.shard, c.ref)) {
    return { value: new FlatBytes(c.piece(0, c.valueBytes)), page: -1 };
  }
  return { value: c.store.blockOf(c.shard, c.ref), page: record.blockPageOf(c.shard, c.ref) };
}

/** Makes the result without lock; the sources stay pinned until it is stored or given up. */
function stageResult(c: CommandContext, operation: Operation): boolean {
  const sources: Source[] = [], pins: PinnedBlock[] = [];
  for (let index = FIRST_SOURCE; index < c.argCount; index++) {
    const shard = c.lockReading(index), pin = c.pinFound();
    if (pin !== null) {
      pins.push(pin);
      sources.push({ value: pin, page: pin.firstPage });
    } else {
      sources.push(c.ref === 0 ? ABSENT : { value: new FlatBytes(c.valueCopy()), page: -1 });
    }
    c.unlockReading(shard);
  }
  const lengthBytes = longest(sources);
  // No less than one byte: what has become small meanwhile is made under the locks.
  const block = c.stageBlock(DESTINATION, Math.max(1, lengthBytes), pins);
  if (block === null) return false;
  madeOf = sources;
  if (lengthBytes > 0) fillResult(c, block, operation, sources);
  return true;
}

/** Fills a block as long as the longest source. */
function fillResult(
  c: CommandContext,
  block: Block,
  operation: Operation,
  sources: readonly Source[],
): void {
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let at = 0; at < block.lengthBytes; at += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, block.lengthBytes - at));
    combine(c, operation, sources, at, part);
    fillPieces(block, at, part);
  }
}

/** The result's bytes from `offset` on, as many as `into` takes; short sources go on with zeros. */
function combine(
  c: CommandContext,
  operation: Operation,
  sources: readonly Source[],
  offset: number,
  into: Uint8Array,
): void {
  into.fill(0);
  eachPiece(sources[0].value, offset, into.length, (bytes, at) => into.set(bytes, at));
  if (operation === "NOT") {
    for (let i = 0; i < into.length; i++) into[i] = ~into[i];
  }
  for (let n = 1; n < sources.length; n++) {
    let end = 0;
    // A thousand sources of 64 MiB take a minute.
    c.services.signOfLife();
    eachPiece(sources[n].value, offset, into.length, (bytes, at) => {
      end = at + bytes.length;
      if (operation === "AND") {
        for (let i = 0; i < bytes.length; i++) into[at + i] &= bytes[i];
      } else if (operation === "OR") {
        for (let i = 0; i < bytes.length; i++) into[at + i] |= bytes[i];
      } else {
        for (let i = 0; i < bytes.length; i++) into[at + i] ^= bytes[i];
      }
    });
    if (operation === "AND") into.fill(0, end);
  }
}

function eachPiece(
  value: ValueBytes,
  offset: number,
  count: number,
  use: (bytes: Uint8Array, at: number) => void,
): void {
  const end = Math.min(value.lengthBytes, offset + count);
  for (let at = offset; at < end;) {
    const bytes = value.piece(at, end - at);
    use(bytes, at - offset);
    at += bytes.length;
  }
}

function longest(sources: readonly Source[]): number {
  return sources.reduce((most, { value }) => Math.max(most, value.lengthBytes), 0);
}

/** A pinned block is never changed, so its page and length say that it is the same. */
function areSame(now: readonly Source[], then: readonly Source[]): boolean {
  return now.every(({ value, page }, i) => {
    const was = then[i];
    if (page !== was.page || value.lengthBytes !== was.value.lengthBytes) return false;
    if (page >= 0) return true;
    const bytes = value.piece(0, value.lengthBytes), old = was.value.piece(0, value.lengthBytes);
    return bytes.every((byte, at) => byte === old[at]);
  });
}

export const BITOP_ROWS: readonly CommandRow[] = [
  {
    name: "bitop",
    arity: -4,
    kind: R.CHANGE_ALL,
    flags: R.DENY_OOM | R.SLOW,
    firstKey: 2,
    lastKey: -1,
    keyStep: 1,
    valueArgument: 0,
    group: "bitmap",
    since: "2.6.0",
    summary: "Combine the bits of several values and store what comes out",
    run: bitop,
  },
];
