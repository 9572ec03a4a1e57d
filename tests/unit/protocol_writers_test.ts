// RespWriter and TextWriter byte for byte, over chunks of every small size, with marks and rewinds.
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Chunk,
  type ChunkPool,
  createChunk,
  ReplyBuffer,
  type ValueSource,
} from "../../src/protocol/reply_buffer.ts";
import { BARE_FRAME, JsonWriter } from "../../src/protocol/json_writer.ts";
import type { ReplyWriter } from "../../src/protocol/reply_writer.ts";
import { RespWriter } from "../../src/protocol/resp_writer.ts";
import { TextWriter } from "../../src/protocol/text_writer.ts";
import { fromLatin1, latin1 } from "../support/parsing_connection.ts";

const CHUNK_SIZES = [1, 2, 3, 5, 8, 13, 40, 100, 1000, 16_384];

/** Chunks of one size, filled with rubbish, counted. */
class TestPool implements ChunkPool {
  taken = 0;
  given = 0;

  constructor(readonly sizeBytes: number) {}

  take(sizeBytesMin: number): Chunk {
    this.taken++;
    const chunk = createChunk(Math.max(sizeBytesMin, this.sizeBytes));
    chunk.bytes.fill(0xee);
    return chunk;
  }

  give(): void {
    this.given++;
  }
}

class TestSource implements ValueSource {
  releases = 0;
  readonly lengthBytes: number;

  constructor(readonly text: string) {
    this.lengthBytes = text.length;
  }

  piece(offset: number, bytesMax: number): Uint8Array {
    return latin1(this.text.slice(offset, offset + Math.min(bytesMax, 7)));
  }

  release(): void {
    this.releases++;
  }
}

/** What a connection would send; within each chunk only, never its slack. */
function sent(out: ReplyBuffer): string {
  let text = "";
  for (const segment of out.takeSegments()) {
    if (segment.source !== null) {
      for (let at = 0; at < segment.source.lengthBytes;) {
        const piece = segment.source.piece(at, 5);
        assert.ok(piece.length > 0 && piece.length <= 5);
        text += fromLatin1(piece);
        at += piece.length;
      }
      segment.source.release();
    } else {
      assert.ok(segment.endBytes <= segment.chunk.bytes.length - 8, "a reply ends in the slack");
      text += fromLatin1(segment.chunk.bytes.subarray(0, segment.endBytes));
    }
  }
  return text;
}

type Use = (writer: ReplyWriter) => void;

/** The output of both protocols, the same for every size of chunk. */
function output(use: Use, sizes: number[]): { resp: string; text: string } {
  const run = (create: (out: ReplyBuffer) => ReplyWriter, sizeBytes: number) => {
    const writer = create(new ReplyBuffer(new TestPool(sizeBytes)));
    use(writer);
    return sent(writer.out);
  };
  const all = sizes.map((sizeBytes) => ({
    resp: run((out) => new RespWriter(out), sizeBytes),
    text: run((out) => new TextWriter(out), sizeBytes),
  }));
  for (const each of all) assert.deepEqual(each, all[0]);
  return all[0];
}

function assertOutput(use: Use, resp: string, text: string, sizes = CHUNK_SIZES): void {
  assert.deepEqual(output(use, sizes), { resp, text });
}

/** A memory as the store has it, with `text` at byte `start`. */
function memory(text: string, start: number): { words: Int32Array; bytes: Uint8Array } {
  const size = ((start + text.length + 3) >> 2) * 4;
  const shared = new SharedArrayBuffer(size);
  const bytes = new Uint8Array(shared).fill(0x2e);
  bytes.set(latin1(text), start);
  return { words: new Int32Array(shared), bytes };
}

function sample(length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCharCode((i * 7 + (i >> 8)) & 255);
  return text;
}

