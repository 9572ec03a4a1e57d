// JsonWriter and ValueWriter: what JSON.parse makes of any replies, over chunks of every small size, with rewinds.
import assert from "node:assert/strict";
import fc from "fast-check";
import { JsonWriter, RESULT_FRAME } from "../../src/protocol/json_writer.ts";
import { createChunk, ReplyBuffer, type ValueSource } from "../../src/protocol/reply_buffer.ts";
import type { ReplyWriter } from "../../src/protocol/reply_writer.ts";
import {
  ArrayHead,
  ErrorValue,
  type ReplyValue,
  SourceValue,
  ValueWriter,
} from "../../src/protocol/value_writer.ts";

const CHUNK_SIZES = [1, 3, 17, 64, 1000, 16_384];

function buffer(sizeBytes: number): ReplyBuffer {
  return new ReplyBuffer({
    take: (sizeBytesMin) => createChunk(Math.max(sizeBytesMin, sizeBytes)),
    give: () => {},
  });
}

function text(out: ReplyBuffer): string {
  const parts = out.takeSegments().flatMap(({ chunk, endBytes }) =>
    chunk === null ? [...bytes("<source>")] : [...chunk.bytes.subarray(0, endBytes)]
  );
  return new TextDecoder().decode(Uint8Array.from(parts));
}

/** The JSON of what is written, the same for every size of chunk. */
function json(use: (writer: JsonWriter) => void): string {
  const texts = CHUNK_SIZES.map((size) => {
    const writer = new JsonWriter(buffer(size));
    writer.begin(RESULT_FRAME);
    use(writer);
    return text(writer.out);
  });
  for (const each of texts) assert.equal(each, texts[0]);
  return texts[0];
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("JsonWriter writes each kind of reply in its frame, parted by commas", () => {
  const written = json((writer) => {
    writer.ok();
    writer.status("PONG");
    writer.error('ERR "bad"\n');
    writer.integer(-42);
    writer.bigInteger(9007199254740991n);
    writer.bigInteger(-9223372036854775808n);
    writer.bulk(bytes("xhallo"), 1, 6);
    writer.nil();
    writer.nilArray();
    writer.array(0);
    writer.map(0);
    writer.array(2);
    writer.integer(1);
    writer.error("ERR inner");
  });
  assert.equal(
    written,
    '{"result":"OK"},{"result":"PONG"},{"error":"ERR \\"bad\\"\\n"},{"result":-42},' +
      '{"result":9007199254740991},{"result":"-9223372036854775808"},{"result":"hallo"},' +
      '{"result":null},{"result":null},{"result":[]},{"result":{}},' +
      '{"result":[1,{"error":"ERR inner"}]}',
  );
});

Deno.test("JsonWriter writes maps as objects, whatever their names are", () => {
  const written = json((writer) => {
    writer.map(5);
    writer.bulkText("a");
    writer.array(1);
    writer.map(1);
    writer.bulkText("b");
    writer.nil();
    writer.integer(7);
    writer.ok();
    writer.bulk(Uint8Array.of(0xff), 0, 1);
    writer.bulk(Uint8Array.of(0xff), 0, 1);
    writer.bigInteger(8n);
    writer.integer(8);
    writer.nil();
    writer.integer(9);
  });
  assert.deepEqual(JSON.parse(written), {
    result: {
      a: [{ b: null }],
      "7": "OK",
      "base64:/w==": { base64: "/w==" },
      "8": 8,
      "null": 9,
    },
  });
});

Deno.test("JsonWriter tells a miss and an error of the last reply", () => {
  const writer = new JsonWriter(buffer(100));
  writer.begin(RESULT_FRAME);
  writer.nil();
  assert.equal(writer.isNil, true);
  writer.error("ERR x");
  assert.deepEqual([writer.isNil, writer.errorText, writer.count], [false, "ERR x", 2]);
  writer.array(1);
  writer.nil();
  assert.deepEqual([writer.isNil, writer.errorText, writer.count], [false, null, 3]);
});

Deno.test("JsonWriter lets a source lie between the segments, and releases an empty one", () => {
  const writer = new JsonWriter(buffer(1000));
  writer.begin(RESULT_FRAME);
  let releases = 0;
  const source = (lengthBytes: number): ValueSource => ({
    lengthBytes,
    piece: () => new Uint8Array(0),
    release: () => void releases++,
  });
  writer.bulkSource(source(5));
  assert.equal(releases, 0);
  writer.bulkSource(source(0));
  assert.equal(releases, 1);
  assert.equal(text(writer.out), '{"result":<source>},{"result":""}');
});

type Tree = string | number | null | Uint8Array | Tree[];

const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.string({ unit: "binary" }),
    fc.uint8Array({ maxLength: 40 }),
    fc.maxSafeInteger(),
    fc.constant(null),
    fc.array(tie("tree"), { maxLength: 5 }),
  ),
})).tree;

