// Parsing and writing without a socket; every writer is warmed first, as in a server that serves them all.
import { createChunk, ReplyBuffer } from "../src/protocol/reply_buffer.ts";
import type { ReplyWriter } from "../src/protocol/reply_writer.ts";
import { RequestBatch } from "../src/protocol/request_batch.ts";
import { type ParseLimits, parseRequests } from "../src/protocol/request_parser.ts";
import { RespWriter } from "../src/protocol/resp_writer.ts";
import { TextWriter } from "../src/protocol/text_writer.ts";

const PIPELINE = 16;
const LIMITS: ParseLimits = {
  bulkBytesMax: 1 << 26,
  argumentsMax: 1_048_576,
  inlineBytesMax: 65_536,
  outOfLineBytesMin: 16_384,
  inlineReply: 0,
  authenticated: true,
};

const batch = new RequestBatch();

function parser(request: string): () => void {
  const text = new TextEncoder().encode(request.repeat(PIPELINE));
  const bytes = new Uint8Array(text.length + 8);
  bytes.set(text);
  const view = new DataView(bytes.buffer);
  return () => {
    batch.reset(bytes, view);
    const end = parseRequests(batch, 0, text.length, LIMITS);
    if (end !== text.length || batch.commandCount !== PIPELINE) {
      throw new Error(`Cannot measure: ${batch.commandCount} commands in ${end} bytes`);
    }
  };
}

const key = "key:000000012345";
const value = "v".repeat(64);
const parsers: [string, () => void][] = [
  ["GET", parser(`*2\r\n$3\r\nGET\r\n$16\r\n${key}\r\n`)],
  ["SET of 64 bytes", parser(`*3\r\n$3\r\nSET\r\n$16\r\n${key}\r\n$64\r\n${value}\r\n`)],
  [
    "SET of 200 bytes",
    parser(`*3\r\n$3\r\nSET\r\n$16\r\n${key}\r\n$200\r\n${"v".repeat(200)}\r\n`),
  ],
  ["inline GET", parser(`GET ${key}\r\n`)],
  ["text SET with EX", parser(`SET ${key} ${value} EX 60\n`)],
];

const shared = new SharedArrayBuffer(1 << 20);
const words = new Int32Array(shared);
const bytes = new Uint8Array(shared).fill(120);
const argument = new TextEncoder().encode(value);

function buffer(): ReplyBuffer {
  return new ReplyBuffer({
    take: (sizeBytes) => createChunk(Math.max(sizeBytes, 65_536)),
    give() {},
  });
}

const replies: [string, (to: ReplyWriter, i: number) => void][] = [
  ["bulkWords of 64 bytes", (to, i) => to.bulkWords(words, bytes, (i & 1023) * 64, 64)],
  ["bulkWords of 256 bytes", (to, i) => to.bulkWords(words, bytes, (i & 1023) * 256, 256)],
  ["bulkWords of 1000 bytes", (to, i) => to.bulkWords(words, bytes, (i & 511) * 1000, 1000)],
  ["bulk of 16 bytes", (to) => to.bulk(argument, 0, 16)],
  ["integer below 10", (to, i) => to.integer(i & 7)],
  ["integer of 6 digits", (to, i) => to.integer(123_456 + i)],
  ["integer of 13 digits", (to, i) => to.integer(1_700_000_000_000 + i)],
  ["ok", (to) => to.ok()],
  ["nil", (to) => to.nil()],
  ["status", (to) => to.status("PONG")],
  ["error", (to) => to.error("ERR value is not an integer or out of range")],
];

const writers: [string, ReplyWriter][] = [
  ["RESP", new RespWriter(buffer())],
  ["text", new TextWriter(buffer())],
];

function write(to: ReplyWriter, reply: (to: ReplyWriter, i: number) => void): void {
  for (let i = 0; i < PIPELINE; i++) reply(to, i);
  to.out.position = 0;
}

for (let round = 0; round < 20_000; round++) {
  for (const [, parse] of parsers) parse();
  for (const [, reply] of replies) for (const [, writer] of writers) write(writer, reply);
}

for (const [name, parse] of parsers) {
  Deno.bench({ name: `parse 16 times ${name}`, group: "parser", fn: parse });
}
for (const [protocol, writer] of writers) {
  for (const [name, reply] of replies) {
    Deno.bench({
      name: `write 16 times ${protocol} ${name}`,
      group: `${protocol} writer`,
      fn: () => write(writer, reply),
    });
  }
}