Deno.test("ReplyWriter writes the simple replies of each protocol", () => {
  assertOutput((to) => to.ok(), "+OK\r\n", "OK\n");
  assertOutput((to) => to.status("PONG"), "+PONG\r\n", "PONG\n");
  assertOutput((to) => to.status("a\r\nb"), "+a  b\r\n", "a  b\n");
  assertOutput((to) => to.nil(), "$-1\r\n", "(nil)\n");
  assertOutput((to) => to.nilArray(), "*-1\r\n", "(nil)\n");
  assertOutput((to) => to.bulkText(""), "$0\r\n\r\n", "\n");
  assertOutput((to) => to.bulkText("é😀"), "$6\r\nÃ©ð\x9f\x98\x80\r\n", "Ã©ð\x9f\x98\x80\n");
  const long = "s".repeat(1000);
  assertOutput((to) => to.status(long), `+${long}\r\n`, `${long}\n`);
  assertOutput((to) => to.status("aé"), "+aÃ©\r\n", "aÃ©\n");
});

Deno.test("ReplyWriter writes errors, which text tells without the code that says nothing", () => {
  const cases = [
    ["ERR syntax error", "ERROR: syntax error"],
    ["ERR unknown command 'FOO', with args beginning with: ", "ERROR: Unknown command"],
    ["ERR unknown subcommand 'X'", "ERROR: unknown subcommand 'X'"],
    ["WRONGTYPE Operation", "ERROR: WRONGTYPE Operation"],
    ["ERRATIC x", "ERROR: ERRATIC x"],
    [`ERR ${"y".repeat(300)}`, `ERROR: ${"y".repeat(300)}`],
  ];
  for (const [error, text] of cases) {
    assertOutput((to) => to.error(error), `-${error}\r\n`, `${text}\n`);
  }
  assertOutput((to) => to.error("ERR a\r\nb\nc"), "-ERR a  b c\r\n", "ERROR: a  b c\n");
});