function write(writer: ReplyWriter, value: Tree): void {
  if (value === null) writer.nil();
  else if (typeof value === "string") writer.bulkText(value);
  else if (typeof value === "number") writer.integer(value);
  else if (value instanceof Uint8Array) writer.bulk(value, 0, value.length);
  else {
    writer.array(value.length);
    for (const each of value) write(writer, each);
  }
}

/** What a reader of the JSON has to find. */
function read(value: Tree): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (value instanceof Uint8Array) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
    } catch {
      return { base64: value.toBase64() };
    }
  }
  return Array.isArray(value) ? value.map(read) : value;
}

Deno.test("JsonWriter gives any replies to JSON.parse, also after rewinds", () => {
  fc.assert(fc.property(fc.array(tree, { maxLength: 5 }), tree, (replies, taken) => {
    const written = json((writer) => {
      for (const reply of replies) {
        writer.mark();
        write(writer, taken);
        writer.rewind();
        write(writer, reply);
      }
    });
    assert.deepEqual(JSON.parse(`[${written}]`), replies.map((each) => ({ result: read(each) })));
  }));
});

Deno.test("JsonWriter takes elements of an open array back to the mark", () => {
  const written = json((writer) => {
    writer.array(3);
    writer.integer(1);
    writer.mark();
    writer.array(2);
    writer.integer(8);
    writer.integer(9);
    writer.integer(9);
    writer.rewind();
    writer.integer(2);
    writer.integer(3);
  });
  assert.equal(written, '{"result":[1,2,3]}');
});

Deno.test("ValueWriter gives replies as values and releases sources that it takes back", () => {
  const writer = new ValueWriter(buffer(100));
  let releases = 0;
  const source = { lengthBytes: 3, piece: () => bytes("abc"), release: () => void releases++ };
  writer.ok();
  writer.integer(5);
  writer.mark();
  writer.bulkSource(source);
  writer.rewind();
  assert.equal(releases, 1);
  writer.bulkText("x");
  writer.array(1);
  writer.nil();
  writer.error("ERR y");
  writer.bulkSource(source);
  const values: ReplyValue[] = writer.take();
  assert.deepEqual(values.slice(0, 2), ["OK", 5]);
  assert.deepEqual(values[2], bytes("x"));
  assert.deepEqual(values.slice(3, 6), [new ArrayHead(1), null, new ErrorValue("ERR y")]);
  assert.ok(values[6] instanceof SourceValue);
  assert.deepEqual(writer.values, []);
  assert.deepEqual(writer.out.errors.texts, ["ERR y"]);
});

Deno.test("JsonWriter quotes words of memory as it does bytes, whatever they hold and whatever is behind", () => {
  const start = 8;
  const writer = new JsonWriter(buffer(100));
  const written = (write: () => void) => {
    writer.begin(RESULT_FRAME);
    write();
    return text(writer.out);
  };
  const both = (content: Uint8Array, behind: number) => {
    const memory = new Uint8Array(new SharedArrayBuffer((start + content.length + 12) & ~3));
    memory.fill(behind).set(content, start);
    const words = new Int32Array(memory.buffer), { length } = content;
    assert.equal(
      written(() => writer.bulkWords(words, memory, start, length)),
      written(() => writer.bulk(content, 0, length)),
      `${content} with ${behind} behind`,
    );
  };
  for (let length = 0; length < 9; length++) {
    for (const behind of [0, 34, 97, 255]) both(new Uint8Array(length).fill(97), behind);
    for (let at = 0; at < length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        both(new Uint8Array(length).fill(120).fill(byte, at, at + 1), 34);
      }
    }
  }
  for (const length of [16_383, 16_384, 16_385]) both(new Uint8Array(length).fill(98), 92);
  // A torn length ends with the memory.
  const words = new Int32Array(4).fill(0x61616161), bytes = new Uint8Array(words.buffer);
  assert.equal(
    written(() => writer.bulkWords(words, bytes, start, 1_000_000)),
    '{"result":"aaaaaaaa"}',
  );
});