Deno.test("ReplyWriter writes integers of every length", () => {
  const values = [0, 1, 9, 10, 99, 100, 12_345, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1];
  for (const value of values.flatMap((each) => [each, -each])) {
    const text = String(value);
    assertOutput((to) => to.integer(value), `:${text}\r\n`, `${text}\n`);
    assertOutput((to) => to.bigInteger(BigInt(value)), `:${text}\r\n`, `${text}\n`);
  }
  for (const value of [2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    assertOutput((to) => to.bigInteger(value), `:${value}\r\n`, `${value}\n`);
  }
});

Deno.test("ReplyWriter writes values of every length out of a buffer and out of a memory", () => {
  const lengths = [
    ...Array(131).keys(),
    511,
    512,
    513,
    999,
    1000,
    9999,
    16_384,
    16_385,
    65_536,
    65_537,
  ];
  for (const length of lengths) {
    // Long values are cut over chunks: one by one for every size would take seconds.
    // The last size leaves no room behind the value.
    const headBytes = `$${length}\r\n`.length;
    const sizes = length < 1000 ? CHUNK_SIZES : [1000, 16_384, headBytes + length];
    const value = sample(length);
    const resp = `$${length}\r\n${value}\r\n`;
    const bytes = latin1(`ab${value}cd`);
    assertOutput((to) => to.bulk(bytes, 2, 2 + length), resp, `${value}\n`, sizes);
    const store = memory(value, 8);
    assertOutput(
      (to) => to.bulkWords(store.words, store.bytes, 8, length),
      resp,
      `${value}\n`,
      sizes,
    );
  }
});

Deno.test("bulkWords() stays within the memory when the length is torn", () => {
  const { words, bytes } = memory("abcdef", 12);
  const cases: [number, number, string][] = [
    [12, -1, ""],
    [12, -(2 ** 31), ""],
    [12, 2 ** 31 - 1, "abcdef.."],
    [12, 9, "abcdef.."],
    [20, 5, ""],
    [40, 5, ""],
  ];
  for (const [start, length, value] of cases) {
    const resp = `$${value.length}\r\n${value}\r\n`;
    assertOutput((to) => to.bulkWords(words, bytes, start, length), resp, `${value}\n`);
  }
});

Deno.test("bulkSource() sends a value from where it lies and lets it go once", () => {
  for (const text of ["", "x", sample(300)]) {
    for (const create of [RespWriter, TextWriter]) {
      const source = new TestSource(text);
      const writer = new create(new ReplyBuffer(new TestPool(4)));
      writer.array(2);
      writer.bulkSource(source);
      writer.ok();
      const expected = create === RespWriter
        ? `*2\r\n$${text.length}\r\n${text}\r\n+OK\r\n`
        : `${text} OK\n`;
      assert.equal(sent(writer.out), expected);
      assert.equal(source.releases, 1);
    }
  }
});

Deno.test("ReplyWriter puts the elements of an array on one line of text", () => {
  const two: Use = (to) => {
    to.array(2);
    to.bulkText("a");
    to.nil();
  };
  assertOutput(two, "*2\r\n$1\r\na\r\n$-1\r\n", "a (nil)\n");
  assertOutput((to) => to.array(0), "*0\r\n", "\n");
  assertOutput((to) => to.map(0), "*0\r\n", "\n");
  assertOutput(
    (to) => {
      to.map(2);
      for (const text of ["k", "v", "l"]) to.bulkText(text);
      to.integer(7);
      to.ok();
    },
    "*4\r\n$1\r\nk\r\n$1\r\nv\r\n$1\r\nl\r\n:7\r\n+OK\r\n",
    "k v l 7\nOK\n",
  );
  assertOutput(
    (to) => {
      to.array(3);
      to.array(0);
      two(to);
      to.array(1);
      to.array(1);
      to.error("ERR x");
      to.array(100);
      for (let i = 0; i < 99; i++) to.integer(1);
      to.array(0);
      to.status("END");
    },
    `*3\r\n*0\r\n*2\r\n$1\r\na\r\n$-1\r\n*1\r\n*1\r\n-ERR x\r\n*100\r\n${
      ":1\r\n".repeat(99)
    }*0\r\n+END\r\n`,
    `a (nil) ERROR: x\n${"1 ".repeat(98)}1\nEND\n`,
  );
  const deep: Use = (to) => {
    for (let i = 0; i < 32; i++) to.array(2);
    for (let i = 0; i < 33; i++) to.integer(3);
  };
  assertOutput(deep, `${"*2\r\n".repeat(32)}${":3\r\n".repeat(33)}`, `${"3 ".repeat(32)}3\n`);
});

Deno.test("rewind() takes replies back to the mark, within an array and over chunks and sources", () => {
  for (const sizeBytes of CHUNK_SIZES) {
    for (const create of [RespWriter, TextWriter]) {
      const pool = new TestPool(sizeBytes);
      const writer = new create(new ReplyBuffer(pool));
      writer.status("before");
      writer.array(2);
      writer.bulkText("kept");
      writer.mark();
      const source = new TestSource("source");
      for (let i = 0; i < 3; i++) {
        writer.bulkText(sample(i * 50));
        writer.array(5);
        if (i === 1) writer.bulkSource(source);
        writer.rewind();
      }
      writer.integer(5);
      writer.mark();
      writer.bulkText(sample(90));
      writer.rewind();
      writer.ok();
      const expected = create === RespWriter
        ? "+before\r\n*2\r\n$4\r\nkept\r\n:5\r\n+OK\r\n"
        : "before\nkept 5\nOK\n";
      assert.equal(sent(writer.out), expected);
      assert.equal(source.releases, 1);
    }
  }
});

Deno.test("ReplyWriter writes any sequence of values the same over any chunks", () => {
  const value = fc.uint8Array({ maxLength: 700 });
  fc.assert(
    fc.property(
      fc.array(value, { maxLength: 12 }),
      fc.integer({ min: 1, max: 800 }),
      (values, size) => {
        const resp = new RespWriter(new ReplyBuffer(new TestPool(size)));
        const text = new TextWriter(new ReplyBuffer(new TestPool(size)));
        let expectedResp = "";
        const words: string[] = [];
        if (values.length > 0) text.array(values.length);
        for (const bytes of values) {
          const content = fromLatin1(bytes);
          const store = memory(content, 4);
          resp.bulkWords(store.words, store.bytes, 4, content.length);
          text.bulkWords(store.words, store.bytes, 4, content.length);
          expectedResp += `$${content.length}\r\n${content}\r\n`;
          words.push(content);
        }
        assert.equal(sent(resp.out), expectedResp);
        assert.equal(sent(text.out), values.length > 0 ? `${words.join(" ")}\n` : "");
      },
    ),
    { numRuns: 100 },
  );
});

/** The output of one writer, the same for every size of chunk. */
function respOutput(version: 2 | 3, use: Use): string {
  const all = CHUNK_SIZES.map((sizeBytes) => {
    const writer = new RespWriter(new ReplyBuffer(new TestPool(sizeBytes)));
    writer.useVersion(version);
    use(writer);
    return sent(writer.out);
  });
  for (const each of all) assert.equal(each, all[0]);
  return all[0];
}

Deno.test("RespWriter writes in RESP3 what RESP2 has no kinds for", () => {
  const cases: [Use, resp2: string, resp3: string][] = [
    [(to) => to.nil(), "$-1\r\n", "_\r\n"],
    [(to) => to.nilArray(), "*-1\r\n", "_\r\n"],
    [(to) => to.map(2), "*4\r\n", "%2\r\n"],
    [(to) => to.map(123), "*246\r\n", "%123\r\n"],
    [(to) => to.set(0), "*0\r\n", "~0\r\n"],
    [(to) => to.set(20), "*20\r\n", "~20\r\n"],
    [(to) => to.pairs(0), "*0\r\n", "*0\r\n"],
    [(to) => to.pairs(20), "*40\r\n", "*20\r\n"],
    [(to) => to.pair(), "", "*2\r\n"],
    [(to) => to.boolean(true), ":1\r\n", "#t\r\n"],
    [(to) => to.boolean(false), ":0\r\n", "#f\r\n"],
    [(to) => to.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"],
    [(to) => to.double(-Infinity), "$4\r\n-inf\r\n", ",-inf\r\n"],
    [(to) => to.bigNumber("-12"), "$3\r\n-12\r\n", "(-12\r\n"],
    [(to) => to.verbatim(""), "$0\r\n\r\n", "=4\r\ntxt:\r\n"],
    [(to) => to.verbatim("é"), "$2\r\nÃ©\r\n", "=6\r\ntxt:Ã©\r\n"],
    [(to) => to.ok(), "+OK\r\n", "+OK\r\n"],
    [(to) => to.array(1), "*1\r\n", "*1\r\n"],
  ];
  for (const [use, resp2, resp3] of cases) {
    assert.equal(respOutput(2, use), resp2);
    assert.equal(respOutput(3, use), resp3);
  }
});

Deno.test("TextWriter and JsonWriter have words for the kinds that RESP3 adds", () => {
  const use: Use = (to) => {
    to.set(2);
    to.double(0.5);
    to.boolean(true);
    to.bigNumber("123456789012345678901234567890");
    to.verbatim("a b");
  };
  assertOutput(
    use,
    "*2\r\n$3\r\n0.5\r\n:1\r\n$30\r\n123456789012345678901234567890\r\n$3\r\na b\r\n",
    "0.5 1\n123456789012345678901234567890\na b\n",
  );
  const json = new JsonWriter(new ReplyBuffer(new TestPool(1000)));
  json.begin(BARE_FRAME);
  use(json);
  assert.equal(sent(json.out), '[0.5,true],"123456789012345678901234567890","a b"');
});

Deno.test("TextWriter has a list of pairs on one line, JsonWriter and RESP3 have arrays in an array", () => {
  const use: Use = (to) => {
    to.pairs(2);
    for (const text of ["k", "l"]) {
      to.pair();
      to.bulkText(text);
      to.integer(7);
    }
    to.ok();
  };
  assertOutput(use, "*4\r\n$1\r\nk\r\n:7\r\n$1\r\nl\r\n:7\r\n+OK\r\n", "k 7 l 7\nOK\n");
  const json = new JsonWriter(new ReplyBuffer(new TestPool(1000)));
  json.begin(BARE_FRAME);
  use(json);
  assert.equal(sent(json.out), '[["k",7],["l",7]],"OK"');
});
